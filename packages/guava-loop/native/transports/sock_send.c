/* sock_send.c: sock_sendall() and sock_sendto(): the calls that are ours, and what each tries. */
#include <Python.h>
#include <errno.h>
#include <sys/socket.h>

#include "address.h"
#include "sockop.h"

/* A peer that is gone is told by EPIPE, and not by a signal. */
#ifdef MSG_NOSIGNAL
#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define SEND_FLAGS MSG_DONTWAIT /* Python ignores SIGPIPE */
#endif

static ssize_t
send_some(gl_sockop *op, const struct sockaddr *to, socklen_t to_size)
{
    const char *start = (const char *)op->view.buf + op->sent;
    ssize_t n;
    do {
        n = sendto(op->fd, start, (size_t)(op->view.len - op->sent), SEND_FLAGS, to, to_size);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Until all is gone or the kernel says EAGAIN, for only then it tells when there is room. */
static int
try_sendall(gl_sockop *op, PyObject **result)
{
    do {
        ssize_t n = send_some(op, NULL, 0);
        if (n < 0) {
            return gl_sockop_errno();
        }
        op->sent += n;
    } while (op->sent < op->view.len);
    *result = Py_NewRef(Py_None);
    return GL_OP_DONE;
}

static int
try_sendto(gl_sockop *op, PyObject **result)
{
    gl_name room;
    socklen_t size;
    const struct sockaddr *to = gl_name_find(op->loop, op->family, op->address, &room, &size);
    if (to == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_OSError, "the address has changed while it was waited for");
        }
        return GL_OP_FAILED;
    }
    ssize_t n = send_some(op, to, size);
    if (n < 0) {
        return gl_sockop_errno();
    }
    *result = PyLong_FromSsize_t(n);
    return *result != NULL ? GL_OP_DONE : GL_OP_FAILED;
}

static const gl_sockop_kind SENDALL = {"sock_sendall", false, try_sendall};
static const gl_sockop_kind SENDTO = {"sock_sendto", false, try_sendto};

/* Whether it is one of those whose length is their number of bytes. */
static bool
is_bytes(PyObject *object)
{
    if (PyMemoryView_Check(object)) {
        const Py_buffer *view = PyMemoryView_GET_BUFFER(object);
        return view->ndim == 1 && view->itemsize == 1 && PyBuffer_IsContiguous(view, 'C');
    }
    return PyBytes_CheckExact(object) || PyByteArray_CheckExact(object);
}

static gl_sockop *
new_op(gl_loop *loop, const gl_sockop_kind *kind, PyObject *socket, PyObject *data)
{
    gl_sockop *op = gl_sockop_new(loop, kind, socket);
    if (op != NULL) {
        op->data = Py_NewRef(data);
    }
    return op;
}

GL_SOCK_METHOD(sock_sendall)
{
    if (nargs != 2 || kwnames != NULL || !gl_is_socket(loop, args[0]) || !is_bytes(args[1])) {
        return gl_sockop_inherited(loop, SENDALL.name, args, nargs, kwnames);
    }
    return (PyObject *)new_op(loop, &SENDALL, args[0], args[1]);
}

/* Whether the address needs neither the resolver nor an error. */
static bool
is_plain(gl_loop *loop, int family, PyObject *address)
{
    gl_name room;
    socklen_t size;
    bool plain =
        gl_name_family_known(family) && gl_name_find(loop, family, address, &room, &size) != NULL;
    PyErr_Clear(); /* asyncio's own will raise it when it is awaited */
    return plain;
}

GL_SOCK_METHOD(sock_sendto)
{
    int family = -1;
    if (nargs == 3 && kwnames == NULL && gl_is_socket(loop, args[0]) && is_bytes(args[1])) {
        family = gl_sockop_family(loop, args[0]);
    }
    if (family < 0 || !is_plain(loop, family, args[2])) {
        return gl_sockop_inherited(loop, SENDTO.name, args, nargs, kwnames);
    }
    gl_sockop *op = new_op(loop, &SENDTO, args[0], args[1]);
    if (op != NULL) {
        op->family = family;
        op->address = Py_NewRef(args[2]);
    }
    return (PyObject *)op;
}
