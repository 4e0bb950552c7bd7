/* sockop.c: the coroutine that a sock_ method of the loop returns. Its first step makes the system
 * call; if that would block, the descriptor is watched, a future is yielded, and the call is made
 * again by the poll itself when there is something. asyncio's own coroutine does the same with an
 * exception for EAGAIN, a handle, a callback on the future and two changes of the poll for each
 * call. Here the kernel goes on watching between two calls (poller.c). */
#include <Python.h>
#include <errno.h>
#include <structmember.h>
#include <sys/socket.h>

#include "handle.h"
#include "hooks.h"
#include "poller.h"
#include "schedule.h"
#include "sockop.h"

/* op->stage */
enum { NEW, WAITING, OVER };

static gl_face_state *
face_of(gl_sockop *self)
{
    return self->loop->state->face;
}

gl_sockop *
gl_sockop_new(gl_loop *loop, const gl_sockop_kind *kind, PyObject *socket)
{
    PyTypeObject *type = (PyTypeObject *)loop->state->face->type.sockop;
    gl_sockop *self = PyObject_GC_New(gl_sockop, type);
    if (self == NULL) {
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof(*self) - sizeof(PyObject));
    self->loop = (gl_loop *)Py_NewRef(loop);
    self->kind = kind;
    self->socket = Py_NewRef(socket);
    self->fd = -1;
    PyObject_GC_Track(self);
    return self;
}

PyObject *
gl_sockop_inherited(gl_loop *loop, const char *name, PyObject *const *args, Py_ssize_t nargs,
                    PyObject *kwnames)
{
    PyObject *result = NULL;
    PyObject *base = loop->state->face->of.selector_loop;
    PyObject *method = PyObject_GetAttrString(base, name);
    Py_ssize_t total = nargs + (kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject **stack = PyMem_New(PyObject *, total + 1);
    if (stack == NULL) {
        (void)PyErr_NoMemory();
    } else if (method != NULL) {
        stack[0] = (PyObject *)loop;
        memcpy(stack + 1, args, (size_t)total * sizeof(*stack));
        result = PyObject_Vectorcall(method, stack, (size_t)nargs + 1, kwnames);
    }
    PyMem_Free(stack);
    Py_XDECREF(method);
    return result;
}

int
gl_sockop_errno(void)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return GL_OP_BLOCKED;
    }
    (void)PyErr_SetFromErrno(PyExc_OSError);
    return GL_OP_FAILED;
}

int
gl_sockop_family(const gl_loop *loop, PyObject *socket)
{
    /* socket.socket's own attribute is a property in Python that makes an enum of it. */
    gl_face_state *face = loop->state->face;
    PyObject *member = PyObject_GetAttr(face->of.native_socket, face->name.family);
    descrgetfunc get = member != NULL ? Py_TYPE(member)->tp_descr_get : NULL;
    PyObject *value = get != NULL ? get(member, socket, (PyObject *)Py_TYPE(socket)) : NULL;
    long family = value != NULL ? PyLong_AsLong(value) : -1;
    Py_XDECREF(value);
    Py_XDECREF(member);
    PyErr_Clear(); /* whoever asks has another way */
    return (int)family;
}

static int
sockop_traverse(gl_sockop *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->loop);
    Py_VISIT(self->socket);
    Py_VISIT(self->data);
    Py_VISIT(self->address);
    Py_VISIT(self->future);
    Py_VISIT(self->iterator);
    Py_VISIT(self->view.obj);
    return 0;
}

static int
sockop_clear(gl_sockop *self)
{
    self->stage = OVER;
    if (self->view.obj != NULL) {
        PyBuffer_Release(&self->view);
    }
    Py_CLEAR(self->iterator);
    Py_CLEAR(self->future);
    Py_CLEAR(self->data);
    Py_CLEAR(self->address);
    Py_CLEAR(self->socket);
    return 0;
}

static void
sockop_finalize(gl_sockop *self)
{
    if (self->stage != NEW) {
        return;
    }
    PyObject *before = gl_err_take();
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine 'Loop.%s' was never awaited",
                         self->kind->name) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    if (before != NULL) {
        gl_err_give(before);
    }
}

static void
sockop_dealloc(gl_sockop *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->stage == NEW && PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)sockop_clear(self);
    Py_CLEAR(self->loop);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* What it does not need any more, once the result is on its way. */
static void
settle(gl_sockop *self)
{
    gl_poller_leave(self->loop, self->fd, self->kind->reading, (PyObject *)self);
    if (self->view.obj != NULL) {
        PyBuffer_Release(&self->view);
    }
}

