/* paths_build.c: makes a Paths of what Python has checked and put in order.
 *
 * It is apart from paths.c because it runs once: nothing here is on the way of a request. */
#include "paths.h"

#include <string.h>

static int
read_entry(gr_paths *self, gr_state *state, PyObject *item)
{
    PyObject *method, *facts;
    if (!PyTuple_Check(item) ||
        !PyArg_ParseTuple(item, "OO!:Paths", &method, &PyTuple_Type, &facts)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "an entry must be a tuple (method, facts)");
        return -1;
    }
    if (method != Py_None && !PyUnicode_CheckExact(method)) {
        PyErr_SetString(PyExc_TypeError, "an entry's method must be a str or None");
        return -1;
    }
    if (PyTuple_GET_SIZE(facts) != GR_FACTS ||
        !PyTuple_CheckExact(PyTuple_GET_ITEM(facts, GR_FACT_NAMES))) {
        PyErr_SetString(PyExc_TypeError,
                        "an entry's facts must be (target, name, pattern, route, names)");
        return -1;
    }
    gr_entry *entry = &self->entries[self->n_entries++];
    *entry = (gr_entry){.facts = Py_NewRef(facts)};
    if (method != Py_None) {
        entry->method = Py_NewRef(method);
        PyUnicode_InternInPlace(&entry->method);
        self->has_methods = true;
    }
    if (PyTuple_GET_SIZE(PyTuple_GET_ITEM(facts, GR_FACT_NAMES)) == 0) {
        entry->shared = gr_match_new(state, facts, 0);
        if (entry->shared == NULL)
            return -1;
        PyObject_GC_Track(entry->shared);
    }
    return 0;
}

/* A key is well formed if every mark has a converter that there is. */
static int
check_key(const gr_paths *self, const char *text, Py_ssize_t n, const gr_radix_key *before)
{
    Py_ssize_t own = PyTuple_GET_SIZE(self->converters) - 2;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (text[i] != GR_RADIX_MARK)
            continue;
        int converter = i + 1 < n ? (uint8_t)text[++i] : 0;
        if (converter < GR_CONVERTER_UUID ||
            (converter < GR_CONVERTER_STR && converter >= GR_CONVERTER_OWN + own)) {
            PyErr_SetString(PyExc_ValueError, "a key names a converter that there is not");
            return -1;
        }
    }
    if (before != NULL) {
        size_t common = before->n < (size_t)n ? before->n : (size_t)n;
        int order = memcmp(before->text, text, common);
        if (order > 0 || (order == 0 && before->n >= (size_t)n)) {
            PyErr_SetString(PyExc_ValueError, "the keys must be in order, each of them once");
            return -1;
        }
    }
    return 0;
}

/* keys: a list of (bytes, tuple of entries). */
static int
read_group(gr_paths *self, gr_state *state, PyObject *list, uint32_t *root)
{
    Py_ssize_t n = PyList_GET_SIZE(list);
    gr_radix_key *keys = PyMem_Calloc(n > 0 ? (size_t)n : 1, sizeof *keys);
    int result = -1;
    if (keys == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *bytes, *entries, *pair = PyList_GET_ITEM(list, i);
        if (!PyTuple_Check(pair) ||
            !PyArg_ParseTuple(pair, "SO!:Paths", &bytes, &PyTuple_Type, &entries)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a key must be a tuple (bytes, entries)");
            goto error;
        }
        Py_ssize_t length = PyBytes_GET_SIZE(bytes);
        const char *text = PyBytes_AS_STRING(bytes);
        if (check_key(self, text, length, i > 0 ? &keys[i - 1] : NULL) < 0)
            goto error;
        keys[i] = (gr_radix_key){text, (uint32_t)length, self->n_entries + 1};
        Py_ssize_t n_entries = PyTuple_GET_SIZE(entries);
        if (n_entries == 0 || length > INT32_MAX) {
            PyErr_SetString(PyExc_ValueError, "a key needs an entry");
            goto error;
        }
        for (Py_ssize_t k = 0; k < n_entries; k++) {
            if (read_entry(self, state, PyTuple_GET_ITEM(entries, k)) < 0)
                goto error;
        }
        self->entries[self->n_entries - 1].last = true;
    }
    if (gr_radix_build(&self->radix, keys, (uint32_t)n, '/', root) < 0) {
        PyErr_NoMemory();
        goto error;
    }
    result = 0;
error:
    PyMem_Free(keys);
    return result;
}

