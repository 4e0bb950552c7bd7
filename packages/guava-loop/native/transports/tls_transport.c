/* tls_transport.c: the type SSLTransport, which the user has and the protocol is given: asyncio's
 * _SSLProtocolTransport. guava_loop.tls has the Python class, and the hooks of the loop. */
#include "tls.h"

#include <structmember.h>

#define READ_HIGH ((size_t)256 * 1024)
#define READ_LOW ((size_t)64 * 1024)
#define WRITE_HIGH ((size_t)512 * 1024)
#define WRITE_LOW ((size_t)128 * 1024)

/* ---- birth and end -------------------------------------------------------------------------- */

/* SSLTransport(loop, protocol, waiter, sslcontext, server_side, server_hostname,
 * call_connection_made, handshake_timeout, shutdown_timeout). The values were checked in Python.
 */
static PyObject *
tls_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *loop, *protocol, *waiter, *sslcontext, *hostname, *handshake, *shutdown;
    int server_side, call_made;
    PyObject *module = PyType_GetModuleByDef(type, &gl_module);
    if (module == NULL ||
        !PyArg_ParseTuple(args, "OOOOpOpOO", &loop, &protocol, &waiter, &sslcontext, &server_side,
                          &hostname, &call_made, &handshake, &shutdown)) {
        return NULL;
    }
    gl_state *state = PyModule_GetState(module);
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "SSLTransport() takes no keyword arguments");
        return NULL;
    }
    if (!PyObject_TypeCheck(loop, state->core_type)) {
        PyErr_SetString(PyExc_TypeError, "the loop of an SSLTransport is a guava_loop.Loop");
        return NULL;
    }
    if (gl_tls_import(state) < 0) {
        return NULL;
    }
    gl_tls *self = (gl_tls *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->closed = true; /* until it lives: there is nothing to warn of */
    self->loop = (gl_loop *)Py_NewRef(loop);
    self->ssl = state->face->tls;
    self->waiter = waiter != Py_None ? Py_NewRef(waiter) : NULL;
    self->handshake_timeout = Py_NewRef(handshake);
    self->shutdown_timeout = Py_NewRef(shutdown);
    self->server_side = server_side;
    self->app = call_made ? GL_APP_INIT : GL_APP_MADE;
    self->flow = (gl_flow){.high = WRITE_HIGH, .low = WRITE_LOW};
    self->read_high = READ_HIGH;
    self->read_low = READ_LOW;
    self->context = PyContext_CopyCurrent();
    self->extra = PyDict_New();
    int wrapped = -1;
    if (self->context != NULL && self->extra != NULL &&
        PyDict_SetItemString(self->extra, "sslcontext", sslcontext) == 0 &&
        gl_tls_set_protocol(self, protocol) == 0) {
        wrapped = gl_tls_wrap(self, sslcontext, hostname);
    }
    if (wrapped == 0) {
        PyErr_SetString(PyExc_NotImplementedError, "the context makes SSL objects of its own");
    }
    if (wrapped == 1) {
        self->between = gl_tls_protocol_new(self);
    }
    if (self->between == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    self->closed = false;
    return (PyObject *)self;
}

/* All is done in tls_new(): that of the base would put its own values into its fields. */
static int
tls_init(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return 0;
}

static int
tls_traverse(gl_tls *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->extra);
    Py_VISIT(self->loop);
    Py_VISIT(self->protocol);
    Py_VISIT(self->context);
    Py_VISIT(self->waiter);
    Py_VISIT(self->between);
    Py_VISIT(self->sslobject);
    Py_VISIT(self->engine);
    Py_VISIT(self->incoming);
    Py_VISIT(self->outgoing);
    Py_VISIT(self->lower);
    Py_VISIT(self->timer);
    return 0;
}

static int
tls_clear(gl_tls *self)
{
    gl_tls_detach(self);
    gl_tls_drop_backlog(self);
    Py_CLEAR(self->extra);
    Py_CLEAR(self->protocol);
    Py_CLEAR(self->context);
    Py_CLEAR(self->waiter);
    Py_CLEAR(self->between);
    Py_CLEAR(self->lower);
    Py_CLEAR(self->timer);
    return 0;
}

/* asyncio's __del__. */
static void
tls_finalize(PyObject *op)
{
    gl_tls *self = (gl_tls *)op;
    if (!self->closed) {
        self->closed = true;
        gl_face_unclosed(op);
    }
}

