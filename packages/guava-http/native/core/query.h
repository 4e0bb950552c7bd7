/* query.h: percent-encoding (RFC 3986, 2.1) and application/x-www-form-urlencoded (WHATWG URL). */
#ifndef GUAVA_HTTP_CORE_QUERY_H
#define GUAVA_HTTP_CORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *base;
    size_t len; /* bytes */
} gh_text;

/* Takes the next non-empty piece between "&"s off *rest: its name and its value, still encoded.
 * A piece without "=" has an empty value. False when nothing is left. */
bool gh_query_next(gh_text *rest, gh_text *name, gh_text *value);

/* Decodes %XX, and "+" as a space if `plus`. A "%" that two hexadecimal digits do not follow
 * stays as it is. Writes at most n bytes and returns how many; out may be in. */
size_t gh_unquote(const char *in, size_t n, bool plus, char *out);

/* Encodes what is neither unreserved nor in `keep`, a string. Writes at most 3 * n bytes and
 * returns how many. */
size_t gh_quote(const char *in, size_t n, const char *keep, char *out);

#endif
