/* head.h: what a request's head is once it has been read. Slices point into the bytes that were
 * fed; nothing is copied until somebody asks for it. */
#ifndef GUAVA_HTTP_CORE_HEAD_H
#define GUAVA_HTTP_CORE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_MAX_FIELDS 100 /* the default; the parser's array grows to the configured limit */

typedef struct {
    const char *base;
    uint32_t len; /* bytes */
} gh_slice;

typedef struct {
    gh_slice name;  /* as sent */
    gh_slice value; /* without optional white space around it */
} gh_field;

typedef struct {
    gh_slice method;
    gh_slice target; /* as sent: "/a?b=c", "http://host/a", "*" */
    gh_slice path;   /* of the target, still percent-encoded; "" never: "/" or "*" */
    gh_slice query;  /* without the "?", still encoded; len 0 when there is none */
    gh_slice host;   /* the authority of an absolute target, else the Host field */
    const gh_field *fields;
    uint32_t n_fields;
    uint8_t minor; /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;
    bool chunked;         /* Transfer-Encoding: chunked */
    bool expect_continue; /* Expect: 100-continue */
    bool has_length;
    uint64_t content_length;
    const char *start; /* the head's first byte, and how many there are: every slice lies inside */
    uint32_t size;
} gh_head;

#endif
