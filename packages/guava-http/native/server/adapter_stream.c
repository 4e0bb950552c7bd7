/* adapter_stream.c: the streams' half of the loop's table, over the methods of a transport. It
 * makes neither listeners nor streams: asyncio does that. */
#include "server/adapter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- calls of the transport ------------------------------------------------------------------
 */

/* Calls a method without arguments and drops what it gives. An exception there means that the
 * transport is unusable: 0 or -EPIPE. */
static int
tell(gh_adapter *self, const char *method)
{
    PyObject *done = NULL;
    if (self->transport != NULL)
        done = PyObject_CallMethod(self->transport, method, NULL);
    if (done == NULL && self->transport != NULL && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        /* What is not closed for want of a few bytes would stay open. */
        PyErr_WriteUnraisable(self->transport);
        done = PyObject_CallMethod(self->transport, method, NULL);
    }
    PyErr_Clear();
    Py_XDECREF(done);
    return done == NULL ? -EPIPE : 0;
}

/* The same for close() and abort(). asyncio's transports end twice, the second time with an
 * exception, when that happens while they tell their protocol to write on. */
static void
end(gh_adapter *self, const char *method)
{
    PyObject *done = NULL;
    if (self->resumed && self->transport != NULL) {
        PyObject *call = PyObject_GetAttrString(self->transport, method);
        if (call != NULL)
            done = PyObject_CallMethod(self->server->loop_object, "call_soon", "O", call);
        PyErr_Clear();
        Py_XDECREF(call);
    }
    if (done == NULL)
        (void)tell(self, method);
    Py_XDECREF(done);
}

static bool
is_closing(gh_adapter *self)
{
    PyObject *closing = PyObject_CallMethod(self->transport, "is_closing", NULL);
    int result = closing == NULL ? 1 : PyObject_IsTrue(closing);
    PyErr_Clear();
    Py_XDECREF(closing);
    return result != 0;
}

static size_t
stream_queued(guava_stream *stream)
{
    gh_adapter *self = gh_adapter_of(stream);
    PyObject *size = self->transport == NULL
                         ? NULL
                         : PyObject_CallMethod(self->transport, "get_write_buffer_size", NULL);
    size_t n = size == NULL ? 0 : PyLong_AsSize_t(size);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        n = 0;
    }
    Py_XDECREF(size);
    return n;
}

static PyObject *
join(const guava_buf *bufs, unsigned n)
{
    size_t size = 0;
    for (unsigned i = 0; i < n; i++)
        size += bufs[i].len;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes == NULL)
        return NULL;
    char *at = PyBytes_AS_STRING(bytes);
    for (unsigned i = 0; i < n; i++) {
        memcpy(at, bufs[i].base, bufs[i].len);
        at += bufs[i].len;
    }
    return bytes;
}

static int
write_bytes(gh_adapter *self, PyObject *bytes)
{
    /* asyncio logs writes to a transport that is closing. */
    bool usable = bytes != NULL && !self->closing && !is_closing(self);
    PyObject *done = usable ? PyObject_CallMethod(self->transport, "write", "O", bytes) : NULL;
    if (done == NULL) {
        PyErr_Clear();
        end(self, "abort");
        return -EPIPE;
    }
    Py_DECREF(done);
    return stream_queued(&self->stream) > 0 ? 1 : 0;
}

static int
stream_write(guava_stream *stream, const guava_buf *bufs, unsigned n, void (*release)(void *arg),
             void *arg)
{
    PyObject *bytes = join(bufs, n);
    if (release != NULL)
        release(arg);
    int result = write_bytes(gh_adapter_of(stream), bytes);
    Py_XDECREF(bytes);
    return result;
}

static void
stream_watermarks(guava_stream *stream, size_t low, size_t high)
{
    gh_adapter *self = gh_adapter_of(stream);
    PyObject *done = PyObject_CallMethod(self->transport, "set_write_buffer_limits", "nn",
                                         (Py_ssize_t)high, (Py_ssize_t)low);
    PyErr_Clear(); /* a transport without limits never asks us to pause */
    Py_XDECREF(done);
}

static int
stream_read_pause(guava_stream *stream)
{
    return tell(gh_adapter_of(stream), "pause_reading");
}

