/* task.c: create_task(), create_future() and get_debug(), which every new future asks. asyncio's
 * own are Python; what they do here is the same, without a frame for each. Whatever is out of the
 * ordinary (a task factory, debug mode, keywords that later Pythons add) is left to asyncio's. */
#include <Python.h>

#include "handle.h"
#include "schedule.h"

/* A class of asyncio's, asked for each time because programs replace it. Borrowed. */
static PyObject *
find_class(PyObject *module, PyObject *name)
{
    PyObject *found = PyDict_GetItemWithError(PyModule_GetDict(module), name);
    if (found == NULL && !PyErr_Occurred()) {
        PyErr_Format(PyExc_AttributeError, "asyncio has no %U", name);
    }
    return found;
}

/* {"loop": loop}, and what kwnames names. On an open loop the plain one is kept: what asyncio's
 * __init__ methods get as their keywords they do not keep. */
static PyObject *
make_keywords(gl_loop *loop, PyObject *const *values, PyObject *kwnames)
{
    if (kwnames == NULL && loop->loop_keyword != NULL) {
        return Py_NewRef(loop->loop_keyword);
    }
    PyObject *made = PyDict_New();
    if (made == NULL || PyDict_SetItem(made, loop->state->str_loop, (PyObject *)loop) < 0) {
        goto error;
    }
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        if (PyDict_SetItem(made, PyTuple_GET_ITEM(kwnames, i), values[i]) < 0) {
            goto error;
        }
    }
    if (kwnames == NULL && !loop->closed) {
        loop->loop_keyword = Py_NewRef(made);
    }
    return made;
error:
    Py_XDECREF(made);
    return NULL;
}

/* type(*args, **keywords), for asyncio's own classes: what a call would do, less its detours.
 * Takes the reference to the keywords, which may be NULL. */
static PyObject *
make_native(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    if (keywords == NULL) {
        return NULL;
    }
    PyObject *made = type->tp_new(type, args, keywords);
    if (made != NULL && type->tp_init(made, args, keywords) < 0) {
        Py_CLEAR(made);
    }
    Py_DECREF(keywords);
    return made;
}

PyObject *
gl_core_create_future(gl_loop *loop, PyObject *Py_UNUSED(ignored))
{
    gl_state *state = loop->state;
    PyObject *type = find_class(state->asyncio_futures, state->str_future);
    if (type == NULL) {
        return NULL;
    }
    if (type == state->native_future) {
        return make_native((PyTypeObject *)type, state->no_args, make_keywords(loop, NULL, NULL));
    }
    PyObject *stack[2] = {NULL, (PyObject *)loop};
    return PyObject_Vectorcall(type, stack + 1, PY_VECTORCALL_ARGUMENTS_OFFSET, state->kw_loop);
}

static PyObject *
inherited(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t total = nargs + (kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject **stack = PyMem_New(PyObject *, total + 1);
    if (stack == NULL) {
        return PyErr_NoMemory();
    }
    stack[0] = (PyObject *)loop;
    memcpy(stack + 1, args, (size_t)total * sizeof(*stack));
    PyObject *result =
        PyObject_Vectorcall(loop->state->create_task, stack, (size_t)nargs + 1, kwnames);
    PyMem_Free(stack);
    return result;
}

/* Whether all of them are those that asyncio.Task() has always taken. */
static bool
are_plain(gl_state *state, PyObject *kwnames)
{
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (name != state->str_name && name != state->str_context) {
            return false;
        }
    }
    return true;
}

PyObject *
gl_core_create_task(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    gl_state *state = loop->state;
    bool factory = loop->task_factory != NULL && loop->task_factory != Py_None;
    if (nargs != 1 || factory || loop->debug || !are_plain(state, kwnames)) {
        return inherited(loop, args, nargs, kwnames);
    }
    if (gl_check_closed(loop) < 0) {
        return NULL;
    }
    PyObject *type = find_class(state->asyncio_tasks, state->str_task);
    if (type == NULL) {
        return NULL;
    }
    if (type != state->native_task) {
        return inherited(loop, args, nargs, kwnames);
    }
    PyObject *tuple = PyTuple_Pack(1, args[0]);
    if (tuple == NULL) {
        return NULL;
    }
    PyObject *task =
        make_native((PyTypeObject *)type, tuple, make_keywords(loop, args + nargs, kwnames));
    Py_DECREF(tuple);
    return task;
}

PyObject *
gl_core_get_debug(gl_loop *loop, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(loop->debug);
}

/* The task whose step or wake-up the handle calls, if it is one of asyncio's own and not done;
 * NULL otherwise. */
static PyObject *
task_of(gl_state *state, gl_handle *handle)
{
    PyObject *task =
        handle->callback != NULL ? PyObject_GetAttr(handle->callback, state->str_self) : NULL;
    PyObject *done = NULL;
    if (task != NULL && PyObject_TypeCheck(task, (PyTypeObject *)state->native_task)) {
        done = PyObject_CallMethodNoArgs(task, state->str_done);
    }
    if (done != Py_False) {
        Py_CLEAR(task);
    }
    Py_XDECREF(done);
    PyErr_Clear(); /* most callbacks are bound to nothing */
    return task;
}

void
gl_task_rescue(gl_loop *loop, gl_handle *handle)
{
    PyObject *task = task_of(loop->state, handle);
    if (task != NULL && gl_ready_push(loop, (PyObject *)handle) < 0) {
        gl_loop_error(loop, "a task cannot go on", task);
    }
    Py_XDECREF(task);
}

static int
import_class(PyObject **module, PyObject **type, const char *where, PyObject *name)
{
    *module = PyImport_ImportModule(where);
    PyObject *native = *module != NULL ? PyImport_ImportModule("_asyncio") : NULL;
    *type = native != NULL ? PyObject_GetAttr(native, name) : NULL;
    Py_XDECREF(native);
    return *type != NULL ? 0 : -1;
}

int
gl_task_exec(gl_state *state)
{
    state->str_loop = PyUnicode_InternFromString("loop");
    state->str_future = PyUnicode_InternFromString("Future");
    state->str_task = PyUnicode_InternFromString("Task");
    state->str_name = PyUnicode_InternFromString("name");
    state->str_self = PyUnicode_InternFromString("__self__");
    state->str_done = PyUnicode_InternFromString("done");
    state->no_args = PyTuple_New(0);
    if (!state->str_loop || !state->str_name || !state->str_future || !state->str_task ||
        !state->str_self || !state->str_done || !state->no_args) {
        return -1;
    }
    state->kw_loop = PyTuple_Pack(1, state->str_loop);
    if (state->kw_loop == NULL ||
        import_class(&state->asyncio_futures, &state->native_future, "asyncio.futures",
                     state->str_future) < 0 ||
        import_class(&state->asyncio_tasks, &state->native_task, "asyncio.tasks",
                     state->str_task) < 0) {
        return -1;
    }
    PyObject *base = PyObject_GetAttrString(state->base_events, "BaseEventLoop");
    state->create_task = base != NULL ? PyObject_GetAttrString(base, "create_task") : NULL;
    Py_XDECREF(base);
    return state->create_task != NULL ? 0 : -1;
}
