/* stream_probe.c: the streams and listeners of guava_loop.h with a Python face, for the tests. It
 * is written against the published header only, as another project's module would be.
 *
 * Stream's methods data, eof, drain and closed are what the loop calls; tests override them. */
#define PY_SSIZE_T_CLEAN
#include <guava_loop.h>

static const guava_loop_api *api; /* the tests use one interpreter */

typedef struct {
    PyObject_HEAD guava_stream *stream; /* referenced; NULL before it is opened */
    PyObject *loop;
    char *buffer; /* what alloc() gives, or NULL */
    size_t cap;
    int open; /* closed() has not come */
} Stream;

static PyTypeObject *stream_type;

/* 0, or -1 as the Python method raised. */
static int
tell(PyObject *self, const char *name, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    PyObject *args = Py_VaBuildValue(format, values);
    va_end(values);
    PyObject *method = args ? PyObject_GetAttrString(self, name) : NULL;
    PyObject *result = method ? PyObject_CallObject(method, args) : NULL;
    Py_XDECREF(method);
    Py_XDECREF(args);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* ---- the callbacks -------------------------------------------------------------------------- */

static char *
on_alloc(guava_stream *stream, size_t *cap)
{
    Stream *self = guava_stream_user(stream);
    *cap = self->cap;
    return self->buffer;
}

static int
on_data(guava_stream *stream, char *bytes, size_t n)
{
    return tell(api->user(stream), "data", "(y#)", bytes, (Py_ssize_t)n);
}

static int
on_eof(guava_stream *stream)
{
    return tell(guava_stream_user(stream), "eof", "()");
}

static int
on_drain(guava_stream *stream)
{
    return tell(guava_stream_user(stream), "drain", "()");
}

static void
on_closed(guava_stream *stream, int error)
{
    Stream *self = guava_stream_user(stream);
    self->open = 0;
    if (tell((PyObject *)self, "closed", "(i)", error) < 0) {
        api->error(api->loop_of(stream), "closed() of a probe", (PyObject *)self);
    }
    Py_DECREF(self); /* the loop's own */
}

static const guava_stream_ops all_ops = {on_alloc, on_data, on_eof, on_drain, on_closed};
static const guava_stream_ops few_ops = {NULL, on_data, NULL, NULL, on_closed};
static const guava_stream_ops only_closed = {NULL, NULL, NULL, NULL, on_closed};

static const guava_stream_ops *
ops_named(const char *name)
{
    return strcmp(name, "all") == 0   ? &all_ops
           : strcmp(name, "few") == 0 ? &few_ops
                                      : &only_closed;
}

/* ---- Stream --------------------------------------------------------------------------------- */

static guava_loop *
loop_from(PyObject *object)
{
    return api->from_object(object);
}

static PyObject *
stream_open(PyObject *op, PyObject *args)
{
    Stream *self = (Stream *)op;
    PyObject *object;
    int fd;
    const char *ops = "all";
    if (!PyArg_ParseTuple(args, "Oi|s", &object, &fd, &ops)) {
        return NULL;
    }
    guava_loop *loop = loop_from(object);
    guava_stream *stream;
    if (loop == NULL || api->open(loop, fd, ops_named(ops), self, &stream) < 0) {
        return NULL;
    }
    api->ref(stream);
    self->stream = stream;
    self->open = 1;
    self->loop = Py_NewRef(object);
    Py_INCREF(self);
    Py_RETURN_NONE;
}

static PyObject *
stream_set_ops(PyObject *op, PyObject *args)
{
    Stream *self = (Stream *)op;
    const char *ops;
    if (!PyArg_ParseTuple(args, "s", &ops)) {
        return NULL;
    }
    api->set_ops(self->stream, ops_named(ops), self);
    Py_RETURN_NONE;
}

static PyObject *
stream_buffer(PyObject *op, PyObject *args)
{
    Stream *self = (Stream *)op;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "n", &size)) {
        return NULL;
    }
    PyMem_Free(self->buffer);
    self->buffer = size ? PyMem_Malloc((size_t)size) : NULL;
    self->cap = (size_t)size;
    Py_RETURN_NONE;
}

typedef struct {
    PyObject *callback; /* or NULL */
    Py_ssize_t n;
    Py_buffer views[];
} borrowed;

static void
release_borrowed(void *arg)
{
    borrowed *b = arg;
    for (Py_ssize_t i = 0; i < b->n; i++) {
        PyBuffer_Release(&b->views[i]);
    }
    if (b->callback) {
        PyObject *result = PyObject_CallNoArgs(b->callback);
        if (result == NULL) {
            PyErr_WriteUnraisable(b->callback);
        }
        Py_XDECREF(result);
        Py_DECREF(b->callback);
    }
    PyMem_Free(b);
}

