/* handle.c: Handle and TimerHandle, asyncio's classes of these names as C objects. They are
 * separate from the queues that hold them, because a user may keep one long after it ran. One
 * argument, by far the commonest number (a future calls its callbacks so), is kept without a
 * tuple. */
#include <Python.h>
#include <structmember.h>

#include "handle.h"

static void
set_args(gl_handle *self, PyObject *const *args, Py_ssize_t nargs, PyObject *tuple)
{
    self->nargs = (int)nargs;
    self->args = tuple != NULL ? tuple : (nargs == 1 ? Py_NewRef(args[0]) : NULL);
}

static int
init_handle(gl_handle *self, gl_loop *loop, PyObject *callback, PyObject *const *args,
            Py_ssize_t nargs, PyObject *context)
{
    PyObject *tuple = NULL;
    self->loop = (gl_loop *)Py_NewRef(loop);
    self->callback = Py_NewRef(callback);
    if (nargs > 1) {
        tuple = PyTuple_New(nargs);
        if (tuple == NULL) {
            return -1;
        }
        for (Py_ssize_t i = 0; i < nargs; i++) {
            PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
        }
    }
    set_args(self, args, nargs, tuple);
    if (context != NULL && context != Py_None) {
        self->context = Py_NewRef(context);
    } else {
        self->context = PyContext_CopyCurrent();
        if (self->context == NULL) {
            return -1;
        }
    }
    if (loop->debug) {
        PyFrameObject *frame = PyEval_GetFrame();
        if (frame != NULL) {
            self->source_traceback =
                PyObject_CallOneArg(loop->state->extract_stack, (PyObject *)frame);
            if (self->source_traceback == NULL) {
                return -1;
            }
        }
    }
    return 0;
}

/* What was allocated, if it was. */
static gl_handle *
zero(gl_handle *self)
{
    if (self == NULL) {
        return NULL;
    }
    self->loop = NULL;
    self->callback = NULL;
    self->args = NULL;
    self->context = NULL;
    self->source_traceback = NULL;
    self->weakrefs = NULL;
    self->nargs = 0;
    self->cancelled = false;
    return self;
}

gl_handle *
gl_handle_new(gl_loop *loop, PyObject *callback, PyObject *const *args, Py_ssize_t nargs,
              PyObject *context)
{
    gl_handle *self = zero(gl_spare_take(loop->state));
    if (self != NULL && init_handle(self, loop, callback, args, nargs, context) < 0) {
        Py_CLEAR(self);
    }
    if (self != NULL) {
        PyObject_GC_Track(self);
    }
    return self;
}

gl_timer *
gl_timer_new(gl_loop *loop, double when, PyObject *callback, PyObject *const *args,
             Py_ssize_t nargs, PyObject *context)
{
    gl_timer *self = PyObject_GC_New(gl_timer, loop->state->timer_type);
    if (self == NULL) {
        return NULL;
    }
    (void)zero(&self->handle);
    self->when = when;
    self->index = -1;
    if (init_handle(&self->handle, loop, callback, args, nargs, context) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    PyObject_GC_Track(self);
    return self;
}

static int
handle_traverse(gl_handle *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->args);
    Py_VISIT(self->context);
    Py_VISIT(self->source_traceback);
    return 0;
}

static int
handle_clear(gl_handle *self)
{
    Py_CLEAR(self->callback);
    Py_CLEAR(self->args);
    self->nargs = 0;
    Py_CLEAR(self->context);
    Py_CLEAR(self->source_traceback);
    /* Without a callback it must not be run. */
    self->cancelled = true;
    return 0;
}

static void
handle_dealloc(gl_handle *self)
{
    PyTypeObject *type = Py_TYPE(self);
    gl_state *state = self->loop->state;
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)handle_clear(self);
    Py_CLEAR(self->loop);
    gl_spare_give(state, self);
    Py_DECREF(type);
}

