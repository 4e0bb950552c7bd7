/* receive.c: from bytes to requests. Whole requests are read where the loop put them, without a
 * copy; only what is left over at the end of a callback is kept. One request is in work at a time,
 * the ones behind it wait as bytes: so answers keep their order by themselves. */
#include "server/parts.h"

#include <string.h>

#include "core/parser.h"

/* Requests answered in one callback before others get their turn. */
#define IN_A_ROW 64
/* Where a body's rest is at least this long it is read straight into its place. */
#define LEAST_PLACE 4096

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* ---- bodies ----------------------------------------------------------------------------------
 */

void
gh_upload_free(gh_peer *peer)
{
    gh_upload *upload = peer->upload;
    if (upload == NULL)
        return;
    peer->upload = NULL;
    Py_XDECREF(upload->bytes);
    gh_buffer_clear(&upload->data);
    PyMem_Free(upload);
}

static void
give_up(gh_peer *peer)
{
    Py_CLEAR(peer->request);
    gh_upload_free(peer);
    gh_peer_give_up(peer);
}

static gh_upload *
begin_upload(gh_peer *peer, const gh_head *head, uint64_t limit)
{
    gh_upload *upload = PyMem_Calloc(1, sizeof(gh_upload));
    if (upload == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    peer->upload = upload;
    upload->limit = limit;
    if (!head->chunked) {
        upload->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)head->content_length);
        if (upload->bytes == NULL) {
            gh_upload_free(peer);
            return NULL;
        }
    }
    return upload;
}

/* The body is complete: the request goes to the handler. */
static void
end_upload(gh_peer *peer)
{
    gh_upload *upload = peer->upload;
    PyObject *body = upload->bytes != NULL
                         ? Py_NewRef(upload->bytes)
                         : PyBytes_FromStringAndSize(upload->data.bytes,
                                                     (Py_ssize_t)gh_buffer_len(&upload->data));
    gh_upload_free(peer);
    if (body == NULL) {
        give_up(peer);
        return;
    }
    gh_request_set_body(peer->request, body);
    Py_DECREF(body);
    gh_dispatch(peer);
}

/* Takes what belongs to the body off the bytes. True when the body is complete. */
static bool
take_sized(gh_upload *upload, const char *bytes, size_t n, size_t *used)
{
    size_t size = (size_t)PyBytes_GET_SIZE(upload->bytes);
    size_t left = size - upload->got;
    size_t take = n < left ? n : left;
    char *place = PyBytes_AS_STRING(upload->bytes) + upload->got;
    if (bytes != place && take > 0)
        memcpy(place, bytes, take);
    upload->got += take;
    *used = take;
    return upload->got == size;
}

static gh_verdict
take_chunks(gh_upload *upload, gh_limits limits, const char *bytes, size_t n, size_t *used)
{
    limits.body = upload->limit;
    gh_verdict verdict = GH_MORE;
    const char *at = bytes;
    while (n > 0 && verdict == GH_MORE) {
        gh_slice data;
        verdict = gh_chunks_next(&upload->chunks, &at, &n, &limits, &data);
        if (!gh_buffer_add(&upload->data, data.base, data.len)) {
            PyErr_NoMemory();
            return GH_MORE;
        }
    }
    *used = (size_t)(at - bytes);
    return verdict;
}

/* Returns how many bytes it took. */
static size_t
receive_body(gh_peer *peer, const char *bytes, size_t n)
{
    gh_server *server = peer->server;
    size_t used = 0;
    if (peer->upload->bytes != NULL) {
        if (take_sized(peer->upload, bytes, n, &used)) {
            server->api->set_ops(peer->stream, &gh_peer_ops, peer);
            end_upload(peer);
            return used;
        }
    } else {
        gh_verdict verdict = take_chunks(peer->upload, server->limits, bytes, n, &used);
        if (PyErr_Occurred()) {
            give_up(peer);
            return n;
        }
        if (verdict == GH_OK) {
            end_upload(peer);
            return used;
        }
        if (verdict != GH_MORE) {
            gh_upload_free(peer);
            gh_refuse(peer, verdict);
            return n;
        }
    }
    gh_deadline_body_came(peer, used);
    return used;
}

