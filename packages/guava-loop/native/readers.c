/* readers.c: add_reader(), add_writer(), their removal, and what the selector tells of them: the
 * methods of Core over the pollers, which call a handle when a descriptor is ready. */
#include <Python.h>

#include "handle.h"
#include "poller.h"

static PyObject *
add(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs, bool reading)
{
    if (gl_check_closed(loop) < 0) {
        return NULL;
    }
    if (nargs < 2) {
        PyErr_SetString(PyExc_TypeError, "a file descriptor and a callback are needed");
        return NULL;
    }
    int fd = PyObject_AsFileDescriptor(args[0]);
    if (fd < 0) {
        return NULL;
    }
    gl_handle *handle = gl_handle_new(loop, args[1], args + 2, nargs - 2, NULL);
    if (handle == NULL) {
        return NULL;
    }
    if (gl_poller_watch(loop, fd, reading, (PyObject *)handle, NULL) < 0) {
        Py_CLEAR(handle);
    } else if (!PyLong_Check(args[0])) {
        gl_poller_name(loop, fd, args[0]);
    }
    return (PyObject *)handle;
}

PyObject *
gl_core_add_reader(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs)
{
    return add(loop, args, nargs, true);
}

PyObject *
gl_core_add_writer(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs)
{
    return add(loop, args, nargs, false);
}

static PyObject *
remove_interest(gl_loop *loop, PyObject *fileobj, bool reading)
{
    if (loop->closed) {
        Py_RETURN_FALSE;
    }
    int fd = PyObject_AsFileDescriptor(fileobj);
    if (fd < 0) {
        fd = PyErr_ExceptionMatches(PyExc_ValueError) ? gl_poller_named(loop, fileobj) : -1;
        if (fd < 0) {
            return NULL;
        }
        PyErr_Clear();
    }
    return PyBool_FromLong(gl_poller_forget(loop, fd, reading));
}

PyObject *
gl_core_remove_reader(gl_loop *loop, PyObject *fileobj)
{
    return remove_interest(loop, fileobj, true);
}

PyObject *
gl_core_remove_writer(gl_loop *loop, PyObject *fileobj)
{
    return remove_interest(loop, fileobj, false);
}

/* {fd: (reader, writer)}, for the selector that asyncio looks into. */
PyObject *
gl_core_polled(gl_loop *loop, PyObject *Py_UNUSED(ignored))
{
    PyObject *map = PyDict_New();
    for (size_t fd = 0; map != NULL && fd < loop->npollers; fd++) {
        PyObject *reader = gl_poller_interest(loop, (int)fd, true);
        PyObject *writer = gl_poller_interest(loop, (int)fd, false);
        if (reader == NULL && writer == NULL) {
            continue;
        }
        PyObject *key = PyLong_FromSize_t(fd);
        PyObject *pair =
            Py_BuildValue("(OO)", reader ? reader : Py_None, writer ? writer : Py_None);
        if (key == NULL || pair == NULL || PyDict_SetItem(map, key, pair) < 0) {
            Py_CLEAR(map);
        }
        Py_XDECREF(key);
        Py_XDECREF(pair);
    }
    return map;
}
