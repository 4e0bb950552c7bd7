/* router.c: RouterBase, a mount point and a table.
 *
 * Router and its kin derive from it in Python. It is native so that a mounted router is matched
 * without entering the interpreter, and it needs no __init__: a subclass that forgets to call its
 * base still is a router, mounted at "/", with an empty table. */
#include "parts.h"

#include <string.h>

int
gr_router_relative(gr_router *self, const char *path, Py_ssize_t n, const char **rest,
                   Py_ssize_t *rest_n)
{
    Py_ssize_t k;
    const char *mount = PyUnicode_AsUTF8AndSize(self->mount, &k);
    if (mount == NULL) {
        PyErr_Clear(); /* set_mount() has seen these bytes, so this is a lack of memory */
        return 0;
    }
    if (k == 1)
        k = 0; /* the slash of the root belongs to what follows it */
    if (n < k || memcmp(path, mount, (size_t)k) != 0 || (n > k && path[k] != '/'))
        return 0;
    *rest = n > k ? path + k : "/";
    *rest_n = n > k ? n - k : 1;
    return 1;
}

/* A new reference to the table, compiled if there is none. */
static PyObject *
table_of(gr_router *self, gr_state *state)
{
    if (self->table == NULL) {
        PyObject *none = PyObject_CallMethodNoArgs((PyObject *)self, state->name_compile);
        if (none == NULL)
            return NULL;
        Py_DECREF(none);
        if (self->table == NULL) {
            PyErr_SetString(PyExc_RuntimeError, "_compile() has set no _table");
            return NULL;
        }
    }
    return Py_NewRef(self->table);
}

static int
ask_fallback(gr_router *self, gr_ask *ask, const char *rest, Py_ssize_t n, PyObject **result)
{
    if (ask->method == NULL) {
        ask->method = PyObject_GetAttr(ask->request, ask->state->name_method);
        if (ask->method == NULL)
            return -1;
    }
    PyObject *fallback = Py_NewRef(self->fallback), *answer = NULL;
    PyObject *path = PyUnicode_FromStringAndSize(rest, n);
    if (path != NULL)
        answer = PyObject_CallFunctionObjArgs(fallback, ask->method, path, NULL);
    Py_XDECREF(path);
    Py_DECREF(fallback);
    if (answer == NULL)
        return -1;
    if (answer == Py_None) {
        Py_DECREF(answer);
        return 0;
    }
    *result = answer;
    return 1;
}

int
gr_router_match(gr_router *self, gr_ask *ask, const char *rest, Py_ssize_t n, PyObject **result)
{
    /* Reading the method may run Python, which may register a route: the table stays ours. */
    PyObject *table = table_of(self, ask->state);
    if (table == NULL)
        return -1;
    int done = gr_table_match(table, ask, rest, n, result);
    Py_DECREF(table);
    if (done == 0 && self->fallback != NULL)
        return ask_fallback(self, ask, rest, n, result);
    return done;
}

PyObject *
gr_request_path(gr_state *state, PyObject *request, const char **bytes, Py_ssize_t *n)
{
    PyObject *path = PyObject_GetAttr(request, state->name_path);
    if (path == NULL)
        return NULL;
    if (!PyUnicode_Check(path)) {
        PyErr_Format(PyExc_TypeError, "request.path must be a str, not %.100s",
                     Py_TYPE(path)->tp_name);
        Py_DECREF(path);
        return NULL;
    }
    *bytes = PyUnicode_AsUTF8AndSize(path, n);
    if (*bytes == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            Py_DECREF(path);
            return NULL;
        }
        PyErr_Clear();
    } else if (*n == 0 || (*bytes)[0] != '/') {
        *bytes = NULL;
    }
    return path;
}

static PyObject *
router_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    gr_state *state = gr_state_by(type);
    if (state == NULL)
        return NULL;
    gr_router *self = (gr_router *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->mount = Py_NewRef(state->root);
    return (PyObject *)self;
}

static int
router_traverse(gr_router *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->table);
    Py_VISIT(self->fallback);
    return 0;
}

static int
router_clear(gr_router *self)
{
    Py_CLEAR(self->table);
    Py_CLEAR(self->fallback);
    return 0;
}

static void
router_dealloc(gr_router *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)router_clear(self);
    Py_CLEAR(self->mount);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(route_doc, "route($self, req, /)\n--\n\n"
                        "What answers this request, by its `path` and `method`, or None.");

