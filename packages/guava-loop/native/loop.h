/* loop.h: the loop's own struct and what its files share. One struct, because the ready ring, the
 * timers and the streams are all touched in the same turn of the loop.
 *
 * A turn, as libuv orders it:
 *
 *   prepare   defers; arm the timer; detach from the interpreter if nothing is ready
 *   poll      one epoll_pwait; each callback of libuv that needs Python begins with gl_attach()
 *   check     attach; due timers go to the ready ring; run what is in the ring now; defers
 *   closing   libuv's close callbacks
 *
 * Rules for everything that embeds a uv handle:
 *  1. Its memory comes from PyMem_RawMalloc, not from a Python object, and is freed only in the
 *     close callback (or later, by a reference count). The loop's own handles are the exception:
 *     the loop drains libuv before it dies.
 *  2. handle->loop->data is the gl_loop.
 *  3. A callback that may touch Python calls gl_attach(loop) first and never detaches itself.
 *  4. No exception is left set on return to libuv: it goes to gl_loop_error().
 */
#ifndef GUAVA_LOOP_NATIVE_LOOP_H
#define GUAVA_LOOP_NATIVE_LOOP_H

#include <Python.h>
#include <stdbool.h>
#include <uv.h>

#include "guava_loop.h"
#include "io.h"
#include "stats.h"
#include "watch.h"

#define GL_READ_BUFFER (64 * 1024)

typedef struct gl_timer gl_timer;
typedef struct gl_poller gl_poller;

/* What belongs to the module: types and names. Reached from a loop as loop->state. */
typedef struct {
    unsigned forks;           /* how many forks this process descends by */
    struct gl_handle *spares; /* spare.c: a list by their field `loop` */
    unsigned nspares;
    PyTypeObject *core_type;
    PyTypeObject *handle_type;
    PyTypeObject *timer_type;
    PyTypeObject *queue_type;
    PyObject *str_cancelled;              /* "_cancelled" */
    PyObject *str_run;                    /* "_run" */
    PyObject *str_context;                /* "context" */
    PyObject *str_call_exception_handler; /* "call_exception_handler" */
    PyObject *format_callback_source;     /* asyncio.format_helpers._format_callback_source */
    PyObject *debug_keyword;              /* ("debug",) where the former takes it, else NULL */
    PyObject *extract_stack;              /* asyncio.format_helpers.extract_stack */
    PyObject *base_events;                /* the module asyncio.base_events */
    PyObject *nothing, *nothing_names;    /* turn.c: code that does nothing, and its names */
    /* task.c: modules and classes of asyncio's, as objects, and what they are called with. */
    PyObject *asyncio_tasks, *asyncio_futures, *native_task, *native_future;
    PyObject *create_task; /* BaseEventLoop.create_task */
    PyObject *str_loop, *str_name, *str_task, *str_future, *str_self, *str_done;
    PyObject *no_args;          /* () */
    PyObject *kw_loop;          /* ("loop",) */
    struct gl_io_state *io;     /* io.c: the types and names of streams and steps */
    struct gl_face_state *face; /* transports/face.c: those of asyncio's transports */
} gl_state;

/* A queue of owned references to handles: a ring whose capacity is a power of two. */
typedef struct {
    PyObject **items;
    size_t head;
    size_t len;
    size_t cap;
} gl_ring;

/* Timers as a binary heap ordered by (when, seq); a cancelled one leaves at once. */
typedef struct {
    double when;
    uint64_t seq;
    gl_timer *timer; /* owned */
} gl_due;

typedef struct {
    gl_due *items;
    size_t len;
    size_t cap;
    uint64_t seq;
} gl_heap;

/* What one transport has been given to send during the present callback (transports/cork.c). */
#define GL_CORK_PIECES 16
typedef struct {
    struct gl_transport *transport;   /* owned, or NULL: nothing waits */
    PyObject *pieces[GL_CORK_PIECES]; /* bytes objects, owned */
    unsigned n;
    size_t bytes;
} gl_cork;

struct guava_loop {
    PyObject_HEAD gl_state *state;
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* active while the poll must not block */
    uv_timer_t timer;
    uv_async_t wakeup;

    PyThreadState *ts;    /* the thread's state while it is detached, else NULL */
    unsigned long thread; /* the thread that runs the loop; 0 while it does not run */
    bool attend;          /* gl_attach() has more to do than nothing: ts is set, or timed is */
    bool timed;           /* callbacks are timed: debug mode, or loop.watch() */
    unsigned forks;       /* state->forks when libuv's loop was made, or made anew */
    bool uv_ready;        /* uv_loop_init() was done and not undone */
    bool sleeping;        /* the interpreter is, or is about to be, let go of for the poll */
    bool stopping;        /* asyncio's _stopping */
    bool closed;          /* asyncio's _closed */
    bool debug;           /* asyncio's _debug */
    bool draining;        /* close() waits for close callbacks: no ready callbacks are run */
    bool idling;          /* the idle handle is active */
    bool io_ready;        /* gl_io_init() was done and gl_io_free() was not */
    bool io_closed;       /* gl_io_close() was done */
    bool timer_armed;
    double timer_when; /* the deadline for which the timer is armed */
    uint64_t let_go;   /* uv_now() when the interpreter was last let go of */

