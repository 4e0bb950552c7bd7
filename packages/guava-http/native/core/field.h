/* field.h: what may stand in a field's name and value (RFC 9110, 5.5 and 5.6.2). */
#ifndef GUAVA_HTTP_CORE_FIELD_H
#define GUAVA_HTTP_CORE_FIELD_H

#include <stdbool.h>
#include <stddef.h>

/* One or more token characters. */
bool gh_is_token(const char *text, size_t n);

/* A token of letters, digits and "-". CGI and WSGI turn "-" into "_", so there "Content_Length"
 * would come to stand for "Content-Length": what maps fields so leaves out those that are not
 * this. */
bool gh_is_cgi_name(const char *text, size_t n);

/* Visible characters, spaces, tabs and bytes from 0x80 up; so no CR, LF or NUL. May be empty. */
bool gh_is_field_value(const char *text, size_t n);

/* The same text, where A to Z and a to z are the same. */
bool gh_same_name(const char *a, size_t a_len, const char *b, size_t b_len);

/* Moves *text and *n past spaces and tabs at both ends. */
void gh_strip(const char **text, size_t *n);

#endif
