/* multipart.h: multipart/form-data (RFC 7578) that is whole and as browsers write it. */
#ifndef GUAVA_HTTP_CORE_MULTIPART_H
#define GUAVA_HTTP_CORE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "core/query.h"

#define GH_BOUNDARY_MOST 70 /* RFC 2046, 5.1.1 */

typedef struct {
    gh_text rest;                         /* of the body, behind the last delimiter */
    char delimiter[GH_BOUNDARY_MOST + 4]; /* CR LF, two hyphens, the boundary */
    size_t delimiter_len;
    size_t longest_line; /* of a part's head, in bytes */
} gh_multipart;

typedef struct {
    gh_text head; /* its lines, with their ends */
    gh_text name;
    gh_text filename; /* base NULL: it is no file */
    gh_text type;     /* base NULL: it says none */
    gh_text body;
} gh_part;

typedef enum {
    GH_PART,
    GH_PART_NONE,    /* it was the last one */
    GH_PART_UNUSUAL, /* wrong, or only not as browsers write it: a whole parser must look */
} gh_part_step;

/* Goes behind the first delimiter. False: the type or the body's beginning is unusual. */
bool gh_multipart_begin(gh_multipart *self, gh_text content_type, gh_text body,
                        size_t longest_line);

/* The next part. Texts are of the body, as it has them: names may be no UTF-8. */
gh_part_step gh_multipart_next(gh_multipart *self, gh_part *part);

#endif