    gl_ring ready;
    gl_heap timers;
    gl_poller **pollers; /* by file descriptor */
    size_t npollers;
    gl_poller *dirty; /* those whose interest changed since the last poll */

    /* While it is set, the next call_soon() leaves its handle here (a new reference) instead of
     * queueing it, and clears it. */
    PyObject **capture;
    PyObject *running;        /* the handle or transport whose callback runs (borrowed), or NULL */
    PyObject *exc;            /* KeyboardInterrupt or SystemExit on its way out of run_forever() */
    PyObject *task_factory;   /* asyncio's _task_factory */
    PyObject *loop_keyword;   /* task.c: {"loop": this}, or NULL */
    PyObject *current_handle; /* asyncio's _current_handle, in debug mode */

    char *read_buffer; /* GL_READ_BUFFER bytes, shared by all streams during one data() */
    char *sock_buffer; /* likewise for sock_recv(), which data() may call; or NULL */
    gl_io io;          /* streams, listeners, ticks, deferred and posted calls */
    gl_cork cork;
    PyObject **claims; /* by file descriptor: the transport that owns it (borrowed), or NULL */
    size_t nclaims;
    struct gl_addresses *addresses; /* transports/address.c: those seen lately, or NULL */

    gl_stats stats; /* what loop.stats() shows */
    gl_watch watch; /* what takes long */
};

/* ---- module.c ---- */
extern struct PyModuleDef gl_module;

/* ---- loop.c ---- */
int gl_core_register(PyObject *module, gl_state *state);

/* ---- turn.c ---- */
/* Waits for the interpreter, and divides time. Not to be called but through gl_attach(). */
void gl_attach_slow(gl_loop *loop);
/* Makes libuv's loop and the loop's own handles. 0, or -1 with an exception set. */
int gl_turn_init(gl_loop *loop);
/* Closes the streams, and waits for their close callbacks. May be called twice. */
void gl_turn_close_io(gl_loop *loop);
/* Closes all that is left of libuv. May be called twice. */
void gl_turn_close(gl_loop *loop);
/* In the child of a fork the loop shares the parent's epoll object until libuv has made its own:
 * to be called before libuv is told anything. 0 or a negative errno. */
int gl_after_fork(gl_loop *loop);
/* Runs the loop until it is stopped. 0, or -1 with an exception set. */
int gl_run(gl_loop *loop);
/* Ends the run after the present turn, as asyncio's stop(). */
void gl_stop(gl_loop *loop);
/* Wakes the poll; from any thread that is attached. */
void gl_wake(gl_loop *loop);
/* Seconds on time.monotonic()'s clock. */
double gl_time(void);

/* The first line of every callback of libuv that touches Python. */
static inline void
gl_attach(gl_loop *loop)
{
    if (loop->attend) {
        gl_attach_slow(loop);
    }
}

/* Around a callback of libuv that calls Python on behalf of `object`, to which the caller has a
 * reference: its name, if somebody asks what takes so long. */
static inline void
gl_runs(gl_loop *loop, PyObject *object)
{
    loop->running = object;
    if (loop->timed) {
        gl_watch_go_on(loop);
    }
}
static inline void
gl_ran(gl_loop *loop, PyObject *object)
{
    /* Before it goes: its destructor may let other threads look. */
    loop->running = NULL;
    if (loop->timed) {
        gl_watch_over(loop, object);
    }
}

/* Checked before anything is scheduled: 0, or -1 with asyncio's RuntimeError set. */
int gl_check_closed(gl_loop *loop);

/* ---- task.c ---- */
int gl_task_exec(gl_state *state);

/* ---- handle.c ---- */
/* What a callback is and where it was written, as asyncio words it; arguments only in debug mode.
 * NULL with an exception set. */
PyObject *gl_describe_callback(gl_loop *loop, PyObject *callback, PyObject *args);

/* ---- transports/cork.c ---- */
void gl_uncork_slow(gl_loop *loop);
/* Sends what transports were given to send. After every callback that may have written. */
static inline void
gl_uncork(gl_loop *loop)
{
    if (loop->cork.transport != NULL) {
        gl_uncork_slow(loop);
    }
}

/* ---- error.c ---- */
/* Sets the OSError subclass of a libuv code (a negative errno). Always NULL. */
PyObject *gl_uv_error(int code);
/* Routes the exception that is set to the loop's exception handler: `where` is its message,
 * `context` (may be NULL) the object it happened to. KeyboardInterrupt and SystemExit stop the
 * loop and leave run_forever(). Clears the exception. */
void gl_loop_error(gl_loop *loop, const char *where, PyObject *context);
/* The same for a callback of call_soon and its kin. */
void gl_handle_error(gl_loop *loop, PyObject *handle);
/* The exception that is set, with its traceback, as one object (NULL when none), and back. */
PyObject *gl_err_take(void);
void gl_err_give(PyObject *exc);

/* ---- io.c and its siblings: what the streams add (io.h has the loop's part) ---- */
/* Makes the types and names of streams and steps, and the capsule _C_API. */
int gl_io_exec(PyObject *module, gl_state *state);
int gl_io_state_traverse(gl_state *state, visitproc visit, void *arg);
void gl_io_state_clear(gl_state *state);
void gl_io_state_free(gl_state *state);
/* Of what loop->io holds. */
int gl_io_traverse(gl_loop *loop, visitproc visit, void *arg);

#endif
