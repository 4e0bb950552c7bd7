/* address.h: addresses between brackets, the IP-literal of RFC 3986, 3.2.2. */
#ifndef GUAVA_HTTP_CORE_ADDRESS_H
#define GUAVA_HTTP_CORE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* What stands between the brackets: an IPv6address without a zone, or an IPvFuture. */
bool gh_is_ip_literal(const char *text, size_t n);

#endif
