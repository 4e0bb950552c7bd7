/* sock_connect.c: sock_connect(): the calls that are ours, and what it tries.
 *
 * A connection over the loopback is there before the first connect() returns, which says
 * EINPROGRESS all the same. To ask again costs less than to have the poll say so. */
#include <Python.h>
#include <errno.h>
#include <sys/socket.h>

#include "address.h"
#include "sockop.h"

/* asyncio's words for what comes after the first call. */
static int
failed(gl_sockop *op, int error)
{
    PyObject *text = PyUnicode_FromFormat("Connect call failed %S", op->address);
    PyObject *exc = text != NULL ? PyObject_CallFunction(PyExc_OSError, "iO", error, text) : NULL;
    if (exc != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
        Py_DECREF(exc);
    }
    Py_XDECREF(text);
    return GL_OP_FAILED;
}

static int
begin(gl_sockop *op)
{
    gl_name room;
    socklen_t size;
    if (PySys_Audit("socket.connect", "OO", op->socket, op->address) < 0) {
        return GL_OP_FAILED;
    }
    const struct sockaddr *to = gl_name_find(op->loop, op->family, op->address, &room, &size);
    if (to == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_OSError, "the address has changed while it was waited for");
        }
        return GL_OP_FAILED;
    }
    if (connect(op->fd, to, size) == 0) {
        return GL_OP_DONE;
    }
    if (errno != EINPROGRESS && errno != EINTR) {
        return gl_sockop_errno();
    }
    if (connect(op->fd, to, size) == 0 || errno == EISCONN) {
        return GL_OP_DONE;
    }
    return errno == EALREADY || errno == EINTR ? GL_OP_BLOCKED : failed(op, errno);
}

static int
end(gl_sockop *op)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
        return gl_sockop_errno();
    }
    return error == 0 ? GL_OP_DONE : failed(op, error);
}

static int
try_connect(gl_sockop *op, PyObject **result)
{
    bool begun = op->size != 0;
    op->size = 1;
    int how = begun ? end(op) : begin(op);
    if (how == GL_OP_DONE) {
        *result = Py_NewRef(Py_None);
    }
    return how;
}

static const gl_sockop_kind CONNECT = {"sock_connect", false, try_connect};

/* Whether the address needs no resolver, is no mistake, and is written as asyncio would. */
static bool
is_plain(gl_loop *loop, int family, PyObject *address)
{
    if (!gl_name_family_known(family) ||
        (family == AF_INET6 && !(PyTuple_Check(address) && PyTuple_GET_SIZE(address) == 4))) {
        return false;
    }
    gl_name room;
    socklen_t size;
    bool plain = gl_name_find(loop, family, address, &room, &size) != NULL;
    PyErr_Clear(); /* asyncio's own will raise it when it is awaited */
    return plain;
}

GL_SOCK_METHOD(sock_connect)
{
    int family = -1;
    if (nargs == 2 && kwnames == NULL && gl_is_socket(loop, args[0])) {
        family = gl_sockop_family(loop, args[0]);
    }
    if (family < 0 || !is_plain(loop, family, args[1])) {
        return gl_sockop_inherited(loop, CONNECT.name, args, nargs, kwnames);
    }
    gl_sockop *op = gl_sockop_new(loop, &CONNECT, args[0]);
    if (op != NULL) {
        op->family = family;
        op->address = Py_NewRef(args[1]);
    }
    return (PyObject *)op;
}
