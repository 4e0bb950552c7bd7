/* tls.h: TLS over a native stream transport, asyncio.sslproto in C. Shared by its files:
 *
 *   tls.c            what connects and ends: handshake, shutdown, errors
 *   tls_engine.c     calls into the standard library's OpenSSL objects
 *   tls_incoming.c   from the socket to the protocol
 *   tls_outgoing.c   from write() to the socket
 *   tls_lower.c      what lies below: the native transport, and its stream
 *   tls_transport.c  the transport that the user has
 *   tls_protocol.c   the protocol that the transport below has
 *
 * OpenSSL is driven through the very objects that ssl.SSLContext.wrap_bio() makes, so every
 * context means what it means elsewhere and there is one libssl in the process. What made
 * asyncio's own Python slow was not these objects but how they were called: a buffer of 256 KiB
 * for each read, an exception at the end of each, a copy of all that is left for each record
 * written.
 *
 * As in asyncio there are three objects: the transport of the user, the transport below, and
 * between them a protocol. The state of both upper ones is the transport's, gl_tls.
 */
#ifndef GUAVA_LOOP_NATIVE_TLS_H
#define GUAVA_LOOP_NATIVE_TLS_H

#include "face.h"
#include "transport.h"

typedef enum {
    GL_TLS_UNWRAPPED, /* before the handshake, and at the end */
    GL_TLS_HANDSHAKE,
    GL_TLS_WRAPPED,
    GL_TLS_FLUSHING, /* what was written is on its way, and then close_notify */
    GL_TLS_SHUTDOWN, /* close_notify is sent; that of the peer is awaited */
} gl_tls_state;

typedef enum {
    GL_APP_INIT, /* connection_made() is owed */
    GL_APP_MADE,
    GL_APP_EOF, /* eof_received() was called */
    GL_APP_LOST,
} gl_app_state;

/* Where the records lie in what has come: OpenSSL is asked for data only when a whole record is
 * there, since to be refused costs as much as to decrypt a kilobyte. */
typedef struct {
    size_t missing;          /* bytes until the end of the record that has begun */
    size_t begun;            /* bytes of it that have come */
    unsigned char header[5]; /* of a record, while it is incomplete */
    bool lost;               /* this is not TLS: ask OpenSSL, which knows what to say */
} gl_tls_records;

/* Plaintext that is not encrypted yet. */
typedef struct gl_tls_piece {
    struct gl_tls_piece *next;
    PyObject *bytes; /* owned, or NULL: own[] */
    const char *at;  /* the first byte left */
    size_t left;
    size_t room; /* bytes that own[] takes behind `left` */
    char own[];
} gl_tls_piece;

typedef struct gl_tls {
    GL_FLOW_HEAD;
    gl_loop *loop;      /* owned */
    PyObject *protocol; /* the user's; NULL once the connection is lost */
    PyObject *context;  /* in which callbacks run */
    PyObject *waiter;   /* or NULL */
    PyObject *between;  /* the protocol of the transport below */
    struct gl_tls_imports *ssl;
    PyObject *sslobject, *engine, *incoming, *outgoing; /* ssl.SSLObject, its _sslobj, the BIOs */
    gl_transport *lower;                                /* the transport below, or NULL */
    guava_stream *stream;                               /* of it, or NULL */
    const guava_stream_ops *below;                      /* what the stream called before */
    void (*below_emptied)(guava_stream *);
    PyObject *handshake_timeout, *shutdown_timeout; /* seconds, numbers of the user's */
    PyObject *timer;                                /* of the one or the other, or NULL */
    double handshake_start;                         /* in debug mode */

    gl_tls_piece *head, *tail;
    size_t backlog; /* bytes in the pieces */
    gl_flow flow;   /* of writing */
    size_t read_high, read_low;
    gl_tls_records records;

    unsigned conn_lost; /* writes to a closed connection */
    unsigned corked;    /* calls into the protocol that are on the stack */
    gl_tls_state state;
    gl_app_state app;
    bool server_side;
    bool buffered;       /* the protocol is a BufferedProtocol */
    bool closed;         /* close() or abort() was called, or the connection is lost */
    bool handshaken;     /* peercert and its kin may be asked for */
    bool eof;            /* the transport below has come to its end */
    bool app_paused;     /* pause_reading() */
    bool reading_paused; /* the transport below was told to */
    bool deferred;       /* a flush comes at the end of this phase of the turn */
    bool unsent;         /* OpenSSL may have something to send */
    bool filled;         /* the last read filled its buffer: OpenSSL may hold more of the record */
    bool reading;        /* do_read() is on the stack */
    bool writing_waits;  /* OpenSSL wants to hear from the peer before it encrypts more */
    bool done_with;      /* close() was called once more: nothing will be asked about it */
    bool parting;        /* do_flush() has given the protocol all that it will get */
} gl_tls;

/* What is taken from the modules ssl and _ssl when TLS is first used. One per module, at
 * face->tls; all of it is owned. */
typedef struct gl_tls_imports {
    PyObject *memory_bio, *ssl_object;
    PyObject *engine_type;            /* _ssl._SSLSocket */
    PyObject *read, *write, *pending; /* its methods, to be called with one of it */
    PyObject *bio_read, *bio_write;   /* likewise of MemoryBIO */
    PyObject *ssl_error, *want_read, *zero_return, *syscall_error, *certificate_error,
        *cancelled_error;
    PyObject *window_type, *window; /* see tls_engine.c */
    PyObject *str_do_handshake, *str_unwrap, *str_pending, *str_wrap_bio, *str_sslobj;
    PyObject *wrap_keywords; /* of wrap_bio() */
} gl_tls_imports;

