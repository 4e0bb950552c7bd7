/* fuzz_date.c: dates in the three forms that HTTP has had, and the one that it writes. */
#include "core/date.h"
#include "core/date_parse.h"
#include "text.h"

static void
fuzz_date(const fuzz_text *text)
{
    static const int64_t clocks[] = {1000000000, 0, 4102444800, -1};
    int64_t seconds, again;
    char date[GH_DATE_SIZE];
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        if (!gh_date_parse(text->base, text->len, clocks[i], &seconds))
            continue;
        /* Years of four digits can be written as well as read. */
        CHECK(gh_date_render(seconds, date));
        CHECK(gh_date_parse(date, GH_DATE_SIZE, 0, &again) && again == seconds);
        /* There is one way to write a second; the leap second is written as the next one. */
        if (text->len == GH_DATE_SIZE && text->base[3] == ',' && text->base[23] != '6')
            CHECK(memcmp(text->base, date, GH_DATE_SIZE) == 0);
    }
}

FUZZ_TEXT(fuzz_date)