/* 0, or -1 with what the callback raised. */
static int
handle_call(gl_handle *self)
{
    /* Of our own, since the callback may cancel its handle. */
    PyObject *callback = Py_NewRef(self->callback);
    PyObject *args = Py_XNewRef(self->args);
    PyObject *context = Py_NewRef(self->context);
    PyObject *result = NULL;

    if (PyContext_Enter(context) == 0) {
        if (self->nargs == 1) {
            PyObject *stack[2] = {NULL, args};
            result =
                PyObject_Vectorcall(callback, stack + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        } else if (args == NULL) {
            result = PyObject_CallNoArgs(callback);
        } else {
            result = PyObject_Call(callback, args, NULL);
        }
        if (PyContext_Exit(context) < 0) {
            Py_CLEAR(result);
        }
    }
    Py_DECREF(context);
    Py_XDECREF(args);
    Py_DECREF(callback);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

void
gl_handle_run(gl_handle *self)
{
    if (!self->cancelled && handle_call(self) < 0) {
        gl_handle_error(self->loop, (PyObject *)self);
    }
}

static PyObject *handle_repr(gl_handle *self);

/* As in asyncio, the log of debug mode is to name what is cancelled, too. NULL when it cannot. */
static PyObject *
describe_cancelled(gl_handle *self)
{
    PyObject *before = gl_err_take();
    PyObject *text = handle_repr(self);
    if (text == NULL) {
        PyErr_Clear(); /* it is the callback's or the arguments' own repr() that fails */
    }
    if (before != NULL) {
        gl_err_give(before);
    }
    return text;
}

void
gl_handle_cancel(gl_handle *self)
{
    if (self->cancelled) {
        return;
    }
    self->cancelled = true;
    if (Py_IS_TYPE((PyObject *)self, self->loop->state->timer_type)) {
        gl_timers_remove(self->loop, (gl_timer *)self);
    }
    PyObject *text = self->loop->debug ? describe_cancelled(self) : NULL;
    /* What they hold may be large, and the handle may be kept. */
    Py_CLEAR(self->callback);
    Py_XSETREF(self->args, text);
    self->nargs = 0;
}

static PyObject *
handle_cancel(gl_handle *self, PyObject *Py_UNUSED(ignored))
{
    /* A timer's heap may hold the last reference. */
    Py_INCREF(self);
    gl_handle_cancel(self);
    Py_DECREF(self);
    Py_RETURN_NONE;
}

static PyObject *
handle_cancelled(gl_handle *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->cancelled);
}

static PyObject *
handle_get_context(gl_handle *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self->context != NULL ? self->context : Py_None);
}

/* asyncio's own: KeyboardInterrupt and SystemExit are the caller's. */
static PyObject *
handle_run(gl_handle *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->cancelled && handle_call(self) < 0) {
        if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) ||
            PyErr_ExceptionMatches(PyExc_SystemExit)) {
            return NULL;
        }
        gl_handle_error(self->loop, (PyObject *)self);
    }
    Py_RETURN_NONE;
}

static PyObject *
handle_get_callback(gl_handle *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->callback != NULL ? self->callback : Py_None);
}

static PyObject *
handle_get_args(gl_handle *self, void *Py_UNUSED(closure))
{
    if (self->cancelled) {
        Py_RETURN_NONE;
    }
    if (self->nargs == 1) {
        return PyTuple_Pack(1, self->args);
    }
    return self->args != NULL ? Py_NewRef(self->args) : PyTuple_New(0);
}

static PyObject *
handle_get_source_traceback(gl_handle *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->source_traceback != NULL ? self->source_traceback : Py_None);
}

PyObject *
gl_describe_callback(gl_loop *loop, PyObject *callback, PyObject *args)
{
    gl_state *state = loop->state;
    PyObject *stack[3] = {callback, args, loop->debug ? Py_True : Py_False};
    return PyObject_Vectorcall(state->format_callback_source, stack, 2, state->debug_keyword);
}

