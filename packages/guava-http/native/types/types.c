/* types.c: makes the types of this folder when the module is imported, and lets go of them. */
#include "module.h"
#include "types/parts.h"

#include <string.h>

gh_types *
gh_types_of(PyObject *module)
{
    return ((gh_module *)PyModule_GetState(module))->types;
}

gh_types *
gh_types_of_type(PyTypeObject *type)
{
    PyObject *module = gh_module_of_type(type);
    return module == NULL ? NULL : gh_types_of(module);
}

PyTypeObject *
gh_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, (PyObject *)base);
    if (type != NULL && PyModule_AddType(module, (PyTypeObject *)type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

/* ---- RequestError -------------------------------------------------------------------------- */

/* The new exception keeps the one that is set as its cause, if there is one. */
void
gh_raise(gh_types *types, int status, const char *text)
{
    PyObject *type;
    PyObject *cause;
    PyObject *traceback;
    PyErr_Fetch(&type, &cause, &traceback);
    if (type != NULL) {
        PyErr_NormalizeException(&type, &cause, &traceback);
        if (traceback != NULL)
            (void)PyException_SetTraceback(cause, traceback); /* only a non-traceback fails */
    }
    PyObject *code = PyLong_FromLong(status);
    PyObject *error = code == NULL ? NULL : PyObject_CallFunction(types->request_error, "s", text);
    if (error != NULL && PyObject_SetAttrString(error, "status", code) == 0) {
        if (cause != NULL)
            PyException_SetCause(error, Py_NewRef(cause));
        PyErr_SetObject(types->request_error, error);
    }
    Py_XDECREF(code);
    Py_XDECREF(error);
    Py_XDECREF(type);
    Py_XDECREF(cause);
    Py_XDECREF(traceback);
}

int
gh_request_error_status(PyObject *module)
{
    if (!PyErr_ExceptionMatches(gh_types_of(module)->request_error))
        return 0;
    PyObject *type;
    PyObject *error;
    PyObject *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *code = PyObject_GetAttrString(error, "status");
    long status = code == NULL ? -1 : PyLong_AsLong(code);
    Py_XDECREF(code);
    PyErr_Restore(type, error,
                  traceback); /* and forget what reading the attribute may have raised */
    return status >= 400 && status <= 499 ? (int)status : 400;
}

static int
add_request_error(PyObject *module, gh_types *types)
{
    PyObject *dict = Py_BuildValue("{s:i}", "status", 400);
    if (dict == NULL)
        return -1;
    types->request_error = PyErr_NewExceptionWithDoc(
        "guava_http.RequestError",
        "The client's fault: a body that is not what it claims to be, or too much of something.\n"
        "A server that a handler lets it escape to answers with `status`, an int from 400 to 499.",
        PyExc_ValueError, dict);
    Py_DECREF(dict);
    return types->request_error == NULL
               ? -1
               : PyModule_AddObjectRef(module, "RequestError", types->request_error);
}

/* ---- ClientDisconnected -------------------------------------------------------------------- */

void
gh_request_refuse(PyObject *module, int status, const char *text)
{
    gh_raise(gh_types_of(module), status, text);
}

void
gh_request_abandon(PyObject *module)
{
    PyErr_SetString(gh_types_of(module)->client_disconnected,
                    "the client left before its request was complete");
}

bool
gh_request_is_abandoned(PyObject *module)
{
    return PyErr_ExceptionMatches(gh_types_of(module)->client_disconnected);
}

static int
add_client_disconnected(PyObject *module, gh_types *types)
{
    types->client_disconnected = PyErr_NewExceptionWithDoc(
        "guava_http.ClientDisconnected",
        "The client left before its request had come completely. A handler may let it escape:\n"
        "it is neither logged nor an error of the server.",
        PyExc_ConnectionError, NULL);
    return types->client_disconnected == NULL
               ? -1
               : PyModule_AddObjectRef(module, "ClientDisconnected", types->client_disconnected);
}

/* ---- collections.abc ----------------------------------------------------------------------- */

static int
be_a(PyObject *abc, const char *name, PyTypeObject *type)
{
    PyObject *base = PyObject_GetAttrString(abc, name);
    PyObject *result = base == NULL ? NULL : PyObject_CallMethod(base, "register", "O", type);
    Py_XDECREF(base);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int
join_abc(gh_types *types)
{
    PyObject *abc = PyImport_ImportModule("collections.abc");
    if (abc == NULL)
        return -1;
    types->keys_view = PyObject_GetAttrString(abc, "KeysView");
    types->items_view = PyObject_GetAttrString(abc, "ItemsView");
    types->values_view = PyObject_GetAttrString(abc, "ValuesView");
    int result = types->keys_view == NULL || types->items_view == NULL ||
                         types->values_view == NULL ||
                         be_a(abc, "Mapping", types->request_headers) < 0 ||
                         be_a(abc, "MutableMapping", types->headers) < 0
                     ? -1
                     : 0;
    Py_DECREF(abc);
    return result;
}

/* ---- the half of the module ---------------------------------------------------------------- */

int
gh_types_register(PyObject *module)
{
    gh_module *state = PyModule_GetState(module);
    gh_types *types = PyMem_Calloc(1, sizeof(gh_types));
    if (types == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    state->types = types;
    if (gh_text_setup(types) < 0 || add_request_error(module, types) < 0 ||
        add_client_disconnected(module, types) < 0 || gh_query_dict_register(module, types) < 0 ||
        gh_headers_register(module, types) < 0 || gh_request_headers_register(module, types) < 0 ||
        gh_request_register(module, types) < 0 || gh_cookie_register(module, types) < 0 ||
        gh_file_body_register(module, types) < 0 || gh_response_register(module, types) < 0 ||
        gh_file_response_register(module, types) < 0 || gh_conditions_register(module) < 0 ||
        gh_request_parser_register(module) < 0 || gh_helpers_register(module) < 0 ||
        gh_accept_register(module) < 0 || gh_options_register(module) < 0 ||
        gh_form_register(module) < 0)
        return -1;
    return join_abc(types);
}

int
gh_types_traverse(gh_types *types, visitproc visit, void *arg)
{
    if (types == NULL)
        return 0;
    Py_VISIT(types->request);
    Py_VISIT(types->request_headers);
    Py_VISIT(types->headers);
    Py_VISIT(types->query_dict);
    Py_VISIT(types->response);
    Py_VISIT(types->cookie);
    Py_VISIT(types->file_body);
    Py_VISIT(types->file_response);
    Py_VISIT(types->file_missing);
    Py_VISIT(types->files);
    Py_VISIT(types->request_error);
    Py_VISIT(types->client_disconnected);
    Py_VISIT(types->data_event);
    Py_VISIT(types->end_of_message);
    Py_VISIT(types->limits);
    Py_VISIT(types->dumps);
    Py_VISIT(types->loads);
    Py_VISIT(types->loads_exact);
    Py_VISIT(types->keys_view);
    Py_VISIT(types->items_view);
    Py_VISIT(types->values_view);
    return 0;
}

/* Requests and responses that outlive the module still read this struct, so only what can be part
 * of a cycle goes here; the strings wait for gh_types_free(). */
void
gh_types_clear(gh_types *types)
{
    if (types == NULL)
        return;
    Py_CLEAR(types->request);
    Py_CLEAR(types->request_headers);
    Py_CLEAR(types->headers);
    Py_CLEAR(types->query_dict);
    Py_CLEAR(types->response);
    Py_CLEAR(types->cookie);
    Py_CLEAR(types->file_body);
    Py_CLEAR(types->file_response);
    Py_CLEAR(types->file_missing);
    Py_CLEAR(types->files);
    Py_CLEAR(types->request_error);
    Py_CLEAR(types->client_disconnected);
    Py_CLEAR(types->data_event);
    Py_CLEAR(types->end_of_message);
    Py_CLEAR(types->limits);
    Py_CLEAR(types->dumps);
    Py_CLEAR(types->loads);
    Py_CLEAR(types->loads_exact);
    Py_CLEAR(types->keys_view);
    Py_CLEAR(types->items_view);
    Py_CLEAR(types->values_view);
}

void
gh_types_free(gh_types *types)
{
    if (types == NULL)
        return;
    Py_CLEAR(types->empty);
    Py_CLEAR(types->versions[0]);
    Py_CLEAR(types->versions[1]);
    for (size_t i = 0; i < GH_METHODS; i++)
        Py_CLEAR(types->methods[i]);
    for (size_t i = 0; i < GH_NAME_SLOTS; i++)
        Py_CLEAR(types->names[i]);
    for (size_t i = 0; i < GH_PATH_SLOTS; i++)
        Py_CLEAR(types->paths[i]);
    PyMem_Free(types);
}
