/* outgoing.c: what a stream has to send and the kernel has not taken yet: bytes and files, in the
 * order in which they were given.
 *
 * Nothing is queued that the kernel takes at once. A queue is sent when the socket becomes
 * writable, up to 64 pieces by one system call; bytes that are copied are gathered in blocks, so
 * that many small writes to a slow reader are few pieces.
 *
 * done() of a file may not come inside sendfile(), where its caller does not expect it; release()
 * and done() of what is dropped may not come inside abort(). They come from a deferred call and
 * from the close callback.
 */
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sendfile.h>
#endif

#include "parts.h"

#define TURN_BYTES ((size_t)1024 * 1024) /* that one stream may send in one turn of the loop */
#define FILE_CHUNK ((size_t)256 * 1024)  /* read from a disk before the loop goes on */
#define COPY_CHUNK ((size_t)32 * 1024)   /* of a file that the kernel cannot send by itself */
#define BLOCK ((size_t)4 * 1024 - sizeof(gl_outgoing) - sizeof(guava_buf)) /* of copied bytes */
#define PIECES 64

_Static_assert(sizeof(guava_buf) == sizeof(struct iovec) &&
                   offsetof(guava_buf, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(guava_buf, len) == offsetof(struct iovec, iov_len),
               "guava_buf is handed to the kernel as struct iovec");

/* Bytes taken, or a negative errno. */
static ssize_t
send_bufs(int fd, const guava_buf *bufs, size_t n)
{
    ssize_t sent;
    do {
        if (n == 1) {
            sent = send(fd, bufs->base, bufs->len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = {.msg_iov = (struct iovec *)bufs, .msg_iovlen = n};
            sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        }
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static bool
would_block(ssize_t error)
{
    return error == -EAGAIN || error == -EWOULDBLOCK;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static gl_outgoing *
new_piece(size_t room)
{
    gl_outgoing *o = PyMem_Malloc(sizeof(*o) + room);
    if (o) {
        memset(o, 0, sizeof(*o));
        o->fd = -1;
    }
    return o;
}

static void
append(guava_stream *s, gl_outgoing *o)
{
    if (s->head) {
        s->tail->next = o;
    } else {
        s->head = o;
    }
    s->tail = o;
}

static gl_outgoing *
take_head(guava_stream *s)
{
    gl_outgoing *o = s->head;
    s->head = o->next;
    if (s->head == NULL) {
        s->tail = NULL;
    }
    o->next = NULL;
    return o;
}

/* Moves past `taken` bytes of the piece's own. */
static void
advance(gl_outgoing *o, size_t taken)
{
    o->left -= (int64_t)taken;
    while (taken > 0) {
        guava_buf *buf = &o->bufs[o->first];
        if (taken < buf->len) {
            buf->base += taken;
            buf->len -= taken;
            return;
        }
        taken -= buf->len;
        buf->len = 0;
        o->first++;
    }
}

static void
free_bytes(guava_loop *loop, gl_outgoing *o)
{
    if (o->release) {
        o->release(o->arg);
        gl_check_callback(loop, "release() of written bytes raised");
    }
    PyMem_Free(o);
}

/* Keeps a copy of the bytes behind the first `skip`. */
static int
queue_copy(guava_stream *s, const guava_buf *bufs, unsigned n, size_t skip, size_t left)
{
    gl_outgoing *o = s->tail;
    if (o == NULL || o->free == NULL || (size_t)(o->limit - o->free) < left) {
        size_t room = left < BLOCK ? BLOCK : left;
        o = new_piece(sizeof(guava_buf) + room);
        if (o == NULL) {
            return -ENOMEM;
        }
        o->free = (char *)(o->bufs + 1);
        o->limit = o->free + room;
        o->bufs[0] = (guava_buf){o->free, 0};
        o->n = 1;
        append(s, o);
    }
    for (unsigned i = 0; i < n; i++) {
        if (skip >= bufs[i].len) {
            skip -= bufs[i].len;
            continue;
        }
        size_t len = bufs[i].len - skip;
        memcpy(o->free, bufs[i].base + skip, len);
        o->free += len;
        skip = 0;
    }
    o->bufs[0].len += left;
    o->left += (int64_t)left;
    return 0;
}

/* Keeps only where the bytes are. */
static int
queue_borrowed(guava_stream *s, const guava_buf *bufs, unsigned n, size_t skip, size_t left,
               void (*release)(void *), void *arg)
{
    gl_outgoing *o = new_piece(n * sizeof(guava_buf));
    if (o == NULL) {
        return -ENOMEM;
    }
    memcpy(o->bufs, bufs, n * sizeof(guava_buf));
    o->n = n;
    o->left = (int64_t)(skip + left);
    advance(o, skip);
    o->release = release;
    o->arg = arg;
    append(s, o);
    return 0;
}

int
gl_stream_write(guava_stream *s, const guava_buf *bufs, unsigned n, void (*release)(void *),
                void *arg)
{
    size_t total = 0, taken = 0;
    int result = 0;
    for (unsigned i = 0; i < n; i++) {
        total += bufs[i].len;
    }
    if (s->flags & (GL_SHUTDOWN | GL_CLOSING | GL_DEAD)) {
        result = s->flags & GL_DEAD ? -ENOTCONN : -EPIPE;
        goto release;
    }
    if (total == 0) {
        goto release;
    }
    if (s->head == NULL) {
        ssize_t sent = send_bufs(s->fd, bufs, n < PIECES ? n : PIECES);
        if (sent == (ssize_t)total) {
            goto release;
        }
        if (sent < 0 && !would_block(sent)) {
            result = (int)sent;
            goto broken;
        }
        taken = sent < 0 ? 0 : (size_t)sent;
    }
    result = release ? queue_borrowed(s, bufs, n, taken, total - taken, release, arg)
                     : queue_copy(s, bufs, n, taken, total - taken);
    if (result < 0) {
        goto broken;
    }
    s->queued += total - taken;
    if (s->queued > s->high) {
        s->flags |= GL_OVER_HIGH;
    }
    gl_stream_want(s, UV_WRITABLE);
    return s->flags & GL_DEAD ? s->error : 1;

broken:
    gl_stream_kill(s, result);
release:
    if (release) {
        release(arg);
    }
    return result;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Where the kernel cannot send from this file: by hand. What the socket does not take is read
 * again next time, so nothing is kept. */
static ssize_t
send_file_copied(int to, const gl_outgoing *o, size_t len)
{
    char *chunk = PyMem_Malloc(COPY_CHUNK);
    if (chunk == NULL) {
        return -ENOMEM;
    }
    ssize_t n;
    do {
        n = pread(o->fd, chunk, len < COPY_CHUNK ? len : COPY_CHUNK, (off_t)o->offset);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        guava_buf buf = {chunk, (size_t)n};
        n = send_bufs(to, &buf, 1);
    } else if (n < 0) {
        n = -errno;
    }
    PyMem_Free(chunk);
    return n;
}

/* Bytes taken, 0 at the end of the file, or a negative errno. */
static ssize_t
send_file(int to, const gl_outgoing *o)
{
    size_t len = o->left < (int64_t)FILE_CHUNK ? (size_t)o->left : FILE_CHUNK;
#ifdef __linux__
    off_t offset = (off_t)o->offset;
    ssize_t n;
    do {
        n = sendfile(to, o->fd, &offset, len);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return n;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
#endif
    return send_file_copied(to, o, len);
}

static void
finish_files(void *arg)
{
    guava_stream *s = arg;
    s->flags &= ~(unsigned)GL_FINISHING;
    while (s->sent) {
        gl_outgoing *o = s->sent;
        s->sent = o->next;
        o->done(o->arg, o->fd); /* see finish_file() */
        gl_check_callback(s->loop, "done() of a sent file raised");
        PyMem_Free(o);
    }
    gl_stream_unref(s);
}

/* The file is through, or has failed: done() comes at the end of this phase of the turn. */
static void
finish_file(guava_stream *s, gl_outgoing *o, int error)
{
    o->fd = error; /* the descriptor is the caller's again */
    o->next = NULL;
    gl_outgoing **end = &s->sent;
    while (*end) {
        end = &(*end)->next;
    }
    *end = o;
    if (s->flags & GL_FINISHING) {
        return;
    }
    /* Without memory for it, the close callback calls done(). */
    if (gl_defer(s->loop, finish_files, s) < 0) {
        PyErr_Clear();
        gl_stream_kill(s, -ENOMEM);
        return;
    }
    s->flags |= GL_FINISHING;
    gl_stream_ref(s);
}

/* Sends of the file at the head. 0: go on with the queue; -EAGAIN: later. */
static int
flush_file(guava_stream *s, size_t *budget)
{
    gl_outgoing *o = s->head;
    ssize_t n = o->left > 0 ? send_file(s->fd, o) : 0;
    if (n > 0) {
        o->offset += n;
        o->left -= n;
        if (o->sent) {
            *o->sent += n;
        }
        *budget -= (size_t)n < *budget ? (size_t)n : *budget;
    } else if (would_block(n)) {
        return -EAGAIN;
    }
    if (o->left == 0 || n <= 0) {
        /* An error of the file leaves the stream whole; one of the socket shows again at the next
         * write, or in the poll. */
        int error = o->left == 0 ? 0 : n == 0 ? -ENODATA : (int)n;
        finish_file(s, take_head(s), error);
    }
    return 0;
}

int
gl_stream_sendfile(guava_stream *s, int fd, int64_t offset, int64_t length,
                   void (*done)(void *, int), void *arg)
{
    return gl_outgoing_sendfile(s, fd, offset, length, NULL, done, arg);
}

int
gl_outgoing_sendfile(guava_stream *s, int fd, int64_t offset, int64_t length, int64_t *sent,
                     void (*done)(void *, int), void *arg)
{
    if (s->flags & (GL_SHUTDOWN | GL_CLOSING | GL_DEAD)) {
        return s->flags & GL_DEAD ? -ENOTCONN : -EPIPE;
    }
    if (fd < 0 || offset < 0 || length < 0) {
        return -EINVAL;
    }
    gl_outgoing *o = new_piece(0);
    if (o == NULL) {
        return -ENOMEM;
    }
    o->fd = fd;
    o->offset = offset;
    o->left = length;
    o->sent = sent;
    o->done = done;
    o->arg = arg;
    bool first = s->head == NULL;
    append(s, o);
    if (first) {
        size_t budget = 1;
        (void)flush_file(s, &budget); /* when it would block, the poll below goes on */
    }
    if (s->head) {
        gl_stream_want(s, UV_WRITABLE);
    }
    return 0;
}

bool
gl_outgoing_withdraw(guava_stream *s, void *arg)
{
    gl_outgoing *before = NULL, *o = s->head;
    while (o != NULL && (o->fd < 0 || o->arg != arg)) {
        before = o;
        o = o->next;
    }
    if (o == NULL) {
        return false;
    }
    if (before != NULL) {
        before->next = o->next;
    } else {
        s->head = o->next;
    }
    if (s->tail == o) {
        s->tail = before;
    }
    PyMem_Free(o);
    return true;
}

/* ---- sending the queue ---------------------------------------------------------------------- */

/* Sends of the bytes at the head and right behind it. As flush_file(). */
static int
flush_bytes(guava_stream *s, size_t *budget)
{
    guava_buf bufs[PIECES];
    unsigned n = 0;
    size_t wanted = 0;
    for (gl_outgoing *o = s->head; o && o->fd < 0 && n < PIECES; o = o->next) {
        for (unsigned i = o->first; i < o->n && n < PIECES; i++) {
            if (o->bufs[i].len > 0) {
                wanted += o->bufs[i].len;
                bufs[n++] = o->bufs[i];
            }
        }
    }
    ssize_t sent = send_bufs(s->fd, bufs, n);
    if (sent < 0) {
        if (!would_block(sent)) {
            gl_stream_kill(s, (int)sent);
        }
        return -EAGAIN;
    }
    size_t taken = (size_t)sent;
    *budget -= taken < *budget ? taken : *budget;
    s->queued -= taken;
    while (taken > 0) {
        gl_outgoing *o = s->head;
        if ((int64_t)taken < o->left) {
            advance(o, taken);
            break;
        }
        taken -= (size_t)o->left;
        /* Out of the queue before release(), which may write. */
        free_bytes(s->loop, take_head(s));
    }
    return (size_t)sent < wanted ? -EAGAIN : 0;
}

void
gl_outgoing_flush(guava_stream *s)
{
    size_t budget = TURN_BYTES;
    while (s->head && budget > 0 && !(s->flags & GL_DEAD)) {
        if ((s->head->fd < 0 ? flush_bytes : flush_file)(s, &budget) < 0) {
            break;
        }
    }
    if (s->flags & GL_DEAD) {
        return;
    }
    if (s->head == NULL) {
        if (s->flags & GL_CLOSING) {
            gl_stream_kill(s, 0);
            return;
        }
        if ((s->flags & GL_SHUTDOWN) && shutdown(s->fd, SHUT_WR) < 0) {
            gl_stream_kill(s, -errno);
            return;
        }
    }
    if ((s->flags & GL_OVER_HIGH) && s->queued <= s->low) {
        s->flags &= ~(unsigned)GL_OVER_HIGH;
        if (!(s->flags & GL_CLOSING) && s->ops && s->ops->drain && s->ops->drain(s) < 0) {
            gl_loop_error(s->loop, "drain() of a stream raised", NULL);
            gl_stream_kill(s, -ECONNABORTED);
        }
    }
    if (s->emptied && s->head == NULL && !(s->flags & GL_DEAD)) {
        s->emptied(s);
    }
}

void
gl_outgoing_drop(guava_stream *s)
{
    while (s->sent) {
        gl_outgoing *o = s->sent;
        s->sent = o->next;
        o->done(o->arg, o->fd);
        gl_check_callback(s->loop, "done() of a sent file raised");
        PyMem_Free(o);
    }
    while (s->head) {
        gl_outgoing *o = take_head(s);
        if (o->fd < 0) {
            free_bytes(s->loop, o);
            continue;
        }
        o->done(o->arg, s->error ? s->error : -ECANCELED);
        gl_check_callback(s->loop, "done() of a file raised");
        PyMem_Free(o);
    }
    s->queued = 0;
}
