/* stream.c: a connected TCP or unix socket: reading, closing, and the life of the object.
 *
 * A stream polls with uv_poll_t and moves the bytes itself, instead of using uv_tcp_t and
 * uv_pipe_t. So there is one queue, in which bytes and files keep their order; what has piled up
 * leaves in one sendmsg(2); a file waits for the socket without a second descriptor; and a request
 * costs 160 instructions less (523 against 683 for an echo, counted with callgrind on libuv 1.44).
 * The price: four cheap system calls more for each connection.
 *
 * Interest in events grows at once and shrinks late: pausing costs nothing unless bytes arrive
 * during the pause, so a consumer may pause and resume around each message.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"
#include "poller.h"

/* Reads of one stream in one turn of the loop, so that a fast sender does not starve the others.
 */
#define READS_PER_TURN 16

#define LOW_WATERMARK ((size_t)16 * 1024)
#define HIGH_WATERMARK ((size_t)64 * 1024)

static bool
wants_data(const guava_stream *s)
{
    return (s->flags & (GL_PAUSED | GL_EOF | GL_CLOSING | GL_DEAD)) == 0;
}

void
gl_stream_poll_for(guava_stream *s, int events)
{
    if (events == s->events) {
        return;
    }
    int err = events ? uv_poll_start(&s->poll, events, s->on_poll) : uv_poll_stop(&s->poll);
    if (err < 0) {
        gl_stream_kill(s, err);
        return;
    }
    s->events = events;
    if (events && (s->flags & (GL_BORROWED | GL_DOUBTED)) == GL_BORROWED) {
        s->flags |= GL_DOUBTED;
        s->next_doubted = s->loop->io.doubted;
        s->loop->io.doubted = s;
        gl_stream_ref(s);
    }
}

void
gl_streams_check(guava_loop *loop)
{
    while (loop->io.doubted != NULL) {
        guava_stream *s = loop->io.doubted;
        loop->io.doubted = s->next_doubted;
        s->flags &= ~(unsigned)GL_DOUBTED;
        struct stat now;
        if (s->events && !(s->flags & GL_DEAD) &&
            (fstat(s->fd, &now) < 0 || !S_ISSOCK(now.st_mode))) {
            gl_stream_kill(s, -EBADF);
        }
        gl_stream_unref(s);
    }
}

void
gl_stream_want(guava_stream *s, int events)
{
    gl_stream_poll_for(s, s->events | events);
}

