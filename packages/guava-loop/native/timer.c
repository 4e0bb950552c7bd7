/* timer.c: the loop's timers, a binary heap of our own under one uv_timer_t. libuv's timers count
 * whole milliseconds and each would cost a handle; asyncio's are doubles, and most are cancelled
 * before they are due, so a cancelled one leaves the heap at once and usually from its end. */
#include <Python.h>
#include <math.h>

#include "handle.h"

/* libuv's cached clock may be this much behind ours, in seconds. */
#define SLACK 0.010
/* The resolution of the clock: what asyncio adds when it asks what is due. */
#define RESOLUTION 1e-9

/* How many places an empty heap keeps after a burst. */
#define KEPT 8192

static inline bool
earlier(const gl_due *a, const gl_due *b)
{
    return a->when < b->when || (a->when == b->when && a->seq < b->seq);
}

static inline void
place(gl_heap *heap, size_t i, gl_due due)
{
    heap->items[i] = due;
    due.timer->index = (Py_ssize_t)i;
}

static void
sift_up(gl_heap *heap, size_t i)
{
    gl_due due = heap->items[i];
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!earlier(&due, &heap->items[parent])) {
            break;
        }
        place(heap, i, heap->items[parent]);
        i = parent;
    }
    place(heap, i, due);
}

static void
sift_down(gl_heap *heap, size_t i)
{
    gl_due due = heap->items[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->len) {
            break;
        }
        if (child + 1 < heap->len && earlier(&heap->items[child + 1], &heap->items[child])) {
            child++;
        }
        if (!earlier(&heap->items[child], &due)) {
            break;
        }
        place(heap, i, heap->items[child]);
        i = child;
    }
    place(heap, i, due);
}

/* Takes it out; the reference is the caller's. */
static gl_timer *
take(gl_heap *heap, size_t i)
{
    gl_timer *timer = heap->items[i].timer;
    timer->index = -1;
    heap->len--;
    if (i != heap->len) {
        heap->items[i] = heap->items[heap->len];
        if (i > 0 && earlier(&heap->items[i], &heap->items[(i - 1) / 2])) {
            sift_up(heap, i);
        } else {
            sift_down(heap, i);
        }
    }
    if (heap->len == 0 && heap->cap > KEPT) {
        PyMem_Free(heap->items);
        heap->items = NULL;
        heap->cap = 0;
    }
    return timer;
}

int
gl_timers_add(gl_loop *loop, gl_timer *timer)
{
    gl_heap *heap = &loop->timers;
    if (heap->len == heap->cap) {
        size_t cap = heap->cap != 0 ? heap->cap * 2 : 64;
        gl_due *items = heap->items;
        PyMem_Resize(items, gl_due, cap);
        if (items == NULL) {
            (void)PyErr_NoMemory();
            return -1;
        }
        heap->items = items;
        heap->cap = cap;
    }
    heap->items[heap->len] =
        (gl_due){.when = timer->when, .seq = heap->seq++, .timer = (gl_timer *)Py_NewRef(timer)};
    heap->len++;
    sift_up(heap, heap->len - 1);
    return 0;
}

void
gl_timers_remove(gl_loop *loop, gl_timer *timer)
{
    if (timer->index >= 0) {
        Py_DECREF(take(&loop->timers, (size_t)timer->index));
    }
}

void
gl_timers_due(gl_loop *loop)
{
    gl_heap *heap = &loop->timers;
    if (heap->len == 0) {
        return;
    }
#ifndef __APPLE__
    /* libuv has read the same clock after the poll: mostly that settles it without a reading. */
    if (heap->items[0].when > (double)uv_now(&loop->uv) * 1e-3 + SLACK) {
        return;
    }
#endif
    double now = gl_time() + RESOLUTION;
    while (heap->len != 0 && heap->items[0].when < now) {
        gl_timer *timer = take(heap, 0);
        loop->stats.timers++;
        if (gl_ready_push(loop, (PyObject *)timer) < 0) {
            gl_loop_error(loop, "A timer could not be queued", (PyObject *)timer);
        }
        Py_DECREF(timer);
    }
}

/* The time of libuv's clock, in milliseconds, at or after which `when` has passed. */
static uint64_t
uv_deadline(double when)
{
#ifdef __APPLE__
    /* There, libuv's clock goes on while the machine sleeps and Python's does not. */
    when += (double)uv_hrtime() * 1e-9 - gl_time();
#endif
    double ms = ceil(when * 1e3);
    return ms <= 0 ? 0 : ms >= 9e15 ? (uint64_t)9e15 : (uint64_t)ms;
}

static void
on_timer(uv_timer_t *timer)
{
    ((gl_loop *)timer->loop->data)->timer_armed = false;
}

void
gl_timers_arm(gl_loop *loop)
{
    if (loop->timers.len == 0) {
        return;
    }
    double when = loop->timers.items[0].when;
    /* A timer that ends the poll too early costs one idle turn; to set it back for every timer
     * that is cancelled would cost more. */
    if (loop->timer_armed && loop->timer_when <= when) {
        return;
    }
    uint64_t due = uv_deadline(when), now = uv_now(&loop->uv);
    /* It fails only on a handle that is closing. */
    (void)uv_timer_start(&loop->timer, on_timer, due > now ? due - now : 0, 0);
    loop->timer_armed = true;
    loop->timer_when = when;
}

void
gl_timers_clear(gl_loop *loop)
{
    gl_heap *heap = &loop->timers;
    while (heap->len != 0) {
        Py_DECREF(take(heap, heap->len - 1));
    }
    PyMem_Free(heap->items);
    *heap = (gl_heap){.seq = heap->seq};
}

PyObject *
gl_timers_list(gl_loop *loop)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < loop->timers.len; i++) {
        if (PyList_Append(list, (PyObject *)loop->timers.items[i].timer) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}
