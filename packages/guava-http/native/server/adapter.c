/* adapter.c: a connection of any asyncio transport as a stream of guava_loop.h. So the server is
 * written once: on guava-loop's streams, and through this on the standard loop, on uvloop, and
 * under TLS through asyncio's own sslproto. An Adapter is the transport's BufferedProtocol and the
 * server's guava_stream in one object. */
#include "server/foreign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct guava_stream {
    void *user; /* first: see guava_stream_user() */
    const guava_stream_ops *ops;
};

/* A file on its way. */
typedef struct {
    int fd;
    int64_t offset;
    int64_t left;
    void (*done)(void *arg, int error);
    void *arg;
    int error;
    bool running;
} file;

typedef struct {
    PyObject_HEAD struct guava_stream stream;
    gh_server *server;
    PyObject *transport; /* NULL before connection_made() and after connection_lost() */
    file file;
    int error;    /* for closed() */
    bool closing; /* only closed() is called from now on */
    bool over;    /* the transport has asked us to write no more */
} adapter;

static adapter *
adapter_of(guava_stream *stream)
{
    return (adapter *)((char *)stream - offsetof(adapter, stream));
}

/* ---- calls of the transport ------------------------------------------------------------------
 */

/* Calls a method without arguments and drops what it gives. An exception there means that the
 * transport is unusable: 0 or -EPIPE. */
static int
tell(adapter *self, const char *method)
{
    PyObject *done =
        self->transport == NULL ? NULL : PyObject_CallMethod(self->transport, method, NULL);
    PyErr_Clear();
    Py_XDECREF(done);
    return done == NULL ? -EPIPE : 0;
}

static bool
is_closing(adapter *self)
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
    adapter *self = adapter_of(stream);
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
write_bytes(adapter *self, PyObject *bytes)
{
    /* asyncio logs writes to a transport that is closing. */
    bool usable = bytes != NULL && !self->closing && !is_closing(self);
    PyObject *done = usable ? PyObject_CallMethod(self->transport, "write", "O", bytes) : NULL;
    if (done == NULL) {
        PyErr_Clear();
        (void)tell(self, "abort");
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
    int result = write_bytes(adapter_of(stream), bytes);
    Py_XDECREF(bytes);
    return result;
}

static void
stream_watermarks(guava_stream *stream, size_t low, size_t high)
{
    adapter *self = adapter_of(stream);
    PyObject *done = PyObject_CallMethod(self->transport, "set_write_buffer_limits", "nn",
                                         (Py_ssize_t)high, (Py_ssize_t)low);
    PyErr_Clear(); /* a transport without limits never asks us to pause */
    Py_XDECREF(done);
}

static int
stream_read_pause(guava_stream *stream)
{
    return tell(adapter_of(stream), "pause_reading");
}

static int
stream_read_resume(guava_stream *stream)
{
    return tell(adapter_of(stream), "resume_reading");
}

static int
stream_shutdown(guava_stream *stream)
{
    adapter *self = adapter_of(stream);
    /* TLS has no half-closed connections: there the close that follows must do. */
    return self->server->secure ? -ENOTSUP : tell(self, "write_eof");
}

static void
stream_close(guava_stream *stream)
{
    adapter *self = adapter_of(stream);
    self->closing = true;
    (void)tell(self, "close");
}

static void
stream_abort(guava_stream *stream, int error)
{
    adapter *self = adapter_of(stream);
    self->closing = true;
    self->error = error;
    (void)tell(self, "abort");
}

/* ---- addresses -------------------------------------------------------------------------------
 */

static int
fill_name(PyObject *pair, struct sockaddr *name, int *length)
{
    const char *host;
    int port;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
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
    adapter *self = adapter_of(stream);
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

static int
stream_fileno(guava_stream *stream)
{
    adapter *self = adapter_of(stream);
    PyObject *socket = PyObject_CallMethod(self->transport, "get_extra_info", "s", "socket");
    int fd = socket == NULL ? -1 : PyObject_AsFileDescriptor(socket);
    PyErr_Clear();
    Py_XDECREF(socket);
    return fd;
}

/* ---- files -----------------------------------------------------------------------------------
 */

static void
file_done(void *arg)
{
    adapter *self = arg;
    file ended = self->file;
    self->file = (file){0};
    ended.done(ended.arg, ended.error);
    Py_DECREF(self);
}

static void
file_end(adapter *self, int error)
{
    self->file.error = error;
    self->file.left = -1;
    Py_INCREF(self);
    /* Never from inside sendfile(). */
    if (gh_foreign_defer((guava_loop *)self->server->foreign, file_done, self) < 0) {
        PyErr_Clear();
        Py_DECREF(self);
    }
}

/* Reads and sends until the transport has enough, or all is sent. */
static void
file_go_on(adapter *self)
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
            file_end(self, error);
            return;
        }
        self->file.offset += got;
        self->file.left -= got;
    }
    if (self->file.left == 0)
        file_end(self, 0);
}

