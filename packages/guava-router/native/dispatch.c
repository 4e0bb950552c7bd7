/* dispatch.c: Dispatch, a whole application as one callable of a request.
 *
 * It asks the routers and calls what the endpoint's state has for the router that answered. It is
 * separate from MountsBase because it knows calls and exceptions, and native because between the
 * server and the action it is the one step that every request takes: as a Python function it cost
 * more than routing itself. */
#include "parts.h"

#include <structmember.h>

#define MAX_ARGS 16

typedef struct {
    PyObject_HEAD vectorcallfunc vectorcall;
    gr_state *state; /* of the module, which the type keeps alive */
    PyObject *mounts;
    PyObject *otherwise;
    PyObject *failed;
    Py_ssize_t waiting; /* how many requests have their answer with them: see find() */
} dispatch_object;

/* What find() has left with a request. */
typedef struct {
    PyObject_HEAD dispatch_object *dispatch;
    PyObject *router;
    PyObject *found;
} routed_object;

/* ---- the answer that a request has with it ---------------------------------------------------
 */

static int
routed_traverse(routed_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->dispatch);
    Py_VISIT(self->router);
    Py_VISIT(self->found);
    return 0;
}

/* There is no tp_clear: a cycle through it also runs through a request's dict. */
static void
routed_dealloc(routed_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    self->dispatch->waiting--;
    Py_CLEAR(self->dispatch);
    Py_CLEAR(self->router);
    Py_CLEAR(self->found);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot routed_slots[] = {
    {Py_tp_dealloc, routed_dealloc},
    {Py_tp_traverse, routed_traverse},
    {0, NULL},
};

static PyType_Spec routed_spec = {
    .name = "guava_router._core._Routed",
    .basicsize = sizeof(routed_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = routed_slots,
};

/* Leaves the answer with the request. One that takes no attributes is routed again. */
static int
remember(dispatch_object *self, PyObject *request, PyObject *router, PyObject *found)
{
    PyTypeObject *type = self->state->routed_type;
    routed_object *routed = (routed_object *)type->tp_alloc(type, 0);
    if (routed == NULL)
        return -1;
    routed->dispatch = (dispatch_object *)Py_NewRef(self);
    routed->router = Py_NewRef(router);
    routed->found = Py_NewRef(found);
    self->waiting++;
    int failed = PyObject_SetAttr(request, self->state->name_routed, (PyObject *)routed);
    Py_DECREF(routed);
    if (failed == 0)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    return 0;
}

/* 1 with what find() has left with this request, which it then has no more; 0; -1. */
static int
recall(dispatch_object *self, PyObject *request, PyObject **router, PyObject **found)
{
    PyObject *left = PyObject_GetAttr(request, self->state->name_routed);
    if (left == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    routed_object *routed = (routed_object *)left;
    int is = Py_TYPE(left) == self->state->routed_type && routed->dispatch == self;
    if (is == 1) {
        *router = Py_NewRef(routed->router);
        *found = Py_NewRef(routed->found);
        if (PyObject_SetAttr(request, self->state->name_routed, NULL) < 0)
            PyErr_Clear(); /* a request of a kind of its own, which answers with the same again */
    }
    Py_DECREF(left);
    return is;
}

/* ---- calls -----------------------------------------------------------------------------------
 */

/* The function that the endpoint keeps for us and this router, borrowed; NULL if there is none. */
static PyObject *
prepared_for(dispatch_object *self, PyObject *router, gr_handler *handler)
{
    PyObject *kept = ((gr_endpoint *)handler->endpoint)->state;
    if (kept == NULL || !PyTuple_CheckExact(kept) || PyTuple_GET_SIZE(kept) != 3 ||
        PyTuple_GET_ITEM(kept, 0) != (PyObject *)self || PyTuple_GET_ITEM(kept, 1) != router)
        return NULL;
    return PyTuple_GET_ITEM(kept, 2);
}

/* 1 if the method is OPTIONS, 0 if not, -1 with an exception. */
static int
asks_for_options(gr_state *state, PyObject *request)
{
    PyObject *method = PyObject_GetAttr(request, state->name_method);
    if (method == NULL)
        return -1;
    int is = PyUnicode_Check(method) && PyUnicode_GET_LENGTH(method) == 7 &&
             PyUnicode_CompareWithASCIIString(method, "OPTIONS") == 0;
    Py_DECREF(method);
    return is;
}

static PyObject *
call_prepared(PyObject *function, PyObject *request, PyObject *args)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    PyObject *stack[MAX_ARGS + 2];
    if (n > MAX_ARGS)
        return NULL;
    stack[1] = request;
    for (Py_ssize_t i = 0; i < n; i++)
        stack[i + 2] = PyTuple_GET_ITEM(args, i);
    size_t flags = (size_t)(n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET;
    return PyObject_Vectorcall(function, stack + 1, flags, NULL);
}

static PyObject *
answer(dispatch_object *self, PyObject *request)
{
    PyObject *router = NULL, *found = NULL, *result = NULL;
    int found_one = self->waiting == 0 ? 0 : recall(self, request, &router, &found);
    if (found_one == 0)
        found_one = gr_mounts_ask(self->mounts, request, self->state, &router, &found, NULL);
    if (found_one < 0)
        return NULL;
    if (found_one == 1 && Py_TYPE(found) == self->state->handler_type) {
        gr_handler *handler = (gr_handler *)found;
        PyObject *function = prepared_for(self, router, handler);
        if (function != NULL && PyTuple_GET_SIZE(handler->args) <= MAX_ARGS) {
            int options = asks_for_options(self->state, request);
            if (options < 0)
                goto done;
            if (options == 0) {
                Py_INCREF(function); /* the call may exchange the endpoint's state */
                result = call_prepared(function, request, handler->args);
                Py_DECREF(function);
                goto done;
            }
        }
    }
    PyObject *stack[4] = {NULL, request, router == NULL ? Py_None : router,
                          found == NULL ? Py_None : found};
    result =
        PyObject_Vectorcall(self->otherwise, stack + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
done:
    Py_XDECREF(router);
    Py_XDECREF(found);
    return result;
}

/* The current exception as an object with its traceback; a new reference, the exception is unset.
 */
static PyObject *
take_exception(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

static PyObject *
dispatch_call(PyObject *callable, PyObject *const *args, size_t flags, PyObject *names)
{
    dispatch_object *self = (dispatch_object *)callable;
    if (PyVectorcall_NARGS(flags) != 1 || (names != NULL && PyTuple_GET_SIZE(names) != 0)) {
        PyErr_SetString(PyExc_TypeError, "a Dispatch is called with one request");
        return NULL;
    }
    if (self->mounts == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the Dispatch was cleared");
        return NULL;
    }
    PyObject *result = answer(self, args[0]);
    if (result != NULL || !PyErr_ExceptionMatches(PyExc_Exception))
        return result;
    PyObject *error = take_exception();
    PyObject *stack[3] = {NULL, args[0], error};
    result =
        PyObject_Vectorcall(self->failed, stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(error);
    return result;
}

PyDoc_STRVAR(
    find_doc,
    "find($self, req, /)\n--\n\n"
    "What mounts.route(req) says, for what has to be known before the call.\n\n"
    "The answer is left with the request, if that takes attributes, and the call does not\n"
    "ask the routers again; unless a route() in Python had a say, which may see more of\n"
    "the request by then.");

static PyObject *
dispatch_find(dispatch_object *self, PyObject *request)
{
    PyObject *router = NULL, *found = NULL, *pair = NULL;
    bool called = false;
    if (self->mounts == NULL)
        Py_RETURN_NONE;
    int done = gr_mounts_ask(self->mounts, request, self->state, &router, &found, &called);
    if (done <= 0)
        return done == 0 ? Py_NewRef(Py_None) : NULL;
    if (called || remember(self, request, router, found) == 0)
        pair = PyTuple_Pack(2, router, found);
    Py_DECREF(router);
    Py_DECREF(found);
    return pair;
}

static PyObject *
dispatch_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"mounts", "otherwise", "failed", NULL};
    PyObject *mounts, *otherwise, *failed;
    gr_state *state = gr_state_by(type);
    if (state == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!OO:Dispatch", names, state->mounts_type,
                                     &mounts, &otherwise, &failed))
        return NULL;
    if (!PyCallable_Check(otherwise) || !PyCallable_Check(failed)) {
        PyErr_SetString(PyExc_TypeError, "Dispatch: otherwise and failed must be callable");
        return NULL;
    }
    dispatch_object *self = (dispatch_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->vectorcall = dispatch_call;
    self->state = state;
    self->mounts = Py_NewRef(mounts);
    self->otherwise = Py_NewRef(otherwise);
    self->failed = Py_NewRef(failed);
    return (PyObject *)self;
}

static int
dispatch_traverse(dispatch_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->mounts);
    Py_VISIT(self->otherwise);
    Py_VISIT(self->failed);
    return 0;
}

static int
dispatch_clear(dispatch_object *self)
{
    Py_CLEAR(self->mounts);
    Py_CLEAR(self->otherwise);
    Py_CLEAR(self->failed);
    return 0;
}

static void
dispatch_dealloc(dispatch_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)dispatch_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(
    dispatch_doc,
    "Dispatch(mounts, otherwise, failed)\n--\n\n"
    "A whole application as one function of a request.\n\n"
    "If a Handler answers, and the state of its endpoint is a tuple (dispatch, router, function)\n"
    "of this object and the router that gave it, the function is called with the request and\n"
    "the handler's args. In every other case, and for the method OPTIONS, it is\n"
    "otherwise(request, router, answer), with None for what is not there: there a framework\n"
    "fills in the state. What either returns is returned. An Exception goes to\n"
    "failed(request, error), which returns in its place.");

static PyMethodDef dispatch_methods[] = {
    {"find", (PyCFunction)dispatch_find, METH_O, find_doc},
    {NULL},
};

static PyMemberDef dispatch_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(dispatch_object, vectorcall), READONLY},
    {NULL},
};

static PyType_Slot dispatch_slots[] = {
    {Py_tp_doc, (void *)dispatch_doc},
    {Py_tp_new, dispatch_new},
    {Py_tp_dealloc, dispatch_dealloc},
    {Py_tp_traverse, dispatch_traverse},
    {Py_tp_clear, dispatch_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, dispatch_members},
    {Py_tp_methods, dispatch_methods},
    {0, NULL},
};

static PyType_Spec dispatch_spec = {
    .name = "guava_router.Dispatch",
    .basicsize = sizeof(dispatch_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = dispatch_slots,
};

int
gr_dispatch_register(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    state->routed_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &routed_spec, NULL);
    if (state->routed_type == NULL)
        return -1;
    PyObject *type = PyType_FromModuleAndSpec(module, &dispatch_spec, NULL);
    int result = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return result;
}
