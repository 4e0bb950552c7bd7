/* values.c: what a session holds, copied without a serializer. It is separate from table.c, which
 * knows ids, times and limits but not what it keeps.
 *
 * Only exact types are copied here. A subclass, a zone of the user's, an infinite float, a key
 * that is no str: for these the JSON serializer has rules and errors, and the caller asks it. */
#include "values.h"

#include "parts.h"

#include <math.h>

#define DEEPEST 1000 /* levels; a record that contains itself ends here */

typedef struct {
    PyObject *kinds;
    size_t limit, cost; /* bytes */
} Keeping;

static gs_kept keep(Keeping *keeping, PyObject *value, int depth, PyObject **kept);

/* What things take. An estimate for dicts: the smallest table they fit in. */

static size_t
dict_cost(size_t used)
{
    size_t slots = 8;

    while (slots * 2 / 3 < used)
        slots *= 2;
    /* The object, its collector's head, the keys' head, an index and its entries. */
    return sizeof(PyDictObject) + 2 * sizeof(void *) + 4 * sizeof(void *) +
           slots * (slots <= 128 ? 1 : 4) + slots * 2 / 3 * 2 * sizeof(void *);
}

static size_t
list_cost(size_t used)
{
    return sizeof(PyListObject) + 2 * sizeof(void *) + used * sizeof(void *);
}

static size_t
text_cost(PyObject *text)
{
    return sizeof(PyCompactUnicodeObject) +
           (size_t)(PyUnicode_GET_LENGTH(text) + 1) * PyUnicode_KIND(text);
}

static size_t
key_cost(PyObject *key)
{
    return PyUnicode_CHECK_INTERNED(key) ? 0 : text_cost(key); /* the program has it anyway */
}

static size_t
leaf_cost(PyObject *value)
{
    if (value == Py_None || PyBool_Check(value))
        return 0;
    if (PyUnicode_CheckExact(value))
        return text_cost(value);
    if (PyBytes_CheckExact(value))
        return sizeof(PyBytesObject) + (size_t)PyBytes_GET_SIZE(value);
    size_t size = (size_t)Py_TYPE(value)->tp_basicsize;
    if (Py_TYPE(value)->tp_itemsize > 0)
        size += (size_t)Py_ABS(Py_SIZE(value)) * (size_t)Py_TYPE(value)->tp_itemsize;
    return size;
}

/* Keeping. */

static gs_kept
charge(Keeping *keeping, size_t cost)
{
    keeping->cost += cost;
    return keeping->cost > keeping->limit ? GS_TOO_LARGE : GS_KEPT;
}

/* 1: of a type that is shared. 0: not. -1: an exception is set. */
static int
is_shared(PyObject *kinds, PyObject *value)
{
    PyObject *type = (PyObject *)Py_TYPE(value);

    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kinds); i++) {
        if (PyTuple_GET_ITEM(kinds, i) != type)
            continue;
        if (i == 0 || i > 2)
            return i > 2; /* a bare timezone is nothing that a session may hold */
        PyObject *zone = PyObject_GetAttrString(value, "tzinfo");
        if (zone == NULL)
            return -1;
        int plain = zone == Py_None || (PyObject *)Py_TYPE(zone) == PyTuple_GET_ITEM(kinds, 0);
        Py_DECREF(zone);
        return plain;
    }
    return 0;
}

static gs_kept
keep_leaf(Keeping *keeping, PyObject *value)
{
    if (value == Py_None || PyBool_Check(value))
        return GS_KEPT;
    if (PyUnicode_CheckExact(value))
        return charge(keeping, text_cost(value));
    if (PyFloat_CheckExact(value)) {
        if (!isfinite(PyFloat_AS_DOUBLE(value)))
            return GS_UNKNOWN;
    } else if (!PyLong_CheckExact(value) && !PyBytes_CheckExact(value)) {
        int shared = is_shared(keeping->kinds, value);
        if (shared < 0)
            return GS_FAILED;
        if (!shared)
            return GS_UNKNOWN;
    }
    return charge(keeping, leaf_cost(value));
}

static int
is_container(PyObject *value)
{
    return PyDict_CheckExact(value) || PyList_CheckExact(value) || PyTuple_CheckExact(value);
}

