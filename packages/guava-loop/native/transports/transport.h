/* transport.h: asyncio's transport of a TCP or unix socket, in C over guava_stream. Shared by
 * transport.c (the type), life.c, receive.c (reading), send.c and cork.c (writing),
 * send_file.c and accept.c (birth by a server); TLS lies on it.
 *
 * Who keeps whom: the loop keeps a transport (stream->owner) while it reads or has something to
 * send, as asyncio's selector keeps asyncio's. One that is paused and idle lives only as long as
 * somebody else keeps it; when it goes, it warns and closes its socket. The transport keeps its
 * protocol until connection_lost(). The stream's memory lives until libuv's close callback. */
#ifndef GUAVA_LOOP_NATIVE_TRANSPORT_H
#define GUAVA_LOOP_NATIVE_TRANSPORT_H

#include "../stream.h"
#include "endpoint.h"

typedef struct gl_transport {
    GL_FLOW_HEAD;
    gl_loop *loop;        /* owned */
    guava_stream *stream; /* NULL once it is closed; counted by the loop */
    PyObject *protocol;   /* NULL once connection_lost() was called */
    PyObject *context;    /* in which the protocol is told of what comes */
    struct gl_file *file; /* a sendfile() under way, or NULL */
    gl_endpoint end;
    gl_flow flow;
    size_t room;    /* to receive into a bytes object of this size; 0: the loop's buffer */
    unsigned small; /* messages in succession that were small for it */
    unsigned
        conn_lost; /* asyncio's _conn_lost: connection_lost() is scheduled; writes since then */
    bool buffered; /* the protocol is a BufferedProtocol */
    bool closing;  /* close() or abort() was called, or the connection broke */
    bool paused;   /* pause_reading() was called */
    bool eof;      /* write_eof() was called */
    bool started;  /* connection_made() was called */
} gl_transport;

/* ---- life.c ---- */
/* A new transport of end->fd, of which it takes what is there, in any case. `waiter`, `extra` and
 * `server` may be NULL or None. NULL with an exception set: a bare descriptor is then closed, a
 * socket object is not. */
PyObject *gl_transport_new(gl_loop *loop, gl_endpoint *end, PyObject *protocol, PyObject *waiter,
                           PyObject *extra, PyObject *server);
/* Takes the exception that is set: asyncio's _fatal_error(). */
void gl_transport_fatal(gl_transport *self, const char *message);
/* asyncio's _force_close(): drops what is queued, schedules connection_lost(exc). */
void gl_transport_force_close(gl_transport *self, PyObject *exc);
void gl_transport_close(gl_transport *self);
/* The end of one that was not closed. Keeps the exception that is set. */
void gl_transport_drop(gl_transport *self);
/* Methods, by which what is scheduled comes. */
PyObject *gl_transport_start(gl_transport *self, PyObject *waiter);
PyObject *gl_transport_connection_lost(gl_transport *self, PyObject *exc);
/* 0, or -1 with an exception set. */
int gl_transport_take_protocol(gl_transport *self, PyObject *protocol);
/* Sets whether the loop keeps the transport. The caller has a reference. */
void gl_transport_keep(gl_transport *self);

static inline gl_face_state *
gl_transport_face(const gl_transport *self)
{
    return self->loop->state->face;
}

static inline bool
gl_transport_reads(const gl_transport *self)
{
    return !self->closing && !self->paused && self->conn_lost == 0;
}

/* ---- receive.c ---- */
void gl_transport_on_poll(uv_poll_t *poll, int status, int events);

/* ---- cork.c ---- */
/* Keeps a bytes object until the callback returns. False, and nothing done, when it is to be sent
 * at once, behind what is kept already. */
bool gl_cork_put(gl_transport *self, PyObject *bytes);
/* Sends buf, and what is kept before it, in one system call. `owner`, when not NULL, keeps the
 * bytes of buf; else they are copied as far as they must wait. */
void gl_cork_send(gl_transport *self, guava_buf buf, PyObject *owner);

/* ---- send.c ---- */
/* n buffers, at once as far as the kernel takes them. `owner` as above. */
void gl_transport_send(gl_transport *self, const guava_buf *bufs, unsigned n, PyObject *owner);
/* Bytes that are not yet with the kernel. */
size_t gl_transport_queued(const gl_transport *self);
PyObject *gl_transport_write(gl_transport *self, PyObject *data);
PyObject *gl_transport_writelines(gl_transport *self, PyObject *lines);
PyObject *gl_transport_write_eof(gl_transport *self, PyObject *ignored);
/* of guava_stream_ops */
int gl_transport_drained(guava_stream *stream);
/* of the stream's `emptied` */
void gl_transport_emptied(guava_stream *stream);

/* ---- send_file.c: of loop.sendfile(), whose Python half is guava_loop.transports ---- */
PyObject *gl_transport_send_file(gl_transport *self, PyObject *args);
PyObject *gl_transport_stop_file(gl_transport *self, PyObject *ignored);

#endif
