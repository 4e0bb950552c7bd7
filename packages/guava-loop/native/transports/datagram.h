/* datagram.h: DatagramTransport's struct, and what its three files share: datagram.c is the type,
 * datagram_in.c receives, datagram_out.c sends. */
#ifndef GUAVA_LOOP_NATIVE_DATAGRAM_H
#define GUAVA_LOOP_NATIVE_DATAGRAM_H

#include "transports/address.h"
#include "transports/wire.h"

/* Behind the loop's buffer: asyncio takes up to 256 KiB, more than UDP has and unix may have. */
#define GL_DATAGRAM_OVERFLOW ((size_t)(256 * 1024 - GL_READ_BUFFER))

typedef struct gl_waiting gl_waiting; /* a datagram that waits to be sent */

typedef struct {
    gl_wire wire;
    PyObject *address; /* all is sent there, and nowhere else; or NULL */
    gl_waiting *head, *tail;
    char *overflow; /* GL_DATAGRAM_OVERFLOW bytes, of sockets that need them, or NULL */
    size_t came;    /* bytes of the last one received */
    int family;
    bool connected; /* the kernel knows the peer */
    bool many;      /* the last time, more than one had come */
    uint8_t tries;  /* wake-ups until the next look for a second one, */
    uint8_t pause;  /* and between that and the one after it */
} gl_datagram;

/* ---- datagram.c ---- */
/* asyncio's _fatal_error() with the exception that is set. */
void gl_datagram_fatal(gl_datagram *self, const char *message);
/* protocol.error_received() with the OSError that is set. 0, or -1 with an exception set. */
int gl_datagram_refused(gl_datagram *self);

/* ---- datagram_in.c ---- */
void gl_datagram_read_ready(PyObject *object);

/* ---- datagram_out.c ---- */
/* Sends it now, or when there is room. 0, or -1 with an exception set. */
int gl_datagram_send(gl_datagram *self, PyObject *data, PyObject *address);
/* Forgets what waits. */
void gl_datagram_drop(gl_datagram *self);
int gl_datagram_traverse_waiting(gl_datagram *self, visitproc visit, void *arg);

#endif
