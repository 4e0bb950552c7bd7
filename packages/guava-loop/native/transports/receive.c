/* receive.c: what comes in on a transport, and how its protocol is told.
 *
 * Small messages are received into the loop's buffer and copied into a bytes object of their size;
 * where the last message was large, the next is received into a bytes object at once, which is
 * then cut to size. A BufferedProtocol's own buffer is received into. */
#include "transport.h"

#include <errno.h>

#include "../parts.h"

/* Receives in one turn of the loop, so that a fast sender does not starve the others. */
#define READS_PER_TURN 16

/* From this size on a message is received without a copy, until so many have been small. */
#define LARGE ((size_t)16 * 1024)
#define LARGEST ((size_t)256 * 1024) /* asyncio's max_size */
#define PATIENCE 16

enum { DONE, MORE };

static bool
keeps_reading(const gl_transport *self, const guava_stream *s)
{
    return self->stream == s && !(s->flags & (GL_EOF | GL_DEAD)) && gl_transport_reads(self);
}

/* In the context of reading; `where` is asyncio's message. */
static bool
tell(gl_transport *self, PyObject *name, PyObject *arg, const char *where)
{
    /* Which may be exchanged meanwhile. */
    PyObject *protocol = Py_NewRef(self->protocol);
    PyObject *result = gl_face_call(self->context, protocol, name, arg);
    Py_DECREF(protocol);
    if (result == NULL) {
        gl_transport_fatal(self, where);
        return false;
    }
    Py_DECREF(result);
    gl_uncork(self->loop);
    return true;
}

static void
end_of_file(gl_transport *self, guava_stream *s)
{
    gl_face_state *face = self->loop->state->face;
    s->flags |= GL_EOF;
    gl_stream_poll_for(s, s->events & ~UV_READABLE);
    gl_face_debug(self->loop, "%r received EOF", (PyObject *)self);
    PyObject *keep = gl_face_call(self->context, self->protocol, face->name.eof_received, NULL);
    int open = keep != NULL ? PyObject_IsTrue(keep) : -1;
    Py_XDECREF(keep);
    if (open < 0) {
        gl_transport_fatal(self, "Fatal error: protocol.eof_received() call failed.");
        gl_transport_close(self);
    } else if (open == 0) {
        gl_transport_close(self);
    }
    gl_uncork(self->loop);
}

/* What recv() gave other than bytes: MORE to try again. `failed`: the poll told of an error, which
 * recv() gives after the last bytes. */
static int
no_bytes(gl_transport *self, guava_stream *s, ssize_t n, bool failed)
{
    int error = errno;
    if (n == 0) {
        end_of_file(self, s);
        return DONE;
    }
    if (error == EINTR) {
        return MORE;
    }
    if (error == EAGAIN || error == EWOULDBLOCK) {
        if (!failed) {
            return DONE;
        }
        error = -gl_stream_error(s);
    }
    (void)gl_uv_error(-error);
    gl_transport_fatal(self, "Fatal read error on socket transport");
    return DONE;
}

/* How large the next bytes object is to be made, after n of `cap` bytes came. */
static void
learn(gl_transport *self, size_t n, size_t cap)
{
    if (n == cap) {
        self->room = cap * 2 < LARGEST ? cap * 2 : LARGEST;
    } else if (self->room == 0) {
        self->room = n >= LARGE ? GL_READ_BUFFER : 0;
    } else if (n >= self->room / 8) {
        self->small = 0;
    } else if (++self->small == PATIENCE) {
        self->small = 0;
        self->room = 0;
    }
}

