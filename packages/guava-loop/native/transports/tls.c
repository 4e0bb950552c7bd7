/* tls.c: what connects and what ends: the handshake, the shutdown, errors. The states and their
 * order are those of asyncio.sslproto. */
#include "tls.h"

#include "../handle.h"

static gl_face_state *
face_of(const gl_tls *tls)
{
    return tls->loop->state->face;
}

/* What messages name: borrowed. */
static PyObject *
named(const gl_tls *tls)
{
    return tls->between != NULL ? tls->between : Py_None;
}

PyObject *
gl_tls_bind(gl_tls *tls, const PyMethodDef *method)
{
    return PyCFunction_New((PyMethodDef *)method, (PyObject *)tls);
}

/* ---- timers --------------------------------------------------------------------------------- */

static void
stop_timer(gl_tls *tls)
{
    PyObject *timer = tls->timer;
    if (timer != NULL) {
        tls->timer = NULL;
        gl_handle_cancel((gl_handle *)timer);
        Py_DECREF(timer);
    }
}

/* 0, or -1 with an exception set. */
static int
start_timer(gl_tls *tls, PyObject *seconds, const PyMethodDef *method)
{
    stop_timer(tls);
    double delay = PyFloat_AsDouble(seconds);
    if (delay == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    PyObject *callback = gl_tls_bind(tls, method);
    gl_timer *timer = NULL;
    if (callback != NULL) {
        timer = gl_timer_new(tls->loop, gl_time() + delay, callback, NULL, 0, NULL);
    }
    Py_XDECREF(callback);
    if (timer == NULL) {
        return -1;
    }
    if (gl_timers_add(tls->loop, timer) < 0) {
        Py_DECREF(timer);
        return -1;
    }
    tls->timer = (PyObject *)timer;
    return 0;
}

/* ---- errors --------------------------------------------------------------------------------- */

void
gl_tls_abort(gl_tls *tls, PyObject *exc)
{
    tls->state = GL_TLS_UNWRAPPED;
    if (tls->lower != NULL) {
        gl_transport_force_close(tls->lower, exc);
    }
}

void
gl_tls_fatal(gl_tls *tls, const char *message)
{
    gl_transport *lower = tls->lower;
    PyObject *exc;
    if (PyErr_ExceptionMatches(tls->ssl->cancelled_error)) {
        exc = gl_err_take();
    } else {
        PyObject *transport = lower != NULL ? (PyObject *)lower : Py_None;
        exc = gl_face_fatal(tls->loop, message, transport, tls->between);
    }
    /* None: one that stops the loop, and leaves the connection as it is. */
    if (exc != Py_None && tls->lower != NULL) {
        gl_transport_force_close(tls->lower, exc);
    }
    Py_DECREF(exc);
}

/* Takes the exception that is set, or NULL for a result. */
static void
wake_waiter(gl_tls *tls, PyObject *result)
{
    PyObject *waiter = tls->waiter;
    tls->waiter = NULL;
    if (waiter != NULL) {
        gl_face_resolve(tls->loop, waiter, result);
        Py_DECREF(waiter);
    }
}

static void
fail_waiter(gl_tls *tls, PyObject *exc)
{
    if (tls->waiter != NULL) {
        gl_err_give(Py_NewRef(exc));
        wake_waiter(tls, NULL);
    }
}

/* ---- the handshake -------------------------------------------------------------------------- */

static PyObject *
handshake_timed_out(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    gl_tls *tls = (gl_tls *)self;
    if (tls->state == GL_TLS_HANDSHAKE) {
        (void)PyErr_Format(PyExc_ConnectionAbortedError,
                           "SSL handshake is taking longer than %S seconds: aborting the "
                           "connection",
                           tls->handshake_timeout);
        gl_tls_fatal(tls, "Fatal error on transport");
    }
    Py_RETURN_NONE;
}

static const PyMethodDef handshake_timed_out_method = {"handshake_timed_out", handshake_timed_out,
                                                       METH_NOARGS, NULL};

/* Of the exception that is set. */
static void
handshake_failed(gl_tls *tls)
{
    bool certificate = PyErr_ExceptionMatches(tls->ssl->certificate_error);
    PyObject *exc = gl_err_take();
    stop_timer(tls);
    /* The alert that says why, which asyncio keeps to itself (RFC 8446, 6.2). */
    gl_tls_send(tls);
    tls->state = GL_TLS_UNWRAPPED;
    gl_err_give(Py_NewRef(exc));
    gl_tls_fatal(tls, certificate ? "SSL handshake failed on verifying the certificate"
                                  : "SSL handshake failed");
    fail_waiter(tls, exc);
    Py_DECREF(exc);
}

static void
log_handshake(gl_tls *tls)
{
    PyObject *result = PyObject_CallMethod(face_of(tls)->of.logger, "debug", "sOd",
                                           "%r: SSL handshake took %.1f ms", named(tls),
                                           (gl_time() - tls->handshake_start) * 1e3);
    if (result == NULL) {
        gl_loop_error(tls->loop, "A handshake could not be logged", (PyObject *)tls);
    }
    Py_XDECREF(result);
}

static void
handshake_done(gl_tls *tls)
{
    stop_timer(tls);
    tls->state = GL_TLS_WRAPPED;
    tls->handshaken = true;
    if (tls->handshake_start != 0 && tls->loop->debug) {
        log_handshake(tls);
    }
    if (tls->app == GL_APP_INIT) {
        tls->app = GL_APP_MADE;
        PyObject *made = gl_tls_tell(tls, face_of(tls)->name.connection_made, (PyObject *)tls);
        if (made == NULL) {
            gl_tls_fatal(tls, "Fatal error: protocol.buffer_updated() call failed.");
            return;
        }
        Py_DECREF(made);
    }
    wake_waiter(tls, Py_None);
    gl_tls_do_read(tls);
}

void
gl_tls_do_handshake(gl_tls *tls)
{
    switch (gl_tls_call(tls, tls->ssl->str_do_handshake)) {
    case GL_TLS_AGAIN:
        gl_tls_send(tls);
        break;
    case GL_TLS_DONE:
        handshake_done(tls);
        break;
    case GL_TLS_FAILED:
        if (PyErr_ExceptionMatches(tls->ssl->ssl_error)) {
            handshake_failed(tls);
        } else {
            gl_tls_fatal(tls, "Fatal error: protocol.buffer_updated() call failed.");
        }
    }
}

void
gl_tls_start_handshake(gl_tls *tls)
{
    if (tls->loop->debug) {
        gl_face_debug(tls->loop, "%r starts SSL handshake", named(tls));
        tls->handshake_start = gl_time();
    }
    tls->state = GL_TLS_HANDSHAKE;
    if (start_timer(tls, tls->handshake_timeout, &handshake_timed_out_method) < 0) {
        gl_tls_fatal(tls, "Fatal error on transport");
        return;
    }
    gl_tls_do_handshake(tls);
}

/* ---- the shutdown --------------------------------------------------------------------------- */

static PyObject *
shutdown_timed_out(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    gl_tls *tls = (gl_tls *)self;
    if ((tls->state == GL_TLS_FLUSHING || tls->state == GL_TLS_SHUTDOWN) && tls->lower != NULL) {
        PyObject *exc = PyObject_CallFunction(PyExc_TimeoutError, "s", "SSL shutdown timed out");
        if (exc == NULL) {
            return NULL;
        }
        gl_transport_force_close(tls->lower, exc);
        Py_DECREF(exc);
    }
    Py_RETURN_NONE;
}

static const PyMethodDef shutdown_timed_out_method = {"shutdown_timed_out", shutdown_timed_out,
                                                      METH_NOARGS, NULL};

void
gl_tls_start_shutdown(gl_tls *tls)
{
    if (tls->state == GL_TLS_HANDSHAKE) {
        tls->closed = true;
        gl_tls_abort(tls, Py_None);
    }
    /* One that waits for a protocol that does not read, behind the peer's end, waits no more. */
    bool waits = tls->state == GL_TLS_FLUSHING && !tls->parting;
    if (tls->state != GL_TLS_WRAPPED && !waits) {
        return;
    }
    tls->closed = true;
    tls->state = GL_TLS_FLUSHING;
    if (start_timer(tls, tls->shutdown_timeout, &shutdown_timed_out_method) < 0) {
        gl_tls_fatal(tls, "Fatal error on transport");
        return;
    }
    gl_tls_do_flush(tls);
}

void
gl_tls_do_flush(gl_tls *tls)
{
    gl_tls_do_read(tls);
    if (tls->state != GL_TLS_FLUSHING) {
        return;
    }
    tls->parting = true;
    gl_tls_encrypt(tls);
    if (tls->backlog != 0 && !(tls->eof && tls->writing_waits)) {
        gl_tls_flush(tls); /* it goes on when the stream has room, or the peer has spoken */
        return;
    }
    if (tls->state == GL_TLS_FLUSHING) {
        tls->state = GL_TLS_SHUTDOWN;
        gl_tls_do_shutdown(tls);
    }
}

static void
shutdown_done(gl_tls *tls)
{
    gl_tls_send(tls);
    gl_tls_eof_received(tls);
    stop_timer(tls);
    gl_tls_lower_close_soon(tls);
}

void
gl_tls_do_shutdown(gl_tls *tls)
{
    gl_tls_result result = GL_TLS_DONE;
    if (!tls->eof) {
        /* What the peer has sent before it heard of the end is not wanted any more; OpenSSL would
         * take it for an error. */
        result = gl_tls_discard(tls) < 0 ? GL_TLS_FAILED : gl_tls_call(tls, tls->ssl->str_unwrap);
    }
    switch (result) {
    case GL_TLS_AGAIN:
        gl_tls_send(tls);
        gl_tls_control_reading(tls);
        break;
    case GL_TLS_DONE:
        shutdown_done(tls);
        break;
    case GL_TLS_FAILED:
        stop_timer(tls);
        gl_tls_fatal(tls, "Fatal error on transport");
    }
}

bool
gl_tls_eof(gl_tls *tls)
{
    tls->eof = true;
    gl_face_debug(tls->loop, "%r received EOF", named(tls));
    switch (tls->state) {
    case GL_TLS_HANDSHAKE:
        PyErr_SetNone(PyExc_ConnectionResetError);
        handshake_failed(tls);
        return false;
    case GL_TLS_WRAPPED:
        tls->state = GL_TLS_FLUSHING;
        if (tls->app_paused) {
            return true;
        }
        gl_tls_do_flush(tls);
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
    /* What is left to write keeps it open. */
    return tls->state == GL_TLS_FLUSHING;
}

void
gl_tls_let_go(gl_tls *tls)
{
    tls->handshaken = false;
    PyDict_Clear(tls->extra);
    Py_CLEAR(tls->sslobject);
    Py_CLEAR(tls->engine);
    Py_CLEAR(tls->incoming);
    Py_CLEAR(tls->outgoing);
}

void
gl_tls_lost(gl_tls *tls, PyObject *exc)
{
    bool told = tls->state != GL_TLS_HANDSHAKE &&
                (tls->app == GL_APP_MADE || tls->app == GL_APP_EOF) && tls->protocol != NULL;
    gl_tls_drop_backlog(tls);
    tls->conn_lost++;
    tls->closed = true;
    tls->state = GL_TLS_UNWRAPPED;
    gl_tls_detach(tls);
    if (told) {
        tls->app = GL_APP_LOST;
        PyObject *callback = PyObject_GetAttr(tls->protocol, face_of(tls)->name.connection_lost);
        if (callback == NULL || gl_face_call_soon(tls->loop, callback, exc, NULL) < 0) {
            gl_loop_error(tls->loop, "connection_lost() could not be scheduled", (PyObject *)tls);
        }
        Py_XDECREF(callback);
    }
    Py_CLEAR(tls->lower);
    Py_CLEAR(tls->protocol);
    if (exc != Py_None) {
        fail_waiter(tls, exc);
    } else {
        wake_waiter(tls, Py_None);
    }
    stop_timer(tls);
    Py_CLEAR(tls->between); /* the two keep each other no longer */
    if (tls->done_with) {
        gl_tls_let_go(tls);
    }
}
