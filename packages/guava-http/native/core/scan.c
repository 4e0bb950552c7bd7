/* scan.c: the line scan in front of http-parser. The parser takes a lone LF, a lone CR after an
 * empty value and a folded first line for what they are not (RFC 9112, 2.2 and 5.2), and each of
 * these has carried a smuggled request past somebody. Nothing reaches the parser before its lines
 * have been found here, whole; that also makes every slice that it reports one piece. */
#include "core/scan.h"

#include <stdbool.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/field.h"

/* A request line is at most this much longer than its target: " HTTP/1.1" and a method, which
 * nobody has registered with more than 16 letters. */
#define AROUND_TARGET 64
#define VERSION_SIZE 9 /* " HTTP/1.1" */

/* A request line, or its beginning, that is longer than any that can be taken: for its target, or
 * (RFC 9112, 3) for a method that nobody has. */
static gh_verdict
refuse_long_line(const char *line)
{
    const char *space = memchr(line, ' ', AROUND_TARGET);
    if (space != NULL)
        return gh_is_token(line, (size_t)(space - line)) ? GH_TARGET_TOO_LONG
                                                         : GH_BAD_REQUEST_LINE;
    return gh_is_token(line, AROUND_TARGET) ? GH_UNKNOWN_METHOD : GH_BAD_REQUEST_LINE;
}

#ifdef __SSE2__
/* A bit for each CR and LF of sixteen bytes. Lines are short: two calls of memchr() for each cost
 * more than looking at all bytes, sixteen at a time where the processor can (every x86-64 can). */
static inline unsigned
breaks_of(const char *at)
{
    __m128i block = _mm_loadu_si128((const __m128i *)at);
    __m128i cr = _mm_cmpeq_epi8(block, _mm_set1_epi8('\r'));
    __m128i lf = _mm_cmpeq_epi8(block, _mm_set1_epi8('\n'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(cr, lf));
}
#endif

/* The same for the bytes from `at` to `end`, but sixteen at most; `bytes` is where reading may
 * begin. */
static inline unsigned
breaks_up_to(const char *bytes, const char *at, const char *end)
{
#ifdef __SSE2__
    if (end - at >= 16)
        return breaks_of(at);
    if (end - bytes >= 16)
        return breaks_of(end - 16) >> (16 - (end - at));
#endif
    unsigned mask = 0;
    for (unsigned i = 0; i < 16 && at + i < end; i++)
        mask |= (at[i] == '\r' || at[i] == '\n') ? 1u << i : 0;
    return mask;
}

/* The first CR or LF from `at` on, or `end`. */
static inline const char *
find_break(const char *at, const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        unsigned mask = breaks_of(at);
        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && *at != '\r' && *at != '\n')
        at++;
    return at;
}

/* What can be said of a request line when `n` bytes are there, without its end. */
static gh_verdict
judge_first(const gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits)
{
    const char *line = bytes + scan->line;
    size_t rest = n - scan->line, most = (size_t)limits->target + AROUND_TARGET;
    /* Bytes of another protocol (TLS, say) would otherwise be waited on for an LF. */
    if (rest > 0 && *line != '\r' && !gh_is_token(line, 1))
        return GH_BAD_REQUEST_LINE;
    /* Of two limits that are passed, the one that a client who dawdles passes first. */
    if (rest > most && scan->line + most < limits->head)
        return refuse_long_line(line);
    return n >= limits->head ? GH_HEAD_TOO_LARGE : GH_MORE;
}

/* The line in work does not end, or not with CR LF. What is asked is what would have been asked if
 * the bytes had come one by one, so that the answer does not hang on how they were cut. */
static gh_verdict
judge_rest(gh_scan *scan, const char *bytes, size_t n, size_t at, const gh_limits *limits)
{
    /* A lone LF is bad whatever follows; a CR at the end may get its LF. */
    bool decided = at < n && (bytes[at] == '\n' || n - at > 1);
    size_t there = !decided ? n : bytes[at] == '\n' ? at : at + 1;
    if (scan->lines == 0) {
        gh_verdict verdict = judge_first(scan, bytes, there, limits);
        if (verdict != GH_MORE)
            return verdict;
    }
    if (there >= limits->head)
        return GH_HEAD_TOO_LARGE;
    scan->seen = (uint32_t)at; /* the head's limit is less */
    return decided ? GH_BAD_LINE : GH_MORE;
}

