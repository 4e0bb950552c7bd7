/* conditions.h: entity tags and conditional requests (RFC 9110, 8.8.3 and 13). */
#ifndef GUAVA_HTTP_CORE_CONDITIONS_H
#define GUAVA_HTTP_CORE_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/head.h"
#include "core/query.h"

#define GH_ETAG_SIZE 64 /* room for gh_etag_render() */

/* What is known of the representation that would be sent. */
typedef struct {
    gh_text etag; /* with its quotes, "W/" before them if it is weak; base NULL: it has none */
    bool has_date;
    int64_t modified; /* seconds since 1970 */
    int64_t now;
} gh_validators;

typedef enum { GH_SEND, GH_NOT_MODIFIED, GH_FAILED } gh_condition;

/* Whether text is an entity tag, quotes and all. */
bool gh_is_etag(gh_text text);

/* Whether two entity tags are the same: `strong`, neither may be weak. */
bool gh_etag_same(gh_text a, gh_text b, bool strong);

/* Whether a field of tags has this one, or is "*". What is malformed ends the list. */
bool gh_etag_listed(gh_text field, gh_text etag, bool strong);

/* A strong tag of a file. Writes at most GH_ETAG_SIZE bytes and returns how many. */
size_t gh_etag_render(uint64_t inode, uint64_t size, uint64_t modified_ns, char *out);

/* The preconditions of a GET or HEAD, in the order of RFC 9110, 13.2.2, but for If-Range. */
gh_condition gh_conditions(const gh_field *fields, uint32_t n, const gh_validators *validators);

/* Whether the Range field of a request is to be followed: what If-Range says (13.1.5), true
 * without one. */
bool gh_if_range(const gh_field *fields, uint32_t n, const gh_validators *validators);

#endif
