/* handler.c: Handler, an endpoint with the arguments of one request.
 *
 * It is made for every request whose path has arguments, so it is two pointers; the names are read
 * through the endpoint. A handler without arguments is shared by all requests. */
#include "parts.h"

#include <structmember.h>

PyObject *
gr_handler_new(gr_state *state, PyObject *endpoint, PyObject *args)
{
    gr_handler *self = PyObject_GC_New(gr_handler, state->handler_type);
    if (self == NULL) {
        Py_DECREF(args);
        return NULL;
    }
    self->endpoint = Py_NewRef(endpoint);
    self->args = args;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int
check_name(PyObject *value, const char *name)
{
    if (PyUnicode_Check(value) && PyUnicode_GET_LENGTH(value) > 0)
        return 0;
    PyErr_Format(PyExc_TypeError, "Handler: %s must be a str that is not empty, not %R", name,
                 value);
    return -1;
}

/* A class as controller names its package and module itself. */
static PyObject *
endpoint_of_class(gr_state *state, PyObject *cls, PyObject *action)
{
    PyObject *controller = NULL, *module = NULL, *parts = NULL, *package = NULL, *result = NULL;
    controller = PyObject_GetAttrString(cls, "__name__");
    if (controller == NULL)
        goto error;
    module = PyObject_GetAttrString(cls, "__module__");
    if (module == NULL)
        goto error;
    parts = PyObject_CallMethod(module, "rpartition", "s", ".");
    if (parts == NULL)
        goto error;
    if (!PyTuple_Check(parts) || PyTuple_GET_SIZE(parts) != 3) {
        PyErr_SetString(PyExc_TypeError, "Handler: the class's __module__ must be a str");
        goto error;
    }
    package = PyTuple_GET_ITEM(parts, 0);
    if (PyUnicode_Check(package) && PyUnicode_GET_LENGTH(package) == 0)
        package = PyUnicode_FromString(".");
    else
        Py_INCREF(package);
    if (package != NULL)
        result =
            gr_endpoint_new(state, package, PyTuple_GET_ITEM(parts, 2), controller, action, cls);
error:
    Py_XDECREF(controller);
    Py_XDECREF(module);
    Py_XDECREF(parts);
    Py_XDECREF(package);
    return result;
}

static PyObject *
make_endpoint(gr_state *state, PyObject *package, PyObject *module, PyObject *controller,
              PyObject *action)
{
    if (controller != NULL && PyType_Check(controller)) {
        if (package != NULL || module != NULL) {
            PyErr_SetString(PyExc_TypeError, "Handler: a class names its package and module "
                                             "itself: give it alone, or the three names");
            return NULL;
        }
        return endpoint_of_class(state, controller, action);
    }
    if (module == NULL || controller == NULL) {
        PyErr_SetString(PyExc_TypeError, "Handler needs a module and a controller (or cls), for "
                                         "example Handler(package='.', module='misc', "
                                         "controller='MiscController', action='about')");
        return NULL;
    }
    PyObject *result = NULL;
    package = package == NULL ? PyUnicode_FromString(".") : Py_NewRef(package);
    if (package != NULL && check_name(package, "package") == 0 &&
        check_name(module, "module") == 0 && check_name(controller, "controller") == 0)
        result = gr_endpoint_new(state, package, module, controller, action, NULL);
    Py_XDECREF(package);
    return result;
}

static PyObject *
handler_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"package", "module", "controller", "action", "args", "cls", NULL};
    PyObject *package = NULL, *module = NULL, *controller = NULL, *action = NULL, *given = NULL;
    PyObject *cls = NULL, *endpoint = NULL, *tuple = NULL, *result = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOOOO:Handler", names, &package, &module,
                                     &controller, &action, &given, &cls))
        return NULL;
    gr_state *state = gr_state_by(type);
    if (state == NULL)
        return NULL;
    if (controller != NULL && cls != NULL) {
        PyErr_SetString(PyExc_TypeError,
                        "Handler: controller and cls are the same thing: give one of them");
        return NULL;
    }
    action = action == NULL ? PyUnicode_FromString("index") : Py_NewRef(action);
    if (action == NULL || check_name(action, "action") < 0)
        goto error;
    if (given != NULL && (PyUnicode_Check(given) || PyBytes_Check(given))) {
        PyErr_Format(PyExc_TypeError, "Handler: args must be a tuple of arguments, not %R", given);
        goto error;
    }
    tuple = given == NULL ? Py_NewRef(state->empty_args) : PySequence_Tuple(given);
    if (tuple == NULL)
        goto error;
    endpoint = make_endpoint(state, package, module, cls != NULL ? cls : controller, action);
    if (endpoint != NULL)
        result = gr_handler_new(state, endpoint, Py_NewRef(tuple));
