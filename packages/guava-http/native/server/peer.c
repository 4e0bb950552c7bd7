/* peer.c: a connection's life. The stream holds a reference to its peer from accept to closed(); a
 * request and a task may hold more. So a handler that outlives its client finds a peer without a
 * stream, never freed memory. */
#include "server/parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LINGER_TICKS 20 /* two seconds */
#define LINGER_BYTES (64 * 1024)

/* ---- closing ---------------------------------------------------------------------------------
 */

/* A request that is cut off while its handler is being called lives on: with its task, or until
 * the stream has closed. The bytes it refers to do not. */
static void
save_request(gh_peer *peer)
{
    PyObject *type, *value, *traceback;
    if (peer->request == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (gh_request_detach(peer->request) < 0)
        PyErr_WriteUnraisable((PyObject *)peer);
    PyErr_Restore(type, value, traceback);
}

void
gh_peer_abort(gh_peer *peer)
{
    peer->state = GH_CLOSING;
    save_request(peer);
    if (peer->stream != NULL)
        peer->server->api->abort(peer->stream, 0);
}

void
gh_peer_reset(gh_peer *peer)
{
    peer->state = GH_CLOSING;
    save_request(peer);
    if (peer->stream != NULL)
        peer->server->api->abort(peer->stream, -ECONNRESET);
}

void
gh_peer_give_up(gh_peer *peer)
{
    if (!PyErr_Occurred())
        PyErr_NoMemory();
    PyErr_WriteUnraisable((PyObject *)peer);
    gh_peer_abort(peer);
}

void
gh_peer_lose_task(gh_peer *peer)
{
    PyObject *task = peer->task;
    gh_peer_give_up(peer);
    if (task == NULL)
        return;
    peer->task = NULL;
    peer->server->n_tasks--;
    Py_DECREF(task);
    if (peer->stream == NULL)
        gh_peer_finish(peer);
}

void
gh_peer_close(gh_peer *peer)
{
    peer->state = GH_CLOSING;
    if (peer->stream == NULL)
        return;
    /* What is queued may never be taken: the write timer goes on. */
    gh_arm(peer, peer->server->write_ticks);
    peer->server->api->close(peer->stream);
}

/* A close with unread input makes the kernel send a reset, which can overtake our answer on its
 * way: so our side is shut and the rest is read, within bounds, until the client closes too
 * (RFC 9112, 9.6). */
static void
begin_linger(gh_peer *peer)
{
    const guava_loop_api *api = peer->server->api;
    gh_buffer_clear(&peer->in);
    if (peer->eof || peer->stream == NULL) {
        gh_peer_close(peer);
        return;
    }
    peer->state = GH_LINGER;
    peer->drained = 0;
    if (peer->paused) {
        peer->paused = false;
        (void)api->read_resume(peer->stream);
    }
    (void)api->shutdown(peer->stream);
    gh_arm(peer, LINGER_TICKS);
}

static void
drain(gh_peer *peer, size_t n)
{
    if (n > LINGER_BYTES - peer->drained)
        gh_peer_close(peer);
    else
        peer->drained += (uint32_t)n;
}

/* A request may have come that the loop has not read yet. */
static bool
has_unread(gh_peer *peer)
{
    char byte;
    int fd = peer->server->api->fileno(peer->stream);
    return fd >= 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Requests that will not be answered any more may be on their way, and must not reset the answer
 * that is. TLS has no half-closed connections that would help. */
static bool
sends_ahead(gh_peer *peer)
{
    return !peer->server->secure && peer->stream != NULL && (peer->pipelines || has_unread(peer));
}

/* The client sends no more, and all that it has sent has been looked at: a body that is not whole
 * by now is not going to be. */
static void
end_body(gh_peer *peer)
{
    if (peer->state == GH_BODY || peer->state == GH_DRAIN) {
        gh_peer_close(peer);
    } else if (peer->reader != NULL) {
        if (peer->request != NULL)
            gh_request_set_disconnected(peer->request);
        gh_body_left(peer);
    }
}

void
gh_peer_settle(gh_peer *peer)
{
    size_t waiting = gh_buffer_len(&peer->in);
    bool closing = peer->server->closing;
    if (peer->state == GH_CLOSE) {
        if (peer->linger || waiting > 0 || (closing && sends_ahead(peer)))
            begin_linger(peer);
        else
            gh_peer_close(peer);
    }
    if (peer->eof && waiting == 0)
        end_body(peer);
    if (peer->state != GH_READY)
        return;
    if ((waiting == 0 && (peer->eof || (closing && !has_unread(peer)))) ||
        (peer->partial && peer->eof))
        gh_peer_close(peer);
    else if (waiting == 0 && !peer->blocked)
        gh_arm(peer, peer->server->keep_alive_ticks);
}

/* The request is answered. When nobody else has it, it serves the next one. */
static void
let_request_go(gh_peer *peer)
{
    gh_server *server = peer->server;
    PyObject *request = peer->request;
    if (request == NULL)
        return;
    peer->request = NULL;
    server->answered++;
    if (gh_request_is_ours(request) && server->spare == NULL) {
        gh_request_reset(request, NULL);
        server->spare = request;
        return;
    }
    if (gh_request_detach(request) < 0)
        PyErr_WriteUnraisable((PyObject *)peer);
    Py_DECREF(request);
}

void
gh_peer_finish(gh_peer *peer)
{
    if (peer->reply != NULL || peer->filing)
        gh_produce_drop(peer);
    if (peer->reader != NULL)
        gh_body_answered(peer);
    if (peer->work != NULL)
        gh_begin_work(peer);
    Py_CLEAR(peer->context);
    let_request_go(peer);
    peer->sent_head = false;
    peer->request_due = 0;
    if (peer->stream == NULL)
        peer->state = GH_GONE;
    else if (peer->state != GH_CLOSING)
        peer->state = !peer->keep_alive ? GH_CLOSE : peer->reader != NULL ? GH_DRAIN : GH_READY;
    if (peer->state == GH_DRAIN)
        gh_receive_pace(peer);
}

/* ---- going on --------------------------------------------------------------------------------
 */

void
gh_peer_resume(gh_peer *peer)
{
    Py_INCREF(peer);
    gh_peer *before = gh_cork(peer);
    if (peer->state == GH_MAKING)
        gh_produce_more(peer);
    if (peer->state == GH_READY)
        gh_receive_waiting(peer);
    gh_uncork(peer, before);
    gh_peer_settle(peer);
    Py_DECREF(peer);
}

static void
deferred(void *arg)
{
    gh_peer *peer = arg;
    peer->deferred = false;
    if (peer->stream != NULL)
        gh_peer_resume(peer);
    Py_DECREF(peer);
}

void
gh_peer_defer(gh_peer *peer)
{
    gh_server *server = peer->server;
    if (peer->deferred)
        return;
    if (server->api->defer(server->loop, deferred, peer) < 0) {
        gh_peer_give_up(peer);
        return;
    }
    Py_INCREF(peer);
    peer->deferred = true;
}

/* ---- what the stream reports -----------------------------------------------------------------
 */

static int
on_data(guava_stream *stream, char *bytes, size_t n)
{
    gh_peer *peer = guava_stream_user(stream);
    if (peer->state == GH_LINGER) {
        drain(peer, n);
        return 0;
    }
    if (peer->state == GH_CLOSING)
        return 0;
    Py_INCREF(peer);
    gh_receive(peer, bytes, n);
    Py_DECREF(peer);
    return 0;
}

static int
on_eof(guava_stream *stream)
{
    gh_peer *peer = guava_stream_user(stream);
    peer->eof = true;
    if (peer->state == GH_LINGER)
        gh_peer_close(peer);
    else
        gh_peer_settle(peer);
    return 0;
}

static int
on_drain(guava_stream *stream)
{
    gh_peer *peer = guava_stream_user(stream);
    peer->blocked = false;
    gh_produce_unblock(peer);
    gh_peer_resume(peer);
    return 0;
}

void
gh_peer_unlink(gh_peer *peer)
{
    if (peer->next != NULL)
        peer->next->previous = peer->previous;
    if (peer->previous != NULL)
        peer->previous->next = peer->next;
    else
        peer->server->peers = peer->next;
    peer->next = peer->previous = NULL;
}

static void
on_closed(guava_stream *stream, int error)
{
    gh_peer *peer = guava_stream_user(stream);
    gh_server *server = peer->server;
    if (error == -ENOMEM) {
        PyErr_NoMemory();
        PyErr_WriteUnraisable((PyObject *)peer);
    }
    peer->stream = NULL;
    gh_timer_stop(&peer->timer);
    gh_buffer_clear(&peer->in);
    gh_upload_free(peer);
    gh_body_left(peer);
    gh_peer_unlink(peer);
    server->n_peers--;
    if (peer->request != NULL) {
        server->disconnected++;
        gh_request_set_disconnected(peer->request);
    }
    if (peer->task == NULL)
        gh_peer_finish(peer);
    else
        gh_produce_left(peer);
    gh_crowd_left(server);
    gh_server_left(server);
    Py_DECREF(peer);
}

const guava_stream_ops gh_peer_ops = {
    .data = on_data,
    .eof = on_eof,
    .drain = on_drain,
    .closed = on_closed,
};

const guava_stream_ops gh_peer_upload_ops = {
    .alloc = gh_receive_place,
    .data = on_data,
    .eof = on_eof,
    .drain = on_drain,
    .closed = on_closed,
};

/* ---- the address -----------------------------------------------------------------------------
 */

/* Most clients have no name, some a path, and on Linux some one that begins with a NUL. */
static PyObject *
unix_address(const struct sockaddr_un *name, size_t length)
{
    size_t before = offsetof(struct sockaddr_un, sun_path);
    size_t n = length <= before ? 0 : length - before;
    if (n > sizeof(name->sun_path))
        n = sizeof(name->sun_path);
    if (n > 0 && name->sun_path[0] != '\0')
        n = strnlen(name->sun_path, n);
    return PyUnicode_DecodeFSDefaultAndSize(name->sun_path, (Py_ssize_t)n);
}

static PyObject *
make_address(gh_peer *peer)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } name = {.any.sa_family = AF_UNSPEC};
    int length = sizeof(name);
    char text[INET6_ADDRSTRLEN];
    if (peer->stream == NULL || peer->server->api->peername(peer->stream, &name.any, &length) < 0)
        Py_RETURN_NONE;
    if (name.any.sa_family == AF_INET) {
        if (inet_ntop(AF_INET, &name.in.sin_addr, text, sizeof(text)) == NULL)
            return PyErr_SetFromErrno(PyExc_OSError);
        return Py_BuildValue("(si)", text, (int)ntohs(name.in.sin_port));
    }
    if (name.any.sa_family == AF_INET6) {
        if (inet_ntop(AF_INET6, &name.in6.sin6_addr, text, sizeof(text)) == NULL)
            return PyErr_SetFromErrno(PyExc_OSError);
        return Py_BuildValue("(si)", text, (int)ntohs(name.in6.sin6_port));
    }
    if (name.any.sa_family == AF_UNIX)
        return unix_address(&name.un, (size_t)length);
    Py_RETURN_NONE;
}