/* write(*buffers, release=None): with release the buffers stay borrowed until it is called. */
static PyObject *
stream_write(PyObject *op, PyObject *args, PyObject *kwargs)
{
    Stream *self = (Stream *)op;
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    PyObject *name, *release = NULL; /* the only keyword there is */
    Py_ssize_t at = 0;
    if (kwargs) {
        (void)PyDict_Next(kwargs, &at, &name, &release);
    }
    borrowed *b = PyMem_Calloc(1, sizeof(*b) + (size_t)n * sizeof(Py_buffer));
    guava_buf *bufs = PyMem_Calloc((size_t)n + 1, sizeof(guava_buf));
    if (b == NULL || bufs == NULL) {
        PyMem_Free(b);
        PyMem_Free(bufs);
        return PyErr_NoMemory();
    }
    for (; b->n < n; b->n++) {
        Py_buffer *view = &b->views[b->n];
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(args, b->n), view, PyBUF_SIMPLE) < 0) {
            release_borrowed(b);
            PyMem_Free(bufs);
            return NULL;
        }
        bufs[b->n] = (guava_buf){view->buf, (size_t)view->len};
    }
    int result;
    if (release) {
        b->callback = Py_NewRef(release);
        result = api->write(self->stream, bufs, (unsigned)n, release_borrowed, b);
    } else {
        result = api->write(self->stream, bufs, (unsigned)n, NULL, NULL);
        release_borrowed(b);
    }
    PyMem_Free(bufs);
    return PyLong_FromLong(result);
}

static void
file_done(void *arg, int error)
{
    PyObject *result = PyObject_CallFunction(arg, "i", error);
    if (result == NULL) {
        PyErr_WriteUnraisable(arg);
    }
    Py_XDECREF(result);
    Py_DECREF(arg);
}

static PyObject *
stream_sendfile(PyObject *op, PyObject *args)
{
    Stream *self = (Stream *)op;
    int fd;
    long long offset, length;
    PyObject *done;
    if (!PyArg_ParseTuple(args, "iLLO", &fd, &offset, &length, &done)) {
        return NULL;
    }
    Py_INCREF(done);
    int result = api->sendfile(self->stream, fd, offset, length, file_done, done);
    if (result < 0) {
        Py_DECREF(done);
    }
    return PyLong_FromLong(result);
}

static PyObject *
stream_watermarks(PyObject *op, PyObject *args)
{
    Py_ssize_t low, high;
    if (!PyArg_ParseTuple(args, "nn", &low, &high)) {
        return NULL;
    }
    api->watermarks(((Stream *)op)->stream, (size_t)low, (size_t)high);
    Py_RETURN_NONE;
}

static PyObject *
stream_abort(PyObject *op, PyObject *args)
{
    int error = 0;
    if (!PyArg_ParseTuple(args, "|i", &error)) {
        return NULL;
    }
    api->abort(((Stream *)op)->stream, error);
    Py_RETURN_NONE;
}

static PyObject *
stream_name(PyObject *op, PyObject *args)
{
    int peer;
    if (!PyArg_ParseTuple(args, "p", &peer)) {
        return NULL;
    }
    struct sockaddr_storage name;
    int length = sizeof(name);
    guava_stream *stream = ((Stream *)op)->stream;
    int err = (peer ? api->peername : api->sockname)(stream, (struct sockaddr *)&name, &length);
    return err < 0 ? PyLong_FromLong(err) : PyBytes_FromStringAndSize((const char *)&name, length);
}

static PyObject *
stream_close(PyObject *op, PyObject *unused)
{
    (void)unused;
    api->close(((Stream *)op)->stream);
    Py_RETURN_NONE;
}

#define NUMBER(name, expression)                                                                  \
    static PyObject *stream_##name(PyObject *op, PyObject *unused)                                \
    {                                                                                             \
        guava_stream *stream = ((Stream *)op)->stream;                                            \
        (void)unused;                                                                             \
        return PyLong_FromLongLong((long long)(expression));                                      \
    }
NUMBER(queued, api->queued(stream))
NUMBER(read_pause, api->read_pause(stream))
NUMBER(read_resume, api->read_resume(stream))
NUMBER(shutdown, api->shutdown(stream))
NUMBER(fileno, api->fileno(stream))
NUMBER(is_own, api->user(stream) == op && guava_stream_user(stream) == op)

static PyObject *
stream_loop(PyObject *op, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(api->object(api->loop_of(((Stream *)op)->stream)));
}

static PyObject *
nothing(PyObject *op, PyObject *args)
{
    (void)op;
    (void)args;
    Py_RETURN_NONE;
}

