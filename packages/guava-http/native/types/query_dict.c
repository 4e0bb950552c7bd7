/* query_dict.c: what a query string or a form says, as a dict that can be given to anything that
 * takes one: each name with its last value. Names that came more than once have all their values
 * in a second dict, which most requests never make.
 *
 * It is read-only for its users: a changed value in one place and an unchanged one in the other
 * would be a trap. dict(query) makes a copy to change. */
#include "types/parts.h"

typedef struct {
    PyDictObject dict;
    PyObject *lists; /* {name: [values]} of the names with several values, or NULL */
} query_dict;

/* ---- helpers ------------------------------------------------------------------------------- */

static int
add_to_list(query_dict *self, PyObject *name, PyObject *before, PyObject *value)
{
    if (self->lists == NULL) {
        self->lists = PyDict_New();
        if (self->lists == NULL)
            return -1;
    }
    PyObject *list = PyDict_GetItemWithError(self->lists, name);
    if (list != NULL)
        return PyList_Append(list, value);
    if (PyErr_Occurred())
        return -1;
    list = PyList_New(2);
    if (list == NULL)
        return -1;
    PyList_SET_ITEM(list, 0, Py_NewRef(before));
    PyList_SET_ITEM(list, 1, Py_NewRef(value));
    int result = PyDict_SetItem(self->lists, name, list);
    Py_DECREF(list);
    return result;
}

static int
add(PyObject *op, PyObject *name, PyObject *value)
{
    PyObject *before = PyDict_GetItemWithError(op, name);
    if (before != NULL) {
        if (add_to_list((query_dict *)op, name, before, value) < 0)
            return -1;
    } else if (PyErr_Occurred()) {
        return -1;
    }
    return PyDict_SetItem(op, name, value);
}

static PyObject *
empty_dict(PyTypeObject *type)
{
    PyObject *args = PyTuple_New(0);
    PyObject *self = args == NULL ? NULL : PyDict_Type.tp_new(type, args, NULL);
    Py_XDECREF(args);
    return self;
}

static int
fill(gh_types *types, PyObject *self, PyObject *source, const char *what)
{
    PyObject *pairs = gh_pairs(types, source, what);
    if (pairs == NULL)
        return -1;
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        PyObject *name = PyTuple_GET_ITEM(pair, 0);
        PyObject *value = PyTuple_GET_ITEM(pair, 1);
        if (PyUnicode_Check(name) && PyUnicode_Check(value)) {
            result = add(self, name, value);
            continue;
        }
        PyErr_Format(PyExc_TypeError, "%s must have a str for each name and value, found %R", what,
                     pair);
        result = -1;
    }
    Py_DECREF(pairs);
    return result;
}

PyObject *
gh_query_dict_from(gh_types *types, PyObject *source, const char *what)
{
    PyObject *self = empty_dict(types->query_dict);
    if (self != NULL && fill(types, self, source, what) < 0)
        Py_CLEAR(self);
    return self;
}