PyObject *
gh_peer_address(void *arg)
{
    gh_peer *peer = arg;
    if (peer->address == NULL)
        peer->address = make_address(peer);
    return Py_XNewRef(peer->address);
}

/* ---- the object ------------------------------------------------------------------------------
 */

gh_peer *
gh_peer_new(gh_server *server)
{
    gh_peer *peer = (gh_peer *)server->part->peer_type->tp_alloc(server->part->peer_type, 0);
    if (peer == NULL)
        return NULL;
    peer->server = (gh_server *)Py_NewRef(server);
    peer->left = -1;
    return peer;
}

void
gh_peer_begin(gh_peer *peer, guava_stream *stream)
{
    gh_server *server = peer->server;
    peer->stream = stream;
    peer->next = server->peers;
    if (peer->next != NULL)
        peer->next->previous = peer;
    server->peers = peer;
    server->n_peers++;
    server->accepted++;
    gh_arm(peer, server->head_ticks);
    gh_crowd_came(server);
}

int
gh_peer_accept(guava_stream *stream, void *arg)
{
    gh_server *server = arg;
    if (server->tick == NULL) {
        /* It came between the kernel's queue and the end of all. */
        server->api->abort(stream, 0);
        return 0;
    }
    gh_peer *peer = gh_peer_new(server);
    if (peer == NULL)
        return -1;
    server->api->set_ops(stream, &gh_peer_ops, peer);
    gh_peer_begin(peer, stream);
    return 0;
}