error:
    Py_XDECREF(action);
    Py_XDECREF(tuple);
    Py_XDECREF(endpoint);
    return result;
}

static int
handler_traverse(gr_handler *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->endpoint);
    Py_VISIT(self->args);
    return 0;
}

/* There is no tp_clear: a cycle through a handler also runs through its endpoint's class or a
 * table, which are cleared. */

static void
handler_dealloc(gr_handler *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->endpoint);
    Py_CLEAR(self->args);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyObject *
handler_repr(gr_handler *self)
{
    gr_endpoint *names = (gr_endpoint *)self->endpoint;
    return PyUnicode_FromFormat(
        "Handler(package=%R, module=%R, controller=%R, action=%R, args=%R)", names->package,
        names->module, names->controller, names->action, self->args);
}

/* 1 if both name the same action, 0 if not, -1 with an exception. */
static int
same_names(gr_endpoint *a, gr_endpoint *b)
{
    PyObject *pairs[4][2] = {{a->action, b->action},
                             {a->controller, b->controller},
                             {a->module, b->module},
                             {a->package, b->package}};
    if (a == b)
        return 1;
    for (int i = 0; i < 4; i++) {
        int same = PyObject_RichCompareBool(pairs[i][0], pairs[i][1], Py_EQ);
        if (same <= 0)
            return same;
    }
    return 1;
}

static PyObject *
handler_richcompare(gr_handler *self, PyObject *other, int op)
{
    if ((op != Py_EQ && op != Py_NE) || Py_TYPE(other) != Py_TYPE(self))
        Py_RETURN_NOTIMPLEMENTED;
    gr_handler *its = (gr_handler *)other;
    int same = same_names((gr_endpoint *)self->endpoint, (gr_endpoint *)its->endpoint);
    if (same == 1)
        same = PyObject_RichCompareBool(self->args, its->args, Py_EQ);
    if (same < 0)
        return NULL;
    return PyBool_FromLong(same == (op == Py_EQ));
}

static Py_hash_t
handler_hash(gr_handler *self)
{
    gr_endpoint *names = (gr_endpoint *)self->endpoint;
    PyObject *all = PyTuple_Pack(5, names->package, names->module, names->controller,
                                 names->action, self->args);
    if (all == NULL)
        return -1;
    Py_hash_t hash = PyObject_Hash(all);
    Py_DECREF(all);
    return hash;
}

/* The closure is the name's offset in the endpoint. */
static PyObject *
handler_get_name(gr_handler *self, void *offset)
{
    return Py_NewRef(*(PyObject **)((char *)self->endpoint + (size_t)offset));
}

#define NAME(name, field, doc)                                                                    \
    {name, (getter)handler_get_name, NULL, doc, (void *)offsetof(gr_endpoint, field)}

static PyGetSetDef handler_getset[] = {
    NAME("package", package, "the package's name, or '.'"),
    NAME("module", module, "the module's name in the package"),
    NAME("controller", controller, "the class's name"),
    NAME("cls", controller, "the same as controller"),
    NAME("action", action, "the method's name"),
    {NULL},
};

static PyMemberDef handler_members[] = {
    {"args", T_OBJECT, offsetof(gr_handler, args), READONLY,
     "the positional arguments of the action, a tuple"},
    {"endpoint", T_OBJECT, offsetof(gr_handler, endpoint), READONLY,
     "the Endpoint, shared by all handlers of the action"},
    {NULL},
};

PyDoc_STRVAR(
    handler_doc,
    "Handler(package='.', module=..., controller=..., action='index', args=(), cls=...)\n"
    "--\n\n"
    "Names the action that answers a request. `cls` is another spelling of `controller`,\n"
    "and either may be a class, which names its package and module itself.\n"
    "A handler is immutable and equal to another one with the same names and arguments.");

static PyType_Slot handler_slots[] = {
    {Py_tp_doc, (void *)handler_doc}, {Py_tp_new, handler_new},
    {Py_tp_dealloc, handler_dealloc}, {Py_tp_traverse, handler_traverse},
    {Py_tp_repr, handler_repr},       {Py_tp_richcompare, handler_richcompare},
    {Py_tp_hash, handler_hash},       {Py_tp_getset, handler_getset},
    {Py_tp_members, handler_members}, {0, NULL},
};

static PyType_Spec handler_spec = {
    .name = "guava_router.Handler",
    .basicsize = sizeof(gr_handler),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = handler_slots,
};

int
gr_handler_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->handler_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &handler_spec, NULL);
    return state->handler_type == NULL ? -1 : PyModule_AddType(module, state->handler_type);
}
