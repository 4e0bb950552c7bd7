/* mounts.c: MountsBase, the tree of mounted routers.
 *
 * A request first asks the custom routers (those with a route() of their own), then the routers of
 * the deepest mount point above its path. A redirect, a 405 or an answer to OPTIONS gives way to
 * what another of them has; if none has anything, the first of these is given. What is asked is an
 * immutable plan that add() replaces as a whole, so that a route() that mounts a router does not
 * pull the tree from under itself. */
#include "parts.h"

typedef struct {
    PyObject_HEAD PyObject
        *plan; /* NULL, or (custom routers, Table of tuples of routers, soft types) */
} mounts_object;

static bool
routes_by_table(gr_state *state, PyObject *router)
{
    PyObject *route = PyObject_GetAttr((PyObject *)Py_TYPE(router), state->name_route);
    if (route == NULL) {
        PyErr_Clear();
        return false;
    }
    Py_DECREF(route);
    return route == state->router_route;
}

/* Who is asked, and what it has come to. The routers are borrowed from the plan. */
typedef struct {
    gr_ask *ask;
    PyObject *soft_types; /* of what is soft from a route() in Python */
    bool called;          /* a route() in Python was */
    PyObject *router;
    PyObject *answer;      /* owned */
    PyObject *soft_router; /* who gave the first redirect, 405 or answer to OPTIONS */
    PyObject *soft_answer; /* owned */
} asking;

/* Calls router.route(request): 1 with the answer, 0 for None, -1 with an exception. */
static int
call_route(asking *a, PyObject *router)
{
    PyObject *answer =
        PyObject_CallMethodOneArg(router, a->ask->state->name_route, a->ask->request);
    a->called = true;
    if (answer == NULL)
        return -1;
    if (answer == Py_None) {
        Py_DECREF(answer);
        return 0;
    }
    a->answer = answer;
    return 1;
}

/* What somebody else may know better about is put aside: 0 instead of 1. */
static int
put_aside(asking *a, PyObject *router, int done, bool soft)
{
    if (done != 1) {
        return done;
    } else if (!soft) {
        a->router = router;
    } else if (a->soft_answer == NULL) {
        a->soft_router = router;
        a->soft_answer = a->answer;
        a->answer = NULL;
    } else {
        Py_CLEAR(a->answer);
    }
    return !soft;
}

static int
match(asking *a, PyObject *router, const char *rest, Py_ssize_t n)
{
    a->ask->soft = false;
    int done = gr_router_match((gr_router *)router, a->ask, rest, n, &a->answer);
    return put_aside(a, router, done, a->ask->soft);
}

/* The routers with a route() of their own. What they registered counts too, even if their route()
 * does not ask its base for it. */
static int
ask_customs(asking *a, PyObject *customs, const char *path, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(customs); i++) {
        const char *rest;
        Py_ssize_t rest_n;
        PyObject *router = PyTuple_GET_ITEM(customs, i);
        if (!gr_router_relative((gr_router *)router, path, n, &rest, &rest_n))
            continue;
        int done = put_aside(a, router, call_route(a, router), false);
        if (done == 0)
            done = match(a, router, rest, rest_n);
        if (done != 0)
            return done;
    }
    return 0;
}

static int
ask_mounted(asking *a, PyObject *routers, const char *rest, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(routers); i++) {
        PyObject *router = PyTuple_GET_ITEM(routers, i);
        /* The plan marks a router that must be called by None behind it. */
        bool call =
            i + 1 < PyTuple_GET_SIZE(routers) && PyTuple_GET_ITEM(routers, i + 1) == Py_None;
        int done;
        if (call) {
            i++;
            done = call_route(a, router);
            int soft = done == 1 ? PyObject_IsInstance(a->answer, a->soft_types) : 0;
            done = soft < 0 ? -1 : put_aside(a, router, done, soft);
        } else {
            done = match(a, router, rest, n);
        }
        if (done != 0)
            return done;
    }
    return 0;
}

