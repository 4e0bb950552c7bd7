/* extra.c: what an answer may have besides head and body: it can be compressed, fields can follow
 * it, and work can. None of it is on the path of an answer that has none of it; what needs no
 * speed is Python's. */
#include "server/parts.h"

/* Calls a function of one of this package's own modules. */
static PyObject *
call(const char *module_name, const char *name, PyObject *const *args, size_t n)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    PyObject *result = function == NULL ? NULL : PyObject_Vectorcall(function, args, n, NULL);
    Py_XDECREF(function);
    Py_XDECREF(module);
    return result;
}

/* ---- compression -----------------------------------------------------------------------------
 */

PyObject *
gh_encoded(gh_peer *peer, PyObject *result, PyObject *choice)
{
    PyObject *args[2] = {peer->request, result};
    if (choice == Py_False || (choice == NULL && peer->server->encode == NULL))
        return Py_NewRef(result);
    /* It may run the code of others while the request is still on the loop's memory. */
    if (peer->server->encode != NULL)
        return PyObject_Vectorcall(peer->server->encode, args, 2, NULL);
    return call("guava_http.compression", "encode", args, 2);
}

/* ---- trailers --------------------------------------------------------------------------------
 */

bool
gh_trail(gh_peer *peer, gh_reply *reply, PyObject *trailers)
{
    if (peer->http10 || reply->length >= 0 || gh_is_bodyless(peer, reply->status))
        return false;
    PyObject *fields = PyBytes_FromStringAndSize(reply->fields, (Py_ssize_t)reply->fields_len);
    if (fields == NULL)
        return false;
    PyObject *args[3] = {peer->request, trailers, fields};
    PyObject *pair = call("guava_http._trailers", "prepared", args, 3);
    Py_DECREF(fields);
    if (pair == NULL || pair == Py_None) {
        Py_XDECREF(pair);
        return false;
    }
    Py_XSETREF(peer->trailers, pair);
    reply->fields = PyBytes_AS_STRING(PyTuple_GET_ITEM(pair, 0));
    reply->fields_len = (size_t)PyBytes_GET_SIZE(PyTuple_GET_ITEM(pair, 0));
    return true;
}

int
gh_send_trailers(gh_peer *peer)
{
    PyObject *text = PyObject_CallNoArgs(PyTuple_GET_ITEM(peer->trailers, 1));
    if (text == NULL)
        return -1;
    gh_out(peer, PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text), text);
    Py_DECREF(text);
    return 0;
}

/* ---- work after the answer -------------------------------------------------------------------
 */

typedef struct {
    gh_server *server;
    PyObject *context;
    PyObject *work;
} after;

/* The answer has been handed to the system by now, or waits for a client that is slow. */
static void
begin_work(void *arg)
{
    after *self = arg;
    gh_server *server = self->server;
    PyObject *args[3] = {(PyObject *)server, self->context, self->work};
    PyObject *done = call("guava_http._background", "start", args, 3);
    if (done == NULL) {
        PyErr_WriteUnraisable((PyObject *)server);
        server->n_tasks--;
        gh_server_left(server);
    }
    Py_XDECREF(done);
    Py_DECREF(self->context);
    Py_DECREF(self->work);
    PyMem_Free(self);
    Py_DECREF(server);
}

void
gh_begin_work(gh_peer *peer)
{
    gh_server *server = peer->server;
    PyObject *work = peer->work;
    peer->work = NULL;
    after *self = PyMem_Malloc(sizeof(after));
    if (self == NULL)
        PyErr_NoMemory();
    if (self == NULL || server->api->defer(server->loop, begin_work, self) < 0) {
        PyErr_WriteUnraisable((PyObject *)server);
        PyMem_Free(self);
        Py_DECREF(work);
        return;
    }
    *self = (after){
        .server = (gh_server *)Py_NewRef(server),
        .context = Py_NewRef(peer->context == NULL ? server->context : peer->context),
        .work = work,
    };
    server->n_tasks++;
}

int
gh_keep_work(gh_peer *peer, PyObject *response)
{
    PyObject *work = gh_response_work(response);
    if (work == NULL)
        return 0;
    /* A copy: the response may be given again. */
    Py_XSETREF(peer->work, PyList_AsTuple(work));
    return peer->work == NULL ? -1 : 0;
}