/* As asyncio writes it: <TimerHandle cancelled when=1.0 f() at x.py:1 created at y.py:2>. */
static PyObject *
handle_repr(gl_handle *self)
{
    if (self->callback == NULL && self->args != NULL) {
        return Py_NewRef(self->args);
    }
    gl_state *state = self->loop->state;
    bool timer = Py_IS_TYPE((PyObject *)self, state->timer_type);
    PyObject *result = NULL, *when = NULL, *source = NULL, *args = NULL, *created = NULL;

    when = timer ? PyFloat_FromDouble(((gl_timer *)self)->when) : Py_NewRef(Py_None);
    if (when == NULL) {
        goto done;
    }
    if (self->callback != NULL) {
        args = handle_get_args(self, NULL);
        if (args == NULL) {
            goto done;
        }
        source = gl_describe_callback(self->loop, self->callback, args);
    } else {
        source = PyUnicode_FromString("");
    }
    if (source == NULL) {
        goto done;
    }
    if (self->source_traceback != NULL && PySequence_Size(self->source_traceback) > 0) {
        PyObject *frame = PySequence_GetItem(self->source_traceback, -1);
        PyObject *file = frame ? PySequence_GetItem(frame, 0) : NULL;
        PyObject *line = frame ? PySequence_GetItem(frame, 1) : NULL;
        created = file && line ? PyUnicode_FromFormat(" created at %S:%S", file, line) : NULL;
        Py_XDECREF(line);
        Py_XDECREF(file);
        Py_XDECREF(frame);
    } else {
        PyErr_Clear(); /* of PySequence_Size: a traceback without a length is no reason to fail */
        created = PyUnicode_FromString("");
    }
    if (created == NULL) {
        goto done;
    }
    const char *space = self->callback != NULL ? " " : "";
    const char *cancelled = self->cancelled ? " cancelled" : "";
    if (timer) {
        result = PyUnicode_FromFormat("<TimerHandle%s when=%S%s%U%U>", cancelled, when, space,
                                      source, created);
    } else {
        result = PyUnicode_FromFormat("<Handle%s%s%U%U>", cancelled, space, source, created);
    }
done:
    Py_XDECREF(when);
    Py_XDECREF(args);
    Py_XDECREF(source);
    Py_XDECREF(created);
    return result;
}

static PyMethodDef handle_methods[] = {
    {"cancel", (PyCFunction)handle_cancel, METH_NOARGS,
     PyDoc_STR("Do not run the callback. Does nothing when it ran or was cancelled before.")},
    {"cancelled", (PyCFunction)handle_cancelled, METH_NOARGS,
     PyDoc_STR("Whether it was cancelled.")},
    {"get_context", (PyCFunction)handle_get_context, METH_NOARGS,
     PyDoc_STR("The contextvars.Context in which the callback runs.")},
    {"_run", (PyCFunction)handle_run, METH_NOARGS, NULL},
    {NULL},
};

static PyGetSetDef handle_getset[] = {
    {"_callback", (getter)handle_get_callback, NULL, NULL, NULL},
    {"_args", (getter)handle_get_args, NULL, NULL, NULL},
    {"_source_traceback", (getter)handle_get_source_traceback, NULL, NULL, NULL},
    {NULL},
};

static PyMemberDef handle_members[] = {
    {"_cancelled", T_BOOL, offsetof(gl_handle, cancelled), READONLY, NULL},
    {"_context", T_OBJECT, offsetof(gl_handle, context), READONLY, NULL},
    {"_loop", T_OBJECT, offsetof(gl_handle, loop), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(gl_handle, weakrefs), READONLY, NULL},
    {NULL},
};

static PyType_Slot handle_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("A callback that the loop will run, as asyncio.Handle.")},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_traverse, handle_traverse},
    {Py_tp_clear, handle_clear},
    {Py_tp_repr, handle_repr},
    {Py_tp_methods, handle_methods},
    {Py_tp_getset, handle_getset},
    {Py_tp_members, handle_members},
    {0, NULL},
};

