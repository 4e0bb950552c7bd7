/* accept.c: how a server's connections become transports: without a Task for each, and with no
 * socket object until somebody asks for one. Servers with TLS go asyncio's way.
 *
 * asyncio's loop calls _accept_connection() when a listening socket is readable; here it calls an
 * Acceptor, so that starting, stopping and the pause for want of descriptors stay asyncio's. */
#include "hooks.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <structmember.h>
#include <unistd.h>

#include "../parts.h"

typedef struct {
    PyObject_HEAD gl_loop *loop;
    PyObject *args; /* of _start_serving(): protocol_factory, sock, sslcontext, server, ... */
    PyObject *factory, *socket, *server; /* borrowed from args */
    int family, kind, protocol;
    long backlog;
    vectorcallfunc vectorcall;
} acceptor;

/* A descriptor or -1 with errno set. */
static int
accept_one(int fd, gl_address *peer)
{
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(name);
    int got;
#ifdef __linux__
    got = accept4(fd, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    got = accept(fd, (struct sockaddr *)&name, &size);
    if (got >= 0 && (fcntl(got, F_SETFL, O_NONBLOCK) < 0 || fcntl(got, F_SETFD, FD_CLOEXEC) < 0)) {
        int error = errno;
        (void)close(got);
        errno = error;
        return -1;
    }
#endif
    peer->any.sa_family = AF_UNSPEC;
    if (got >= 0 && size <= sizeof(*peer)) {
        memcpy(peer, &name, size);
    }
    return got;
}

/* asyncio tells of these in debug mode only. */
static void
report_failure(acceptor *self, PyObject *protocol)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) ||
        PyErr_ExceptionMatches(PyExc_SystemExit)) {
        gl_loop_error(self->loop, "", NULL);
        return;
    }
    if (!self->loop->debug) {
        PyErr_Clear();
        return;
    }
    gl_face_state *face = self->loop->state->face;
    PyObject *exc = gl_err_take(), *result = NULL;
    PyObject *context = Py_BuildValue("{OsOO}", face->name.message,
                                      "Error on transport creation for incoming connection",
                                      face->name.exception, exc);
    if (context != NULL &&
        (protocol == NULL || PyDict_SetItem(context, face->name.protocol, protocol) == 0)) {
        result = PyObject_CallMethodOneArg((PyObject *)self->loop,
                                           face->name.call_exception_handler, context);
    }
    if (result == NULL) {
        gl_loop_error(self->loop, "An accepted connection could not be told of", NULL);
    }
    Py_XDECREF(result);
    Py_XDECREF(context);
    Py_DECREF(exc);
}

/* In a context of its own, as asyncio's Task for it would be. */
static void
serve(acceptor *self, gl_endpoint *end)
{
    PyObject *context = PyContext_CopyCurrent();
    if (context == NULL || PyContext_Enter(context) < 0) {
        gl_endpoint_close(end, self->loop->state->face);
        gl_loop_error(self->loop, "An accepted connection could not be served", NULL);
        Py_XDECREF(context);
        return;
    }
    PyObject *transport = NULL, *protocol = PyObject_CallNoArgs(self->factory);
    if (protocol != NULL) {
        transport = gl_transport_new(self->loop, end, protocol, NULL, NULL, self->server);
    } else {
        PyObject *raised = gl_err_take();
        gl_endpoint_close(end, self->loop->state->face);
        gl_err_give(raised);
    }
    if (transport == NULL) {
        report_failure(self, protocol);
    }
    Py_XDECREF(transport);
    Py_XDECREF(protocol);
    if (PyContext_Exit(context) < 0) {
        gl_loop_error(self->loop, "An accepted connection could not leave its context", NULL);
    }
    Py_DECREF(context);
}

/* self.call_later(ACCEPT_RETRY_DELAY, self._start_serving, *args), as asyncio. */
static PyObject *
rest(acceptor *self)
{
    gl_face_state *face = self->loop->state->face;
    PyObject *loop = (PyObject *)self->loop, *result = NULL, *context = NULL, *exc, *socket;
    (void)PyErr_SetFromErrno(PyExc_OSError);
    exc = gl_err_take();
    socket = PyObject_CallOneArg(face->of.transport_socket, self->socket);
    if (socket != NULL) {
        context =
            Py_BuildValue("{OsOOOO}", face->name.message, "socket.accept() out of system resource",
                          face->name.exception, exc, face->name.socket, socket);
    }
    if (context != NULL) {
        result = PyObject_CallMethodOneArg(loop, face->name.call_exception_handler, context);
    }
    Py_XDECREF(context);
    Py_XDECREF(socket);
    Py_DECREF(exc);
    if (result == NULL) {
        return NULL;
    }
    Py_DECREF(result);
    result =
        PyObject_CallMethod(loop, "_remove_reader", "i", PyObject_AsFileDescriptor(self->socket));
    if (result == NULL) {
        return NULL;
    }
    Py_DECREF(result);
    PyObject *seconds = PyObject_GetAttrString(face->of.constants, "ACCEPT_RETRY_DELAY");
    PyObject *again = seconds != NULL ? PyObject_GetAttrString(loop, "_start_serving") : NULL;
    PyObject *delay = again != NULL ? PyTuple_Pack(2, seconds, again) : NULL;
    PyObject *all = delay != NULL ? PySequence_Concat(delay, self->args) : NULL;
    PyObject *later = all != NULL ? PyObject_GetAttrString(loop, "call_later") : NULL;
    result = later != NULL ? PyObject_CallObject(later, all) : NULL;
    Py_XDECREF(later);
    Py_XDECREF(all);
    Py_XDECREF(delay);
    Py_XDECREF(again);
    Py_XDECREF(seconds);
    return result;
}