/* Several may have a say: the custom ones, and those at the mount point, NULL if there is none. */
static int
ask_several(asking *a, PyObject *plan, const char *path, Py_ssize_t n, PyObject *routers,
            const char *rest, Py_ssize_t rest_n)
{
    a->soft_types = PyTuple_GET_ITEM(plan, 2);
    int done = ask_customs(a, PyTuple_GET_ITEM(plan, 0), path, n);
    if (done == 0 && routers != NULL)
        done = ask_mounted(a, routers, rest, rest_n);
    if (done == 0 && a->soft_answer != NULL) {
        a->router = a->soft_router;
        a->answer = a->soft_answer;
        a->soft_answer = NULL;
        done = 1;
    }
    Py_CLEAR(a->soft_answer);
    return done;
}

static int
ask_plan(asking *a, PyObject *plan, const char *path, Py_ssize_t n)
{
    Py_ssize_t used = 0;
    PyObject *routers = gr_table_deepest(PyTuple_GET_ITEM(plan, 1), path, n, &used);
    bool alone = routers != NULL && PyTuple_GET_SIZE(routers) == 1;
    const char *rest = used < n ? path + used : "/";
    Py_ssize_t rest_n = used < n ? n - used : 1;
    if (!alone || PyTuple_GET_SIZE(PyTuple_GET_ITEM(plan, 0)) > 0)
        return ask_several(a, plan, path, n, routers, rest, rest_n);
    /* There is nobody to give way to. */
    a->router = PyTuple_GET_ITEM(routers, 0);
    return gr_router_match((gr_router *)a->router, a->ask, rest, rest_n, &a->answer);
}

int
gr_mounts_ask(PyObject *mounts, PyObject *request, gr_state *state, PyObject **router,
              PyObject **result, bool *called)
{
    const char *bytes;
    Py_ssize_t n;
    mounts_object *self = (mounts_object *)mounts;
    if (self->plan == NULL)
        return 0;
    PyObject *path = gr_request_path(state, request, &bytes, &n);
    if (path == NULL)
        return -1;
    PyObject *plan = Py_NewRef(self->plan);
    gr_ask ask = {.state = state, .request = request, .ascii = PyUnicode_IS_ASCII(path)};
    asking a = {.ask = &ask};
    int done = bytes == NULL ? 0 : ask_plan(&a, plan, bytes, n);
    if (done == 1) {
        *router = Py_NewRef(a.router);
        *result = a.answer;
    }
    if (called != NULL)
        *called = a.called;
    gr_ask_done(&ask);
    Py_DECREF(plan);
    Py_DECREF(path);
    return done;
}

PyDoc_STRVAR(route_doc, "route($self, req, /)\n--\n\n"
                        "The router that answers a request and its answer, or None.");

static PyObject *
mounts_route(PyObject *self, PyObject *request)
{
    PyObject *router = NULL, *result = NULL;
    gr_state *state = gr_state_by(Py_TYPE(self));
    int done = state == NULL ? -1 : gr_mounts_ask(self, request, state, &router, &result, NULL);
    if (done <= 0)
        return done == 0 ? Py_NewRef(Py_None) : NULL;
    PyObject *pair = PyTuple_New(2);
    if (pair == NULL) {
        Py_DECREF(router);
        Py_DECREF(result);
        return NULL;
    }
    PyTuple_SET_ITEM(pair, 0, router);
    PyTuple_SET_ITEM(pair, 1, result);
    return pair;
}

/* The routers of one mount point, each that must be called followed by None. */
static PyObject *
mark(gr_state *state, PyObject *routers)
{
    PyObject *marked = PyList_New(0), *result = NULL;
    if (marked == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(routers); i++) {
        PyObject *router = PyTuple_GET_ITEM(routers, i);
        if (!PyObject_TypeCheck(router, state->router_type)) {
            PyErr_Format(PyExc_TypeError, "a Router was expected, not %R", router);
            goto error;
        }
        if (PyList_Append(marked, router) < 0)
            goto error;
        if (!routes_by_table(state, router) && PyList_Append(marked, Py_None) < 0)
            goto error;
    }
    result = PyList_AsTuple(marked);
error:
    Py_DECREF(marked);
    return result;
}