static PyObject *
router_route(PyObject *self, PyObject *request)
{
    gr_state *state = gr_state_by(Py_TYPE(self));
    if (state == NULL)
        return NULL;
    const char *bytes, *rest;
    Py_ssize_t n, rest_n;
    PyObject *path = gr_request_path(state, request, &bytes, &n), *result = NULL;
    if (path == NULL)
        return NULL;
    gr_ask ask = {state, request, NULL, PyUnicode_IS_ASCII(path)};
    int done = 0;
    if (bytes != NULL && gr_router_relative((gr_router *)self, bytes, n, &rest, &rest_n))
        done = gr_router_match((gr_router *)self, &ask, rest, rest_n, &result);
    Py_XDECREF(ask.method);
    Py_DECREF(path);
    if (done < 0)
        return NULL;
    return done == 0 ? Py_NewRef(Py_None) : result;
}

PyDoc_STRVAR(relative_doc,
             "relative($self, path, /)\n--\n\n"
             "The part of a path behind the mount point ('/' at least), or None if the path lies\n"
             "elsewhere.");

static PyObject *
router_relative(gr_router *self, PyObject *path)
{
    const char *rest;
    Py_ssize_t n, rest_n;
    const char *bytes = PyUnicode_AsUTF8AndSize(path, &n);
    if (bytes == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return NULL;
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    if (n == 0 || bytes[0] != '/' || !gr_router_relative(self, bytes, n, &rest, &rest_n))
        Py_RETURN_NONE;
    return PyUnicode_FromStringAndSize(rest, rest_n);
}

static PyObject *
router_get_mount(gr_router *self, void *closure)
{
    return Py_NewRef(self->mount);
}

static int
router_set_mount(gr_router *self, PyObject *value, void *closure)
{
    Py_ssize_t n;
    const char *bytes = NULL;
    if (value != NULL && PyUnicode_CheckExact(value))
        bytes = PyUnicode_AsUTF8AndSize(value, &n);
    if (bytes == NULL || n == 0 || bytes[0] != '/' || (n > 1 && bytes[n - 1] == '/')) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError,
                            "_mount must be '/' or a str that starts and does not end with '/'");
        return -1;
    }
    Py_XSETREF(self->mount, Py_NewRef(value));
    return 0;
}

static PyObject *
router_get_table(gr_router *self, void *closure)
{
    return Py_NewRef(self->table == NULL ? Py_None : self->table);
}

static int
router_set_table(gr_router *self, PyObject *value, void *closure)
{
    gr_state *state = gr_state_by(Py_TYPE(self));
    if (state == NULL)
        return -1;
    if (value == Py_None)
        value = NULL;
    if (value != NULL && Py_TYPE(value) != state->table_type) {
        PyErr_SetString(PyExc_TypeError, "_table must be a Table or None");
        return -1;
    }
    Py_XSETREF(self->table, Py_XNewRef(value));
    return 0;
}

static PyObject *
router_get_fallback(gr_router *self, void *closure)
{
    return Py_NewRef(self->fallback == NULL ? Py_None : self->fallback);
}

static int
router_set_fallback(gr_router *self, PyObject *value, void *closure)
{
    if (value == Py_None)
        value = NULL;
    Py_XSETREF(self->fallback, Py_XNewRef(value));
    return 0;
}

static PyMethodDef router_methods[] = {
    {"route", router_route, METH_O, route_doc},
    {"relative", (PyCFunction)router_relative, METH_O, relative_doc},
    {NULL},
};

static PyGetSetDef router_getset[] = {
    {"_mount", (getter)router_get_mount, (setter)router_set_mount, NULL, NULL},
    {"_table", (getter)router_get_table, (setter)router_set_table, NULL, NULL},
    {"_fallback", (getter)router_get_fallback, (setter)router_set_fallback, NULL, NULL},
    {NULL},
};

PyDoc_STRVAR(router_doc,
             "RouterBase(*args, **kwargs)\n--\n\nA mount point and a table; see Router.");

static PyType_Slot router_slots[] = {
    {Py_tp_doc, (void *)router_doc}, {Py_tp_new, router_new},
    {Py_tp_dealloc, router_dealloc}, {Py_tp_traverse, router_traverse},
    {Py_tp_clear, router_clear},     {Py_tp_methods, router_methods},
    {Py_tp_getset, router_getset},   {0, NULL},
};

static PyType_Spec router_spec = {
    .name = "guava_router._core.RouterBase",
    .basicsize = sizeof(gr_router),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = router_slots,
};

int
gr_router_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->router_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &router_spec, NULL);
    if (state->router_type == NULL || PyModule_AddType(module, state->router_type) < 0)
        return -1;
    state->router_route = PyObject_GetAttr((PyObject *)state->router_type, state->name_route);
    return state->router_route == NULL ? -1 : 0;
}
