/* headers.c: Headers, the fields of a response: a mutable, case-insensitive mapping that may have
 * several values for one name. The fields are kept as the very bytes that will be sent, so a
 * response's head is rendered by one memcpy; the array of slices over them is the index. */
#include "types/parts.h"

#include <string.h>

#include "core/cookies.h"
#include "core/field.h"

#define MAX_TEXT (64u << 20) /* slices count in 32 bits; nobody takes fields of this size */

typedef struct {
    PyObject_HEAD gh_types *types;
    gh_fields fields; /* fields.at is `index` */
    gh_field *index;
    uint32_t index_cap;
    char *text;
    size_t len;
    size_t cap;
} headers;

/* ---- the text and its index
 * -------------------------------------------------------------------------- */

const gh_fields *
gh_headers_fields(PyObject *op)
{
    return &((headers *)op)->fields;
}

gh_text
gh_headers_text(PyObject *op)
{
    headers *self = (headers *)op;
    return (gh_text){self->text, self->len};
}

static int
grow_text(headers *self, size_t more)
{
    if (self->cap - self->len >= more)
        return 0;
    if (more > MAX_TEXT || self->len + more > MAX_TEXT) {
        PyErr_SetString(PyExc_ValueError, "header fields of more than 64 MiB");
        return -1;
    }
    size_t cap = self->cap * 2 > self->len + more ? self->cap * 2 : self->len + more;
    char *text = PyMem_Malloc(cap);
    if (text == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < self->fields.n; i++) {
        self->index[i].name.base = text + (self->index[i].name.base - self->text);
        self->index[i].value.base = text + (self->index[i].value.base - self->text);
    }
    if (self->len > 0)
        memcpy(text, self->text, self->len);
    PyMem_Free(self->text);
    self->text = text;
    self->cap = cap;
    return 0;
}

static int
grow_index(headers *self)
{
    if (self->fields.n < self->index_cap)
        return 0;
    uint32_t cap = self->index_cap == 0 ? 8 : self->index_cap * 2;
    gh_field *index = PyMem_Realloc(self->index, cap * sizeof(gh_field));
    if (index == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->index = index;
    self->fields.at = index;
    self->index_cap = cap;
    return 0;
}

int
gh_headers_add(PyObject *op, gh_text name, gh_text value)
{
    headers *self = (headers *)op;
    if (grow_index(self) < 0 || grow_text(self, name.len + value.len + 4) < 0)
        return -1;
    char *at = self->text + self->len;
    memcpy(at, name.base, name.len);
    memcpy(at + name.len, ": ", 2);
    memcpy(at + name.len + 2, value.base, value.len);
    memcpy(at + name.len + 2 + value.len, "\r\n", 2);
    self->index[self->fields.n++] = (gh_field){
        .name = {at, (uint32_t)name.len},
        .value = {at + name.len + 2, (uint32_t)value.len},
    };
    self->len += name.len + value.len + 4;
    return 0;
}

/* Closes the gap that field i leaves. */
static void
remove_at(headers *self, uint32_t i)
{
    char *start = (char *)self->index[i].name.base;
    size_t size = (size_t)self->index[i].name.len + self->index[i].value.len + 4;
    memmove(start, start + size, (size_t)(self->text + self->len - start) - size);
    self->len -= size;
    self->fields.n--;
    for (uint32_t after = i; after < self->fields.n; after++) {
        self->index[after] = self->index[after + 1];
        self->index[after].name.base -= size;
        self->index[after].value.base -= size;
    }
}

int
gh_headers_remove(PyObject *op, gh_text name)
{
    headers *self = (headers *)op;
    int removed = 0;
    for (uint32_t i = self->fields.n; i-- > 0;) {
        gh_slice found = self->index[i].name;
        if (gh_same_name(found.base, found.len, name.base, name.len)) {
            remove_at(self, i);
            removed++;
        }
    }
    return removed;
}

/* ---- Set-Cookie
 * --------------------------------------------------------------------------------------- */

static gh_text
cookie_attribute(gh_slice cookie, const char *name)
{
    gh_text rest = {cookie.base, cookie.len};
    gh_text found;
    gh_text value;
    bool quoted;
    bool first = true;
    while (gh_cookie_next(&rest, &found, &value, &quoted)) {
        if (!first && gh_same_name(found.base, found.len, name, strlen(name)))
            return value;
        first = false;
    }
    return (gh_text){"", 0};
}

static bool
same_text(gh_text a, gh_text b)
{
    return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

/* A browser keeps one cookie for each name, domain and path (RFC 6265, 5.3). */
static bool
replaces(gh_slice old, gh_slice new)
{
    const char *equals = memchr(new.base, '=', new.len);
    size_t n = equals == NULL ? new.len : (size_t)(equals - new.base) + 1;
    return old.len >= n && memcmp(old.base, new.base, n) == 0 &&
           same_text(cookie_attribute(old, "domain"), cookie_attribute(new, "domain")) &&
           same_text(cookie_attribute(old, "path"), cookie_attribute(new, "path"));
}

int
gh_headers_add_cookie(PyObject *op, gh_text value)
{
    static const char name[] = "Set-Cookie";
    headers *self = (headers *)op;
    gh_slice new = {value.base, (uint32_t)value.len};
    for (uint32_t i = self->fields.n; i-- > 0;) {
        gh_field field = self->index[i];
        if (gh_same_name(field.name.base, field.name.len, name, sizeof(name) - 1) &&
            replaces(field.value, new))
            remove_at(self, i);
    }
    return gh_headers_add(op, (gh_text){name, sizeof(name) - 1}, value);
}

/* ---- helpers
 * ------------------------------------------------------------------------------------------- */

#define TYPES(op) (((headers *)(op))->types)

static int
add_objects(PyObject *op, PyObject *name, PyObject *value)
{
    gh_text name_text;
    gh_text value_text;
    if (gh_field_name(name, &name_text) < 0 || gh_field_value(value, &value_text) < 0)
        return -1;
    return gh_headers_add(op, name_text, value_text);
}

static int
set_objects(PyObject *op, PyObject *name, PyObject *value)
{
    gh_text name_text;
    gh_text value_text;
    if (gh_field_name(name, &name_text) < 0 || gh_field_value(value, &value_text) < 0)
        return -1;
    (void)gh_headers_remove(op, name_text);
    return gh_headers_add(op, name_text, value_text);
}

static int
add_all(PyObject *op, PyObject *source)
{
    PyObject *pairs = gh_pairs(TYPES(op), source, "headers");
    int result = pairs == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        result = add_objects(op, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    }
    Py_XDECREF(pairs);
    return result;
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
        (void)gh_headers_remove(op, (gh_text){name.base, name.len});
    }
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < fields->n; i++) {
        gh_field field = fields->at[i];
        result = gh_headers_add(op, (gh_text){field.name.base, field.name.len},
                                (gh_text){field.value.base, field.value.len});
    }
    Py_DECREF(other);
    return result;
}

