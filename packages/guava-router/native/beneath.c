/* beneath.c: open_beneath, which opens a file that is certainly inside a directory.
 *
 * Comparing path names cannot promise that: a link may be put in place between the comparison and
 * the opening. So the kernel resolves the path below the directory's descriptor (Linux 5.6,
 * openat2(2)), and where it cannot, each component is opened on its own without following links.
 */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#include <sys/syscall.h>
#define HAVE_OPENAT2 1
#endif
#endif

/* O_NONBLOCK: a FIFO must not hold the server. O_NOCTTY: nor may a terminal take it over. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

#ifdef O_PATH
#define STEP_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#else
#define STEP_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#endif

/* A directory that is renamed meanwhile makes openat2() give up with EAGAIN. */
#define TRIES 8

static int
open_by_kernel(int root, const char *path, int follow)
{
#ifdef HAVE_OPENAT2
    struct open_how how = {
        .flags = OPEN_FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (follow ? 0 : RESOLVE_NO_SYMLINKS),
    };
    for (int i = 0; i < TRIES; i++) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            return (int)fd;
    }
    return -1;
#else
    errno = ENOSYS;
    return -1;
#endif
}

/* Opens one component; `text` is not a dot segment. */
static int
open_component(int dir, const char *text, size_t n, int flags)
{
    char name[NAME_MAX + 1];
    if (n > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, text, n);
    name[n] = '\0';
    if (n == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EXDEV; /* what the kernel answers to an escape */
        return -1;
    }
    return openat(dir, name, flags);
}

static int
open_by_walking(int root, const char *path)
{
    int dir = root;
    if (strcmp(path, ".") == 0)
        return openat(root, ".", OPEN_FLAGS | O_DIRECTORY);
    for (const char *at = path;;) {
        const char *stop = strchr(at, '/');
        size_t n = stop == NULL ? strlen(at) : (size_t)(stop - at);
        int fd = open_component(dir, at, n, stop == NULL ? OPEN_FLAGS | O_NOFOLLOW : STEP_FLAGS);
        int reason = errno;
        if (dir != root)
            (void)close(dir);
        errno = reason;
        if (fd < 0 || stop == NULL)
            return fd;
        dir = fd;
        at = stop + 1;
    }
}

static PyObject *
open_with(PyObject *args, int by_kernel)
{
    int root, fd, follow = 0;
    Py_ssize_t n;
    PyObject *path;
    if (!PyArg_ParseTuple(args, "iU|p", &root, &path, &follow))
        return NULL;
    const char *bytes = PyUnicode_AsUTF8AndSize(path, &n);
    if (bytes == NULL)
        return NULL;
    if (strlen(bytes) != (size_t)n) {
        PyErr_SetString(PyExc_ValueError, "embedded null character");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS errno = ENOSYS;
    fd = by_kernel ? open_by_kernel(root, bytes, follow) : -1;
    /* EPERM: some containers refuse the calls that they do not know. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open_by_walking(root, bytes);
    Py_END_ALLOW_THREADS if (fd < 0) return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError,
                                                                                 path);
    PyObject *result = PyLong_FromLong(fd);
    if (result == NULL)
        (void)close(fd);
    return result;
}

PyDoc_STRVAR(
    open_beneath_doc,
    "open_beneath($module, root_fd, path, follow_symlinks=False, /)\n--\n\n"
    "Opens `path` (a str relative to the directory root_fd, '.' for itself) for reading and\n"
    "returns the file descriptor, which does not block and is closed on exec. Nothing outside of\n"
    "the directory is ever opened. Symbolic links are refused, or followed as long as they stay\n"
    "inside if follow_symlinks is true and the kernel has openat2(2) (Linux 5.6).\n"
    "Raises OSError (EXDEV for a path that leaves the directory, ELOOP for a refused link),\n"
    "ValueError for a NUL in the path, UnicodeEncodeError for text without a UTF-8 form.");

static PyObject *
open_beneath(PyObject *module, PyObject *args)
{
    return open_with(args, 1);
}

PyDoc_STRVAR(open_walking_doc, "_open_walking($module, root_fd, path, follow_symlinks=False, /)\n"
                               "--\n\nopen_beneath() as on a kernel without openat2(2).");

static PyObject *
open_walking(PyObject *module, PyObject *args)
{
    return open_with(args, 0);
}

static PyMethodDef beneath_methods[] = {
    {"open_beneath", open_beneath, METH_VARARGS, open_beneath_doc},
    {"_open_walking", open_walking, METH_VARARGS, open_walking_doc},
    {NULL},
};

int
gr_beneath_register(PyObject *module)
{
    return PyModule_AddFunctions(module, beneath_methods);
}
