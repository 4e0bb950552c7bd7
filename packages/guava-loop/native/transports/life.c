/* life.c: the life of a transport: how it starts, is closed or breaks, and tells its protocol. It
 * is separate from the type, which only passes calls on. */
#include "transport.h"

#include <errno.h>

#include "../handle.h"
#include "../parts.h"

/* ---- the end ------------------------------------------------------------------------------- */

void
gl_transport_keep(gl_transport *self)
{
    guava_stream *s = self->stream;
    if (s == NULL || s->flags & GL_DEAD) {
        return; /* what is scheduled keeps it */
    }
    if (gl_transport_reads(self) || s->head != NULL || self->file != NULL || !self->started) {
        if (s->owner == NULL) {
            s->owner = Py_NewRef((PyObject *)self);
        }
    } else {
        Py_CLEAR(s->owner);
    }
}

/* Of the stream's end. Whoever closed the transport has scheduled connection_lost(); else the
 * connection broke, or the loop is being closed, which protocols are not told. */
static void
stream_closed(guava_stream *s, int error)
{
    gl_transport *self = s->user;
    if (self == NULL) {
        return;
    }
    s->user = NULL;
    self->stream = NULL;
    if (self->conn_lost == 0 && !self->loop->io_closed) {
        if (error == 0) {
            gl_transport_force_close(self, Py_None);
        } else {
            (void)gl_uv_error(error);
            gl_transport_fatal(self, "Fatal read error on socket transport");
        }
    }
}

static const guava_stream_ops transport_ops = {
    .drain = gl_transport_drained,
    .closed = stream_closed,
};

/* No callback of the stream comes after it but closed(). */
static void
kill_stream(gl_transport *self)
{
    if (self->stream != NULL) {
        gl_stream_kill(self->stream, 0);
    }
}

static int
schedule_lost(gl_transport *self, PyObject *exc)
{
    PyObject *callback =
        PyObject_GetAttr((PyObject *)self, gl_transport_face(self)->name._call_connection_lost);
    int result = callback != NULL ? gl_face_call_soon(self->loop, callback, exc, NULL) : -1;
    Py_XDECREF(callback);
    return result;
}

void
gl_transport_force_close(gl_transport *self, PyObject *exc)
{
    /* What was written before abort() was called has left, with asyncio. */
    if (self->loop->cork.transport == self) {
        gl_uncork(self->loop);
    }
    if (self->conn_lost != 0) {
        return;
    }
    self->closing = true;
    self->conn_lost = 1;
    if (schedule_lost(self, exc) < 0) {
        gl_loop_error(self->loop, "connection_lost() could not be scheduled", (PyObject *)self);
        self->conn_lost = 0; /* the stream's end tries it again */
    }
    kill_stream(self);
}

void
gl_transport_fatal(gl_transport *self, const char *message)
{
    PyObject *exc = gl_face_fatal(self->loop, message, (PyObject *)self, self->protocol);
    if (exc != Py_None) { /* what ends the program has not broken the connection */
        gl_transport_force_close(self, exc);
    }
    Py_DECREF(exc);
}

void
gl_transport_close(gl_transport *self)
{
    gl_uncork(self->loop);
    if (self->closing) {
        return;
    }
    self->closing = true;
    if (self->stream == NULL || self->stream->head == NULL) {
        gl_transport_force_close(self, Py_None);
    }
}

static void
close_socket(gl_transport *self)
{
    gl_endpoint *end = &self->end;
    if (end->fd >= 0 && end->family != AF_INET && end->family != AF_INET6) {
        /* These names cannot be kept as the kernel gives them. */
        gl_face_state *face = gl_transport_face(self);
        PyObject *names[] = {face->name.peername, face->name.sockname};
        for (int i = 0; i < 2; i++) {
            if (self->extra == NULL || PyDict_GetItemWithError(self->extra, names[i]) == NULL) {
                PyObject *found = gl_endpoint_info(end, face, &self->extra, names[i]);
                Py_XDECREF(found);
            }
            PyErr_Clear(); /* without memory for it, the name is None */
        }
    }
    gl_face_disclaim(self->loop, end->fd, (PyObject *)self);
    gl_endpoint_close(end, gl_transport_face(self));
}

PyObject *
gl_transport_connection_lost(gl_transport *self, PyObject *exc)
{
    PyObject *protocol = self->protocol;
    if (protocol == NULL) {
        Py_RETURN_NONE;
    }
    gl_face_state *face = gl_transport_face(self);
    PyObject *result = gl_face_call(NULL, protocol, face->name.connection_lost, exc);
    PyObject *raised = result == NULL ? gl_err_take() : NULL;
    Py_XDECREF(result);
    self->conn_lost += self->conn_lost == 0;
    kill_stream(self);
    close_socket(self);
    Py_CLEAR(self->protocol);
    Py_CLEAR(self->context);
    int detached = gl_endpoint_detach(&self->end, face, (PyObject *)self);
    if (raised != NULL) {
        PyErr_Clear(); /* of the two, the protocol's counts */
        gl_err_give(raised);
        return NULL;
    }
    return detached == 0 ? Py_NewRef(Py_None) : NULL;
}