static gs_kept
keep_dict(Keeping *keeping, PyObject *dict, int depth, PyObject **kept)
{
    /* Copied first: an allocation may run a collection and with it anybody's code. */
    PyObject *copy = PyDict_Copy(dict), *key, *value;
    Py_ssize_t position = 0;
    gs_kept result;

    if (copy == NULL)
        return GS_FAILED;
    result = charge(keeping, dict_cost((size_t)PyDict_GET_SIZE(copy)));
    while (result == GS_KEPT && PyDict_Next(copy, &position, &key, &value)) {
        if (!PyUnicode_CheckExact(key)) {
            result = GS_UNKNOWN;
            break;
        }
        result = charge(keeping, key_cost(key));
        if (result != GS_KEPT)
            break;
        if (!is_container(value)) {
            result = keep_leaf(keeping, value);
            continue;
        }
        PyObject *inner = NULL;
        result = keep(keeping, value, depth + 1, &inner);
        if (result == GS_KEPT && PyDict_SetItem(copy, key, inner) < 0)
            result = GS_FAILED;
        Py_XDECREF(inner);
    }
    if (result != GS_KEPT) {
        Py_DECREF(copy);
        return result;
    }
    PyObject_GC_UnTrack(copy);
    *kept = copy;
    return GS_KEPT;
}

static gs_kept
keep_list(Keeping *keeping, PyObject *list, int depth, PyObject **kept)
{
    PyObject *copy = PySequence_List(list); /* what allocates runs before we look inside */
    gs_kept result;

    if (copy == NULL)
        return GS_FAILED;
    PyObject_GC_UnTrack(copy); /* so that nobody finds it through the collector */
    result = charge(keeping, list_cost((size_t)PyList_GET_SIZE(copy)));
    for (Py_ssize_t i = 0; result == GS_KEPT && i < PyList_GET_SIZE(copy); i++) {
        PyObject *value = PyList_GET_ITEM(copy, i), *inner = NULL;
        if (!is_container(value)) {
            result = keep_leaf(keeping, value);
            continue;
        }
        result = keep(keeping, value, depth + 1, &inner);
        if (result == GS_KEPT) {
            PyList_SET_ITEM(copy, i, inner);
            Py_DECREF(value);
        }
    }
    if (result != GS_KEPT) {
        Py_DECREF(copy);
        return result;
    }
    *kept = copy;
    return GS_KEPT;
}

static gs_kept
keep(Keeping *keeping, PyObject *value, int depth, PyObject **kept)
{
    if (depth > DEEPEST)
        return GS_UNKNOWN;
    return PyDict_CheckExact(value) ? keep_dict(keeping, value, depth, kept)
                                    : keep_list(keeping, value, depth, kept);
}

gs_kept
gs_values_keep(PyObject *kinds, PyObject *record, size_t limit, PyObject **kept, size_t *cost)
{
    Keeping keeping = {.kinds = kinds, .limit = limit};

    if (!PyDict_CheckExact(record))
        return GS_UNKNOWN;
    gs_kept result = keep(&keeping, record, 1, kept);
    *cost = keeping.cost;
    return result;
}

/* Copies for others. */

static PyObject *
copy_dict(PyObject *kept)
{
    PyObject *copy = PyDict_Copy(kept), *key, *value;
    Py_ssize_t position = 0;

    if (copy == NULL)
        return NULL;
    while (PyDict_Next(kept, &position, &key, &value)) {
        if (!PyDict_CheckExact(value) && !PyList_CheckExact(value))
            continue;
        PyObject *inner = gs_values_copy(value);
        if (inner == NULL || PyDict_SetItem(copy, key, inner) < 0) {
            Py_XDECREF(inner);
            Py_DECREF(copy);
            return NULL;
        }
        Py_DECREF(inner);
    }
    return copy;
}

static PyObject *
copy_list(PyObject *kept)
{
    Py_ssize_t size = PyList_GET_SIZE(kept);
    PyObject *copy = PyList_New(size);

    if (copy == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *value = gs_values_copy(PyList_GET_ITEM(kept, i));
        if (value == NULL) {
            Py_DECREF(copy);
            return NULL;
        }
        PyList_SET_ITEM(copy, i, value);
    }
    return copy;
}

PyObject *
gs_values_copy(PyObject *kept)
{
    if (PyDict_CheckExact(kept))
        return copy_dict(kept);
    if (PyList_CheckExact(kept))
        return copy_list(kept);
    return Py_NewRef(kept);
}

/* Merging, cost, comparison. */