char *
gh_receive_place(guava_stream *stream, size_t *cap)
{
    gh_peer *peer = guava_stream_user(stream);
    gh_upload *upload = peer->upload;
    if (peer->reader != NULL)
        return gh_body_place(peer, cap);
    if (upload == NULL || upload->bytes == NULL)
        return NULL;
    size_t left = (size_t)PyBytes_GET_SIZE(upload->bytes) - upload->got;
    if (left < LEAST_PLACE)
        return NULL;
    *cap = left;
    return PyBytes_AS_STRING(upload->bytes) + upload->got;
}

/* The body is not all there. The request waits for it, on its own memory. */
static size_t
await_body(gh_peer *peer, const gh_head *head, uint64_t limit, const char *bytes, size_t n)
{
    gh_server *server = peer->server;
    if (begin_upload(peer, head, limit) == NULL) {
        give_up(peer);
        return n;
    }
    peer->state = GH_BODY;
    gh_deadline_body(peer);
    size_t used = n > 0 ? receive_body(peer, bytes, n) : 0;
    if (peer->state != GH_BODY)
        return used;
    if (gh_request_detach(peer->request) < 0) {
        give_up(peer);
        return n;
    }
    if (head->expect_continue && n == 0)
        gh_out(peer, CONTINUE, sizeof(CONTINUE) - 1, NULL);
    if (peer->upload->bytes != NULL)
        server->api->set_ops(peer->stream, &gh_peer_upload_ops, peer);
    return used;
}

/* A server whose handler has a say in what becomes of bodies. Returns how many bytes it took of
 * those behind the head, or (size_t)-1: do as usual, with this limit. */
static size_t
follow_policy(gh_peer *peer, const gh_head *head, const char *bytes, size_t n, uint64_t *limit)
{
    gh_body_policy policy;
    size_t used = n;
    if (gh_body_ask(peer, &policy) < 0) {
        peer->keep_alive = false;
        peer->linger = true;
        peer->state = GH_RUNNING;
        gh_fail(peer);
    } else if (head->content_length > policy.limit) {
        gh_refuse(peer, GH_BODY_TOO_LARGE);
    } else if (policy.stream) {
        used = gh_body_begin(peer, head, &policy, bytes, n);
        if (used == (size_t)-1) {
            give_up(peer);
            used = n;
        }
    } else {
        *limit = policy.limit;
        return (size_t)-1;
    }
    return used;
}

/* ---- heads -----------------------------------------------------------------------------------
 */

static bool
begins_with_head(const char *bytes, size_t n)
{
    return n >= 5 && memcmp(bytes, "HEAD ", 5) == 0;
}

static PyObject *
take_request(gh_peer *peer, const gh_head *head)
{
    gh_server *server = peer->server;
    PyObject *request = server->spare;
    if (request != NULL) {
        server->spare = NULL;
        gh_request_reset(request, head);
    } else {
        request = gh_request_from_head(server->module, head);
        if (request == NULL)
            return NULL;
    }
    gh_request_set_peer(request, gh_peer_address, peer, (PyObject *)peer);
    if (server->secure)
        gh_request_set_secure(request);
    return request;
}

/* What is well-formed, and still not for the handler. */
static gh_verdict
judge_head(const gh_server *server, const gh_head *head)
{
    if (head->method.len == 5 && memcmp(head->method.base, "TRACE", 5) == 0)
        return GH_NO_TRACE;
    if (server->hosts != NULL && !gh_hosts_have(server->hosts, head->host))
        return GH_OTHER_HOST;
    return GH_OK;
}

