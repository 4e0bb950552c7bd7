/* file_body.c: FileBody, a range of an open file as a response's body. The server sends it with
 * sendfile(2); it never passes through Python. It owns its descriptor, so the file that was
 * checked is the file that is sent. */
#include "types/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <structmember.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    PyObject_HEAD int fd; /* -1: closed */
    long long offset;
    long long length;
} file_body;

enum { FILE_, OFFSET, LENGTH, OWN, PARAMS };

/* ---- helpers ------------------------------------------------------------------------------- */

static int
open_path(PyObject *path)
{
    PyObject *bytes;
    if (!PyUnicode_FSConverter(path, &bytes))
        return -1;
    int fd;
    Py_BEGIN_ALLOW_THREADS;
    /* O_NONBLOCK: a FIFO must not hang the server; on a regular file it means nothing. */
    fd = open(PyBytes_AS_STRING(bytes), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    Py_END_ALLOW_THREADS;
    Py_DECREF(bytes);
    if (fd < 0)
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    return fd;
}

static int
open_file(PyObject *file, bool own)
{
    int is_path = PyUnicode_Check(file) || PyBytes_Check(file) ? 1 : gh_has(file, "__fspath__");
    if (is_path != 0)
        return is_path < 0 ? -1 : open_path(file);
    int is_open = PyLong_Check(file) ? 1 : gh_has(file, "fileno");
    if (is_open < 0)
        return -1;
    if (is_open == 0) {
        PyErr_Format(PyExc_TypeError,
                     "a FileBody's file is a path, a file descriptor or an open file, not %.200s",
                     Py_TYPE(file)->tp_name);
        return -1;
    }
    int fd = PyObject_AsFileDescriptor(file);
    if (fd < 0 || own)
        return fd;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        PyErr_SetFromErrno(PyExc_OSError);
    return copy;
}

/* A descriptor that is already the caller's own and has its length needs no look at the file: the
 * caller has had it. */
static int
set_range(file_body *self, PyObject *offset, PyObject *length, bool own)
{
    struct stat info = {.st_size = 0};
    self->offset = offset == NULL ? 0 : PyLong_AsLongLong(offset);
    if (self->offset == -1 && PyErr_Occurred())
        return -1;
    bool open_end = length == NULL || length == Py_None;
    self->length = open_end ? 0 : PyLong_AsLongLong(length);
    if (self->length == -1 && PyErr_Occurred())
        return -1;
    if (self->offset < 0 || self->length < 0) {
        PyErr_SetString(PyExc_ValueError, "a FileBody's offset and length are not negative");
        return -1;
    }
    if (own && !open_end)
        return 0;
    if (fstat(self->fd, &info) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (!S_ISREG(info.st_mode)) {
        PyErr_SetString(PyExc_ValueError, "a FileBody's file is a regular file");
        return -1;
    }
    long long size = (long long)info.st_size;
    if (self->offset > size || self->length > size - self->offset) {
        PyErr_Format(PyExc_ValueError, "a FileBody of %lld bytes from %lld on, in a file of %lld",
                     self->length, self->offset, size);
        return -1;
    }
    if (open_end)
        self->length = size - self->offset;
    return 0;
}

static void
close_fd(file_body *self)
{
    if (self->fd >= 0)
        (void)close(self->fd); /* opened for reading: nothing can be lost */
    self->fd = -1;
}

PyObject *
gh_file_body_own(gh_types *types, int fd, int64_t size)
{
    file_body *self = (file_body *)types->file_body->tp_alloc(types->file_body, 0);
    if (self == NULL) {
        (void)close(fd);
        return NULL;
    }
    self->fd = fd;
    self->offset = 0;
    self->length = size;
    return (PyObject *)self;
}

int
gh_file_body_check(PyObject *module, PyObject *object)
{
    return PyObject_TypeCheck(object, gh_types_of(module)->file_body);
}

int
gh_file_body_get(PyObject *object, int *fd, int64_t *offset, int64_t *length)
{
    file_body *self = (file_body *)object;
    if (self->fd < 0) {
        PyErr_SetString(PyExc_ValueError, "the FileBody has been closed");
        return -1;
    }
    *fd = self->fd;
    *offset = self->offset;
    *length = self->length;
    return 0;
}

/* ---- new, dealloc -------------------------------------------------------------------------- */

static PyObject *
file_body_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static const char *const names[PARAMS] = {"file", "offset", "length", "own"};
    static const gh_signature sig = {"FileBody", names, PARAMS, 3, 1};
    PyObject *values[PARAMS];
    if (gh_bind_tuple(&sig, args, kwargs, values) < 0)
        return NULL;
    int own = values[OWN] == NULL ? 0 : PyObject_IsTrue(values[OWN]);
    if (own > 0 && !PyLong_Check(values[FILE_])) {
        PyErr_SetString(PyExc_TypeError, "own=True is for a file descriptor");
        return NULL;
    }
    file_body *self = own < 0 ? NULL : (file_body *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->fd = open_file(values[FILE_], own);
    if (self->fd >= 0 && set_range(self, values[OFFSET], values[LENGTH], own) == 0)
        return (PyObject *)self;
    /* What failed has not taken the caller's descriptor. */
    if (own)
        self->fd = -1;
    Py_DECREF(self);
    return NULL;
}

static void
file_body_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    close_fd((file_body *)op);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

static PyObject *
file_body_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    close_fd((file_body *)op);
    Py_RETURN_NONE;
}

static PyObject *
file_body_fileno(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    int fd;
    int64_t offset;
    int64_t length;
    return gh_file_body_get(op, &fd, &offset, &length) < 0 ? NULL : PyLong_FromLong(fd);
}

static PyObject *
file_body_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(op);
}

