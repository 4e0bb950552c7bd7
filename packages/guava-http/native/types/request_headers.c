/* request_headers.c: request.HEADERS, a view: it holds the request and reads the slices of the
 * head when asked. It is made anew each time it is asked for, because a view that the request
 * kept would be a cycle, and a cycle waits for the garbage collector. */
#include "types/parts.h"

typedef struct {
    PyObject_HEAD gh_types *types;
    PyObject *request;
    gh_fields fields; /* where the request's were when last looked at */
} request_headers;

/* ---- helpers ------------------------------------------------------------------------------- */

const gh_fields *
gh_request_headers_fields(PyObject *op)
{
    request_headers *self = (request_headers *)op;
    self->fields = self->request == NULL ? (gh_fields){NULL, 0} : gh_request_fields(self->request);
    return &self->fields;
}

/* ---- new, dealloc, traverse, clear --------------------------------------------------------- */

PyObject *
gh_request_headers_new(gh_types *types, PyObject *request)
{
    request_headers *self = PyObject_GC_New(request_headers, types->request_headers);
    if (self == NULL)
        return NULL;
    self->types = types;
    self->request = Py_NewRef(request);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int
request_headers_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((request_headers *)op)->request);
    return 0;
}

static int
request_headers_clear(PyObject *op)
{
    Py_CLEAR(((request_headers *)op)->request);
    return 0;
}

static void
request_headers_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(((request_headers *)op)->request);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

#define TYPES(op) (((request_headers *)(op))->types)

static PyObject *
request_headers_subscript(PyObject *op, PyObject *name)
{
    gh_text text;
    if (gh_latin1_text(name, "a field name", &text) < 0)
        return NULL;
    PyObject *value = gh_fields_get(gh_request_headers_fields(op), text);
    if (value == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, name);
    return value;
}

static int
request_headers_contains(PyObject *op, PyObject *name)
{
    if (!PyUnicode_Check(name))
        return 0;
    gh_text text;
    if (gh_latin1_text(name, "a field name", &text) < 0) {
        PyErr_Clear();
        return 0;
    }
    return gh_fields_find(gh_request_headers_fields(op), text.base, text.len) != NULL;
}

static Py_ssize_t
request_headers_length(PyObject *op)
{
    return (Py_ssize_t)gh_fields_count(gh_request_headers_fields(op));
}

static PyObject *
request_headers_iter(PyObject *op)
{
    PyObject *names = gh_fields_names(TYPES(op), gh_request_headers_fields(op));
    PyObject *iterator = names == NULL ? NULL : PyObject_GetIter(names);
    Py_XDECREF(names);
    return iterator;
}

static PyObject *
request_headers_get(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"name", "default"};
    static const gh_signature sig = {"get", names, 2, 2, 1};
    PyObject *values[2];
    gh_text text;
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0 ||
        gh_latin1_text(values[0], "a field name", &text) < 0)
        return NULL;
    PyObject *value = gh_fields_get(gh_request_headers_fields(op), text);
    if (value != NULL || PyErr_Occurred())
        return value;
    return Py_NewRef(values[1] == NULL ? Py_None : values[1]);
}

static PyObject *
request_headers_getlist(PyObject *op, PyObject *name)
{
    gh_text text;
    if (gh_latin1_text(name, "a field name", &text) < 0)
        return NULL;
    return gh_fields_list(gh_request_headers_fields(op), text);
}

static PyObject *
request_headers_multi_items(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return gh_fields_pairs(TYPES(op), gh_request_headers_fields(op));
}

static PyObject *
request_headers_keys(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallOneArg(TYPES(op)->keys_view, op);
}

static PyObject *
request_headers_items(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallOneArg(TYPES(op)->items_view, op);
}

static PyObject *
request_headers_values(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallOneArg(TYPES(op)->values_view, op);
}

static PyObject *
request_headers_copy(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return gh_headers_from(TYPES(op), op);
}

/* What is copied or pickled stands without the request. */
static PyObject *
request_headers_reduce(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PyObject *pairs = gh_fields_pairs(TYPES(op), gh_request_headers_fields(op));
    return pairs == NULL ? NULL : Py_BuildValue("O(N)", TYPES(op)->headers, pairs);
}

static PyObject *
request_headers_raw(PyObject *op, void *Py_UNUSED(closure))
{
    return gh_fields_raw(gh_request_headers_fields(op));
}

static PyObject *
request_headers_compare(PyObject *op, PyObject *other, int how)
{
    return gh_fields_compare(TYPES(op), op, other, how);
}

static PyObject *
request_headers_repr(PyObject *op)
{
    PyObject *pairs = gh_fields_pairs(TYPES(op), gh_request_headers_fields(op));
    PyObject *repr = pairs == NULL ? NULL : PyUnicode_FromFormat("RequestHeaders(%R)", pairs);
    Py_XDECREF(pairs);
    return repr;
}

static PyMethodDef request_headers_methods[] = {
    {"get", (PyCFunction)(void (*)(void))request_headers_get, METH_FASTCALL | METH_KEYWORDS,
     "get($self, name, default=None)\n--\n\nThe value of a field, several ones joined, or "
     "default."},
    {"getlist", request_headers_getlist, METH_O,
     "getlist($self, name, /)\n--\n\nThe values of all fields of a name, in their order."},
    {"multi_items", request_headers_multi_items, METH_NOARGS,
     "multi_items($self)\n--\n\nAll (name, value) pairs, as they were sent."},
    {"keys", request_headers_keys, METH_NOARGS, "keys($self)\n--\n\nThe names, each once."},
    {"items", request_headers_items, METH_NOARGS, "items($self)\n--\n\nNames with joined values."},
    {"values", request_headers_values, METH_NOARGS, "values($self)\n--\n\nThe joined values."},
    {"copy", request_headers_copy, METH_NOARGS, "copy($self)\n--\n\nThe same fields as Headers."},
    {"__copy__", request_headers_copy, METH_NOARGS, NULL},
    {"__reduce__", request_headers_reduce, METH_NOARGS, NULL},
    {NULL},
};

PyDoc_STRVAR(request_headers_doc,
             "The header fields of a request: a read-only mapping whose names are the same in\n"
             "upper and lower case. Fields of one name are joined by a comma (RFC 9110, 5.3);\n"
             "getlist(name) has them one by one.");

static PyGetSetDef request_headers_getset[] = {
    {"raw", request_headers_raw, NULL, "list of (bytes, bytes): all fields, as they were sent"},
    {NULL},
};

static PyType_Slot request_headers_slots[] = {
    {Py_tp_doc, (void *)request_headers_doc},     {Py_tp_dealloc, request_headers_dealloc},
    {Py_tp_traverse, request_headers_traverse},   {Py_tp_clear, request_headers_clear},
    {Py_tp_methods, request_headers_methods},     {Py_tp_getset, request_headers_getset},
    {Py_tp_iter, request_headers_iter},           {Py_tp_repr, request_headers_repr},
    {Py_tp_richcompare, request_headers_compare}, {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_mp_subscript, request_headers_subscript}, {Py_mp_length, request_headers_length},
    {Py_sq_contains, request_headers_contains},   {0, NULL},
};

static PyType_Spec request_headers_spec = {
    .name = "guava_http.RequestHeaders",
    .basicsize = sizeof(request_headers),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_MAPPING | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = request_headers_slots,
};

int
gh_request_headers_register(PyObject *module, gh_types *types)
{
    types->request_headers = gh_add_type(module, &request_headers_spec, NULL);
    return types->request_headers == NULL ? -1 : 0;
}
