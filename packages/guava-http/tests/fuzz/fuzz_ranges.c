/* fuzz_ranges.c: Range fields, of files of several sizes. What is found lies within, does not
 * overlap, and has every byte that was asked for, as a reader finds that takes one range after
 * the other. */
#include "core/ranges.h"
#include "text.h"

#define GAP 80 /* bytes that are sent rather than left out between two ranges */

static bool
is_sent(const gh_range *ranges, int n, int64_t at)
{
    for (int i = 0; i < n; i++) {
        if (ranges[i].start <= at && at < ranges[i].stop)
            return true;
    }
    return false;
}

static int64_t
number(const char *text, const char *end, const char **after)
{
    int64_t value = 0;
    for (*after = text; *after < end && **after >= '0' && **after <= '9'; (*after)++)
        value = value > 100000 ? value : value * 10 + **after - '0';
    return *after == text ? -1 : value;
}

/* Of a small file. The field is known to be well-formed. */
static void
check_asked(const fuzz_text *text, int64_t size, const gh_range *ranges, int n)
{
    const char *at = text->base + 6, *end = text->base + text->len;
    while (at < end) {
        while (at < end && strchr(", \t", *at) != NULL)
            at++;
        if (at == end)
            break;
        int64_t first = number(at, end, &at);
        CHECK(at < end && *at == '-');
        int64_t last = number(at + 1, end, &at);
        CHECK(first >= 0 || last >= 0);
        int64_t from = first >= 0 ? first : last < size ? size - last : 0;
        int64_t to = first >= 0 && last >= 0 && last < size ? last + 1 : size;
        for (int64_t i = from; i < to; i++)
            CHECK(is_sent(ranges, n, i));
    }
}

static void
fuzz_ranges(const fuzz_text *text)
{
    static const int64_t sizes[] = {0, 1, 100, 1000, INT64_MAX};
    gh_range ranges[GH_MOST_RANGES];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int found = gh_ranges_parse((gh_text){text->base, text->len}, sizes[i], ranges);
        CHECK(found != 0 && found >= GH_RANGES_UNSATISFIABLE && found <= GH_MOST_RANGES);
        CHECK(sizes[i] > 0 || found < 0);
        for (int a = 0; a < found; a++) {
            CHECK(0 <= ranges[a].start && ranges[a].start < ranges[a].stop);
            CHECK(ranges[a].stop <= sizes[i]);
            for (int b = 0; b < a; b++)
                CHECK(ranges[a].start - ranges[b].stop > GAP ||
                      ranges[b].start - ranges[a].stop > GAP);
        }
        if (found > 0 && sizes[i] <= 1000)
            check_asked(text, sizes[i], ranges, found);
    }
}

FUZZ_TEXT(fuzz_ranges)