static int
stream_sendfile(guava_stream *stream, int fd, int64_t offset, int64_t length,
                void (*done)(void *arg, int error), void *arg)
{
    adapter *self = adapter_of(stream);
    if (self->closing || self->file.running)
        return -EPIPE;
    self->file = (file){fd, offset, length, done, arg, 0, true};
    file_go_on(self);
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
    return (guava_loop *)adapter_of(stream)->server->foreign;
}

static void
stream_ref(guava_stream *stream)
{
    Py_INCREF(adapter_of(stream));
}

static void
stream_unref(guava_stream *stream)
{
    Py_DECREF(adapter_of(stream));
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

/* ---- the protocol ----------------------------------------------------------------------------
 */

static int
adapter_init(adapter *self, PyObject *args, PyObject *kwargs)
{
    PyObject *server;
    PyObject *module = PyType_GetModule(Py_TYPE(self));
    if (module == NULL || !PyArg_ParseTuple(args, "O:Adapter", &server))
        return -1;
    gh_module *state = PyModule_GetState(module);
    if (!Py_IS_TYPE(server, state->server->server_type) ||
        ((gh_server *)server)->foreign == NULL || self->server != NULL) {
        PyErr_SetString(PyExc_TypeError,
                        "an adapter is made once, for a server on an asyncio loop");
        return -1;
    }
    self->server = (gh_server *)Py_NewRef(server);
    return 0;
}

static PyObject *
adapter_connection_made(adapter *self, PyObject *transport)
{
    if (self->server == NULL || self->transport != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "an adapter serves one connection");
        return NULL;
    }
    self->transport = Py_NewRef(transport);
    stream_watermarks(&self->stream, GH_HIGH_WATER / 4, GH_HIGH_WATER);
    if (gh_peer_accept(&self->stream, self->server) < 0)
        return NULL;
    /* While reading is paused nothing but the transport refers to us, and nothing but us to the
     * transport: the collector would take both. */
    if (self->stream.ops != NULL)
        Py_INCREF(self);
    Py_RETURN_NONE;
}

static void
lose(adapter *self, int error)
{
    const guava_stream_ops *ops = self->stream.ops;
    self->closing = true;
    self->stream.ops = NULL;
    if (self->file.running && self->file.left >= 0)
        file_end(self, -EPIPE);
    if (ops != NULL) {
        ops->closed(&self->stream, error);
        Py_DECREF(self);
    }
}

static PyObject *
adapter_connection_lost(adapter *self, PyObject *exception)
{
    int error = self->error == 0 && exception != Py_None ? -ECONNRESET : self->error;
    Py_INCREF(self);
    lose(self, error);
    Py_CLEAR(self->transport);
    Py_DECREF(self);
    Py_RETURN_NONE;
}

