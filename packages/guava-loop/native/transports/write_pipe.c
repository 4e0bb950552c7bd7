/* write_pipe.c: WritePipeTransport, what connect_write_pipe() returns, in C; the input of
 * subprocesses goes through it.
 *
 * What the pipe does not take at once is queued: a bytes object by reference when it is large,
 * else copied into blocks, so that many small writes are few pieces for writev(). */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "transports/pipe.h"

#define PIECES 64
#define BLOCK 4096 /* of copied bytes */

typedef struct piece {
    struct piece *next;
    PyObject *bytes; /* owner of the data, or NULL: they are in `room` */
    const char *data;
    size_t len;
    size_t free; /* bytes behind the data, in `room` */
    char room[];
} piece;

typedef struct {
    gl_pipe pipe;
    piece *head, *tail;
} write_pipe;

/* ---- the queue ------------------------------------------------------------------------------ */

static void
drop_first(write_pipe *self)
{
    piece *first = self->head;
    self->head = first->next;
    if (self->head == NULL) {
        self->tail = NULL;
    }
    Py_XDECREF(first->bytes);
    PyMem_Free(first);
}

static void
drop_all(write_pipe *self)
{
    while (self->head != NULL) {
        drop_first(self);
    }
    self->pipe.wire.queued = 0;
}

static piece *
append(write_pipe *self, size_t room)
{
    piece *last = PyMem_Malloc(sizeof(*last) + room);
    if (last == NULL) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    *last = (piece){.data = last->room, .free = room};
    if (self->head == NULL) {
        self->head = last;
    } else {
        self->tail->next = last;
    }
    self->tail = last;
    return last;
}

/* Queues `len` bytes at `data`, which belong to `owner`. 0, or -1 with MemoryError set. */
static int
enqueue(write_pipe *self, PyObject *owner, const char *data, size_t len)
{
    piece *last = self->tail;
    if (PyBytes_CheckExact(owner) && len >= BLOCK) {
        last = append(self, 0);
        if (last == NULL) {
            return -1;
        }
        last->bytes = Py_NewRef(owner);
        last->data = data;
        last->len = len;
    } else {
        if (last == NULL || last->free < len) {
            last = append(self, len < BLOCK ? BLOCK : len);
            if (last == NULL) {
                return -1;
            }
        }
        memcpy((char *)last->data + last->len, data, len);
        last->len += len;
        last->free -= len;
    }
    self->pipe.wire.queued += len;
    return 0;
}

