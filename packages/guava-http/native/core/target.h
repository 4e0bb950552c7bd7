/* target.h: the request target (RFC 9112, 3.2) and the authority (RFC 3986, 3.2). */
#ifndef GUAVA_HTTP_CORE_TARGET_H
#define GUAVA_HTTP_CORE_TARGET_H

#include <stdbool.h>

#include "core/head.h"

/* Splits head->target into path, query and, for the absolute form, host. False when it is
 * malformed, or of a form that the method does not go with. */
bool gh_target_split(gh_head *head);

/* host [ ":" port ], with no user in front. May be empty if `empty`. */
bool gh_is_authority(gh_slice text, bool empty);

#endif
