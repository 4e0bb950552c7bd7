/* adapter.c: what a transport tells its protocol, told to the server as a stream's callbacks. So
 * the server is written once: on guava-loop's streams, and through this on the standard loop, on
 * uvloop, and under TLS through asyncio's own sslproto. */
#include "server/adapter.h"

#include <errno.h>

static int
adapter_init(gh_adapter *self, PyObject *args, PyObject *kwargs)
{
    PyObject *server;
    PyObject *module = PyType_GetModule(Py_TYPE(self));
    if (module == NULL || !PyArg_ParseTuple(args, "O:Adapter", &server))
        return -1;
    gh_module *state = PyModule_GetState(module);
    if (!Py_IS_TYPE(server, state->server->server_type) ||
        ((gh_server *)server)->foreign == NULL || self->server != NULL) {
        PyErr_SetString(PyExc_TypeError,
                        "an adapter is made once, for a server on an asyncio loop");
        return -1;
    }
    self->server = (gh_server *)Py_NewRef(server);
    return 0;
}

static PyObject *
adapter_connection_made(gh_adapter *self, PyObject *transport)
{
    if (self->server == NULL || self->transport != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "an adapter serves one connection");
        return NULL;
    }
    self->transport = Py_NewRef(transport);
    gh_adapter_api.watermarks(&self->stream, GH_HIGH_WATER / 4, GH_HIGH_WATER);
    if (gh_peer_accept(&self->stream, self->server) < 0) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        gh_adapter_api.abort(&self->stream, 0); /* asyncio would leave it open */
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    /* While reading is paused nothing but the transport refers to us, and nothing but us to the
     * transport: the collector would take both. */
    if (self->stream.ops != NULL)
        Py_INCREF(self);
    Py_RETURN_NONE;
}

static void
lose(gh_adapter *self, int error)
{
    const guava_stream_ops *ops = self->stream.ops;
    self->closing = true;
    self->stream.ops = NULL;
    if (self->file.running && !self->file.ended)
        gh_adapter_end_file(self, -EPIPE);
    if (ops != NULL) {
        ops->closed(&self->stream, error);
        Py_DECREF(self);
    }
}

static PyObject *
adapter_connection_lost(gh_adapter *self, PyObject *exception)
{
    int error = self->error == 0 && exception != Py_None ? -ECONNRESET : self->error;
    Py_INCREF(self);
    lose(self, error);
    Py_CLEAR(self->transport);
    Py_DECREF(self);
    Py_RETURN_NONE;
}

void
gh_adapter_forget(guava_stream *stream)
{
    lose(gh_adapter_of(stream), -ECANCELED);
}

static PyObject *
adapter_get_buffer(gh_adapter *self, PyObject *Py_UNUSED(hint))
{
    if (self->server == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the adapter has no server");
        return NULL;
    }
    return Py_NewRef(self->server->foreign->view);
}

/* What a callback of the server gives: an exception of it goes to the loop, and ends the stream.
 */
static PyObject *
after(gh_adapter *self, int result)
{
    if (result < 0) {
        gh_foreign_error((guava_loop *)self->server->foreign, "in a connection", (PyObject *)self);
        gh_adapter_api.abort(&self->stream, 0);
    }
    Py_RETURN_NONE;
}

static PyObject *
adapter_buffer_updated(gh_adapter *self, PyObject *size)
{
    size_t n = PyLong_AsSize_t(size);
    if (PyErr_Occurred())
        return NULL;
    if (self->closing || self->stream.ops == NULL || n == 0 || n > GH_FOREIGN_READ)
        Py_RETURN_NONE;
    return after(self, self->stream.ops->data(&self->stream, self->server->foreign->bytes, n));
}

static PyObject *
adapter_eof_received(gh_adapter *self, PyObject *Py_UNUSED(ignored))
{
    if (self->closing || self->stream.ops == NULL)
        Py_RETURN_NONE;
    int result = self->stream.ops->eof(&self->stream);
    /* True: we still answer. TLS cannot, and sslproto would complain. */
    if (result == 0 && !self->server->secure)
        Py_RETURN_TRUE;
    return after(self, result);
}

static PyObject *
adapter_pause_writing(gh_adapter *self, PyObject *Py_UNUSED(ignored))
{
    self->over = true;
    Py_RETURN_NONE;
}

static PyObject *
adapter_resume_writing(gh_adapter *self, PyObject *Py_UNUSED(ignored))
{
    self->over = false;
    self->resumed = true;
    if (self->file.running)
        gh_adapter_send_file(self);
    int result =
        self->closing || self->stream.ops == NULL ? 0 : self->stream.ops->drain(&self->stream);
    (void)after(self, result);
    self->resumed = false;
    Py_RETURN_NONE;
}

static int
adapter_traverse(gh_adapter *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->server);
    Py_VISIT(self->transport);
    return 0;
}

static int
adapter_clear(gh_adapter *self)
{
    Py_CLEAR(self->transport);
    return 0;
}

static void
adapter_dealloc(gh_adapter *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)adapter_clear(self);
    Py_CLEAR(self->server);
    type->tp_free(self);
    Py_DECREF(type);
}

#define METHOD(name, flags) {#name, (PyCFunction)adapter_##name, flags, NULL}

static PyMethodDef adapter_methods[] = {
    METHOD(connection_made, METH_O),     METHOD(connection_lost, METH_O),
    METHOD(get_buffer, METH_O),          METHOD(buffer_updated, METH_O),
    METHOD(eof_received, METH_NOARGS),   METHOD(pause_writing, METH_NOARGS),
    METHOD(resume_writing, METH_NOARGS), {NULL},
};

static PyType_Slot adapter_slots[] = {
    {Py_tp_doc, "A connection of any asyncio transport, for a server's Python half."},
    {Py_tp_init, adapter_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, adapter_traverse},
    {Py_tp_clear, adapter_clear},
    {Py_tp_dealloc, adapter_dealloc},
    {Py_tp_methods, adapter_methods},
    {0, NULL},
};

static PyType_Spec adapter_spec = {
    .name = "guava_http._core.Adapter",
    .basicsize = sizeof(gh_adapter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = adapter_slots,
};

int
gh_adapter_register(PyObject *module, struct gh_server_part *part)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *base = asyncio == NULL ? NULL : PyObject_GetAttrString(asyncio, "BufferedProtocol");
    if (base != NULL)
        part->adapter_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &adapter_spec, base);
    Py_XDECREF(base);
    Py_XDECREF(asyncio);
    return part->adapter_type == NULL ? -1 : PyModule_AddType(module, part->adapter_type);
}
