/* module.c: the extension module guava_loop._core. It calls the register functions and keeps what
 * they make; it knows nothing else. */
#include "handle.h"
#include "transports/face.h"

static int
intern(PyObject **slot, const char *text)
{
    *slot = PyUnicode_InternFromString(text);
    return *slot != NULL ? 0 : -1;
}

static int
import_from(PyObject **slot, const char *module, const char *name)
{
    PyObject *imported = PyImport_ImportModule(module);
    *slot = imported != NULL ? PyObject_GetAttrString(imported, name) : NULL;
    Py_XDECREF(imported);
    return *slot != NULL ? 0 : -1;
}

/* Since 3.13 asyncio shows the arguments of callbacks in debug mode only, and asks with debug=. */
static int
find_debug_keyword(gl_state *state)
{
    PyObject *code = PyObject_GetAttrString(state->format_callback_source, "__code__");
    PyObject *count = code != NULL ? PyObject_GetAttrString(code, "co_kwonlyargcount") : NULL;
    int has = count != NULL ? PyObject_IsTrue(count) : -1;
    Py_XDECREF(count);
    Py_XDECREF(code);
    if (has <= 0) {
        return has;
    }
    state->debug_keyword = Py_BuildValue("(s)", "debug");
    return state->debug_keyword != NULL ? 0 : -1;
}

static int
make_nothing(gl_state *state)
{
    state->nothing = Py_CompileString("None", "<guava_loop>", Py_eval_input);
    state->nothing_names = state->nothing != NULL ? PyDict_New() : NULL;
    return state->nothing_names != NULL ? 0 : -1;
}

static int
module_exec(PyObject *module)
{
    gl_state *state = PyModule_GetState(module);
    if (intern(&state->str_cancelled, "_cancelled") < 0 || intern(&state->str_run, "_run") < 0 ||
        intern(&state->str_context, "context") < 0 ||
        intern(&state->str_call_exception_handler, "call_exception_handler") < 0) {
        return -1;
    }
    if (import_from(&state->format_callback_source, "asyncio.format_helpers",
                    "_format_callback_source") < 0 ||
        import_from(&state->extract_stack, "asyncio.format_helpers", "extract_stack") < 0 ||
        import_from(&state->base_events, "asyncio", "base_events") < 0 ||
        find_debug_keyword(state) < 0 || make_nothing(state) < 0) {
        return -1;
    }
    if (gl_handle_register(module, state) < 0 || gl_queue_register(module, state) < 0 ||
        gl_core_register(module, state) < 0 || gl_task_exec(state) < 0 ||
        gl_io_exec(module, state) < 0 || gl_face_exec(module, state) < 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "UV_VERSION", uv_version_string());
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    gl_state *state = PyModule_GetState(module);
    Py_VISIT(state->core_type);
    Py_VISIT(state->handle_type);
    Py_VISIT(state->timer_type);
    Py_VISIT(state->queue_type);
    Py_VISIT(state->format_callback_source);
    Py_VISIT(state->debug_keyword);
    Py_VISIT(state->extract_stack);
    Py_VISIT(state->base_events);
    Py_VISIT(state->nothing_names);
    Py_VISIT(state->asyncio_tasks);
    Py_VISIT(state->asyncio_futures);
    Py_VISIT(state->native_task);
    Py_VISIT(state->native_future);
    Py_VISIT(state->create_task);
    int result = gl_face_state_traverse(state, visit, arg);
    return result != 0 ? result : gl_io_state_traverse(state, visit, arg);
}

static int
module_clear(PyObject *module)
{
    gl_state *state = PyModule_GetState(module);
    gl_spares_clear(state);
    gl_io_state_clear(state);
    gl_face_state_clear(state);
    Py_CLEAR(state->core_type);
    Py_CLEAR(state->handle_type);
    Py_CLEAR(state->timer_type);
    Py_CLEAR(state->queue_type);
    Py_CLEAR(state->format_callback_source);
    Py_CLEAR(state->debug_keyword);
    Py_CLEAR(state->extract_stack);
    Py_CLEAR(state->base_events);
    Py_CLEAR(state->nothing);
    Py_CLEAR(state->nothing_names);
    Py_CLEAR(state->asyncio_tasks);
    Py_CLEAR(state->asyncio_futures);
    Py_CLEAR(state->native_task);
    Py_CLEAR(state->native_future);
    Py_CLEAR(state->create_task);
    Py_CLEAR(state->str_loop);
    Py_CLEAR(state->str_name);
    Py_CLEAR(state->str_task);
    Py_CLEAR(state->str_self);
    Py_CLEAR(state->str_done);
    Py_CLEAR(state->str_future);
    Py_CLEAR(state->no_args);
    Py_CLEAR(state->kw_loop);
    Py_CLEAR(state->str_cancelled);
    Py_CLEAR(state->str_run);
    Py_CLEAR(state->str_context);
    Py_CLEAR(state->str_call_exception_handler);
    return 0;
}

static void
module_free(void *module)
{
    (void)module_clear(module);
    gl_io_state_free(PyModule_GetState(module));
    gl_face_state_free(PyModule_GetState(module));
}

static PyObject *
note_fork(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    ((gl_state *)PyModule_GetState(module))->forks++;
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"_note_fork", note_fork, METH_NOARGS,
     PyDoc_STR("To be called in the child of a fork: its loops make descriptors of their own.")},
    {NULL},
};

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

struct PyModuleDef gl_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "guava_loop._core",
    .m_doc = PyDoc_STR("The native part of guava_loop, on libuv."),
    .m_size = sizeof(gl_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&gl_module);
}
