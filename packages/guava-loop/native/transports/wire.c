/* wire.c: the common part of datagrams and pipes: birth, end, pausing, and the words they share.
 * What is read and written, and what an error means, differs and is theirs. */
#include "transports/wire.h"

#include "handle.h"

/* ---- life ----------------------------------------------------------------------------------- */

gl_loop *
gl_wire_loop(PyTypeObject *type, PyObject *object)
{
    PyObject *module = PyType_GetModuleByDef(type, &gl_module);
    if (module == NULL) {
        return NULL;
    }
    gl_state *state = PyModule_GetState(module);
    if (!PyObject_TypeCheck(object, state->core_type)) {
        PyErr_Format(PyExc_TypeError, "a guava_loop.Loop is needed, not %.100s",
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    return (gl_loop *)object;
}

gl_wire *
gl_wire_new(PyTypeObject *type, gl_loop *loop, int fd, PyObject *extra)
{
    gl_wire *self = (gl_wire *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->loop = (gl_loop *)Py_NewRef(loop);
    self->fd = fd;
    self->flow = (gl_flow)GL_FLOW_DEFAULT;
    self->extra = extra != NULL && extra != Py_None ? Py_NewRef(extra) : PyDict_New();
    if (self->extra == NULL) {
        Py_CLEAR(self);
    }
    return self;
}

/* asyncio.BaseTransport's is not wanted: all is done when the object is made. */
int
gl_wire_init(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return 0;
}

static int
schedule_method(gl_wire *self, PyObject *object, const char *name, PyObject *arg)
{
    PyObject *method = PyObject_GetAttrString(object, name);
    int status = method != NULL ? gl_face_call_soon(self->loop, method, arg, NULL) : -1;
    Py_XDECREF(method);
    return status;
}

static int
schedule_waiter(gl_wire *self, PyObject *waiter)
{
    PyObject *args[] = {waiter, Py_None};
    gl_handle *handle = gl_handle_new(
        self->loop, self->loop->state->face->of.set_result_unless_cancelled, args, 2, NULL);
    int status = handle != NULL ? gl_ready_push(self->loop, (PyObject *)handle) : -1;
    Py_XDECREF(handle);
    return status;
}

int
gl_wire_start(gl_wire *self, PyObject *file, PyObject *protocol, const char *start,
              PyObject *waiter)
{
    if (gl_check_closed(self->loop) < 0) {
        return -1;
    }
    self->protocol = Py_NewRef(protocol);
    if (schedule_method(self, protocol, "connection_made", (PyObject *)self) < 0 ||
        (start != NULL && schedule_method(self, (PyObject *)self, start, NULL) < 0) ||
        (waiter != NULL && waiter != Py_None && schedule_waiter(self, waiter) < 0)) {
        return -1;
    }
    self->file = Py_NewRef(file);
    return 0;
}

int
gl_wire_traverse(gl_wire *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->extra);
    Py_VISIT(self->loop);
    Py_VISIT(self->file);
    Py_VISIT(self->protocol);
    Py_VISIT(self->read_context);
    Py_VISIT(self->write_context);
    return 0;
}

int
gl_wire_clear(gl_wire *self)
{
    Py_CLEAR(self->extra);
    Py_CLEAR(self->file);
    Py_CLEAR(self->protocol);
    Py_CLEAR(self->read_context);
    Py_CLEAR(self->write_context);
    /* Not the loop: other finalizers may still call us. The loop breaks such a cycle. */
    return 0;
}

/* Lets go of the descriptor without touching libuv. */
static void
disown(gl_wire *self)
{
    gl_face_disclaim(self->loop, self->fd, (PyObject *)self);
    gl_poller_orphan(self->loop, self->fd);
}

void
gl_wire_finalize(PyObject *object)
{
    gl_wire *self = (gl_wire *)object;
    if (self->file == NULL) {
        return;
    }
    PyObject *before = gl_err_take();
    gl_face_unclosed(object);
    disown(self);
    PyObject *file = self->file;
    self->file = NULL;
    self->closing = true; /* the warning may be kept, and ourselves with it */
    PyObject *result = PyObject_CallMethodNoArgs(file, self->loop->state->face->name.close);
    if (result == NULL) {
        PyErr_WriteUnraisable(object);
    }
    Py_XDECREF(result);
    Py_DECREF(file);
    if (before != NULL) {
        gl_err_give(before);
    }
}

/* For the end of a tp_dealloc, after PyObject_CallFinalizerFromDealloc() and what is its own. */
void
gl_wire_dealloc(gl_wire *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)gl_wire_clear(self);
    Py_CLEAR(self->loop);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- polling -------------------------------------------------------------------------------- */

int
gl_wire_watch(gl_wire *self, bool reading, gl_ready_fn ready)
{
    PyObject **context = reading ? &self->read_context : &self->write_context;
    PyObject *current = PyContext_CopyCurrent();
    if (current == NULL) {
        return -1;
    }
    Py_XSETREF(*context, current);
    return gl_poller_watch(self->loop, self->fd, reading, (PyObject *)self, ready);
}

void
gl_wire_unwatch(gl_wire *self, bool reading)
{
    (void)gl_poller_forget(self->loop, self->fd, reading); /* there may be none */
}

void
gl_wire_rest(gl_wire *self, bool reading)
{
    gl_poller_rest(self->loop, self->fd, reading);
}

bool
gl_wire_is_polling(const gl_wire *self)
{
    return self->read_context != NULL && !self->closing && !self->paused;
}

int
gl_wire_lose(gl_wire *self, PyObject *exc)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)self, "_call_connection_lost");
    if (method == NULL) {
        return -1;
    }
    int status = gl_check_closed(self->loop);
    if (status == 0) {
        status = gl_face_call_soon(self->loop, method, exc != NULL ? exc : Py_None, NULL);
    }
    Py_DECREF(method);
    return status;
}

