/* target.c: http-parser takes targets loosely (tabs, bytes above 0x7f, fragments, any method with
 * "*"), so the target is looked at here, in one pass over a table. Browsers send some bytes raw
 * that RFC 3986 would have encoded, such as "|" and "^": all that is visible passes but "#". */
#include "core/target.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/address.h"
#include "core/field.h"

#define HEX 1  /* a hexadecimal digit */
#define HOST 2 /* stands in a registered name: unreserved, sub-delims */

static const uint8_t kinds[256] = {
    ['0'] = 3, ['1'] = 3, ['2'] = 3, ['3'] = 3, ['4'] = 3, ['5'] = 3,  ['6'] = 3, ['7'] = 3,
    ['8'] = 3, ['9'] = 3, ['a'] = 3, ['b'] = 3, ['c'] = 3, ['d'] = 3,  ['e'] = 3, ['f'] = 3,
    ['A'] = 3, ['B'] = 3, ['C'] = 3, ['D'] = 3, ['E'] = 3, ['F'] = 3,  ['g'] = 2, ['h'] = 2,
    ['i'] = 2, ['j'] = 2, ['k'] = 2, ['l'] = 2, ['m'] = 2, ['n'] = 2,  ['o'] = 2, ['p'] = 2,
    ['q'] = 2, ['r'] = 2, ['s'] = 2, ['t'] = 2, ['u'] = 2, ['v'] = 2,  ['w'] = 2, ['x'] = 2,
    ['y'] = 2, ['z'] = 2, ['G'] = 2, ['H'] = 2, ['I'] = 2, ['J'] = 2,  ['K'] = 2, ['L'] = 2,
    ['M'] = 2, ['N'] = 2, ['O'] = 2, ['P'] = 2, ['Q'] = 2, ['R'] = 2,  ['S'] = 2, ['T'] = 2,
    ['U'] = 2, ['V'] = 2, ['W'] = 2, ['X'] = 2, ['Y'] = 2, ['Z'] = 2,  ['-'] = 2, ['.'] = 2,
    ['_'] = 2, ['~'] = 2, ['!'] = 2, ['$'] = 2, ['&'] = 2, ['\''] = 2, ['('] = 2, [')'] = 2,
    ['*'] = 2, ['+'] = 2, [','] = 2, [';'] = 2, ['='] = 2,
};

static bool
is(char byte, uint8_t kind)
{
    return (kinds[(uint8_t)byte] & kind) != 0;
}

static inline bool
is4(const char *at, uint8_t kind)
{
    return (kinds[(uint8_t)at[0]] & kinds[(uint8_t)at[1]] & kinds[(uint8_t)at[2]] &
            kinds[(uint8_t)at[3]] & kind) != 0;
}

/* "%" and two hexadecimal digits at `at`. */
static bool
is_escape(const char *at, const char *end)
{
    return end - at > 2 && is(at[1], HEX) && is(at[2], HEX);
}

static inline bool
is_odd(char byte)
{
    return (uint8_t)byte <= ' ' || (uint8_t)byte >= 0x7f || byte == '#' || byte == '%';
}

/* The first byte from `at` on that is not visible, or is "#" or "%"; or `end`. Up to `most` there
 * may be read. */
static inline const char *
find_odd(const char *at, const char *end, const char *most)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(' '), del = _mm_set1_epi8(0x7f);
    const __m128i hash = _mm_set1_epi8('#'), percent = _mm_set1_epi8('%');
    for (; at < end && most - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)at);
        /* Bytes from 0x80 up are negative here. */
        __m128i seen = _mm_and_si128(_mm_cmpgt_epi8(block, space), _mm_cmplt_epi8(block, del));
        __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(block, hash), _mm_cmpeq_epi8(block, percent));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_andnot_si128(mark, seen)) ^ 0xffff;
        if (mask != 0) {
            const char *found = at + __builtin_ctz(mask);
            return found < end ? found : end;
        }
    }
#endif
    while (at < end && !is_odd(*at))
        at++;
    return at < end ? at : end;
}

static bool
is_visible(const char *at, const char *end, const char *most)
{
    for (;; at += 3) {
        at = find_odd(at, end, most);
        if (at == end)
            return true;
        if (*at != '%' || !is_escape(at, end))
            return false;
    }
}

/* "[...]", what RFC 3986 calls IP-literal. Returns the byte after the bracket, or NULL. */
static const char *
skip_literal(const char *at, const char *end)
{
    const char *close = memchr(at, ']', (size_t)(end - at));
    if (close == NULL || !gh_is_ip_literal(at + 1, (size_t)(close - at - 1)))
        return NULL;
    return close + 1;
}

static const char *
skip_name(const char *at, const char *end)
{
    for (;; at++) {
        while (end - at >= 4 && is4(at, HOST))
            at += 4;
        while (at < end && is(*at, HOST))
            at++;
        if (at == end || *at == ':')
            return at;
        if (*at != '%' || !is_escape(at, end))
            return NULL;
    }
}

bool
gh_is_authority(gh_slice text, bool empty)
{
    const char *at = text.base, *end = text.base + text.len;
    if (at == end)
        return empty;
    const char *after = *at == '[' ? skip_literal(at, end) : skip_name(at, end);
    if (after == NULL || (after == at && !empty))
        return false;
    if (after == end)
        return true;
    if (*after++ != ':' || end - after > 5)
        return false;
    for (; after < end; after++) {
        if (*after < '0' || *after > '9')
            return false;
    }
    return true;
}

static void
split_query(gh_head *head, const char *at, const char *end)
{
    const char *mark = memchr(at, '?', (size_t)(end - at));
    head->path = (gh_slice){at, (uint32_t)((mark == NULL ? end : mark) - at)};
    head->query =
        mark == NULL ? (gh_slice){end, 0} : (gh_slice){mark + 1, (uint32_t)(end - mark - 1)};
}

static bool
split_absolute(gh_head *head, const char *at, const char *end)
{
    const char *scheme_end = memchr(at, ':', (size_t)(end - at));
    if (scheme_end == NULL || end - scheme_end < 3 || memcmp(scheme_end, "://", 3) != 0)
        return false;
    size_t n = (size_t)(scheme_end - at);
    if (!gh_same_name(at, n, "http", 4) && !gh_same_name(at, n, "https", 5))
        return false;
    const char *host = scheme_end + 3;
    const char *host_end = host;
    while (host_end < end && *host_end != '/' && *host_end != '?')
        host_end++;
    head->host = (gh_slice){host, (uint32_t)(host_end - host)};
    if (!gh_is_authority(head->host, false))
        return false;
    split_query(head, host_end, end);
    /* No path is "/" (RFC 9110, 4.2.3). Slices lie inside the head: the scheme has a "/". */
    if (head->path.len == 0)
        head->path = (gh_slice){scheme_end + 1, 1};
    return true;
}

bool
gh_target_split(gh_head *head)
{
    const char *at = head->target.base, *end = at + head->target.len;
    if (at == end || !is_visible(at, end, head->start + head->size))
        return false;
    if (*at == '/') {
        split_query(head, at, end);
        return true;
    }
    if (*at == '*') {
        head->path = head->target;
        head->query = (gh_slice){end, 0};
        return head->target.len == 1 && head->method.len == 7 &&
               memcmp(head->method.base, "OPTIONS", 7) == 0;
    }
    return split_absolute(head, at, end);
}
