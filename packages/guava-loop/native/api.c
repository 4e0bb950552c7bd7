/* api.c: the table of guava_loop.h, and the capsule that publishes it. */
#include "loop.h"

#include "parts.h"

static gl_loop *
from_object(PyObject *object)
{
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(object), &gl_module);
    if (module == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError, "a guava_loop.Loop is needed, not %.200s",
                         Py_TYPE(object)->tp_name);
        }
        return NULL;
    }
    gl_state *state = PyModule_GetState(module);
    if (!PyObject_TypeCheck(object, state->core_type)) {
        PyErr_Format(PyExc_TypeError, "a guava_loop.Loop is needed, not %.200s",
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    return (gl_loop *)object;
}

static PyObject *
object(gl_loop *loop)
{
    return (PyObject *)loop;
}

static gl_loop *
running(void)
{
    PyObject *asyncio = PyImport_ImportModule("_asyncio");
    PyObject *found = asyncio ? PyObject_CallMethod(asyncio, "_get_running_loop", NULL) : NULL;
    Py_XDECREF(asyncio);
    gl_loop *loop = found && found != Py_None ? from_object(found) : NULL;
    Py_XDECREF(found); /* it runs, so it lives */
    if (loop == NULL) {
        PyErr_Clear();
    }
    return loop;
}

static double
now(gl_loop *loop)
{
    return gl_time();
}

static const guava_loop_api table = {
    .abi = GUAVA_LOOP_ABI,
    .size = sizeof(guava_loop_api),
    .from_object = from_object,
    .object = object,
    .running = running,
    .time = now,
    .http_date = gl_http_date,
    .tick = gl_tick,
    .defer = gl_defer,
    .post = gl_post,
    .on_tick = gl_on_tick,
    .off_tick = gl_off_tick,
    .error = gl_loop_error,
    .listen = gl_listen,
    .listen_pause = gl_listen_pause,
    .listen_resume = gl_listen_resume,
    .unlisten = gl_unlisten,
    .open = gl_stream_open,
    .set_ops = gl_stream_set_ops,
    .user = gl_stream_user,
    .loop_of = gl_stream_loop,
    .write = gl_stream_write,
    .queued = gl_stream_queued,
    .watermarks = gl_stream_watermarks,
    .read_pause = gl_stream_read_pause,
    .read_resume = gl_stream_read_resume,
    .sendfile = gl_stream_sendfile,
    .shutdown = gl_stream_shutdown,
    .close = gl_stream_close,
    .abort = gl_stream_abort,
    .peername = gl_stream_peername,
    .sockname = gl_stream_sockname,
    .fileno = gl_stream_fileno,
    .ref = gl_stream_ref,
    .unref = gl_stream_unref,
    .step = gl_step,
};

int
gl_api_exec(PyObject *module)
{
    /* A capsule takes a pointer without const; no one writes through it. */
    PyObject *capsule = PyCapsule_New((void *)&table, GUAVA_LOOP_CAPSULE, NULL);
    int result = PyModule_AddObjectRef(module, "_C_API", capsule);
    Py_XDECREF(capsule);
    return result;
}
