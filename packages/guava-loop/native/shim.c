/* shim.c: the coroutine that a request's Task is given when it is initialised after, or in the
 * middle of, the coroutine's first step. Its own first send() repeats what the real first step has
 * yielded, returned or raised; from then on it passes everything through. So the standard
 * library's Task does what it would have done, without being told that it came late.
 *
 * One case takes care: a task that was cancelled during the first step. The real Task would have
 * cancelled the future that the step yielded; the late one throws CancelledError instead, which
 * throw() turns back into that.
 */
#include "shim.h"

typedef enum {
    FIRST,    /* the first step has not ended */
    YIELDED,  /* `kept` is to be yielded again */
    RETURNED, /* `kept` is the result */
    RAISED,   /* `kept` is the exception */
    THROWING, /* `kept` is to be thrown in at the next send() */
    PASSING,  /* the first step is known to all */
} stage;

typedef struct {
    PyObject_HEAD gl_io_state *io; /* of the module, which the type keeps alive */
    PyObject *coroutine;
    PyObject *kept;
    stage stage;
} shim_object;

PyObject *
gl_shim_new(gl_io_state *io, PyObject *coroutine)
{
    shim_object *self = PyObject_GC_New(shim_object, io->shim_type);
    if (self == NULL) {
        return NULL;
    }
    self->io = io;
    self->coroutine = Py_NewRef(coroutine);
    self->kept = NULL;
    self->stage = FIRST;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

void
gl_shim_first(PyObject *shim, PySendResult how, PyObject *what)
{
    shim_object *self = (shim_object *)shim;
    self->kept = what;
    self->stage = how == PYGEN_NEXT ? YIELDED : how == PYGEN_RETURN ? RETURNED : RAISED;
}

PyObject *
gl_shim_inner(gl_io_state *io, PyObject *object)
{
    return Py_IS_TYPE(object, io->shim_type) ? ((shim_object *)object)->coroutine : object;
}

static PyObject *
take_kept(shim_object *self)
{
    PyObject *kept = self->kept;
    self->kept = NULL;
    self->stage = PASSING;
    return kept;
}

static void
shim_dealloc(PyObject *op)
{
    shim_object *self = (shim_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(self->coroutine);
    Py_CLEAR(self->kept);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static int
shim_traverse(PyObject *op, visitproc visit, void *arg)
{
    shim_object *self = (shim_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->coroutine);
    Py_VISIT(self->kept);
    return 0;
}

static int
shim_clear(PyObject *op)
{
    /* The coroutine stays until the end: every method relies on it, and it breaks cycles itself.
     */
    shim_object *self = (shim_object *)op;
    if (self->kept) {
        Py_DECREF(take_kept(self));
    }
    return 0;
}

/* ---- the coroutine's methods ---------------------------------------------------------------- */

/* What a method call of a generator has given, as PyIter_Send() tells it. */
static PySendResult
send_result(PyObject *value, PyObject **result)
{
    if (value) {
        *result = value;
        return PYGEN_NEXT;
    }
    *result = NULL;
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return PYGEN_ERROR;
    }
    PyObject *stop = gl_err_take();
    *result = Py_NewRef(((PyStopIterationObject *)stop)->value);
    Py_DECREF(stop);
    return PYGEN_RETURN;
}

/* And back. */
static PyObject *
method_result(PySendResult how, PyObject *value)
{
    if (how != PYGEN_RETURN) {
        return value;
    }
    /* An instance, for a bare tuple or exception would be taken for the arguments of one. */
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    Py_DECREF(value);
    return NULL;
}

static PySendResult
shim_am_send(PyObject *op, PyObject *value, PyObject **result)
{
    shim_object *self = (shim_object *)op;
    *result = NULL;
    switch (self->stage) {
    case PASSING:
        return PyIter_Send(self->coroutine, value, result);
    case YIELDED:
        *result = take_kept(self);
        return PYGEN_NEXT;
    case RETURNED:
        *result = take_kept(self);
        return PYGEN_RETURN;
    case RAISED:
        gl_err_give(take_kept(self));
        return PYGEN_ERROR;
    case THROWING: {
        PyObject *exc = take_kept(self);
        PyObject *got = PyObject_CallMethodOneArg(self->coroutine, self->io->str_throw, exc);
        Py_DECREF(exc);
        return send_result(got, result);
    }
    case FIRST:
        break;
    }
    PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
    return PYGEN_ERROR;
}

static PyObject *
shim_send(PyObject *op, PyObject *value)
{
    PyObject *result;
    PySendResult how = shim_am_send(op, value, &result);
    return method_result(how, result);
}

static PyObject *
shim_iternext(PyObject *op)
{
    return shim_send(op, Py_None);
}

/* The yielded object's cancel(msg): 1 true, 0 false or no such method, -1 with an exception. */
static int
cancel_yielded(shim_object *self, PyObject *exc)
{
    PyObject *cancel;
    if (self->kept == Py_None) {
        return 0;
    }
    cancel = PyObject_GetAttr(self->kept, self->io->str_cancel);
    if (cancel == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
    PyObject *answer = NULL;
    int result = -1;
    PyObject *args = PyExceptionInstance_Check(exc) ? ((PyBaseExceptionObject *)exc)->args : NULL;
    PyObject *message = args && PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : Py_None;
    PyObject *names = PyTuple_Pack(1, self->io->str_msg);
    if (names) {
        answer = PyObject_Vectorcall(cancel, &message, 0, names);
    }
    if (answer) {
        result = PyObject_IsTrue(answer);
    }
    Py_XDECREF(answer);
    Py_XDECREF(names);
    Py_DECREF(cancel);
    return result;
}

static PyObject *
shim_throw(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    shim_object *self = (shim_object *)op;
    if (nargs < 1 || nargs > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes one to three arguments");
        return NULL;
    }
    switch (self->stage) {
    case YIELDED: {
        int cancelled = cancel_yielded(self, args[0]);
        if (cancelled < 0) {
            return NULL;
        }
        PyObject *yielded = take_kept(self);
        if (!cancelled) {
            self->kept = Py_NewRef(args[0]);
            self->stage = THROWING;
        }
        return yielded;
    }
    case RAISED:
        gl_err_give(take_kept(self));
        return NULL;
    case RETURNED:
        /* Cancelled right before its end: as the real Task, cancelled. */
        Py_DECREF(take_kept(self));
        if (PyExceptionInstance_Check(args[0])) {
            PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
        } else {
            PyErr_SetObject(args[0], nargs > 1 ? args[1] : NULL);
        }
        return NULL;
    case THROWING:
        Py_DECREF(take_kept(self));
        break;
    case FIRST:
        PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
        return NULL;
    case PASSING:
        break;
    }
    PyObject *stack[4] = {self->coroutine};
    for (Py_ssize_t i = 0; i < nargs; i++) {
        stack[i + 1] = args[i];
    }
    return PyObject_VectorcallMethod(self->io->str_throw, stack, (size_t)nargs + 1, NULL);
}

static PyObject *
shim_close(PyObject *op, PyObject *unused)
{
    shim_object *self = (shim_object *)op;
    if (self->kept) {
        Py_DECREF(take_kept(self));
    }
    return PyObject_CallMethodNoArgs(self->coroutine, self->io->str_close);
}

/* cr_frame, cr_code, __qualname__ and their kin are the real coroutine's, for repr() and stacks.
 */
static PyObject *
shim_getattro(PyObject *op, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(op, name);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        value = PyObject_GetAttr(((shim_object *)op)->coroutine, name);
    }
    return value;
}

static PyObject *
shim_repr(PyObject *op)
{
    return PyObject_Repr(((shim_object *)op)->coroutine);
}

static PyMethodDef shim_methods[] = {
    {"send", shim_send, METH_O, "As a coroutine's."},
    {"throw", (PyCFunction)(void (*)(void))shim_throw, METH_FASTCALL, "As a coroutine's."},
    {"close", shim_close, METH_NOARGS, "As a coroutine's."},
    {NULL},
};

static PyType_Slot shim_slots[] = {
    {Py_tp_doc, "A coroutine whose first step has been made already."},
    {Py_tp_dealloc, shim_dealloc},
    {Py_tp_traverse, shim_traverse},
    {Py_tp_clear, shim_clear},
    {Py_tp_repr, shim_repr},
    {Py_tp_getattro, shim_getattro},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, shim_iternext},
    {Py_tp_methods, shim_methods},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, shim_am_send},
    {0, NULL},
};

static PyType_Spec shim_spec = {
    .name = "guava_loop._core.StartedCoroutine",
    .basicsize = sizeof(shim_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = shim_slots,
};

int
gl_shim_exec(PyObject *module, gl_io_state *io)
{
    io->shim_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &shim_spec, NULL);
    return io->shim_type ? 0 : -1;
}
