/* bind.c: arguments to parameters, for constructors that run once per request: no tuple, no dict,
 * no format string. */
#include "types/parts.h"

#include <string.h>

static int
put(const gh_signature *sig, PyObject *name, PyObject *value, PyObject **out)
{
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "keywords must be strings");
        return -1;
    }
    for (Py_ssize_t i = 0; i < sig->n; i++) {
        if (strcmp(sig->names[i], text) != 0)
            continue;
        if (out[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'",
                         sig->function, text);
            return -1;
        }
        out[i] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", sig->function,
                 name);
    return -1;
}

static int
put_positional(const gh_signature *sig, PyObject *const *args, Py_ssize_t n_args, PyObject **out)
{
    if (n_args > sig->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional arguments (%zd given)",
                     sig->function, sig->positional, n_args);
        return -1;
    }
    for (Py_ssize_t i = 0; i < sig->n; i++)
        out[i] = i < n_args ? args[i] : NULL;
    return 0;
}

static int
check_required(const gh_signature *sig, PyObject **out)
{
    for (Py_ssize_t i = 0; i < sig->required; i++) {
        if (out[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", sig->function,
                         sig->names[i]);
            return -1;
        }
    }
    return 0;
}

int
gh_bind(const gh_signature *sig, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames,
        PyObject **out)
{
    if (put_positional(sig, args, n_args, out) < 0)
        return -1;
    Py_ssize_t n_names = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < n_names; i++) {
        if (put(sig, PyTuple_GET_ITEM(kwnames, i), args[n_args + i], out) < 0)
            return -1;
    }
    return check_required(sig, out);
}

int
gh_bind_tuple(const gh_signature *sig, PyObject *args, PyObject *kwargs, PyObject **out)
{
    PyObject *const *items = &PyTuple_GET_ITEM(args, 0);
    if (put_positional(sig, items, PyTuple_GET_SIZE(args), out) < 0)
        return -1;
    PyObject *name;
    PyObject *value;
    Py_ssize_t at = 0;
    while (kwargs != NULL && PyDict_Next(kwargs, &at, &name, &value)) {
        if (put(sig, name, value, out) < 0)
            return -1;
    }
    return check_required(sig, out);
}
