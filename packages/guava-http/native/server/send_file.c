/* send_file.c: answers that are files. The kernel moves the bytes, a slice at a time: each slice
 * has the write timeout to be taken, so a client that stalls does not keep the file open. */
#include "server/parts.h"

#include <errno.h>
#include <unistd.h>

#define SLICE (256 * 1024)

/* Both objects are kept until the last slice is done, which may be after the connection's end. */
typedef struct {
    gh_peer *peer;
    PyObject *file;
    int fd;
    int64_t offset;
    int64_t left;
} transfer;

static void
transfer_free(transfer *self)
{
    Py_DECREF(self->file);
    Py_DECREF(self->peer);
    PyMem_Free(self);
}

/* The length is out already: an answer that stops short must end the connection. */
static void
cut_off(gh_peer *peer, int error)
{
    if (error == -ENODATA) {
        PyErr_SetString(PyExc_OSError, "a file ended before the length that was announced");
        gh_fail(peer);
    } else {
        gh_peer_abort(peer);
    }
}

static void slice_done(void *arg, int error);

static int
send_slice(transfer *self)
{
    gh_peer *peer = self->peer;
    int64_t n = self->left < SLICE ? self->left : SLICE;
    int error =
        peer->server->api->sendfile(peer->stream, self->fd, self->offset, n, slice_done, self);
    if (error < 0)
        return error;
    self->offset += n;
    self->left -= n;
    gh_arm(peer, peer->server->write_ticks);
    return 0;
}

static void
slice_done(void *arg, int error)
{
    transfer *self = arg;
    gh_peer *peer = self->peer;
    bool wanted = peer->stream != NULL && peer->state == GH_MAKING;
    if (wanted && error == 0 && self->left > 0) {
        error = send_slice(self);
        if (error == 0)
            return;
    }
    if (wanted && error < 0) {
        cut_off(peer, error);
    } else if (wanted) {
        gh_peer_finish(peer);
        gh_peer_resume(peer);
    }
    transfer_free(self);
}

/* Few bytes leave in the same write as their head. */
static int
send_copy(gh_peer *peer, int fd, int64_t offset, size_t n)
{
    char *out = gh_out_room(peer, n);
    ssize_t got = pread(fd, out, n, offset);
    if (got < 0 || (size_t)got < n)
        return got < 0 ? -errno : -ENODATA;
    gh_out_took(peer, n);
    return 0;
}

void
gh_send_file(gh_peer *peer, gh_reply *reply, PyObject *file)
{
    int fd;
    int64_t offset, length;
    if (gh_file_body_get(file, &fd, &offset, &length) < 0) {
        gh_fail(peer);
        return;
    }
    reply->length = length;
    if (length == 0 || gh_is_bodyless(peer, reply->status)) {
        gh_answer(peer, reply, "", 0, NULL);
        return;
    }
    if (gh_send_head(peer, reply) < 0) {
        gh_fail(peer);
        return;
    }
    if (length <= GH_COPIED) {
        int error = send_copy(peer, fd, offset, (size_t)length);
        if (error < 0)
            cut_off(peer, error);
        else
            gh_peer_finish(peer);
        return;
    }
    transfer *self = PyMem_Malloc(sizeof(transfer));
    if (self == NULL) {
        PyErr_NoMemory();
        gh_fail(peer);
        return;
    }
    *self = (transfer){
        .peer = (gh_peer *)Py_NewRef(peer),
        .file = Py_NewRef(file),
        .fd = fd,
        .offset = offset,
        .left = length,
    };
    peer->state = GH_MAKING;
    peer->filing = true;
    gh_out_flush(peer->server);
    int error = peer->stream == NULL ? -ENOTCONN : send_slice(self);
    if (error < 0) {
        cut_off(peer, error);
        transfer_free(self);
    }
}