/* What the loop calls when the socket is readable. */
static PyObject *
accept_ready(PyObject *op, PyObject *const *Py_UNUSED(args), size_t Py_UNUSED(nargsf),
             PyObject *Py_UNUSED(kwnames))
{
    acceptor *self = (acceptor *)op;
    for (long i = 0; i < self->backlog && self->loop->exc == NULL; i++) {
        /* A protocol factory may have closed the server. */
        int fd = PyObject_AsFileDescriptor(self->socket);
        if (fd < 0) {
            if (i == 0) {
                return NULL;
            }
            PyErr_Clear();
            break;
        }
        gl_endpoint end;
        gl_address peer;
        int got = accept_one(fd, &peer);
        if (got >= 0) {
            gl_endpoint_of_fd(&end, got, self->family, self->kind, self->protocol, &peer);
            gl_face_debug(self->loop, "%r got a new connection",
                          self->server != NULL ? self->server : Py_None);
            serve(self, &end);
            continue;
        }
        switch (errno) {
        case EAGAIN:
#if EWOULDBLOCK != EAGAIN
        case EWOULDBLOCK:
#endif
        case EINTR:
        case ECONNABORTED:
            Py_RETURN_NONE;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return rest(self);
        default:
            return PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    Py_RETURN_NONE;
}

static int
acceptor_traverse(acceptor *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->loop);
    Py_VISIT(self->args);
    return 0;
}

static int
acceptor_clear(acceptor *self)
{
    self->backlog = 0; /* what is borrowed from args is not touched any more */
    Py_CLEAR(self->args);
    return 0;
}

static void
acceptor_dealloc(acceptor *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)acceptor_clear(self);
    Py_CLEAR(self->loop);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
acceptor_repr(acceptor *self)
{
    return PyUnicode_FromFormat("<accept on %R>", self->args != NULL ? self->socket : Py_None);
}

static acceptor *
new_acceptor(gl_loop *loop, PyObject *args)
{
    PyTypeObject *type = (PyTypeObject *)loop->state->face->type.acceptor;
    acceptor *self = (acceptor *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = accept_ready;
    self->loop = (gl_loop *)Py_NewRef((PyObject *)loop);
    self->args = Py_NewRef(args);
    self->factory = PyTuple_GET_ITEM(args, 0);
    self->socket = PyTuple_GET_ITEM(args, 1);
    self->server = PyTuple_GET_ITEM(args, 3);
    self->backlog = PyLong_AsLong(PyTuple_GET_ITEM(args, 4));
    if ((self->backlog == -1 && PyErr_Occurred()) ||
        gl_socket_kind(self->socket, &self->family, &self->kind, &self->protocol) < 0) {
        Py_CLEAR(self);
    }
    return self;
}

/* _serve(protocol_factory, sock, sslcontext, server, backlog, handshake, shutdown): the arguments
 * of asyncio's _start_serving(), all of them, and sslcontext None. */
PyObject *
gl_core_serve(gl_loop *loop, PyObject *args)
{
    if (PyTuple_GET_SIZE(args) < 5) {
        PyErr_SetString(PyExc_TypeError, "_serve() takes what _start_serving() takes");
        return NULL;
    }
    acceptor *self = new_acceptor(loop, args);
    if (self == NULL) {
        return NULL;
    }
    int fd = PyObject_AsFileDescriptor(self->socket);
    PyObject *handle = NULL;
    if (fd >= 0) {
        /* Accepted sockets inherit it, which saves a system call for each. */
        gl_set_nodelay(fd, self->family);
        handle = PyObject_CallMethod((PyObject *)loop, "_add_reader", "iO", fd, self);
    }
    Py_DECREF(self);
    if (handle == NULL) {
        return NULL;
    }
    Py_DECREF(handle);
    Py_RETURN_NONE;
}

static PyMemberDef acceptor_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(acceptor, vectorcall), READONLY, NULL},
    {NULL},
};

static PyType_Slot acceptor_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("Accepts the connections of a server.")},
    {Py_tp_dealloc, acceptor_dealloc},
    {Py_tp_traverse, acceptor_traverse},
    {Py_tp_clear, acceptor_clear},
    {Py_tp_repr, acceptor_repr},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, acceptor_members},
    {0, NULL},
};

static PyType_Spec acceptor_spec = {
    .name = "guava_loop._core.Acceptor",
    .basicsize = sizeof(acceptor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = acceptor_slots,
};

int
gl_accept_exec(PyObject *module, gl_state *state)
{
    state->face->type.acceptor = PyType_FromModuleAndSpec(module, &acceptor_spec, NULL);
    return state->face->type.acceptor != NULL ? 0 : -1;
}
