/* date_parse.h: dates as HTTP has written them in three ways (RFC 9110, 5.6.7). */
#ifndef GUAVA_HTTP_CORE_DATE_PARSE_H
#define GUAVA_HTTP_CORE_DATE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads an IMF-fixdate, a date of RFC 850 or one of asctime(3) as seconds since 1970. False for
 * anything else, for a day that no calendar has and for a weekday that is not the day's.
 *
 * now: seconds since 1970, for the two digits of RFC 850's year: the latest year that is at most
 * fifty years ahead. A leap second, 23:59:60, is read as the second after it. */
bool gh_date_parse(const char *text, size_t n, int64_t now, int64_t *seconds);

#endif