PyObject *
gs_values_merge(PyObject *kept, PyObject *changed, PyObject *removed, PyObject *reserved)
{
    PyObject *record = reserved == NULL ? PyDict_Copy(kept) : PyDict_New();

    if (record == NULL)
        return NULL;
    if (reserved != NULL) {
        PyObject *stays = PyDict_GetItemWithError(kept, reserved);
        if (stays == NULL ? PyErr_Occurred() != NULL : PyDict_SetItem(record, reserved, stays) < 0)
            goto error;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(removed); i++) {
        PyObject *key = PyTuple_GET_ITEM(removed, i);
        int there = PyDict_Contains(record, key);
        if (there < 0 || (there && PyDict_DelItem(record, key) < 0))
            goto error;
    }
    if (PyDict_Update(record, changed) < 0)
        goto error;
    PyObject_GC_UnTrack(record);
    return record;
error:
    Py_DECREF(record);
    return NULL;
}

size_t
gs_values_cost(PyObject *kept)
{
    if (PyDict_CheckExact(kept)) {
        PyObject *key, *value;
        Py_ssize_t position = 0;
        size_t cost = dict_cost((size_t)PyDict_GET_SIZE(kept));
        while (PyDict_Next(kept, &position, &key, &value))
            cost += key_cost(key) + gs_values_cost(value);
        return cost;
    }
    if (PyList_CheckExact(kept)) {
        size_t cost = list_cost((size_t)PyList_GET_SIZE(kept));
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(kept); i++)
            cost += gs_values_cost(PyList_GET_ITEM(kept, i));
        return cost;
    }
    return leaf_cost(kept);
}

int
gs_values_same(PyObject *kept, PyObject *other)
{
    if (Py_TYPE(kept) != Py_TYPE(other))
        return 0; /* 1 is not 1.0, nor True */
    if (PyDict_CheckExact(kept)) {
        PyObject *key, *value;
        Py_ssize_t position = 0;
        if (PyDict_GET_SIZE(kept) != PyDict_GET_SIZE(other))
            return 0;
        while (PyDict_Next(kept, &position, &key, &value)) {
            PyObject *theirs = PyDict_GetItemWithError(other, key);
            if (theirs == NULL)
                return PyErr_Occurred() ? -1 : 0;
            int same = gs_values_same(value, theirs);
            if (same <= 0)
                return same;
        }
        return 1;
    }
    if (PyList_CheckExact(kept)) {
        if (PyList_GET_SIZE(kept) != PyList_GET_SIZE(other))
            return 0;
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(kept); i++) {
            int same = gs_values_same(PyList_GET_ITEM(kept, i), PyList_GET_ITEM(other, i));
            if (same <= 0)
                return same;
        }
        return 1;
    }
    return PyObject_RichCompareBool(kept, other, Py_EQ);
}

/* Whether a serializer has nothing to do but to write it down. */

static int
is_plain(PyObject *value, int depth)
{
    PyObject *key, *item;
    Py_ssize_t position = 0;

    if (value == Py_None || PyBool_Check(value) || PyUnicode_CheckExact(value) ||
        PyLong_CheckExact(value))
        return 1;
    if (PyFloat_CheckExact(value))
        return isfinite(PyFloat_AS_DOUBLE(value));
    if (depth > DEEPEST)
        return 0;
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); i++)
            if (!is_plain(PySequence_Fast_GET_ITEM(value, i), depth + 1))
                return 0;
        return 1;
    }
    if (!PyDict_CheckExact(value))
        return 0;
    while (PyDict_Next(value, &position, &key, &item)) {
        if (!PyUnicode_CheckExact(key) || !is_plain(item, depth + 1))
            return 0;
        /* It would be read as a form of values.py's. */
        if (PyDict_GET_SIZE(value) == 1 && PyUnicode_GET_LENGTH(key) > 0 &&
            PyUnicode_READ_CHAR(key, 0) == '$')
            return 0;
    }
    return 1;
}

PyDoc_STRVAR(is_plain_doc,
             "is_plain($module, value, /)\n--\n\n"
             "Whether value is made of nothing but what JSON has: dicts with str keys,\n"
             "lists, tuples, str, int, finite float, bool, None, no subclasses of them, and\n"
             "no dict that looks like a form of the package's own.");

static PyObject *
values_is_plain(PyObject *Py_UNUSED(module), PyObject *value)
{
    return PyBool_FromLong(is_plain(value, 0));
}

static PyMethodDef values_functions[] = {
    {"is_plain", values_is_plain, METH_O, is_plain_doc},
    {NULL},
};

int
gs_values_register(PyObject *module)
{
    return PyModule_AddFunctions(module, values_functions);
}
