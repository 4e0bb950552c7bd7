/* module.c: guava_session._core. It only calls the parts. There is no state beside the types, so
 * every interpreter may have its own copy; the table counts on the GIL, and says so. */
#include "parts.h"

static int
module_exec(PyObject *module)
{
    if (gs_sid_register(module) < 0 || gs_values_register(module) < 0)
        return -1;
    return gs_table_register(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

PyDoc_STRVAR(module_doc, "The native part of guava_session: ids and the memory store's table.");

static struct PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "guava_session._core",
    .m_doc = module_doc,
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}