void
gl_transport_drop(gl_transport *self)
{
    PyObject *before = gl_err_take();
    self->closing = true;
    self->conn_lost += self->conn_lost == 0;
    kill_stream(self);
    close_socket(self);
    if (gl_endpoint_detach(&self->end, gl_transport_face(self), (PyObject *)self) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    if (before != NULL) {
        gl_err_give(before);
    }
}

/* ---- birth ---------------------------------------------------------------------------------- */

int
gl_transport_take_protocol(gl_transport *self, PyObject *protocol)
{
    int buffered = PyObject_IsInstance(protocol, gl_transport_face(self)->of.buffered_protocol);
    if (buffered < 0) {
        return -1;
    }
    self->buffered = buffered;
    Py_XSETREF(self->protocol, Py_NewRef(protocol));
    return 0;
}

/* connection_made() at once when the loop comes to it, and then, as asyncio has it, reading and
 * the waiter. */
static int
schedule_start(gl_transport *self, PyObject *waiter)
{
    PyObject *made =
        PyObject_GetAttr(self->protocol, gl_transport_face(self)->name.connection_made);
    PyObject *start = NULL;
    if (made != NULL) {
        start = PyObject_GetAttr((PyObject *)self, gl_transport_face(self)->name._start);
    }
    int result = -1;
    gl_handle *handle = NULL;
    PyObject *arg = (PyObject *)self;
    if (start != NULL) {
        handle = gl_handle_new(self->loop, made, &arg, 1, NULL);
    }
    if (handle != NULL && gl_ready_push(self->loop, (PyObject *)handle) == 0) {
        result = gl_face_call_soon(self->loop, start, waiter != NULL ? waiter : Py_None, NULL);
        if (result < 0) {
            gl_handle_cancel(handle); /* a protocol that hears of this hears of its end, too */
        }
    }
    Py_XDECREF(handle);
    Py_XDECREF(start);
    Py_XDECREF(made);
    return result;
}

static int
open_stream(gl_transport *self)
{
    guava_stream *s;
    int err = gl_stream_new(self->loop, self->end.fd, &s);
    if (err < 0) {
        (void)(err == -ENOMEM ? PyErr_NoMemory() : gl_uv_error(err));
        return -1;
    }
    s->flags |= GL_BORROWED;
    s->on_poll = gl_transport_on_poll;
    s->emptied = gl_transport_emptied;
    gl_stream_set_ops(s, &transport_ops, self);
    self->stream = s;
    return gl_face_claim(self->loop, self->end.fd, (PyObject *)self);
}

static int
init(gl_transport *self, gl_loop *loop, PyObject *protocol, PyObject *waiter, PyObject *extra,
     PyObject *server)
{
    self->flow = (gl_flow)GL_FLOW_DEFAULT;
    if (extra != NULL && extra != Py_None) {
        self->extra = Py_NewRef(extra);
    }
    self->context = PyContext_CopyCurrent();
    if (self->context == NULL || gl_transport_take_protocol(self, protocol) < 0 ||
        gl_check_closed(loop) < 0 || open_stream(self) < 0 ||
        gl_endpoint_attach(&self->end, gl_transport_face(self), server, (PyObject *)self) < 0) {
        return -1;
    }
    return schedule_start(self, waiter);
}

/* guava_loop.transports.StreamTransport. */
static PyTypeObject *
stream_class(gl_face_state *face)
{
    if (face->stream_class == NULL) {
        PyObject *module = PyImport_ImportModule("guava_loop.transports");
        if (module != NULL) {
            face->stream_class = PyObject_GetAttrString(module, "StreamTransport");
            Py_DECREF(module);
        }
    }
    return (PyTypeObject *)face->stream_class;
}

/* What could not be taken: a socket object stays open, for its owner. */
static void
give_up(gl_endpoint *end, gl_face_state *face)
{
    if (end->socket != NULL) {
        Py_CLEAR(end->socket);
        end->fd = -1;
    } else {
        gl_endpoint_close(end, face);
    }
}

PyObject *
gl_transport_new(gl_loop *loop, gl_endpoint *end, PyObject *protocol, PyObject *waiter,
                 PyObject *extra, PyObject *server)
{
    gl_face_state *face = loop->state->face;
    PyTypeObject *type = stream_class(face);
    gl_transport *self = type != NULL ? (gl_transport *)type->tp_alloc(type, 0) : NULL;
    if (self == NULL) {
        give_up(end, face);
        return NULL;
    }
    self->loop = (gl_loop *)Py_NewRef((PyObject *)loop);
    self->end = *end;
    if (init(self, loop, protocol, waiter, extra, server) < 0) {
        /* Nobody has seen it, so there is no one to be warned. */
        PyObject *raised = gl_err_take();
        self->conn_lost = 1;
        kill_stream(self);
        gl_face_disclaim(loop, self->end.fd, (PyObject *)self);
        give_up(&self->end, face);
        if (gl_endpoint_detach(&self->end, face, (PyObject *)self) < 0) {
            PyErr_Clear();
        }
        Py_DECREF(self);
        gl_err_give(raised);
        return NULL;
    }
    return (PyObject *)self;
}

PyObject *
gl_transport_start(gl_transport *self, PyObject *waiter)
{
    self->started = true;
    if (gl_transport_reads(self) && self->stream != NULL) {
        gl_stream_want(self->stream, UV_READABLE);
    }
    gl_transport_keep(self);
    if (waiter != Py_None) {
        gl_face_resolve(self->loop, waiter, Py_None);
    }
    Py_RETURN_NONE;
}
