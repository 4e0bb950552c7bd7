/* answer.c: answers that are complete when they are given, which is nearly all of them, and the
 * refusals of requests that cannot be read. */
#include "server/parts.h"

#include <string.h>

#include "core/status.h"

bool
gh_is_bodyless(const gh_peer *peer, int status)
{
    return peer->head_only || status < 200 || status == 204 || status == 304;
}

/* Renders the head into the cork, with room for `more` bytes behind it. NULL with MemoryError when
 * it is larger than the cork; then it has gone out by itself. */
static char *
render(gh_peer *peer, gh_reply *reply, size_t more)
{
    gh_server *server = peer->server;
    reply->http10 = peer->http10;
    peer->keep_alive = peer->keep_alive && reply->keep_alive && !server->closing;
    reply->keep_alive = peer->keep_alive;
    peer->sent_head = true;
    const char *date = server->api->http_date(server->loop);
    size_t size = gh_reply_size(reply) + more;
    if (size <= GH_CORK) {
        char *out = gh_out_room(peer, size);
        size_t n = gh_reply_render(reply, date, out);
        gh_out_took(peer, n);
        return out + n;
    }
    PyObject *head = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (head == NULL)
        return NULL;
    char *out = PyBytes_AS_STRING(head);
    gh_out(peer, out, gh_reply_render(reply, date, out), head);
    Py_DECREF(head);
    return server->cork + server->corked;
}

int
gh_send_head(gh_peer *peer, gh_reply *reply)
{
    if (peer->reader != NULL)
        gh_body_judge(peer, false);
    return render(peer, reply, 0) == NULL ? -1 : 0;
}

void
gh_answer(gh_peer *peer, gh_reply *reply, const char *body, size_t n, PyObject *owner)
{
    if (peer->reader != NULL)
        gh_body_judge(peer, true);
    bool bodyless = gh_is_bodyless(peer, reply->status);
    size_t copied = !bodyless && n <= GH_COPIED ? n : 0;
    char *out = render(peer, reply, copied);
    if (out == NULL) {
        gh_out_flush(peer->server); /* the answers in front of this one are whole */
        gh_peer_give_up(peer);
        return;
    }
    if (copied > 0 && n <= GH_CORK - peer->server->corked) {
        memcpy(out, body, n);
        gh_out_took(peer, n);
    } else if (!bodyless && n > 0) {
        gh_out(peer, body, n, owner);
    }
    gh_peer_finish(peer);
}

static void
answer_status(gh_peer *peer, int status, const char *text, const char *fields)
{
    size_t n;
    const char *phrase = gh_status_phrase(status, &n);
    char body[256];
    int size = PyOS_snprintf(body, sizeof(body), "%d %.*s\n%s%s", status, (int)n, phrase, text,
                             *text != '\0' ? "\n" : "");
    gh_reply reply = {
        .status = status,
        .type = "text/plain; charset=utf-8",
        .type_len = sizeof("text/plain; charset=utf-8") - 1,
        .fields = fields,
        .fields_len = strlen(fields),
        .length = size,
        .keep_alive = true,
    };
    gh_answer(peer, &reply, body, (size_t)size, NULL);
}

void
gh_answer_status(gh_peer *peer, int status, const char *text)
{
    answer_status(peer, status, text, "");
}

void
gh_refuse(gh_peer *peer, gh_verdict verdict)
{
    peer->server->refused++;
    peer->keep_alive = false;
    peer->linger = true;
    /* What any resource may have (RFC 9110, 15.5.6). */
    const char *fields =
        verdict == GH_NO_TRACE ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : "";
    answer_status(peer, gh_verdict_status(verdict), gh_verdict_text(verdict), fields);
}
