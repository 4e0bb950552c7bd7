/* queue.c: asyncio's _ready and _scheduled, which BaseEventLoop reads and clears, as windows on
 * the ready ring and the timers. */
#include "handle.h"

typedef struct {
    PyObject_HEAD gl_loop *loop;
    bool timers;
} gl_queue;

PyObject *
gl_queue_new(gl_loop *loop, bool timers)
{
    gl_queue *self = PyObject_GC_New(gl_queue, loop->state->queue_type);
    if (self != NULL) {
        self->loop = (gl_loop *)Py_NewRef(loop);
        self->timers = timers;
        PyObject_GC_Track(self);
    }
    return (PyObject *)self;
}

static int
queue_traverse(gl_queue *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->loop);
    return 0;
}

static void
queue_dealloc(gl_queue *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->loop);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static Py_ssize_t
queue_length(gl_queue *self)
{
    return (Py_ssize_t)(self->timers ? self->loop->timers.len : self->loop->ready.len);
}

static PyObject *
queue_iter(gl_queue *self)
{
    PyObject *list = self->timers ? gl_timers_list(self->loop) : gl_ready_list(self->loop);
    PyObject *iterator = list != NULL ? PyObject_GetIter(list) : NULL;
    Py_XDECREF(list);
    return iterator;
}

static PyObject *
queue_append(gl_queue *self, PyObject *handle)
{
    if (self->timers) {
        PyErr_SetString(PyExc_TypeError, "timers come from call_at()");
        return NULL;
    }
    if (gl_ready_push(self->loop, handle) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
queue_clear(gl_queue *self, PyObject *Py_UNUSED(ignored))
{
    if (self->timers) {
        gl_timers_clear(self->loop);
    } else {
        gl_ready_clear(self->loop);
    }
    Py_RETURN_NONE;
}

static PyMethodDef queue_methods[] = {
    {"append", (PyCFunction)queue_append, METH_O, NULL},
    {"clear", (PyCFunction)queue_clear, METH_NOARGS, NULL},
    {NULL},
};

static PyType_Slot queue_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("The callbacks that wait in a loop.")},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_traverse, queue_traverse},
    {Py_sq_length, queue_length},
    {Py_tp_iter, queue_iter},
    {Py_tp_methods, queue_methods},
    {0, NULL},
};

static PyType_Spec queue_spec = {
    .name = "guava_loop._core.Queue",
    .basicsize = sizeof(gl_queue),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = queue_slots,
};

int
gl_queue_register(PyObject *module, gl_state *state)
{
    state->queue_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &queue_spec, NULL);
    return state->queue_type != NULL ? PyModule_AddType(module, state->queue_type) : -1;
}