/* ---- tls_engine.c ---- */
/* Makes the imports unless they are there. 0, or -1 with an exception set. */
int gl_tls_import(gl_state *state);
/* Makes the OpenSSL object. 1; 0 when the context makes objects of its own kind, which only Python
 * can drive; -1 with an exception set. */
int gl_tls_wrap(gl_tls *tls, PyObject *sslcontext, PyObject *server_hostname);
/* Hands over what came. 0, or -1 with an exception set. */
int gl_tls_feed(gl_tls *tls, const char *bytes, size_t n);
/* Bytes that came and are not decrypted yet; -1 with an exception set. */
Py_ssize_t gl_tls_pending(gl_tls *tls);
/* Whether a read could give something: 1, 0, or -1 with an exception set. *most: how much at most,
 * in bytes. */
int gl_tls_readable(gl_tls *tls, size_t *most);

typedef enum {
    GL_TLS_FAILED = -1, /* with an exception set */
    GL_TLS_DONE,
    GL_TLS_AGAIN, /* OpenSSL wants to hear from the peer first */
} gl_tls_result;

/* Decrypts up to `size` bytes; *n is 0 after the peer's close_notify. */
gl_tls_result gl_tls_read(gl_tls *tls, char *to, size_t size, size_t *n);
/* Encrypts a part of the bytes, at most one record. */
gl_tls_result gl_tls_write(gl_tls *tls, const char *from, size_t size, size_t *n);
/* Calls a method of the SSLObject: do_handshake or unwrap. */
gl_tls_result gl_tls_call(gl_tls *tls, PyObject *name);
/* What OpenSSL has to send, as bytes. NULL: nothing, or an exception is set. */
PyObject *gl_tls_take(gl_tls *tls);

/* ---- tls_incoming.c ---- */
/* What came from below; reports errors itself. */
void gl_tls_data(gl_tls *tls, const char *bytes, size_t n);
/* Gives the protocol what can be decrypted. */
void gl_tls_do_read(gl_tls *tls);
/* Decrypts and forgets. 0, or -1 with an exception set. */
int gl_tls_discard(gl_tls *tls);
void gl_tls_eof_received(gl_tls *tls);
/* Keeps bounded what has come and is not decrypted. */
void gl_tls_control_reading(gl_tls *tls);
/* 0, or -1 with an exception set. */
int gl_tls_resume_reading(gl_tls *tls);
int gl_tls_set_protocol(gl_tls *tls, PyObject *protocol);
/* A call into the user's protocol; what it writes meanwhile is gathered. As gl_face_call(). */
PyObject *gl_tls_tell(gl_tls *tls, PyObject *name, PyObject *arg);

/* ---- tls_outgoing.c ---- */
/* Takes what is to be written. 0, or -1 with an exception set (TypeError, MemoryError). */
int gl_tls_put(gl_tls *tls, PyObject *data);
/* After put(): sends now or soon, and tells the protocol when it is too much. */
void gl_tls_written(gl_tls *tls);
/* Encrypts and sends as much as the stream should hold. */
void gl_tls_flush(gl_tls *tls);
/* The first half of flush(). */
void gl_tls_encrypt(gl_tls *tls);
/* The other half: sends what OpenSSL has for the peer. */
void gl_tls_send(gl_tls *tls);
/* Whether there is a connection to send on. */
static inline bool
gl_tls_connected(const gl_tls *tls)
{
    return tls->stream != NULL && !(tls->stream->flags & (GL_CLOSING | GL_DEAD));
}
/* Bytes that were written and are not with the kernel. */
size_t gl_tls_write_size(const gl_tls *tls);
/* Calls pause_writing() or resume_writing() when it is time. */
void gl_tls_control_writing(gl_tls *tls);
void gl_tls_drop_backlog(gl_tls *tls);

/* ---- tls.c ---- */
/* These report errors themselves. */
void gl_tls_start_handshake(gl_tls *tls);
void gl_tls_do_handshake(gl_tls *tls);
void gl_tls_start_shutdown(gl_tls *tls);
/* Go on with the shutdown: what is left to read and to write first, and then close_notify. */
void gl_tls_do_flush(gl_tls *tls);
void gl_tls_do_shutdown(gl_tls *tls);
/* The transport below has come to its end. Whether it shall stay open. */
bool gl_tls_eof(gl_tls *tls);
/* Lets go of the context and of all that OpenSSL has, once the connection is lost. */
void gl_tls_let_go(gl_tls *tls);
/* The transport below is gone, with an exception or None. */
void gl_tls_lost(gl_tls *tls, PyObject *exc);
/* asyncio's _abort(); exc: an exception, or None. */
void gl_tls_abort(gl_tls *tls, PyObject *exc);
/* asyncio's _fatal_error() for the exception that is set. */
void gl_tls_fatal(gl_tls *tls, const char *message);
/* A method of gl_tls that Python does not see, bound. NULL with an exception set. */
PyObject *gl_tls_bind(gl_tls *tls, const PyMethodDef *method);

/* ---- tls_lower.c ---- */
/* Puts the layer on a native transport, whose stream it takes over. */
void gl_tls_attach(gl_tls *tls, gl_transport *lower);
/* Gives the stream back. */
void gl_tls_detach(gl_tls *tls);
void gl_tls_lower_close_soon(gl_tls *tls);
void gl_tls_lower_pause(gl_tls *tls, bool pause);

/* ---- tls_transport.c, tls_protocol.c ---- */
int gl_tls_protocol_exec(PyObject *module, gl_state *state);
/* A protocol for the transport below; it keeps `tls`. */
PyObject *gl_tls_protocol_new(gl_tls *tls);

#endif