static inline bool
is_line_end(const char *at, const char *end)
{
    return end - at > 1 && memcmp(at, "\r\n", 2) == 0;
}

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* The request line is complete. Its version is looked at before anything else arrives: who speaks
 * HTTP/0.9 sends nothing else and waits. */
static gh_verdict
end_first_line(gh_scan *scan, const char *line, size_t len)
{
    /* One empty line in front is forgiven (RFC 9112, 2.2). */
    if (len == 0) {
        scan->start = 2;
        return scan->line == 0 ? GH_MORE : GH_BAD_REQUEST_LINE;
    }
    if (len <= VERSION_SIZE)
        return GH_BAD_REQUEST_LINE;
    const char *version = line + len - VERSION_SIZE;
    if (memcmp(version, " HTTP/", 6) != 0 || !is_digit(version[6]) || version[7] != '.' ||
        !is_digit(version[8]))
        return GH_BAD_REQUEST_LINE;
    if (version[6] != '1' || version[8] > '1')
        return GH_UNKNOWN_VERSION;
    scan->lines = 1;
    scan->first = (uint32_t)len;
    return GH_MORE;
}

/* The request line, and an empty one in front of it. GH_OK: it is complete. */
static gh_verdict
scan_first(gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits)
{
    const char *end = bytes + n;
    while (scan->lines == 0) {
        const char *cr = find_break(bytes + scan->seen, end);
        const char *line = bytes + scan->line;
        size_t at = (size_t)(cr - bytes);
        if (!is_line_end(cr, end))
            return judge_rest(scan, bytes, n, at, limits);
        gh_verdict verdict = judge_first(scan, bytes, at + 1, limits);
        if (verdict == GH_MORE)
            verdict = end_first_line(scan, line, at - scan->line);
        if (verdict != GH_MORE)
            return verdict;
        scan->line = scan->seen = (uint32_t)(at + 2);
    }
    return GH_OK;
}

/* A line behind the request line is complete. GH_OK: it is the empty one. */
static inline gh_verdict
end_line(gh_scan *scan, const char *line, const char *cr, const gh_limits *limits)
{
    if (cr == line)
        return GH_OK;
    if (*line == ' ' || *line == '\t')
        return GH_BAD_LINE;
    return scan->lines++ > limits->fields ? GH_TOO_MANY_FIELDS : GH_MORE;
}

gh_verdict
gh_scan_head(gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits, size_t *size)
{
    gh_verdict verdict = scan->lines > 0 ? GH_OK : scan_first(scan, bytes, n, limits);
    if (verdict != GH_OK)
        return verdict;
    const char *end = bytes + n, *line = bytes + scan->line;
    const char *most = n > limits->head ? bytes + limits->head : end;
    const char *block = bytes + scan->seen;
    while (block < end) {
        for (unsigned mask = breaks_up_to(bytes, block, end); mask != 0;) {
            const char *cr = block + __builtin_ctz(mask);
            if (!is_line_end(cr, end) || cr + 2 > most) {
                scan->line = (uint32_t)(line - bytes);
                return judge_rest(scan, bytes, n, (size_t)(cr - bytes), limits);
            }
            verdict = end_line(scan, line, cr, limits);
            if (verdict == GH_OK)
                *size = (size_t)(cr + 2 - bytes);
            if (verdict != GH_MORE)
                return verdict;
            line = cr + 2;
            /* Away with the CR, and with the LF if it is in here too. */
            mask &= mask - 1;
            mask &= mask - 1;
        }
        if (end - block <= 16)
            break;
        block = line > block + 16 ? line : block + 16;
    }
    scan->line = (uint32_t)(line - bytes);
    return judge_rest(scan, bytes, n, n, limits);
}