static void
task_done(gh_peer *peer)
{
    PyObject *task = peer->task;
    peer->task = NULL;
    Py_CLEAR(peer->come);
    peer->server->n_tasks--;
    gh_peer *before = gh_cork(peer);
    if (peer->reply != NULL)
        gh_produce_done(peer, task);
    else
        gh_dispatch_done(peer, task);
    if (peer->state == GH_READY)
        gh_receive_waiting(peer);
    gh_uncork(peer, before);
    gh_peer_settle(peer);
    Py_DECREF(task);
    gh_server_left(peer->server);
}

/* As the done callback of a task. */
static PyObject *
peer_call(gh_peer *peer, PyObject *args, PyObject *kwargs)
{
    PyObject *task;
    if (!PyArg_ParseTuple(args, "O", &task))
        return NULL;
    if (task == peer->task)
        task_done(peer);
    Py_RETURN_NONE;
}

static bool
is_done(PyObject *future)
{
    PyObject *done = PyObject_CallMethod(future, "done", NULL);
    PyErr_Clear(); /* then the next tick asks */
    Py_XDECREF(done);
    return done == Py_True;
}

/* Whether it waits for what had come a tick ago: all that was to be called then has been. */
static bool
is_stranded(gh_peer *peer)
{
    PyObject *awaited = PyObject_GetAttrString(peer->task, "_fut_waiter");
    PyErr_Clear(); /* a task of another make has none */
    if (awaited == NULL || awaited == Py_None || !is_done(awaited))
        Py_CLEAR(awaited);
    bool stranded = awaited != NULL && awaited == peer->come;
    Py_XSETREF(peer->come, awaited);
    return stranded;
}