static void
tls_dealloc(gl_tls *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    (void)tls_clear(self);
    Py_CLEAR(self->sslobject);
    Py_CLEAR(self->engine);
    Py_CLEAR(self->incoming);
    Py_CLEAR(self->outgoing);
    Py_CLEAR(self->handshake_timeout);
    Py_CLEAR(self->shutdown_timeout);
    Py_CLEAR(self->loop);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
tls_repr(gl_tls *self)
{
    static const char *const states[] = {
        [GL_TLS_UNWRAPPED] = "unwrapped", [GL_TLS_HANDSHAKE] = "handshake",
        [GL_TLS_WRAPPED] = "wrapped",     [GL_TLS_FLUSHING] = "flushing",
        [GL_TLS_SHUTDOWN] = "shutdown",
    };
    const char *state = self->closed && self->lower == NULL ? "closed" : states[self->state];
    const char *name = strrchr(Py_TYPE(self)->tp_name, '.');
    name = name != NULL ? name + 1 : Py_TYPE(self)->tp_name;
    if (self->lower == NULL) {
        return PyUnicode_FromFormat("<%s %s>", name, state);
    }
    return PyUnicode_FromFormat("<%s %s fd=%d write=<bufsize=%zu>>", name, state,
                                self->lower->end.fd, gl_tls_write_size(self));
}

/* ---- get_extra_info() ----------------------------------------------------------------------- */

/* What the handshake has found: asked for when somebody wants it, since a certificate is long. */
static PyObject *
find_extra(gl_tls *self, PyObject *name)
{
    static const char *const asked[][2] = {
        {"peercert", "getpeercert"}, {"cipher", "cipher"}, {"compression", "compression"}};
    if (!self->handshaken || !PyUnicode_Check(name)) {
        return NULL;
    }
    if (PyUnicode_CompareWithASCIIString(name, "ssl_object") == 0) {
        return Py_NewRef(self->sslobject);
    }
    for (int i = 0; i < 3; i++) {
        if (PyUnicode_CompareWithASCIIString(name, asked[i][0]) == 0) {
            PyObject *found = PyObject_CallMethod(self->sslobject, asked[i][1], NULL);
            if (found != NULL && PyDict_SetItem(self->extra, name, found) < 0) {
                Py_CLEAR(found);
            }
            return found;
        }
    }
    return NULL;
}

static PyObject *
tls_get_extra_info(gl_tls *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *name, *fallback;
    if (gl_face_extra_args(args, nargs, kwnames, &name, &fallback) < 0) {
        return NULL;
    }
    PyObject *found = PyDict_GetItemWithError(self->extra, name);
    if (found != NULL) {
        return Py_NewRef(found);
    }
    if (!PyErr_Occurred()) {
        found = find_extra(self, name);
    }
    if (found != NULL || PyErr_Occurred()) {
        return found;
    }
    if (self->lower == NULL) {
        return Py_NewRef(fallback);
    }
    return PyObject_CallMethod((PyObject *)self->lower, "get_extra_info", "OO", name, fallback);
}

/* ---- the protocol, and reading -------------------------------------------------------------- */

static PyObject *
tls_get_protocol(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self->protocol != NULL ? self->protocol : Py_None);
}

