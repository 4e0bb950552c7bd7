/* send_file.c: answers that are files. The kernel moves the bytes, a slice at a time: each slice
 * has the write timeout to be taken, so a client that stalls does not keep the file open. */
#include "server/parts.h"

#include <errno.h>
#include <unistd.h>

#include "core/status.h"

/* What goes to the kernel at once. A client that takes a slice within a tick gets a larger one,
 * so that the write timeout means about the same to all. */
#define SLICE (256 * 1024)
#define MOST (1024 * 1024)

/* Both objects are kept until the last slice is done, which may be after the connection's end. */
typedef struct {
    gh_peer *peer;
    PyObject *file;
    int fd;
    int64_t offset;
    int64_t left;
    int64_t slice;
    uint64_t since;         /* the tick in which the last slice began */
    gh_file_answer *answer; /* of several ranges, or NULL */
    int part;               /* the range that is being sent */
} transfer;

static void
transfer_free(transfer *self)
{
    if (self->answer != NULL) {
        gh_file_answer_free(self->answer);
        PyMem_Free(self->answer);
    }
    Py_DECREF(self->file);
    Py_DECREF(self->peer);
    PyMem_Free(self);
}

/* The length is out already: an answer that stops short must end the connection. */
static void
cut_off(gh_peer *peer, int error)
{
    if (error == -ENODATA)
        PyErr_SetString(PyExc_OSError, "a file ended before the length that was announced");
    else if (error == -ENOMEM)
        PyErr_NoMemory();
    else if (error == -EIO)
        PyErr_SetString(PyExc_OSError, "a file cannot be read");
    if (PyErr_Occurred())
        gh_fail(peer);
    else
        gh_peer_abort(peer); /* it was the client who broke off */
}

static void slice_done(void *arg, int error);

static int
send_slice(transfer *self)
{
    gh_peer *peer = self->peer;
    gh_server *server = peer->server;
    int64_t n = self->left < self->slice ? self->left : self->slice;
    int error = server->api->sendfile(peer->stream, self->fd, self->offset, n, slice_done, self);
    if (error < 0)
        return error;
    self->offset += n;
    self->left -= n;
    self->since = server->now;
    gh_arm(peer, server->write_ticks);
    return 0;
}

/* What stands before a range, or behind the last one. */
static void
send_part_head(transfer *self)
{
    gh_file_answer *answer = self->answer;
    size_t start = self->part == 0 ? 0 : answer->ends[self->part - 1];
    gh_peer *before = gh_cork(self->peer);
    gh_out(self->peer, answer->heads + start, answer->ends[self->part] - start, NULL);
    gh_uncork(self->peer, before);
    if (self->part < answer->n_ranges) {
        const gh_range *range = &answer->ranges[self->part];
        self->offset = answer->offset + range->start;
        self->left = range->stop - range->start;
    }
}

/* Takes the next range. False when all have been sent. */
static bool
next_part(transfer *self)
{
    if (self->answer == NULL)
        return false;
    self->part++;
    send_part_head(self);
    return self->part < self->answer->n_ranges;
}

static void
slice_done(void *arg, int error)
{
    transfer *self = arg;
    gh_peer *peer = self->peer;
    bool wanted = peer->stream != NULL && peer->state == GH_MAKING;
    if (wanted && error == 0 && (self->left > 0 || next_part(self))) {
        bool quick = peer->server->now - self->since <= 1;
        self->slice = !quick ? SLICE : self->slice < MOST ? self->slice * 2 : MOST;
        error = peer->stream == NULL ? -ENOTCONN : send_slice(self);
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

/* Everything that takes more than one write. Takes `answer` over, which may be NULL. */
static void
begin(gh_peer *peer, transfer start)
{
    transfer *self = PyMem_Malloc(sizeof(transfer));
    if (self == NULL) {
        if (start.answer != NULL)
            gh_file_answer_free(start.answer);
        PyMem_Free(start.answer);
        PyErr_NoMemory();
        gh_fail(peer);
        return;
    }
    *self = start;
    self->peer = (gh_peer *)Py_NewRef(peer);
    Py_INCREF(self->file);
    self->slice = SLICE;
    peer->state = GH_MAKING;
    peer->filing = true;
    if (self->answer != NULL)
        send_part_head(self);
    gh_out_flush(peer->server);
    int error = peer->stream == NULL ? -ENOTCONN : send_slice(self);
    if (error < 0) {
        cut_off(peer, error);
        transfer_free(self);
    }
}

static void
send_range(gh_peer *peer, gh_reply *reply, PyObject *file, int fd, int64_t offset)
{
    int64_t length = reply->length;
    if (length == 0 || gh_is_bodyless(peer, reply->status)) {
        gh_answer(peer, reply, "", 0, NULL);
        return;
    }
    if (gh_send_head(peer, reply) < 0) {
        gh_fail(peer);
        return;
    }
    if (length > GH_COPIED) {
        begin(peer, (transfer){.file = file, .fd = fd, .offset = offset, .left = length});
        return;
    }
    int error = send_copy(peer, fd, offset, (size_t)length);
    if (error < 0)
        cut_off(peer, error);
    else
        gh_peer_finish(peer);
}

void
gh_send_file(gh_peer *peer, gh_reply *reply, PyObject *file)
{
    int fd;
    int64_t offset;
    if (gh_file_body_get(file, &fd, &offset, &reply->length) < 0) {
        gh_fail(peer);
        return;
    }
    send_range(peer, reply, file, fd, offset);
}

/* ---- FileResponse ----------------------------------------------------------------------------
 */

static void
send_status(gh_peer *peer, gh_reply *reply)
{
    char body[64];
    size_t n;
    const char *phrase = gh_status_phrase(reply->status, &n);
    int size = reply->status == 304
                   ? 0
                   : PyOS_snprintf(body, sizeof(body), "%d %.*s\n", reply->status, (int)n, phrase);
    if (reply->status != 304)
        reply->length = size;
    gh_answer(peer, reply, body, (size_t)size, NULL);
}

static void
send_parts(gh_peer *peer, gh_reply *reply, gh_file_answer *answer)
{
    gh_file_answer *copy = PyMem_Malloc(sizeof(gh_file_answer));
    if (copy == NULL) {
        PyErr_NoMemory();
        gh_fail(peer);
        return;
    }
    if (gh_send_head(peer, reply) < 0) {
        PyMem_Free(copy);
        gh_fail(peer);
        return;
    }
    *copy = *answer;
    answer->file = NULL; /* the copy has it now, and what goes with it */
    answer->heads = answer->fields = NULL;
    begin(peer, (transfer){.file = copy->file, .fd = copy->fd, .answer = copy});
}

void
gh_send_file_response(gh_peer *peer, gh_reply *reply, PyObject *response)
{
    gh_file_answer answer;
    if (gh_file_response_answer(response, peer->request, reply, &answer) < 0) {
        gh_fail(peer);
        return;
    }
    if (answer.n_ranges == 0)
        send_status(peer, reply);
    else if (answer.heads != NULL)
        send_parts(peer, reply, &answer);
    else
        send_range(peer, reply, answer.file, answer.fd, answer.offset + answer.ranges[0].start);
    gh_file_answer_free(&answer);
}