int
gl_stream_start(guava_stream *s)
{
    int events = (wants_data(s) ? UV_READABLE : 0) | (s->head ? UV_WRITABLE : 0);
    gl_stream_poll_for(s, events | s->events);
    return s->flags & GL_DEAD ? s->error : 0;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void
on_close(uv_handle_t *handle)
{
    guava_stream *s = handle->data;
    guava_loop *loop = s->loop;
    gl_attach(loop);
    if (s->prev) {
        s->prev->next = s->next;
    } else {
        loop->io.streams = s->next;
    }
    if (s->next) {
        s->next->prev = s->prev;
    }
    gl_outgoing_drop(s);
    if (s->ops) {
        s->ops->closed(s, s->error);
        gl_check_callback(loop, "closed() of a stream raised");
    }
    Py_CLEAR(s->owner);
    gl_stream_unref(s);
}

void
gl_stream_kill(guava_stream *s, int error)
{
    if (s->flags & GL_DEAD) {
        return;
    }
    s->flags |= GL_DEAD;
    s->error = error;
    if (error == -ECONNRESET && !(s->flags & GL_BORROWED)) {
        /* With a linger time of zero the kernel sends a reset. A unix socket has none: ignored. */
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    uv_close((uv_handle_t *)&s->poll, on_close);
    if (!(s->flags & GL_BORROWED)) {
        /* libuv polls no more, so the descriptor may go. An error here has no one to hear it. */
        (void)close(s->fd);
    }
    s->fd = -1;
    s->events = 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

int
gl_stream_error(const guava_stream *s)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
        error = errno;
    }
    return error ? -error : -ECONNRESET;
}

static void
callback_failed(guava_stream *s, const char *where)
{
    gl_loop_error(s->loop, where, NULL);
    gl_stream_kill(s, -ECONNABORTED);
}

static void
end_of_file(guava_stream *s)
{
    s->flags |= GL_EOF;
    gl_stream_poll_for(s, s->events & ~UV_READABLE);
    if (s->flags & GL_DEAD) {
        return;
    }
    if (s->ops->eof == NULL) {
        gl_stream_close(s);
    } else if (s->ops->eof(s) < 0) {
        callback_failed(s, "eof() of a stream raised");
    }
}

/* `failed`: the poll told of an error, which recv() gives after the last bytes. */
static void
read_some(guava_stream *s, bool failed)
{
    for (int i = 0; i < READS_PER_TURN && wants_data(s); i++) {
        size_t cap = 0;
        char *place = s->ops->alloc ? s->ops->alloc(s, &cap) : NULL;
        if (place == NULL) {
            place = s->loop->read_buffer;
            cap = GL_READ_BUFFER;
        }
        ssize_t n = recv(s->fd, place, cap, 0);
        if (n > 0) {
            if (s->ops->data && s->ops->data(s, place, (size_t)n) < 0) {
                callback_failed(s, "data() of a stream raised");
            }
            /* Fewer bytes than asked for: there are no more, and asking would cost a call. */
            if ((size_t)n < cap && !failed) {
                return;
            }
        } else if (n == 0) {
            end_of_file(s);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (failed) {
                gl_stream_kill(s, gl_stream_error(s));
            }
            return;
        } else if (errno != EINTR) {
            gl_stream_kill(s, -errno);
        }
    }
}

void
gl_stream_on_poll(uv_poll_t *poll, int status, int events)
{
    guava_stream *s = poll->data;
    gl_attach(s->loop);
    bool failed = status < 0;
    if (failed) {
        /* libuv has stopped the poll. Bytes that came before the error may still be there. */
        s->events = 0;
        if (!wants_data(s)) {
            gl_stream_kill(s, gl_stream_error(s));
            return;
        }
    }
    if (failed || (events & UV_READABLE)) {
        read_some(s, failed);
    }
    if ((events & UV_WRITABLE) && !(s->flags & GL_DEAD)) {
        gl_outgoing_flush(s);
    }
    if (s->flags & GL_DEAD) {
        return;
    }
    int keep = s->events & UV_READABLE;
    if (wants_data(s)) {
        keep = UV_READABLE;
    } else if (events & UV_READABLE) {
        keep = 0;
    }
    gl_stream_poll_for(s, keep | (s->head ? UV_WRITABLE : 0));
}

/* ---- birth ---------------------------------------------------------------------------------- */

int
gl_stream_new(guava_loop *loop, int fd, guava_stream **out)
{
    guava_stream *s = PyMem_RawCalloc(1, sizeof(*s));
    if (s == NULL) {
        return -ENOMEM;
    }
    gl_poller_evict(loop, fd);
    int err = uv_poll_init(&loop->uv, &s->poll, fd);
    if (err < 0) {
        PyMem_RawFree(s);
        return err;
    }
#ifdef SO_NOSIGPIPE
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
    s->poll.data = s;
    s->on_poll = gl_stream_on_poll;
    s->loop = loop;
    s->fd = fd;
    s->low = LOW_WATERMARK;
    s->high = HIGH_WATERMARK;
    s->refs = 1;
    s->next = loop->io.streams;
    if (s->next) {
        s->next->prev = s;
    }
    loop->io.streams = s;
    *out = s;
    return 0;
}

int
gl_stream_open(guava_loop *loop, int fd, const guava_stream_ops *ops, void *user,
               guava_stream **out)
{
    if (gl_check_closed(loop) < 0) {
        return -1;
    }
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        getpeername(fd, (struct sockaddr *)&name, &size) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    gl_set_nodelay(fd, name.ss_family);
    guava_stream *s;
    int err = gl_stream_new(loop, fd, &s);
    if (err == -ENOMEM) {
        PyErr_NoMemory();
        return -1;
    }
    if (err < 0) {
        (void)gl_uv_error(err);
        return -1;
    }
    s->ops = ops;
    s->user = user;
    gl_stream_want(s, UV_READABLE);
    *out = s;
    return 0;
}

void
gl_set_nodelay(int fd, int family)
{
    if (family == AF_INET || family == AF_INET6) {
        int on = 1;
        /* Without it the stream is slower, not wrong. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}

/* ---- the functions of the table ------------------------------------------------------------- */

void
gl_stream_set_ops(guava_stream *s, const guava_stream_ops *ops, void *user)
{
    s->ops = ops;
    s->user = user;
}

void *
gl_stream_user(guava_stream *s)
{
    return s->user;
}

guava_loop *
gl_stream_loop(guava_stream *s)
{
    return s->loop;
}

size_t
gl_stream_queued(guava_stream *s)
{
    return s->queued;
}

void
gl_stream_watermarks(guava_stream *s, size_t low, size_t high)
{
    s->low = low;
    s->high = high < low ? low : high;
}

int
gl_stream_read_pause(guava_stream *s)
{
    s->flags |= GL_PAUSED;
    return s->flags & (GL_CLOSING | GL_DEAD) ? -ENOTCONN : 0;
}

int
gl_stream_read_resume(guava_stream *s)
{
    s->flags &= ~(unsigned)GL_PAUSED;
    /* Before set_ops() there is no one to read for; the listener starts the poll then. */
    if (wants_data(s) && s->ops) {
        gl_stream_want(s, UV_READABLE);
    }
    return s->flags & (GL_CLOSING | GL_DEAD) ? -ENOTCONN : 0;
}

int
gl_stream_shutdown(guava_stream *s)
{
    if (s->flags & (GL_CLOSING | GL_DEAD)) {
        return -ENOTCONN;
    }
    if (s->flags & GL_SHUTDOWN) {
        return 0;
    }
    s->flags |= GL_SHUTDOWN;
    /* Not connected any more: the poll will tell, and closed() with it. */
    return s->head == NULL && shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
}

void
gl_stream_close(guava_stream *s)
{
    if (s->flags & (GL_CLOSING | GL_DEAD)) {
        return;
    }
    s->flags |= GL_CLOSING;
    if (s->head == NULL) {
        gl_stream_kill(s, 0);
    }
}

void
gl_stream_abort(guava_stream *s, int error)
{
    gl_stream_kill(s, error);
}

int
gl_stream_peername(guava_stream *s, struct sockaddr *name, int *length)
{
    socklen_t size = (socklen_t)*length;
    if (getpeername(s->fd, name, &size) < 0) {
        return -errno;
    }
    *length = (int)size;
    return 0;
}

int
gl_stream_sockname(guava_stream *s, struct sockaddr *name, int *length)
{
    socklen_t size = (socklen_t)*length;
    if (getsockname(s->fd, name, &size) < 0) {
        return -errno;
    }
    *length = (int)size;
    return 0;
}

int
gl_stream_fileno(guava_stream *s)
{
    return s->fd;
}

void
gl_stream_ref(guava_stream *s)
{
    s->refs++;
}

void
gl_stream_unref(guava_stream *s)
{
    if (--s->refs == 0) {
        PyMem_RawFree(s);
    }
}
