/* pairs.c: what people give for headers and parameters, a mapping or pairs, as one list of pairs.
 * The list is a snapshot: whatever Python code runs later cannot pull it away. */
#include "types/parts.h"

static int
append(PyObject *list, PyObject *name, PyObject *value)
{
    PyObject *pair = PyTuple_Pack(2, name, value);
    if (pair == NULL)
        return -1;
    int result = PyList_Append(list, pair);
    Py_DECREF(pair);
    return result;
}

static int
append_each(PyObject *list, PyObject *name, PyObject *value)
{
    if (!PyList_Check(value) && !PyTuple_Check(value))
        return append(list, name, value);
    PyObject *values = PySequence_Tuple(value);
    int result = values == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyTuple_GET_SIZE(values); i++)
        result = append(list, name, PyTuple_GET_ITEM(values, i));
    Py_XDECREF(values);
    return result;
}

static PyObject *
source_items(PyObject *source, const char *what)
{
    if (PyDict_CheckExact(source))
        return PyDict_Items(source);
    int has_keys = gh_has(source, "keys");
    if (has_keys != 0)
        return has_keys < 0 ? NULL : PyMapping_Items(source);
    if (!PyUnicode_Check(source) && !PyBytes_Check(source)) {
        PyObject *items = PySequence_List(source);
        if (items != NULL || !PyErr_ExceptionMatches(PyExc_TypeError))
            return items;
        PyErr_Clear();
    }
    return PyErr_Format(PyExc_TypeError, "%s must be a mapping or (name, value) pairs, not %.200s",
                        what, Py_TYPE(source)->tp_name);
}

PyObject *
gh_pairs(gh_types *types, PyObject *source, const char *what)
{
    const gh_fields *fields = gh_fields_of(types, source);
    if (fields != NULL)
        return gh_fields_pairs(types, fields);
    if (PyObject_TypeCheck(source, types->query_dict))
        return gh_query_dict_pairs(source);
    PyObject *items = source_items(source, what);
    if (items == NULL)
        return NULL;
    PyObject *list = PyList_New(0);
    int result = list == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        PyObject *pair = PyTuple_Check(item) || PyList_Check(item) ? PySequence_Tuple(item) : NULL;
        if (pair != NULL && PyTuple_GET_SIZE(pair) == 2) {
            result = append_each(list, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        } else if (!PyErr_Occurred()) {
            PyErr_Format(PyExc_TypeError, "%s must be a mapping or (name, value) pairs, found %R",
                         what, item);
        }
        Py_XDECREF(pair);
        if (PyErr_Occurred())
            result = -1;
    }
    Py_DECREF(items);
    if (result < 0)
        Py_CLEAR(list);
    return list;
}
