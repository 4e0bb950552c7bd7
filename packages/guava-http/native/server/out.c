/* out.c: the cork. Everything that is answered inside one callback of the loop is rendered into
 * one buffer of the server and leaves in one write: of all that costs, a system call costs most.
 * Callbacks do not interleave, so one buffer serves all connections. */
#include "server/parts.h"

#include <string.h>

/* A head and the body behind it, on their way together: the head is copied, the body referred to.
 */
typedef struct {
    PyObject *owner;
    size_t n;
    char head[];
} parcel;

static void
parcel_release(void *arg)
{
    parcel *self = arg;
    Py_DECREF(self->owner);
    PyMem_Free(self);
}

static void
write_out(gh_peer *peer, const guava_buf *bufs, unsigned n, void (*release)(void *), void *arg)
{
    gh_server *server = peer->server;
    int result = server->api->write(peer->stream, bufs, n, release, arg);
    if (result == 0)
        return;
    /* A broken connection is told by closed(); until then nothing more is made for it. */
    peer->blocked = result < 0;
    if (result < 0)
        return;
    size_t size = 0;
    for (unsigned i = 0; i < n; i++)
        size += bufs[i].len;
    gh_deadline_write(peer, size);
    peer->blocked = peer->queued > GH_HIGH_WATER;
}

gh_peer *
gh_cork(gh_peer *peer)
{
    gh_server *server = peer->server;
    gh_peer *before = server->corking;
    if (before != NULL && before != peer)
        gh_out_flush(server);
    server->corking = peer;
    return before;
}

void
gh_uncork(gh_peer *peer, gh_peer *before)
{
    gh_server *server = peer->server;
    if (before != peer)
        gh_out_flush(server);
    server->corking = before;
}

void
gh_out_flush(gh_server *server)
{
    gh_peer *peer = server->corking;
    size_t n = server->corked;
    server->corked = 0;
    if (n > 0 && peer->stream != NULL) {
        guava_buf buf = {server->cork, n};
        write_out(peer, &buf, 1, NULL, NULL);
    }
}

char *
gh_out_room(gh_peer *peer, size_t n)
{
    gh_server *server = peer->server;
    assert(server->corking == peer && n <= GH_CORK);
    if (GH_CORK - server->corked < n)
        gh_out_flush(server);
    return server->cork + server->corked;
}

void
gh_out(gh_peer *peer, const char *bytes, size_t n, PyObject *owner)
{
    gh_server *server = peer->server;
    if (n <= GH_COPIED) {
        memcpy(gh_out_room(peer, n), bytes, n);
        gh_out_took(peer, n);
        return;
    }
    if (peer->stream == NULL)
        return;
    size_t before = server->corked;
    parcel *self = owner == NULL ? NULL : PyMem_Malloc(sizeof(parcel) + before);
    if (self == NULL) {
        gh_out_flush(server);
        guava_buf buf = {bytes, n};
        write_out(peer, &buf, 1, NULL, NULL);
        return;
    }
    *self = (parcel){.owner = Py_NewRef(owner), .n = before};
    memcpy(self->head, server->cork, before);
    server->corked = 0;
    guava_buf bufs[2] = {{self->head, before}, {bytes, n}};
    write_out(peer, before > 0 ? bufs : bufs + 1, before > 0 ? 2 : 1, parcel_release, self);
}