/* Returns how many bytes it took: 0 when the head is not complete. */
static size_t
receive_head(gh_peer *peer, const char *bytes, size_t n)
{
    gh_server *server = peer->server;
    gh_head head;
    size_t size;
    gh_verdict verdict = gh_scan_head(&peer->scan, bytes, n, &server->limits, &size);
    if (verdict == GH_MORE)
        return 0;
    if (verdict == GH_OK)
        verdict =
            gh_parse_head(&peer->scan, bytes, size, &server->head_limits, server->fields, &head);
    if (verdict == GH_OK)
        verdict = judge_head(server, &head);
    /* A refusal of HEAD has no body either, as far as it can be told for one. */
    peer->head_only = begins_with_head(bytes + peer->scan.start, n - peer->scan.start);
    peer->scan = (gh_scan){0};
    if (verdict != GH_OK) {
        peer->http10 = false;
        gh_refuse(peer, verdict);
        return n;
    }
    peer->http10 = head.minor == 0;
    peer->keep_alive = head.keep_alive;
    peer->served++;
    if (server->counts_requests)
        gh_deadline_request(peer);
    peer->request = take_request(peer, &head);
    if (peer->request == NULL) {
        give_up(peer);
        return n;
    }
    bytes += size;
    n -= size;
    uint64_t limit = server->limits.body;
    if (server->body_policy != NULL && (head.chunked || head.content_length > 0)) {
        size_t used = follow_policy(peer, &head, bytes, n, &limit);
        if (used != (size_t)-1)
            return size + used;
    }
    if (head.content_length > 0 && n >= head.content_length) {
        gh_request_borrow_body(peer->request, bytes, (size_t)head.content_length);
        size += (size_t)head.content_length;
    } else if (head.chunked || head.content_length > 0) {
        return size + await_body(peer, &head, limit, bytes, n);
    }
    gh_dispatch(peer);
    return size;
}

/* ---- one after the other ---------------------------------------------------------------------
 */

/* Returns how many of the bytes it took. */
static size_t
receive(gh_peer *peer, const char *bytes, size_t n)
{
    unsigned answered = 0;
    size_t used = 0;
    while (used < n) {
        size_t took = 0;
        if (peer->reader != NULL) {
            took = gh_body_receive(peer, bytes + used, n - used);
        } else if (peer->state == GH_BODY) {
            took = receive_body(peer, bytes + used, n - used);
        } else if (peer->state == GH_READY && !peer->blocked && !peer->deferred) {
            if (answered++ == IN_A_ROW) {
                gh_peer_defer(peer);
                break;
            }
            took = receive_head(peer, bytes + used, n - used);
            peer->partial = took == 0;
        }
        if (took == 0)
            break;
        used += took;
    }
    if (answered > 1)
        peer->pipelines = true;
    return used;
}

/* After some bytes were taken: is the head that they begin late, are they too many? */
static void
look_at_rest(gh_peer *peer, bool was_partial)
{
    if (peer->partial && !was_partial)
        gh_deadline_head(peer);
    gh_receive_pace(peer);
}

void
gh_receive_pace(gh_peer *peer)
{
    gh_server *server = peer->server;
    /* A head may be longer than that; its own limit stops it. */
    bool full = gh_buffer_len(&peer->in) >= server->pipelined && !peer->partial;
    full = full || gh_body_is_full(peer);
    if (full == peer->paused || peer->stream == NULL || peer->state >= GH_CLOSE)
        return;
    peer->paused = full;
    if (full)
        (void)server->api->read_pause(peer->stream);
    else
        (void)server->api->read_resume(peer->stream);
}

void
gh_receive_waiting(gh_peer *peer)
{
    gh_buffer *in = &peer->in;
    if (gh_buffer_len(in) == 0)
        return;
    bool was_partial = peer->partial;
    size_t used = receive(peer, in->bytes + in->start, gh_buffer_len(in));
    if (used > 0)
        gh_buffer_take(in, used);
    look_at_rest(peer, was_partial);
}

void
gh_receive(gh_peer *peer, const char *bytes, size_t n)
{
    gh_peer *before = gh_cork(peer);
    bool waiting = gh_buffer_len(&peer->in) > 0;
    size_t used = waiting ? 0 : receive(peer, bytes, n);
    if (used < n) {
        if (!gh_buffer_add(&peer->in, bytes + used, n - used))
            gh_peer_give_up(peer);
        else if (waiting)
            gh_receive_waiting(peer);
        else
            look_at_rest(peer, false);
    }
    gh_uncork(peer, before);
    gh_peer_settle(peer);
}