/* ---- new, dealloc, traverse, clear
 * ------------------------------------------------------------------------ */

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
    self->fields.n = 0;
    self->len = 0;
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
    PyMem_Free(self->text);
    PyMem_Free(self->index);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods
 * --------------------------------------------------------------------------------------------- */

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
    if (gh_headers_remove(op, text) > 0)
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
        (void)gh_headers_remove(op, text);
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
    self->fields.n = 0;
    self->len = 0;
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
         "get(name, default=None)\n--\n\nThe value of a field, several ones joined, or default."),
    FAST("pop", headers_pop,
         "pop(name, default=<unrepresentable>)\n--\n\nRemoves a name and returns its value."),
    FAST("setdefault", headers_setdefault,
         "setdefault(name, default)\n--\n\nThe value of a field, which is added if missing."),
    FAST("add", headers_add,
         "add(name, value)\n--\n\nAdds a field and leaves those of the same name.\n\n"
         "ValueError: the name is no token (RFC 9110, 5.6.2), the value has control characters\n"
         "or is not latin-1."),
    {"update", (PyCFunction)(void (*)(void))headers_update, METH_VARARGS | METH_KEYWORDS,
     "update(source=(), /, **fields)\n--\n\nSets the fields of a mapping or of pairs."},
    {"popitem", headers_popitem, METH_NOARGS,
     "popitem()\n--\n\nRemoves the last name and returns (name, value)."},
    {"clear", headers_clear, METH_NOARGS, "clear()\n--\n\nRemoves all fields."},
    {"getlist", headers_getlist, METH_O,
     "getlist(name)\n--\n\nThe values of all fields of a name, in their order."},
    {"multi_items", headers_multi_items, METH_NOARGS,
     "multi_items()\n--\n\nAll (name, value) pairs, as they will be sent."},
    {"keys", headers_keys, METH_NOARGS, "keys()\n--\n\nThe names, each once."},
    {"items", headers_items, METH_NOARGS, "items()\n--\n\nNames with joined values."},
    {"values", headers_values, METH_NOARGS, "values()\n--\n\nThe joined values."},
    {"copy", headers_copy, METH_NOARGS, "copy()\n--\n\nThe same fields in another object."},
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

static PyType_Slot headers_slots[] = {
    {Py_tp_doc, (void *)headers_doc},
    {Py_tp_new, headers_new},
    {Py_tp_init, headers_init},
    {Py_tp_dealloc, headers_dealloc},
    {Py_tp_traverse, headers_traverse},
    {Py_tp_methods, headers_methods},
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
