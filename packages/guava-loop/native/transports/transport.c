/* transport.c: the type StreamTransport and its methods. guava_loop.transports has the Python
 * class that users see. */
#include "transport.h"

#include <structmember.h>

#include "../parts.h"

/* ---- methods -------------------------------------------------------------------------------- */

static PyObject *
transport_get_protocol(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self->protocol != NULL ? self->protocol : Py_None);
}

static PyObject *
transport_set_protocol(gl_transport *self, PyObject *protocol)
{
    if (gl_transport_take_protocol(self, protocol) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
transport_is_closing(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->closing);
}

static PyObject *
transport_is_reading(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(!self->closing && !self->paused);
}

static PyObject *
transport_pause_reading(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    if (self->closing || self->paused) {
        Py_RETURN_NONE;
    }
    self->paused = true;
    gl_transport_keep(self);
    gl_face_debug(self->loop, "%r pauses reading", (PyObject *)self);
    Py_RETURN_NONE;
}

static PyObject *
transport_resume_reading(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    if (self->closing || !self->paused) {
        Py_RETURN_NONE;
    }
    self->paused = false;
    guava_stream *s = self->stream;
    if (self->started && s != NULL && (s->flags & (GL_EOF | GL_DEAD)) == 0) {
        gl_stream_want(s, UV_READABLE);
    }
    gl_transport_keep(self);
    gl_face_debug(self->loop, "%r resumes reading", (PyObject *)self);
    Py_RETURN_NONE;
}

static PyObject *
transport_close(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    if (gl_face_check_thread(self->loop) < 0) {
        return NULL;
    }
    gl_transport_close(self);
    Py_RETURN_NONE;
}

static PyObject *
transport_abort(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    if (gl_face_check_thread(self->loop) < 0) {
        return NULL;
    }
    gl_transport_force_close(self, Py_None);
    Py_RETURN_NONE;
}

static PyObject *
transport_force_close(gl_transport *self, PyObject *exc)
{
    gl_transport_force_close(self, exc);
    Py_RETURN_NONE;
}

static PyObject *
transport_can_write_eof(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_TRUE;
}

static PyObject *
transport_get_write_buffer_size(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    gl_uncork(self->loop);
    return PyLong_FromSize_t(gl_transport_queued(self));
}

static PyObject *
transport_get_write_buffer_limits(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    return gl_flow_limits(&self->flow);
}

static PyObject *
transport_set_write_buffer_limits(gl_transport *self, PyObject *args, PyObject *kwargs)
{
    gl_uncork(self->loop);
    if (gl_flow_set_limits(&self->flow, args, kwargs) < 0) {
        return NULL;
    }
    guava_stream *s = self->stream;
    if (s != NULL) {
        gl_stream_watermarks(s, self->flow.low, self->flow.high);
        if (s->queued > self->flow.high) {
            s->flags |= GL_OVER_HIGH;
        }
    }
    gl_flow_grew(&self->flow, gl_transport_queued(self), self->loop, (PyObject *)self,
                 self->protocol, NULL);
    Py_RETURN_NONE;
}

static PyObject *
transport_get_extra_info(gl_transport *self, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames)
{
    PyObject *name, *fallback;
    if (gl_face_extra_args(args, nargs, kwnames, &name, &fallback) < 0) {
        return NULL;
    }
    PyObject *found = gl_face_extra(self->extra, name, NULL);
    if (found == NULL && !PyErr_Occurred()) {
        found = gl_endpoint_info(&self->end, gl_transport_face(self), &self->extra, name);
    }
    return found != NULL || PyErr_Occurred() ? found : Py_NewRef(fallback);
}

/* <StreamTransport fd=7 read=polling write=<idle, bufsize=0>>, as asyncio. */
static PyObject *
transport_repr(gl_transport *self)
{
    const char *name = strrchr(Py_TYPE(self)->tp_name, '.');
    const char *state = self->end.fd < 0 ? " closed" : self->closing ? " closing" : "";
    const guava_stream *s = self->stream;
    name = name != NULL ? name + 1 : Py_TYPE(self)->tp_name;
    if (s == NULL) {
        return PyUnicode_FromFormat("<%s%s fd=%d>", name, state, self->end.number);
    }
    bool reading = self->started && gl_transport_reads(self) && !(s->flags & GL_EOF);
    return PyUnicode_FromFormat("<%s%s fd=%d read=%s write=<%s, bufsize=%zu>>", name, state,
                                self->end.number, reading ? "polling" : "idle",
                                s->head != NULL ? "polling" : "idle", gl_transport_queued(self));
}

static PyMethodDef transport_methods[] = {
    {"get_extra_info", (PyCFunction)(void (*)(void))transport_get_extra_info,
     METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("get_extra_info($self, name, default=None)\n--\n\n"
               "socket, peername, sockname, or what else the transport was made with.")},
    {"get_protocol", (PyCFunction)transport_get_protocol, METH_NOARGS,
     PyDoc_STR("The protocol that is told of what comes.")},
    {"set_protocol", (PyCFunction)transport_set_protocol, METH_O,
     PyDoc_STR("Tell another protocol from now on.")},
    {"is_closing", (PyCFunction)transport_is_closing, METH_NOARGS,
     PyDoc_STR("Whether close() or abort() was called, or the connection broke.")},
    {"is_reading", (PyCFunction)transport_is_reading, METH_NOARGS,
     PyDoc_STR("Whether the protocol is told of what comes.")},
    {"pause_reading", (PyCFunction)transport_pause_reading, METH_NOARGS,
     PyDoc_STR("Do not tell the protocol of what comes until resume_reading().")},
    {"resume_reading", (PyCFunction)transport_resume_reading, METH_NOARGS,
     PyDoc_STR("Undo pause_reading().")},
    {"write", (PyCFunction)gl_transport_write, METH_O,
     PyDoc_STR("Send bytes: now, as far as the kernel takes them, and the rest later.")},
    {"writelines", (PyCFunction)gl_transport_writelines, METH_O,
     PyDoc_STR("Send several bytes-like objects, as one write().")},
    {"write_eof", (PyCFunction)gl_transport_write_eof, METH_NOARGS,
     PyDoc_STR("Close the sending direction once what was written is sent.")},
    {"can_write_eof", (PyCFunction)transport_can_write_eof, METH_NOARGS, PyDoc_STR("True.")},
    {"get_write_buffer_size", (PyCFunction)transport_get_write_buffer_size, METH_NOARGS,
     PyDoc_STR("Bytes that were written and are not yet with the kernel.")},
    {"get_write_buffer_limits", (PyCFunction)transport_get_write_buffer_limits, METH_NOARGS,
     PyDoc_STR("(low, high), in bytes.")},
    {"set_write_buffer_limits", (PyCFunction)(void (*)(void))transport_set_write_buffer_limits,
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("set_write_buffer_limits($self, high=None, low=None)\n--\n\n"
               "At how many bytes the protocol's writing is paused and resumed.")},
    {"close", (PyCFunction)transport_close, METH_NOARGS,
     PyDoc_STR("Close the connection once what was written is sent.")},
    {"abort", (PyCFunction)transport_abort, METH_NOARGS, PyDoc_STR("Close the connection now.")},
    {"_start", (PyCFunction)gl_transport_start, METH_O, NULL},
    {"_call_connection_lost", (PyCFunction)gl_transport_connection_lost, METH_O, NULL},
    {"_force_close", (PyCFunction)transport_force_close, METH_O, NULL},
    {"_send_file", (PyCFunction)gl_transport_send_file, METH_VARARGS, NULL},
    {"_stop_file", (PyCFunction)gl_transport_stop_file, METH_NOARGS, NULL},
    {NULL},
};

static PyObject *
get_loop(gl_transport *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->protocol != NULL ? (PyObject *)self->loop : Py_None);
}

