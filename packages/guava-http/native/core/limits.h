/* limits.h: how much of a request is taken. Every number that a client could grow has its bound
 * here, and each bound has an answer in verdict.h. */
#ifndef GUAVA_HTTP_CORE_LIMITS_H
#define GUAVA_HTTP_CORE_LIMITS_H

#include <stdint.h>

#define GH_HEAD_MOST (1u << 24)   /* what `head` may be set to: offsets in a head are 32 bits */
#define GH_TARGET_MOST (1u << 15) /* and `target`: http-parser counts some of it in 16 bits */

typedef struct {
    uint32_t head;             /* bytes of a head, with the empty line that ends it */
    uint32_t fields;           /* of a head */
    uint32_t target;           /* bytes of a request target */
    uint64_t body;             /* bytes of a body, decoded */
    uint32_t chunk_extensions; /* bytes of them in one body */
    uint32_t trailers;         /* bytes of trailer fields of one body */
} gh_limits;

#endif
