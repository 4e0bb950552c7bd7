/* echo_server.c: the smallest complete server on guava_loop.h, and the fastest: no Python per
 * message. The tests compile it with nothing but the header and count what a message costs. */
#include <guava_loop.h>

typedef struct {
    const guava_loop_api *api; /* of this interpreter */
    unsigned long connections, closed, bytes;
} state;

static int
echo_data(guava_stream *stream, char *bytes, size_t n)
{
    state *st = guava_stream_user(stream);
    guava_buf buf = {bytes, n};
    st->bytes += n;
    /* The bytes lie in the loop's shared buffer, so what cannot be sent at once is copied. A peer
     * that does not read is not read from. */
    if (st->api->write(stream, &buf, 1, NULL, NULL) == 1 && st->api->queued(stream) > 64 * 1024) {
        (void)st->api->read_pause(stream);
    }
    return 0;
}

static int
echo_drain(guava_stream *stream)
{
    state *st = guava_stream_user(stream);
    (void)st->api->read_resume(stream);
    return 0;
}

static void
echo_closed(guava_stream *stream, int error)
{
    (void)error;
    ((state *)guava_stream_user(stream))->closed++;
}

static const guava_stream_ops echo_ops = {
    .data = echo_data,
    .drain = echo_drain,
    .closed = echo_closed,
};

static int
echo_accept(guava_stream *stream, void *arg)
{
    state *st = arg;
    st->connections++;
    st->api->set_ops(stream, &echo_ops, st);
    return 0;
}

static PyObject *
serve(PyObject *module, PyObject *args)
{
    state *st = PyModule_GetState(module);
    PyObject *object;
    guava_listener *listener;
    int fd;
    if (!PyArg_ParseTuple(args, "Oi", &object, &fd)) {
        return NULL;
    }
    guava_loop *loop = st->api->from_object(object);
    if (loop == NULL || st->api->listen(loop, fd, 1024, echo_accept, st, &listener) < 0) {
        return NULL;
    }
    Py_RETURN_NONE; /* loop.close() closes the listener */
}

static PyObject *
counts(PyObject *module, PyObject *unused)
{
    state *st = PyModule_GetState(module);
    (void)unused;
    return Py_BuildValue("kkk", st->connections, st->closed, st->bytes);
}

static int
exec(PyObject *module)
{
    state *st = PyModule_GetState(module);
    st->api = guava_loop_import();
    return st->api ? 0 : -1;
}

static PyMethodDef functions[] = {
    {"serve", serve, METH_VARARGS, "serve(loop, fd): echoes on a bound socket."},
    {"counts", counts, METH_NOARGS, "counts() -> (connections, closed, bytes)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,  .m_name = "echo_server", .m_size = sizeof(state),
    .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_echo_server(void)
{
    return PyModuleDef_Init(&definition);
}
