/* crowd.c: when connections are many. From nine tenths of what is allowed on, idle ones make room,
 * the oldest first; at the limit the listeners rest, and who comes waits in the kernel. */
#include "server/parts.h"

#include <stdlib.h>

/* Idle between two requests. One that has sent nothing yet has its own, shorter, time. */
static bool
is_idle(const gh_peer *peer)
{
    return peer->state == GH_READY && peer->served > 0 && !peer->partial && !peer->blocked &&
           !peer->deferred && !peer->writing && gh_buffer_len(&peer->in) == 0;
}

static int
compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* All of them wait equally long, so the order of their deadlines is that of their ages. Looking
 * for the oldest takes as long as there are connections: they are closed in lots, of a size that
 * makes it a constant for each that comes, and connections need not be kept in order always. */
static void
evict(gh_server *server, size_t lot)
{
    uint64_t *dues = PyMem_New(uint64_t, server->n_peers);
    size_t n = 0;
    if (dues == NULL)
        return;
    for (gh_peer *peer = server->peers; peer != NULL; peer = peer->next) {
        if (is_idle(peer))
            dues[n++] = peer->due;
    }
    qsort(dues, n, sizeof(*dues), compare);
    lot = lot < n ? lot : n;
    uint64_t last = lot > 0 ? dues[lot - 1] : 0;
    PyMem_Free(dues);
    /* The list begins with the newest: of those of the same age the oldest go as well. */
    gh_peer *peer = server->peers;
    while (peer != NULL && peer->next != NULL)
        peer = peer->next;
    for (; peer != NULL && lot > 0; peer = peer->previous) {
        if (is_idle(peer) && peer->due <= last) {
            lot--;
            server->evicted++;
            gh_peer_close(peer);
        }
    }
}

static void
rest(gh_server *server, bool resting)
{
    server->resting = resting;
    server->full += resting;
    for (size_t i = 0; i < server->n_listeners; i++) {
        if (resting)
            server->api->listen_pause(server->listeners[i]);
        else if (server->api->listen_resume(server->listeners[i]) < 0)
            server->resting = true; /* the next that leaves tries again */
    }
    if (server->foreign != NULL && server->throttle != NULL) {
        PyObject *done = PyObject_CallOneArg(server->throttle, resting ? Py_True : Py_False);
        if (done == NULL)
            PyErr_WriteUnraisable(server->throttle);
        Py_XDECREF(done);
    }
}

void
gh_crowd_came(gh_server *server)
{
    size_t most = server->most_connections;
    if (server->n_peers > most - most / 10 && !server->closing)
        evict(server, 1 + most / 128);
    if (server->n_peers >= most && !server->resting && !server->closing)
        rest(server, true);
}

void
gh_crowd_left(gh_server *server)
{
    if (server->resting && server->n_peers < server->most_connections && !server->closing)
        rest(server, false);
}