static int
stream_read_resume(guava_stream *stream)
{
    return tell(gh_adapter_of(stream), "resume_reading");
}

static int
stream_shutdown(guava_stream *stream)
{
    gh_adapter *self = gh_adapter_of(stream);
    /* TLS has no half-closed connections: there the close that follows must do. */
    return self->server->secure ? -ENOTSUP : tell(self, "write_eof");
}

static void
stream_close(guava_stream *stream)
{
    gh_adapter *self = gh_adapter_of(stream);
    self->closing = true;
    end(self, "close");
}

static int
stream_fileno(guava_stream *stream)
{
    gh_adapter *self = gh_adapter_of(stream);
    PyObject *socket = PyObject_CallMethod(self->transport, "get_extra_info", "s", "socket");
    int fd = socket == NULL ? -1 : PyObject_AsFileDescriptor(socket);
    PyErr_Clear();
    Py_XDECREF(socket);
    return fd;
}

static void
stream_abort(guava_stream *stream, int error)
{
    gh_adapter *self = gh_adapter_of(stream);
    self->closing = true;
    self->error = error;
    if (error == -ECONNRESET) {
        struct linger none = {.l_onoff = 1};
        /* Where it does not work the peer sees an end like any other. */
        (void)setsockopt(stream_fileno(stream), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    }
    end(self, "abort");
}

/* ---- addresses -------------------------------------------------------------------------------
 */

/* "" for a client without a name, bytes for one that begins with a NUL. */
static int
fill_unix_name(PyObject *path, struct sockaddr *name, int *length)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    PyObject *bytes;
    if (!PyUnicode_FSConverter(path, &bytes)) {
        /* It has a NUL, as a str must not. */
        PyErr_Clear();
        bytes = PyBytes_Check(path) ? Py_NewRef(path) : NULL;
    }
    if (bytes == NULL)
        return -EAFNOSUPPORT;
    size_t n = (size_t)PyBytes_GET_SIZE(bytes);
    bool fits = n <= sizeof(un.sun_path) && *length >= (int)sizeof(un);
    if (fits) {
        memcpy(un.sun_path, PyBytes_AS_STRING(bytes), n);
        memcpy(name, &un, sizeof(un));
        *length = (int)(offsetof(struct sockaddr_un, sun_path) + n);
    }
    Py_DECREF(bytes);
    return fits ? 0 : -EAFNOSUPPORT;
}

static int
fill_name(PyObject *pair, struct sockaddr *name, int *length)
{
    const char *host;
    int port;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (PyUnicode_Check(pair) || PyBytes_Check(pair))
        return fill_unix_name(pair, name, length);
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) < 2)
        return -EAFNOSUPPORT;
    host = PyUnicode_AsUTF8(PyTuple_GET_ITEM(pair, 0));
    port = (int)PyLong_AsLong(PyTuple_GET_ITEM(pair, 1));
    if (host == NULL || PyErr_Occurred())
        return -EAFNOSUPPORT;
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1 && *length >= (int)sizeof(in)) {
        in.sin_port = htons((uint16_t)port);
        memcpy(name, &in, sizeof(in));
        *length = sizeof(in);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1 && *length >= (int)sizeof(in6)) {
        in6.sin6_port = htons((uint16_t)port);
        memcpy(name, &in6, sizeof(in6));
        *length = sizeof(in6);
        return 0;
    }
    return -EAFNOSUPPORT;
}

static int
read_name(guava_stream *stream, const char *which, struct sockaddr *name, int *length)
{
    gh_adapter *self = gh_adapter_of(stream);
    PyObject *pair = PyObject_CallMethod(self->transport, "get_extra_info", "s", which);
    int result = pair == NULL ? -ENOTCONN : fill_name(pair, name, length);
    PyErr_Clear();
    Py_XDECREF(pair);
    return result;
}

static int
stream_peername(guava_stream *stream, struct sockaddr *name, int *length)
{
    return read_name(stream, "peername", name, length);
}

static int
stream_sockname(guava_stream *stream, struct sockaddr *name, int *length)
{
    return read_name(stream, "sockname", name, length);
}

/* ---- files -----------------------------------------------------------------------------------
 */