static void
advance(write_pipe *self, size_t taken)
{
    self->pipe.wire.queued -= taken;
    while (taken > 0) {
        piece *first = self->head;
        if (taken < first->len) {
            first->data += taken;
            first->len -= taken;
            return;
        }
        taken -= first->len;
        drop_first(self);
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

/* asyncio's _close(exc). 0, or -1 with an exception set. */
static int
force_close(write_pipe *self, PyObject *exc)
{
    drop_all(self);
    return gl_pipe_lose(&self->pipe.wire, exc);
}

/* asyncio's _fatal_error() with the errno of a write. */
static void
fatal(write_pipe *self, int error)
{
    gl_wire *wire = &self->pipe.wire;
    wire->conn_lost++;
    errno = error;
    (void)PyErr_SetFromErrno(PyExc_OSError);
    PyObject *exc = gl_face_fatal(wire->loop, "Fatal write error on pipe transport",
                                  (PyObject *)self, wire->protocol);
    if (force_close(self, exc) < 0) {
        gl_wire_error(wire, "_close");
    }
    Py_DECREF(exc);
}

/* Bytes taken, 0 when the pipe is full, or a negative errno. */
static ssize_t
write_bytes(int fd, const struct iovec *parts, int count)
{
    ssize_t n;
    do {
        n = count == 1 ? write(fd, parts->iov_base, parts->iov_len) : writev(fd, parts, count);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    }
    return n;
}

static void
flush(write_pipe *self)
{
    gl_wire *wire = &self->pipe.wire;
    struct iovec parts[PIECES];
    int count = 0;
    for (piece *each = self->head; each != NULL && count < PIECES; each = each->next) {
        parts[count++] = (struct iovec){(char *)each->data, each->len};
    }
    ssize_t n = count > 0 ? write_bytes(wire->fd, parts, count) : 0;
    if (n < 0) {
        fatal(self, (int)-n);
        return;
    }
    advance(self, (size_t)n);
    if (self->head != NULL) {
        gl_flow_shrank(&wire->flow, wire->queued, wire->loop, (PyObject *)self, wire->protocol,
                       NULL);
        return;
    }
    gl_wire_rest(wire, false);
    gl_flow_shrank(&wire->flow, 0, wire->loop, (PyObject *)self, wire->protocol, NULL);
    /* The protocol may have written more. */
    if (wire->closing && self->head == NULL && wire->file != NULL) {
        PyObject *result = gl_wire_call_connection_lost(wire, Py_None);
        if (result == NULL) {
            gl_wire_error(wire, "_write_ready");
        }
        Py_XDECREF(result);
    }
}

static void
write_ready(PyObject *object)
{
    write_pipe *self = (write_pipe *)object;
    gl_wire *wire = &self->pipe.wire;
    PyObject *context = Py_XNewRef(wire->write_context);
    if (self->head != NULL && gl_wire_enter(wire, context) == 0) {
        flush(self);
        gl_wire_leave(wire, context);
    }
    Py_XDECREF(context);
}

/* The readers are gone: a pipe to write to becomes readable only then. */
static void
peer_closed(PyObject *object)
{
    write_pipe *self = (write_pipe *)object;
    gl_wire *wire = &self->pipe.wire;
    PyObject *context = Py_XNewRef(wire->read_context);
    if (wire->file == NULL || gl_wire_enter(wire, context) < 0) {
        Py_XDECREF(context);
        return;
    }
    gl_wire_log_peer(wire);
    PyObject *exc = NULL;
    if (self->head != NULL) {
        exc = PyObject_CallNoArgs(PyExc_BrokenPipeError);
    }
    if ((self->head != NULL && exc == NULL) || force_close(self, exc) < 0) {
        gl_wire_error(wire, "_read_ready");
    }
    Py_XDECREF(exc);
    gl_wire_leave(wire, context);
    Py_XDECREF(context);
}

/* 0, or -1 with an exception set. */
static int
write_or_queue(write_pipe *self, PyObject *owner, const char *data, size_t len)
{
    gl_wire *wire = &self->pipe.wire;
    if (self->head == NULL) {
        struct iovec part = {(char *)data, len};
        ssize_t n = write_bytes(wire->fd, &part, 1);
        if (n < 0) {
            fatal(self, (int)-n);
            return 0;
        }
        if ((size_t)n == len) {
            return 0;
        }
        data += n;
        len -= (size_t)n;
        if (gl_pipe_grow(&self->pipe)) {
            return write_or_queue(self, owner, data, len);
        }
        if (gl_wire_watch(wire, false, write_ready) < 0) {
            return -1;
        }
    }
    if (enqueue(self, owner, data, len) < 0) {
        return -1;
    }
    gl_flow_grew(&wire->flow, wire->queued, wire->loop, (PyObject *)self, wire->protocol, NULL);
    return 0;
}

static PyObject *
write_pipe_write(write_pipe *self, PyObject *data)
{
    gl_wire *wire = &self->pipe.wire;
    if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
        PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(data), "__name__");
        if (name != NULL) {
            PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not %R",
                         name);
            Py_DECREF(name);
        }
        return NULL;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    int status = 0;
    if (view.len == 0) {
        /* nothing */
    } else if (wire->conn_lost || wire->closing) {
        gl_face_write_lost(wire->loop, &wire->conn_lost,
                           "pipe closed by peer or os.write(pipe, data) raised exception.");
    } else {
        status = write_or_queue(self, data, view.buf, (size_t)view.len);
    }
    PyBuffer_Release(&view);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- new, dealloc, traverse, clear ---------------------------------------------------------- */

static PyObject *
write_pipe_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return gl_pipe_new(type, args, kwargs,
                       "Pipe transport is only for pipes, sockets and character devices",
                       "_start_watching", 1u << GL_PIPE_FIFO | 1u << GL_PIPE_SOCKET);
}

