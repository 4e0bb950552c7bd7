/* sock_receive.c: sock_recv(), sock_recv_into(), sock_recvfrom() and sock_recvfrom_into(): the
 * calls that are ours, and what each tries. */
#include <Python.h>
#include <errno.h>
#include <sys/socket.h>

#include "address.h"
#include "sockop.h"

/* recvfrom(), again when a signal has come between. */
static ssize_t
receive(gl_sockop *op, char *buffer, size_t size, gl_name *from, socklen_t *from_size)
{
    ssize_t n;
    do {
        n = recvfrom(op->fd, buffer, size, MSG_DONTWAIT, (struct sockaddr *)from, from_size);
    } while (n < 0 && errno == EINTR);
    return n;
}

static char *
buffer_of(gl_loop *loop)
{
    if (loop->sock_buffer == NULL) {
        loop->sock_buffer = PyMem_RawMalloc(GL_READ_BUFFER);
        if (loop->sock_buffer == NULL) {
            (void)PyErr_NoMemory();
        }
    }
    return loop->sock_buffer;
}

/* What fits the loop's buffer is received there and copied: an object of the right size costs less
 * than one of the size that was asked for, cut afterwards, and nothing is made when there is
 * nothing yet. */
static int
receive_bytes(gl_sockop *op, PyObject **result, gl_name *from, socklen_t *from_size)
{
    ssize_t n;
    if (op->size <= GL_READ_BUFFER) {
        char *buffer = buffer_of(op->loop);
        if (buffer == NULL) {
            return GL_OP_FAILED;
        }
        n = receive(op, buffer, (size_t)op->size, from, from_size);
        if (n < 0) {
            return gl_sockop_errno();
        }
        *result = PyBytes_FromStringAndSize(buffer, n);
        return *result != NULL ? GL_OP_DONE : GL_OP_FAILED;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, op->size);
    if (bytes == NULL) {
        return GL_OP_FAILED;
    }
    n = receive(op, PyBytes_AS_STRING(bytes), (size_t)op->size, from, from_size);
    if (n < 0) {
        int how = gl_sockop_errno();
        Py_DECREF(bytes);
        return how;
    }
    if (n != op->size && _PyBytes_Resize(&bytes, n) < 0) {
        return GL_OP_FAILED;
    }
    *result = bytes;
    return GL_OP_DONE;
}

static int
try_recv(gl_sockop *op, PyObject **result)
{
    if (op->size == 0) { /* Python's recv(0) does not ask the kernel either */
        *result = PyBytes_FromStringAndSize(NULL, 0);
        return *result != NULL ? GL_OP_DONE : GL_OP_FAILED;
    }
    return receive_bytes(op, result, NULL, NULL);
}

/* Into op->data. *count gets the number of bytes. */
static int
receive_into(gl_sockop *op, Py_ssize_t *count, gl_name *from, socklen_t *from_size)
{
    /* Only for the moment: whoever waits may still change its size. */
    Py_buffer view;
    if (PyObject_GetBuffer(op->data, &view, PyBUF_WRITABLE) < 0) {
        return GL_OP_FAILED;
    }
    Py_ssize_t size = op->size > 0 ? op->size : view.len;
    int how = GL_OP_DONE;
    if (size > view.len) {
        PyErr_SetString(PyExc_ValueError, "buffer too small for requested bytes");
        how = GL_OP_FAILED;
    } else if (size == 0 && from == NULL) {
        *count = 0;
    } else {
        *count = receive(op, view.buf, (size_t)size, from, from_size);
        how = *count < 0 ? gl_sockop_errno() : GL_OP_DONE;
    }
    PyBuffer_Release(&view);
    return how;
}

static int
try_recv_into(gl_sockop *op, PyObject **result)
{
    Py_ssize_t n;
    int how = receive_into(op, &n, NULL, NULL);
    if (how == GL_OP_DONE) {
        *result = PyLong_FromSsize_t(n);
        how = *result != NULL ? GL_OP_DONE : GL_OP_FAILED;
    }
    return how;
}

