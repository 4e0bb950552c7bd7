/* ready.c: the queue of callbacks that run in the next round. It keeps asyncio's promise: what is
 * queued when a round begins is run in it, in order; what these callbacks add waits for the next.
 *
 * asyncio asks the kernel between any two rounds. Most rounds but the first hold what the one
 * before has woken (a future its task, a task the one that awaits it), so that answer would cost
 * more than the round. Here some rounds follow each other, with due timers taken in between, until
 * a few of them or a little time has passed; the kernel is asked after that. */
#include "handle.h"

/* How many places an empty ring keeps after a burst. */
#define KEPT 8192

/* How many rounds may pass between two polls, and how many seconds. */
#define ROUNDS 8
#define ROUNDS_TIME 50e-6

static int
grow(gl_ring *ring)
{
    size_t cap = ring->cap != 0 ? ring->cap * 2 : 256;
    PyObject **items = PyMem_New(PyObject *, cap);
    if (items == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < ring->len; i++) {
        items[i] = ring->items[(ring->head + i) & (ring->cap - 1)];
    }
    PyMem_Free(ring->items);
    ring->items = items;
    ring->head = 0;
    ring->cap = cap;
    return 0;
}

int
gl_ready_push(gl_loop *loop, PyObject *handle)
{
    gl_ring *ring = &loop->ready;
    if (ring->len == ring->cap && grow(ring) < 0) {
        return -1;
    }
    ring->items[(ring->head + ring->len) & (ring->cap - 1)] = Py_NewRef(handle);
    ring->len++;
    return 0;
}

static PyObject *
pop(gl_ring *ring)
{
    PyObject *item = ring->items[ring->head];
    ring->head = (ring->head + 1) & (ring->cap - 1);
    ring->len--;
    return item;
}

/* A handle of asyncio's own class, as signal delivery makes them. */
static void
run_foreign(gl_loop *loop, PyObject *handle)
{
    gl_state *state = loop->state;
    PyObject *cancelled = PyObject_GetAttr(handle, state->str_cancelled);
    int skip = cancelled != NULL ? PyObject_IsTrue(cancelled) : -1;
    Py_XDECREF(cancelled);
    PyObject *result = skip == 0 ? PyObject_CallMethodNoArgs(handle, state->str_run) : NULL;
    if (result == NULL && skip != 1) {
        gl_loop_error(loop, "Exception in a handle's _run()", handle);
    }
    Py_XDECREF(result);
}

static void
run_one(gl_loop *loop, PyObject *handle)
{
    if (gl_is_handle(loop->state, handle)) {
        gl_handle_run((gl_handle *)handle);
    } else {
        run_foreign(loop, handle);
    }
}

static void
begin_timed(gl_loop *loop, PyObject *handle)
{
    if (loop->debug) {
        Py_XSETREF(loop->current_handle, Py_NewRef(handle));
    }
    gl_watch_next(loop, false);
}

static void
end_timed(gl_loop *loop, PyObject *handle)
{
    if (loop->debug) {
        Py_XSETREF(loop->current_handle, Py_NewRef(Py_None));
        gl_watch_ask(loop);
    }
    gl_watch_over(loop, handle);
    gl_watch_tell(loop);
}

void
gl_ready_round(gl_loop *loop)
{
    gl_ring *ring = &loop->ready;
    /* A callback may clear the ring, so its length is asked for each time. */
    for (size_t n = ring->len; n != 0 && ring->len != 0 && loop->exc == NULL; n--) {
        PyObject *handle = pop(ring);
        loop->running = handle;
        loop->stats.callbacks++;
        if (loop->timed) {
            begin_timed(loop, handle);
        }
        run_one(loop, handle);
        if (loop->timed) {
            end_timed(loop, handle);
        }
        gl_uncork(loop);
        /* Before it goes: its destructor may let other threads look. */
        loop->running = NULL;
        Py_DECREF(handle);
    }
}

void
gl_ready_run(gl_loop *loop)
{
    gl_ring *ring = &loop->ready;
    if (ring->len == 0) {
        return;
    }
    double until = gl_time() + ROUNDS_TIME;
    gl_ready_round(loop);
    for (int n = 1; n < ROUNDS && ring->len != 0 && !loop->stopping && loop->exc == NULL; n++) {
        gl_flush_deferred(loop);
        if (gl_time() >= until) {
            break;
        }
        gl_timers_due(loop);
        gl_ready_round(loop);
    }
    if (ring->len == 0 && ring->cap > KEPT) {
        gl_ready_clear(loop);
    }
}

void
gl_ready_prepend(gl_loop *loop, gl_ring before)
{
    gl_ring after = loop->ready;
    loop->ready = before;
    while (after.len != 0) {
        PyObject *handle = pop(&after);
        if (gl_ready_push(loop, handle) < 0) {
            gl_loop_error(loop, "A callback could not be queued again", handle);
        }
        Py_DECREF(handle);
    }
    PyMem_Free(after.items);
}

void
gl_ready_clear(gl_loop *loop)
{
    while (loop->ready.len != 0) {
        Py_DECREF(pop(&loop->ready));
    }
    PyMem_Free(loop->ready.items);
    loop->ready = (gl_ring){0};
}

PyObject *
gl_ready_list(gl_loop *loop)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < loop->ready.len; i++) {
        PyObject *item = loop->ready.items[(loop->ready.head + i) & (loop->ready.cap - 1)];
        if (PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}
