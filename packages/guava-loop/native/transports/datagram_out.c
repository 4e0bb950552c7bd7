/* datagram_out.c: the sending half of DatagramTransport. A datagram is sent at once; only what the
 * kernel refuses for now is queued. sendmmsg() was measured, too, and spares 40 nanoseconds of
 * 750: not enough to hold datagrams back for. */
#include <errno.h>

#include "transports/datagram.h"

#if PY_VERSION_HEX >= 0x030D0000
#define HEADER 8 /* counted for each datagram that waits */
#else
#define HEADER 0
#endif

struct gl_waiting {
    gl_waiting *next;
    PyObject *data;    /* bytes */
    PyObject *address; /* or None */
};

typedef enum {
    SENT,
    AGAIN,   /* the kernel has no room */
    REFUSED, /* an OSError is set */
    FAILED,  /* another exception is set */
} outcome;

/* By the socket's own method, which resolves names and words mistakes. */
static outcome
transmit_slowly(gl_datagram *self, PyObject *data, PyObject *address)
{
    PyObject *result = NULL;
    if (!PyErr_Occurred()) {
        result = PyObject_CallMethodObjArgs(
            self->wire.file, self->wire.loop->state->face->name.sendto, data, address, NULL);
    }
    if (result != NULL) {
        Py_DECREF(result);
        return SENT;
    }
    if (PyErr_ExceptionMatches(PyExc_BlockingIOError)) {
        PyErr_Clear();
        return AGAIN;
    }
    return PyErr_ExceptionMatches(PyExc_OSError) ? REFUSED : FAILED;
}

static outcome
transmit(gl_datagram *self, PyObject *data, PyObject *address)
{
    const struct sockaddr *name = NULL;
    gl_name room;
    socklen_t length = 0;
    /* asyncio fails without an address where the peer's is empty: a unix socket that is connected
     * to one without a name. */
    if (!self->connected && !(self->family == AF_UNIX && address == Py_None)) {
        name = gl_name_find(self->wire.loop, self->family, address, &room, &length);
        if (name == NULL) {
            return transmit_slowly(self, data, address);
        }
    }
    Py_buffer view = {.buf = NULL};
    if (PyBytes_CheckExact(data)) {
        view.buf = PyBytes_AS_STRING(data);
        view.len = PyBytes_GET_SIZE(data);
    } else if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        return FAILED;
    }
    ssize_t n;
    do {
        n = sendto(self->wire.fd, view.buf, (size_t)view.len, MSG_DONTWAIT, name, length);
    } while (n < 0 && errno == EINTR);
    int error = errno;
    PyBuffer_Release(&view);
    if (n >= 0) {
        return SENT;
    }
    if (error == EAGAIN || error == EWOULDBLOCK) {
        return AGAIN;
    }
    errno = error;
    (void)PyErr_SetFromErrno(PyExc_OSError);
    return REFUSED;
}

static void
drop_first(gl_datagram *self)
{
    gl_waiting *first = self->head;
    self->head = first->next;
    if (self->head == NULL) {
        self->tail = NULL;
    }
    Py_DECREF(first->data);
    Py_DECREF(first->address);
    PyMem_Free(first);
}

void
gl_datagram_drop(gl_datagram *self)
{
    while (self->head != NULL) {
        drop_first(self);
    }
    self->wire.queued = 0;
}

/* 0, or -1 with an exception set. */
static int
enqueue(gl_datagram *self, PyObject *data, PyObject *address)
{
    gl_waiting *last = PyMem_Malloc(sizeof(*last));
    PyObject *bytes = last != NULL ? PyBytes_FromObject(data) : PyErr_NoMemory();
    if (bytes == NULL) {
        PyMem_Free(last);
        return -1;
    }
    *last = (gl_waiting){NULL, bytes, Py_NewRef(address)};
    if (self->head == NULL) {
        self->head = last;
    } else {
        self->tail->next = last;
    }
    self->tail = last;
    self->wire.queued += (size_t)PyBytes_GET_SIZE(bytes) + HEADER;
    return 0;
}

static void
flush(gl_datagram *self)
{
    gl_wire *wire = &self->wire;
    while (self->head != NULL) {
        size_t size = (size_t)PyBytes_GET_SIZE(self->head->data) + HEADER;
        outcome result = transmit(self, self->head->data, self->head->address);
        if (result == AGAIN) {
            break;
        }
        drop_first(self);
        wire->queued -= size;
        if (result == FAILED) {
            gl_datagram_fatal(self, "Fatal write error on datagram transport");
            return;
        }
        if (result == REFUSED) {
            if (gl_datagram_refused(self) < 0) {
                gl_wire_error(wire, "_sendto_ready");
            }
            return;
        }
    }
    gl_flow_shrank(&wire->flow, wire->queued, wire->loop, (PyObject *)self, wire->protocol, NULL);
    if (self->head == NULL) {
        gl_wire_unwatch(wire, false);
        if (wire->closing) {
            PyObject *result = gl_wire_call_connection_lost(wire, Py_None);
            if (result == NULL) {
                gl_wire_error(wire, "_sendto_ready");
            }
            Py_XDECREF(result);
        }
    }
}

static void
write_ready(PyObject *object)
{
    gl_datagram *self = (gl_datagram *)object;
    PyObject *context = Py_XNewRef(self->wire.write_context);
    if (self->wire.file != NULL && gl_wire_enter(&self->wire, context) == 0) {
        flush(self);
        gl_wire_leave(&self->wire, context);
    }
    Py_XDECREF(context);
}

int
gl_datagram_send(gl_datagram *self, PyObject *data, PyObject *address)
{
    gl_wire *wire = &self->wire;
    if (self->head == NULL) {
        switch (transmit(self, data, address)) {
        case SENT:
            return 0;
        case REFUSED:
            return gl_datagram_refused(self);
        case FAILED:
            gl_datagram_fatal(self, "Fatal write error on datagram transport");
            return 0;
        case AGAIN:
            if (gl_wire_watch(wire, false, write_ready) < 0) {
                return -1;
            }
        }
    }
    if (enqueue(self, data, address) < 0) {
        return -1;
    }
    gl_flow_grew(&wire->flow, wire->queued, wire->loop, (PyObject *)self, wire->protocol, NULL);
    return 0;
}

int
gl_datagram_traverse_waiting(gl_datagram *self, visitproc visit, void *arg)
{
    for (gl_waiting *each = self->head; each != NULL; each = each->next) {
        Py_VISIT(each->address);
    }
    return 0;
}
