/* headers.c: Headers, the fields of a response: a mutable, case-insensitive mapping that may have
 * several values for one name. */
#include "types/parts.h"

#include <string.h>

#include "core/field.h"

typedef struct {
    PyObject_HEAD gh_types *types;
    gh_field_text lines;
} headers;

/* ---- for the other types ------------------------------------------------------------------- */

const gh_fields *
gh_headers_fields(PyObject *op)
{
    return &((headers *)op)->lines.fields;
}

gh_field_text *
gh_headers_lines(PyObject *op)
{
    return &((headers *)op)->lines;
}

/* ---- helpers ------------------------------------------------------------------------------- */

#define TYPES(op) (((headers *)(op))->types)
#define LINES(op) (&((headers *)(op))->lines)

static int
add_objects(PyObject *op, PyObject *name, PyObject *value)
{
    gh_text name_text;
    gh_text value_text;
    if (gh_field_name(name, &name_text) < 0 || gh_field_value(value, &value_text) < 0)
        return -1;
    return gh_field_text_add(LINES(op), name_text, value_text);
}

static int
set_objects(PyObject *op, PyObject *name, PyObject *value)
{
    gh_text name_text;
    gh_text value_text;
    if (gh_field_name(name, &name_text) < 0 || gh_field_value(value, &value_text) < 0)
        return -1;
    return gh_field_text_set(LINES(op), name_text, value_text);
}

/* The usual case, a dict of str to str, without a list of pairs. Nothing in it runs Python code,
 * but for a failure, and then it is over. 1: it is something else, and nothing has been added. */
static int
add_plain_dict(PyObject *op, PyObject *source)
{
    PyObject *name;
    PyObject *value;
    Py_ssize_t at = 0;
    if (!PyDict_CheckExact(source))
        return 1;
    while (PyDict_Next(source, &at, &name, &value)) {
        if (!PyUnicode_Check(value))
            return 1;
    }
    at = 0;
    while (PyDict_Next(source, &at, &name, &value)) {
        if (add_objects(op, name, value) < 0)
            return -1;
    }
    return 0;
}

static int
add_all(PyObject *op, PyObject *source)
{
    int plain = add_plain_dict(op, source);
    if (plain <= 0)
        return plain;
    PyObject *pairs = gh_pairs(TYPES(op), source, "headers");
    int result = pairs == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        result = add_objects(op, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    }
    Py_XDECREF(pairs);
    return result;
}

static int
add_field(PyObject *op, gh_field field)
{
    return gh_field_text_add(LINES(op), (gh_text){field.name.base, field.name.len},
                             (gh_text){field.value.base, field.value.len});
}

/* The names of the source lose their old values, then all its pairs are added. */
static int
update_all(PyObject *op, PyObject *source)
{
    PyObject *other = gh_headers_from(TYPES(op), source);
    if (other == NULL)
        return -1;
    const gh_fields *fields = gh_headers_fields(other);
    for (uint32_t i = 0; i < fields->n; i++) {
        gh_slice name = fields->at[i].name;
        (void)gh_field_text_remove(LINES(op), (gh_text){name.base, name.len});
    }
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < fields->n; i++)
        result = add_field(op, fields->at[i]);
    Py_DECREF(other);
    return result;
}

/* ---- new, dealloc, traverse, clear --------------------------------------------------------- */

static PyObject *
headers_alloc(PyTypeObject *type, gh_types *types)
{
    headers *self = types == NULL ? NULL : (headers *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->types = types;
    return (PyObject *)self;
}

PyObject *
gh_headers_new(gh_types *types)
{
    return headers_alloc(types->headers, types);
}

PyObject *
gh_headers_from(gh_types *types, PyObject *source)
{
    PyObject *self = gh_headers_new(types);
    if (self != NULL && add_all(self, source) < 0)
        Py_CLEAR(self);
    return self;
}

static PyObject *
headers_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return headers_alloc(type, gh_types_of_type(type));
}

