/* status.h: the registered status codes and their phrases (RFC 9110, 15, and IANA's registry). */
#ifndef GUAVA_HTTP_CORE_STATUS_H
#define GUAVA_HTTP_CORE_STATUS_H

#include <stddef.h>

/* "HTTP/1.1 200 OK\r\n": the status line of a registered code, or NULL. */
const char *gh_status_line(int code, size_t *n);

/* "OK": the phrase of a registered code, or NULL. */
const char *gh_status_phrase(int code, size_t *n);

#endif
