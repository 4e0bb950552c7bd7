/* paths.c: Paths, the immutable table of registered patterns.
 *
 * The radix tree offers the leaves that fit a path, the best first; here a leaf's routes are asked
 * for their method, and what was found becomes a result. Precedence, conflicts and what an answer
 * says were decided in Python when the table was made. Nothing is allocated but the result. */
#include "paths.h"

#include <string.h>

#define HOST_LONGEST 253 /* RFC 1035, section 2.3.4, in text */
#define PATH_INSIDE 512

typedef struct {
    gr_radix_walk w; /* first, so that the tree's callbacks find the rest */
    const gr_paths *paths;
    gr_ask *ask;
    const char *path, *path_end;
    const gr_entry *found;
    PyObject *allowed; /* a list while methods are collected, or NULL */
    bool ascii;
    bool missed; /* a leaf had no route for the method */
} search;

/* ---- the tree's questions ----------------------------------------------------------------------
 */

static int
collect(search *s, const gr_entry *entry)
{
    for (;; entry++) {
        if (entry->method != NULL && PyList_Append(s->allowed, entry->method) < 0)
            return -1;
        if (entry->last)
            return 0;
    }
}

static int
same_method(PyObject *ours, PyObject *method)
{
    if (PyUnicode_CHECK_INTERNED(method))
        return 0; /* both are, so their addresses have told */
    if (PyUnicode_IS_COMPACT_ASCII(ours) && PyUnicode_IS_COMPACT_ASCII(method)) {
        size_t n = (size_t)PyUnicode_GET_LENGTH(ours);
        return n == (size_t)PyUnicode_GET_LENGTH(method) &&
               memcmp(PyUnicode_1BYTE_DATA(ours), PyUnicode_1BYTE_DATA(method), n) == 0;
    }
    return PyUnicode_Compare(ours, method) == 0;
}

/* The route of a leaf for the method: one of its own, then for HEAD the one of GET, then any. */
static int
choose(gr_radix_walk *w, uint32_t leaf)
{
    search *s = (search *)w;
    const gr_entry *entry = &s->paths->entries[leaf - 1], *any = NULL, *get = NULL;
    if (s->allowed != NULL)
        return collect(s, entry);
    if (entry->method == NULL && entry->last) {
        s->found = entry;
        return 1;
    }
    PyObject *method = gr_ask_method(s->ask);
    if (method == NULL)
        return -1;
    for (;; entry++) {
        if (entry->method == method) {
            s->found = entry;
            return 1;
        }
        if (entry->method == NULL)
            any = entry;
        else if (same_method(entry->method, method)) {
            s->found = entry;
            return 1;
        } else if (entry->method == s->ask->state->name_GET)
            get = entry;
        if (entry->last)
            break;
    }
    if (get != NULL && PyUnicode_Compare(method, s->ask->state->name_HEAD) != 0)
        get = NULL;
    s->found = get != NULL ? get : any;
    if (s->found == NULL)
        s->missed = true;
    return s->found != NULL;
}

/* 1 with the value, 0 for ValueError, -1. */
static int
call_converter(const search *s, Py_ssize_t index, const char *at, size_t n, PyObject **value)
{
    PyObject *text = gr_text(at, (Py_ssize_t)n, s->ascii);
    if (text == NULL)
        return -1;
    PyObject *converter = PyTuple_GET_ITEM(s->paths->converters, index);
    *value = PyObject_CallOneArg(converter, text);
    Py_DECREF(text);
    if (*value != NULL)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return -1;
    PyErr_Clear();
    return 0;
}

static int
convert_own(gr_radix_walk *w, uint8_t converter, const char *at, size_t n, void **value)
{
    PyObject *made = NULL;
    int done = call_converter((search *)w, converter - GR_CONVERTER_OWN + 2, at, n, &made);
    *value = made;
    return done;
}

static void
drop_value(void *value)
{
    Py_DECREF((PyObject *)value);
}

/* ---- values ------------------------------------------------------------------------------------
 */