void
gh_adapter_forget(guava_stream *stream)
{
    lose(adapter_of(stream), -ECANCELED);
}

static PyObject *
adapter_get_buffer(adapter *self, PyObject *Py_UNUSED(hint))
{
    if (self->server == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the adapter has no server");
        return NULL;
    }
    return Py_NewRef(self->server->foreign->view);
}

/* What a callback of the server gives: an exception of it goes to the loop, and ends the stream.
 */
static PyObject *
after(adapter *self, int result)
{
    if (result < 0) {
        gh_foreign_error((guava_loop *)self->server->foreign, "in a connection", (PyObject *)self);
        stream_abort(&self->stream, 0);
    }
    Py_RETURN_NONE;
}

static PyObject *
adapter_buffer_updated(adapter *self, PyObject *size)
{
    size_t n = PyLong_AsSize_t(size);
    if (PyErr_Occurred())
        return NULL;
    if (self->closing || self->stream.ops == NULL || n == 0 || n > GH_FOREIGN_READ)
        Py_RETURN_NONE;
    return after(self, self->stream.ops->data(&self->stream, self->server->foreign->bytes, n));
}

static PyObject *
adapter_eof_received(adapter *self, PyObject *Py_UNUSED(ignored))
{
    if (self->closing || self->stream.ops == NULL)
        Py_RETURN_NONE;
    int result = self->stream.ops->eof(&self->stream);
    /* True: we still answer. TLS cannot, and sslproto would complain. */
    if (result == 0 && !self->server->secure)
        Py_RETURN_TRUE;
    return after(self, result);
}

static PyObject *
adapter_pause_writing(adapter *self, PyObject *Py_UNUSED(ignored))
{
    self->over = true;
    Py_RETURN_NONE;
}

static PyObject *
adapter_resume_writing(adapter *self, PyObject *Py_UNUSED(ignored))
{
    self->over = false;
    if (self->file.running)
        file_go_on(self);
    if (self->closing || self->stream.ops == NULL)
        Py_RETURN_NONE;
    return after(self, self->stream.ops->drain(&self->stream));
}

static int
adapter_traverse(adapter *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->server);
    Py_VISIT(self->transport);
    return 0;
}

static int
adapter_clear(adapter *self)
{
    Py_CLEAR(self->transport);
    return 0;
}

static void
adapter_dealloc(adapter *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)adapter_clear(self);
    Py_CLEAR(self->server);
    type->tp_free(self);
    Py_DECREF(type);
}

#define METHOD(name, flags) {#name, (PyCFunction)adapter_##name, flags, NULL}

static PyMethodDef adapter_methods[] = {
    METHOD(connection_made, METH_O),     METHOD(connection_lost, METH_O),
    METHOD(get_buffer, METH_O),          METHOD(buffer_updated, METH_O),
    METHOD(eof_received, METH_NOARGS),   METHOD(pause_writing, METH_NOARGS),
    METHOD(resume_writing, METH_NOARGS), {NULL},
};

static PyType_Slot adapter_slots[] = {
    {Py_tp_doc, "A connection of any asyncio transport, for a server's Python half."},
    {Py_tp_init, adapter_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, adapter_traverse},
    {Py_tp_clear, adapter_clear},
    {Py_tp_dealloc, adapter_dealloc},
    {Py_tp_methods, adapter_methods},
    {0, NULL},
};

static PyType_Spec adapter_spec = {
    .name = "guava_http._core.Adapter",
    .basicsize = sizeof(adapter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = adapter_slots,
};

int
gh_adapter_register(PyObject *module, struct gh_server_part *part)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *base = asyncio == NULL ? NULL : PyObject_GetAttrString(asyncio, "BufferedProtocol");
    if (base != NULL)
        part->adapter_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &adapter_spec, base);
    Py_XDECREF(base);
    Py_XDECREF(asyncio);
    return part->adapter_type == NULL ? -1 : PyModule_AddType(module, part->adapter_type);
}
