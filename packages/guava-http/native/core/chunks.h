/* chunks.h: the chunked transfer coding (RFC 9112, 7.1), read strictly. */
#ifndef GUAVA_HTTP_CORE_CHUNKS_H
#define GUAVA_HTTP_CORE_CHUNKS_H

#include <stddef.h>

#include "core/head.h"
#include "core/limits.h"
#include "core/verdict.h"

/* The longest name that a trailer field may not have, and a byte to tell longer ones by. */
#define GH_LONGEST_FORBID 18

/* Where in a chunked body the reader is. All zero before its first byte. */
typedef struct {
    uint64_t left;      /* bytes of this chunk that are still to come */
    uint64_t total;     /* bytes of data so far, this chunk's announced ones included */
    uint64_t framing;   /* bytes that were not data, of the chunks so far */
    uint32_t extension; /* bytes of extensions, of all chunks together */
    uint32_t trailer;   /* bytes of trailer fields */
    uint32_t trailers;  /* trailer fields: checked, and dropped */
    uint8_t state;
    uint8_t digits;               /* of the size being read */
    uint8_t name_len;             /* of the trailer field being read, as far as it is kept */
    char name[GH_LONGEST_FORBID]; /* its first bytes, in small letters */
} gh_chunks;

/* Takes bytes off *in. GH_MORE: *data (it may be empty) is the body's next piece; call again if
 * *n is not 0, else when more has come. GH_OK: the body has ended, *in is what follows it. Else
 * why it is refused. */
gh_verdict gh_chunks_next(gh_chunks *self, const char **in, size_t *n, const gh_limits *limits,
                          gh_slice *data);

#endif