/* The socket's descriptor now: its user may have closed it. 0, or -1 with an exception set. */
static int
find_descriptor(gl_sockop *self)
{
    PyObject *number = PyObject_CallMethodNoArgs(self->socket, face_of(self)->name.fileno);
    long fd = number != NULL ? PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    if (fd == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (fd < 0 || (self->stage == WAITING && fd != self->fd)) {
        errno = EBADF;
        (void)PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    self->fd = (int)fd;
    return 0;
}

static bool
is_done(gl_sockop *self)
{
    PyObject *done = PyObject_CallMethodNoArgs(self->future, face_of(self)->name.done);
    if (done == NULL) {
        gl_loop_error(self->loop, "A future could not be asked", self->future);
        return true;
    }
    bool truth = done == Py_True;
    Py_DECREF(done);
    return truth;
}

/* Takes the exception that is set when there is no result. */
static void
resolve(gl_sockop *self, PyObject *result)
{
    gl_face_state *face = face_of(self);
    PyObject *exc = result == NULL ? gl_err_take() : NULL;
    settle(self);
    PyObject *set = result != NULL
                        ? PyObject_CallMethodOneArg(self->future, face->name.set_result, result)
                        : PyObject_CallMethodOneArg(self->future, face->name.set_exception, exc);
    if (set == NULL) {
        gl_loop_error(self->loop, "A future could not be resolved", self->future);
    }
    Py_XDECREF(set);
    Py_XDECREF(exc);
}

/* Called by the poll. */
static void
on_ready(PyObject *object)
{
    gl_sockop *self = (gl_sockop *)object;
    if (self->stage != WAITING || is_done(self)) {
        /* Cancelled: the data is for the next. */
        gl_poller_leave(self->loop, self->fd, self->kind->reading, object);
        return;
    }
    PyObject *result = NULL;
    int how = find_descriptor(self) < 0 ? GL_OP_FAILED : self->kind->attempt(self, &result);
    if (how != GL_OP_BLOCKED) {
        resolve(self, result);
        Py_XDECREF(result);
    }
}

/* asyncio's refusal of what a transport has. A guest was looked at when it became one. */
static int
check_owner(gl_sockop *self)
{
    if (gl_poller_has_guest(self->loop, self->fd, self->socket)) {
        return 0;
    }
    PyObject *number = PyLong_FromLong(self->fd);
    PyObject *result = number != NULL ? gl_core_ensure_fd_no_transport(self->loop, number) : NULL;
    Py_XDECREF(number);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static int
start_waiting(gl_sockop *self)
{
    if (check_owner(self) < 0) {
        return -1;
    }
    self->future = gl_core_create_future(self->loop, NULL);
    self->iterator = self->future != NULL ? PyObject_GetIter(self->future) : NULL;
    if (self->iterator == NULL || gl_poller_visit(self->loop, self->fd, self->kind->reading,
                                                  (PyObject *)self, on_ready, self->socket) < 0) {
        return -1;
    }
    self->stage = WAITING;
    return 0;
}

/* asyncio's check in debug mode. */
static int
check_blocking(gl_sockop *self)
{
    PyObject *timeout = PyObject_CallMethod(self->socket, "gettimeout", NULL);
    if (timeout == NULL) {
        return -1;
    }
    int blocks = timeout == Py_None ? 1 : PyObject_IsTrue(timeout);
    Py_DECREF(timeout);
    if (blocks > 0) {
        PyErr_SetString(PyExc_ValueError, "the socket must be non-blocking");
    }
    return blocks == 0 ? 0 : -1;
}

/* ---- the coroutine's methods ---------------------------------------------------------------- */

static PySendResult
first_step(gl_sockop *self, PyObject **result)
{
    self->stage = OVER;
    if ((self->loop->debug && check_blocking(self) < 0) || find_descriptor(self) < 0) {
        return PYGEN_ERROR;
    }
    if (!self->kind->reading && self->data != NULL &&
        PyObject_GetBuffer(self->data, &self->view, PyBUF_SIMPLE) < 0) {
        return PYGEN_ERROR;
    }
    switch (self->kind->attempt(self, result)) {
    case GL_OP_DONE:
        if (self->view.obj != NULL) {
            PyBuffer_Release(&self->view);
        }
        return PYGEN_RETURN;
    case GL_OP_BLOCKED:
        if (start_waiting(self) == 0) {
            return PyIter_Send(self->iterator, Py_None, result);
        }
        break;
    default:
        break;
    }
    return PYGEN_ERROR;
}

static PySendResult
sockop_am_send(PyObject *op, PyObject *value, PyObject **result)
{
    gl_sockop *self = (gl_sockop *)op;
    *result = NULL;
    if (self->stage == NEW) {
        if (value != Py_None) {
            PyErr_SetString(PyExc_TypeError,
                            "can't send non-None value to a just-started coroutine");
            return PYGEN_ERROR;
        }
        return first_step(self, result);
    }
    if (self->stage == OVER) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    PySendResult how = PyIter_Send(self->iterator, value, result);
    if (how != PYGEN_NEXT) {
        self->stage = OVER;
        if (how == PYGEN_ERROR) {
            PyObject *exc = gl_err_take();
            settle(self);
            gl_err_give(exc);
        }
        Py_CLEAR(self->iterator);
        Py_CLEAR(self->future);
    }
    return how;
}

static PyObject *
sockop_send(PyObject *op, PyObject *value)
{
    PyObject *result;
    if (sockop_am_send(op, value, &result) != PYGEN_RETURN) {
        return result;
    }
    /* An instance, for a bare tuple would be taken for the arguments of one. */
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    Py_DECREF(result);
    return NULL;
}

static PyObject *
sockop_iternext(PyObject *op)
{
    return sockop_send(op, Py_None);
}

static void
stop(gl_sockop *self)
{
    if (self->stage == WAITING) {
        settle(self);
    }
    self->stage = OVER;
    Py_CLEAR(self->iterator);
    Py_CLEAR(self->future);
}

static PyObject *
sockop_throw(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    gl_sockop *self = (gl_sockop *)op;
    if (nargs < 1 || nargs > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes one to three arguments");
        return NULL;
    }
    if (self->stage == OVER) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return NULL;
    }
    stop(self);
    PyObject *value = nargs > 1 && args[1] != Py_None ? args[1] : NULL;
    if (PyExceptionInstance_Check(args[0]) && value == NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
    } else if (PyExceptionClass_Check(args[0])) {
        PyErr_SetObject(args[0], value);
    } else {
        PyErr_SetString(PyExc_TypeError, "exceptions must be classes or instances deriving from "
                                         "BaseException");
    }
    return NULL;
}

static PyObject *
sockop_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    stop((gl_sockop *)op);
    Py_RETURN_NONE;
}

static PyObject *
sockop_get_name(gl_sockop *self, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(self->kind->name);
}

static PyObject *
sockop_get_qualname(gl_sockop *self, void *Py_UNUSED(closure))
{
    return PyUnicode_FromFormat("Loop.%s", self->kind->name);
}

static PyObject *
sockop_repr(gl_sockop *self)
{
    return PyUnicode_FromFormat("<coroutine object Loop.%s at %p>", self->kind->name, self);
}

static PyMethodDef sockop_methods[] = {
    {"send", sockop_send, METH_O, PyDoc_STR("As a coroutine's.")},
    {"throw", (PyCFunction)(void (*)(void))sockop_throw, METH_FASTCALL,
     PyDoc_STR("As a coroutine's.")},
    {"close", sockop_close, METH_NOARGS, PyDoc_STR("As a coroutine's.")},
    {NULL},
};

static PyGetSetDef sockop_getset[] = {
    {"__name__", (getter)sockop_get_name, NULL, NULL, NULL},
    {"__qualname__", (getter)sockop_get_qualname, NULL, NULL, NULL},
    {NULL},
};

static PyMemberDef sockop_members[] = {
    {"cr_await", T_OBJECT, offsetof(gl_sockop, future), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(gl_sockop, weakrefs), READONLY, NULL},
    {NULL},
};

static PyType_Slot sockop_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("The coroutine of one of the loop's sock_ methods.")},
    {Py_tp_dealloc, sockop_dealloc},
    {Py_tp_finalize, sockop_finalize},
    {Py_tp_traverse, sockop_traverse},
    {Py_tp_clear, sockop_clear},
    {Py_tp_repr, sockop_repr},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, sockop_iternext},
    {Py_tp_methods, sockop_methods},
    {Py_tp_getset, sockop_getset},
    {Py_tp_members, sockop_members},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, sockop_am_send},
    {0, NULL},
};

static PyType_Spec sockop_spec = {
    .name = "guava_loop._core.SocketCoroutine",
    .basicsize = sizeof(gl_sockop),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = sockop_slots,
};

int
gl_sockop_exec(PyObject *module, gl_state *state)
{
    state->face->type.sockop = PyType_FromModuleAndSpec(module, &sockop_spec, NULL);
    return state->face->type.sockop != NULL
               ? PyModule_AddType(module, (PyTypeObject *)state->face->type.sockop)
               : -1;
}
