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

/* What can be said of a head of which `n` bytes are there and the line in work is not complete.
 * It is asked of complete lines too, one byte before their end, so that the answer does not hang
 * on how the bytes were cut. */
static inline gh_verdict
judge_rest(const gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits)
{
    if (scan->lines == 0) {
        const char *line = bytes + scan->line;
        size_t rest = n - scan->line;
        /* Bytes of another protocol (TLS, say) would otherwise be waited on for an LF. */
        if (rest > 0 && *line != '\r' && !gh_is_token(line, 1))
            return GH_BAD_REQUEST_LINE;
        size_t most = (size_t)limits->target + AROUND_TARGET;
        /* Of two limits that are passed, the one that a client who dawdles passes first. */
        if (rest > most)
            return scan->line + most >= limits->head ? GH_HEAD_TOO_LARGE : refuse_long_line(line);
    }
    return n >= limits->head ? GH_HEAD_TOO_LARGE : GH_MORE;
}

/* The first CR or LF, or `end`. Lines are short: two calls of memchr() for each cost more than
 * looking at the bytes, sixteen at a time where the processor can (every x86-64 can). */
static const char *
find_break(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, cr), _mm_cmpeq_epi8(bytes, lf));
        int mask = _mm_movemask_epi8(found);
        if (mask != 0)
            return at + __builtin_ctz((unsigned)mask);
    }
#endif
    while (at < end && *at != '\r' && *at != '\n')
        at++;
    return at;
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

/* A line behind it is complete. GH_OK: it is the empty one. */
static gh_verdict
end_line(gh_scan *scan, const char *line, size_t len, const gh_limits *limits)
{
    if (len == 0)
        return GH_OK;
    if (*line == ' ' || *line == '\t')
        return GH_BAD_LINE;
    if (scan->lines > limits->fields)
        return GH_TOO_MANY_FIELDS;
    scan->lines++;
    return GH_MORE;
}

gh_verdict
gh_scan_head(gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits, size_t *size)
{
    const char *end = bytes + n;
    for (;;) {
        const char *cr = find_break(bytes + scan->seen, end);
        size_t at = (size_t)(cr - bytes);
        /* A lone LF is bad whatever follows; a CR at the end may get its LF. */
        bool whole = cr < end && (*cr == '\n' || end - cr > 1);
        gh_verdict verdict = judge_rest(scan, bytes,
                                        !whole        ? n
                                        : *cr == '\n' ? at
                                                      : at + 1,
                                        limits);
        if (verdict != GH_MORE)
            return verdict;
        if (!whole) {
            scan->seen = (uint32_t)at; /* the head's limit is less */
            return GH_MORE;
        }
        if (cr[0] != '\r' || cr[1] != '\n')
            return GH_BAD_LINE;
        const char *line = bytes + scan->line;
        size_t len = at - scan->line;
        verdict =
            scan->lines == 0 ? end_first_line(scan, line, len) : end_line(scan, line, len, limits);
        if (verdict == GH_OK)
            *size = at + 2;
        if (verdict != GH_MORE)
            return verdict;
        scan->line = scan->seen = (uint32_t)(at + 2);
    }
}
