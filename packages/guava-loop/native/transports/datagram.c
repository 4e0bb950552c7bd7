/* datagram.c: DatagramTransport, what create_datagram_endpoint() returns, in C. asyncio's
 * selector_events._SelectorDatagramTransport says how it behaves. */
#include "transports/datagram.h"

#include <structmember.h>

/* ---- the end -------------------------------------------------------------------------------- */

static int
force_close(gl_datagram *self, PyObject *exc)
{
    gl_wire *wire = &self->wire;
    if (wire->conn_lost) {
        return 0;
    }
    if (self->head != NULL) {
        gl_datagram_drop(self);
        gl_wire_unwatch(wire, false);
    }
    if (!wire->closing) {
        wire->closing = true;
        gl_wire_unwatch(wire, true);
    }
    wire->conn_lost++;
    return gl_wire_lose(wire, exc);
}

void
gl_datagram_fatal(gl_datagram *self, const char *message)
{
    gl_wire *wire = &self->wire;
    PyObject *exc = gl_face_fatal(wire->loop, message, (PyObject *)self, wire->protocol);
    if (force_close(self, exc) < 0) {
        gl_wire_error(wire, "_force_close");
    }
    Py_DECREF(exc);
}

int
gl_datagram_refused(gl_datagram *self)
{
    gl_wire *wire = &self->wire;
    PyObject *exc = gl_err_take();
    PyObject *protocol = Py_NewRef(wire->protocol != NULL ? wire->protocol : Py_None);
    PyObject *result =
        PyObject_CallMethodOneArg(protocol, wire->loop->state->face->name.error_received, exc);
    Py_DECREF(protocol);
    Py_DECREF(exc);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static PyObject *
datagram_abort(gl_datagram *self, PyObject *Py_UNUSED(ignored))
{
    if (gl_face_check_thread(self->wire.loop) < 0 || force_close(self, NULL) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
datagram_close(gl_datagram *self, PyObject *Py_UNUSED(ignored))
{
    gl_wire *wire = &self->wire;
    if (wire->closing) {
        Py_RETURN_NONE;
    }
    if (gl_face_check_thread(wire->loop) < 0) {
        return NULL;
    }
    wire->closing = true;
    gl_wire_unwatch(wire, true);
    if (self->head == NULL) {
        wire->conn_lost++;
        gl_wire_unwatch(wire, false);
        if (gl_wire_lose(wire, NULL) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

/* ---- new, dealloc, traverse, clear ---------------------------------------------------------- */

/* The socket's own name or its peer's; None where there is none. */
static PyObject *
name_of(gl_wire *wire, int (*ask)(int, struct sockaddr *, socklen_t *))
{
    gl_name address;
    socklen_t length = sizeof(address);
    if (ask(wire->fd, &address.any, &length) < 0) {
        Py_RETURN_NONE;
    }
    return gl_name_object(wire->loop, &address, length);
}

/* 0, or -1 with an exception set; takes `value`, which may be NULL with an exception. */
static int
set_extra(gl_wire *wire, PyObject *name, PyObject *value)
{
    int status = value != NULL ? PyObject_SetItem(wire->extra, name, value) : -1;
    Py_XDECREF(value);
    return status;
}

static int
fill_extra(gl_datagram *self, PyObject *sock)
{
    gl_wire *wire = &self->wire;
    gl_face_state *face = wire->loop->state->face;
    if (set_extra(wire, face->name.socket, PyObject_CallOneArg(face->of.transport_socket, sock)) <
            0 ||
        set_extra(wire, face->name.sockname, name_of(wire, getsockname)) < 0) {
        return -1;
    }
    int known = PySequence_Contains(wire->extra, face->name.peername);
    if (known < 0 ||
        (!known && set_extra(wire, face->name.peername, name_of(wire, getpeername)) < 0)) {
        return -1;
    }
    PyObject *peer = PyObject_GetItem(wire->extra, face->name.peername);
    int connected = peer != NULL ? PyObject_IsTrue(peer) : -1;
    Py_XDECREF(peer);
    self->connected = connected == 1;
    return connected < 0 ? -1 : 0;
}

static int
set_up(gl_datagram *self, PyObject *sock, PyObject *address)
{
    gl_name own;
    socklen_t length = sizeof(own);
    if (getsockname(self->wire.fd, &own.any, &length) < 0) {
        (void)PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    self->family = own.any.sa_family;
    if (!gl_name_family_known(self->family)) {
        PyErr_Format(PyExc_ValueError, "no datagrams of address family %d", self->family);
        return -1;
    }
    if (self->family == AF_UNIX) {
        self->overflow = PyMem_RawMalloc(GL_DATAGRAM_OVERFLOW);
        if (self->overflow == NULL) {
            (void)PyErr_NoMemory();
            return -1;
        }
    }
    int given = PyObject_IsTrue(address);
    if (given > 0) {
        self->address = Py_NewRef(address);
    }
    self->pause = self->tries = 1;
    return given < 0 ? -1 : fill_extra(self, sock);
}

static PyObject *
datagram_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"loop", "sock", "protocol", "address", "waiter", "extra", NULL};
    PyObject *object, *sock, *protocol, *address = Py_None, *waiter = Py_None, *extra = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|OOO:DatagramTransport", names, &object,
                                     &sock, &protocol, &address, &waiter, &extra)) {
        return NULL;
    }
    gl_loop *loop = gl_wire_loop(type, object);
    int fd = loop != NULL ? PyObject_AsFileDescriptor(sock) : -1;
    gl_datagram *self = fd >= 0 ? (gl_datagram *)gl_wire_new(type, loop, fd, extra) : NULL;
    if (self == NULL) {
        return NULL;
    }
    if (set_up(self, sock, address) < 0 || gl_face_claim(loop, fd, (PyObject *)self) < 0 ||
        gl_wire_start(&self->wire, sock, protocol, "_start_reading", waiter) < 0) {
        gl_face_disclaim(loop, fd, (PyObject *)self);
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int
datagram_traverse(gl_datagram *self, visitproc visit, void *arg)
{
    Py_VISIT(self->address);
    int result = gl_datagram_traverse_waiting(self, visit, arg);
    return result != 0 ? result : gl_wire_traverse(&self->wire, visit, arg);
}

static int
datagram_clear(gl_datagram *self)
{
    Py_CLEAR(self->address);
    gl_datagram_drop(self);
    return gl_wire_clear(&self->wire);
}

static void
datagram_dealloc(gl_datagram *self)
{
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    (void)datagram_clear(self);
    PyMem_RawFree(self->overflow);
    gl_wire_dealloc(&self->wire);
}

/* ---- methods -------------------------------------------------------------------------------- */

/* The arguments of sendto(data, addr=None), borrowed. 0, or -1 with TypeError set. */
static int
sendto_args(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **data,
            PyObject **address)
{
    static const char *const names[] = {"data", "addr"};
    PyObject *found[2] = {nargs > 0 ? args[0] : NULL, nargs > 1 ? args[1] : NULL};
    Py_ssize_t n = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < n && nargs <= 2; i++) {
        PyObject *key = PyTuple_GET_ITEM(kwnames, i);
        int k = PyUnicode_CompareWithASCIIString(key, names[0]) == 0   ? 0
                : PyUnicode_CompareWithASCIIString(key, names[1]) == 0 ? 1
                                                                       : -1;
        if (k < 0 || found[k] != NULL) {
            PyErr_Format(PyExc_TypeError, "sendto() got an unexpected argument '%U'", key);
            return -1;
        }
        found[k] = args[nargs + i];
    }
    if (nargs > 2 || found[0] == NULL) {
        PyErr_SetString(PyExc_TypeError, "sendto() takes data and an address");
        return -1;
    }
    *data = found[0];
    *address = found[1] != NULL ? found[1] : Py_None;
    if (!PyBytes_Check(*data) && !PyByteArray_Check(*data) && !PyMemoryView_Check(*data)) {
        PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(*data), "__name__");
        if (name != NULL) {
            PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not %R",
                         name);
            Py_DECREF(name);
        }
        return -1;
    }
    return 0;
}

/* With a peer of its own, a transport sends to no other. 0, or -1 with ValueError set. */
static int
check_address(gl_datagram *self, PyObject **address)
{
    if (self->address == NULL) {
        return 0;
    }
    int same = *address == Py_None || *address == self->address
                   ? 1
                   : PyObject_RichCompareBool(*address, self->address, Py_EQ);
    if (same == 0) {
        PyErr_Format(PyExc_ValueError, "Invalid address: must be None or %S", self->address);
    }
    *address = self->address;
    return same == 1 ? 0 : -1;
}

static PyObject *
datagram_sendto(gl_datagram *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    gl_wire *wire = &self->wire;
    PyObject *data, *address;
    if (sendto_args(args, nargs, kwnames, &data, &address) < 0) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030D0000
    int some = PyObject_IsTrue(data);
    if (some <= 0) {
        return some < 0 ? NULL : Py_NewRef(Py_None);
    }
#endif
    if (check_address(self, &address) < 0) {
        return NULL;
    }
    if (wire->file == NULL || (wire->conn_lost && self->address != NULL)) {
        gl_face_write_lost(wire->loop, &wire->conn_lost, "socket.send() raised exception.");
    } else if (gl_datagram_send(self, data, address) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
datagram_start_reading(gl_datagram *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->wire.closing && !self->wire.paused &&
        gl_wire_watch(&self->wire, true, gl_datagram_read_ready) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
datagram_resume_reading(gl_datagram *self, PyObject *Py_UNUSED(ignored))
{
    return gl_wire_resume(&self->wire, gl_datagram_read_ready);
}

static PyObject *
datagram_repr(gl_datagram *self)
{
    gl_wire *wire = &self->wire;
    PyObject *start = gl_wire_describe(wire);
    if (start == NULL) {
        return NULL;
    }
    PyObject *text =
        wire->file == NULL || wire->loop->closed
            ? PyUnicode_FromFormat("%U>", start)
            : PyUnicode_FromFormat("%U read=%s write=<%s, bufsize=%zu>>", start,
                                   gl_wire_is_polling(wire) ? "polling" : "idle",
                                   self->head != NULL ? "polling" : "idle", wire->queued);
    Py_DECREF(start);
    return text;
}

static PyMethodDef datagram_methods[] = {
    {"sendto", (PyCFunction)(void (*)(void))datagram_sendto, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("sendto($self, data, addr=None)\n--\n\n"
               "Send a datagram to `addr`, or to the peer that the endpoint was made with.")},
    {"close", (PyCFunction)datagram_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\nSend what waits, then close.")},
    {"abort", (PyCFunction)datagram_abort, METH_NOARGS,
     PyDoc_STR("abort($self, /)\n--\n\nClose, and drop what waits.")},
    {"is_reading", (PyCFunction)gl_wire_is_reading, METH_NOARGS,
     PyDoc_STR("is_reading($self, /)\n--\n\nWhether datagrams are received.")},
    {"pause_reading", (PyCFunction)gl_wire_pause, METH_NOARGS,
     PyDoc_STR("pause_reading($self, /)\n--\n\nReceive no more for now.")},
    {"resume_reading", (PyCFunction)datagram_resume_reading, METH_NOARGS,
     PyDoc_STR("resume_reading($self, /)\n--\n\nReceive again.")},
    {"_start_reading", (PyCFunction)datagram_start_reading, METH_NOARGS, NULL},
    GL_WIRE_METHODS,
    GL_WIRE_WRITE_METHODS,
    {NULL},
};

/* asyncio's names, which its own tests and some programs look into. */
static PyMemberDef datagram_members[] = {
    {"_sock", T_OBJECT, offsetof(gl_datagram, wire.file), READONLY, NULL},
    {"_sock_fd", T_INT, offsetof(gl_datagram, wire.fd), READONLY, NULL},
    {NULL},
};

static PyType_Slot datagram_slots[] = {
    {Py_tp_doc, (char *)PyDoc_STR("asyncio's datagram transport, in C.")},
    {Py_tp_new, datagram_new},
    {Py_tp_init, gl_wire_init},
    {Py_tp_dealloc, datagram_dealloc},
    {Py_tp_finalize, gl_wire_finalize},
    {Py_tp_traverse, datagram_traverse},
    {Py_tp_clear, datagram_clear},
    {Py_tp_repr, datagram_repr},
    {Py_tp_methods, datagram_methods},
    {Py_tp_members, datagram_members},
    {0, NULL},
};

static PyType_Spec datagram_spec = {
    .name = "guava_loop._core.DatagramTransport",
    .basicsize = sizeof(gl_datagram),
    /* Not immutable: Python 3.14 allows that with immutable bases only. */
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = datagram_slots,
};

int
gl_datagram_exec(PyObject *module, gl_state *state)
{
    gl_face_state *face = state->face;
    face->type.datagram_transport =
        gl_face_type(module, face, &datagram_spec, face->of.datagram_transport);
    return face->type.datagram_transport != NULL ? 0 : -1;
}