static PyObject *
get_socket(gl_transport *self, void *Py_UNUSED(closure))
{
    if (self->end.fd < 0) {
        Py_RETURN_NONE;
    }
    return Py_XNewRef(gl_endpoint_socket(&self->end, gl_transport_face(self)));
}

/* BaseTransport's own slot, with what is filled lazily. */
static PyObject *
get_extra(gl_transport *self, void *Py_UNUSED(closure))
{
    gl_face_state *face = gl_transport_face(self);
    PyObject *names[] = {face->name.socket, face->name.sockname, face->name.peername};
    for (int i = 0; i < 3; i++) {
        PyObject *found = self->extra != NULL ? PyObject_GetItem(self->extra, names[i]) : NULL;
        if (found == NULL) {
            PyErr_Clear();
            found = gl_endpoint_info(&self->end, face, &self->extra, names[i]);
        }
        if (found == NULL && PyErr_Occurred()) {
            return NULL;
        }
        Py_XDECREF(found);
    }
    return Py_NewRef(self->extra != NULL ? self->extra : Py_None);
}

static PyObject *
get_protocol_paused(gl_transport *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->flow.paused);
}

static PyGetSetDef transport_getset[] = {
    {"_protocol_paused", (getter)get_protocol_paused, NULL, NULL, NULL},
    {"_loop", (getter)get_loop, NULL, NULL, NULL},
    {"_sock", (getter)get_socket, NULL, NULL, NULL},
    {"_extra", (getter)get_extra, NULL, NULL, NULL},
    {NULL},
};

