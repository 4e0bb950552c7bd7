/* address.c: socket addresses, there and back. Those that were seen lately are remembered by the
 * loop in both forms: a peer that sends a thousand datagrams gets one tuple, and to answer to that
 * tuple means to look it up by its identity. Only tuples of exactly str and int are remembered,
 * which cannot change. */
#include "transports/address.h"

#include <arpa/inet.h>
#include <string.h>

#define PLACES 64 /* a power of two */

typedef struct {
    PyObject *object; /* owned, or NULL */
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name;
} known;

/* Each place is taken by the latest of those that fall on it. */
struct gl_addresses {
    known came[PLACES]; /* by the kernel's form */
    known sent[PLACES]; /* by the object's identity and the family */
};

static struct gl_addresses *
addresses_of(gl_loop *loop)
{
    if (loop->addresses == NULL) {
        loop->addresses = PyMem_Calloc(1, sizeof(struct gl_addresses));
        if (loop->addresses == NULL) {
            (void)PyErr_NoMemory();
        }
    }
    return loop->addresses;
}

void
gl_names_free(gl_loop *loop)
{
    struct gl_addresses *all = loop->addresses;
    if (all != NULL) {
        for (size_t i = 0; i < PLACES; i++) {
            Py_XDECREF(all->came[i].object);
            Py_XDECREF(all->sent[i].object);
        }
    }
    PyMem_Free(all);
    loop->addresses = NULL;
}

static size_t
place(uint64_t key)
{
    return (size_t)((key * 0x9E3779B97F4A7C15u) >> 58); /* of PLACES */
}

static size_t
place_of_name(const gl_name *address)
{
    if (address->any.sa_family == AF_INET) {
        return place((uint64_t)address->in.sin_addr.s_addr << 16 | address->in.sin_port);
    }
    uint64_t half[2];
    memcpy(half, &address->in6.sin6_addr, sizeof(half));
    return place((half[0] ^ half[1] * 3) + address->in6.sin6_port);
}

static bool
is_name(const known *entry, const gl_name *address, socklen_t length)
{
    if (entry->object == NULL || entry->length != length ||
        entry->name.any.sa_family != address->any.sa_family) {
        return false;
    }
    if (address->any.sa_family == AF_INET) {
        return entry->name.in.sin_port == address->in.sin_port &&
               entry->name.in.sin_addr.s_addr == address->in.sin_addr.s_addr;
    }
    return memcmp(&entry->name.in6, &address->in6, sizeof(address->in6)) == 0;
}

/* ---- from the kernel ------------------------------------------------------------------------ */

static PyObject *
unix_object(const struct sockaddr_un *name, socklen_t length)
{
    size_t n = length > offsetof(struct sockaddr_un, sun_path)
                   ? length - offsetof(struct sockaddr_un, sun_path)
                   : 0;
#ifdef __linux__
    if (n > 0 && name->sun_path[0] == 0) {
        return PyBytes_FromStringAndSize(name->sun_path, (Py_ssize_t)n); /* of no file */
    }
#endif
    return PyUnicode_DecodeFSDefaultAndSize(name->sun_path,
                                            (Py_ssize_t)strnlen(name->sun_path, n));
}

PyObject *
gl_name_object(gl_loop *loop, const gl_name *address, socklen_t length)
{
    if (length == 0) {
        Py_RETURN_NONE;
    }
    if (address->any.sa_family == AF_UNIX) {
        return unix_object(&address->un, length);
    }
    struct gl_addresses *all = addresses_of(loop);
    if (all == NULL) {
        return NULL;
    }
    known *entry = &all->came[place_of_name(address)];
    if (is_name(entry, address, length)) {
        return Py_NewRef(entry->object);
    }
    PyObject *object = gl_address_object(&address->inet);
    if (object != NULL && length <= sizeof(entry->name)) {
        Py_XSETREF(entry->object, Py_NewRef(object));
        memcpy(&entry->name, address, length);
        entry->length = length;
    }
    return object;
}

