/* stream.h: a connected socket, and what waits to be sent on it. Shared by stream.c (reading, life
 * and death), outgoing.c (the queue) and listener.c (birth). */
#ifndef GUAVA_LOOP_NATIVE_STREAM_H
#define GUAVA_LOOP_NATIVE_STREAM_H

#include "loop.h"

enum {
    GL_PAUSED = 1,     /* the consumer wants no data now */
    GL_EOF = 2,        /* the peer has sent its FIN */
    GL_SHUTDOWN = 4,   /* a FIN goes out after the queue; no further writes */
    GL_CLOSING = 8,    /* closed after the queue; no further callbacks but closed() */
    GL_DEAD = 16,      /* the handle is closing; nothing may touch the socket */
    GL_OVER_HIGH = 32, /* drain() is owed */
    GL_FINISHING = 64, /* finish() is on its way through the deferred calls */
    GL_BORROWED = 128, /* the descriptor belongs to somebody else, who closes it after closed() */
    GL_DOUBTED = 256,  /* in gl_io.doubted */
};

/* One write() or sendfile() that the kernel has not taken completely. */
typedef struct gl_outgoing {
    struct gl_outgoing *next;
    void (*release)(void *arg);         /* of bytes that stay with the consumer */
    void (*done)(void *arg, int error); /* of a file */
    void *arg;
    int64_t left; /* bytes the kernel has not taken */
    int64_t offset;
    int64_t *sent;      /* where to count what went out of a file, or NULL */
    int fd;             /* a file's, or -1: bytes */
    unsigned first, n;  /* bufs[first .. n) hold the bytes left */
    char *free, *limit; /* of our own copy: where more bytes fit */
    guava_buf bufs[];
} gl_outgoing;

struct guava_stream {
    void *user; /* first: guava_stream_user() of the published header reads it there */
    uv_poll_t poll;
    guava_loop *loop;
    const guava_stream_ops *ops; /* NULL until an accepted stream is taken */
    gl_outgoing *head, *tail;
    gl_outgoing *sent; /* files with the kernel whose done() is owed */
    size_t queued;     /* bytes in the queue, files not counted */
    size_t low, high;
    guava_stream *prev, *next; /* in gl_io.streams */
    guava_stream *next_doubted;
    uint32_t refs;
    int fd;
    int error;  /* for closed() */
    int events; /* that libuv polls for */
    unsigned flags;
    uv_poll_cb on_poll;               /* gl_stream_on_poll(), or a face's own */
    void (*emptied)(guava_stream *s); /* the queue has been sent; may be NULL */
    PyObject *owner; /* a Python object that the loop keeps alive for it, owned, or NULL */
};

/* Makes a stream of a connected non-blocking socket; nothing is polled yet. 0 or a negative errno,
 * and then fd is still the caller's. */
int gl_stream_new(guava_loop *loop, int fd, guava_stream **out);
/* Starts to poll. 0 or a negative errno. */
int gl_stream_start(guava_stream *stream);
/* Closes now; the first error stays. closed() comes from libuv's close callback. */
void gl_stream_kill(guava_stream *stream, int error);
/* Polls for `events` beside what is polled for already. */
void gl_stream_want(guava_stream *stream, int events);
/* Polls for exactly `events`. */
void gl_stream_poll_for(guava_stream *stream, int events);
/* libuv ends the process when the kernel refuses a descriptor that it shall poll. One that belongs
 * to a Python socket may have been closed since we asked for it, so it is looked at once more just
 * before the poll; a stream that has lost its socket ends with -EBADF. */
void gl_streams_check(guava_loop *loop);
/* What libuv calls unless the stream has an on_poll of its own. */
void gl_stream_on_poll(uv_poll_t *poll, int status, int events);
/* The error that the kernel keeps for the socket, as a negative errno; -ECONNRESET for none. */
int gl_stream_error(const guava_stream *stream);

/* Sends what the kernel takes, at most one turn's share. */
void gl_outgoing_flush(guava_stream *stream);
/* Drops the queue: calls what is owed. */
void gl_outgoing_drop(guava_stream *stream);
/* gl_stream_sendfile() that also counts: *sent, which lives until done(), is what has been sent.
 */
int gl_outgoing_sendfile(guava_stream *stream, int fd, int64_t offset, int64_t length,
                         int64_t *sent, void (*done)(void *, int), void *arg);
/* Takes a file out of the queue for which done() has not come and will not come. False when there
 * is none with that `arg`. */
bool gl_outgoing_withdraw(guava_stream *stream, void *arg);

#endif
