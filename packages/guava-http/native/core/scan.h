/* scan.h: finds the end of a request's head. */
#ifndef GUAVA_HTTP_CORE_SCAN_H
#define GUAVA_HTTP_CORE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "core/limits.h"
#include "core/verdict.h"

/* How far a head has been looked at. All zero before its first byte. */
typedef struct {
    uint32_t start; /* the request line's first byte: 0, or 2 after an empty line */
    uint32_t first; /* bytes of the request line, without CR LF */
    uint32_t lines; /* complete ones: the request line and the fields */
    uint32_t line;  /* where the line that is being read begins */
    uint32_t seen;  /* bytes that need no second look */
} gh_scan;

/* Looks at `bytes`, of which the first were there before, for the empty line that ends a head.
 * GH_OK: the head is the first *size bytes. GH_MORE: not all there; call again with the same bytes
 * and more behind them. Else why the head is refused. */
gh_verdict gh_scan_head(gh_scan *scan, const char *bytes, size_t n, const gh_limits *limits,
                        size_t *size);

#endif
