/* date.c: an IMF-fixdate from seconds since 1970, independent of the locale and of the time zone,
 * which strftime(3) and gmtime(3) are not. */
#include "core/date.h"

#include <string.h>

#define DAY 86400
#define FIRST (-62135596800) /* 0001-01-01 00:00:00 */
#define LAST 253402300799    /* 9999-12-31 23:59:59 */

static char *
two(char *out, int64_t number)
{
    out[0] = (char)('0' + number / 10);
    out[1] = (char)('0' + number % 10);
    return out + 2;
}

/* A calendar that begins in March has its leap day last, so that months follow one formula. */
void
gh_date_civil(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t shifted = days + 719468; /* since 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t in_era = shifted - era * 146097;
    int64_t year_in_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    *day = in_year - (153 * from_march + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = year_in_era + era * 400 + (*month <= 2);
}

bool
gh_date_render(int64_t seconds, char *out)
{
    static const char weekdays[] = "MonTueWedThuFriSatSun";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (seconds < FIRST || seconds > LAST)
        return false;
    int64_t since = seconds - FIRST; /* 0001-01-01 was a Monday */
    int64_t time = since % DAY;
    int64_t year, month, day;
    gh_date_civil(since / DAY - 719162, &year, &month, &day);

    memcpy(out, weekdays + since / DAY % 7 * 3, 3);
    memcpy(out + 3, ", ", 2);
    out = two(out + 5, day);
    *out++ = ' ';
    memcpy(out, months + (month - 1) * 3, 3);
    out[3] = ' ';
    out = two(out + 4, year / 100);
    out = two(out, year % 100);
    *out++ = ' ';
    out = two(out, time / 3600);
    *out++ = ':';
    out = two(out, time / 60 % 60);
    *out++ = ':';
    out = two(out, time % 60);
    memcpy(out, " GMT", 4);
    return true;
}