static PyMemberDef transport_members[] = {
    {"_protocol", T_OBJECT, offsetof(gl_transport, protocol), READONLY, NULL},
    {"_server", T_OBJECT, offsetof(gl_transport, end.server), READONLY, NULL},
    {"_sock_fd", T_INT, offsetof(gl_transport, end.number), READONLY, NULL},
    {NULL},
};

/* ---- the object ----------------------------------------------------------------------------- */

static int
transport_traverse(gl_transport *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->extra);
    Py_VISIT(self->loop);
    Py_VISIT(self->protocol);
    Py_VISIT(self->context);
    return gl_endpoint_traverse(&self->end, visit, arg);
}

static int
transport_clear(gl_transport *self)
{
    Py_CLEAR(self->extra);
    Py_CLEAR(self->protocol);
    Py_CLEAR(self->context);
    return 0;
}

/* asyncio's __del__. */
static void
transport_finalize(PyObject *op)
{
    gl_transport *self = (gl_transport *)op;
    if (self->loop != NULL && self->end.fd >= 0) {
        gl_face_unclosed(op);
        gl_transport_drop(self);
    }
}

static void
transport_dealloc(gl_transport *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    if (self->stream != NULL) {
        self->stream->user = NULL; /* it is dying, and has nobody to tell any more */
    }
    (void)transport_clear(self);
    Py_CLEAR(self->end.socket);
    Py_CLEAR(self->end.server);
    Py_CLEAR(self->loop);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot transport_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("The native half of guava_loop.transports.StreamTransport.")},
    {Py_tp_dealloc, transport_dealloc},
    {Py_tp_finalize, transport_finalize},
    {Py_tp_traverse, transport_traverse},
    {Py_tp_clear, transport_clear},
    {Py_tp_repr, transport_repr},
    {Py_tp_methods, transport_methods},
    {Py_tp_getset, transport_getset},
    {Py_tp_members, transport_members},
    {0, NULL},
};

static PyType_Spec transport_spec = {
    .name = "guava_loop._core.StreamTransport",
    .basicsize = sizeof(gl_transport),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = transport_slots,
};

int
gl_transport_exec(PyObject *module, gl_state *state)
{
    gl_face_state *face = state->face;
    face->type.stream_transport =
        gl_face_type(module, face, &transport_spec, face->of.flow_control);
    return face->type.stream_transport != NULL ? 0 : -1;
}
