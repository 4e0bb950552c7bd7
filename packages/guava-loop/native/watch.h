/* watch.h: how long callbacks take. Asked for by asyncio's debug mode and by loop.watch(); else
 * nothing is timed, and what is here costs nothing.
 *
 * Time is divided at gl_attach(), the first line of every callback of libuv, and around each
 * callback of the ready ring. What took too long is noted there and told where Python may be
 * called, since a callback of libuv that has only begun expects that nothing has changed. */
#ifndef GUAVA_LOOP_NATIVE_WATCH_H
#define GUAVA_LOOP_NATIVE_WATCH_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct guava_loop gl_loop;

/* Something that took long, to be told of. */
typedef struct {
    PyObject *what; /* a handle or a transport; NULL: a callback that nobody names */
    uint64_t took;  /* nanoseconds */
    uint64_t serial;
    bool waited; /* not a callback: the interpreter was held by another thread */
} gl_late;

typedef struct {
    PyObject
        *tell; /* called with (what, seconds, serial, waited) past `limit`; NULL: not watched */
    uint64_t limit;  /* nanoseconds */
    uint64_t slow;   /* the same for debug mode: asyncio's slow_callback_duration */
    uint64_t since;  /* nanoseconds; when what runs now began; 0: nothing does */
    uint64_t serial; /* of what runs now */
    bool coarse;     /* which clock is read */
    gl_late *late;
    size_t n_late, cap_late;
    PyThreadState *runner; /* the thread that runs the loop; NULL while none does */
    PyObject *wake;        /* called once, when the loop has something to do; or NULL */
} gl_watch;

/* loop->timed, from what it depends on: to be called when one of these has changed. */
void gl_watch_update(gl_loop *loop);
/* What ran so far is over, and something else begins. `woke`: the interpreter was given back, for
 * which the loop waited since the poll ended. */
void gl_watch_next(gl_loop *loop, bool woke);
/* What runs is not to go untimed, if it is not the first in its callback of libuv. */
void gl_watch_go_on(gl_loop *loop);
/* What ran so far is over. `what` is its name, or NULL. */
void gl_watch_over(gl_loop *loop, PyObject *what);
/* Tells of what took long. Runs Python. */
void gl_watch_tell_all(gl_loop *loop);
#define gl_watch_tell(loop)                                                                       \
    do {                                                                                          \
        if ((loop)->watch.n_late != 0) {                                                          \
            gl_watch_tell_all(loop);                                                              \
        }                                                                                         \
    } while (0)
/* asyncio's slow_callback_duration is asked for, once a turn. */
void gl_watch_ask(gl_loop *loop);
int gl_watch_traverse(gl_loop *loop, visitproc visit, void *arg);
void gl_watch_clear(gl_loop *loop);

/* Methods of Core, for guava_loop.watch. */
PyObject *gl_core_watch(gl_loop *loop, PyObject *args);
PyObject *gl_core_look(gl_loop *loop, PyObject *ignored);
PyObject *gl_core_look_at(gl_loop *loop, PyObject *ignored);
PyObject *gl_core_look_frame(gl_loop *loop, PyObject *ignored);
PyObject *gl_core_watch_wake(gl_loop *loop, PyObject *wake);

#endif
