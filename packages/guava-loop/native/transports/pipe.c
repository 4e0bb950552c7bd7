/* pipe.c: what the two pipe transports share: which files they take, their repr(), their end.
 * asyncio's unix_events._UnixReadPipeTransport and _UnixWritePipeTransport say how they behave.
 *
 * They are no guava_streams: a stream owns a socket, and sends by sendmsg(). A pipe is read and
 * written with other calls, is the user's file object, may be watched from both ends at once (a
 * terminal), and ends in its own way. The streams' hot path stays as it is. */
#include "transports/pipe.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The kind, or -1 with an exception set. */
static int
kind_of(int fd, const char *wrong)
{
    struct stat about;
    if (fstat(fd, &about) < 0) {
        (void)PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (S_ISFIFO(about.st_mode)) {
        return GL_PIPE_FIFO;
    }
    if (S_ISSOCK(about.st_mode)) {
        return GL_PIPE_SOCKET;
    }
    if (S_ISCHR(about.st_mode)) {
        return GL_PIPE_DEVICE;
    }
    PyErr_SetString(PyExc_ValueError, wrong);
    return -1;
}

static int
fd_of(gl_loop *loop, PyObject *pipe)
{
    PyObject *number = PyObject_CallMethodNoArgs(pipe, loop->state->face->name.fileno);
    int fd = number != NULL ? PyObject_AsFileDescriptor(number) : -1;
    Py_XDECREF(number);
    return fd;
}

static int
set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)) {
        (void)PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

PyObject *
gl_pipe_new(PyTypeObject *type, PyObject *args, PyObject *kwargs, const char *wrong,
            const char *start, unsigned starts)
{
    static char *names[] = {"loop", "pipe", "protocol", "waiter", "extra", NULL};
    PyObject *object, *pipe, *protocol, *waiter = Py_None, *extra = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|OO", names, &object, &pipe, &protocol,
                                     &waiter, &extra)) {
        return NULL;
    }
    gl_loop *loop = gl_wire_loop(type, object);
    int fd = loop != NULL ? fd_of(loop, pipe) : -1;
    gl_wire *self = fd >= 0 ? gl_wire_new(type, loop, fd, extra) : NULL;
    if (self == NULL) {
        return NULL;
    }
    int kind = -1;
    if (PyObject_SetItem(self->extra, loop->state->face->name.pipe, pipe) == 0) {
        kind = kind_of(fd, wrong);
    }
    if (kind < 0 || set_nonblocking(fd) < 0 ||
        gl_wire_start(self, pipe, protocol, starts & 1u << kind ? start : NULL, waiter) < 0) {
        Py_CLEAR(self);
    } else if (kind == GL_PIPE_FIFO) {
        int ours = PyObject_IsInstance(protocol, loop->state->face->of.subprocess_pipe);
        ((gl_pipe *)self)->may_grow = ours > 0;
        if (ours < 0) {
            Py_CLEAR(self);
        }
    }
    return (PyObject *)self;
}

PyObject *
gl_pipe_repr(gl_wire *self, PyObject *state)
{
    PyObject *start = state != NULL ? gl_wire_describe(self) : NULL;
    PyObject *text = NULL;
    if (start != NULL && self->file != NULL && !self->loop->closed) {
        text = PyUnicode_FromFormat("%U %U>", start, state);
    } else if (start != NULL) {
        text = PyUnicode_FromFormat("%U %s>", start, self->file != NULL ? "open" : "closed");
    }
    Py_XDECREF(start);
    Py_XDECREF(state);
    return text;
}

int
gl_pipe_lose(gl_wire *self, PyObject *exc)
{
    self->closing = true;
    gl_wire_unwatch(self, true);
    gl_wire_unwatch(self, false);
    return self->file != NULL ? gl_wire_lose(self, exc) : 0;
}

bool
gl_pipe_grow(gl_pipe *self)
{
    if (!self->may_grow) {
        return false;
    }
    self->may_grow = false;
#ifdef F_SETPIPE_SZ
    int fd = self->wire.fd;
    return fcntl(fd, F_GETPIPE_SZ) == (int)GL_PIPE_SIZE &&
           fcntl(fd, F_SETPIPE_SZ, (int)GL_PIPE_GROWN) >= 0;
#else
    return false;
#endif
}

PyObject *
gl_pipe_get_pipe(gl_wire *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->file != NULL ? self->file : Py_None);
}

/* For asyncio's own tests, which take the pipe away from a transport that is not to warn. */
int
gl_pipe_set_pipe(gl_wire *self, PyObject *value, void *Py_UNUSED(closure))
{
    Py_XSETREF(self->file, value != NULL && value != Py_None ? Py_NewRef(value) : NULL);
    return 0;
}
