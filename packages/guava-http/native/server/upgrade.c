/* upgrade.c: a connection that speaks another protocol from now on (RFC 9110, 7.8). Its stream is
 * taken from the peer and its callbacks are swapped; Python's protocols get a transport for it, of
 * asyncio's kind. The server keeps no request for it but knows that it is open: it counts, and a
 * stop waits for it and cuts it off.
 *
 * The protocol begins in the next turn of the loop: what the client has sent behind its request
 * may lie in memory of the loop's that this turn still reads. */
#define PY_SSIZE_T_CLEAN
#include "server/parts.h"

#include <errno.h>
#include <string.h>

struct gh_upgraded {
    PyObject_HEAD gh_server *server;
    guava_stream *stream; /* NULL once it is closed */
    gh_peer *peer;        /* until the protocol has begun: what came behind the request */
    PyObject *protocol;
    gh_upgraded *next, *previous;
    bool full;   /* the protocol has been told to pause */
    bool paused; /* reading is */
    bool closing;
};

/* ---- what the stream reports -----------------------------------------------------------------
 */

static int
tell(gh_upgraded *self, const char *method)
{
    PyObject *done = PyObject_CallMethod(self->protocol, method, NULL);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int
on_data(guava_stream *stream, char *bytes, size_t n)
{
    gh_upgraded *self = guava_stream_user(stream);
    PyObject *done =
        PyObject_CallMethod(self->protocol, "data_received", "y#", bytes, (Py_ssize_t)n);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int
on_eof(guava_stream *stream)
{
    gh_upgraded *self = guava_stream_user(stream);
    PyObject *kept = PyObject_CallMethod(self->protocol, "eof_received", NULL);
    int keeps = kept == NULL ? -1 : PyObject_IsTrue(kept);
    Py_XDECREF(kept);
    if (keeps == 0 && self->stream != NULL) {
        self->closing = true;
        self->server->api->close(self->stream);
    }
    return keeps < 0 ? -1 : 0;
}

static int
on_drain(guava_stream *stream)
{
    gh_upgraded *self = guava_stream_user(stream);
    if (!self->full)
        return 0;
    self->full = false;
    return tell(self, "resume_writing");
}

static void
leave(gh_upgraded *self)
{
    gh_server *server = self->server;
    self->stream = NULL;
    self->closing = true;
    if (self->next != NULL)
        self->next->previous = self->previous;
    if (self->previous != NULL)
        self->previous->next = self->next;
    else
        server->upgraded = self->next;
    server->n_peers--;
}

static void
on_closed(guava_stream *stream, int error)
{
    gh_upgraded *self = guava_stream_user(stream);
    gh_server *server = self->server;
    PyObject *reason = Py_NewRef(Py_None), *done = NULL;
    leave(self);
    if (error < 0 && error != -ECANCELED) {
        errno = -error;
        PyErr_SetFromErrno(PyExc_OSError);
        Py_SETREF(reason, gh_take_exception());
    }
    /* Whom connection_made() was not called, connection_lost() is not. */
    if (self->peer == NULL) {
        done = PyObject_CallMethod(self->protocol, "connection_lost", "O", reason);
        if (done == NULL)
            server->api->error(server->loop, "connection_lost() raised", self->protocol);
    }
    Py_XDECREF(done);
    Py_DECREF(reason);
    gh_crowd_left(server);
    gh_server_left(server);
    Py_DECREF(self);
}

static const guava_stream_ops upgraded_ops = {
    .data = on_data,
    .eof = on_eof,
    .drain = on_drain,
    .closed = on_closed,
};

/* ---- from a request to a protocol ------------------------------------------------------------
 */

guava_stream *
gh_peer_hand_over(gh_peer *peer)
{
    gh_server *server = peer->server;
    guava_stream *stream = peer->stream;
    gh_out_flush(server);
    (void)server->api->read_pause(stream);
    gh_timer_stop(&peer->timer);
    gh_peer_unlink(peer);
    peer->stream = NULL;
    gh_peer_finish(peer);
    return stream;
}

static int
begin(gh_upgraded *self, gh_peer *peer)
{
    PyObject *done = PyObject_CallMethod(self->protocol, "connection_made", "O", self);
    Py_XDECREF(done);
    if (done == NULL)
        return -1;
    size_t n = gh_buffer_len(&peer->in);
    if (n > 0 && !self->closing && on_data(self->stream, peer->in.bytes + peer->in.start, n) < 0)
        return -1;
    if (peer->eof && !self->closing && on_eof(self->stream) < 0)
        return -1;
    if (!self->paused && !self->closing)
        (void)self->server->api->read_resume(self->stream);
    return 0;
}

static void
deferred(void *arg)
{
    gh_upgraded *self = arg;
    gh_server *server = self->server;
    gh_peer *peer = self->peer;
    self->peer = NULL;
    if (self->stream != NULL && begin(self, peer) < 0) {
        server->api->error(server->loop, "a protocol could not begin", self->protocol);
        if (self->stream != NULL)
            server->api->abort(self->stream, -ECONNABORTED);
    }
    Py_DECREF(peer); /* the stream's, until it was handed over */
    Py_DECREF(self);
}

/* The head is out: nothing may fail any more but the connection. */
static void
take_over(gh_peer *peer, gh_upgraded *self)
{
    gh_server *server = peer->server;
    self->stream = gh_peer_hand_over(peer);
    self->peer = peer;
    self->next = server->upgraded;
    if (self->next != NULL)
        self->next->previous = self;
    server->upgraded = self;
    server->api->set_ops(self->stream, &upgraded_ops, self);
    Py_INCREF(self); /* the stream's */
    Py_INCREF(self); /* the deferred call's */
    if (server->api->defer(server->loop, deferred, self) < 0) {
        PyErr_Clear();
        server->api->abort(self->stream, 0);
        Py_DECREF(peer);
        Py_DECREF(self);
    }
}

/* `result` has __guava_upgrade__(request), which gives the head of the answer and a protocol. */
void
gh_upgrade(gh_peer *peer, PyObject *result)
{
    char *head;
    Py_ssize_t n;
    PyObject *protocol;
    if (peer->stream == NULL) {
        gh_peer_finish(peer);
        return;
    }
    PyObject *pair = PyObject_CallMethod(result, "__guava_upgrade__", "O", peer->request);
    gh_upgraded *self = NULL;
    if (pair != NULL && PyArg_ParseTuple(pair, "y#O", &head, &n, &protocol)) {
        PyTypeObject *type = peer->server->part->upgraded_type;
        self = (gh_upgraded *)type->tp_alloc(type, 0);
    }
    if (self == NULL) {
        gh_fail(peer);
        Py_XDECREF(pair);
        return;
    }
    self->server = (gh_server *)Py_NewRef(peer->server);
    self->protocol = Py_NewRef(protocol);
    gh_out(peer, head, (size_t)n, NULL);
    take_over(peer, self);
    Py_DECREF(self);
    Py_DECREF(pair);
}

void
gh_upgraded_closing(gh_server *server)
{
    /* A protocol may end its connection while it is told; what it unlinks is freed later. */
    gh_upgraded *next;
    for (gh_upgraded *self = server->upgraded; self != NULL; self = next) {
        Py_INCREF(self);
        PyObject *method = NULL, *done = NULL;
        if (self->peer == NULL)
            method = PyObject_GetAttrString(self->protocol, "server_closing");
        if (method != NULL)
            done = PyObject_CallNoArgs(method);
        if (method == NULL)
            PyErr_Clear(); /* it need not have one */
        else if (done == NULL)
            server->api->error(server->loop, "server_closing() raised", self->protocol);
        Py_XDECREF(method);
        Py_XDECREF(done);
        next = self->next;
        Py_DECREF(self);
    }
}

void
gh_upgraded_abort(gh_server *server)
{
    for (gh_upgraded *self = server->upgraded; self != NULL; self = self->next) {
        self->closing = true;
        server->api->abort(self->stream, -ECONNRESET);
    }
}

guava_stream *
gh_upgraded_stream(gh_server *server)
{
    return server->upgraded == NULL ? NULL : server->upgraded->stream;
}

/* ---- the transport ---------------------------------------------------------------------------
 */

static PyObject *
upgraded_write(gh_upgraded *self, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int result = 0;
    if (self->stream != NULL && !self->closing && view.len > 0) {
        guava_buf buf = {view.buf, (size_t)view.len};
        result = self->server->api->write(self->stream, &buf, 1, NULL, NULL);
    }
    PyBuffer_Release(&view);
    if (result > 0 && !self->full && self->server->api->queued(self->stream) > GH_HIGH_WATER) {
        self->full = true;
        if (tell(self, "pause_writing") < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
upgraded_close(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    if (self->stream != NULL && !self->closing) {
        self->closing = true;
        self->server->api->close(self->stream);
    }
    Py_RETURN_NONE;
}

static PyObject *
upgraded_abort(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    self->closing = true;
    if (self->stream != NULL)
        self->server->api->abort(self->stream, 0);
    Py_RETURN_NONE;
}

static PyObject *
upgraded_write_eof(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    if (self->stream != NULL && !self->closing)
        (void)self->server->api->shutdown(self->stream); /* closed() tells of a failure */
    Py_RETURN_NONE;
}

static PyObject *
upgraded_can_write_eof(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(!self->server->secure);
}

static PyObject *
upgraded_is_closing(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->closing);
}

static PyObject *
upgraded_pause_reading(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    self->paused = true;
    if (self->stream != NULL && !self->closing)
        (void)self->server->api->read_pause(self->stream);
    Py_RETURN_NONE;
}

static PyObject *
upgraded_resume_reading(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    self->paused = false;
    if (self->stream != NULL && !self->closing)
        (void)self->server->api->read_resume(self->stream);
    Py_RETURN_NONE;
}

static PyObject *
upgraded_queued(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromSize_t(self->stream == NULL ? 0 : self->server->api->queued(self->stream));
}

static PyObject *
upgraded_get_protocol(gh_upgraded *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self->protocol);
}

static PyObject *
upgraded_set_protocol(gh_upgraded *self, PyObject *protocol)
{
    Py_SETREF(self->protocol, Py_NewRef(protocol));
    Py_RETURN_NONE;
}

static int
upgraded_traverse(gh_upgraded *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->server);
    Py_VISIT(self->protocol);
    return 0;
}

static int
upgraded_clear(gh_upgraded *self)
{
    Py_CLEAR(self->protocol);
    return 0;
}

static void
upgraded_dealloc(gh_upgraded *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)upgraded_clear(self);
    Py_CLEAR(self->server);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef upgraded_methods[] = {
    {"write", (PyCFunction)upgraded_write, METH_O, NULL},
    {"close", (PyCFunction)upgraded_close, METH_NOARGS, NULL},
    {"abort", (PyCFunction)upgraded_abort, METH_NOARGS, NULL},
    {"write_eof", (PyCFunction)upgraded_write_eof, METH_NOARGS, NULL},
    {"can_write_eof", (PyCFunction)upgraded_can_write_eof, METH_NOARGS, NULL},
    {"is_closing", (PyCFunction)upgraded_is_closing, METH_NOARGS, NULL},
    {"pause_reading", (PyCFunction)upgraded_pause_reading, METH_NOARGS, NULL},
    {"resume_reading", (PyCFunction)upgraded_resume_reading, METH_NOARGS, NULL},
    {"get_write_buffer_size", (PyCFunction)upgraded_queued, METH_NOARGS, NULL},
    {"get_protocol", (PyCFunction)upgraded_get_protocol, METH_NOARGS, NULL},
    {"set_protocol", (PyCFunction)upgraded_set_protocol, METH_O, NULL},
    {NULL},
};

static PyType_Slot upgraded_slots[] = {
    {Py_tp_doc, "The transport of an upgraded connection. The server makes them."},
    {Py_tp_traverse, upgraded_traverse},
    {Py_tp_clear, upgraded_clear},
    {Py_tp_dealloc, upgraded_dealloc},
    {Py_tp_methods, upgraded_methods},
    {0, NULL},
};

static PyType_Spec upgraded_spec = {
    .name = "guava_http._core.UpgradedTransport",
    .basicsize = sizeof(gh_upgraded),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = upgraded_slots,
};

int
gh_upgraded_register(PyObject *module, struct gh_server_part *part)
{
    part->upgraded_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &upgraded_spec, NULL);
    return part->upgraded_type == NULL ? -1 : 0;
}
