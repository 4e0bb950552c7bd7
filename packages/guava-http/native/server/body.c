/* body.c: a body that its handler reads while it comes in. The handler is called as soon as the
 * head is there and takes the bytes from a reader; what it has not taken is bounded: above that
 * the client is no longer read from. When the handler has answered without having read all, a
 * small rest is thrown away and the connection goes on; a large one is not worth it. */
#include "server/body.h"

#define PIECE (64 * 1024)        /* bytes that are read at a time */
#define LEAST_PIECE 4096         /* a rest of less is read with what follows it */
#define UNREAD_MOST (4 * PIECE)  /* from here on the client is not read from */
#define DISCARD_MOST (64 * 1024) /* of a body that nobody wants */

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* ---- what the handler's owner wants ----------------------------------------------------------
 */

static int
read_flag(PyObject *policy, const char *name, bool *flag)
{
    PyObject *value = PyObject_GetAttrString(policy, name);
    int truth = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    *flag = truth > 0;
    return truth < 0 ? -1 : 0;
}

static int
read_policy(gh_server *server, PyObject *object, gh_body_policy *policy)
{
    if (object == Py_None)
        return 0;
    PyObject *limit = PyObject_GetAttrString(object, "limit");
    if (limit == NULL || read_flag(object, "stream", &policy->stream) < 0 ||
        read_flag(object, "thread", &policy->thread) < 0) {
        Py_XDECREF(limit);
        return -1;
    }
    int result = 0;
    if (limit != Py_None)
        result = gh_number_read(object, "limit", 0, GH_BODY_UNLIMITED, &policy->limit);
    else if (policy->stream)
        policy->limit = GH_BODY_UNLIMITED;
    Py_DECREF(limit);
    return result;
}

int
gh_body_ask(gh_peer *peer, gh_body_policy *policy)
{
    gh_server *server = peer->server;
    *policy = (gh_body_policy){.limit = server->limits.body};
    PyObject *object = PyObject_CallOneArg(server->body_policy, peer->request);
    int result = object == NULL ? -1 : read_policy(server, object, policy);
    Py_XDECREF(object);
    return result;
}

/* ---- the link between a connection and its reader ---------------------------------------------
 */

static void
unlink_reader(gh_peer *peer)
{
    gh_reader *self = peer->reader;
    peer->reader = NULL;
    peer->body_held = false;
    Py_CLEAR(self->peer);
    Py_DECREF(self);
}

bool
gh_body_is_full(const gh_peer *peer)
{
    const gh_reader *self = peer->reader;
    if (self == NULL || peer->state == GH_DRAIN)
        return false;
    return self->verdict != GH_OK || gh_reader_unread(self) >= UNREAD_MOST;
}

/* Only the time in which the handler waits for the client is the client's. */
static void
wake(gh_reader *self)
{
    if (!gh_reader_waits(self))
        return;
    gh_peer *peer = self->peer;
    if (peer != NULL && peer->stream != NULL)
        gh_deadline_body_hold(peer);
    if (gh_reader_wake(self) == 0)
        return;
    if (peer != NULL)
        gh_peer_lose_task(peer);
    else
        PyErr_WriteUnraisable((PyObject *)self);
}

static void
refuse(gh_peer *peer, gh_verdict verdict)
{
    gh_reader *self = peer->reader;
    self->verdict = (uint8_t)verdict;
    peer->keep_alive = false;
    peer->linger = true;
    wake(self);
}

/* ---- bytes in --------------------------------------------------------------------------------
 */

/* Holds them for the handler. False without memory. */
static bool
hold(gh_peer *peer, gh_reader *self, const char *bytes, size_t n)
{
    self->received += n;
    if (peer->body_held)
        peer->body_got += n;
    else
        gh_deadline_body_came(peer, n);
    if (peer->state == GH_DRAIN) {
        self->discarded += n < DISCARD_MOST ? (uint32_t)n : DISCARD_MOST;
        return true;
    }
    return gh_reader_add(self, bytes, n);
}

/* A piece of the body itself: the kernel's copy is the only one. */
char *
gh_body_place(gh_peer *peer, size_t *cap)
{
    gh_reader *self = peer->reader;
    if (self->chunked || peer->state == GH_DRAIN || self->verdict != GH_OK ||
        self->n_pieces == GH_PIECES || gh_buffer_len(&self->data) > 0 ||
        gh_buffer_len(&peer->in) > 0 || self->left < LEAST_PIECE)
        return NULL;
    if (self->place == NULL) {
        self->place = PyBytes_FromStringAndSize(NULL, PIECE);
        if (self->place == NULL) {
            PyErr_Clear(); /* the loop has a place of its own */
            return NULL;
        }
    }
    *cap = self->left < PIECE ? (size_t)self->left : PIECE;
    return PyBytes_AS_STRING(self->place);
}

static gh_verdict
take_sized(gh_peer *peer, gh_reader *self, const char *bytes, size_t *n, bool *held)
{
    size_t take = *n < self->left ? *n : (size_t)self->left;
    self->left -= take;
    *n -= take;
    if (take > 0)
        *held = hold(peer, self, bytes, take);
    return self->left == 0 ? GH_OK : GH_MORE;
}