static PyObject *
tls_set_protocol(gl_tls *self, PyObject *protocol)
{
    return gl_tls_set_protocol(self, protocol) == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
tls_is_reading(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(!self->app_paused);
}

static PyObject *
tls_pause_reading(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    self->app_paused = true;
    Py_RETURN_NONE;
}

static PyObject *
tls_resume_reading(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    return gl_tls_resume_reading(self) == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
tls_get_read_buffer_size(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    Py_ssize_t pending = self->incoming != NULL ? gl_tls_pending(self) : 0;
    return pending >= 0 ? PyLong_FromSsize_t(pending) : NULL;
}

static PyObject *
tls_get_read_buffer_limits(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("(nn)", (Py_ssize_t)self->read_low, (Py_ssize_t)self->read_high);
}

/* The arguments (high=None, low=None); `most` is the high mark when there is neither. */
static int
take_marks(gl_flow *marks, PyObject *args, PyObject *kwargs, size_t most)
{
    static char *names[] = {"high", "low", NULL};
    PyObject *high = Py_None, *low = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO", names, &high, &low)) {
        return -1;
    }
    if (high == Py_None && low == Py_None) {
        marks->high = most;
        marks->low = most / 4;
        return 0;
    }
    return gl_flow_set_limits(marks, args, kwargs);
}

static PyObject *
tls_set_read_buffer_limits(gl_tls *self, PyObject *args, PyObject *kwargs)
{
    gl_flow marks = {0};
    if (take_marks(&marks, args, kwargs, READ_HIGH) < 0) {
        return NULL;
    }
    self->read_high = marks.high;
    self->read_low = marks.low;
    gl_tls_control_reading(self);
    Py_RETURN_NONE;
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool
may_write(gl_tls *self)
{
    if (self->state == GL_TLS_HANDSHAKE || self->state == GL_TLS_WRAPPED) {
        return true;
    }
    gl_face_write_lost(self->loop, &self->conn_lost, "SSL connection is closed");
    return false;
}

static PyObject *
tls_write(gl_tls *self, PyObject *data)
{
    if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
        PyErr_Format(PyExc_TypeError, "data: expecting a bytes-like instance, got %s",
                     Py_TYPE(data)->tp_name);
        return NULL;
    }
    Py_ssize_t size = PyObject_Size(data);
    if (size < 0) {
        return NULL;
    }
    if (size > 0 && may_write(self)) {
        if (gl_tls_put(self, data) < 0) {
            return NULL;
        }
        gl_tls_written(self);
    }
    Py_RETURN_NONE;
}

static PyObject *
tls_writelines(gl_tls *self, PyObject *lines)
{
    PyObject *list = PySequence_Fast(lines, "writelines() takes an iterable of bytes");
    if (list == NULL) {
        return NULL;
    }
    int result = 0;
    if (may_write(self)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list) && result == 0; i++) {
            result = gl_tls_put(self, PySequence_Fast_GET_ITEM(list, i));
        }
        gl_tls_written(self);
    }
    Py_DECREF(list);
    return result == 0 ? Py_NewRef(Py_None) : NULL;
}

/* asyncio's hook of the same name: its own tests write so without sending. */
static PyObject *
tls_append_write_backlog(gl_tls *self, PyObject *data)
{
    return gl_tls_put(self, data) == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
tls_write_eof(gl_tls *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    PyErr_SetNone(PyExc_NotImplementedError);
    return NULL;
}

static PyObject *
tls_can_write_eof(gl_tls *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_FALSE;
}

static PyObject *
tls_get_write_buffer_size(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromSize_t(gl_tls_write_size(self));
}

static PyObject *
tls_get_write_buffer_limits(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    return gl_flow_limits(&self->flow);
}

static PyObject *
tls_set_write_buffer_limits(gl_tls *self, PyObject *args, PyObject *kwargs)
{
    if (take_marks(&self->flow, args, kwargs, WRITE_HIGH) < 0) {
        return NULL;
    }
    gl_tls_control_writing(self);
    Py_RETURN_NONE;
}

/* ---- closing -------------------------------------------------------------------------------- */

static PyObject *
tls_is_closing(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->closed);
}

