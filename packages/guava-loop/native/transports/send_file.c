/* send_file.c: loop.sendfile() on a transport: a file in the stream's queue, and the future of
 * whoever waits for it. guava_loop.transports.send_file() checks the file and moves its position.
 */
#include "transport.h"

#include "../handle.h"
#include "../parts.h"

/* Known to the queue, which ends it by file_sent(), and to the transport until then. */
typedef struct gl_file {
    gl_transport *transport; /* owned */
    PyObject *future;        /* owned */
    int64_t sent;            /* bytes */
} gl_file;

static void
finish(gl_file *f)
{
    gl_transport *self = f->transport;
    self->file = NULL;
    gl_transport_keep(self);
    Py_DECREF(f->future);
    PyMem_Free(f);
    Py_DECREF(self);
}

/* The future's result: the bytes that went out, and the error or None. */
static void
file_sent(void *arg, int error)
{
    gl_file *f = arg;
    PyObject *raised = NULL, *result = NULL;
    if (error != 0 && error != -ENODATA) { /* that is the end of the file */
        (void)gl_uv_error(error);
        raised = gl_err_take();
    }
    result = Py_BuildValue("(LO)", (long long)f->sent, raised != NULL ? raised : Py_None);
    gl_face_resolve(f->transport->loop, f->future, result);
    Py_XDECREF(raised);
    Py_XDECREF(result);
    finish(f);
}

/* _send_file(fd, offset, count): a future of (bytes sent, error or None). */
PyObject *
gl_transport_send_file(gl_transport *self, PyObject *args)
{
    int fd;
    long long offset, count;
    if (!PyArg_ParseTuple(args, "iLL", &fd, &offset, &count)) {
        return NULL;
    }
    gl_uncork(self->loop);
    if (self->file != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "Empty waiter is already set");
        return NULL;
    }
    if (self->eof) {
        PyErr_SetString(PyExc_RuntimeError, "Cannot call sendfile() after write_eof()");
        return NULL;
    }
    gl_file *f = PyMem_Calloc(1, sizeof(*f));
    if (f == NULL) {
        return PyErr_NoMemory();
    }
    f->future = PyObject_CallMethodNoArgs((PyObject *)self->loop,
                                          self->loop->state->face->name.create_future);
    if (f->future == NULL) {
        PyMem_Free(f);
        return NULL;
    }
    PyObject *future = Py_NewRef(f->future);
    f->transport = (gl_transport *)Py_NewRef((PyObject *)self);
    self->file = f;
    int error = self->stream != NULL
                    ? gl_outgoing_sendfile(self->stream, fd, offset, count, &f->sent, file_sent, f)
                    : -ENOTCONN;
    if (error < 0) {
        Py_CLEAR(future);
        finish(f);
        (void)gl_uv_error(error);
    } else {
        gl_transport_keep(self);
    }
    return future;
}

/* Gives the sending up: how many bytes went out. */
PyObject *
gl_transport_stop_file(gl_transport *self, PyObject *Py_UNUSED(ignored))
{
    gl_file *f = self->file;
    if (f == NULL) {
        return PyLong_FromLong(0);
    }
    PyObject *sent = PyLong_FromLongLong(f->sent);
    guava_stream *s = self->stream;
    /* What is not in the queue any more is on its way to file_sent(). */
    if (sent != NULL && s != NULL && gl_outgoing_withdraw(s, f)) {
        finish(f);
        if (s->head == NULL && !(s->flags & GL_DEAD)) {
            gl_transport_emptied(s);
        }
    }
    return sent;
}