/* [(segments, routers)] as the routes of a Table. */
static PyObject *
mount_table(gr_state *state, PyObject *mounted)
{
    PyObject *routes = PyList_New(0), *table = NULL;
    if (routes == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mounted); i++) {
        PyObject *segments, *routers;
        PyObject *item = PyTuple_GET_ITEM(mounted, i);
        if (!PyTuple_Check(item) ||
            !PyArg_ParseTuple(item, "O!O!", &PyTuple_Type, &segments, &PyTuple_Type, &routers)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a mount must be a tuple");
            goto error;
        }
        PyObject *marked = mark(state, routers);
        if (marked == NULL)
            goto error;
        PyObject *route = Py_BuildValue("(OONii)", segments, Py_None, marked, 0, 0);
        int failed = route == NULL || PyList_Append(routes, route) < 0;
        Py_XDECREF(route);
        if (failed)
            goto error;
    }
    table = PyObject_CallOneArg((PyObject *)state->table_type, routes);
error:
    Py_DECREF(routes);
    return table;
}

PyDoc_STRVAR(plan_doc,
             "_plan($self, customs, mounted, soft, /)\n--\n\n"
             "Sets who is asked: a tuple of custom routers, and a tuple of\n"
             "(segments of the mount point, tuple of routers). soft: the types of answers\n"
             "of mounted routers that give way to others.");

static PyObject *
mounts_plan(mounts_object *self, PyObject *args)
{
    PyObject *customs, *mounted, *soft;
    gr_state *state = gr_state_by(Py_TYPE(self));
    if (state == NULL || !PyArg_ParseTuple(args, "O!O!O!:_plan", &PyTuple_Type, &customs,
                                           &PyTuple_Type, &mounted, &PyTuple_Type, &soft))
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(customs); i++) {
        if (!PyObject_TypeCheck(PyTuple_GET_ITEM(customs, i), state->router_type)) {
            PyErr_SetString(PyExc_TypeError, "a custom router must be a Router");
            return NULL;
        }
    }
    PyObject *table = mount_table(state, mounted);
    if (table == NULL)
        return NULL;
    PyObject *plan = PyTuple_Pack(3, customs, table, soft);
    Py_DECREF(table);
    if (plan == NULL)
        return NULL;
    Py_XSETREF(self->plan, plan);
    Py_RETURN_NONE;
}

static int
mounts_traverse(mounts_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->plan);
    return 0;
}

static int
mounts_clear(mounts_object *self)
{
    Py_CLEAR(self->plan);
    return 0;
}

static void
mounts_dealloc(mounts_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)mounts_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef mounts_methods[] = {
    {"route", mounts_route, METH_O, route_doc},
    {"_plan", (PyCFunction)mounts_plan, METH_VARARGS, plan_doc},
    {NULL},
};

PyDoc_STRVAR(mounts_doc,
             "MountsBase(*args, **kwargs)\n--\n\nThe tree of mounted routers; see Mounts.");

static PyType_Slot mounts_slots[] = {
    {Py_tp_doc, (void *)mounts_doc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, mounts_dealloc},
    {Py_tp_traverse, mounts_traverse},
    {Py_tp_clear, mounts_clear},
    {Py_tp_methods, mounts_methods},
    {0, NULL},
};

static PyType_Spec mounts_spec = {
    .name = "guava_router._core.MountsBase",
    .basicsize = sizeof(mounts_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = mounts_slots,
};

int
gr_mounts_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->mounts_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &mounts_spec, NULL);
    return state->mounts_type == NULL ? -1 : PyModule_AddType(module, state->mounts_type);
}