static PyObject *
int_of(const char *at, size_t n)
{
    if (n <= 18) {
        long long value = 0;
        bool minus = at[0] == '-';
        for (size_t i = minus; i < n; i++)
            value = value * 10 + (at[i] - '0');
        return PyLong_FromLongLong(minus ? -value : value);
    }
    PyObject *text = PyUnicode_FromStringAndSize(at, (Py_ssize_t)n), *value = NULL;
    if (text != NULL) {
        value = PyLong_FromUnicodeObject(text, 10);
        Py_DECREF(text);
    }
    return value;
}

static PyObject *
float_of(const char *at, size_t n)
{
    PyObject *text = PyUnicode_FromStringAndSize(at, (Py_ssize_t)n), *value = NULL;
    if (text != NULL) {
        value = PyFloat_FromString(text);
        Py_DECREF(text);
    }
    return value;
}

static PyObject *
value_of(search *s, gr_radix_span *span)
{
    PyObject *value = NULL;
    switch (span->converter) {
    case GR_CONVERTER_STR:
    case GR_CONVERTER_PATH:
        return gr_text(span->at, (Py_ssize_t)span->n, s->ascii);
    case GR_CONVERTER_INT:
        return int_of(span->at, span->n);
    case GR_CONVERTER_FLOAT:
        return float_of(span->at, span->n);
    case GR_CONVERTER_UUID:
    case GR_CONVERTER_DATE:
        if (call_converter(s, span->converter - 1, span->at, span->n, &value) == 0)
            PyErr_SetString(PyExc_ValueError, "no value");
        return value;
    default:
        value = span->value;
        span->value = NULL;
        return value;
    }
}

/* 1, 0 if a text has no value in this interpreter after all, -1. */
static int
fill(search *s, PyObject **values)
{
    for (uint32_t i = 0; i < s->w.n_spans; i++) {
        values[i] = value_of(s, &s->w.spans[i]);
        if (values[i] == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_ValueError))
                return -1;
            PyErr_Clear();
            return 0;
        }
    }
    return 1;
}

static int
make_match(search *s, PyObject **result)
{
    PyObject *match = gr_match_new(s->ask->state, s->found->facts, s->w.n_spans);
    if (match == NULL)
        return -1;
    int done = fill(s, gr_match_values(match));
    PyObject_GC_Track(match);
    if (done == 1)
        *result = match;
    else
        Py_DECREF(match);
    return done;
}

static int
make_handler(search *s, PyObject *target, PyObject **result)
{
    gr_handler *model = (gr_handler *)target;
    Py_ssize_t own = PyTuple_GET_SIZE(model->args);
    PyObject *args = PyTuple_New(own + (Py_ssize_t)s->w.n_spans);
    if (args == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < own; i++)
        PyTuple_SET_ITEM(args, i, Py_NewRef(PyTuple_GET_ITEM(model->args, i)));
    int done = fill(s, &PyTuple_GET_ITEM(args, own));
    if (done != 1) {
        Py_DECREF(args);
        return done;
    }
    *result = gr_handler_new(s->ask->state, model->endpoint, args);
    return *result == NULL ? -1 : 1;
}

/* ---- searching ---------------------------------------------------------------------------------
 */

static int
search_host(gr_radix_walk *w, uint32_t leaf)
{
    search *s = (search *)w;
    const char *end = w->end;
    w->end = s->path_end;
    w->separator = '/';
    w->leaf = choose;
    int done = gr_radix_find(w, s->paths->roots[leaf], s->path);
    w->end = end;
    w->separator = '.';
    w->leaf = search_host;
    return done;
}

/* The name of a Host field: in small letters, without a port and a dot at its end. 0 if it cannot
 * be one that a pattern fits. */
static size_t
host_name(const char *host, Py_ssize_t n, char *name)
{
    const char *colon = memchr(host, ':', (size_t)n);
    if (colon != NULL && host[0] != '[')
        n = colon - host;
    if (n > 0 && host[n - 1] == '.')
        n--;
    if (n <= 0 || n > HOST_LONGEST)
        return 0;
    for (Py_ssize_t i = 0; i < n; i++)
        name[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + 32 : host[i]);
    return (size_t)n;
}

