/* endpoint.h: our end of a connection: the descriptor, the socket object, the two addresses, and
 * the server it came by. Streams and TLS share it; start_tls() moves it from one to the other.
 *
 * Nothing of it is made before somebody asks: an accepted connection has no socket object and no
 * address tuples until get_extra_info(). What the kernel would have forgotten by then is kept as
 * the kernel gave it. */
#ifndef GUAVA_LOOP_NATIVE_ENDPOINT_H
#define GUAVA_LOOP_NATIVE_ENDPOINT_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "face.h"

/* An internet address; the family AF_UNSPEC stands for one that is not known. */
typedef union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} gl_address;

typedef struct {
    PyObject *socket; /* a socket.socket that owns the descriptor, or NULL: we own it */
    PyObject *server; /* that it is attached to, or NULL */
    int fd;           /* -1 once closed */
    int number;       /* what the descriptor is, or was */
    int family, kind, protocol;
    gl_address peer, local;
} gl_endpoint;

/* An address as Python's socket module gives it, or None; NULL with an exception set. */
PyObject *gl_address_object(const gl_address *address);

/* A socket.socket's family, type and proto. 0, or -1 with an exception set. */
int gl_socket_kind(PyObject *socket, int *family, int *kind, int *protocol);
/* Takes a socket.socket: a new reference. 0, or -1 with an exception set. */
int gl_endpoint_of_socket(gl_endpoint *end, PyObject *socket);
/* Takes an accepted descriptor. */
void gl_endpoint_of_fd(gl_endpoint *end, int fd, int family, int kind, int protocol,
                       const gl_address *peer);
/* Of get_extra_info(): "socket", "peername", "sockname", else NULL. A new reference; NULL with or
 * without an exception set. Whatever is found is put into *extra, a dict that is made if need be.
 */
PyObject *gl_endpoint_info(gl_endpoint *end, gl_face_state *face, PyObject **extra,
                           PyObject *name);
/* The socket.socket (borrowed), made if need be. NULL with an exception set. */
PyObject *gl_endpoint_socket(gl_endpoint *end, gl_face_state *face);
/* Server._attach() and _detach(). 0, or -1 with an exception set. The server is kept from the one
 * to the other. `server` may be None. */
int gl_endpoint_attach(gl_endpoint *end, gl_face_state *face, PyObject *server,
                       PyObject *transport);
int gl_endpoint_detach(gl_endpoint *end, gl_face_state *face, PyObject *transport);
/* Closes the descriptor. The local address can still be asked for. Keeps the exception that is
 * set. */
void gl_endpoint_close(gl_endpoint *end, gl_face_state *face);

static inline int
gl_endpoint_traverse(gl_endpoint *end, visitproc visit, void *arg)
{
    Py_VISIT(end->socket);
    Py_VISIT(end->server);
    return 0;
}

#endif
