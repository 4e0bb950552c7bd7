/* loop.c: the type Core, the native half of guava_loop.Loop. It goes before
 * asyncio.SelectorEventLoop among Loop's bases, so that what is here replaces the standard
 * library's Python, attribute by attribute (tests/test_stdlib_contract.py names them); all else is
 * inherited. */
#include <Python.h>
#include <structmember.h>

#include "handle.h"
#include "poller.h"
#include "schedule.h"
#include "transports/address.h"
#include "transports/face.h"
#include "transports/hooks.h"
#include "transports/sockop.h"

static PyObject *
core_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    PyObject *module = PyType_GetModuleByDef(type, &gl_module);
    if (module == NULL) {
        return NULL;
    }
    gl_loop *self = (gl_loop *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = PyModule_GetState(module);
    self->current_handle = Py_NewRef(Py_None);
    /* BaseEventLoop.__init__ opens it; without that, nothing of asyncio's may be called on it. */
    self->closed = true;
    self->read_buffer = PyMem_RawMalloc(GL_READ_BUFFER);
    if (self->read_buffer == NULL) {
        (void)PyErr_NoMemory();
        goto error;
    }
    if (gl_turn_init(self) < 0) {
        goto error;
    }
    return (PyObject *)self;
error:
    Py_DECREF(self);
    return NULL;
}

static int
core_traverse(gl_loop *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (size_t i = 0; i < self->ready.len; i++) {
        Py_VISIT(self->ready.items[(self->ready.head + i) & (self->ready.cap - 1)]);
    }
    for (size_t i = 0; i < self->timers.len; i++) {
        Py_VISIT(self->timers.items[i].timer);
    }
    Py_VISIT(self->exc);
    Py_VISIT(self->current_handle);
    Py_VISIT(self->task_factory);
    Py_VISIT(self->loop_keyword);
    int result = gl_watch_traverse(self, visit, arg);
    if (result == 0) {
        result = gl_pollers_traverse(self, visit, arg);
    }
    if (result == 0 && self->io_ready) {
        result = gl_io_traverse(self, visit, arg);
    }
    return result;
}

static int
core_clear(gl_loop *self)
{
    self->closed = true;
    gl_turn_close(self);
    gl_ready_clear(self);
    gl_timers_clear(self);
    Py_CLEAR(self->exc);
    Py_CLEAR(self->current_handle);
    Py_CLEAR(self->task_factory);
    Py_CLEAR(self->loop_keyword);
    gl_watch_clear(self);
    return 0;
}

