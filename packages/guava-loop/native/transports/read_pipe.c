/* read_pipe.c: ReadPipeTransport, what connect_read_pipe() returns, in C; the output of
 * subprocesses comes through it. */
#include <errno.h>
#include <unistd.h>

#include "transports/pipe.h"

#define LARGEST ((size_t)256 * 1024) /* asyncio's max_size */

typedef struct {
    gl_pipe pipe;
    char *wide; /* LARGEST bytes for a pipe that grew, or NULL: the loop's buffer is enough */
} read_pipe;

/* ---- reading -------------------------------------------------------------------------------- */

/* asyncio's _fatal_error() with the exception that is set, and the errno if it is an OSError. A
 * terminal that is gone gives EIO, which is no news. */
static void
fatal(read_pipe *self, int error)
{
    static const char message[] = "Fatal read error on pipe transport";
    gl_wire *wire = &self->pipe.wire;
    PyObject *exc;
    if (error == EIO) {
        exc = gl_face_fatal(wire->loop, message, (PyObject *)self, wire->protocol);
    } else {
        exc = gl_err_take();
        gl_err_give(Py_NewRef(exc));
        gl_face_error(wire->loop, message, (PyObject *)self, wire->protocol);
    }
    if (gl_pipe_lose(wire, exc) < 0) {
        gl_wire_error(wire, "_close");
    }
    Py_DECREF(exc);
}

/* The writers are gone: 0, or -1 with an exception set. */
static int
end_of_file(read_pipe *self)
{
    gl_wire *wire = &self->pipe.wire;
    gl_face_state *face = wire->loop->state->face;
    gl_wire_log_peer(wire);
    wire->closing = true;
    gl_wire_unwatch(wire, true);
    PyObject *method = PyObject_GetAttr(wire->protocol, face->name.eof_received);
    int status = method != NULL ? gl_face_call_soon(wire->loop, method, NULL, NULL) : -1;
    Py_XDECREF(method);
    return status < 0 ? -1 : gl_wire_lose(wire, NULL);
}

/* Once in a turn: pieces that pile up make malloc() go to the kernel, there and back. */
static void
read_some(read_pipe *self)
{
    gl_wire *wire = &self->pipe.wire;
    char *place = self->wide != NULL ? self->wide : wire->loop->read_buffer;
    size_t room = self->wide != NULL ? LARGEST : GL_READ_BUFFER;
    ssize_t n;
    do {
        n = read(wire->fd, place, room);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        int error = errno;
        if (n == 0) {
            if (end_of_file(self) < 0) {
                gl_wire_error(wire, "_read_ready");
            }
        } else if (error != EAGAIN && error != EWOULDBLOCK) {
            errno = error;
            (void)PyErr_SetFromErrno(PyExc_OSError);
            fatal(self, error);
        }
        return;
    }
    PyObject *data = PyBytes_FromStringAndSize(place, n);
    if (data == NULL) {
        fatal(self, 0);
        return;
    }
    if ((size_t)n == GL_PIPE_SIZE && gl_pipe_grow(&self->pipe)) {
        self->wide = PyMem_RawMalloc(LARGEST); /* without it, reads stay short */
    }
    PyObject *protocol = Py_NewRef(wire->protocol);
    PyObject *result =
        PyObject_CallMethodOneArg(protocol, wire->loop->state->face->name.data_received, data);
    if (result == NULL) {
        gl_wire_error(wire, "_read_ready");
    }
    Py_XDECREF(result);
    Py_DECREF(protocol);
    Py_DECREF(data);
}

static void
read_ready(PyObject *object)
{
    read_pipe *self = (read_pipe *)object;
    gl_wire *wire = &self->pipe.wire;
    if (wire->closing || wire->protocol == NULL) {
        return;
    }
    PyObject *context = Py_XNewRef(wire->read_context);
    if (gl_wire_enter(wire, context) == 0) {
        read_some(self);
        gl_wire_leave(wire, context);
    }
    Py_XDECREF(context);
}

/* ---- new, dealloc, traverse, clear ---------------------------------------------------------- */

static PyObject *
read_pipe_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return gl_pipe_new(type, args, kwargs, "Pipe transport is for pipes/sockets only.",
                       "_start_reading", ~0u);
}

static void
read_pipe_dealloc(read_pipe *self)
{
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) == 0) {
        PyMem_RawFree(self->wide);
        gl_wire_dealloc(&self->pipe.wire);
    }
}

/* ---- methods -------------------------------------------------------------------------------- */

static PyObject *
read_pipe_start_reading(read_pipe *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->pipe.wire.closing && !self->pipe.wire.paused &&
        gl_wire_watch(&self->pipe.wire, true, read_ready) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
read_pipe_resume_reading(read_pipe *self, PyObject *Py_UNUSED(ignored))
{
    return gl_wire_resume(&self->pipe.wire, read_ready);
}

static PyObject *
read_pipe_close(read_pipe *self, PyObject *Py_UNUSED(ignored))
{
    gl_wire *wire = &self->pipe.wire;
    if (!wire->closing && (gl_face_check_thread(wire->loop) < 0 || gl_pipe_lose(wire, NULL) < 0)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
read_pipe_repr(read_pipe *self)
{
    return gl_pipe_repr(
        &self->pipe.wire,
        PyUnicode_FromString(gl_wire_is_polling(&self->pipe.wire) ? "polling" : "idle"));
}

static PyMethodDef read_pipe_methods[] = {
    {"close", (PyCFunction)read_pipe_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\nClose the pipe.")},
    {"is_reading", (PyCFunction)gl_wire_is_reading, METH_NOARGS,
     PyDoc_STR("is_reading($self, /)\n--\n\nWhether data are received.")},
    {"pause_reading", (PyCFunction)gl_wire_pause, METH_NOARGS,
     PyDoc_STR("pause_reading($self, /)\n--\n\nReceive no more for now.")},
    {"resume_reading", (PyCFunction)read_pipe_resume_reading, METH_NOARGS,
     PyDoc_STR("resume_reading($self, /)\n--\n\nReceive again.")},
    {"_start_reading", (PyCFunction)read_pipe_start_reading, METH_NOARGS, NULL},
    GL_WIRE_METHODS,
    {NULL},
};

static PyGetSetDef read_pipe_getset[] = {
    {"_pipe", (getter)gl_pipe_get_pipe, (setter)gl_pipe_set_pipe, NULL, NULL},
    {NULL},
};

static PyType_Slot read_pipe_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("asyncio's transport of a pipe to read from, in C.")},
    {Py_tp_new, read_pipe_new},
    {Py_tp_init, gl_wire_init},
    {Py_tp_dealloc, read_pipe_dealloc},
    {Py_tp_finalize, gl_wire_finalize},
    {Py_tp_traverse, gl_wire_traverse},
    {Py_tp_clear, gl_wire_clear},
    {Py_tp_repr, read_pipe_repr},
    {Py_tp_methods, read_pipe_methods},
    {Py_tp_getset, read_pipe_getset},
    {0, NULL},
};

static PyType_Spec read_pipe_spec = {
    .name = "guava_loop._core.ReadPipeTransport",
    .basicsize = sizeof(read_pipe),
    /* Not immutable: Python 3.14 allows that with immutable bases only. */
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = read_pipe_slots,
};

int
gl_read_pipe_exec(PyObject *module, gl_state *state)
{
    gl_face_state *face = state->face;
    face->type.read_pipe_transport =
        gl_face_type(module, face, &read_pipe_spec, face->of.read_transport);
    return face->type.read_pipe_transport != NULL ? 0 : -1;
}
