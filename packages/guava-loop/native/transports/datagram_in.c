/* datagram_in.c: the receiving half of DatagramTransport.
 *
 * A datagram is received into the loop's buffer and copied to its bytes object. recvmmsg() was
 * measured: it spares a few nanoseconds of 250 when many datagrams wait, and costs 150 when only
 * one does. What does pay is to receive all that has come before the loop polls again, which costs
 * one system call to learn that there is no more. So that is done while there is more than one,
 * and found out by a look now and then. */
#include <errno.h>

#include "transports/datagram.h"

#define BURST 16      /* datagrams received before the loop goes on */
#define MOST_TRIES 32 /* wake-ups between two looks for a second one */

/* Bytes received, or -1 with errno. */
static ssize_t
receive(gl_datagram *self, gl_name *from, socklen_t *length)
{
    char *buffer = self->wire.loop->read_buffer;
    ssize_t n;
    do {
        if (self->overflow == NULL) {
            *length = sizeof(*from);
            n = recvfrom(self->wire.fd, buffer, GL_READ_BUFFER, MSG_DONTWAIT, &from->any, length);
        } else {
            struct iovec parts[] = {{buffer, GL_READ_BUFFER},
                                    {self->overflow, GL_DATAGRAM_OVERFLOW}};
            struct msghdr message = {
                .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = parts, .msg_iovlen = 2};
            n = recvmsg(self->wire.fd, &message, MSG_DONTWAIT);
            *length = message.msg_namelen;
        }
    } while (n < 0 && errno == EINTR);
    return n;
}

static PyObject *
take_bytes(gl_datagram *self, size_t n)
{
    const char *buffer = self->wire.loop->read_buffer;
    if (n <= GL_READ_BUFFER) {
        return PyBytes_FromStringAndSize(buffer, (Py_ssize_t)n);
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
    if (bytes != NULL) {
        memcpy(PyBytes_AS_STRING(bytes), buffer, GL_READ_BUFFER);
        memcpy(PyBytes_AS_STRING(bytes) + GL_READ_BUFFER, self->overflow, n - GL_READ_BUFFER);
    }
    return bytes;
}

static void
deliver(gl_datagram *self, size_t n, const gl_name *from, socklen_t length)
{
    gl_wire *wire = &self->wire;
    PyObject *data = take_bytes(self, n);
    PyObject *address = data != NULL ? gl_name_object(wire->loop, from, length) : NULL;
    if (address == NULL) {
        Py_XDECREF(data);
        gl_datagram_fatal(self, "Fatal read error on datagram transport");
        return;
    }
    /* The protocol may be exchanged by the call. */
    PyObject *stack[] = {NULL, Py_NewRef(wire->protocol), data, address};
    PyObject *result =
        PyObject_VectorcallMethod(wire->loop->state->face->name.datagram_received, stack + 1,
                                  3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (result == NULL) {
        gl_wire_error(wire, "_read_ready");
    }
    Py_XDECREF(result);
    Py_DECREF(stack[1]);
    Py_DECREF(address);
    Py_DECREF(data);
}

/* How many to receive this time. */
static unsigned
how_many(gl_datagram *self)
{
    if (self->many) {
        return BURST;
    }
    if (--self->tries > 0) {
        return 1;
    }
    self->pause = self->pause < MOST_TRIES ? (uint8_t)(self->pause * 2) : MOST_TRIES;
    self->tries = self->pause;
    return BURST;
}

/* Receives one: whether there may be more to receive now. */
static bool
receive_one(gl_datagram *self, unsigned *count)
{
    gl_wire *wire = &self->wire;
    gl_name from;
    socklen_t length;
    ssize_t size = receive(self, &from, &length);
    if (size >= 0) {
        ++*count;
        deliver(self, (size_t)size, &from, length);
        return !wire->closing && !wire->paused && wire->protocol != NULL &&
               wire->loop->exc == NULL;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
        (void)PyErr_SetFromErrno(PyExc_OSError);
        if (gl_datagram_refused(self) < 0) {
            gl_wire_error(wire, "_read_ready");
        }
    }
    return false;
}

void
gl_datagram_read_ready(PyObject *object)
{
    gl_datagram *self = (gl_datagram *)object;
    gl_wire *wire = &self->wire;
    if (wire->conn_lost || wire->protocol == NULL) {
        return;
    }
    PyObject *context = Py_XNewRef(wire->read_context);
    if (gl_wire_enter(wire, context) == 0) {
        unsigned most = how_many(self), count = 0;
        while (receive_one(self, &count) && count < most) {
        }
        if (count > 1) {
            self->many = true;
            self->tries = self->pause = 1;
        } else if (most > 1) {
            self->many = false;
        }
        gl_wire_leave(wire, context);
    }
    Py_XDECREF(context);
}