/* ---- from the user -------------------------------------------------------------------------- */

/* An item that is exactly an int and at most `most`; -1 if it is not. */
static long
number(PyObject *tuple, Py_ssize_t i, long most)
{
    if (i >= PyTuple_GET_SIZE(tuple)) {
        return 0;
    }
    PyObject *item = PyTuple_GET_ITEM(tuple, i);
    int overflow = 0;
    long value = PyLong_CheckExact(item) ? PyLong_AsLongAndOverflow(item, &overflow) : -1;
    return value >= 0 && value <= most && !overflow ? value : -1;
}

/* Only numeric hosts: whether the address was one. */
static bool
parse_inet(int family, PyObject *object, gl_name *address, socklen_t *length)
{
    Py_ssize_t most = family == AF_INET ? 2 : 4;
    if (!PyTuple_CheckExact(object) || PyTuple_GET_SIZE(object) < 2 ||
        PyTuple_GET_SIZE(object) > most) {
        return false;
    }
    PyObject *host = PyTuple_GET_ITEM(object, 0);
    long port = number(object, 1, 0xffff);
    if (!PyUnicode_CheckExact(host) || !PyUnicode_IS_COMPACT_ASCII(host) || port < 0) {
        return false;
    }
    const char *text = (const char *)PyUnicode_1BYTE_DATA(host);
    memset(address, 0, family == AF_INET ? sizeof(address->in) : sizeof(address->in6));
    if (strlen(text) != (size_t)PyUnicode_GET_LENGTH(host)) {
        return false;
    }
    if (family == AF_INET) {
        *length = sizeof(address->in);
        address->in.sin_family = AF_INET;
        address->in.sin_port = htons((uint16_t)port);
        return inet_pton(AF_INET, text, &address->in.sin_addr) == 1;
    }
    long flow = number(object, 2, 0xfffff), scope = number(object, 3, 0x7fffffff);
    if (flow < 0 || scope < 0) {
        return false;
    }
    *length = sizeof(address->in6);
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = htons((uint16_t)port);
    address->in6.sin6_flowinfo = htonl((uint32_t)flow);
    address->in6.sin6_scope_id = (uint32_t)scope;
    return inet_pton(AF_INET6, text, &address->in6.sin6_addr) == 1;
}

/* A file's path, which is short enough: whether the address was one. */
static bool
parse_unix(PyObject *object, gl_name *address, socklen_t *length)
{
    if (!PyUnicode_CheckExact(object)) {
        return false;
    }
    PyObject *path = PyUnicode_EncodeFSDefault(object);
    if (path == NULL) {
        PyErr_Clear(); /* the socket module fails with it, too, and says so */
        return false;
    }
    size_t n = (size_t)PyBytes_GET_SIZE(path);
    bool fits = n > 0 && n < sizeof(address->un.sun_path) && strlen(PyBytes_AS_STRING(path)) == n;
    if (fits) {
        memset(&address->un, 0, sizeof(address->un));
        address->un.sun_family = AF_UNIX;
        memcpy(address->un.sun_path, PyBytes_AS_STRING(path), n + 1);
        *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    }
    Py_DECREF(path);
    return fits;
}

const struct sockaddr *
gl_name_find(gl_loop *loop, int family, PyObject *object, gl_name *room, socklen_t *length)
{
    if (family == AF_UNIX) {
        return parse_unix(object, room, length) ? &room->any : NULL;
    }
    struct gl_addresses *all = addresses_of(loop);
    if (all == NULL) {
        return NULL;
    }
    known *entry = &all->sent[place((uint64_t)(uintptr_t)object >> 4)];
    if (entry->object == object && entry->name.any.sa_family == family) {
        *length = entry->length;
        return &entry->name.any;
    }
    if (!parse_inet(family, object, room, length)) {
        return NULL;
    }
    Py_XSETREF(entry->object, Py_NewRef(object));
    memcpy(&entry->name, room, *length);
    entry->length = *length;
    return &room->any;
}
