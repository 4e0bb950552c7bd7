/* date.h: dates as HTTP writes them (RFC 9110, 5.6.7). */
#ifndef GUAVA_HTTP_CORE_DATE_H
#define GUAVA_HTTP_CORE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#define GH_DATE_SIZE 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes an IMF-fixdate, without a NUL, of `seconds` since 1970. False outside the years 1 to
 * 9999, which the format cannot show. */
bool gh_date_render(int64_t seconds, char *out);

/* The day of the calendar, month and day from 1, that is `days` after 1970-01-01. */
void gh_date_civil(int64_t days, int64_t *year, int64_t *month, int64_t *day);

#endif
