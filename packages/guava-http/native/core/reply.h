/* reply.h: a response's head on its way out. */
#ifndef GUAVA_HTTP_CORE_REPLY_H
#define GUAVA_HTTP_CORE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The type of most answers. Where a reply points here, its head is known but for date and length.
 */
#define GH_TYPE_HTML "text/html; charset=utf-8"
extern const char gh_type_html[sizeof(GH_TYPE_HTML)];

typedef struct {
    int status;
    const char *reason; /* NULL: the standard phrase */
    size_t reason_len;
    const char *type; /* Content-Type, or NULL for none */
    size_t type_len;
    const char *fields; /* further fields, already rendered and checked: "Name: value\r\n"... */
    size_t fields_len;
    bool has_date;  /* `fields` has a Date of its own */
    int64_t length; /* Content-Length, or -1 for none */
    bool chunked;   /* Transfer-Encoding: chunked */
    bool http10;    /* answer of an HTTP/1.0 request */
    bool keep_alive;
} gh_reply;

/* The most bytes that gh_reply_render() writes for this reply. */
size_t gh_reply_size(const gh_reply *reply);

/* Renders status line, fields and the empty line. `date` is the 29 bytes of an IMF-fixdate.
 * Returns the number of bytes written, at most gh_reply_size(). */
size_t gh_reply_render(const gh_reply *reply, const char *date, char *out);

#endif
