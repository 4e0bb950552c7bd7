/* cork.c: what one transport has been given to send during the present callback. It leaves in one
 * system call when the callback returns, or as soon as anybody could notice the difference: when
 * it grows large, when another transport writes, when the transport is closed or asked how much it
 * has queued. A program that writes a head and a body, or ten small replies, sends once.
 *
 * Only bytes objects wait here, by reference. Others may change once write() has returned, so they
 * are sent at once, right behind what waits. */
#include "transport.h"

#include "../handle.h"
#include "../parts.h"

/* More than this is worth a system call of its own. */
#define CORK_BYTES ((size_t)32 * 1024)

bool
gl_cork_put(gl_transport *self, PyObject *bytes)
{
    gl_loop *loop = self->loop;
    gl_cork *cork = &loop->cork;
    size_t len = (size_t)PyBytes_GET_SIZE(bytes);
    if (cork->transport != self) {
        gl_uncork(loop);
        /* Only inside a callback of the loop is there somebody who comes to send it. */
        if (loop->thread == 0 || loop->sleeping || self->conn_lost != 0 || self->stream == NULL ||
            self->stream->head != NULL || cork->transport != NULL) {
            return false;
        }
    }
    if (cork->n == GL_CORK_PIECES || cork->bytes + len > CORK_BYTES) {
        return false;
    }
    if (cork->transport == NULL) {
        cork->transport = (gl_transport *)Py_NewRef((PyObject *)self);
    }
    cork->pieces[cork->n++] = Py_NewRef(bytes);
    cork->bytes += len;
    return true;
}

/* What keeps all of the pieces, and `last`: one object, since a write has one. */
static PyObject *
owner_of(PyObject **pieces, unsigned n, PyObject *last)
{
    if (n == 1 && last == NULL) {
        return Py_NewRef(pieces[0]);
    }
    PyObject *all = PyTuple_New(n + (last != NULL));
    for (unsigned i = 0; all != NULL && i < n; i++) {
        PyTuple_SET_ITEM(all, i, Py_NewRef(pieces[i]));
    }
    if (all != NULL && last != NULL) {
        PyTuple_SET_ITEM(all, n, Py_NewRef(last));
    }
    if (all == NULL) {
        PyErr_Clear(); /* without memory for it, the bytes are copied as far as they must wait */
    }
    return all;
}

/* `last` may be empty. */
static void
send_all(gl_loop *loop, guava_buf last, PyObject *owner)
{
    gl_cork cork = loop->cork;
    guava_buf bufs[GL_CORK_PIECES + 1];
    unsigned n = 0;
    loop->cork.transport = NULL; /* first, for what follows calls anybody */
    loop->cork.n = 0;
    loop->cork.bytes = 0;
    for (; n < cork.n; n++) {
        bufs[n] = (guava_buf){PyBytes_AS_STRING(cork.pieces[n]),
                              (size_t)PyBytes_GET_SIZE(cork.pieces[n])};
    }
    PyObject *all = NULL;
    if (last.len == 0 || owner != NULL) {
        all = owner_of(cork.pieces, cork.n, owner);
    }
    if (last.len != 0) {
        bufs[n++] = last;
    }
    gl_transport_send(cork.transport, bufs, n, all);
    Py_XDECREF(all);
    for (unsigned i = 0; i < cork.n; i++) {
        Py_DECREF(cork.pieces[i]);
    }
    Py_DECREF(cork.transport);
}

void
gl_uncork_slow(gl_loop *loop)
{
    send_all(loop, (guava_buf){NULL, 0}, NULL);
}

void
gl_cork_send(gl_transport *self, guava_buf buf, PyObject *owner)
{
    gl_loop *loop = self->loop;
    if (loop->cork.transport == self) {
        send_all(loop, buf, owner);
    } else {
        gl_uncork(loop);
        gl_transport_send(self, &buf, 1, owner);
    }
}
