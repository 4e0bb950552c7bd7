/* error.c: the one place where libuv's codes become exceptions, and the one way by which
 * exceptions leave a callback. */
#include <Python.h>
#include <errno.h>

#include "handle.h"

PyObject *
gl_uv_error(int code)
{
    /* On POSIX systems libuv's codes are negated errno values; OSError picks its subclass. */
    errno = -code;
    return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *
gl_err_take(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        /* It fails only for what is no traceback. */
        (void)PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(traceback);
    Py_DECREF(type);
    return value;
#endif
}

void
gl_err_give(PyObject *exc)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exc);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(exc)), exc, PyException_GetTraceback(exc));
#endif
}

/* Whether the exception that is set has to leave run_forever(); then it is on its way. */
static bool
stops_the_loop(gl_loop *loop)
{
    if (!PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) &&
        !PyErr_ExceptionMatches(PyExc_SystemExit)) {
        return false;
    }
    PyObject *exc = gl_err_take();
    if (loop->exc == NULL) {
        loop->exc = exc;
    } else {
        Py_DECREF(exc);
    }
    if (loop->thread != 0) {
        uv_stop(&loop->uv);
    }
    return true;
}

/* Takes `message` and `exc`. */
static void
call_exception_handler(gl_loop *loop, PyObject *message, PyObject *exc, const char *key,
                       PyObject *value, PyObject *source_traceback)
{
    PyObject *result = NULL, *context = PyDict_New();
    if (context == NULL || message == NULL ||
        PyDict_SetItemString(context, "message", message) < 0 ||
        PyDict_SetItemString(context, "exception", exc) < 0) {
        goto done;
    }
    if (value != NULL && PyDict_SetItemString(context, key, value) < 0) {
        goto done;
    }
    if (source_traceback != NULL &&
        PyDict_SetItemString(context, "source_traceback", source_traceback) < 0) {
        goto done;
    }
    result = PyObject_CallMethodOneArg((PyObject *)loop, loop->state->str_call_exception_handler,
                                       context);
done:
    if (result == NULL && !stops_the_loop(loop)) {
        PyErr_WriteUnraisable((PyObject *)loop);
    }
    Py_XDECREF(result);
    Py_XDECREF(context);
    Py_XDECREF(message);
    Py_DECREF(exc);
}

void
gl_loop_error(gl_loop *loop, const char *where, PyObject *context)
{
    if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "%s: a failure without an exception", where);
    }
    if (!stops_the_loop(loop)) {
        PyObject *exc = gl_err_take();
        call_exception_handler(loop, PyUnicode_FromString(where), exc, "object", context, NULL);
    }
}

void
gl_handle_error(gl_loop *loop, PyObject *object)
{
    gl_handle *handle = (gl_handle *)object;
    if (stops_the_loop(loop)) {
        return;
    }
    bool starved = PyErr_ExceptionMatches(PyExc_MemoryError);
    PyObject *exc = gl_err_take();
    PyObject *message = NULL, *source = NULL;
    PyObject *args = PyObject_GetAttrString(object, "_args");
    if (args != NULL) {
        source = gl_describe_callback(loop, handle->callback ? handle->callback : Py_None, args);
    }
    if (source != NULL) {
        message = PyUnicode_FromFormat("Exception in callback %S", source);
    }
    Py_XDECREF(source);
    Py_XDECREF(args);
    call_exception_handler(loop, message, exc, "handle", object, handle->source_traceback);
    if (starved) {
        gl_task_rescue(loop, handle);
    }
}
