/* endpoint.c: Endpoint, the action that a handler names.
 *
 * It is separate from Handler because everything here is the same for every request: what the
 * table found out at start (class, function, arity, file and line) and what a framework wants to
 * remember about the action (`state`) is looked up once, and a request costs only its arguments.
 */
#include "parts.h"

#include <structmember.h>

PyObject *
gr_endpoint_new(gr_state *state, PyObject *package, PyObject *module, PyObject *controller,
                PyObject *action, PyObject *target)
{
    gr_endpoint *self = (gr_endpoint *)state->endpoint_type->tp_alloc(state->endpoint_type, 0);
    if (self == NULL)
        return NULL;
    self->package = Py_NewRef(package);
    self->module = Py_NewRef(module);
    self->controller = Py_NewRef(controller);
    self->action = Py_NewRef(action);
    self->target = Py_NewRef(target == NULL ? Py_None : target);
    self->function = Py_NewRef(Py_None);
    self->file = Py_NewRef(Py_None);
    self->state = Py_NewRef(Py_None);
    self->max_args = -1;
    return (PyObject *)self;
}

static PyObject *
endpoint_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"package", "module", "controller", "action", NULL};
    PyObject *package, *module, *controller, *action;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UUUU:Endpoint", names, &package, &module,
                                     &controller, &action))
        return NULL;
    gr_state *state = gr_state_by(type);
    if (state == NULL)
        return NULL;
    return gr_endpoint_new(state, package, module, controller, action, NULL);
}

static int
endpoint_traverse(gr_endpoint *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->target);
    Py_VISIT(self->function);
    Py_VISIT(self->state);
    Py_VISIT(self->converters);
    return 0;
}

static int
endpoint_clear(gr_endpoint *self)
{
    Py_CLEAR(self->target);
    Py_CLEAR(self->function);
    Py_CLEAR(self->state);
    Py_CLEAR(self->converters);
    return 0;
}

static void
endpoint_dealloc(gr_endpoint *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)endpoint_clear(self);
    Py_CLEAR(self->package);
    Py_CLEAR(self->module);
    Py_CLEAR(self->controller);
    Py_CLEAR(self->action);
    Py_CLEAR(self->file);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
endpoint_repr(gr_endpoint *self)
{
    return PyUnicode_FromFormat("<Endpoint %U/%U:%U.%U>", self->package, self->module,
                                self->controller, self->action);
}

PyDoc_STRVAR(bind_doc, "_bind($self, target, function, file, line, min_args, max_args, /)\n--\n\n"
                       "Joins the names with what they stand for; max_args -1 means any number.");

static PyObject *
endpoint_bind(gr_endpoint *self, PyObject *args)
{
    PyObject *target, *function, *file;
    int line, min_args, max_args;
    if (!PyArg_ParseTuple(args, "O!OOiii:_bind", &PyType_Type, &target, &function, &file, &line,
                          &min_args, &max_args))
        return NULL;
    if (file != Py_None && !PyUnicode_Check(file)) {
        PyErr_SetString(PyExc_TypeError, "file must be a str or None");
        return NULL;
    }
    Py_XSETREF(self->target, Py_NewRef(target));
    Py_XSETREF(self->function, Py_NewRef(function));
    Py_XSETREF(self->file, Py_NewRef(file));
    self->line = line;
    self->min_args = min_args;
    self->max_args = max_args;
    Py_RETURN_NONE;
}

static PyObject *
endpoint_get_converters(gr_endpoint *self, void *closure)
{
    return Py_NewRef(self->converters == NULL ? Py_None : self->converters);
}

static int
endpoint_set_converters(gr_endpoint *self, PyObject *value, void *closure)
{
    if (value == NULL || value == Py_None) {
        Py_CLEAR(self->converters);
        return 0;
    }
    if (!PyTuple_CheckExact(value) || PyTuple_GET_SIZE(value) == 0) {
        PyErr_SetString(PyExc_TypeError, "converters must be None or a tuple that is not empty");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); i++) {
        PyObject *converter = PyTuple_GET_ITEM(value, i);
        if (converter != Py_None && !PyCallable_Check(converter)) {
            PyErr_Format(PyExc_TypeError, "a converter must be None or callable, not %R",
                         converter);
            return -1;
        }
    }
    Py_XSETREF(self->converters, Py_NewRef(value));
    return 0;
}

