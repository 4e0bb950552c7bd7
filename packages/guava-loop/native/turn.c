/* turn.c: one turn of the loop, as loop.h describes it, and the start and end of running. The
 * interpreter is let go of once in a turn, just before the poll, and only when nothing is ready:
 * the prepare handle is started first, and libuv runs what is started first last. */
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <pythread.h>
#include <time.h>
#include <unistd.h>

#include "handle.h"
#include "parts.h"
#include "poller.h"
#include "stream.h"

/* How long a loop may be busy before other threads get a chance, in ms. */
#define BUSY_MS 10

double
gl_time(void)
{
    struct timespec now;
#ifdef __APPLE__
    (void)clock_gettime(CLOCK_UPTIME_RAW, &now); /* time.monotonic()'s, there */
#else
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int
gl_check_closed(gl_loop *loop)
{
    if (loop->closed || !loop->uv_ready) {
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
        return -1;
    }
    return 0;
}

void
gl_attach_slow(gl_loop *loop)
{
    PyThreadState *ts = loop->ts;
    if (ts != NULL) {
        loop->ts = NULL;
        PyEval_RestoreThread(ts);
        loop->sleeping = false;
        /* From the end of the poll on there was work, even if it had to wait for us. */
        loop->stats.woke = uv_now(&loop->uv);
    }
    loop->attend = loop->timed;
    if (loop->timed) {
        gl_watch_next(loop, ts != NULL);
    }
}

static void
on_idle(uv_idle_t *idle)
{
    (void)idle; /* it is active so that the poll does not block, and has nothing to do */
}

static void
set_idle(gl_loop *loop, bool on)
{
    if (loop->idling == on) {
        return;
    }
    loop->idling = on;
    /* They fail only without a callback. */
    if (on) {
        (void)uv_idle_start(&loop->idle, on_idle);
    } else {
        (void)uv_idle_stop(&loop->idle);
    }
}

/* A loop that is never idle must let others run, too. Python code sees to that by itself, and
 * callbacks written in C do not; so a piece of Python code is run. It does what the interpreter
 * does between any two lines: hands over to a thread that has asked, and only then, runs handlers
 * of signals and what else is pending. To let go and take it back unasked would wake a waiting
 * thread each time, which then begins to wait anew for sys.getswitchinterval() before it asks. */
static void
yield_sometimes(gl_loop *loop, uint64_t now)
{
    if (now - loop->let_go < BUSY_MS) {
        return;
    }
    loop->let_go = now;
    gl_state *state = loop->state;
    PyObject *result = PyEval_EvalCode(state->nothing, state->nothing_names, state->nothing_names);
    Py_XDECREF(result);
    gl_check_callback(loop, "a handler of signals or a pending call raised");
}

static void
on_prepare(uv_prepare_t *prepare)
{
    gl_loop *loop = prepare->loop->data;
    gl_flush_deferred(loop);
    if (loop->draining) {
        return;
    }
    if (loop->timed) {
        gl_watch_over(loop, NULL);
        gl_watch_tell(loop);
    }
    gl_uncork(loop);
    gl_pollers_flush(loop);
    if (loop->io.doubted != NULL) {
        gl_streams_check(loop);
    }
    gl_timers_arm(loop);
    uint64_t now = uv_now(&loop->uv);
    gl_stats_turn(&loop->stats, now);
    bool busy = loop->ready.len != 0 || loop->exc != NULL;
    set_idle(loop, busy);
    if (busy || loop->stopping) {
        yield_sometimes(loop, now);
        return;
    }
    loop->let_go = now;
    /* Set while other threads still wait, so that none of them can miss it. */
    loop->sleeping = true;
    loop->attend = true;
    loop->ts = PyEval_SaveThread();
}

static void
on_check(uv_check_t *check)
{
    gl_loop *loop = check->loop->data;
    gl_attach(loop);
    if (loop->draining) {
        return;
    }
    if (loop->timed) {
        gl_watch_ask(loop);
        gl_watch_tell(loop);
    }
    gl_timers_due(loop);
    gl_ready_run(loop);
    gl_flush_deferred(loop);
    gl_uncork(loop);
}

static void
on_wakeup(uv_async_t *async)
{
    (void)async; /* the turn goes on to its check, which is all that was wanted */
}

void
gl_wake(gl_loop *loop)
{
    /* While the loop runs Python it looks at the ready ring before it sleeps. */
    if (loop->sleeping && loop->uv_ready) {
        (void)uv_async_send(&loop->wakeup); /* it fails only on what is no async handle */
    }
}

void
gl_stop(gl_loop *loop)
{
    loop->stopping = true;
    if (loop->thread != 0) {
        uv_stop(&loop->uv);
        gl_wake(loop);
    }
}

/* What uv_loop_init() opens: a poll object, a pipe, an event, and for the first loop of a process
 * one more pipe. If there are not so many, it leaks the first of them or aborts the process. 0 or
 * a negative errno. */
static int
check_descriptors(void)
{
    int fds[6], n = 0, error = 0;
    while (n < 6) {
        fds[n] =
            n == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
        if (fds[n] < 0) {
            error = -errno;
            break;
        }
        n++;
    }
    while (n > 0) {
        (void)close(fds[--n]); /* nothing was written to it */
    }
    return error;
}

int
gl_turn_init(gl_loop *loop)
{
    int error = check_descriptors();
    if (error == 0) {
        error = uv_loop_init(&loop->uv);
    }
    if (error < 0) {
        goto fail;
    }
    loop->uv_ready = true;
    loop->uv.data = loop;
    loop->forks = loop->state->forks;
    /* These four cannot fail. */
    (void)uv_prepare_init(&loop->uv, &loop->prepare);
    (void)uv_check_init(&loop->uv, &loop->check);
    (void)uv_idle_init(&loop->uv, &loop->idle);
    (void)uv_timer_init(&loop->uv, &loop->timer);
    error = uv_async_init(&loop->uv, &loop->wakeup, on_wakeup);
    if (error < 0) {
        goto fail;
    }
    (void)uv_prepare_start(&loop->prepare, on_prepare);
    (void)uv_check_start(&loop->check, on_check);
    /* The streams come after, so that their prepare handles run before ours. */
    if (gl_io_init(loop) < 0) {
        return -1;
    }
    loop->io_ready = true;
    return 0;
fail:
    (void)gl_uv_error(error);
    return -1;
}

int
gl_after_fork(gl_loop *loop)
{
    if (loop->forks == loop->state->forks) {
        return 0;
    }
    loop->forks = loop->state->forks;
    gl_pollers_after_fork(loop);
    return uv_loop_fork(&loop->uv);
}

/* Runs libuv until every handle that closes has had its callback. */
static void
drain(gl_loop *loop)
{
    bool before = loop->draining;
    loop->draining = true;
    /* A callback may close more handles; one that does so for ever is left to leak. */
    for (int turns = 0; turns < 1000 && loop->uv.closing_handles != NULL; turns++) {
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    loop->draining = before;
}

void
gl_turn_close_io(gl_loop *loop)
{
    if (!loop->io_ready || loop->io_closed) {
        return;
    }
    loop->io_closed = true;
    (void)gl_after_fork(loop); /* if it fails, libuv is closed with what it has */
    gl_io_close(loop);
    drain(loop);
}

static void
close_any(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void
gl_turn_close(gl_loop *loop)
{
    if (!loop->uv_ready) {
        return;
    }
    (void)gl_after_fork(loop);
    gl_turn_close_io(loop);
    gl_pollers_close(loop);
    /* What is left are the loop's own. */
    uv_walk(&loop->uv, close_any, NULL);
    drain(loop);
    if (loop->io_ready) {
        gl_io_free(loop);
        loop->io_ready = false;
    }
    loop->uv_ready = false;
    /* EBUSY, the only failure, would need a handle without a close. */
    (void)uv_loop_close(&loop->uv);
}

/* A run that has ended before its first poll: the kernel is asked nevertheless, as asyncio does,
 * and what it has is handled; but what the callbacks have queued is left for the next run. */
static void
poll_once(gl_loop *loop)
{
    gl_ring queued = loop->ready;
    loop->ready = (gl_ring){0};
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT); /* forgets uv_stop() and does no more */
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    gl_ready_prepend(loop, queued);
}

/* What is ready before the run goes before what its first poll finds, as with asyncio: streams and
 * datagrams call their protocols from the poll itself. So the first turn begins here. */
static void
begin_turn(gl_loop *loop)
{
    gl_timers_due(loop);
    if (loop->ready.len != 0) {
        gl_stats_turn(&loop->stats, uv_now(&loop->uv));
        gl_ready_round(loop);
        gl_flush_deferred(loop);
        gl_uncork(loop);
    }
}

static void
run_turns(gl_loop *loop)
{
    if (loop->stopping) {
        /* stop() before run_forever() asks for exactly one turn that does not wait. */
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
        return;
    }
    begin_turn(loop);
    if (loop->exc != NULL) {
        uv_stop(&loop->uv);
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT); /* forgets uv_stop() and does no more */
    } else if (loop->stopping) {
        poll_once(loop);
    } else {
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    }
}

int
gl_run(gl_loop *loop)
{
    if (gl_check_closed(loop) < 0) {
        return -1;
    }
    if (loop->thread != 0) {
        PyErr_SetString(PyExc_RuntimeError, "This event loop is already running");
        return -1;
    }
    int error = gl_after_fork(loop);
    if (error < 0) {
        (void)gl_uv_error(error);
        return -1;
    }
    loop->thread = PyThread_get_thread_ident();
    loop->watch.since = 0;
    loop->watch.runner = PyThreadState_Get();
    gl_stats_start(&loop->stats, &loop->uv);
    run_turns(loop);
    gl_attach(loop);
    if (loop->timed) {
        gl_watch_over(loop, NULL);
        gl_watch_tell(loop);
    }
    gl_stats_stop(&loop->stats, &loop->uv);
    loop->thread = 0;
    loop->watch.runner = NULL;
    gl_uncork(loop); /* of another thread, which let go of the interpreter late */
    if (loop->exc != NULL) {
        PyObject *exc = loop->exc;
        loop->exc = NULL;
        gl_err_give(exc);
        return -1;
    }
    return 0;
}
