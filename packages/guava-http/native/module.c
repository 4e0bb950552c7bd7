/* module.c: the module itself. It only calls the parts. */
#include "module.h"

static int
module_exec(PyObject *module)
{
    return gh_types_register(module) < 0 ? -1 : gh_server_register(module);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    gh_module *state = PyModule_GetState(module);
    int result = gh_types_traverse(state->types, visit, arg);
    return result != 0 ? result : gh_server_traverse(state->server, visit, arg);
}

static int
module_clear(PyObject *module)
{
    gh_module *state = PyModule_GetState(module);
    gh_types_clear(state->types);
    gh_server_clear(state->server);
    return 0;
}

static void
module_free(void *module)
{
    gh_module *state = PyModule_GetState(module);
    gh_types_clear(state->types);
    gh_types_free(state->types);
    state->types = NULL;
    gh_server_clear(state->server);
    gh_server_free(state->server);
    state->server = NULL;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    /* All state is per module, but the server's table of the loop is one for the process. */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "guava_http._core",
    .m_doc = "The native half of guava_http.",
    .m_size = sizeof(gh_module),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyObject *
gh_module_of_type(PyTypeObject *type)
{
    return PyType_GetModuleByDef(type, &module_def);
}

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}