PyObject *
gh_query_dict_parse(gh_types *types, const char *text, size_t n, int status, uint64_t most)
{
    PyObject *self = empty_dict(types->query_dict);
    gh_text rest = {text, n};
    gh_text name_text;
    gh_text value_text;
    size_t count = 0;
    while (self != NULL && gh_query_next(&rest, &name_text, &value_text)) {
        if (++count > most) {
            char words[64];
            PyOS_snprintf(words, sizeof(words), "more than %llu parameters",
                          (unsigned long long)most);
            gh_raise(types, status, words);
            Py_CLEAR(self);
            break;
        }
        PyObject *name = gh_decoded(name_text.base, name_text.len, true);
        PyObject *value = gh_decoded(value_text.base, value_text.len, true);
        if (name == NULL || value == NULL || add(self, name, value) < 0)
            Py_CLEAR(self);
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    return self;
}

static PyObject *
values_of(query_dict *self, PyObject *name)
{
    if (self->lists != NULL) {
        PyObject *list = PyDict_GetItemWithError(self->lists, name);
        if (list != NULL)
            return PyList_GetSlice(list, 0, PyList_GET_SIZE(list));
        if (PyErr_Occurred())
            return NULL;
    }
    PyObject *value = PyDict_GetItemWithError((PyObject *)self, name);
    if (value == NULL && PyErr_Occurred())
        return NULL;
    PyObject *list = PyList_New(value == NULL ? 0 : 1);
    if (list != NULL && value != NULL)
        PyList_SET_ITEM(list, 0, Py_NewRef(value));
    return list;
}

PyObject *
gh_query_dict_pairs(PyObject *self)
{
    PyObject *names = PyDict_Keys(self);
    PyObject *pairs = names == NULL ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; pairs != NULL && i < PyList_GET_SIZE(names); i++) {
        PyObject *name = PyList_GET_ITEM(names, i);
        PyObject *values = values_of((query_dict *)self, name);
        if (values == NULL)
            Py_CLEAR(pairs);
        for (Py_ssize_t j = 0; pairs != NULL && j < PyList_GET_SIZE(values); j++) {
            PyObject *pair = PyTuple_Pack(2, name, PyList_GET_ITEM(values, j));
            if (pair == NULL || PyList_Append(pairs, pair) < 0)
                Py_CLEAR(pairs);
            Py_XDECREF(pair);
        }
        Py_XDECREF(values);
    }
    Py_XDECREF(names);
    return pairs;
}

/* ---- new, dealloc, traverse, clear --------------------------------------------------------- */

static PyObject *
query_dict_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"source"};
    static const gh_signature sig = {"QueryDict", names, 1, 1, 0};
    PyObject *source;
    if (gh_bind_tuple(&sig, args, kwargs, &source) < 0)
        return NULL;
    gh_types *types = gh_types_of_type(type);
    PyObject *self = types == NULL ? NULL : empty_dict(type);
    if (self != NULL && source != NULL && fill(types, self, source, "a QueryDict's source") < 0)
        Py_CLEAR(self);
    return self;
}

/* dict's own would fill it past `lists`; all is done in new. */
static int
query_dict_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return 0;
}

static int
query_dict_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((query_dict *)op)->lists);
    return PyDict_Type.tp_traverse(op, visit, arg);
}

static int
query_dict_clear(PyObject *op)
{
    Py_CLEAR(((query_dict *)op)->lists);
    return PyDict_Type.tp_clear(op);
}

static void
query_dict_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(((query_dict *)op)->lists);
    PyDict_Type.tp_dealloc(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

static PyObject *
query_dict_getlist(PyObject *self, PyObject *name)
{
    return values_of((query_dict *)self, name);
}

static PyObject *
query_dict_multi_items(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return gh_query_dict_pairs(self);
}

static PyObject *
query_dict_copy(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyDict_Copy(self);
}

static PyObject *
query_dict_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *pairs = gh_query_dict_pairs(self);
    return pairs == NULL ? NULL : Py_BuildValue("O(N)", Py_TYPE(self), pairs);
}

static PyObject *
query_dict_deepcopy(PyObject *self, PyObject *memo)
{
    return Py_NewRef(self);
}

static PyObject *
refuse(void)
{
    PyErr_SetString(PyExc_TypeError, "a QueryDict is read-only; dict(it) makes a copy to change");
    return NULL;
}

static PyObject *
query_dict_refuse(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return refuse();
}

static int
query_dict_refuse_item(PyObject *self, PyObject *name, PyObject *value)
{
    (void)refuse();
    return -1;
}

static PyObject *
query_dict_refuse_or(PyObject *self, PyObject *other)
{
    return refuse();
}

static PyObject *
query_dict_repr(PyObject *self)
{
    PyObject *pairs = gh_query_dict_pairs(self);
    PyObject *repr = pairs == NULL ? NULL : PyUnicode_FromFormat("QueryDict(%R)", pairs);
    Py_XDECREF(pairs);
    return repr;
}

