/* router.c: RouterBase, a mount point, the patterns registered there, and a convention's table.
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
    const char *mount = gr_utf8(self->mount, &k);
    if (mount == NULL) {
        PyErr_Clear(); /* set_mount() has seen these bytes, so this is a lack of memory */
        return 0;
    }
    if (k == 1) { /* the slash of the root belongs to what follows it */
        *rest = path;
        *rest_n = n;
        return path[0] == '/';
    }
    if (n < k || memcmp(path, mount, (size_t)k) != 0 || (n > k && path[k] != '/'))
        return 0;
    *rest = n > k ? path + k : "/";
    *rest_n = n > k ? n - k : 1;
    return 1;
}

static int
compile(gr_router *self, gr_state *state)
{
    PyObject *none = PyObject_CallMethodNoArgs((PyObject *)self, state->name_compile);
    if (none == NULL)
        return -1;
    Py_DECREF(none);
    if (self->paths == NULL && self->table == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "_compile() has set neither _paths nor _table");
        return -1;
    }
    return 0;
}

static int
ask_fallback(gr_router *self, gr_ask *ask, const char *rest, Py_ssize_t n, PyObject **result)
{
    if (gr_ask_method(ask) == NULL)
        return -1;
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

/* What the convention has for a path that no registered text fits. */
static int
ask_convention(gr_router *self, PyObject *table, gr_ask *ask, const char *rest, Py_ssize_t n,
               PyObject **result)
{
    int done = table == NULL ? 0 : gr_table_match(table, ask, rest, n, result);
    if (done == 0 && self->fallback != NULL)
        done = ask_fallback(self, ask, rest, n, result);
    return done;
}

/* Text goes before parameters, and what somebody registered before a convention: so registered
 * text is first, then the actions of the convention, then registered parameters, and last what
 * only says why there is nothing. */
int
gr_router_match(gr_router *self, gr_ask *ask, const char *rest, Py_ssize_t n, PyObject **result)
{
    if (self->paths == NULL && self->table == NULL && compile(self, ask->state) < 0)
        return -1;
    /* Reading the method may run Python, which may register a route: the tables stay ours. */
    PyObject *paths = Py_XNewRef(self->paths), *table = Py_XNewRef(self->table), *other = NULL;
    ask->soft = ask->varies = false;
    if (paths == NULL && self->fallback == NULL) {
        int found = gr_table_match(table, ask, rest, n, result); /* nothing but a convention */
        Py_DECREF(table);
        return found;
    }
    int done = paths == NULL ? 0 : gr_paths_match(paths, ask, rest, n, result);
    bool soft = ask->soft;
    if ((done == 0 || (done == 1 && (soft || ask->varies))) &&
        (table != NULL || self->fallback != NULL)) {
        int found = ask_convention(self, table, ask, rest, n, &other);
        bool action = found == 1 && Py_TYPE(other) == ask->state->handler_type;
        if (found < 0) {
            Py_CLEAR(*result);
            done = -1;
        } else if (found == 1 && (done == 0 || action)) {
            Py_XSETREF(*result, Py_NewRef(other));
            soft = !action;
            done = 1;
        }
        ask->soft = soft;
        Py_XDECREF(other);
    }
    Py_XDECREF(paths);
    Py_XDECREF(table);
    return done;
}

PyObject *
gr_ask_method(gr_ask *ask)
{
    if (ask->method != NULL)
        return ask->method;
    PyObject *method = PyObject_GetAttr(ask->request, ask->state->name_method);
    if (method != NULL && !PyUnicode_Check(method)) {
        PyErr_Format(PyExc_TypeError, "request.method must be a str, not %.100s",
                     Py_TYPE(method)->tp_name);
        Py_CLEAR(method);
    }
    ask->method = method;
    return method;
}

int
gr_ask_host(gr_ask *ask, const char **text, Py_ssize_t *n)
{
    *text = NULL;
    if (ask->host == NULL && ask->request != NULL) {
        ask->read_host = PyObject_GetAttr(ask->request, ask->state->name_host);
        if (ask->read_host == NULL)
            return -1;
        ask->host = ask->read_host;
    }
    if (ask->host == NULL || ask->host == Py_None)
        return 0;
    if (!PyUnicode_Check(ask->host)) {
        PyErr_Format(PyExc_TypeError, "a host must be a str or None, not %.100s",
                     Py_TYPE(ask->host)->tp_name);
        return -1;
    }
    *text = PyUnicode_AsUTF8AndSize(ask->host, n);
    if (*text == NULL && !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return -1;
    PyErr_Clear();
    return 0;
}

void
gr_ask_done(gr_ask *ask)
{
    Py_CLEAR(ask->method);
    Py_CLEAR(ask->read_host);
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
    *bytes = gr_utf8(path, n);
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
    PyObject *module = PyType_GetModuleByDef(type, &gr_module);
    if (module == NULL)
        return NULL;
    gr_router *self = (gr_router *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->module = Py_NewRef(module);
        self->state = gr_state_of(module);
        self->mount = Py_NewRef(self->state->root);
    }
    return (PyObject *)self;
}

static int
router_traverse(gr_router *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->paths);
    Py_VISIT(self->table);
    Py_VISIT(self->fallback);
    return 0;
}

static int
router_clear(gr_router *self)
{
    Py_CLEAR(self->paths);
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
    Py_CLEAR(self->module);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(route_doc, "route($self, req, /)\n--\n\n"
                        "What answers this request, by its `path` and `method`, or None.");

static PyObject *
router_route(PyObject *self, PyObject *request)
{
    gr_state *state = ((gr_router *)self)->state;
    const char *bytes, *rest;
    Py_ssize_t n, rest_n;
    PyObject *path = gr_request_path(state, request, &bytes, &n), *result = NULL;
    if (path == NULL)
        return NULL;
    gr_ask ask = {state, request, NULL, PyUnicode_IS_ASCII(path)};
    int done = 0;
    if (bytes != NULL && gr_router_relative((gr_router *)self, bytes, n, &rest, &rest_n))
        done = gr_router_match((gr_router *)self, &ask, rest, rest_n, &result);
    gr_ask_done(&ask);
    Py_DECREF(path);
    if (done < 0)
        return NULL;
    return done == 0 ? Py_NewRef(Py_None) : result;
}

/* No registered text: the convention may have better. Steals the answer, which may be NULL. */
static PyObject *
match_other(gr_router *self, gr_state *state, PyObject **arguments, PyObject *answer)
{
    if (self->table == NULL && self->fallback == NULL && answer != NULL)
        return answer;
    PyObject *found = PyObject_CallMethodObjArgs(
        (PyObject *)self, state->name_match_other, arguments[0], arguments[1],
        arguments[2] == NULL ? Py_None : arguments[2], answer == NULL ? Py_None : answer, NULL);
    Py_XDECREF(answer);
    return found;
}

static PyObject *
match_path(gr_router *self, PyObject **arguments)
{
    gr_state *state = self->state;
    const char *rest;
    Py_ssize_t n, rest_n;
    PyObject *path = arguments[1], *result = NULL;
    const char *bytes = gr_utf8(path, &n);
    if (bytes == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return NULL;
        PyErr_Clear();
        n = 0;
    }
    if (self->paths == NULL && self->table == NULL && compile(self, state) < 0)
        return NULL;
    PyObject *paths = Py_XNewRef(self->paths);
    gr_ask ask = {.state = state,
                  .method = arguments[0],
                  .ascii = PyUnicode_IS_ASCII(path),
                  .matches = true,
                  .host = arguments[2],
                  .query = arguments[3]};
    int done = 0;
    if (paths != NULL && n > 0 && bytes[0] == '/' &&
        gr_router_relative(self, bytes, n, &rest, &rest_n))
        done = gr_paths_match(paths, &ask, rest, rest_n, &result);
    if (done == 0)
        result = paths == NULL ? NULL : Py_NewRef(gr_paths_not_found(paths));
    if (done == 0 || (done == 1 && (ask.soft || ask.varies)))
        result = match_other(self, state, arguments, result);
    Py_XDECREF(paths);
    return result;
}

static int
check_match_arguments(PyObject **arguments)
{
    if (arguments[0] == NULL || arguments[1] == NULL) {
        PyErr_SetString(PyExc_TypeError, "match() needs a method and a path");
        return -1;
    }
    if (arguments[2] == Py_None)
        arguments[2] = NULL;
    if (arguments[2] == NULL && arguments[3] == NULL && PyUnicode_Check(arguments[0]) &&
        PyUnicode_Check(arguments[1]))
        return 0;
    static const char *const names[] = {"method", "path", "host", "query"};
    for (int i = 0; i < 4; i++) {
        if (arguments[i] != NULL && !PyUnicode_Check(arguments[i])) {
            PyErr_Format(PyExc_TypeError, "match(): %s must be a str, not %.100s", names[i],
                         Py_TYPE(arguments[i])->tp_name);
            return -1;
        }
    }
    return 0;
}

PyDoc_STRVAR(match_doc,
             "match($self, method, path, host=None, query='')\n--\n\n"
             "A Match, or the Answer for a path that leads nowhere: NotFound,\n"
             "MethodNotAllowed, AllowedMethods for OPTIONS, or RedirectHandler.\n"
             "path: with the mount point, decoded. host: the Host field, or None: routes with\n"
             "a host are then not looked at. query: what a redirect keeps, without '?'.");

static PyObject *
router_match(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    static const char *const names[] = {"method", "path", "host", "query"};
    PyObject *arguments[4] = {NULL, NULL, NULL, NULL};
    if (n > 4) {
        PyErr_Format(PyExc_TypeError, "match() takes 2 to 4 arguments, not %zd", n);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        arguments[i] = args[i];
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        int k = 0;
        while (k < 4 && PyUnicode_CompareWithASCIIString(name, names[k]) != 0)
            k++;
        if (k == 4 || arguments[k] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         k == 4 ? "match() has no argument %R" : "match() got %R twice", name);
            return NULL;
        }
        arguments[k] = args[n + i];
    }
    if (check_match_arguments(arguments) < 0)
        return NULL;
    return match_path((gr_router *)self, arguments);
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
    if (value == Py_None)
        value = NULL;
    if (value != NULL && Py_TYPE(value) != self->state->table_type) {
        PyErr_SetString(PyExc_TypeError, "_table must be a Table or None");
        return -1;
    }
    Py_XSETREF(self->table, Py_XNewRef(value));
    return 0;
}

static PyObject *
router_get_paths(gr_router *self, void *closure)
{
    return Py_NewRef(self->paths == NULL ? Py_None : self->paths);
}

static int
router_set_paths(gr_router *self, PyObject *value, void *closure)
{
    if (value == Py_None)
        value = NULL;
    if (value != NULL && Py_TYPE(value) != self->state->paths_type) {
        PyErr_SetString(PyExc_TypeError, "_paths must be a Paths or None");
        return -1;
    }
    Py_XSETREF(self->paths, Py_XNewRef(value));
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
    {"match", (PyCFunction)(void (*)(void))router_match, METH_FASTCALL | METH_KEYWORDS, match_doc},
    {"relative", (PyCFunction)router_relative, METH_O, relative_doc},
    {NULL},
};

static PyGetSetDef router_getset[] = {
    {"_mount", (getter)router_get_mount, (setter)router_set_mount, NULL, NULL},
    {"_paths", (getter)router_get_paths, (setter)router_set_paths, NULL, NULL},
    {"_table", (getter)router_get_table, (setter)router_set_table, NULL, NULL},
    {"_fallback", (getter)router_get_fallback, (setter)router_set_fallback, NULL, NULL},
    {NULL},
};

PyDoc_STRVAR(router_doc, "RouterBase(*args, **kwargs)\n--\n\nA mount point, the patterns "
                         "registered there, and a convention's table; see Router.");

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
