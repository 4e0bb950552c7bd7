/* part.c: what the module keeps for the server half. */
#include "server/parts.h"

int
gh_server_register(PyObject *module)
{
    gh_module *state = PyModule_GetState(module);
    struct gh_server_part *part = PyMem_Calloc(1, sizeof(*part));
    if (part == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    state->server = part;
    part->add_done_callback = PyUnicode_InternFromString("add_done_callback");
    part->result = PyUnicode_InternFromString("result");
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    if (asyncio != NULL) {
        part->cancelled = PyObject_GetAttrString(asyncio, "CancelledError");
        part->running = PyObject_GetAttrString(asyncio, "_get_running_loop");
    }
    Py_XDECREF(asyncio);
    PyObject *futures = part->running == NULL ? NULL : PyImport_ImportModule("concurrent.futures");
    if (futures != NULL)
        part->future = PyObject_GetAttrString(futures, "Future");
    Py_XDECREF(futures);
    if (part->add_done_callback == NULL || part->result == NULL || part->cancelled == NULL ||
        part->future == NULL)
        return -1;
    if (gh_server_type_register(module, part) < 0 || gh_peer_register(module, part) < 0 ||
        gh_reader_register(module, part) < 0 || gh_adapter_register(module, part) < 0 ||
        gh_foreign_register(module, part) < 0 || gh_upgraded_register(module, part) < 0)
        return -1;
    return gh_probe_register(module);
}

int
gh_server_traverse(struct gh_server_part *part, visitproc visit, void *arg)
{
    if (part == NULL)
        return 0;
    Py_VISIT(part->server_type);
    Py_VISIT(part->peer_type);
    Py_VISIT(part->adapter_type);
    Py_VISIT(part->call_type);
    Py_VISIT(part->reader_type);
    Py_VISIT(part->upgraded_type);
    Py_VISIT(part->cancelled);
    Py_VISIT(part->future);
    Py_VISIT(part->running);
    return 0;
}

void
gh_server_clear(struct gh_server_part *part)
{
    if (part == NULL)
        return;
    Py_CLEAR(part->server_type);
    Py_CLEAR(part->peer_type);
    Py_CLEAR(part->adapter_type);
    Py_CLEAR(part->call_type);
    Py_CLEAR(part->reader_type);
    Py_CLEAR(part->upgraded_type);
    Py_CLEAR(part->add_done_callback);
    Py_CLEAR(part->result);
    Py_CLEAR(part->cancelled);
    Py_CLEAR(part->future);
    Py_CLEAR(part->running);
}

void
gh_server_free(struct gh_server_part *part)
{
    PyMem_Free(part);
}
