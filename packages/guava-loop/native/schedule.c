/* schedule.c: call_soon(), call_later() and their kin, the methods that fill the loop's queues.
 * They are the most called functions of any asyncio program: the argument parsing is by hand. */
#include <Python.h>
#include <math.h>

#include "handle.h"
#include "schedule.h"

/* A call, taken apart: the arguments that the method names, those for the callback, the context.
 */
typedef struct {
    PyObject *fixed[2]; /* callback; or time and callback */
    PyObject *const *rest;
    Py_ssize_t nrest;
    PyObject *context; /* or NULL */
} call_args;

static const char *const SOON[] = {"callback", NULL};
static const char *const LATER[] = {"delay", "callback", NULL};
static const char *const AT[] = {"when", "callback", NULL};

/* 0, or -1 with TypeError set. */
static int
take_keyword(gl_loop *loop, const char *method, const char *const *names, PyObject *name,
             PyObject *value, call_args *call)
{
    if (name == loop->state->str_context ||
        PyUnicode_CompareWithASCIIString(name, "context") == 0) {
        call->context = value;
        return 0;
    }
    for (int i = 0; names[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0) {
            if (call->fixed[i] != NULL) {
                PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", method,
                             names[i]);
                return -1;
            }
            call->fixed[i] = value;
            return 0;
        }
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", method, name);
    return -1;
}

static int
parse(gl_loop *loop, const char *method, const char *const *names, PyObject *const *args,
      Py_ssize_t nargs, PyObject *kwnames, call_args *call)
{
    Py_ssize_t n = 0;
    *call = (call_args){.rest = NULL};
    while (names[n] != NULL && n < nargs) {
        call->fixed[n] = args[n];
        n++;
    }
    call->rest = args + n;
    call->nrest = nargs - n;
    if (kwnames != NULL) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++) {
            if (take_keyword(loop, method, names, PyTuple_GET_ITEM(kwnames, i), args[nargs + i],
                             call) < 0) {
                return -1;
            }
        }
    }
    for (n = 0; names[n] != NULL; n++) {
        if (call->fixed[n] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", method, names[n]);
            return -1;
        }
    }
    return 0;
}

/* asyncio's checks of debug mode, inherited from BaseEventLoop. */
static int
debug_check(gl_loop *loop, const char *method, PyObject *callback, bool any_thread)
{
    PyObject *result;
    if (!any_thread) {
        result = PyObject_CallMethod((PyObject *)loop, "_check_thread", NULL);
        if (result == NULL) {
            return -1;
        }
        Py_DECREF(result);
    }
    result = PyObject_CallMethod((PyObject *)loop, "_check_callback", "Os", callback, method);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static gl_handle *
schedule(gl_loop *loop, const char *method, PyObject *const *args, Py_ssize_t nargs,
         PyObject *kwnames, bool any_thread)
{
    call_args call;
    if (gl_check_closed(loop) < 0 || parse(loop, method, SOON, args, nargs, kwnames, &call) < 0) {
        return NULL;
    }
    if (loop->debug && debug_check(loop, method, call.fixed[0], any_thread) < 0) {
        return NULL;
    }
    return gl_handle_new(loop, call.fixed[0], call.rest, call.nrest, call.context);
}

PyObject *
gl_core_call_soon(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    gl_handle *handle = schedule(loop, "call_soon", args, nargs, kwnames, false);
    if (handle == NULL) {
        return NULL;
    }
    if (loop->capture != NULL) {
        *loop->capture = Py_NewRef((PyObject *)handle);
        loop->capture = NULL;
    } else if (gl_ready_push(loop, (PyObject *)handle) < 0) {
        Py_CLEAR(handle);
    }
    return (PyObject *)handle;
}

PyObject *
gl_core_call_soon_threadsafe(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    gl_handle *handle = schedule(loop, "call_soon_threadsafe", args, nargs, kwnames, true);
    if (handle == NULL) {
        return NULL;
    }
    /* Another thread may have closed the loop while the handle was made. */
    if (gl_check_closed(loop) < 0 || gl_ready_push(loop, (PyObject *)handle) < 0) {
        Py_DECREF(handle);
        return NULL;
    }
    gl_wake(loop);
    return (PyObject *)handle;
}

/* The first argument is the deadline, or with `relative` the delay. */
static PyObject *
schedule_timer(gl_loop *loop, const char *method, PyObject *const *args, Py_ssize_t nargs,
               PyObject *kwnames, bool relative)
{
    call_args call;
    if (gl_check_closed(loop) < 0 ||
        parse(loop, method, relative ? LATER : AT, args, nargs, kwnames, &call) < 0) {
        return NULL;
    }
    if (call.fixed[0] == Py_None) {
        PyErr_SetString(PyExc_TypeError,
                        relative ? "delay must not be None" : "when cannot be None");
        return NULL;
    }
    double when = PyFloat_AsDouble(call.fixed[0]);
    if (when == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    if (isnan(when)) {
        PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
        return NULL;
    }
    if (loop->debug && debug_check(loop, method, call.fixed[1], false) < 0) {
        return NULL;
    }
    if (relative) {
        when += gl_time();
    }
    gl_timer *timer = gl_timer_new(loop, when, call.fixed[1], call.rest, call.nrest, call.context);
    if (timer != NULL && gl_timers_add(loop, timer) < 0) {
        Py_CLEAR(timer);
    }
    return (PyObject *)timer;
}

PyObject *
gl_core_call_later(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return schedule_timer(loop, "call_later", args, nargs, kwnames, true);
}

PyObject *
gl_core_call_at(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return schedule_timer(loop, "call_at", args, nargs, kwnames, false);
}

/* asyncio's own handles, from the delivery of signals. */
PyObject *
gl_core_add_callback(gl_loop *loop, PyObject *handle)
{
    if (gl_ready_push(loop, handle) < 0) {
        return NULL;
    }
    gl_wake(loop);
    Py_RETURN_NONE;
}

/* asyncio's TimerHandle.cancel() calls it; ours are gone from the heap by then. */
PyObject *
gl_core_timer_handle_cancelled(gl_loop *Py_UNUSED(loop), PyObject *Py_UNUSED(handle))
{
    Py_RETURN_NONE;
}
