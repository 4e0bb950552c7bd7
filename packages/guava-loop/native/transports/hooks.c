/* hooks.c: the methods by which asyncio's loop makes transports and asks for them. */
#include "hooks.h"

#include "../parts.h"
#include "transport.h"

/* _make_socket_transport(sock, protocol, waiter=None, *, extra=None, server=None). */
PyObject *
gl_core_make_socket_transport(gl_loop *loop, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sock", "protocol", "waiter", "extra", "server", NULL};
    PyObject *socket, *protocol, *waiter = NULL, *extra = NULL, *server = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O$OO:_make_socket_transport", names,
                                     &socket, &protocol, &waiter, &extra, &server)) {
        return NULL;
    }
    gl_endpoint end;
    if (gl_endpoint_of_socket(&end, socket) < 0) {
        return NULL;
    }
    gl_set_nodelay(end.fd, end.family);
    return gl_transport_new(loop, &end, protocol, waiter, extra, server);
}

/* A transport of asyncio's own, borrowed; NULL with or without an exception set. */
static PyObject *
foreign_owner(gl_loop *loop, int fd)
{
    gl_face_state *face = loop->state->face;
    PyObject *all = PyObject_GetAttr((PyObject *)loop, face->name._transports);
    PyObject *found = NULL;
    Py_ssize_t n = all != NULL ? PyObject_Size(all) : -1;
    if (n > 0) {
        found = PyObject_CallMethod(all, "get", "i", fd);
    }
    Py_XDECREF(all);
    if (found == Py_None) {
        Py_CLEAR(found);
    }
    return found;
}

/* Whether the object has a fileno(), which is then that of a closed socket. Clears the exception
 * that is set, and sets none. */
static bool
is_closed(PyObject *object)
{
    PyErr_Clear();
    PyObject *number =
        PyLong_Check(object) ? Py_NewRef(object) : PyObject_CallMethod(object, "fileno", NULL);
    bool has = number != NULL && PyLong_Check(number);
    Py_XDECREF(number);
    PyErr_Clear();
    return has;
}

/* Before add_reader() and its kin: a transport's descriptor is not theirs. */
PyObject *
gl_core_ensure_fd_no_transport(gl_loop *loop, PyObject *object)
{
    int fd = PyObject_AsFileDescriptor(object);
    if (fd < 0) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError) &&
            !PyErr_ExceptionMatches(PyExc_TypeError) &&
            !PyErr_ExceptionMatches(PyExc_ValueError)) {
            return NULL;
        }
        if (is_closed(object)) {
            Py_RETURN_NONE; /* and is no transport's */
        }
        return PyErr_Format(PyExc_ValueError, "Invalid file object: %R", object);
    }
    PyObject *transport = Py_XNewRef(gl_face_owner(loop, fd));
    if (transport == NULL) {
        transport = foreign_owner(loop, fd);
    }
    if (transport == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    PyObject *closing = PyObject_CallMethod(transport, "is_closing", NULL);
    int is_closing = closing != NULL ? PyObject_IsTrue(closing) : -1;
    Py_XDECREF(closing);
    if (is_closing == 0) {
        PyErr_Format(PyExc_RuntimeError, "File descriptor %R is used by transport %R", object,
                     transport);
    }
    Py_DECREF(transport);
    return is_closing == 1 ? Py_NewRef(Py_None) : NULL;
}
