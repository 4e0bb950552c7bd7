/* cookies.h: the Cookie field of a request and the parts of a Set-Cookie field (RFC 6265). */
#ifndef GUAVA_HTTP_CORE_COOKIES_H
#define GUAVA_HTTP_CORE_COOKIES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/query.h"

#define GH_MAX_COOKIES 100 /* of one request; what comes after them is not read */

/* Takes the next name=value pair off *rest, a Cookie field's value. Pieces without "=" or without
 * a name are passed over. *quoted: the value stood in double quotes, which are taken off; it may
 * have escapes. False when nothing is left. */
bool gh_cookie_next(gh_text *rest, gh_text *name, gh_text *value, bool *quoted);

/* Takes the escapes \" \\ and \ooo out of a quoted value. Writes at most n bytes and returns how
 * many; out may be in. */
size_t gh_cookie_unescape(const char *in, size_t n, char *out);

/* A cookie-value of RFC 6265, 4.1.1: visible ASCII but space, quote, comma, semicolon and
 * backslash; the whole may stand in double quotes. */
bool gh_is_cookie_value(const char *text, size_t n);

/* An av-octet sequence, for Path and Domain: visible ASCII or space, but no semicolon. */
bool gh_is_cookie_attribute(const char *text, size_t n);

#endif
