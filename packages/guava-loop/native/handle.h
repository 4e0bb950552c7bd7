/* handle.h: what call_soon() and call_later() return. Shared by handle.c (the types), ready.c (the
 * queue that runs them), timer.c (the heap) and schedule.c (which makes them). */
#ifndef GUAVA_LOOP_NATIVE_HANDLE_H
#define GUAVA_LOOP_NATIVE_HANDLE_H

#include "loop.h"

typedef struct gl_handle {
    PyObject_HEAD gl_loop *loop;
    PyObject *callback; /* NULL once cancelled */
    PyObject *args;     /* of one argument: itself; else a tuple, or NULL for none; once cancelled
                         * in debug mode, the handle's repr(), or NULL */
    PyObject *context;
    PyObject *source_traceback; /* in debug mode, else NULL */
    PyObject *weakrefs;
    int nargs;
    bool cancelled;
} gl_handle;

struct gl_timer {
    gl_handle handle;
    double when;      /* seconds on loop.time()'s clock */
    Py_ssize_t index; /* in the heap; -1: not there */
};

/* A handle or timer of the loop; `context` NULL or None stands for a copy of the current one. NULL
 * with an exception set. */
gl_handle *gl_handle_new(gl_loop *loop, PyObject *callback, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *context);
gl_timer *gl_timer_new(gl_loop *loop, double when, PyObject *callback, PyObject *const *args,
                       Py_ssize_t nargs, PyObject *context);
/* Runs the callback in its context; what it raises is routed. */
void gl_handle_run(gl_handle *self);
void gl_handle_cancel(gl_handle *self);
int gl_handle_register(PyObject *module, gl_state *state);

static inline bool
gl_is_handle(const gl_state *state, PyObject *object)
{
    return Py_IS_TYPE(object, state->handle_type) || Py_IS_TYPE(object, state->timer_type);
}

/* ---- spare.c ---- */
/* The memory of a handle, with all its own fields unset; NULL with MemoryError set. */
gl_handle *gl_spare_take(gl_state *state);
/* Takes back the memory of a handle or timer that has its fields cleared. */
void gl_spare_give(gl_state *state, gl_handle *self);
void gl_spares_clear(gl_state *state);

/* ---- task.c ---- */
/* A callback had no memory. If it was the step of a task, which cannot ask for its next one then,
 * it runs again: the coroutine goes on, or is told by an exception; it does not wait for ever. */
void gl_task_rescue(gl_loop *loop, gl_handle *handle);

/* ---- ready.c ---- */
/* Appends a handle, native or asyncio's own, of which it takes a reference. 0, or -1 with
 * MemoryError set. */
int gl_ready_push(gl_loop *loop, PyObject *handle);
/* Runs what is queued now, and not what is added meanwhile. */
void gl_ready_round(gl_loop *loop);
/* Runs what is queued now and, for a few rounds and a short time, what that adds. */
void gl_ready_run(gl_loop *loop);
/* Puts a queue that was taken out before what has come since. */
void gl_ready_prepend(gl_loop *loop, gl_ring before);
void gl_ready_clear(gl_loop *loop);
PyObject *gl_ready_list(gl_loop *loop);

/* ---- timer.c ---- */
int gl_timers_add(gl_loop *loop, gl_timer *timer);
void gl_timers_remove(gl_loop *loop, gl_timer *timer);
/* Moves what is due to the ready ring. */
void gl_timers_due(gl_loop *loop);
/* Sees to it that the poll ends when the next one is due. */
void gl_timers_arm(gl_loop *loop);
void gl_timers_clear(gl_loop *loop);
PyObject *gl_timers_list(gl_loop *loop);

/* ---- queue.c: asyncio's _ready and _scheduled ---- */
PyObject *gl_queue_new(gl_loop *loop, bool timers);
int gl_queue_register(PyObject *module, gl_state *state);

#endif
