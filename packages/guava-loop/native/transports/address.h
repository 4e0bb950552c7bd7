/* address.h: socket addresses between the kernel's form and Python's, for faces that meet one with
 * every message. */
#ifndef GUAVA_LOOP_NATIVE_ADDRESS_H
#define GUAVA_LOOP_NATIVE_ADDRESS_H

#include <sys/un.h>

#include "transports/endpoint.h"

typedef union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    gl_address inet;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
} gl_name;

/* Whether what is below can be used for sockets of this family. */
static inline bool
gl_name_family_known(int family)
{
    return family == AF_INET || family == AF_INET6 || family == AF_UNIX;
}

/* The address as the socket module gives it: (host, port), (host, port, flowinfo, scope_id), or a
 * unix socket's path; None where there is none. A new reference, or NULL with an exception set. */
PyObject *gl_name_object(gl_loop *loop, const gl_name *address, socklen_t length);

/* The kernel's form of a user's address, for a socket of this family. It points into `room` or
 * into the loop's memory, and is good until the next call; `length` is set. NULL, with or without
 * an exception set: the socket module has to see to it (a name to be resolved, a mistake). */
const struct sockaddr *gl_name_find(gl_loop *loop, int family, PyObject *object, gl_name *room,
                                    socklen_t *length);

void gl_names_free(gl_loop *loop);

#endif