static int
find(search *s, const char *path, size_t n, const char *host, size_t n_host)
{
    s->path = path;
    s->path_end = path + n;
    s->w.n_spans = 0;
    s->w.budget = 4096 + 16 * n;
    s->found = NULL;
    if (n_host > 0) {
        s->w.end = host + n_host;
        s->w.separator = '.';
        s->w.leaf = search_host;
        int done = gr_radix_find(&s->w, s->paths->hosts, host);
        if (done != 0)
            return done;
    }
    s->w.end = s->path_end;
    s->w.separator = '/';
    s->w.leaf = choose;
    return gr_radix_find(&s->w, s->paths->roots[0], path);
}

static int
result_of(search *s, PyObject **result)
{
    PyObject *target = PyTuple_GET_ITEM(s->found->facts, GR_FACT_TARGET);
    if (s->found->shared != NULL) {
        *result = Py_NewRef(s->ask->matches ? s->found->shared : target);
        return 1;
    }
    s->ask->varies = true;
    int done = !s->ask->matches && Py_TYPE(target) == s->ask->state->handler_type
                   ? make_handler(s, target, result)
                   : make_match(s, result);
    for (uint32_t i = 0; i < s->w.n_spans; i++) {
        if (s->w.spans[i].value != NULL)
            drop_value(s->w.spans[i].value);
    }
    return done;
}

/* The methods of all leaves that fit, as 405 or the answer to OPTIONS. */
static int
answer_missed(search *s, const char *path, size_t n, const char *host, size_t n_host,
              PyObject **result)
{
    s->allowed = PyList_New(0);
    if (s->allowed == NULL || find(s, path, n, host, n_host) < 0) {
        Py_CLEAR(s->allowed);
        return -1;
    }
    bool options = PyUnicode_Compare(s->ask->method, s->ask->state->name_OPTIONS) == 0;
    PyObject *make =
        PyTuple_GET_ITEM(s->paths->answers, options ? GR_ANSWER_OPTIONS : GR_ANSWER_NOT_ALLOWED);
    *result = PyObject_CallOneArg(make, s->allowed);
    Py_CLEAR(s->allowed);
    s->ask->soft = true;
    return *result == NULL ? -1 : 1;
}

static int
answer_redirect(search *s, const char *path, size_t n, PyObject **result)
{
    PyObject *text = PyUnicode_DecodeUTF8(path, (Py_ssize_t)n, NULL);
    if (text == NULL)
        return -1;
    PyObject *query = s->ask->query == NULL ? s->ask->state->empty_text : s->ask->query;
    PyObject *make = PyTuple_GET_ITEM(s->paths->answers, GR_ANSWER_REDIRECT);
    *result = PyObject_CallFunctionObjArgs(make, text, query, NULL);
    Py_DECREF(text);
    if (*result == NULL)
        return -1;
    if (*result == Py_None) {
        Py_CLEAR(*result);
        return 0;
    }
    s->ask->soft = true;
    return 1;
}