/* (data, address). Takes the reference to the data, which may be NULL. */
static int
with_address(gl_sockop *op, PyObject *data, gl_name *from, socklen_t size, PyObject **result)
{
    PyObject *address = data != NULL ? gl_name_object(op->loop, from, size) : NULL;
    *result = address != NULL ? PyTuple_Pack(2, data, address) : NULL;
    Py_XDECREF(address);
    Py_XDECREF(data);
    return *result != NULL ? GL_OP_DONE : GL_OP_FAILED;
}

static int
try_recvfrom(gl_sockop *op, PyObject **result)
{
    gl_name from;
    socklen_t size = sizeof(from);
    PyObject *data = NULL;
    int how = receive_bytes(op, &data, &from, &size);
    return how == GL_OP_DONE ? with_address(op, data, &from, size, result) : how;
}

static int
try_recvfrom_into(gl_sockop *op, PyObject **result)
{
    gl_name from;
    socklen_t size = sizeof(from);
    Py_ssize_t n;
    int how = receive_into(op, &n, &from, &size);
    if (how == GL_OP_DONE) {
        how = with_address(op, PyLong_FromSsize_t(n), &from, size, result);
    }
    return how;
}

/* ---- the methods ---------------------------------------------------------------------------- */

static const gl_sockop_kind RECV = {"sock_recv", true, try_recv};
static const gl_sockop_kind RECV_INTO = {"sock_recv_into", true, try_recv_into};
static const gl_sockop_kind RECVFROM = {"sock_recvfrom", true, try_recvfrom};
static const gl_sockop_kind RECVFROM_INTO = {"sock_recvfrom_into", true, try_recvfrom_into};

/* A plain number of bytes, or -1: then asyncio's own will say what is wrong with it. */
static Py_ssize_t
size_of(PyObject *object)
{
    Py_ssize_t size = PyLong_CheckExact(object) ? PyLong_AsSsize_t(object) : -1;
    if (size < 0) {
        PyErr_Clear();
        return -1;
    }
    return size;
}

/* Whether it is one of those whose memory is certainly there to be written. */
static bool
is_writable(PyObject *object)
{
    if (PyMemoryView_Check(object)) {
        const Py_buffer *view = PyMemoryView_GET_BUFFER(object);
        return !view->readonly && view->ndim == 1 && view->itemsize == 1 &&
               PyBuffer_IsContiguous(view, 'C');
    }
    return PyByteArray_CheckExact(object);
}

/* The coroutine, if all is as usual; else asyncio's own method's. */
static PyObject *
receive_method(gl_loop *loop, const gl_sockop_kind *kind, bool family_matters,
               PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t size = nargs == 2 && kwnames == NULL ? size_of(args[1]) : -1;
    if (size < 0 || !gl_is_socket(loop, args[0]) ||
        (family_matters && !gl_name_family_known(gl_sockop_family(loop, args[0])))) {
        return gl_sockop_inherited(loop, kind->name, args, nargs, kwnames);
    }
    gl_sockop *op = gl_sockop_new(loop, kind, args[0]);
    if (op != NULL) {
        op->size = size;
    }
    return (PyObject *)op;
}

static PyObject *
into_method(gl_loop *loop, const gl_sockop_kind *kind, bool with_address, PyObject *const *args,
            Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t size = with_address && nargs == 3 ? size_of(args[2]) : 0;
    if (nargs < 2 || nargs > 2 + with_address || size < 0 || kwnames != NULL ||
        !gl_is_socket(loop, args[0]) || !is_writable(args[1]) ||
        (with_address && !gl_name_family_known(gl_sockop_family(loop, args[0])))) {
        return gl_sockop_inherited(loop, kind->name, args, nargs, kwnames);
    }
    gl_sockop *op = gl_sockop_new(loop, kind, args[0]);
    if (op != NULL) {
        op->data = Py_NewRef(args[1]);
        op->size = size;
    }
    return (PyObject *)op;
}

GL_SOCK_METHOD(sock_recv)
{
    return receive_method(loop, &RECV, false, args, nargs, kwnames);
}

GL_SOCK_METHOD(sock_recvfrom)
{
    return receive_method(loop, &RECVFROM, true, args, nargs, kwnames);
}

GL_SOCK_METHOD(sock_recv_into)
{
    return into_method(loop, &RECV_INTO, false, args, nargs, kwnames);
}

GL_SOCK_METHOD(sock_recvfrom_into)
{
    return into_method(loop, &RECVFROM_INTO, true, args, nargs, kwnames);
}
