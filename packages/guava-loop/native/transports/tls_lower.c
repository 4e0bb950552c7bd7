/* tls_lower.c: what lies below TLS. The native transport below stays what it is to everybody else:
 * it owns the socket, is what a Server knows, and tells when the connection is gone. But its
 * stream's callbacks come straight here, so that bytes cross one layer and no Python. */
#include "tls.h"

#include "../parts.h"

/* The stream's callbacks run where asyncio's reader does: in the context in which the layer was
 * made. NULL, with the error routed, when it cannot be entered. */
static gl_tls *
enter(guava_stream *s)
{
    gl_tls *tls = s->user;
    if (tls == NULL) {
        return NULL;
    }
    if (PyContext_Enter(tls->context) < 0) {
        gl_loop_error(tls->loop, "A context could not be entered", (PyObject *)tls);
        return NULL;
    }
    gl_runs(tls->loop, (PyObject *)tls);
    return (gl_tls *)Py_NewRef((PyObject *)tls);
}

static void
leave(gl_tls *tls)
{
    if (PyContext_Exit(tls->context) < 0) {
        gl_loop_error(tls->loop, "A context could not be left", (PyObject *)tls);
    }
    gl_ran(tls->loop, (PyObject *)tls);
    Py_DECREF(tls);
}

static int
on_data(guava_stream *s, char *bytes, size_t n)
{
    gl_tls *tls = enter(s);
    if (tls != NULL) {
        if (tls->lower != NULL && !tls->lower->closing) {
            gl_tls_data(tls, bytes, n);
        }
        leave(tls);
    }
    return 0;
}

static int
on_eof(guava_stream *s)
{
    gl_tls *tls = enter(s);
    if (tls != NULL) {
        bool keep = gl_tls_eof(tls);
        if (!keep && tls->lower != NULL) {
            gl_transport_close(tls->lower);
        }
        leave(tls);
    }
    return 0;
}

static int
on_drain(guava_stream *s)
{
    gl_tls *tls = enter(s);
    if (tls != NULL) {
        if (tls->parting && tls->state == GL_TLS_FLUSHING) {
            gl_tls_do_flush(tls);
        } else {
            gl_tls_flush(tls);
        }
        leave(tls);
    }
    return 0;
}

static void
on_closed(guava_stream *s, int error)
{
    gl_tls *tls = s->user;
    if (tls == NULL) {
        return;
    }
    gl_transport *lower = (gl_transport *)Py_NewRef((PyObject *)tls->lower);
    gl_tls_detach(tls);
    s->ops->closed(s, error);
    Py_DECREF(lower);
}

static void
on_emptied(guava_stream *s)
{
    gl_tls *tls = s->user;
    if (tls != NULL && tls->lower != NULL && tls->lower->closing) {
        gl_transport_force_close(tls->lower, Py_None);
    }
}

static const guava_stream_ops tls_ops = {
    .data = on_data,
    .eof = on_eof,
    .drain = on_drain,
    .closed = on_closed,
};

/* Of a stream, who is called, and as what. */
static void
hand_over(guava_stream *s, const guava_stream_ops *ops, void *user, uv_poll_cb on_poll,
          void (*emptied)(guava_stream *))
{
    s->ops = ops;
    s->user = user;
    s->emptied = emptied;
    if (s->on_poll != on_poll) {
        int events = s->events;
        s->on_poll = on_poll;
        s->events = 0;
        if (events != 0 && !(s->flags & GL_DEAD)) {
            gl_stream_poll_for(s, events);
        }
    }
}

void
gl_tls_attach(gl_tls *tls, gl_transport *lower)
{
    gl_uncork(tls->loop); /* what was written in plain text goes first */
    guava_stream *s = lower->stream;
    tls->lower = (gl_transport *)Py_NewRef((PyObject *)lower);
    if (s == NULL) {
        return; /* closed meanwhile: connection_lost() comes */
    }
    tls->stream = s;
    tls->below = s->ops;
    tls->below_emptied = s->emptied;
    hand_over(s, &tls_ops, tls, gl_stream_on_poll, on_emptied);
}

void
gl_tls_detach(gl_tls *tls)
{
    guava_stream *s = tls->stream;
    if (s != NULL) {
        tls->stream = NULL;
        hand_over(s, tls->below, tls->lower, gl_transport_on_poll, tls->below_emptied);
    }
}

void
gl_tls_lower_close_soon(gl_tls *tls)
{
    if (tls->lower == NULL) {
        return;
    }
    PyObject *close = PyObject_GetAttr((PyObject *)tls->lower, tls->loop->state->face->name.close);
    if (close == NULL || gl_face_call_soon(tls->loop, close, NULL, NULL) < 0) {
        gl_loop_error(tls->loop, "close() could not be scheduled", (PyObject *)tls);
    }
    Py_XDECREF(close);
}

void
gl_tls_lower_pause(gl_tls *tls, bool pause)
{
    if (tls->stream != NULL) {
        /* On a stream that is closing there is nothing to pause. */
        (void)(pause ? gl_stream_read_pause(tls->stream) : gl_stream_read_resume(tls->stream));
    }
}
