/* match.c: Match, what a router found: a target, and the values of the path's parameters.
 *
 * All that does not change from request to request is one tuple, made once for each route, so
 * that a match is made with one allocation and one reference however much it can tell; the dict
 * of parameters is made when somebody asks. A route without parameters has one match for all. */
#include "parts.h"

#include <structmember.h>

typedef struct {
    PyObject_VAR_HEAD PyObject *facts; /* GR_FACT_... */
    PyObject *values[1];
} match_object;

PyObject *
gr_match_new(gr_state *state, PyObject *facts, Py_ssize_t n)
{
    match_object *self = PyObject_GC_NewVar(match_object, state->match_type, n);
    if (self == NULL)
        return NULL;
    self->facts = Py_NewRef(facts);
    for (Py_ssize_t i = 0; i < n; i++)
        self->values[i] = NULL;
    return (PyObject *)self;
}

PyObject **
gr_match_values(PyObject *match)
{
    return ((match_object *)match)->values;
}

static PyObject *
match_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"target", "params", "name", "pattern", "route", NULL};
    PyObject *target, *params = NULL, *name = Py_None, *pattern = NULL, *route = Py_None;
    PyObject *keys = NULL, *facts = NULL, *self = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O!OUO:Match", names, &target, &PyDict_Type,
                                     &params, &name, &pattern, &route))
        return NULL;
    gr_state *state = gr_state_by(type);
    if (state == NULL)
        return NULL;
    keys = params == NULL ? Py_NewRef(state->empty_args) : PySequence_Tuple(params);
    pattern = pattern == NULL ? PyUnicode_FromString("") : Py_NewRef(pattern);
    if (keys == NULL || pattern == NULL)
        goto error;
    facts = PyTuple_Pack(GR_FACTS, target, name, pattern, route, keys);
    if (facts == NULL)
        goto error;
    Py_ssize_t n = PyTuple_GET_SIZE(keys);
    self = gr_match_new(state, facts, n);
    for (Py_ssize_t i = 0; self != NULL && i < n; i++) {
        PyObject *value = PyDict_GetItemWithError(params, PyTuple_GET_ITEM(keys, i));
        if (value == NULL) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_RuntimeError, "params changed while it was read");
            Py_CLEAR(self);
        } else {
            ((match_object *)self)->values[i] = Py_NewRef(value);
        }
    }
    if (self != NULL)
        PyObject_GC_Track(self);
error:
    Py_XDECREF(keys);
    Py_XDECREF(pattern);
    Py_XDECREF(facts);
    return self;
}

static int
match_traverse(match_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->facts);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++)
        Py_VISIT(self->values[i]);
    return 0;
}

static int
match_clear(match_object *self)
{
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++)
        Py_CLEAR(self->values[i]);
    return 0;
}

static void
match_dealloc(match_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++)
        Py_XDECREF(self->values[i]);
    Py_DECREF(self->facts);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyObject *
match_get_fact(match_object *self, void *index)
{
    return Py_NewRef(PyTuple_GET_ITEM(self->facts, (Py_ssize_t)(size_t)index));
}

static PyObject *
match_get_params(match_object *self, void *closure)
{
    PyObject *names = PyTuple_GET_ITEM(self->facts, GR_FACT_NAMES);
    PyObject *params = PyDict_New();
    for (Py_ssize_t i = 0; params != NULL && i < Py_SIZE(self); i++) {
        PyObject *value = self->values[i] == NULL ? Py_None : self->values[i];
        if (PyDict_SetItem(params, PyTuple_GET_ITEM(names, i), value) < 0)
            Py_CLEAR(params);
    }
    return params;
}

static PyObject *
match_get_args(match_object *self, void *closure)
{
    PyObject *args = PyTuple_New(Py_SIZE(self));
    for (Py_ssize_t i = 0; args != NULL && i < Py_SIZE(self); i++)
        PyTuple_SET_ITEM(args, i, Py_NewRef(self->values[i] == NULL ? Py_None : self->values[i]));
    return args;
}

static PyObject *
match_repr(match_object *self)
{
    PyObject *params = match_get_params(self, NULL);
    if (params == NULL)
        return NULL;
    PyObject *text = PyUnicode_FromFormat("Match(%R, %R, name=%R, pattern=%R)",
                                          PyTuple_GET_ITEM(self->facts, GR_FACT_TARGET), params,
                                          PyTuple_GET_ITEM(self->facts, GR_FACT_NAME),
                                          PyTuple_GET_ITEM(self->facts, GR_FACT_PATTERN));
    Py_DECREF(params);
    return text;
}

#define FACT(name, index, doc) {name, (getter)match_get_fact, NULL, doc, (void *)(size_t)(index)}

static PyGetSetDef match_getset[] = {
    FACT("target", GR_FACT_TARGET, "what was registered"),
    FACT("name", GR_FACT_NAME, "the route's name, or None"),
    FACT("pattern", GR_FACT_PATTERN, "the route's pattern, with the mount point"),
    FACT("route", GR_FACT_ROUTE, "the Route, or None"),
    {"params", (getter)match_get_params, NULL,
     "the values of the parameters by their names: a new dict each time", NULL},
    {"args", (getter)match_get_args, NULL, "the values in the order of the pattern, a tuple",
     NULL},
    {NULL},
};

PyDoc_STRVAR(match_doc, "Match(target, params={}, name=None, pattern='', route=None)\n--\n\n"
                        "What a router found: the target of a route, and the values of its\n"
                        "parameters, converted. It does not change.");

static PyType_Slot match_slots[] = {
    {Py_tp_doc, (void *)match_doc}, {Py_tp_new, match_new},
    {Py_tp_dealloc, match_dealloc}, {Py_tp_traverse, match_traverse},
    {Py_tp_clear, match_clear},     {Py_tp_repr, match_repr},
    {Py_tp_getset, match_getset},   {0, NULL},
};

static PyType_Spec match_spec = {
    .name = "guava_router.Match",
    .basicsize = offsetof(match_object, values),
    .itemsize = sizeof(PyObject *),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = match_slots,
};

int
gr_match_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->match_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &match_spec, NULL);
    return state->match_type == NULL ? -1 : PyModule_AddType(module, state->match_type);
}
