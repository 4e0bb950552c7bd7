/* endpoint.c: our end of a connection, as endpoint.h describes it. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <unistd.h>

/* ---- addresses ------------------------------------------------------------------------------ */

PyObject *
gl_address_object(const gl_address *address)
{
    char text[INET6_ADDRSTRLEN];
    switch (address->any.sa_family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof(text)); /* text is enough */
        return Py_BuildValue("(si)", text, ntohs(address->in.sin_port));
    case AF_INET6:
        (void)inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof(text));
        return Py_BuildValue("(siII)", text, ntohs(address->in6.sin6_port),
                             (unsigned)ntohl(address->in6.sin6_flowinfo),
                             (unsigned)address->in6.sin6_scope_id);
    default:
        Py_RETURN_NONE;
    }
}

typedef int (*name_fn)(int, struct sockaddr *, socklen_t *);

/* What getsockname() or getpeername() gives, if it fits. */
static void
ask_name(const gl_endpoint *end, name_fn ask, gl_address *address)
{
    socklen_t size = sizeof(*address);
    if (ask(end->fd, &address->any, &size) < 0 || size > sizeof(*address)) {
        address->any.sa_family = AF_UNSPEC;
    }
}

static bool
is_internet(const gl_endpoint *end)
{
    return end->family == AF_INET || end->family == AF_INET6;
}

/* sock.getpeername(), None if it fails: of families that have other addresses. */
static PyObject *
ask_socket(gl_endpoint *end, gl_face_state *face, const char *method)
{
    PyObject *socket = gl_endpoint_socket(end, face);
    PyObject *name = socket != NULL ? PyObject_CallMethod(socket, method, NULL) : NULL;
    if (name == NULL && PyErr_ExceptionMatches(PyExc_OSError)) {
        PyErr_Clear();
        name = Py_NewRef(Py_None);
    }
    return name;
}

/* ---- birth and end -------------------------------------------------------------------------- */

static int
int_attribute(PyObject *object, const char *name, int *value)
{
    PyObject *found = PyObject_GetAttrString(object, name);
    long number = found != NULL ? PyLong_AsLong(found) : -1;
    Py_XDECREF(found);
    *value = (int)number;
    return number == -1 && PyErr_Occurred() ? -1 : 0;
}

int
gl_socket_kind(PyObject *socket, int *family, int *kind, int *protocol)
{
    return int_attribute(socket, "family", family) < 0 ||
                   int_attribute(socket, "type", kind) < 0 ||
                   int_attribute(socket, "proto", protocol) < 0
               ? -1
               : 0;
}

int
gl_endpoint_of_socket(gl_endpoint *end, PyObject *socket)
{
    int fd = PyObject_AsFileDescriptor(socket);
    *end = (gl_endpoint){.fd = -1, .number = fd};
    if (fd < 0 || gl_socket_kind(socket, &end->family, &end->kind, &end->protocol) < 0) {
        return -1;
    }
    end->fd = fd;
    end->socket = Py_NewRef(socket);
    end->peer.any.sa_family = end->local.any.sa_family = AF_UNSPEC;
    if (is_internet(end)) {
        ask_name(end, getpeername, &end->peer);
        ask_name(end, getsockname, &end->local);
    }
    return 0;
}

void
gl_endpoint_of_fd(gl_endpoint *end, int fd, int family, int kind, int protocol,
                  const gl_address *peer)
{
    *end = (gl_endpoint){.fd = fd,
                         .number = fd,
                         .family = family,
                         .kind = kind,
                         .protocol = protocol,
                         .peer = *peer};
    end->local.any.sa_family = AF_UNSPEC;
}

void
gl_endpoint_close(gl_endpoint *end, gl_face_state *face)
{
    if (end->fd < 0) {
        return;
    }
    PyObject *before = gl_err_take();
    PyObject *socket = end->socket;
    end->socket = NULL;
    if (is_internet(end) && end->local.any.sa_family == AF_UNSPEC) {
        ask_name(end, getsockname, &end->local);
    }
    if (socket == NULL) {
        (void)close(end->fd); /* an error has no one to hear it */
    } else {
        PyObject *closed = PyObject_CallMethodNoArgs(socket, face->name.close);
        if (closed == NULL) {
            PyErr_WriteUnraisable(socket);
        }
        Py_XDECREF(closed);
        Py_DECREF(socket);
    }
    end->fd = -1;
    if (before != NULL) {
        gl_err_give(before);
    }
}