static void
stream_dealloc(PyObject *op)
{
    Stream *self = (Stream *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (self->stream) {
        api->unref(self->stream);
    }
    Py_CLEAR(self->loop);
    PyMem_Free(self->buffer);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef stream_methods[] = {
    {"open", stream_open, METH_VARARGS, NULL},
    {"set_ops", stream_set_ops, METH_VARARGS, NULL},
    {"buffer", stream_buffer, METH_VARARGS, NULL},
    {"write", (PyCFunction)(void (*)(void))stream_write, METH_VARARGS | METH_KEYWORDS, NULL},
    {"sendfile", stream_sendfile, METH_VARARGS, NULL},
    {"queued", stream_queued, METH_NOARGS, NULL},
    {"watermarks", stream_watermarks, METH_VARARGS, NULL},
    {"read_pause", stream_read_pause, METH_NOARGS, NULL},
    {"read_resume", stream_read_resume, METH_NOARGS, NULL},
    {"shutdown", stream_shutdown, METH_NOARGS, NULL},
    {"close", stream_close, METH_NOARGS, NULL},
    {"abort", stream_abort, METH_VARARGS, NULL},
    {"name", stream_name, METH_VARARGS, NULL},
    {"fileno", stream_fileno, METH_NOARGS, NULL},
    {"is_own", stream_is_own, METH_NOARGS, NULL},
    {"loop", stream_loop, METH_NOARGS, NULL},
    {"data", nothing, METH_VARARGS, NULL},
    {"eof", nothing, METH_VARARGS, NULL},
    {"drain", nothing, METH_VARARGS, NULL},
    {"closed", nothing, METH_VARARGS, NULL},
    {NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_methods, stream_methods},
    {0, NULL},
};

static PyType_Spec stream_spec = {
    .name = "stream_probe.Stream",
    .basicsize = sizeof(Stream),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = stream_slots,
};

/* ---- listeners ------------------------------------------------------------------------------ */

typedef struct {
    guava_listener *listener; /* NULL once it is closed */
    PyObject *loop;
    PyObject *factory;
} listening;

static int
on_accept(guava_stream *stream, void *arg)
{
    listening *l = arg;
    PyObject *made = PyObject_CallNoArgs(l->factory);
    if (made == NULL || made == Py_None) {
        int result = made ? 0 : -1;
        Py_XDECREF(made);
        return result;
    }
    if (!PyObject_TypeCheck(made, stream_type)) {
        /* An int: abort(it). */
        api->abort(stream, (int)PyLong_AsLong(made));
        Py_DECREF(made);
        return 0;
    }
    Stream *self = (Stream *)made;
    api->ref(stream);
    self->stream = stream;
    self->open = 1;
    self->loop = Py_NewRef(l->loop);
    api->set_ops(stream, &all_ops, self); /* keeps the reference */
    if (PyObject_HasAttrString(made, "accepted")) {
        return tell(made, "accepted", "()");
    }
    return 0;
}

static void
free_listening(PyObject *capsule)
{
    listening *l = PyCapsule_GetPointer(capsule, "listening");
    if (l->listener) {
        return; /* it listens on: left to the process */
    }
    Py_DECREF(l->factory);
    Py_DECREF(l->loop);
    PyMem_Free(l);
}

static PyObject *
probe_listen(PyObject *module, PyObject *args)
{
    PyObject *object, *factory;
    int fd, backlog = 128;
    if (!PyArg_ParseTuple(args, "OiO|i", &object, &fd, &factory, &backlog)) {
        return NULL;
    }
    guava_loop *loop = loop_from(object);
    if (loop == NULL) {
        return NULL;
    }
    listening *l = PyMem_Calloc(1, sizeof(*l));
    if (l == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *capsule = PyCapsule_New(l, "listening", free_listening);
    if (capsule == NULL) {
        PyMem_Free(l);
        return NULL;
    }
    l->factory = Py_NewRef(factory);
    l->loop = Py_NewRef(object);
    if (api->listen(loop, fd, backlog, on_accept, l, &l->listener) < 0) {
        Py_CLEAR(capsule);
    }
    return capsule;
}

static PyObject *
probe_listener_do(PyObject *module, PyObject *args)
{
    PyObject *capsule;
    const char *what;
    if (!PyArg_ParseTuple(args, "Os", &capsule, &what)) {
        return NULL;
    }
    listening *l = PyCapsule_GetPointer(capsule, "listening");
    int result = 0;
    if (strcmp(what, "pause") == 0) {
        api->listen_pause(l->listener);
    } else if (strcmp(what, "resume") == 0) {
        result = api->listen_resume(l->listener);
    } else {
        api->unlisten(l->listener);
        l->listener = NULL;
    }
    return PyLong_FromLong(result);
}

static PyMethodDef functions[] = {
    {"listen", probe_listen, METH_VARARGS, "listen(loop, fd, factory, backlog=128)"},
    {"listener", probe_listener_do, METH_VARARGS, "listener(listening, 'pause'|'resume'|'close')"},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "stream_probe",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit_stream_probe(void)
{
    api = guava_loop_import();
    PyObject *module = api ? PyModule_Create(&definition) : NULL;
    PyObject *type = module ? PyType_FromSpec(&stream_spec) : NULL;
    if (type == NULL || PyModule_AddObjectRef(module, "Stream", type) < 0) {
        return NULL;
    }
    stream_type = (PyTypeObject *)type;
    return module;
}
