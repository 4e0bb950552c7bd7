/* ranges.c: reads a Range field. Each byte is looked at once and the ranges are at most sixteen,
 * so no field costs more than its length: what is joined here cannot be used to have one file sent
 * many times over. */
#include "core/ranges.h"

#include <stdbool.h>
#include <string.h>

#include "core/field.h"

/* The head of a part takes more than this: a gap so small is cheaper sent than left out (RFC 9110,
 * 15.3.7.2). */
#define GAP 80

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Takes digits off *rest; a number beyond all files stays at the largest. False without any. */
static bool
take_number(gh_text *rest, int64_t *number)
{
    size_t i = 0;
    *number = 0;
    for (; i < rest->len && is_digit(rest->base[i]); i++) {
        int digit = rest->base[i] - '0';
        *number = *number > (INT64_MAX - digit) / 10 ? INT64_MAX : *number * 10 + digit;
    }
    rest->base += i;
    rest->len -= i;
    return i > 0;
}

static bool
take_dash(gh_text *rest)
{
    if (rest->len == 0 || *rest->base != '-')
        return false;
    rest->base++;
    rest->len--;
    return true;
}

typedef enum { BAD, OUTSIDE, INSIDE } kind;

/* "500-999", "500-" or "-500". */
static kind
read_range(gh_text spec, int64_t size, gh_range *range)
{
    int64_t first, last;
    bool has_first = take_number(&spec, &first);
    if (!take_dash(&spec))
        return BAD;
    bool has_last = take_number(&spec, &last);
    if (spec.len > 0 || (!has_first && !has_last) || (has_first && has_last && last < first))
        return BAD;
    if (has_first) {
        range->start = first;
        range->stop = has_last && last < size ? last + 1 : size;
        return first < size ? INSIDE : OUTSIDE;
    }
    range->start = last < size ? size - last : 0;
    range->stop = size;
    return last > 0 ? INSIDE : OUTSIDE;
}

/* Adds a range, or joins it with those it touches: the earliest keeps its place. */
static int
add(gh_range *ranges, int n, gh_range range)
{
    int place = n;
    for (int i = n - 1; i >= 0; i--) {
        /* Neither sum overflows: both are within the size of a file. */
        if (range.start > ranges[i].stop && range.start - ranges[i].stop > GAP)
            continue;
        if (ranges[i].start > range.stop && ranges[i].start - range.stop > GAP)
            continue;
        range.start = range.start < ranges[i].start ? range.start : ranges[i].start;
        range.stop = range.stop > ranges[i].stop ? range.stop : ranges[i].stop;
        memmove(ranges + i, ranges + i + 1, (size_t)(n - i - 1) * sizeof(gh_range));
        n--;
        place = i;
        i = n; /* what has grown may touch others */
    }
    memmove(ranges + place + 1, ranges + place, (size_t)(n - place) * sizeof(gh_range));
    ranges[place] = range;
    return n + 1;
}

/* An int-range, suffix-range or nothing between two commas. */
static gh_text
take_spec(gh_text *rest)
{
    const char *comma = memchr(rest->base, ',', rest->len);
    gh_text spec = {rest->base, comma == NULL ? rest->len : (size_t)(comma - rest->base)};
    size_t used = comma == NULL ? rest->len : spec.len + 1;
    rest->base += used;
    rest->len -= used;
    gh_strip(&spec.base, &spec.len);
    return spec;
}

int
gh_ranges_parse(gh_text field, int64_t size, gh_range *ranges)
{
    if (field.len < 6 || !gh_same_name(field.base, 5, "bytes", 5) || field.base[5] != '=')
        return GH_RANGES_IGNORED;
    gh_text rest = {field.base + 6, field.len - 6};
    int asked = 0;
    int n = 0;
    while (rest.len > 0) {
        gh_range range;
        gh_text spec = take_spec(&rest);
        if (spec.len == 0)
            continue;
        kind found = ++asked > GH_MOST_RANGES ? BAD : read_range(spec, size, &range);
        if (found == BAD)
            return GH_RANGES_IGNORED;
        if (found == OUTSIDE)
            continue;
        /* Of nothing there is no range, but a suffix of it is all of it (RFC 9110, 14.1.2). */
        if (size == 0)
            return GH_RANGES_IGNORED;
        n = add(ranges, n, range);
    }
    return asked == 0 ? GH_RANGES_IGNORED : n == 0 ? GH_RANGES_UNSATISFIABLE : n;
}
