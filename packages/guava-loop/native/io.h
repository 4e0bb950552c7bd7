/* io.h: what streams, listeners, ticks, deferred and posted calls keep in a loop, and the few
 * functions by which the loop drives them.
 *
 * struct guava_loop embeds one gl_io. The loop calls gl_io_init() once, after uv_loop_init();
 * gl_io_close() once, in close(), before it drains uv_run(); gl_io_free() once nothing of libuv is
 * left; and gl_flush_deferred() in its prepare callback (before it lets the interpreter go) and in
 * its check callback. */
#ifndef GUAVA_LOOP_NATIVE_IO_H
#define GUAVA_LOOP_NATIVE_IO_H

#include <Python.h>
#include <uv.h>
#include <stdbool.h>

#include "guava_loop.h"

typedef struct {
    void (*fn)(void *arg);
    void *arg;
} gl_call;

typedef struct {
    guava_stream *streams;     /* all that are not closed yet */
    guava_stream *doubted;     /* polled for anew on a descriptor that others may close */
    guava_listener *listeners; /* likewise */
    struct gl_ticker *tickers; /* likewise */

    gl_call *deferred; /* calls for the end of this phase, in order */
    size_t n_deferred, cap_deferred;
    uv_idle_t defer_idle; /* active while calls wait, so that the poll does not sleep */

    uv_mutex_t post_lock; /* guards the next four, which any thread may reach */
    gl_call *posted;
    size_t n_posted, cap_posted;
    bool post_closed, post_lock_made;
    uv_async_t post_async;

    char date[32];       /* IMF-fixdate */
    uint64_t date_until; /* uv_now() of the next renewal */
    uint64_t born;       /* uv_now() when the loop was made */

    PyObject *spare_task; /* a RequestTask for the next step(), or NULL */
} gl_io;

/* 0, or -1 with an exception set and nothing left to undo. */
int gl_io_init(guava_loop *loop);
/* Aborts streams, closes listeners and every handle of gl_io, and runs what was posted or
 * deferred. closed() and the close callbacks come from the uv_run() that follows. */
void gl_io_close(guava_loop *loop);
/* Frees what is left. No libuv handle may be open. */
void gl_io_free(guava_loop *loop);
/* The end of the loop's object, until when other threads may call post() and be refused. */
void gl_io_dealloc(guava_loop *loop);

void gl_run_deferred(guava_loop *loop);
#define gl_flush_deferred(loop)                                                                   \
    do {                                                                                          \
        if ((loop)->io.n_deferred != 0) {                                                         \
            gl_run_deferred(loop);                                                                \
        }                                                                                         \
    } while (0)

#endif
