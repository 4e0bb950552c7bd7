/* params.h: lists, parameters and weights, as many fields have them (RFC 9110, 5.6 and 12.4.2). */
#ifndef GUAVA_HTTP_CORE_PARAMS_H
#define GUAVA_HTTP_CORE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/query.h"

/* Takes the next element of a comma-separated list off *rest, without the spaces around it. A
 * comma in double quotes is no separator, and empty elements are passed over. False when nothing
 * is left. */
bool gh_list_next(gh_text *rest, gh_text *element);

/* Takes what stands before the first semicolon off *rest, without the spaces around it. */
gh_text gh_params_value(gh_text *rest);

/* Takes the next name=value off *rest, the parameters after gh_params_value(). What has no "=" or
 * whose name is no token is passed over. *quoted: the value stood in double quotes, which are
 * taken off; it may have escapes. False when nothing is left. */
bool gh_param_next(gh_text *rest, gh_text *name, gh_text *value, bool *quoted);

/* Takes the backslash out of \" and \\; before another byte it stays, as browsers have sent paths
 * of Windows unescaped. Writes at most n bytes and returns how many; out may be in. */
size_t gh_quoted_unescape(const char *in, size_t n, char *out);

/* A weight, "0.5", in thousandths; -1 if it is none. */
int gh_weight(gh_text text);

#endif