static int
receive_bytes(gl_transport *self, guava_stream *s, bool failed)
{
    PyObject *data = NULL;
    char *place = self->loop->read_buffer;
    size_t room = GL_READ_BUFFER;
    if (self->room != 0) {
        room = self->room;
        data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
        if (data == NULL) {
            gl_transport_fatal(self, "Fatal read error on socket transport");
            return DONE;
        }
        place = PyBytes_AS_STRING(data);
    }
    ssize_t n = recv(s->fd, place, room, 0);
    if (n <= 0) {
        int error = errno;
        Py_XDECREF(data);
        errno = error;
        return no_bytes(self, s, n, failed);
    }
    learn(self, (size_t)n, room);
    if (data == NULL) {
        data = PyBytes_FromStringAndSize(place, (Py_ssize_t)n);
    } else if ((size_t)n < room) {
        (void)_PyBytes_Resize(&data, (Py_ssize_t)n); /* data is NULL if it fails */
    }
    if (data == NULL) {
        gl_transport_fatal(self, "Fatal read error on socket transport");
        return DONE;
    }
    bool told = tell(self, self->loop->state->face->name.data_received, data,
                     "Fatal error: protocol.data_received() call failed.");
    Py_DECREF(data);
    /* Fewer bytes than asked for: there are no more, and asking would cost a call. */
    return told && ((size_t)n == room || failed) ? MORE : DONE;
}

static int
receive_buffered(gl_transport *self, guava_stream *s, bool failed)
{
    gl_face_state *face = self->loop->state->face;
    PyObject *hint = PyLong_FromLong(-1);
    PyObject *object = NULL, *count = NULL;
    Py_buffer buffer;
    if (hint != NULL) {
        object = gl_face_call(self->context, self->protocol, face->name.get_buffer, hint);
        Py_DECREF(hint);
    }
    int got = object != NULL ? PyObject_GetBuffer(object, &buffer, PyBUF_WRITABLE) : -1;
    Py_XDECREF(object);
    if (got == 0 && buffer.len == 0) {
        PyBuffer_Release(&buffer);
        PyErr_SetString(PyExc_RuntimeError, "get_buffer() returned an empty buffer");
        got = -1;
    }
    if (got < 0) {
        gl_transport_fatal(self, "Fatal error: protocol.get_buffer() call failed.");
        return DONE;
    }
    /* get_buffer() may have closed the transport. */
    if (!keeps_reading(self, s)) {
        PyBuffer_Release(&buffer);
        return DONE;
    }
    size_t room = (size_t)buffer.len;
    ssize_t n = recv(s->fd, buffer.buf, room, 0);
    int error = errno;
    PyBuffer_Release(&buffer);
    if (n <= 0) {
        errno = error;
        return no_bytes(self, s, n, failed);
    }
    count = PyLong_FromSsize_t(n);
    if (count == NULL) {
        gl_transport_fatal(self, "Fatal read error on socket transport");
        return DONE;
    }
    bool told = tell(self, face->name.buffer_updated, count,
                     "Fatal error: protocol.buffer_updated() call failed.");
    Py_DECREF(count);
    return told && ((size_t)n == room || failed) ? MORE : DONE;
}

static void
receive(gl_transport *self, guava_stream *s, bool failed)
{
    int next = MORE;
    for (int i = 0; i < READS_PER_TURN && next == MORE && keeps_reading(self, s); i++) {
        next = self->buffered ? receive_buffered(self, s, failed) : receive_bytes(self, s, failed);
    }
}

void
gl_transport_on_poll(uv_poll_t *poll, int status, int events)
{
    guava_stream *s = poll->data;
    gl_attach(s->loop);
    gl_transport *self = s->user;
    bool failed = status < 0;
    if (failed) {
        /* libuv has stopped the poll. Bytes that came before the error may still be there. */
        s->events = 0;
    }
    if (self == NULL) {
        return;
    }
    /* Callbacks may drop the last references to either, or hand the stream on. */
    gl_loop *loop = s->loop;
    Py_INCREF(self);
    gl_stream_ref(s);
    gl_runs(loop, (PyObject *)self);
    if ((failed || (events & UV_READABLE)) && keeps_reading(self, s)) {
        receive(self, s, failed);
    }
    if ((failed || (events & UV_WRITABLE)) && self->stream == s && s->head != NULL &&
        !(s->flags & GL_DEAD)) {
        gl_outgoing_flush(s);
    }
    if (self->stream == s && !(s->flags & GL_DEAD)) {
        int wanted = s->events & UV_READABLE;
        if (keeps_reading(self, s)) {
            wanted = UV_READABLE;
        } else if (failed || events & UV_READABLE) {
            wanted = 0;
        }
        gl_stream_poll_for(s, wanted | (s->head != NULL ? UV_WRITABLE : 0));
    }
    gl_stream_unref(s);
    gl_ran(loop, (PyObject *)self);
    Py_DECREF(self);
}
