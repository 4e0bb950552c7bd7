/* deadline.c: what a connection has time for. Each has one timer in the server's wheel, armed for
 * the earliest of three deadlines: of what is awaited from the client (`due`), of what is queued
 * for it (`write_due`) and of the whole request (`request_due`). The last two are rare; while
 * neither runs (`hasty` is false), a deadline that moves back is two stores. */
#include "server/parts.h"

#include <stddef.h>

#define LATE_TICKS 50 /* five seconds, in which a body's rate is not looked at */

static uint64_t
in_ticks(const gh_server *server, uint64_t ticks)
{
    return server->now + ticks + server->slack;
}

void
gh_watch(gh_peer *peer)
{
    uint64_t due = peer->due;
    if (peer->writing && peer->write_due < due)
        due = peer->write_due;
    if (peer->request_due != 0 && peer->request_due < due)
        due = peer->request_due;
    peer->hasty = peer->writing || peer->request_due != 0;
    gh_timer_arm(&peer->server->wheel, &peer->timer, due);
}

/* ---- requests --------------------------------------------------------------------------------
 */

/* The head of a request: from its first byte, or on a new connection from accept on. The time does
 * not begin again, however the bytes come. */
void
gh_deadline_head(gh_peer *peer)
{
    gh_server *server = peer->server;
    if (peer->served > 0)
        peer->due = in_ticks(server, server->head_ticks);
    if (server->request_ticks != GH_FOREVER && peer->request_due == 0)
        peer->request_due = in_ticks(server, server->request_ticks);
    gh_watch(peer);
}

void
gh_deadline_request(gh_peer *peer)
{
    gh_server *server = peer->server;
    if (server->most_requests != 0 && peer->served >= server->most_requests) {
        peer->keep_alive = false;
        peer->linger = true; /* the next request may be on its way */
    }
    if (server->request_ticks != GH_FOREVER && peer->request_due == 0) {
        peer->request_due = in_ticks(server, server->request_ticks);
        gh_watch(peer);
    }
}

/* ---- bodies ----------------------------------------------------------------------------------
 */

static void
arm_body(gh_peer *peer)
{
    gh_server *server = peer->server;
    uint64_t due = in_ticks(server, server->body_ticks);
    uint64_t rate = server->body_rate;
    if (rate != 0) {
        /* When the average will be too low, if nothing more comes. */
        uint64_t ticks = peer->body_got / rate * 10 + peer->body_got % rate * 10 / rate;
        ticks = ticks < LATE_TICKS ? LATE_TICKS : ticks;
        ticks = ticks < GH_FOREVER ? ticks : GH_FOREVER;
        uint64_t late = peer->body_since + ticks + server->slack;
        due = late < due ? late : due;
    }
    peer->due = due;
    gh_watch(peer);
}

void
gh_deadline_body(gh_peer *peer)
{
    peer->body_got = 0;
    peer->body_since = peer->server->now;
    arm_body(peer);
}

void
gh_deadline_body_came(gh_peer *peer, size_t n)
{
    peer->body_got += n;
    arm_body(peer);
}

void
gh_deadline_body_hold(gh_peer *peer)
{
    if (peer->body_held)
        return;
    peer->body_held = true;
    peer->body_since = peer->server->now - peer->body_since;
    gh_disarm(peer);
}

void
gh_deadline_body_go(gh_peer *peer)
{
    if (!peer->body_held)
        return;
    peer->body_held = false;
    peer->body_since = peer->server->now - peer->body_since;
    arm_body(peer);
}

/* ---- writing ---------------------------------------------------------------------------------
 */

void
gh_deadline_write(gh_peer *peer, size_t n)
{
    gh_server *server = peer->server;
    size_t queued = server->api->queued(peer->stream);
    if (!peer->writing || queued < peer->queued + n)
        peer->write_due = in_ticks(server, server->write_ticks);
    peer->writing = true;
    peer->queued = queued;
    gh_watch(peer);
}

/* False when the client has taken nothing of what is queued for a whole write timeout. */
static bool
is_taking(gh_peer *peer)
{
    gh_server *server = peer->server;
    size_t queued = server->api->queued(peer->stream);
    if (queued < peer->queued)
        peer->write_due = in_ticks(server, server->write_ticks);
    peer->writing = queued > 0;
    peer->queued = queued;
    return !peer->writing || server->now < peer->write_due;
}

/* ---- when it is due --------------------------------------------------------------------------
 */

static void
refuse(gh_peer *peer)
{
    peer->server->timed_out++;
    gh_peer *before = gh_cork(peer);
    gh_upload_free(peer);
    peer->partial = false;
    gh_refuse(peer, GH_TIMEOUT);
    gh_uncork(peer, before);
    gh_peer_settle(peer);
}

static void
cut_off(gh_peer *peer)
{
    peer->server->timed_out++;
    gh_peer_reset(peer);
}

/* What was awaited has not come. */
static void
give_up_waiting(gh_peer *peer)
{
    switch (peer->state) {
    case GH_READY:
        if (peer->partial) {
            refuse(peer);
        } else if (gh_buffer_len(&peer->in) == 0) {
            peer->server->timed_out += peer->served == 0;
            gh_peer_close(peer);
        }
        break;
    case GH_BODY:
        refuse(peer);
        break;
    case GH_RUNNING:
        (void)gh_body_late(peer);
        break;
    case GH_DRAIN:
    case GH_LINGER:
        gh_peer_close(peer);
        break;
    case GH_CLOSING:
        if (!peer->writing)
            gh_peer_abort(peer);
        break;
    case GH_MAKING:
        if (!gh_body_late(peer) && peer->filing)
            cut_off(peer);
        break;
    default:
        break; /* how long a handler takes is its own affair */
    }
}

static void
give_up_request(gh_peer *peer)
{
    peer->request_due = 0;
    if (peer->state == GH_BODY || (peer->state == GH_READY && peer->partial))
        refuse(peer);
    else if (peer->state == GH_RUNNING || peer->state == GH_MAKING)
        cut_off(peer);
}

void
gh_peer_fire(gh_timer *timer)
{
    gh_peer *peer = (gh_peer *)((char *)timer - offsetof(gh_peer, timer));
    uint64_t now = peer->server->now;
    if (peer->stream == NULL)
        return;
    Py_INCREF(peer);
    if (peer->writing && !is_taking(peer)) {
        cut_off(peer);
    } else if (peer->request_due != 0 && now >= peer->request_due) {
        give_up_request(peer);
    } else if (now >= peer->due) {
        peer->due = GH_NEVER;
        give_up_waiting(peer);
    }
    if (peer->stream != NULL)
        gh_watch(peer);
    Py_DECREF(peer);
}
