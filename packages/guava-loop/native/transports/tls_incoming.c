/* tls_incoming.c: from the socket to the protocol. */
#include "tls.h"

/* Calls into the protocol gather what it writes: it leaves in one piece afterwards. */
PyObject *
gl_tls_tell(gl_tls *tls, PyObject *name, PyObject *arg)
{
    PyObject *protocol = Py_NewRef(tls->protocol); /* set_protocol() may come meanwhile */
    tls->corked++;
    PyObject *result = gl_face_call(NULL, protocol, name, arg);
    tls->corked--;
    Py_DECREF(protocol);
    return result;
}

static bool
wants_data(const gl_tls *tls)
{
    return !tls->app_paused && tls->protocol != NULL &&
           (tls->state == GL_TLS_WRAPPED || tls->state == GL_TLS_FLUSHING);
}

/* Decrypts into `to`, until it is full or no whole record is left. */
static gl_tls_result
fill(gl_tls *tls, char *to, size_t size, size_t *got)
{
    gl_tls_result result = GL_TLS_DONE;
    *got = 0;
    while (*got < size) {
        size_t n, most;
        result = gl_tls_read(tls, to + *got, size - *got, &n);
        if (result != GL_TLS_DONE || n == 0) {
            break;
        }
        *got += n;
        int more = *got < size ? gl_tls_readable(tls, &most) : 1;
        if (more <= 0) {
            return more < 0 ? GL_TLS_FAILED : GL_TLS_AGAIN;
        }
    }
    return result;
}

/* Gives the protocol what it was read for, even when an error came behind it. */
static int
deliver(gl_tls *tls, PyObject *name, PyObject *arg)
{
    if (arg == NULL) {
        return -1;
    }
    PyObject *before = gl_err_take();
    PyObject *result = gl_tls_tell(tls, name, arg);
    Py_DECREF(arg);
    if (before != NULL) {
        if (result == NULL) {
            PyErr_Clear(); /* the first error is the one that is told */
        }
        gl_err_give(before);
    }
    Py_XDECREF(result);
    return result != NULL && before == NULL ? 0 : -1;
}

/* These two: 1, maybe there is more; 0, the end for now; -1 with an exception set. */
static int
read_copied(gl_tls *tls, size_t most)
{
    size_t got;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)most);
    if (bytes == NULL) {
        return -1;
    }
    gl_tls_result result = fill(tls, PyBytes_AS_STRING(bytes), most, &got);
    bool closed = result == GL_TLS_DONE && got < most;
    if (got == 0) {
        Py_DECREF(bytes);
    } else {
        PyObject *exc = result == GL_TLS_FAILED ? gl_err_take() : NULL;
        int resized = got < most ? _PyBytes_Resize(&bytes, (Py_ssize_t)got) : 0;
        if (exc != NULL) {
            gl_err_give(exc);
        }
        if (resized < 0 || deliver(tls, tls->loop->state->face->name.data_received, bytes) < 0) {
            return -1;
        }
    }
    if (closed) {
        gl_tls_eof_received(tls);
        gl_tls_start_shutdown(tls);
    }
    return result == GL_TLS_FAILED ? -1 : result == GL_TLS_DONE && !closed;
}

static int
read_buffered(gl_tls *tls)
{
    gl_face_state *face = tls->loop->state->face;
    Py_ssize_t pending = gl_tls_pending(tls);
    PyObject *hint = pending >= 0 ? PyLong_FromSsize_t(pending) : NULL;
    PyObject *buffer = hint != NULL ? gl_tls_tell(tls, face->name.get_buffer, hint) : NULL;
    Py_XDECREF(hint);
    Py_buffer view;
    if (buffer == NULL || PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE) < 0) {
        Py_XDECREF(buffer);
        return -1;
    }
    size_t got = 0, size = (size_t)view.len;
    gl_tls_result result = GL_TLS_FAILED;
    if (size == 0) {
        PyErr_SetString(PyExc_RuntimeError, "get_buffer() returned an empty buffer");
    } else {
        result = fill(tls, view.buf, size, &got);
    }
    PyBuffer_Release(&view);
    Py_DECREF(buffer);
    bool closed = result == GL_TLS_DONE && got < size;
    if (got > 0) {
        PyObject *exc = result == GL_TLS_FAILED ? gl_err_take() : NULL;
        PyObject *number = PyLong_FromSize_t(got);
        if (exc != NULL) {
            gl_err_give(exc);
        }
        if (deliver(tls, face->name.buffer_updated, number) < 0) {
            return -1;
        }
    }
    if (closed) {
        gl_tls_eof_received(tls);
        gl_tls_start_shutdown(tls);
    }
    return result == GL_TLS_FAILED ? -1 : result == GL_TLS_DONE && !closed;
}