static void
file_done(void *arg)
{
    gh_adapter *self = arg;
    gh_adapter_file ended = self->file;
    self->file = (gh_adapter_file){0};
    ended.done(ended.arg, ended.error);
    Py_DECREF(self);
}

void
gh_adapter_end_file(gh_adapter *self, int error)
{
    self->file.error = error;
    self->file.left = -1;
    /* Never from inside sendfile(). */
    if (gh_foreign_defer((guava_loop *)self->server->foreign, file_done, self) == 0) {
        self->file.ended = true;
        Py_INCREF(self);
    } else {
        PyErr_WriteUnraisable((PyObject *)self);
        stream_abort(&self->stream, -ENOMEM); /* connection_lost() tries again */
    }
}

/* Reads and sends until the transport has enough, or all is sent. */
void
gh_adapter_send_file(gh_adapter *self)
{
    while (self->file.left > 0 && !self->over) {
        int64_t left = self->file.left;
        size_t n = left < GH_FOREIGN_READ ? (size_t)left : GH_FOREIGN_READ;
        PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
        ssize_t got = bytes == NULL
                          ? -1
                          : pread(self->file.fd, PyBytes_AS_STRING(bytes), n, self->file.offset);
        int error = got < 0 ? (bytes == NULL ? -ENOMEM : -errno) : got == 0 ? -ENODATA : 0;
        if (error == 0 && (size_t)got < n && _PyBytes_Resize(&bytes, got) < 0)
            error = -ENOMEM;
        if (error == 0 && write_bytes(self, bytes) < 0)
            error = -EPIPE;
        PyErr_Clear();
        Py_XDECREF(bytes);
        if (error < 0) {
            gh_adapter_end_file(self, error);
            return;
        }
        self->file.offset += got;
        self->file.left -= got;
    }
    if (self->file.left == 0)
        gh_adapter_end_file(self, 0);
}

static int
stream_sendfile(guava_stream *stream, int fd, int64_t offset, int64_t length,
                void (*done)(void *arg, int error), void *arg)
{
    gh_adapter *self = gh_adapter_of(stream);
    if (self->closing || self->file.running)
        return -EPIPE;
    self->file = (gh_adapter_file){fd, offset, length, done, arg, 0, true};
    gh_adapter_send_file(self);
    return 0;
}

/* ---- the table -------------------------------------------------------------------------------
 */

static void
stream_set_ops(guava_stream *stream, const guava_stream_ops *ops, void *user)
{
    stream->ops = ops;
    stream->user = user;
}

static void *
stream_user(guava_stream *stream)
{
    return stream->user;
}

static guava_loop *
stream_loop(guava_stream *stream)
{
    return (guava_loop *)gh_adapter_of(stream)->server->foreign;
}

static void
stream_ref(guava_stream *stream)
{
    Py_INCREF(gh_adapter_of(stream));
}

static void
stream_unref(guava_stream *stream)
{
    Py_DECREF(gh_adapter_of(stream));
}

/* Without the functions that make listeners and streams: asyncio does that. */
const guava_loop_api gh_adapter_api = {
    .abi = GUAVA_LOOP_ABI,
    .size = sizeof(guava_loop_api),
    .from_object = gh_foreign_from_object,
    .object = gh_foreign_object,
    .running = gh_foreign_running,
    .time = gh_foreign_time,
    .http_date = gh_foreign_http_date,
    .tick = gh_foreign_tick,
    .defer = gh_foreign_defer,
    .post = gh_foreign_post,
    .on_tick = gh_foreign_on_tick,
    .off_tick = gh_foreign_off_tick,
    .error = gh_foreign_error,
    .set_ops = stream_set_ops,
    .user = stream_user,
    .loop_of = stream_loop,
    .write = stream_write,
    .queued = stream_queued,
    .watermarks = stream_watermarks,
    .read_pause = stream_read_pause,
    .read_resume = stream_read_resume,
    .sendfile = stream_sendfile,
    .shutdown = stream_shutdown,
    .close = stream_close,
    .abort = stream_abort,
    .peername = stream_peername,
    .sockname = stream_sockname,
    .fileno = stream_fileno,
    .ref = stream_ref,
    .unref = stream_unref,
    .step = gh_foreign_step,
};