static gh_verdict
take_chunks(gh_peer *peer, gh_reader *self, const char *bytes, size_t *n, bool *held)
{
    gh_verdict verdict = GH_MORE;
    while (*n > 0 && verdict == GH_MORE && *held) {
        gh_slice data;
        verdict = gh_chunks_next(&self->chunks, &bytes, n, &self->limits, &data);
        if (data.len > 0 && (verdict == GH_MORE || verdict == GH_OK))
            *held = hold(peer, self, data.base, data.len);
    }
    return verdict;
}

/* All of it came. The handler may still have something to take; the connection has not. */
static void
complete(gh_peer *peer)
{
    gh_reader *self = peer->reader;
    self->ended = true;
    Py_CLEAR(self->place);
    if (peer->stream != NULL)
        peer->server->api->set_ops(peer->stream, &gh_peer_ops, peer);
    wake(self);
    unlink_reader(peer);
    gh_disarm(peer);
    if (peer->state == GH_DRAIN)
        peer->state = GH_READY;
}

size_t
gh_body_receive(gh_peer *peer, const char *bytes, size_t n)
{
    gh_reader *self = peer->reader;
    if (self->verdict != GH_OK)
        return n;
    self->expects = false; /* it did not wait */
    size_t rest = n;
    bool held = true;
    uint64_t before = self->received;
    gh_verdict verdict = self->chunked ? take_chunks(peer, self, bytes, &rest, &held)
                                       : take_sized(peer, self, bytes, &rest, &held);
    if (!held) {
        gh_peer_give_up(peer);
        return n;
    }
    if (verdict == GH_OK) {
        complete(peer);
        return n - rest;
    }
    if (peer->state == GH_DRAIN) {
        if (verdict != GH_MORE || self->discarded >= DISCARD_MOST) {
            unlink_reader(peer);
            peer->keep_alive = false;
            peer->linger = true;
            peer->state = GH_CLOSE;
            return n;
        }
    } else if (verdict != GH_MORE) {
        refuse(peer, verdict);
        return n;
    } else if (self->received > before) {
        wake(self);
    }
    gh_receive_pace(peer);
    return n - rest;
}

size_t
gh_body_begin(gh_peer *peer, const gh_head *head, const gh_body_policy *policy, const char *bytes,
              size_t n)
{
    gh_reader *self = gh_reader_new(peer);
    if (self == NULL)
        return (size_t)-1;
    self->limits.body = policy->limit;
    self->chunked = head->chunked;
    self->left = head->content_length;
    self->expects = head->expect_continue && n == 0;
    self->peer = (gh_peer *)Py_NewRef(peer);
    peer->reader = (gh_reader *)Py_NewRef(self);
    gh_request_set_reader(peer->request, (PyObject *)self);
    Py_DECREF(self);
    peer->threaded = policy->thread;
    peer->state = GH_RUNNING;
    gh_deadline_body(peer);
    gh_deadline_body_hold(peer);
    if (!self->chunked)
        peer->server->api->set_ops(peer->stream, &gh_peer_upload_ops, peer);
    size_t used = n > 0 ? gh_body_receive(peer, bytes, n) : 0;
    if (peer->state != GH_RUNNING)
        return n;
    if (peer->reader != NULL && peer->reader->verdict != GH_OK) {
        gh_verdict verdict = peer->reader->verdict;
        unlink_reader(peer);
        gh_refuse(peer, verdict);
        return n;
    }
    gh_dispatch(peer);
    return used;
}

/* ---- what else happens -----------------------------------------------------------------------
 */

void
gh_body_continue(gh_peer *peer)
{
    gh_reader *self = peer->reader;
    if (!self->expects)
        return;
    self->expects = false;
    if (peer->sent_head || peer->stream == NULL)
        return;
    gh_peer *before = gh_cork(peer);
    gh_out(peer, CONTINUE, sizeof(CONTINUE) - 1, NULL);
    gh_uncork(peer, before);
}

void
gh_body_left(gh_peer *peer)
{
    gh_reader *self = peer->reader;
    if (self == NULL)
        return;
    self->gone = self->verdict == GH_OK;
    peer->keep_alive = false;
    wake(self);
    unlink_reader(peer);
}

bool
gh_body_late(gh_peer *peer)
{
    gh_reader *self = peer->reader;
    if (self == NULL || !gh_reader_waits(self))
        return false;
    peer->server->timed_out++;
    refuse(peer, GH_TIMEOUT);
    return true;
}

void
gh_body_judge(gh_peer *peer, bool complete)
{
    const gh_reader *self = peer->reader;
    /* A client that was never told to go on may send the body or not: nobody can know. */
    if (self->expects || self->verdict != GH_OK ||
        (complete && !self->chunked && self->left > DISCARD_MOST))
        peer->keep_alive = false;
}

void
gh_body_answered(gh_peer *peer)
{
    gh_reader *self = peer->reader;
    self->answered = true;
    gh_body_judge(peer, true);
    wake(self);
    if (peer->stream == NULL || !peer->keep_alive) {
        peer->linger = true;
        unlink_reader(peer);
        return;
    }
    gh_reader_drop(self);
    gh_deadline_body_go(peer);
}