static PyType_Spec handle_spec = {
    .name = "guava_loop._core.Handle",
    .basicsize = sizeof(gl_handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = handle_slots,
};

/* ---- TimerHandle ---- */

static PyObject *
timer_when(gl_timer *self, PyObject *Py_UNUSED(ignored))
{
    return PyFloat_FromDouble(self->when);
}

static PyObject *
timer_get_scheduled(gl_timer *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->index >= 0);
}

static Py_hash_t
timer_hash(gl_timer *self)
{
    PyObject *when = PyFloat_FromDouble(self->when);
    if (when == NULL) {
        return -1;
    }
    Py_hash_t hash = PyObject_Hash(when);
    Py_DECREF(when);
    return hash;
}

/* asyncio's equality: the same time, callback, arguments and state. */
static int
timer_equal(gl_timer *a, gl_timer *b)
{
    if (a->when != b->when || a->handle.cancelled != b->handle.cancelled ||
        a->handle.nargs != b->handle.nargs) {
        return 0;
    }
    PyObject *pairs[2][2] = {{a->handle.callback, b->handle.callback},
                             {a->handle.args, b->handle.args}};
    for (int i = 0; i < 2 && !a->handle.cancelled; i++) {
        if (pairs[i][0] == NULL || pairs[i][1] == NULL) {
            if (pairs[i][0] != pairs[i][1]) {
                return 0;
            }
            continue;
        }
        int same = PyObject_RichCompareBool(pairs[i][0], pairs[i][1], Py_EQ);
        if (same != 1) {
            return same;
        }
    }
    return 1;
}

static PyObject *
timer_richcompare(gl_timer *self, PyObject *other, int op)
{
    if (!Py_IS_TYPE(other, self->handle.loop->state->timer_type)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    double a = self->when, b = ((gl_timer *)other)->when;
    int equal = 0;
    if (op != Py_LT && op != Py_GT) {
        equal = timer_equal(self, (gl_timer *)other);
        if (equal < 0) {
            return NULL;
        }
    }
    switch (op) {
    case Py_LT:
        return PyBool_FromLong(a < b);
    case Py_GT:
        return PyBool_FromLong(a > b);
    case Py_LE:
        return PyBool_FromLong(a < b || equal);
    case Py_GE:
        return PyBool_FromLong(a > b || equal);
    case Py_NE:
        return PyBool_FromLong(!equal);
    default:
        return PyBool_FromLong(equal);
    }
}

static PyMethodDef timer_methods[] = {
    {"when", (PyCFunction)timer_when, METH_NOARGS,
     PyDoc_STR("When the callback is due, in seconds on loop.time()'s clock.")},
    {NULL},
};

static PyGetSetDef timer_getset[] = {
    {"_scheduled", (getter)timer_get_scheduled, NULL, NULL, NULL},
    {NULL},
};

static PyMemberDef timer_members[] = {
    {"_when", T_DOUBLE, offsetof(gl_timer, when), READONLY, NULL},
    {NULL},
};

static PyType_Slot timer_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("A callback with a time, as asyncio.TimerHandle.")},
    {Py_tp_hash, timer_hash},
    {Py_tp_richcompare, timer_richcompare},
    {Py_tp_methods, timer_methods},
    {Py_tp_getset, timer_getset},
    {Py_tp_members, timer_members},
    {0, NULL},
};

static PyType_Spec timer_spec = {
    .name = "guava_loop._core.TimerHandle",
    .basicsize = sizeof(gl_timer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = timer_slots,
};

int
gl_handle_register(PyObject *module, gl_state *state)
{
    state->handle_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &handle_spec, NULL);
    if (state->handle_type == NULL || PyModule_AddType(module, state->handle_type) < 0) {
        return -1;
    }
    state->timer_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &timer_spec,
                                                                 (PyObject *)state->handle_type);
    if (state->timer_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->timer_type);
}