static void
core_dealloc(gl_loop *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    /* What closing calls may take and give back references to the loop. */
    Py_SET_REFCNT((PyObject *)self, 1);
    (void)core_clear(self);
    Py_SET_REFCNT((PyObject *)self, 0);
    gl_io_dealloc(self);
    gl_face_claims_free(self);
    gl_names_free(self);
    PyMem_RawFree(self->read_buffer);
    PyMem_RawFree(self->sock_buffer);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
core_run_once(gl_loop *self, PyObject *Py_UNUSED(ignored))
{
    if (gl_run(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
core_stop(gl_loop *self, PyObject *Py_UNUSED(ignored))
{
    gl_stop(self);
    Py_RETURN_NONE;
}

static PyObject *
core_time(gl_loop *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    return PyFloat_FromDouble(gl_time());
}

static PyObject *
core_write_to_self(gl_loop *self, PyObject *Py_UNUSED(ignored))
{
    gl_wake(self);
    Py_RETURN_NONE;
}

/* What closing raised on its way through callbacks, if it was of the kind that ends programs. */
static PyObject *
none_or_pending(gl_loop *self)
{
    if (self->exc != NULL) {
        PyObject *exc = self->exc;
        self->exc = NULL;
        gl_err_give(exc);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
core_close_streams(gl_loop *self, PyObject *Py_UNUSED(ignored))
{
    if (self->thread != 0) {
        PyErr_SetString(PyExc_RuntimeError, "Cannot close a running event loop");
        return NULL;
    }
    if (!self->closed) {
        gl_turn_close_io(self);
    }
    return none_or_pending(self);
}

static PyObject *
core_close_native(gl_loop *self, PyObject *Py_UNUSED(ignored))
{
    if (self->thread != 0) {
        PyErr_SetString(PyExc_RuntimeError, "Cannot close a running event loop");
        return NULL;
    }
    self->closed = true;
    gl_turn_close(self);
    gl_ready_clear(self);
    gl_timers_clear(self);
    Py_CLEAR(self->loop_keyword); /* it would be a cycle */
    return none_or_pending(self);
}

/* ---- attributes that BaseEventLoop assigns, and that live in the struct ---- */

static PyObject *
get_flag(gl_loop *self, void *offset)
{
    return PyBool_FromLong(*((bool *)self + (size_t)offset));
}

static int
set_flag(gl_loop *self, PyObject *value, void *offset)
{
    int truth = value != NULL ? PyObject_IsTrue(value) : 0;
    if (truth < 0) {
        return -1;
    }
    if ((size_t)offset == offsetof(gl_loop, stopping) && truth) {
        gl_stop(self);
    } else {
        *((bool *)self + (size_t)offset) = truth;
        gl_watch_update(self);
    }
    return 0;
}

static PyObject *
get_ready(gl_loop *self, void *Py_UNUSED(closure))
{
    return gl_queue_new(self, false);
}

static PyObject *
get_scheduled(gl_loop *self, void *Py_UNUSED(closure))
{
    return gl_queue_new(self, true);
}

/* BaseEventLoop.__init__ assigns an empty deque and an empty list; ours are there already. */
static int
set_queue(gl_loop *Py_UNUSED(self), PyObject *Py_UNUSED(value), void *Py_UNUSED(closure))
{
    return 0;
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef core_methods[] = {
    {"call_soon", FAST(gl_core_call_soon), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("call_soon($self, callback, *args, context=None)\n--\n\n"
               "Run the callback in the next turn of the loop. Returns a Handle.")},
    {"call_soon_threadsafe", FAST(gl_core_call_soon_threadsafe), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("call_soon_threadsafe($self, callback, *args, context=None)\n--\n\n"
               "As call_soon(), from any thread or signal handler.")},
    {"call_later", FAST(gl_core_call_later), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("call_later($self, delay, callback, *args, context=None)\n--\n\n"
               "Run the callback after `delay` seconds. Returns a TimerHandle.")},
    {"call_at", FAST(gl_core_call_at), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("call_at($self, when, callback, *args, context=None)\n--\n\n"
               "Run the callback when time() is `when` seconds. Returns a TimerHandle.")},
    {"create_task", FAST(gl_core_create_task), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("create_task($self, coro, **kwargs)\n--\n\n"
               "Run the coroutine as a task. Takes what this Python's asyncio takes: name, "
               "context and more. Returns the asyncio.Task.")},
    {"create_future", (PyCFunction)gl_core_create_future, METH_NOARGS,
     PyDoc_STR("create_future($self, /)\n--\n\nA new asyncio.Future of this loop.")},
    {"get_debug", (PyCFunction)gl_core_get_debug, METH_NOARGS,
     PyDoc_STR("get_debug($self, /)\n--\n\nWhether the loop is in asyncio's debug mode.")},
#define SOCK(name, signature)                                                                     \
    {#name, FAST(gl_core_##name), METH_FASTCALL | METH_KEYWORDS,                                  \
     PyDoc_STR(#name "($self, " signature ")\n--\n\nA coroutine, as asyncio's.")}
    SOCK(sock_recv, "sock, n"),
    SOCK(sock_recv_into, "sock, buf"),
    SOCK(sock_recvfrom, "sock, bufsize"),
    SOCK(sock_recvfrom_into, "sock, buf, nbytes=0"),
    SOCK(sock_sendall, "sock, data"),
    SOCK(sock_sendto, "sock, data, address"),
    SOCK(sock_connect, "sock, address"),
#undef SOCK
    {"time", (PyCFunction)core_time, METH_NOARGS,
     PyDoc_STR("time($self, /)\n--\n\nSeconds on time.monotonic()'s clock.")},
    {"stop", (PyCFunction)core_stop, METH_NOARGS,
     PyDoc_STR("stop($self, /)\n--\n\nEnd run_forever() after the present turn.")},
    {"_run_once", (PyCFunction)core_run_once, METH_NOARGS, NULL},
    {"_write_to_self", (PyCFunction)core_write_to_self, METH_NOARGS, NULL},
    {"_add_callback", (PyCFunction)gl_core_add_callback, METH_O, NULL},
    {"_add_callback_signalsafe", (PyCFunction)gl_core_add_callback, METH_O, NULL},
    {"_timer_handle_cancelled", (PyCFunction)gl_core_timer_handle_cancelled, METH_O, NULL},
    {"_add_reader", FAST(gl_core_add_reader), METH_FASTCALL, NULL},
    {"_add_writer", FAST(gl_core_add_writer), METH_FASTCALL, NULL},
    {"_remove_reader", (PyCFunction)gl_core_remove_reader, METH_O, NULL},
    {"_remove_writer", (PyCFunction)gl_core_remove_writer, METH_O, NULL},
    {"_polled", (PyCFunction)gl_core_polled, METH_NOARGS, NULL},
    {"_make_socket_transport", (PyCFunction)(void (*)(void))gl_core_make_socket_transport,
     METH_VARARGS | METH_KEYWORDS, NULL},
    {"_ensure_fd_no_transport", (PyCFunction)gl_core_ensure_fd_no_transport, METH_O, NULL},
    {"_serve", (PyCFunction)gl_core_serve, METH_VARARGS, NULL},
    {"_stats", (PyCFunction)gl_core_stats, METH_NOARGS, NULL},
    {"_watch", (PyCFunction)gl_core_watch, METH_VARARGS, NULL},
    {"_look", (PyCFunction)gl_core_look, METH_NOARGS, NULL},
    {"_look_at", (PyCFunction)gl_core_look_at, METH_NOARGS, NULL},
    {"_look_frame", (PyCFunction)gl_core_look_frame, METH_NOARGS, NULL},
    {"_watch_wake", (PyCFunction)gl_core_watch_wake, METH_O, NULL},
    {"_close_streams", (PyCFunction)core_close_streams, METH_NOARGS, NULL},
    {"_close_native", (PyCFunction)core_close_native, METH_NOARGS, NULL},
    {NULL},
};

static PyGetSetDef core_getset[] = {
    {"_stopping", (getter)get_flag, (setter)set_flag, NULL, (void *)offsetof(gl_loop, stopping)},
    {"_closed", (getter)get_flag, (setter)set_flag, NULL, (void *)offsetof(gl_loop, closed)},
    {"_debug", (getter)get_flag, (setter)set_flag, NULL, (void *)offsetof(gl_loop, debug)},
    {"_ready", (getter)get_ready, (setter)set_queue, NULL, NULL},
    {"_scheduled", (getter)get_scheduled, (setter)set_queue, NULL, NULL},
    {NULL},
};

static PyMemberDef core_members[] = {
    {"_current_handle", T_OBJECT, offsetof(gl_loop, current_handle), 0, NULL},
    {"_task_factory", T_OBJECT, offsetof(gl_loop, task_factory), 0, NULL},
    {NULL},
};

static PyType_Slot core_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("The native half of guava_loop.Loop: scheduling and polling on "
                                  "libuv, under the names that asyncio's loops use.")},
    {Py_tp_new, core_new},
    {Py_tp_dealloc, core_dealloc},
    {Py_tp_traverse, core_traverse},
    {Py_tp_clear, core_clear},
    {Py_tp_methods, core_methods},
    {Py_tp_getset, core_getset},
    {Py_tp_members, core_members},
    {0, NULL},
};

static PyType_Spec core_spec = {
    .name = "guava_loop._core.Core",
    .basicsize = sizeof(gl_loop),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = core_slots,
};

int
gl_core_register(PyObject *module, gl_state *state)
{
    state->core_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &core_spec, NULL);
    return state->core_type != NULL ? PyModule_AddType(module, state->core_type) : -1;
}
