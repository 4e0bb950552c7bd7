/* produce.c: answers whose body an iterator makes. Their length is not known, so they go out in
 * chunks, or to a client of HTTP/1.0 until the connection closes. The head waits for the first
 * piece: an iterator that fails before it still gets an honest 500.
 *
 * Plain iterators are advanced here, a share in each turn of the loop and only while the client
 * takes what they make. Async ones are driven by a coroutine (the pump, in server.py), because
 * `async for` knows best how to do that; it calls send() for each piece. */
#include "server/parts.h"

#include <string.h>

/* Pieces of one answer in one turn of the loop. */
#define PIECES 64

/* ---- pieces ----------------------------------------------------------------------------------
 */

/* Takes the reply over; the answer's head goes out with the first piece. */
static int
begin(gh_peer *peer, const gh_reply *reply, PyObject *response)
{
    gh_reply *copy = PyMem_Malloc(sizeof(gh_reply));
    if (copy == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *copy = *reply;
    copy->chunked = reply->length < 0 && !peer->http10;
    if (reply->length < 0 && peer->http10)
        copy->keep_alive = false;
    peer->reply = copy;
    peer->response = Py_XNewRef(response);
    peer->left = reply->length;
    peer->chunked = copy->chunked;
    peer->state = GH_MAKING;
    return 0;
}

static void
put_size_line(gh_peer *peer, size_t n)
{
    char line[sizeof(size_t) * 2 + 2];
    char *at = line + sizeof(line);
    *--at = '\n';
    *--at = '\r';
    for (; n > 0; n >>= 4)
        *--at = "0123456789abcdef"[n & 15];
    gh_out(peer, at, (size_t)(line + sizeof(line) - at), NULL);
}

static int
send_bytes(gh_peer *peer, const char *bytes, size_t n, PyObject *owner)
{
    if (n == 0)
        return 0; /* as a chunk it would end the body */
    if (peer->left >= 0) {
        if (n > (uint64_t)peer->left) {
            PyErr_SetString(PyExc_ValueError, "the body is longer than its Content-Length");
            return -1;
        }
        peer->left -= (int64_t)n;
    }
    if (!peer->sent_head && gh_send_head(peer, peer->reply) < 0)
        return -1;
    if (!peer->chunked) {
        gh_out(peer, bytes, n, owner);
        return 0;
    }
    put_size_line(peer, n);
    gh_out(peer, bytes, n, owner);
    gh_out(peer, "\r\n", 2, NULL);
    return 0;
}

static int
send_piece(gh_peer *peer, PyObject *piece)
{
    if (PyBytes_Check(piece))
        return send_bytes(peer, PyBytes_AS_STRING(piece), (size_t)PyBytes_GET_SIZE(piece), piece);
    if (PyUnicode_Check(piece)) {
        Py_ssize_t n;
        const char *bytes = PyUnicode_AsUTF8AndSize(piece, &n);
        return bytes == NULL ? -1 : send_bytes(peer, bytes, (size_t)n, piece);
    }
    if (PyObject_CheckBuffer(piece)) {
        PyObject *bytes = PyBytes_FromObject(piece);
        if (bytes == NULL)
            return -1;
        int sent = send_piece(peer, bytes);
        Py_DECREF(bytes);
        return sent;
    }
    PyErr_Format(PyExc_TypeError, "the pieces of a body are str or bytes, not %.200s",
                 Py_TYPE(piece)->tp_name);
    return -1;
}

static void
end_with_trailers(gh_peer *peer)
{
    int status = peer->sent_head ? 0 : gh_send_head(peer, peer->reply);
    if (status == 0) {
        gh_out(peer, "0\r\n", 3, NULL);
        status = gh_send_trailers(peer);
    }
    if (status < 0) {
        gh_fail(peer);
        return;
    }
    gh_out(peer, "\r\n", 2, NULL);
    gh_peer_finish(peer);
}

static void
end(gh_peer *peer)
{
    if (peer->left > 0) {
        PyErr_Format(PyExc_ValueError, "the body ended %lld bytes before its Content-Length",
                     (long long)peer->left);
        gh_fail(peer);
        return;
    }
    if (!peer->sent_head && peer->trailers == NULL) {
        gh_reply reply = *peer->reply;
        reply.chunked = false;
        reply.length = 0;
        gh_answer(peer, &reply, "", 0, NULL);
        return;
    }
    if (peer->trailers != NULL) {
        end_with_trailers(peer);
        return;
    }
    if (peer->chunked)
        gh_out(peer, "0\r\n\r\n", 5, NULL);
    gh_peer_finish(peer);
}

/* Nothing will be made: only the head is asked for. */
static void
send_head_only(gh_peer *peer, const gh_reply *reply)
{
    gh_reply head = *reply;
    head.chunked = reply->length < 0 && !peer->http10 && peer->head_only;
    gh_answer(peer, &head, "", 0, NULL);
}

/* ---- iterators -------------------------------------------------------------------------------
 */

void
gh_produce(gh_peer *peer, const gh_reply *reply, PyObject *response, PyObject *source)
{
    if (gh_is_bodyless(peer, reply->status)) {
        send_head_only(peer, reply);
        return;
    }
    if (begin(peer, reply, response) < 0) {
        gh_fail(peer);
        return;
    }
    peer->source = Py_NewRef(source);
    gh_produce_more(peer);
}

static PyObject *
next_piece(gh_peer *peer)
{
    if (PyContext_Enter(peer->context) < 0)
        return NULL;
    PyObject *piece = PyIter_Next(peer->source);
    if (PyContext_Exit(peer->context) < 0)
        Py_CLEAR(piece);
    return piece;
}

void
gh_produce_more(gh_peer *peer)
{
    for (int i = 0; i < PIECES; i++) {
        if (peer->source == NULL || peer->blocked || peer->deferred)
            return;
        PyObject *piece = next_piece(peer);
        if (piece == NULL && !PyErr_Occurred()) {
            end(peer);
            return;
        }
        if (piece == NULL || send_piece(peer, piece) < 0) {
            Py_XDECREF(piece);
            gh_fail(peer);
            return;
        }
        Py_DECREF(piece);
    }
    gh_peer_defer(peer);
}

/* ---- async iterators -------------------------------------------------------------------------
 */

void
gh_produce_async(gh_peer *peer, const gh_reply *reply, PyObject *response, PyObject *source)
{
    gh_server *server = peer->server;
    if (gh_is_bodyless(peer, reply->status)) {
        send_head_only(peer, reply);
        return;
    }
    PyObject *result = NULL, *pump = NULL;
    int status = -1;
    if (begin(peer, reply, response) == 0)
        pump = PyObject_CallFunctionObjArgs(server->pump, (PyObject *)peer, source, NULL);
    if (pump != NULL)
        status = server->api->step(server->loop, pump, peer->context, &result);
    Py_XDECREF(pump);
    if (status < 0)
        gh_fail(peer);
    else if (status > 0)
        gh_wait_for(peer, result);
    else
        end(peer);
    Py_XDECREF(result);
}

void
gh_produce_done(gh_peer *peer, PyObject *task)
{
    PyObject *result = PyObject_CallMethodNoArgs(task, peer->server->part->result);
    if (peer->stream == NULL) {
        /* It was cancelled, or told by send(): nobody needs to hear of that. */
        PyErr_Clear();
        gh_peer_finish(peer);
    } else if (peer->state == GH_CLOSING) {
        PyErr_Clear(); /* the same, before closed() has come, which does the rest */
    } else if (result == NULL) {
        gh_fail(peer);
    } else {
        end(peer);
    }
    Py_XDECREF(result);
}

void
gh_produce_left(gh_peer *peer)
{
    if (peer->reply == NULL)
        return;
    /* The handler has returned long ago; its iterator may wait for ever for the next piece, and
     * nobody would get it. */
    PyObject *done = PyObject_CallMethod(peer->task, "cancel", NULL);
    if (done == NULL)
        PyErr_WriteUnraisable(peer->task);
    Py_XDECREF(done);
}

PyObject *
gh_peer_send(PyObject *self, PyObject *chunk)
{
    gh_peer *peer = (gh_peer *)self;
    if (peer->stream == NULL || peer->state != GH_MAKING) {
        PyErr_SetString(PyExc_ConnectionResetError, "the client has gone");
        return NULL;
    }
    gh_peer *before = gh_cork(peer);
    int sent = send_piece(peer, chunk);
    gh_uncork(peer, before);
    if (sent < 0)
        return NULL;
    if (!peer->blocked)
        Py_RETURN_NONE;
    Py_XSETREF(peer->waiter,
               PyObject_CallMethod(peer->server->loop_object, "create_future", NULL));
    return Py_XNewRef(peer->waiter);
}

void
gh_produce_unblock(gh_peer *peer)
{
    PyObject *waiter = peer->waiter;
    if (waiter == NULL)
        return;
    peer->waiter = NULL;
    PyObject *done = PyObject_CallMethod(waiter, "done", NULL);
    if (done == Py_False)
        Py_SETREF(done, PyObject_CallMethod(waiter, "set_result", "O", Py_None));
    if (done == NULL)
        gh_peer_lose_task(peer);
    Py_XDECREF(done);
    Py_DECREF(waiter);
}

void
gh_produce_drop(gh_peer *peer)
{
    Py_CLEAR(peer->source);
    Py_CLEAR(peer->response);
    Py_CLEAR(peer->waiter);
    Py_CLEAR(peer->trailers);
    PyMem_Free(peer->reply);
    peer->reply = NULL;
    peer->left = -1;
    peer->chunked = false;
    peer->filing = false;
}