void
gl_tls_do_read(gl_tls *tls)
{
    /* Within a callback, close() comes here again; the first one goes on. */
    if (tls->reading) {
        return;
    }
    tls->reading = true;
    int more = 1;
    while (more > 0 && wants_data(tls)) {
        size_t most;
        more = gl_tls_readable(tls, &most);
        if (more > 0) {
            more = tls->buffered ? read_buffered(tls) : read_copied(tls, most);
        }
    }
    tls->reading = false;
    if (more < 0) {
        gl_tls_fatal(tls, "Fatal error on SSL protocol");
        return;
    }
    if (tls->state != GL_TLS_UNWRAPPED) {
        gl_tls_flush(tls);
        gl_tls_control_reading(tls);
    }
}

int
gl_tls_discard(gl_tls *tls)
{
    char scrap[4096];
    size_t most, n = 1;
    int more;
    while ((more = gl_tls_readable(tls, &most)) > 0) {
        gl_tls_result result = gl_tls_read(tls, scrap, sizeof(scrap), &n);
        if (result == GL_TLS_FAILED) {
            /* The peer's close_notify, after ours. */
            if (!PyErr_ExceptionMatches(tls->ssl->zero_return)) {
                return -1;
            }
            PyErr_Clear();
            break;
        }
        if (result == GL_TLS_AGAIN || n == 0) {
            break;
        }
    }
    return more < 0 ? -1 : 0;
}

void
gl_tls_eof_received(gl_tls *tls)
{
    if (tls->app != GL_APP_MADE || tls->protocol == NULL) {
        return;
    }
    gl_face_state *face = tls->loop->state->face;
    tls->app = GL_APP_EOF;
    PyObject *result = gl_tls_tell(tls, face->name.eof_received, NULL);
    int keep = result != NULL ? PyObject_IsTrue(result) : -1;
    Py_XDECREF(result);
    if (keep > 0) {
        result = PyObject_CallMethod(face->of.logger, "warning", "s",
                                     "returning true from eof_received() has no effect when using "
                                     "ssl");
        keep = result != NULL ? 1 : -1;
        Py_XDECREF(result);
    }
    if (keep < 0) {
        gl_tls_fatal(tls, "Error calling eof_received()");
    }
}

void
gl_tls_data(gl_tls *tls, const char *bytes, size_t n)
{
    if (gl_tls_feed(tls, bytes, n) < 0) {
        gl_tls_fatal(tls, "Fatal error on SSL protocol");
        return;
    }
    switch (tls->state) {
    case GL_TLS_HANDSHAKE:
        gl_tls_do_handshake(tls);
        break;
    case GL_TLS_WRAPPED:
        gl_tls_do_read(tls);
        break;
    case GL_TLS_FLUSHING:
        gl_tls_do_flush(tls);
        break;
    case GL_TLS_SHUTDOWN:
        gl_tls_do_shutdown(tls);
        break;
    case GL_TLS_UNWRAPPED:
        break;
    }
}

/* ---- flow control --------------------------------------------------------------------------- */

void
gl_tls_control_reading(gl_tls *tls)
{
    if (tls->lower == NULL || (!tls->app_paused && !tls->reading_paused)) {
        return; /* what is there is less than a record */
    }
    Py_ssize_t pending = gl_tls_pending(tls);
    if (pending < 0) {
        gl_tls_fatal(tls, "Fatal error on SSL protocol");
    } else if ((size_t)pending >= tls->read_high && pending > 0 && !tls->reading_paused) {
        tls->reading_paused = true;
        gl_tls_lower_pause(tls, true);
    } else if ((size_t)pending <= tls->read_low && tls->reading_paused) {
        tls->reading_paused = false;
        gl_tls_lower_pause(tls, false);
    }
}

static PyObject *
resume(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    gl_tls *tls = (gl_tls *)self;
    switch (tls->state) {
    case GL_TLS_WRAPPED:
        gl_tls_do_read(tls);
        break;
    case GL_TLS_FLUSHING:
        gl_tls_do_flush(tls);
        break;
    case GL_TLS_SHUTDOWN:
        gl_tls_do_shutdown(tls);
        break;
    default:
        break;
    }
    Py_RETURN_NONE;
}

static const PyMethodDef resume_method = {"resume", resume, METH_NOARGS, NULL};

int
gl_tls_resume_reading(gl_tls *tls)
{
    if (!tls->app_paused) {
        return 0;
    }
    tls->app_paused = false;
    PyObject *callback = gl_tls_bind(tls, &resume_method);
    if (callback == NULL) {
        return -1;
    }
    int result = gl_face_call_soon(tls->loop, callback, NULL, NULL);
    Py_DECREF(callback);
    return result;
}

int
gl_tls_set_protocol(gl_tls *tls, PyObject *protocol)
{
    int buffered = PyObject_IsInstance(protocol, tls->loop->state->face->of.buffered_protocol);
    if (buffered < 0) {
        return -1;
    }
    tls->buffered = buffered;
    Py_XSETREF(tls->protocol, Py_NewRef(protocol));
    return 0;
}