PyDoc_STRVAR(handler_doc, "handler($self, args=(), /)\n--\n\n"
                          "A Handler of this endpoint with these arguments.");

static PyObject *
endpoint_handler(gr_endpoint *self, PyObject *args)
{
    PyObject *given = NULL;
    gr_state *state = gr_state_by(Py_TYPE(self));
    if (state == NULL || !PyArg_ParseTuple(args, "|O:handler", &given))
        return NULL;
    PyObject *tuple = given == NULL ? Py_NewRef(state->empty_args) : PySequence_Tuple(given);
    return tuple == NULL ? NULL : gr_handler_new(state, (PyObject *)self, tuple);
}

static PyObject *
endpoint_get_max_args(gr_endpoint *self, void *closure)
{
    if (self->max_args < 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(self->max_args);
}

static PyMethodDef endpoint_methods[] = {
    {"_bind", (PyCFunction)endpoint_bind, METH_VARARGS, bind_doc},
    {"handler", (PyCFunction)endpoint_handler, METH_VARARGS, handler_doc},
    {NULL},
};

static PyMemberDef endpoint_members[] = {
    {"package", T_OBJECT, offsetof(gr_endpoint, package), READONLY, "the package's name, or '.'"},
    {"module", T_OBJECT, offsetof(gr_endpoint, module), READONLY, "the module's name in it"},
    {"controller", T_OBJECT, offsetof(gr_endpoint, controller), READONLY, "the class's name"},
    {"cls", T_OBJECT, offsetof(gr_endpoint, controller), READONLY, "the same as controller"},
    {"action", T_OBJECT, offsetof(gr_endpoint, action), READONLY, "the method's name"},
    {"target", T_OBJECT, offsetof(gr_endpoint, target), READONLY,
     "the class itself, or None while the endpoint is only a name (see resolve())"},
    {"function", T_OBJECT, offsetof(gr_endpoint, function), READONLY,
     "what the class has under the action's name, or None"},
    {"file", T_OBJECT, offsetof(gr_endpoint, file), READONLY, "where the action is, or None"},
    {"line", T_INT, offsetof(gr_endpoint, line), READONLY, "its line, 0 if unknown"},
    {"min_args", T_INT, offsetof(gr_endpoint, min_args), READONLY,
     "the fewest arguments that the action takes"},
    {"state", T_OBJECT, offsetof(gr_endpoint, state), 0,
     "free for a framework to keep what it found out about the action"},
    {NULL},
};

static PyGetSetDef endpoint_getset[] = {
    {"max_args", (getter)endpoint_get_max_args, NULL,
     "the most arguments that the action takes, None for any number", NULL},
    {"converters", (getter)endpoint_get_converters, (setter)endpoint_set_converters,
     "what makes the arguments out of a path's texts: a tuple of None (the text as it is), int, "
     "or\n"
     "a callable that raises ValueError for what does not suit; the last is for all that *args "
     "gets.\n"
     "None if no argument is converted",
     NULL},
    {NULL},
};

PyDoc_STRVAR(
    endpoint_doc,
    "Endpoint(package, module, controller, action)\n--\n\n"
    "The action that a handler names: one object, shared by the handlers of all requests.");

static PyType_Slot endpoint_slots[] = {
    {Py_tp_doc, (void *)endpoint_doc}, {Py_tp_new, endpoint_new},
    {Py_tp_dealloc, endpoint_dealloc}, {Py_tp_traverse, endpoint_traverse},
    {Py_tp_clear, endpoint_clear},     {Py_tp_repr, endpoint_repr},
    {Py_tp_methods, endpoint_methods}, {Py_tp_members, endpoint_members},
    {Py_tp_getset, endpoint_getset},   {0, NULL},
};

static PyType_Spec endpoint_spec = {
    .name = "guava_router.Endpoint",
    .basicsize = sizeof(gr_endpoint),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = endpoint_slots,
};

int
gr_endpoint_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->endpoint_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &endpoint_spec, NULL);
    return state->endpoint_type == NULL ? -1 : PyModule_AddType(module, state->endpoint_type);
}