PyObject *
gl_endpoint_socket(gl_endpoint *end, gl_face_state *face)
{
    if (end->socket == NULL) {
        PyObject *args = Py_BuildValue("(iii)", end->family, end->kind, end->protocol);
        PyObject *kwargs = Py_BuildValue("{si}", "fileno", end->fd);
        if (args != NULL && kwargs != NULL) {
            end->socket = PyObject_Call(face->of.socket, args, kwargs);
        }
        if (end->socket != NULL) {
            /* The descriptor does not block; the object is to know it, and works even if not. */
            PyObject *set = PyObject_CallMethod(end->socket, "setblocking", "O", Py_False);
            if (set == NULL) {
                PyErr_Clear();
            }
            Py_XDECREF(set);
        }
        Py_XDECREF(kwargs);
        Py_XDECREF(args);
    }
    return end->socket;
}

/* A closed one: what asyncio's transports still show after their end. */
static PyObject *
closed_socket(const gl_endpoint *end, gl_face_state *face)
{
    PyObject *made = NULL;
    PyObject *socket =
        PyObject_CallFunction(face->of.socket, "iii", end->family, end->kind, end->protocol);
    PyObject *closed = socket != NULL ? PyObject_CallMethodNoArgs(socket, face->name.close) : NULL;
    if (closed != NULL) {
        made = PyObject_CallOneArg(face->of.transport_socket, socket);
    }
    Py_XDECREF(closed);
    Py_XDECREF(socket);
    return made;
}

/* ---- get_extra_info() ----------------------------------------------------------------------- */

static PyObject *
find(gl_endpoint *end, gl_face_state *face, PyObject *name)
{
    bool socket = PyUnicode_Compare(name, face->name.socket) == 0;
    bool peer = !socket && PyUnicode_Compare(name, face->name.peername) == 0;
    bool local = !socket && !peer && PyUnicode_Compare(name, face->name.sockname) == 0;
    if (is_internet(end)) {
        if (local && end->local.any.sa_family == AF_UNSPEC && end->fd >= 0) {
            ask_name(end, getsockname, &end->local);
        }
        if (peer || local) {
            return gl_address_object(peer ? &end->peer : &end->local);
        }
    }
    if ((!socket && !peer && !local) || (!socket && end->fd < 0)) {
        return NULL;
    }
    if (socket && end->fd < 0) {
        return closed_socket(end, face);
    }
    if (!socket) {
        return ask_socket(end, face, peer ? "getpeername" : "getsockname");
    }
    PyObject *made = gl_endpoint_socket(end, face);
    return made != NULL ? PyObject_CallOneArg(face->of.transport_socket, made) : NULL;
}

PyObject *
gl_endpoint_info(gl_endpoint *end, gl_face_state *face, PyObject **extra, PyObject *name)
{
    if (!PyUnicode_Check(name)) {
        return NULL;
    }
    PyObject *found = find(end, face, name);
    if (found == NULL) {
        return NULL;
    }
    if (*extra == NULL) {
        *extra = PyDict_New();
    }
    if (*extra == NULL || PyObject_SetItem(*extra, name, found) < 0) {
        Py_CLEAR(found);
    }
    return found;
}

/* ---- servers -------------------------------------------------------------------------------- */

static int
tell_server(gl_face_state *face, PyObject *server, PyObject *method, PyObject *transport)
{
    PyObject *result =
        gl_face_call(NULL, server, method, face->attach_transport ? transport : NULL);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

int
gl_endpoint_attach(gl_endpoint *end, gl_face_state *face, PyObject *server, PyObject *transport)
{
    if (server == NULL || server == Py_None) {
        return 0;
    }
    end->server = Py_NewRef(server);
    return tell_server(face, server, face->name._attach, transport);
}

int
gl_endpoint_detach(gl_endpoint *end, gl_face_state *face, PyObject *transport)
{
    PyObject *server = end->server;
    if (server == NULL) {
        return 0;
    }
    end->server = NULL;
    int result = tell_server(face, server, face->name._detach, transport);
    Py_DECREF(server);
    return result;
}