void
gh_peers_look(gh_server *server)
{
    for (gh_peer *peer = server->peers; peer != NULL; peer = peer->next) {
        if (peer->task == NULL)
            continue;
        bool done = is_done(peer->task);
        if (!done && !is_stranded(peer))
            continue;
        Py_INCREF(peer);
        if (done)
            task_done(peer);
        else
            gh_peer_lose_task(peer);
        Py_DECREF(peer);
        return; /* it may have changed the list */
    }
}

static PyObject *
peer_repr(gh_peer *peer)
{
    static const char *const states[] = {
        [GH_READY] = "ready",     [GH_BODY] = "receiving",  [GH_DRAIN] = "receiving",
        [GH_RUNNING] = "running", [GH_MAKING] = "sending",  [GH_CLOSE] = "closing",
        [GH_LINGER] = "closing",  [GH_CLOSING] = "closing", [GH_GONE] = "gone",
    };
    return PyUnicode_FromFormat("<guava_http connection, %s>", states[peer->state]);
}

static int
peer_traverse(gh_peer *peer, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(peer));
    Py_VISIT(peer->server);
    Py_VISIT(peer->request);
    Py_VISIT(peer->context);
    Py_VISIT(peer->task);
    Py_VISIT(peer->source);
    Py_VISIT(peer->response);
    Py_VISIT(peer->waiter);
    Py_VISIT(peer->reader);
    Py_VISIT(peer->work);
    Py_VISIT(peer->come);
    Py_VISIT(peer->trailers);
    return 0;
}

static int
peer_clear(gh_peer *peer)
{
    Py_CLEAR(peer->request);
    Py_CLEAR(peer->context);
    Py_CLEAR(peer->task);
    Py_CLEAR(peer->source);
    Py_CLEAR(peer->response);
    Py_CLEAR(peer->waiter);
    Py_CLEAR(peer->reader);
    Py_CLEAR(peer->work);
    Py_CLEAR(peer->come);
    Py_CLEAR(peer->trailers);
    return 0;
}

static void
peer_dealloc(gh_peer *peer)
{
    PyTypeObject *type = Py_TYPE(peer);
    PyObject_GC_UnTrack(peer);
    gh_timer_stop(&peer->timer);
    gh_buffer_clear(&peer->in);
    gh_upload_free(peer);
    PyMem_Free(peer->reply);
    (void)peer_clear(peer);
    Py_CLEAR(peer->address);
    Py_CLEAR(peer->server);
    type->tp_free(peer);
    Py_DECREF(type);
}

static PyObject *
peer_limits(gh_peer *peer, void *Py_UNUSED(closure))
{
    return Py_NewRef(peer->server->limits_object);
}

static PyGetSetDef peer_getset[] = {
    {"limits", (getter)peer_limits, NULL, "Limits: the server's"},
    {NULL},
};

static PyMethodDef peer_methods[] = {
    {"send", (PyCFunction)gh_peer_send, METH_O,
     "send($self, chunk, /)\n--\n\nSend a piece of the body: None, or a future to wait for."},
    {"early_hints", (PyCFunction)(void (*)(void))gh_peer_early_hints, METH_FASTCALL,
     "early_hints($self, request, lines, /)\n--\n\nSend a 103: whether it was sent."},
    {NULL},
};

static PyType_Slot peer_slots[] = {
    {Py_tp_doc, "A connection of a server. The server makes them."},
    {Py_tp_call, peer_call},
    {Py_tp_repr, peer_repr},
    {Py_tp_traverse, peer_traverse},
    {Py_tp_clear, peer_clear},
    {Py_tp_dealloc, peer_dealloc},
    {Py_tp_methods, peer_methods},
    {Py_tp_getset, peer_getset},
    {0, NULL},
};

static PyType_Spec peer_spec = {
    .name = "guava_http._core.Peer",
    .basicsize = sizeof(gh_peer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = peer_slots,
};

int
gh_peer_register(PyObject *module, struct gh_server_part *part)
{
    part->peer_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &peer_spec, NULL);
    return part->peer_type == NULL ? -1 : 0;
}
