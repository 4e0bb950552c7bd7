/* date_parse.c: strict reading of dates, independent of the locale, which strptime(3) is not. Each
 * form is a pattern that is walked beside the text. */
#include "core/date_parse.h"

#include <string.h>

#define DAY 86400
#define YEAR 31556952 /* seconds, on average */

enum { WEEKDAY, DAY_OF_MONTH, MONTH, YEAR_HIGH, YEAR_LOW, HOUR, MINUTE, SECOND, PARTS };

static const char weekdays[] = "MonTueWedThuFriSatSun";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char *const long_weekdays[] = {
    "Monday, ", "Tuesday, ", "Wednesday, ", "Thursday, ", "Friday, ", "Saturday, ", "Sunday, ",
};

/* The place of a three-letter name in a table of them; -1 if it is not there. */
static int
place(const char *name, const char *table, int n)
{
    for (int i = 0; i < n; i++) {
        if (memcmp(name, table + i * 3, 3) == 0)
            return i;
    }
    return -1;
}

static int
two(const char *text, bool space)
{
    char high = space && text[0] == ' ' ? '0' : text[0];
    if (high < '0' || high > '9' || text[1] < '0' || text[1] > '9')
        return -1;
    return (high - '0') * 10 + text[1] - '0';
}

/* Of the pattern, w and m are names, d c (century) y h i (minute) s two digits, and _ is a day
 * whose first digit may be a space; everything else stands for itself. */
static bool
walk(const char *text, size_t n, const char *pattern, int *parts)
{
    static const char letters[] = "wdmcyhis";
    size_t at = 0;
    for (; *pattern != '\0'; pattern++) {
        const char *letter = strchr(*pattern == '_' ? "_" : letters, *pattern);
        if (letter == NULL) {
            if (at == n || text[at++] != *pattern)
                return false;
            continue;
        }
        size_t size = *pattern == 'w' || *pattern == 'm' ? 3 : 2;
        if (n - at < size)
            return false;
        int value;
        if (*pattern == 'w')
            value = place(text + at, weekdays, 7);
        else if (*pattern == 'm')
            value = place(text + at, months, 12);
        else
            value = two(text + at, *pattern == '_');
        if (value < 0)
            return false;
        parts[*pattern == '_' ? DAY_OF_MONTH : letter - letters] = value;
        at += size;
    }
    return at == n;
}

/* RFC 850 writes weekdays in full, and years with two digits. */
static bool
walk_rfc850(const char *text, size_t n, int *parts)
{
    for (int i = 0; i < 7; i++) {
        size_t len = strlen(long_weekdays[i]);
        if (n > len && memcmp(text, long_weekdays[i], len) == 0) {
            parts[WEEKDAY] = i;
            return walk(text + len, n - len, "d-m-y h:i:s GMT", parts);
        }
    }
    return false;
}

/* Days since 1970 of a day in a calendar that begins in March, so that its leap day is last. */
static int64_t
days_of(int64_t year, int month, int day)
{
    year -= month < 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t in_era = year - era * 400;
    int64_t in_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static bool
days_in_month(int64_t year, int month, int day)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= days[month] + (month == 1 && leap);
}

static bool
seconds_of(const int *parts, int64_t year, int64_t *seconds)
{
    bool leap_second = parts[HOUR] == 23 && parts[MINUTE] == 59 && parts[SECOND] == 60;
    if (year < 1 || !days_in_month(year, parts[MONTH], parts[DAY_OF_MONTH]) || parts[HOUR] > 23 ||
        parts[MINUTE] > 59 || (parts[SECOND] > 59 && !leap_second))
        return false;
    int64_t days = days_of(year, parts[MONTH], parts[DAY_OF_MONTH]);
    *seconds = days * DAY + parts[HOUR] * 3600 + parts[MINUTE] * 60 + parts[SECOND];
    /* 1970-01-01 was a Thursday. */
    return ((days + 3) % 7 + 7) % 7 == parts[WEEKDAY];
}

/* The century is not written: of the years that may be meant, the latest that is no more than
 * fifty ahead (RFC 9110, 5.6.7). */
static bool
seconds_of_rfc850(const int *parts, int64_t now, int64_t *seconds)
{
    int64_t latest = now + 50 * (int64_t)YEAR;
    int64_t year = 1970 + now / YEAR + 51;
    year -= ((year - parts[YEAR_LOW]) % 100 + 100) % 100;
    if (days_of(year, parts[MONTH], parts[DAY_OF_MONTH]) * DAY > latest)
        year -= 100;
    return seconds_of(parts, year, seconds);
}

bool
gh_date_parse(const char *text, size_t n, int64_t now, int64_t *seconds)
{
    int parts[PARTS] = {0};
    if (walk(text, n, "w, d m cy h:i:s GMT", parts) || walk(text, n, "w m _ h:i:s cy", parts))
        return seconds_of(parts, parts[YEAR_HIGH] * 100 + parts[YEAR_LOW], seconds);
    return walk_rfc850(text, n, parts) && seconds_of_rfc850(parts, now, seconds);
}
