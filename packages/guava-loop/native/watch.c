/* watch.c: times what the loop runs, as watch.h describes it. Separate from turn.c because nothing
 * of it runs in a loop that is neither watched nor in debug mode. */
#include "watch.h"

#include <math.h>
#include <time.h>

#include "handle.h"

#define NANOSECONDS 1e9
/* A millisecond. */
#define UNNAMED 1000000

/* Nanoseconds on a clock that is read twice for each callback. Linux has one that is several times
 * cheaper and steps with the timer interrupt, every few milliseconds. */
static uint64_t
nanoseconds_now(const gl_watch *watch)
{
#ifdef CLOCK_MONOTONIC_COARSE
    if (watch->coarse) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* gl_watch_update() has tried it */
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    }
#endif
    return uv_hrtime();
}

/* Whether the cheap clock's steps are small beside the limit, a tenth of it. */
static bool
coarse_will_do(const gl_loop *loop)
{
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec step;
    return !loop->debug && clock_getres(CLOCK_MONOTONIC_COARSE, &step) == 0 && step.tv_sec == 0 &&
           (uint64_t)step.tv_nsec * 10 <= loop->watch.limit;
#else
    return false;
#endif
}

void
gl_watch_update(gl_loop *loop)
{
    loop->timed = loop->debug || loop->watch.tell != NULL;
    loop->attend = loop->timed || loop->ts != NULL;
    loop->watch.slow = UINT64_MAX;
    bool coarse = loop->timed && coarse_will_do(loop);
    if (coarse != loop->watch.coarse) {
        loop->watch.coarse = coarse;
        loop->watch.since = 0; /* which was told by the other clock */
    }
    if (loop->timed) {
        gl_watch_ask(loop);
    } else {
        loop->watch.since = 0;
    }
}

static uint64_t
nanoseconds(double seconds)
{
    return seconds <= 0                       ? 0
           : seconds >= 1e9 || isnan(seconds) ? UINT64_MAX
                                              : (uint64_t)(seconds * NANOSECONDS);
}

void
gl_watch_ask(gl_loop *loop)
{
    gl_watch *watch = &loop->watch;
    watch->slow = UINT64_MAX;
    if (!loop->debug) {
        return;
    }
    PyObject *limit = PyObject_GetAttrString((PyObject *)loop, "slow_callback_duration");
    double seconds = limit != NULL ? PyFloat_AsDouble(limit) : -1.0;
    Py_XDECREF(limit);
    if (PyErr_Occurred()) {
        /* BaseEventLoop.__init__ sets debug mode before it sets the duration. */
        PyErr_Clear();
        return;
    }
    watch->slow = nanoseconds(seconds);
}

/* ---- the division of time ---- */

/* Calls nothing of Python, not even the collector. */
static void
note(gl_loop *loop, PyObject *what, uint64_t took, bool waited)
{
    gl_watch *watch = &loop->watch;
    if (watch->n_late == watch->cap_late) {
        size_t cap = watch->cap_late != 0 ? watch->cap_late * 2 : 8;
        gl_late *late = PyMem_RawRealloc(watch->late, cap * sizeof(*late));
        if (late == NULL) {
            return; /* who has no memory has other worries */
        }
        watch->late = late;
        watch->cap_late = cap;
    }
    watch->late[watch->n_late++] = (gl_late){
        .what = Py_XNewRef(what),
        .took = took,
        .serial = watch->serial,
        .waited = waited,
    };
}

/* What ran so far is over; `what` names it, or is NULL. */
static void
end(gl_loop *loop, PyObject *what, uint64_t now)
{
    gl_watch *watch = &loop->watch;
    uint64_t took = now - watch->since;
    /* A callback that nobody names may be one of the loop's own, which is not to be told of even
     * if everything is. */
    if ((took >= watch->slow && (what != NULL || took >= UNNAMED)) ||
        (watch->tell != NULL && took >= watch->limit)) {
        note(loop, what, took, false);
    }
}

void
gl_watch_over(gl_loop *loop, PyObject *what)
{
    if (loop->watch.since != 0) {
        end(loop, what, nanoseconds_now(&loop->watch));
        loop->watch.since = 0;
    }
}

/* A lock's release(): it runs no Python. */
static void
wake(gl_watch *watch)
{
    PyObject *call = watch->wake;
    watch->wake = NULL;
    PyObject *result = PyObject_CallNoArgs(call);
    if (result == NULL) {
        PyErr_Clear(); /* it was released already */
    }
    Py_XDECREF(result);
    Py_DECREF(call);
}

void
gl_watch_next(gl_loop *loop, bool woke)
{
    gl_watch *watch = &loop->watch;
    uint64_t now = nanoseconds_now(watch);
    if (woke) {
        /* libuv read its clock when the poll ended. */
        uint64_t ended = uv_now(&loop->uv) * 1000000;
        if (watch->tell != NULL && now > ended && now - ended >= watch->limit) {
            note(loop, NULL, now - ended, true);
        }
    }
    if (watch->since != 0) {
        end(loop, NULL, now);
    }
    watch->since = now;
    watch->serial++;
    if (watch->wake != NULL) {
        wake(watch);
    }
}

void
gl_watch_go_on(gl_loop *loop)
{
    if (loop->watch.since == 0) {
        gl_watch_next(loop, false);
    }
}

/* ---- telling ---- */