/* The same path with a slash more or less at its end led to a leaf. */
static int
search_other_slash(search *s, const char *path, size_t n, const char *host, size_t n_host,
                   PyObject **result)
{
    char inside[PATH_INSIDE], *other = inside;
    size_t length = path[n - 1] == '/' ? n - 1 : n + 1;
    if (length <= 1)
        return 0; /* "/" is no path without its slash */
    if (length > sizeof inside) {
        other = PyMem_Malloc(length);
        if (other == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    memcpy(other, path, length < n ? length : n);
    if (length > n)
        other[n] = '/';
    int done = find(s, other, length, host, n_host);
    if (done == 1)
        done = result_of(s, result);
    if (done == 1 && s->paths->slash == 'r') {
        Py_CLEAR(*result);
        done = answer_redirect(s, other, length, result);
    } else if (done == 0 && s->missed) {
        done = answer_missed(s, other, length, host, n_host, result);
    }
    if (other != inside)
        PyMem_Free(other);
    return done;
}

int
gr_paths_match(PyObject *paths, gr_ask *ask, const char *path, Py_ssize_t n, PyObject **result)
{
    search s;
    char host[HOST_LONGEST];
    size_t n_host = 0;
    s.paths = (const gr_paths *)paths;
    s.ask = ask;
    s.w.radix = &s.paths->radix;
    s.w.nearly = false;
    s.w.convert = convert_own;
    s.w.drop = drop_value;
    s.allowed = NULL;
    s.ascii = ask->ascii;
    s.missed = false;
    if (s.paths->n_roots > 1) {
        Py_ssize_t given_n;
        const char *given;
        if (gr_ask_host(ask, &given, &given_n) < 0)
            return -1;
        if (given != NULL)
            n_host = host_name(given, given_n, host);
    }
    int done = find(&s, path, (size_t)n, host, n_host);
    if (done == 1)
        done = result_of(&s, result);
    if (done != 0)
        return done;
    if (s.missed)
        return answer_missed(&s, path, (size_t)n, host, n_host, result);
    if (s.w.nearly && s.paths->slash != 's')
        return search_other_slash(&s, path, (size_t)n, host, n_host, result);
    return 0;
}

PyObject *
gr_paths_not_found(PyObject *paths)
{
    return PyTuple_GET_ITEM(((gr_paths *)paths)->answers, GR_ANSWER_NOT_FOUND);
}

/* ---- the type ----------------------------------------------------------------------------------
 */

static int
paths_traverse(gr_paths *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->converters);
    Py_VISIT(self->answers);
    for (uint32_t i = 0; i < self->n_entries; i++) {
        Py_VISIT(self->entries[i].facts);
        Py_VISIT(self->entries[i].shared);
    }
    return 0;
}

/* The roots go first: who looks for something while the rest goes finds nothing. */
static void
paths_dealloc(gr_paths *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    for (uint32_t i = 0; i < self->n_entries; i++) {
        Py_XDECREF(self->entries[i].method);
        Py_XDECREF(self->entries[i].facts);
        Py_XDECREF(self->entries[i].shared);
    }
    Py_XDECREF(self->converters);
    Py_XDECREF(self->answers);
    PyMem_Free(self->entries);
    PyMem_Free(self->roots);
    gr_radix_free(&self->radix);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
paths_sizeof(gr_paths *self, PyObject *unused)
{
    return PyLong_FromSize_t((size_t)Py_TYPE(self)->tp_basicsize + gr_radix_bytes(&self->radix) +
                             self->n_entries * sizeof *self->entries +
                             self->n_roots * sizeof *self->roots);
}

PyDoc_STRVAR(sizeof_doc, "__sizeof__($self, /)\n--\n\nThe bytes of the table itself.");

static PyMethodDef paths_methods[] = {
    {"__sizeof__", (PyCFunction)paths_sizeof, METH_NOARGS, sizeof_doc},
    {NULL},
};

PyDoc_STRVAR(paths_doc,
             "Paths(groups, converters, answers, slash)\n--\n\n"
             "Patterns as an immutable radix tree. groups: (host key, [(key, entries)]), that\n"
             "of no host first; keys are bytes in order, a parameter is 1 and its converter's\n"
             "number; an entry is (method or None, (target, name, pattern, route, names)).\n"
             "converters: what makes a value of a text, for uuid, date and each own one.\n"
             "answers: not found, and what makes 405, the answer to OPTIONS, a redirect.");

static PyType_Slot paths_slots[] = {
    {Py_tp_doc, (void *)paths_doc}, {Py_tp_new, gr_paths_new},
    {Py_tp_dealloc, paths_dealloc}, {Py_tp_traverse, paths_traverse},
    {Py_tp_methods, paths_methods}, {0, NULL},
};

static PyType_Spec paths_spec = {
    .name = "guava_router._core.Paths",
    .basicsize = sizeof(gr_paths),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = paths_slots,
};

int
gr_paths_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->paths_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &paths_spec, NULL);
    return state->paths_type == NULL ? -1 : PyModule_AddType(module, state->paths_type);
}
