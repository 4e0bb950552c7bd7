/* datagram_in.c: the receiving half of DatagramTransport.
 *
 * A datagram is received into the loop's buffer and copied to its bytes object; after a large one,
 * the next is received into a bytes object of the same size, with the buffer behind it. recvmmsg()
 * was measured: it spares a few nanoseconds of 250 when many datagrams wait, and costs 150 when
 * only one does. What does pay is to receive all that has come before the loop polls again, which
 * costs one system call to learn that there is no more. So that is done while there is more than
 * one, and found out by a look now and then. */
#include <errno.h>

#include "transports/datagram.h"

#define LARGE 4096    /* bytes, from which on a copy costs more than it saves */
#define BURST 16      /* datagrams received before the loop goes on */
#define MOST_TRIES 32 /* wake-ups between two looks for a second one */

/* Receives into these parts, one behind the other. Bytes, or -1 with errno. */
static ssize_t
receive(gl_datagram *self, struct iovec *parts, size_t count, gl_name *from, socklen_t *length)
{
    ssize_t n;
    do {
        if (count == 1) {
            *length = sizeof(*from);
            n = recvfrom(self->wire.fd, parts->iov_base, parts->iov_len, MSG_DONTWAIT, &from->any,
                         length);
        } else {
            struct msghdr message = {.msg_name = from,
                                     .msg_namelen = sizeof(*from),
                                     .msg_iov = parts,
                                     .msg_iovlen = count};
            n = recvmsg(self->wire.fd, &message, MSG_DONTWAIT);
            *length = message.msg_namelen;
        }
    } while (n < 0 && errno == EINTR);
    return n;
}

/* A bytes object of what was received into these parts, of which the first is that of `bytes`
 * unless that is NULL; takes it. NULL with an exception set. */
static PyObject *
take_bytes(PyObject *bytes, const struct iovec *parts, size_t n)
{
    if (bytes != NULL && n <= parts->iov_len) {
        if (n < parts->iov_len) {
            (void)_PyBytes_Resize(&bytes, (Py_ssize_t)n); /* NULL if it fails */
        }
        return bytes;
    }
    PyObject *all = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
    char *place = all != NULL ? PyBytes_AS_STRING(all) : NULL;
    for (size_t left = n; place != NULL && left > 0; parts++) {
        size_t len = parts->iov_len < left ? parts->iov_len : left;
        memcpy(place, parts->iov_base, len);
        place += len;
        left -= len;
    }
    Py_XDECREF(bytes);
    return all;
}

/* What recv() gives, as a bytes object. NULL with errno, or with 0 and an exception set. */
static PyObject *
receive_bytes(gl_datagram *self, gl_name *from, socklen_t *length)
{
    struct iovec parts[3];
    size_t count = 0;
    PyObject *bytes = NULL;
    if (self->came >= LARGE) {
        bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)self->came);
        if (bytes == NULL) {
            errno = 0;
            return NULL;
        }
        parts[count++] = (struct iovec){PyBytes_AS_STRING(bytes), self->came};
    }
    parts[count++] = (struct iovec){self->wire.loop->read_buffer, GL_READ_BUFFER};
    if (self->overflow != NULL) {
        parts[count++] = (struct iovec){self->overflow, GL_DATAGRAM_OVERFLOW};
    }
    ssize_t n = receive(self, parts, count, from, length);
    if (n < 0) {
        int error = errno;
        Py_XDECREF(bytes);
        errno = error;
        return NULL;
    }
    self->came = (size_t)n;
    bytes = take_bytes(bytes, parts, (size_t)n);
    errno = 0;
    return bytes;
}

static void
deliver(gl_datagram *self, PyObject *data, const gl_name *from, socklen_t length)
{
    gl_wire *wire = &self->wire;
    PyObject *address = gl_name_object(wire->loop, from, length);
    if (address == NULL) {
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
    PyObject *data = receive_bytes(self, &from, &length);
    if (data != NULL) {
        ++*count;
        deliver(self, data, &from, length);
        Py_DECREF(data);
        return !wire->closing && !wire->paused && wire->protocol != NULL &&
               wire->loop->exc == NULL;
    }
    if (errno == 0) {
        gl_datagram_fatal(self, "Fatal read error on datagram transport");
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
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
