/* ranges.h: the Range field, in bytes (RFC 9110, 14.1 and 14.2). */
#ifndef GUAVA_HTTP_CORE_RANGES_H
#define GUAVA_HTTP_CORE_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "core/query.h"

#define GH_MOST_RANGES 16 /* a field with more counts as not sent */

typedef struct {
    int64_t start;
    int64_t stop; /* behind the last byte; always > start */
} gh_range;

#define GH_RANGES_IGNORED (-1)       /* malformed, too many, in other units: all is to be sent */
#define GH_RANGES_UNSATISFIABLE (-2) /* all of them lie outside: 416 */

/* Reads a Range field for a representation of `size` bytes into at most GH_MOST_RANGES ranges,
 * which lie within it, in the order in which they were asked for. Those that overlap or nearly
 * touch have become one, so together they are never more than `size`. Returns how many there are,
 * or one of the two above. */
int gh_ranges_parse(gh_text field, int64_t size, gh_range *ranges);

#endif
