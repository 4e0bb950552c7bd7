/* json.c: JSON both ways. Which library does it and how is decided in guava_http/_json.py, once
 * and when it is first needed: an application that speaks no JSON imports none. */
#include "module.h"
#include "types/parts.h"

static PyObject *
function(PyObject **slot, const char *name)
{
    if (*slot == NULL) {
        PyObject *json = PyImport_ImportModule("guava_http._json");
        if (json == NULL)
            return NULL;
        PyObject *found = PyObject_GetAttrString(json, name);
        Py_DECREF(json);
        Py_XSETREF(*slot, found);
    }
    return *slot;
}

PyObject *
gh_json_dumps(PyObject *module, PyObject *object)
{
    PyObject *dumps = function(&gh_types_of(module)->dumps, "dumps");
    PyObject *bytes = dumps == NULL ? NULL : PyObject_CallOneArg(dumps, object);
    if (bytes != NULL && !PyBytes_CheckExact(bytes)) {
        PyErr_SetString(PyExc_TypeError, "guava_http._json.dumps() must return bytes");
        Py_CLEAR(bytes);
    }
    return bytes;
}

/* Nineteen digits in a row may be an integer beyond 64 bits, which orjson reads as a float. */
static bool
may_be_long(const char *text, Py_ssize_t n)
{
    int run = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        run = (unsigned char)(text[i] - '0') < 10 ? run + 1 : 0;
        if (run >= 19)
            return true;
    }
    return false;
}

/* What does not parse is the client's fault, so it becomes a RequestError that keeps the
 * library's exception as its cause. RecursionError: too deep is malformed too. */
PyObject *
gh_json_loads(gh_types *types, PyObject *body)
{
    PyObject *loads = may_be_long(PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
                          ? function(&types->loads_exact, "loads_exact")
                          : function(&types->loads, "loads");
    PyObject *value = loads == NULL ? NULL : PyObject_CallOneArg(loads, body);
    if (value != NULL || loads == NULL)
        return value;
    if (PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_RecursionError))
        gh_raise(types, 400, "the body is not JSON");
    return NULL;
}
