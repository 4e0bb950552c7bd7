/* tls_protocol.c: the protocol that the transport below TLS has. What comes through the native
 * transport's stream does not pass here; what its life consists of does. */
#include "tls.h"

typedef struct {
    PyObject_HEAD gl_tls *tls; /* owned */
} gl_tls_protocol;

PyObject *
gl_tls_protocol_new(gl_tls *tls)
{
    PyTypeObject *type = (PyTypeObject *)tls->loop->state->face->type.tls_protocol;
    gl_tls_protocol *self = (gl_tls_protocol *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->tls = (gl_tls *)Py_NewRef((PyObject *)tls);
    }
    return (PyObject *)self;
}

static int
protocol_traverse(gl_tls_protocol *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->tls);
    return 0;
}

static int
protocol_clear(gl_tls_protocol *self)
{
    Py_CLEAR(self->tls);
    return 0;
}

static void
protocol_dealloc(gl_tls_protocol *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)protocol_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- what the transport below tells --------------------------------------------------------- */

static PyObject *
protocol_connection_made(gl_tls_protocol *self, PyObject *transport)
{
    gl_tls *tls = self->tls;
    if (tls != NULL && tls->lower == NULL && tls->state == GL_TLS_UNWRAPPED) {
        gl_face_state *face = tls->loop->state->face;
        if (!PyObject_TypeCheck(transport, (PyTypeObject *)face->type.stream_transport)) {
            PyErr_SetString(PyExc_TypeError, "native TLS needs a native stream transport");
            return NULL;
        }
        gl_tls_attach(tls, (gl_transport *)transport);
        if (tls->closed) {
            gl_tls_abort(tls, Py_None); /* before it began; asyncio's would begin nevertheless */
        } else {
            gl_tls_start_handshake(tls);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
protocol_connection_lost(gl_tls_protocol *self, PyObject *exc)
{
    gl_tls *tls = self->tls;
    if (tls != NULL) {
        self->tls = NULL;
        gl_tls_lost(tls, exc);
        Py_DECREF(tls);
    }
    Py_RETURN_NONE;
}

static PyObject *
protocol_data_received(gl_tls_protocol *self, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    gl_tls *tls = (gl_tls *)Py_XNewRef((PyObject *)self->tls);
    if (tls != NULL) {
        gl_tls_data(tls, view.buf, (size_t)view.len);
        Py_DECREF(tls);
    }
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static PyObject *
protocol_eof_received(gl_tls_protocol *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->tls != NULL && gl_tls_eof(self->tls));
}

/* The queue below is looked at by TLS itself. */
static PyObject *
protocol_ignore(gl_tls_protocol *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

static PyMethodDef protocol_methods[] = {
    {"connection_made", (PyCFunction)protocol_connection_made, METH_O,
     PyDoc_STR("Begin the handshake.")},
    {"connection_lost", (PyCFunction)protocol_connection_lost, METH_O,
     PyDoc_STR("Tell the protocol above.")},
    {"data_received", (PyCFunction)protocol_data_received, METH_O, PyDoc_STR("Take records.")},
    {"eof_received", (PyCFunction)protocol_eof_received, METH_NOARGS,
     PyDoc_STR("Take the end of the connection.")},
    {"pause_writing", (PyCFunction)protocol_ignore, METH_NOARGS, PyDoc_STR("Nothing.")},
    {"resume_writing", (PyCFunction)protocol_ignore, METH_NOARGS, PyDoc_STR("Nothing.")},
    {NULL},
};

static PyType_Slot protocol_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("The TLS layer, as the protocol of the transport below it.")},
    {Py_tp_dealloc, protocol_dealloc},
    {Py_tp_traverse, protocol_traverse},
    {Py_tp_clear, protocol_clear},
    {Py_tp_methods, protocol_methods},
    {0, NULL},
};

static PyType_Spec protocol_spec = {
    .name = "guava_loop._core.SSLProtocol",
    .basicsize = sizeof(gl_tls_protocol),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = protocol_slots,
};

int
gl_tls_protocol_exec(PyObject *module, gl_state *state)
{
    gl_face_state *face = state->face;
    face->type.tls_protocol = PyType_FromModuleAndSpec(module, &protocol_spec, face->of.protocol);
    if (face->type.tls_protocol == NULL) {
        return -1;
    }
    return PyModule_AddType(module, (PyTypeObject *)face->type.tls_protocol);
}