static PyObject *
tls_close(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->closed) {
        if (gl_face_check_thread(self->loop) < 0) {
            return NULL;
        }
        self->closed = true;
        gl_tls_start_shutdown(self);
    } else if (!self->done_with) {
        /* asyncio's lets go of its layer here, contexts and all, which may be large and shared;
         * protocols that keep their transport rely on it. */
        self->done_with = true;
        if (self->protocol == NULL) {
            gl_tls_let_go(self);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
tls_force_close(gl_tls *self, PyObject *exc)
{
    self->closed = true;
    /* What would be on its way if it were not gathered first. */
    if (self->state == GL_TLS_WRAPPED && self->backlog != 0) {
        gl_tls_encrypt(self);
        gl_tls_send(self);
    }
    gl_tls_abort(self, exc);
    Py_RETURN_NONE;
}

static PyObject *
tls_abort(gl_tls *self, PyObject *Py_UNUSED(ignored))
{
    if (gl_face_check_thread(self->loop) < 0) {
        return NULL;
    }
    return tls_force_close(self, Py_None);
}

/* ---- the type ------------------------------------------------------------------------------- */

#define KEYWORDS(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef tls_methods[] = {
    {"get_extra_info", KEYWORDS(tls_get_extra_info), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR(
         "get_extra_info($self, name, default=None)\n--\n\n"
         "sslcontext; after the handshake ssl_object, peercert, cipher, compression; or what "
         "the transport below knows.")},
    {"get_protocol", (PyCFunction)tls_get_protocol, METH_NOARGS,
     PyDoc_STR("The protocol that is told of what comes.")},
    {"set_protocol", (PyCFunction)tls_set_protocol, METH_O,
     PyDoc_STR("Tell another protocol from now on.")},
    {"is_closing", (PyCFunction)tls_is_closing, METH_NOARGS,
     PyDoc_STR("Whether close() or abort() was called, or the connection ended.")},
    {"is_reading", (PyCFunction)tls_is_reading, METH_NOARGS,
     PyDoc_STR("Whether the protocol is told of what comes.")},
    {"pause_reading", (PyCFunction)tls_pause_reading, METH_NOARGS,
     PyDoc_STR("Do not tell the protocol of what comes until resume_reading().")},
    {"resume_reading", (PyCFunction)tls_resume_reading, METH_NOARGS,
     PyDoc_STR("Undo pause_reading().")},
    {"get_read_buffer_size", (PyCFunction)tls_get_read_buffer_size, METH_NOARGS,
     PyDoc_STR("Bytes that have come and are not decrypted.")},
    {"get_read_buffer_limits", (PyCFunction)tls_get_read_buffer_limits, METH_NOARGS,
     PyDoc_STR("(low, high), in bytes.")},
    {"set_read_buffer_limits", KEYWORDS(tls_set_read_buffer_limits), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("set_read_buffer_limits($self, high=None, low=None)\n--\n\n"
               "At how many undecrypted bytes the socket is read no more, and again.")},
    {"write", (PyCFunction)tls_write, METH_O,
     PyDoc_STR("Encrypt and send bytes, with what else is written in this callback.")},
    {"writelines", (PyCFunction)tls_writelines, METH_O,
     PyDoc_STR("Send several bytes-like objects.")},
    {"write_eof", (PyCFunction)tls_write_eof, METH_NOARGS, PyDoc_STR("NotImplementedError.")},
    {"can_write_eof", (PyCFunction)tls_can_write_eof, METH_NOARGS, PyDoc_STR("False.")},
    {"get_write_buffer_size", (PyCFunction)tls_get_write_buffer_size, METH_NOARGS,
     PyDoc_STR("Bytes that were written and are not yet with the kernel.")},
    {"get_write_buffer_limits", (PyCFunction)tls_get_write_buffer_limits, METH_NOARGS,
     PyDoc_STR("(low, high), in bytes.")},
    {"set_write_buffer_limits", KEYWORDS(tls_set_write_buffer_limits),
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("set_write_buffer_limits($self, high=None, low=None)\n--\n\n"
               "At how many bytes the protocol's writing is paused and resumed.")},
    {"close", (PyCFunction)tls_close, METH_NOARGS,
     PyDoc_STR("Send what was written, say goodbye as TLS wants it, and close.")},
    {"abort", (PyCFunction)tls_abort, METH_NOARGS, PyDoc_STR("Close the connection now.")},
    {"_force_close", (PyCFunction)tls_force_close, METH_O, NULL},
    {"_test__append_write_backlog", (PyCFunction)tls_append_write_backlog, METH_O, NULL},
    {NULL},
};

static PyObject *
get_protocol_paused(gl_tls *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->flow.paused);
}

static PyGetSetDef tls_getset[] = {
    {"_protocol_paused", (getter)get_protocol_paused, NULL,
     PyDoc_STR("Whether pause_writing() was called; the fallback of sendfile() asks."), NULL},
    {NULL},
};

static PyMemberDef tls_members[] = {
    {"_ssl_protocol", T_OBJECT, offsetof(gl_tls, between), READONLY, NULL},
    {NULL},
};

static PyType_Slot tls_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("The native half of guava_loop.tls.SSLTransport.")},
    {Py_tp_new, tls_new},
    {Py_tp_init, tls_init},
    {Py_tp_dealloc, tls_dealloc},
    {Py_tp_finalize, tls_finalize},
    {Py_tp_traverse, tls_traverse},
    {Py_tp_clear, tls_clear},
    {Py_tp_repr, tls_repr},
    {Py_tp_methods, tls_methods},
    {Py_tp_getset, tls_getset},
    {Py_tp_members, tls_members},
    {0, NULL},
};

static PyType_Spec tls_spec = {
    .name = "guava_loop._core.SSLTransport",
    .basicsize = sizeof(gl_tls),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = tls_slots,
};

int
gl_tls_exec(PyObject *module, gl_state *state)
{
    gl_face_state *face = state->face;
    if (gl_tls_protocol_exec(module, state) < 0) {
        return -1;
    }
    face->type.tls_transport = gl_face_type(module, face, &tls_spec, face->of.flow_control);
    return face->type.tls_transport != NULL ? 0 : -1;
}
