/* send.c: what a transport sends: write() and its kin over the stream's queue. */
#include "transport.h"

#include "../handle.h"
#include "../parts.h"

#define PIECES 64 /* that one system call takes; more are joined */

size_t
gl_transport_queued(const gl_transport *self)
{
    const guava_stream *s = self->stream;
    const gl_cork *cork = &self->loop->cork;
    size_t kept = cork->transport == self ? cork->bytes : 0;
    return kept + (s != NULL && !(s->flags & GL_DEAD) ? s->queued : 0);
}

static void
release_object(void *arg)
{
    Py_DECREF((PyObject *)arg);
}

/* asyncio's checks. 0, or -1 with RuntimeError set. */
static int
check_open(gl_transport *self, const char *method)
{
    if (self->eof) {
        PyErr_Format(PyExc_RuntimeError, "Cannot call %s() after write_eof()", method);
        return -1;
    }
    if (self->file != NULL) {
        PyErr_Format(PyExc_RuntimeError, "unable to %s; sendfile is in progress", method);
        return -1;
    }
    return 0;
}

void
gl_transport_send(gl_transport *self, const guava_buf *bufs, unsigned n, PyObject *owner)
{
    guava_stream *s = self->stream;
    if (self->conn_lost != 0 || s == NULL) {
        gl_face_write_lost(self->loop, &self->conn_lost, "socket.send() raised exception.");
        return;
    }
    int result =
        gl_stream_write(s, bufs, n, owner != NULL ? release_object : NULL, Py_XNewRef(owner));
    if (result < 0) {
        (void)gl_uv_error(s->flags & GL_DEAD ? s->error : result);
        gl_transport_fatal(self, "Fatal write error on socket transport");
    } else if (result > 0) {
        gl_transport_keep(self);
        gl_flow_grew(&self->flow, s->queued, self->loop, (PyObject *)self, self->protocol, NULL);
    }
}

PyObject *
gl_transport_write(gl_transport *self, PyObject *data)
{
    if (PyBytes_CheckExact(data)) {
        if (check_open(self, "write") < 0) {
            return NULL;
        }
        guava_buf buf = {PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)};
        if (buf.len != 0 && !gl_cork_put(self, data)) {
            gl_cork_send(self, buf, data);
        }
        Py_RETURN_NONE;
    }
    if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
        return PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not '%s'",
                            Py_TYPE(data)->tp_name);
    }
    Py_buffer view;
    if (check_open(self, "write") < 0 || PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    guava_buf buf = {view.buf, (size_t)view.len};
    if (buf.len != 0) {
        gl_cork_send(self, buf, NULL);
    }
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static PyObject *
write_joined(gl_transport *self, PyObject *lines)
{
    PyObject *empty = PyBytes_FromStringAndSize(NULL, 0);
    PyObject *joined = empty != NULL ? PyObject_CallMethod(empty, "join", "(O)", lines) : NULL;
    PyObject *result = joined != NULL ? gl_transport_write(self, joined) : NULL;
    Py_XDECREF(joined);
    Py_XDECREF(empty);
    return result;
}

PyObject *
gl_transport_writelines(gl_transport *self, PyObject *iterable)
{
    if (check_open(self, "writelines") < 0) {
        return NULL;
    }
    /* Of our own, because the list may change before all is sent. */
    PyObject *lines = PySequence_Tuple(iterable);
    if (lines == NULL) {
        return NULL;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(lines);
    guava_buf bufs[PIECES];
    size_t total = 0;
    bool plain = n <= PIECES;
    for (Py_ssize_t i = 0; plain && i < n; i++) {
        PyObject *line = PyTuple_GET_ITEM(lines, i);
        plain = PyBytes_CheckExact(line);
        if (plain) {
            bufs[i] = (guava_buf){PyBytes_AS_STRING(line), (size_t)PyBytes_GET_SIZE(line)};
            total += bufs[i].len;
        }
    }
    PyObject *result = NULL;
    if (!plain) {
        result = write_joined(self, lines);
    } else {
        if (total != 0) {
            gl_uncork(self->loop);
            gl_transport_send(self, bufs, (unsigned)n, lines);
        }
        result = Py_NewRef(Py_None);
    }
    Py_DECREF(lines);
    return result;
}

PyObject *
gl_transport_write_eof(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    gl_uncork(self->loop);
    if (self->closing || self->eof) {
        Py_RETURN_NONE;
    }
    self->eof = true;
    int error = self->stream != NULL ? gl_stream_shutdown(self->stream) : -ENOTCONN;
    if (error < 0) {
        return gl_uv_error(error);
    }
    Py_RETURN_NONE;
}

int
gl_transport_drained(guava_stream *s)
{
    gl_transport *self = s->user;
    if (self != NULL) {
        gl_flow_shrank(&self->flow, s->queued, self->loop, (PyObject *)self, self->protocol,
                       self->context);
    }
    return 0;
}

void
gl_transport_emptied(guava_stream *s)
{
    gl_transport *self = s->user;
    if (self == NULL) {
        return;
    }
    if (self->closing) {
        gl_transport_force_close(self, Py_None);
    } else {
        gl_transport_keep(self);
    }
}