/* As asyncio words it. 0, or -1 with an exception set. */
static int
log_slow(gl_loop *loop, const gl_late *late)
{
    PyObject *events = loop->state->base_events;
    PyObject *text = NULL, *result = NULL;
    PyObject *logger = PyObject_GetAttrString(events, "logger");
    if (logger == NULL) {
        return -1;
    }
    if (late->what == NULL) {
        text = PyUnicode_FromString("<callback of a socket>");
    } else if (gl_is_handle(loop->state, late->what) ||
               PyObject_HasAttrString(late->what, "_callback")) {
        text = PyObject_CallMethod(events, "_format_handle", "O", late->what);
    } else {
        PyObject *protocol = PyObject_CallMethod(late->what, "get_protocol", NULL);
        PyErr_Clear(); /* what has none is named without */
        text = PyUnicode_FromFormat(protocol != NULL ? "<callback of %R, %R>" : "<callback of %R>",
                                    late->what, protocol);
        Py_XDECREF(protocol);
    }
    if (text != NULL) {
        result = PyObject_CallMethod(logger, "warning", "sOd", "Executing %s took %.3f seconds",
                                     text, (double)late->took / NANOSECONDS);
    }
    Py_DECREF(logger);
    Py_XDECREF(text);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static void
tell_one(gl_loop *loop, const gl_late *late)
{
    gl_watch *watch = &loop->watch;
    if (!late->waited && loop->debug && late->took >= watch->slow && log_slow(loop, late) < 0) {
        gl_loop_error(loop, "Exception while a slow callback was reported", late->what);
    }
    if (watch->tell == NULL || late->took < watch->limit) {
        return;
    }
    PyObject *tell = Py_NewRef(watch->tell); /* it may end the watch */
    PyObject *result = PyObject_CallFunction(
        tell, "OdKO", late->what != NULL ? late->what : Py_None, (double)late->took / NANOSECONDS,
        late->serial, late->waited ? Py_True : Py_False);
    if (result == NULL) {
        gl_loop_error(loop, "Exception while a slow callback was reported", late->what);
    }
    Py_XDECREF(result);
    Py_DECREF(tell);
}

void
gl_watch_tell_all(gl_loop *loop)
{
    gl_watch *watch = &loop->watch;
    /* Others may be noted meanwhile. */
    while (watch->n_late != 0) {
        gl_late *late = watch->late;
        size_t n = watch->n_late;
        watch->late = NULL;
        watch->n_late = watch->cap_late = 0;
        for (size_t i = 0; i < n; i++) {
            tell_one(loop, &late[i]);
            Py_XDECREF(late[i].what);
        }
        PyMem_RawFree(late);
    }
}

/* ---- the life of it ---- */

int
gl_watch_traverse(gl_loop *loop, visitproc visit, void *arg)
{
    Py_VISIT(loop->watch.tell);
    Py_VISIT(loop->watch.wake);
    for (size_t i = 0; i < loop->watch.n_late; i++) {
        Py_VISIT(loop->watch.late[i].what);
    }
    return 0;
}

void
gl_watch_clear(gl_loop *loop)
{
    gl_watch *watch = &loop->watch;
    Py_CLEAR(watch->tell);
    Py_CLEAR(watch->wake);
    while (watch->n_late != 0) {
        Py_CLEAR(watch->late[--watch->n_late].what);
    }
    PyMem_RawFree(watch->late);
    watch->late = NULL;
    watch->cap_late = 0;
}

/* ---- what guava_loop.watch asks for ---- */

/* _watch(tell, limit): tell(what, seconds, serial, waited) past `limit` seconds; None ends it. */
PyObject *
gl_core_watch(gl_loop *loop, PyObject *args)
{
    PyObject *tell;
    double limit;
    gl_watch *watch = &loop->watch;
    if (!PyArg_ParseTuple(args, "Od", &tell, &limit)) {
        return NULL;
    }
    watch->limit = nanoseconds(limit);
    Py_XSETREF(watch->tell, tell != Py_None ? Py_NewRef(tell) : NULL);
    gl_watch_update(loop);
    if (loop->timed && watch->since == 0 && loop->thread != 0 && !loop->sleeping) {
        /* Who asks for it is often the first to be slow. */
        watch->since = nanoseconds_now(watch);
        watch->serial++;
    }
    Py_RETURN_NONE;
}

/* _look(): (for how many seconds what runs now has, its serial); None: nothing runs. */
PyObject *
gl_core_look(gl_loop *loop, PyObject *Py_UNUSED(ignored))
{
    const gl_watch *watch = &loop->watch;
    if (loop->thread == 0 || loop->sleeping || watch->since == 0) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("(dK)", (double)(nanoseconds_now(watch) - watch->since) / NANOSECONDS,
                         watch->serial);
}

/* _look_at(): what runs now, or None. Who asks on another thread should see to it that the last
 * reference is not his. */
PyObject *
gl_core_look_at(gl_loop *loop, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(loop->running != NULL ? loop->running : Py_None);
}

/* _look_frame(): the frame that the loop's thread is in, or None. sys._current_frames() gives
 * those of all threads, and ruins an interpreter that is not the main one (3.13.0). */
PyObject *
gl_core_look_frame(gl_loop *loop, PyObject *Py_UNUSED(ignored))
{
    PyThreadState *runner = loop->watch.runner;
    PyObject *frame = runner != NULL ? (PyObject *)PyThreadState_GetFrame(runner) : NULL;
    return frame != NULL ? frame : Py_NewRef(Py_None);
}

/* _watch_wake(wake): calls it once, when the loop has something to do; None takes that back. */
PyObject *
gl_core_watch_wake(gl_loop *loop, PyObject *wake)
{
    Py_XSETREF(loop->watch.wake, wake != Py_None ? Py_NewRef(wake) : NULL);
    Py_RETURN_NONE;
}