PyObject *
gl_wire_call_connection_lost(gl_wire *self, PyObject *exc)
{
    gl_face_state *face = self->loop->state->face;
    PyObject *protocol = self->protocol, *file = self->file, *result = NULL;
    if (protocol == NULL || file == NULL) {
        Py_RETURN_NONE;
    }
    Py_INCREF(protocol);
    result = PyObject_CallMethodOneArg(protocol, face->name.connection_lost, exc);
    Py_DECREF(protocol);
    PyObject *error = result == NULL ? gl_err_take() : NULL;
    Py_XDECREF(result);
    gl_wire_unwatch(self, true);
    gl_wire_unwatch(self, false);
    gl_face_disclaim(self->loop, self->fd, (PyObject *)self);
    self->file = NULL;
    Py_CLEAR(self->protocol);
    result = PyObject_CallMethodNoArgs(file, face->name.close);
    Py_DECREF(file);
    if (error != NULL) {
        if (result == NULL) {
            PyErr_Clear(); /* the protocol's is the first */
        }
        Py_CLEAR(result);
        gl_err_give(error);
    }
    return result;
}

int
gl_wire_enter(gl_wire *self, PyObject *context)
{
    if (context != NULL && PyContext_Enter(context) < 0) {
        gl_wire_error(self, "_run_in_context");
        return -1;
    }
    return 0;
}

void
gl_wire_leave(gl_wire *self, PyObject *context)
{
    if (context != NULL && PyContext_Exit(context) < 0) {
        gl_wire_error(self, "_run_in_context");
    }
}

void
gl_wire_error(gl_wire *self, const char *where)
{
    char message[120];
    (void)snprintf(message, sizeof(message), "Exception in callback %.60s.%.30s()",
                   Py_TYPE(self)->tp_name, where);
    gl_face_error(self->loop, message, (PyObject *)self, self->protocol);
}

void
gl_wire_log_peer(gl_wire *self)
{
    if (!self->loop->debug) {
        return;
    }
    PyObject *result = PyObject_CallMethod(self->loop->state->face->of.logger, "info", "sO",
                                           "%r was closed by peer", self);
    if (result == NULL) {
        gl_wire_error(self, "_log");
    }
    Py_XDECREF(result);
}

PyObject *
gl_wire_describe(gl_wire *self)
{
    const char *state = self->file == NULL ? " closed" : self->closing ? " closing" : "";
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__name__");
    PyObject *text =
        name != NULL ? PyUnicode_FromFormat("<%U%s fd=%d", name, state, self->fd) : NULL;
    Py_XDECREF(name);
    return text;
}

/* ---- methods -------------------------------------------------------------------------------- */

PyObject *
gl_wire_set_protocol(gl_wire *self, PyObject *protocol)
{
    Py_XSETREF(self->protocol, Py_NewRef(protocol));
    Py_RETURN_NONE;
}

PyObject *
gl_wire_get_protocol(gl_wire *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self->protocol != NULL ? self->protocol : Py_None);
}

PyObject *
gl_wire_is_closing(gl_wire *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->closing);
}

PyObject *
gl_wire_set_limits(gl_wire *self, PyObject *args, PyObject *kwargs)
{
    if (gl_flow_set_limits(&self->flow, args, kwargs) < 0) {
        return NULL;
    }
    gl_flow_grew(&self->flow, self->queued, self->loop, (PyObject *)self, self->protocol, NULL);
    Py_RETURN_NONE;
}

PyObject *
gl_wire_get_limits(gl_wire *self, PyObject *Py_UNUSED(ignored))
{
    return gl_flow_limits(&self->flow);
}

PyObject *
gl_wire_get_size(gl_wire *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromSize_t(self->queued);
}

PyObject *
gl_wire_is_reading(gl_wire *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(!self->closing && !self->paused);
}

PyObject *
gl_wire_pause(gl_wire *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->closing && !self->paused) {
        self->paused = true;
        gl_wire_rest(self, true);
        gl_face_debug(self->loop, "%r pauses reading", (PyObject *)self);
    }
    Py_RETURN_NONE;
}

PyObject *
gl_wire_resume(gl_wire *self, gl_ready_fn ready)
{
    if (!self->closing && self->paused) {
        self->paused = false;
        if (gl_wire_watch(self, true, ready) < 0) {
            return NULL;
        }
        gl_face_debug(self->loop, "%r resumes reading", (PyObject *)self);
    }
    Py_RETURN_NONE;
}
