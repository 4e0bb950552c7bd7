/* response_extra.c: what few responses have, kept out of the way of the others: fields behind the
 * body (trailers), work to be done after the answer, and a say in whether it is compressed. What
 * trailers may be is decided in guava_http/_trailers.py, which only they import. */
#include "types/response.h"

PyObject *
gh_response_trailers(PyObject *op)
{
    return ((gh_response *)op)->trailers;
}

PyObject *
gh_response_work(PyObject *op)
{
    return ((gh_response *)op)->work;
}

PyObject *
gh_response_compression(PyObject *op)
{
    return ((gh_response *)op)->compression;
}

/* ---- background ---------------------------------------------------------------------------- */

PyObject *
gh_response_background(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    gh_response *self = (gh_response *)op;
    PyObject *rest = NULL, *named = NULL, *job = NULL;
    int result = -1;
    if (n_args < 1)
        return PyErr_Format(PyExc_TypeError, "background() needs a function to call");
    if (!PyCallable_Check(args[0]))
        return PyErr_Format(PyExc_TypeError, "background() needs a function, not %.200s",
                            Py_TYPE(args[0])->tp_name);
    rest = PyTuple_New(n_args - 1);
    named = PyDict_New();
    if (rest == NULL || named == NULL)
        goto done;
    for (Py_ssize_t i = 1; i < n_args; i++)
        PyTuple_SET_ITEM(rest, i - 1, Py_NewRef(args[i]));
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        if (PyDict_SetItem(named, PyTuple_GET_ITEM(kwnames, i), args[n_args + i]) < 0)
            goto done;
    }
    if (self->work == NULL)
        self->work = PyList_New(0);
    job = self->work == NULL ? NULL : PyTuple_Pack(3, args[0], rest, named);
    if (job != NULL)
        result = PyList_Append(self->work, job);
done:
    Py_XDECREF(job);
    Py_XDECREF(named);
    Py_XDECREF(rest);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- trailers ------------------------------------------------------------------------------ */

PyObject *
gh_response_get_trailers(PyObject *op, void *Py_UNUSED(closure))
{
    gh_response *self = (gh_response *)op;
    return Py_NewRef(self->trailers == NULL ? Py_None : self->trailers);
}

int
gh_response_set_trailers(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    gh_response *self = (gh_response *)op;
    if (value == NULL || value == Py_None) {
        Py_CLEAR(self->trailers);
        return 0;
    }
    PyObject *module = PyImport_ImportModule("guava_http._trailers");
    PyObject *checked = module == NULL ? NULL : PyObject_CallMethod(module, "checked", "O", value);
    Py_XDECREF(module);
    if (checked == NULL)
        return -1;
    Py_XSETREF(self->trailers, checked);
    return 0;
}

/* ---- compression --------------------------------------------------------------------------- */

PyObject *
gh_response_get_compression(PyObject *op, void *Py_UNUSED(closure))
{
    gh_response *self = (gh_response *)op;
    return Py_NewRef(self->compression == NULL ? Py_None : self->compression);
}

int
gh_response_set_compression(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    gh_response *self = (gh_response *)op;
    if (value == NULL || value == Py_None) {
        Py_CLEAR(self->compression);
        return 0;
    }
    if (!PyBool_Check(value)) {
        PyErr_Format(PyExc_TypeError, "compression must be True, False or None, not %.200s",
                     Py_TYPE(value)->tp_name);
        return -1;
    }
    Py_XSETREF(self->compression, Py_NewRef(value));
    return 0;
}