static PyObject *
file_body_exit(PyObject *op, PyObject *args)
{
    close_fd((file_body *)op);
    Py_RETURN_NONE;
}

static PyObject *
file_body_closed(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((file_body *)op)->fd < 0);
}

static PyObject *
file_body_repr(PyObject *op)
{
    file_body *self = (file_body *)op;
    return PyUnicode_FromFormat("<FileBody of %lld bytes from %lld on, descriptor %d>",
                                self->length, self->offset, self->fd);
}

static PyMethodDef file_body_methods[] = {
    {"close", file_body_close, METH_NOARGS,
     "close($self)\n--\n\nCloses the descriptor; the server does it after sending."},
    {"fileno", file_body_fileno, METH_NOARGS,
     "fileno($self)\n--\n\nThe file descriptor. ValueError: it is closed."},
    {"__enter__", file_body_enter, METH_NOARGS, NULL},
    {"__exit__", file_body_exit, METH_VARARGS, NULL},
    {NULL},
};

static PyMemberDef file_body_members[] = {
    {"offset", T_LONGLONG, offsetof(file_body, offset), READONLY, "int: the first byte to send"},
    {"length", T_LONGLONG, offsetof(file_body, length), READONLY, "int: how many bytes to send"},
    {NULL},
};

static PyGetSetDef file_body_getset[] = {
    {"closed", file_body_closed, NULL, "bool: the descriptor is closed"},
    {NULL},
};

PyDoc_STRVAR(
    file_body_doc,
    "FileBody(file, offset=0, length=None, *, own=False)\n--\n\n"
    "A range of a regular file as a response's body, sent without copying.\n\n"
    "file: a path, a file descriptor or an open file; a descriptor is duplicated, or with\n"
    "own=True taken over. offset, length: int, bytes; without length up to the end.\n"
    "OSError: it cannot be opened. ValueError: it is not a regular file, or shorter.");

static PyType_Slot file_body_slots[] = {
    {Py_tp_doc, (void *)file_body_doc}, {Py_tp_new, file_body_new},
    {Py_tp_dealloc, file_body_dealloc}, {Py_tp_methods, file_body_methods},
    {Py_tp_members, file_body_members}, {Py_tp_getset, file_body_getset},
    {Py_tp_repr, file_body_repr},       {0, NULL},
};

static PyType_Spec file_body_spec = {
    .name = "guava_http.FileBody",
    .basicsize = sizeof(file_body),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = file_body_slots,
};

int
gh_file_body_register(PyObject *module, gh_types *types)
{
    types->file_body = gh_add_type(module, &file_body_spec, NULL);
    return types->file_body == NULL ? -1 : 0;
}