/* A query string, or a form's body. */
static PyObject *
query_dict_parse(PyObject *type, PyObject *source)
{
    gh_types *types = gh_types_of_type((PyTypeObject *)type);
    const char *text = NULL;
    Py_ssize_t n = 0;
    if (types == NULL)
        return NULL;
    if (PyBytes_Check(source)) {
        text = PyBytes_AS_STRING(source);
        n = PyBytes_GET_SIZE(source);
    } else if (PyUnicode_Check(source)) {
        text = PyUnicode_AsUTF8AndSize(source, &n);
    } else {
        PyErr_Format(PyExc_TypeError, "parse() takes a str or bytes, not %.200s",
                     Py_TYPE(source)->tp_name);
    }
    return text == NULL ? NULL : gh_query_dict_parse(types, text, (size_t)n, 400, GH_MAX_PARAMS);
}

#define REFUSED(name)                                                                             \
    {name, (PyCFunction)(void (*)(void))query_dict_refuse, METH_VARARGS | METH_KEYWORDS,          \
     "Raises TypeError: a QueryDict is read-only."}

static PyMethodDef query_dict_methods[] = {
    {"parse", query_dict_parse, METH_O | METH_CLASS,
     "parse($type, text, /)\n--\n\n"
     "The parameters of a query string or of a urlencoded form (WHATWG URL, 5.1): '+' is a "
     "space,\n"
     "%XX is UTF-8, bytes that are not UTF-8 become U+FFFD.\n\n"
     "text: str or bytes. RequestError (a ValueError): more than 1000 parameters."},
    {"getlist", query_dict_getlist, METH_O,
     "getlist($self, name, /)\n--\n\nAll values of a name, in their order; an empty list if there "
     "are "
     "none."},
    {"multi_items", query_dict_multi_items, METH_NOARGS,
     "multi_items($self)\n--\n\nAll (name, value) pairs, those of one name together."},
    {"copy", query_dict_copy, METH_NOARGS, "copy($self)\n--\n\nA plain dict of the last values."},
    {"__reduce__", query_dict_reduce, METH_NOARGS, NULL},
    {"__deepcopy__", query_dict_deepcopy, METH_O, NULL},
    REFUSED("clear"),
    REFUSED("pop"),
    REFUSED("popitem"),
    REFUSED("setdefault"),
    REFUSED("update"),
    {NULL},
};

PyDoc_STRVAR(
    query_dict_doc,
    "QueryDict(source=(), /)\n--\n\n"
    "The parameters of a query string or of a form: a read-only dict of each name's last\n"
    "value, where getlist(name) gives all of them.\n\n"
    "source: a mapping of str to str or to a list of str, or (name, value) pairs.");

static PyType_Slot query_dict_slots[] = {
    {Py_tp_doc, (void *)query_dict_doc},
    {Py_tp_new, query_dict_new},
    {Py_tp_init, query_dict_init},
    {Py_tp_dealloc, query_dict_dealloc},
    {Py_tp_traverse, query_dict_traverse},
    {Py_tp_clear, query_dict_clear},
    {Py_tp_repr, query_dict_repr},
    {Py_tp_methods, query_dict_methods},
    {Py_mp_ass_subscript, query_dict_refuse_item},
    {Py_nb_inplace_or, query_dict_refuse_or},
    {0, NULL},
};

static PyType_Spec query_dict_spec = {
    .name = "guava_http.QueryDict",
    .basicsize = sizeof(query_dict),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DICT_SUBCLASS |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = query_dict_slots,
};

int
gh_query_dict_register(PyObject *module, gh_types *types)
{
    types->query_dict = gh_add_type(module, &query_dict_spec, &PyDict_Type);
    return types->query_dict == NULL ? -1 : 0;
}