/* groups: [(host key or None, [keys])], the one without a host first. */
static Py_ssize_t
count_entries(PyObject *groups)
{
    Py_ssize_t n = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(groups); i++) {
        PyObject *group = PyList_GET_ITEM(groups, i);
        if (!PyTuple_Check(group) || PyTuple_GET_SIZE(group) != 2 ||
            !PyList_Check(PyTuple_GET_ITEM(group, 1)))
            goto error;
        PyObject *keys = PyTuple_GET_ITEM(group, 1);
        for (Py_ssize_t k = 0; k < PyList_GET_SIZE(keys); k++) {
            PyObject *pair = PyList_GET_ITEM(keys, k);
            if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 ||
                !PyTuple_Check(PyTuple_GET_ITEM(pair, 1)))
                goto error;
            n += PyTuple_GET_SIZE(PyTuple_GET_ITEM(pair, 1));
        }
    }
    return n;
error:
    PyErr_SetString(PyExc_TypeError, "a group must be (host key, [(key, entries)])");
    return -1;
}

static int
read_groups(gr_paths *self, gr_state *state, PyObject *groups)
{
    Py_ssize_t n = PyList_GET_SIZE(groups), n_entries = count_entries(groups);
    if (n_entries < 0)
        return -1;
    self->entries = PyMem_Calloc(n_entries > 0 ? (size_t)n_entries : 1, sizeof *self->entries);
    self->roots = PyMem_Calloc(n > 0 ? (size_t)n : 1, sizeof *self->roots);
    gr_radix_key *hosts = PyMem_Calloc(n > 0 ? (size_t)n : 1, sizeof *hosts);
    int result = -1;
    if (self->entries == NULL || self->roots == NULL || hosts == NULL ||
        n_entries > INT32_MAX / 2) {
        PyErr_NoMemory();
        goto error;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *group = PyList_GET_ITEM(groups, i), *host = PyTuple_GET_ITEM(group, 0);
        if ((i == 0) != (host == Py_None) || (i > 0 && !PyBytes_Check(host))) {
            PyErr_SetString(PyExc_TypeError, "the first group has no host, the others have one");
            goto error;
        }
        if (i > 0) {
            const char *text = PyBytes_AS_STRING(host);
            Py_ssize_t length = PyBytes_GET_SIZE(host);
            if (check_key(self, text, length, i > 1 ? &hosts[i - 1] : NULL) < 0)
                goto error;
            hosts[i] = (gr_radix_key){text, (uint32_t)length, (uint32_t)i};
        }
        if (read_group(self, state, PyTuple_GET_ITEM(group, 1), &self->roots[i]) < 0)
            goto error;
        self->n_roots++;
    }
    if (n > 1 && gr_radix_build(&self->radix, hosts + 1, (uint32_t)n - 1, '.', &self->hosts) < 0) {
        PyErr_NoMemory();
        goto error;
    }
    result = 0;
error:
    PyMem_Free(hosts);
    return result;
}

PyObject *
gr_paths_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"groups", "converters", "answers", "slash", NULL};
    PyObject *groups, *converters, *answers;
    const char *slash;
    gr_state *state = gr_state_by(type);
    if (state == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!s:Paths", names, &PyList_Type, &groups,
                                     &PyTuple_Type, &converters, &PyTuple_Type, &answers, &slash))
        return NULL;
    if (PyTuple_GET_SIZE(converters) < 2 || PyTuple_GET_SIZE(answers) != GR_ANSWERS ||
        PyList_GET_SIZE(groups) == 0) {
        PyErr_SetString(PyExc_ValueError, "Paths: a group, two converters and four answers");
        return NULL;
    }
    gr_paths *self = (gr_paths *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->converters = Py_NewRef(converters);
    self->answers = Py_NewRef(answers);
    self->slash = slash[0];
    if (read_groups(self, state, groups) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}