static int
headers_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"source"};
    static const gh_signature sig = {"Headers", names, 1, 1, 0};
    headers *self = (headers *)op;
    PyObject *source;
    if (gh_bind_tuple(&sig, args, kwargs, &source) < 0)
        return -1;
    self->lines.fields.n = 0;
    self->lines.len = 0;
    return source == NULL || source == Py_None ? 0 : add_all(op, source);
}

static int
headers_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    return 0;
}

static void
headers_dealloc(PyObject *op)
{
    headers *self = (headers *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    gh_field_text_free(&self->lines);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

static PyObject *
headers_subscript(PyObject *op, PyObject *name)
{
    gh_text text;
    if (gh_latin1_text(name, "a field name", &text) < 0)
        return NULL;
    PyObject *value = gh_fields_get(gh_headers_fields(op), text);
    if (value == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, name);
    return value;
}

static int
headers_ass_subscript(PyObject *op, PyObject *name, PyObject *value)
{
    if (value != NULL)
        return set_objects(op, name, value);
    gh_text text;
    if (gh_latin1_text(name, "a field name", &text) < 0)
        return -1;
    if (gh_field_text_remove(LINES(op), text) > 0)
        return 0;
    PyErr_SetObject(PyExc_KeyError, name);
    return -1;
}

static int
headers_contains(PyObject *op, PyObject *name)
{
    gh_text text;
    if (!PyUnicode_Check(name))
        return 0;
    if (gh_latin1_text(name, "a field name", &text) < 0) {
        PyErr_Clear();
        return 0;
    }
    return gh_fields_find(gh_headers_fields(op), text.base, text.len) != NULL;
}

static Py_ssize_t
headers_length(PyObject *op)
{
    return (Py_ssize_t)gh_fields_count(gh_headers_fields(op));
}

static PyObject *
headers_iter(PyObject *op)
{
    PyObject *names = gh_fields_names(TYPES(op), gh_headers_fields(op));
    PyObject *iterator = names == NULL ? NULL : PyObject_GetIter(names);
    Py_XDECREF(names);
    return iterator;
}

/* The value of values[0]; else a new reference to values[1], or NULL without an exception. */
static PyObject *
look_up(PyObject *op, const gh_signature *sig, PyObject *const *args, Py_ssize_t n_args,
        PyObject *kwnames, PyObject **values)
{
    gh_text text;
    if (gh_bind(sig, args, n_args, kwnames, values) < 0 ||
        gh_latin1_text(values[0], "a field name", &text) < 0)
        return NULL;
    PyObject *value = gh_fields_get(gh_headers_fields(op), text);
    return value != NULL || PyErr_Occurred() ? value : Py_XNewRef(values[1]);
}

static const char *const look_up_names[] = {"name", "default"};

static PyObject *
headers_get(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const gh_signature sig = {"get", look_up_names, 2, 2, 1};
    PyObject *values[2];
    PyObject *value = look_up(op, &sig, args, n_args, kwnames, values);
    return value != NULL || PyErr_Occurred() ? value : Py_NewRef(Py_None);
}

static PyObject *
headers_pop(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const gh_signature sig = {"pop", look_up_names, 2, 2, 1};
    PyObject *values[2];
    gh_text text;
    PyObject *value = look_up(op, &sig, args, n_args, kwnames, values);
    if (value != NULL) {
        /* look_up() has read the same name. */
        (void)gh_latin1_text(values[0], "a field name", &text);
        (void)gh_field_text_remove(LINES(op), text);
    } else if (!PyErr_Occurred()) {
        PyErr_SetObject(PyExc_KeyError, values[0]);
    }
    return value;
}

static PyObject *
headers_setdefault(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const gh_signature sig = {"setdefault", look_up_names, 2, 2, 2};
    PyObject *values[2];
    gh_text text;
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0 || gh_field_name(values[0], &text) < 0)
        return NULL;
    PyObject *value = gh_fields_get(gh_headers_fields(op), text);
    if (value != NULL || PyErr_Occurred())
        return value;
    return add_objects(op, values[0], values[1]) < 0 ? NULL
                                                     : gh_fields_get(gh_headers_fields(op), text);
}

static PyObject *
headers_popitem(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PyObject *names = gh_fields_names(TYPES(op), gh_headers_fields(op));
    if (names == NULL)
        return NULL;
    PyObject *pair = NULL;
    Py_ssize_t n = PyList_GET_SIZE(names);
    if (n == 0) {
        PyErr_SetString(PyExc_KeyError, "popitem(): no fields");
    } else {
        PyObject *name = PyList_GET_ITEM(names, n - 1);
        PyObject *value = headers_subscript(op, name);
        if (value != NULL && headers_ass_subscript(op, name, NULL) == 0)
            pair = PyTuple_Pack(2, name, value);
        Py_XDECREF(value);
    }
    Py_DECREF(names);
    return pair;
}

static PyObject *
headers_add(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"name", "value"};
    static const gh_signature sig = {"add", names, 2, 2, 2};
    PyObject *values[2];
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0 ||
        add_objects(op, values[0], values[1]) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
headers_update(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"source"};
    static const gh_signature sig = {"update", names, 1, 1, 0};
    PyObject *source;
    if (gh_bind_tuple(&sig, args, NULL, &source) < 0 ||
        (source != NULL && update_all(op, source) < 0) ||
        (kwargs != NULL && update_all(op, kwargs) < 0))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
headers_clear(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    headers *self = (headers *)op;
    self->lines.fields.n = 0;
    self->lines.len = 0;
    Py_RETURN_NONE;
}

static PyObject *
headers_getlist(PyObject *op, PyObject *name)
{
    gh_text text;
    if (gh_latin1_text(name, "a field name", &text) < 0)
        return NULL;
    return gh_fields_list(gh_headers_fields(op), text);
}

static PyObject *
headers_multi_items(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return gh_fields_pairs(TYPES(op), gh_headers_fields(op));
}

static PyObject *
headers_raw(PyObject *op, void *Py_UNUSED(closure))
{
    return gh_fields_raw(gh_headers_fields(op));
}

static PyObject *
headers_extend(PyObject *op, PyObject *source)
{
    PyObject *other = gh_headers_from(TYPES(op), source);
    if (other == NULL)
        return NULL;
    const gh_fields *fields = gh_headers_fields(other);
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < fields->n; i++)
        result = add_field(op, fields->at[i]);
    Py_DECREF(other);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
headers_keys(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallOneArg(TYPES(op)->keys_view, op);
}

static PyObject *
headers_items(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallOneArg(TYPES(op)->items_view, op);
}

static PyObject *
headers_values(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallOneArg(TYPES(op)->values_view, op);
}

static PyObject *
headers_copy(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return gh_headers_from(TYPES(op), op);
}

static PyObject *
headers_reduce(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PyObject *pairs = gh_fields_pairs(TYPES(op), gh_headers_fields(op));
    return pairs == NULL ? NULL : Py_BuildValue("O(N)", Py_TYPE(op), pairs);
}

static PyObject *
headers_compare(PyObject *op, PyObject *other, int how)
{
    return gh_fields_compare(TYPES(op), op, other, how);
}

static PyObject *
headers_repr(PyObject *op)
{
    PyObject *pairs = gh_fields_pairs(TYPES(op), gh_headers_fields(op));
    PyObject *repr = pairs == NULL ? NULL : PyUnicode_FromFormat("Headers(%R)", pairs);
    Py_XDECREF(pairs);
    return repr;
}

#define FAST(name, function, doc)                                                                 \
    {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, doc}

static PyMethodDef headers_methods[] = {
    FAST("get", headers_get,
         "get($self, name, default=None)\n--\n\nThe value of a field, several ones joined, or "
         "default."),
    FAST("pop", headers_pop,
         "pop($self, name, default=<unrepresentable>)\n--\n\nRemoves a name and returns its "
         "value."),
    FAST("setdefault", headers_setdefault,
         "setdefault($self, name, default)\n--\n\nThe value of a field, which is added if "
         "missing."),
    FAST("add", headers_add,
         "add($self, name, value)\n--\n\nAdds a field and leaves those of the same name.\n\n"
         "ValueError: the name is no token (RFC 9110, 5.6.2), the value has control characters\n"
         "or is not latin-1."),
    {"update", (PyCFunction)(void (*)(void))headers_update, METH_VARARGS | METH_KEYWORDS,
     "update($self, source=(), /, **fields)\n--\n\nSets the fields of a mapping or of pairs."},
    {"extend", headers_extend, METH_O,
     "extend($self, source, /)\n--\n\n"
     "Adds the fields of a mapping or of pairs and leaves those of the same names."},
    {"popitem", headers_popitem, METH_NOARGS,
     "popitem($self)\n--\n\nRemoves the last name and returns (name, value)."},
    {"clear", headers_clear, METH_NOARGS, "clear($self)\n--\n\nRemoves all fields."},
    {"getlist", headers_getlist, METH_O,
     "getlist($self, name, /)\n--\n\nThe values of all fields of a name, in their order."},
    {"multi_items", headers_multi_items, METH_NOARGS,
     "multi_items($self)\n--\n\nAll (name, value) pairs, as they will be sent."},
    {"keys", headers_keys, METH_NOARGS, "keys($self)\n--\n\nThe names, each once."},
    {"items", headers_items, METH_NOARGS, "items($self)\n--\n\nNames with joined values."},
    {"values", headers_values, METH_NOARGS, "values($self)\n--\n\nThe joined values."},
    {"copy", headers_copy, METH_NOARGS, "copy($self)\n--\n\nThe same fields in another object."},
    {"__copy__", headers_copy, METH_NOARGS, NULL},
    {"__reduce__", headers_reduce, METH_NOARGS, NULL},
    {NULL},
};

PyDoc_STRVAR(
    headers_doc,
    "Headers(source=(), /)\n--\n\n"
    "Header fields to send: a mapping whose names are the same in upper and lower case.\n"
    "headers[name] = value replaces all fields of the name, add(name, value) adds one.\n\n"
    "source: a mapping of str to str or to a list of str, or (name, value) pairs.\n"
    "ValueError: a name is no token (RFC 9110, 5.6.2), a value has control characters\n"
    "or is not latin-1.");

static PyGetSetDef headers_getset[] = {
    {"raw", headers_raw, NULL, "list of (bytes, bytes): all fields, as they will be sent"},
    {NULL},
};

static PyType_Slot headers_slots[] = {
    {Py_tp_doc, (void *)headers_doc},
    {Py_tp_new, headers_new},
    {Py_tp_init, headers_init},
    {Py_tp_dealloc, headers_dealloc},
    {Py_tp_traverse, headers_traverse},
    {Py_tp_methods, headers_methods},
    {Py_tp_getset, headers_getset},
    {Py_tp_iter, headers_iter},
    {Py_tp_repr, headers_repr},
    {Py_tp_richcompare, headers_compare},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_mp_subscript, headers_subscript},
    {Py_mp_ass_subscript, headers_ass_subscript},
    {Py_mp_length, headers_length},
    {Py_sq_contains, headers_contains},
    {0, NULL},
};

static PyType_Spec headers_spec = {
    .name = "guava_http.Headers",
    .basicsize = sizeof(headers),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = headers_slots,
};

int
gh_headers_register(PyObject *module, gh_types *types)
{
    types->headers = gh_add_type(module, &headers_spec, NULL);
    return types->headers == NULL ? -1 : 0;
}