static int
write_pipe_clear(write_pipe *self)
{
    drop_all(self);
    return gl_wire_clear(&self->pipe.wire);
}

static void
write_pipe_dealloc(write_pipe *self)
{
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) == 0) {
        PyObject_GC_UnTrack(self);
        drop_all(self);
        gl_wire_dealloc(&self->pipe.wire);
    }
}

/* ---- methods -------------------------------------------------------------------------------- */

static PyObject *
write_pipe_start_watching(write_pipe *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->pipe.wire.closing && gl_wire_watch(&self->pipe.wire, true, peer_closed) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
write_pipe_write_eof(write_pipe *self, PyObject *Py_UNUSED(ignored))
{
    gl_wire *wire = &self->pipe.wire;
    if (wire->closing || wire->file == NULL) {
        Py_RETURN_NONE;
    }
    wire->closing = true;
    if (self->head == NULL) {
        gl_wire_unwatch(wire, true);
        if (gl_wire_lose(wire, NULL) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
write_pipe_can_write_eof(write_pipe *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_TRUE;
}

static PyObject *
write_pipe_abort(write_pipe *self, PyObject *Py_UNUSED(ignored))
{
    if (gl_face_check_thread(self->pipe.wire.loop) < 0 || force_close(self, NULL) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
write_pipe_repr(write_pipe *self)
{
    return gl_pipe_repr(&self->pipe.wire,
                        PyUnicode_FromFormat("%s bufsize=%zu",
                                             self->head != NULL ? "polling" : "idle",
                                             self->pipe.wire.queued));
}

static PyMethodDef write_pipe_methods[] = {
    {"write", (PyCFunction)write_pipe_write, METH_O,
     PyDoc_STR("write($self, data, /)\n--\n\nWrite the bytes now, or when there is room.")},
    {"write_eof", (PyCFunction)write_pipe_write_eof, METH_NOARGS,
     PyDoc_STR("write_eof($self, /)\n--\n\nClose when all is written.")},
    {"can_write_eof", (PyCFunction)write_pipe_can_write_eof, METH_NOARGS,
     PyDoc_STR("can_write_eof($self, /)\n--\n\nTrue.")},
    {"close", (PyCFunction)write_pipe_write_eof, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\nClose when all is written.")},
    {"abort", (PyCFunction)write_pipe_abort, METH_NOARGS,
     PyDoc_STR("abort($self, /)\n--\n\nClose, and drop what waits.")},
    {"_start_watching", (PyCFunction)write_pipe_start_watching, METH_NOARGS, NULL},
    GL_WIRE_METHODS,
    GL_WIRE_WRITE_METHODS,
    {NULL},
};

static PyGetSetDef write_pipe_getset[] = {
    {"_pipe", (getter)gl_pipe_get_pipe, (setter)gl_pipe_set_pipe, NULL, NULL},
    {NULL},
};

static PyType_Slot write_pipe_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("asyncio's transport of a pipe to write to, in C.")},
    {Py_tp_new, write_pipe_new},
    {Py_tp_init, gl_wire_init},
    {Py_tp_dealloc, write_pipe_dealloc},
    {Py_tp_finalize, gl_wire_finalize},
    {Py_tp_traverse, gl_wire_traverse},
    {Py_tp_clear, write_pipe_clear},
    {Py_tp_repr, write_pipe_repr},
    {Py_tp_methods, write_pipe_methods},
    {Py_tp_getset, write_pipe_getset},
    {0, NULL},
};

static PyType_Spec write_pipe_spec = {
    .name = "guava_loop._core.WritePipeTransport",
    .basicsize = sizeof(write_pipe),
    /* Not immutable: Python 3.14 allows that with immutable bases only. */
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = write_pipe_slots,
};

int
gl_write_pipe_exec(PyObject *module, gl_state *state)
{
    gl_face_state *face = state->face;
    face->type.write_pipe_transport =
        gl_face_type(module, face, &write_pipe_spec, face->of.write_transport);
    return face->type.write_pipe_transport != NULL ? 0 : -1;
}
