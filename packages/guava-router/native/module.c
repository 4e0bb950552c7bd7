/* module.c: the extension module guava_router._core. */
#include "parts.h"

static int
fill_state(gr_state *state)
{
    struct {
        PyObject **to;
        const char *text;
    } names[] = {
        {&state->name_compile, "_compile"},
        {&state->name_GET, "GET"},
        {&state->name_HEAD, "HEAD"},
        {&state->name_OPTIONS, "OPTIONS"},
        {&state->name_host, "host"},
        {&state->name_match_other, "_match_other"},
        {&state->empty_text, ""},
        {&state->name_method, "method"},
        {&state->name_path, "path"},
        {&state->name_route, "route"},
        {&state->name_routed, "_guava_routed"},
        {&state->root, "/"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *names[i].to = PyUnicode_InternFromString(names[i].text);
        if (*names[i].to == NULL)
            return -1;
    }
    state->empty_args = PyTuple_New(0);
    return state->empty_args == NULL ? -1 : 0;
}

static int
module_exec(PyObject *module)
{
    if (fill_state(gr_state_of(module)) < 0 || gr_endpoint_register(module) < 0 ||
        gr_handler_register(module) < 0 || gr_table_register(module) < 0 ||
        gr_match_register(module) < 0 || gr_paths_register(module) < 0 ||
        gr_router_register(module) < 0 || gr_mounts_register(module) < 0 ||
        gr_dispatch_register(module) < 0 || gr_invoker_register(module) < 0 ||
        gr_beneath_register(module) < 0)
        return -1;
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    gr_state *state = gr_state_of(module);
    Py_VISIT(state->endpoint_type);
    Py_VISIT(state->handler_type);
    Py_VISIT(state->table_type);
    Py_VISIT(state->match_type);
    Py_VISIT(state->paths_type);
    Py_VISIT(state->router_type);
    Py_VISIT(state->mounts_type);
    Py_VISIT(state->routed_type);
    Py_VISIT(state->router_route);
    return 0;
}

static int
module_clear(PyObject *module)
{
    gr_state *state = gr_state_of(module);
    Py_CLEAR(state->endpoint_type);
    Py_CLEAR(state->handler_type);
    Py_CLEAR(state->table_type);
    Py_CLEAR(state->match_type);
    Py_CLEAR(state->paths_type);
    Py_CLEAR(state->router_type);
    Py_CLEAR(state->mounts_type);
    Py_CLEAR(state->routed_type);
    Py_CLEAR(state->router_route);
    Py_CLEAR(state->name_compile);
    Py_CLEAR(state->name_GET);
    Py_CLEAR(state->name_HEAD);
    Py_CLEAR(state->name_OPTIONS);
    Py_CLEAR(state->name_host);
    Py_CLEAR(state->name_match_other);
    Py_CLEAR(state->empty_text);
    Py_CLEAR(state->name_method);
    Py_CLEAR(state->name_path);
    Py_CLEAR(state->name_route);
    Py_CLEAR(state->name_routed);
    Py_CLEAR(state->root);
    Py_CLEAR(state->empty_args);
    return 0;
}

static void
module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    /* All state is the module's, the types are its own, and nothing static is ever written. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    /* Not tried on a free-threaded build yet: let it turn the lock on. */
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

struct PyModuleDef gr_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "guava_router._core",
    .m_doc = "The native part of guava-router.",
    .m_size = sizeof(gr_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&gr_module);
}
