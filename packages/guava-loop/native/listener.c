/* listener.c: a listening TCP or unix socket. It is separate from streams because it moves no
 * bytes: it makes streams and hands them over.
 *
 * When the process is out of descriptors, a listening socket stays readable and a loop would spin
 * on it. The listener then rests for a while; meanwhile connections wait in the kernel's queue,
 * where none is lost.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "parts.h"
#include "poller.h"

#define ACCEPTS_PER_TURN 64
#define REST_MS 100

enum { PAUSED = 1, RESTING = 2, CLOSED = 4, TOLD = 8 };

struct guava_listener {
    uv_poll_t poll;
    uv_timer_t rest;
    gl_loop *loop;
    guava_accept_fn accept;
    void *arg;
    guava_listener *prev, *next; /* in gl_io.listeners */
    int fd;
    int open_handles;
    unsigned flags;
};

static void on_connection(uv_poll_t *poll, int status, int events);

static int
listen_on(guava_listener *l)
{
    return l->flags & (PAUSED | RESTING | CLOSED)
               ? 0
               : uv_poll_start(&l->poll, UV_READABLE, on_connection);
}

static void
on_rested(uv_timer_t *timer)
{
    guava_listener *l = timer->data;
    l->flags &= ~(unsigned)RESTING;
    int err = listen_on(l);
    if (err < 0) {
        gl_attach(l->loop);
        (void)gl_uv_error(err);
        gl_loop_error(l->loop, "a listener could not go on", NULL);
    }
}

/* Out of descriptors or memory: waits, and says so once, until an accept succeeds. */
static void
rest(guava_listener *l, int error)
{
    l->flags |= RESTING;
    (void)uv_poll_stop(&l->poll);
    (void)uv_timer_start(&l->rest, on_rested, REST_MS, 0); /* fails only on a closing handle */
    if (!(l->flags & TOLD)) {
        l->flags |= TOLD;
        (void)gl_uv_error(error);
        gl_loop_error(l->loop, "accept() of a listener is out of system resources", NULL);
    }
}

static void
hand_over(guava_listener *l, int fd)
{
    gl_loop *loop = l->loop;
    guava_stream *s;
    int err = gl_stream_new(loop, fd, &s);
    if (err < 0) {
        (void)close(fd);
        (void)gl_uv_error(err);
        gl_loop_error(loop, "an accepted connection could not be opened", NULL);
        return;
    }
    if (l->accept(s, l->arg) < 0) {
        gl_loop_error(loop, "accept() of a listener raised", NULL);
        gl_stream_kill(s, -ECONNABORTED);
    } else if (s->ops == NULL) {
        gl_stream_kill(s, -ECONNRESET); /* nobody took it */
    } else if (!(s->flags & GL_DEAD)) {
        (void)gl_stream_start(s); /* closed() tells of a failure */
    }
}

static int
accept_one(int fd)
{
#ifdef __linux__
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int peer = accept(fd, NULL, NULL);
    if (peer >= 0 &&
        (fcntl(peer, F_SETFL, O_NONBLOCK) < 0 || fcntl(peer, F_SETFD, FD_CLOEXEC) < 0)) {
        int error = errno;
        (void)close(peer);
        errno = error;
        return -1;
    }
    return peer;
#endif
}

static void
on_connection(uv_poll_t *poll, int status, int events)
{
    guava_listener *l = poll->data;
    gl_attach(l->loop);
    if (status < 0) {
        rest(l, status);
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN && !(l->flags & (PAUSED | CLOSED)); i++) {
        int fd = accept_one(l->fd);
        if (fd >= 0) {
            l->flags &= ~(unsigned)TOLD;
            hand_over(l, fd);
            continue;
        }
        switch (errno) {
        case EAGAIN:
#if EWOULDBLOCK != EAGAIN
        case EWOULDBLOCK:
#endif
            return;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            rest(l, -errno);
            return;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
            /* No longer a listening socket; polling it would spin. */
            (void)uv_poll_stop(&l->poll);
            (void)gl_uv_error(-errno);
            gl_loop_error(l->loop, "accept() of a listener failed", NULL);
            return;
        default:
            break; /* of that one connection (ECONNABORTED, and what accept(2) passes on): next */
        }
    }
}

int
gl_listen(gl_loop *loop, int fd, int backlog, guava_accept_fn accept, void *arg,
          guava_listener **out)
{
    if (gl_check_closed(loop) < 0) {
        return -1;
    }
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) < 0 || listen(fd, backlog) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    /* Accepted sockets inherit it, which saves a system call for each. */
    gl_set_nodelay(fd, name.ss_family);
    guava_listener *l = PyMem_RawCalloc(1, sizeof(*l));
    if (l == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    l->loop = loop;
    l->accept = accept;
    l->arg = arg;
    l->fd = fd;
    gl_poller_evict(loop, fd);
    int err = uv_poll_init(&loop->uv, &l->poll, fd);
    if (err < 0) {
        PyMem_RawFree(l);
        (void)gl_uv_error(err);
        return -1;
    }
    (void)uv_timer_init(&loop->uv, &l->rest); /* never fails */
    l->poll.data = l;
    l->rest.data = l;
    l->open_handles = 2;
    l->next = loop->io.listeners;
    if (l->next) {
        l->next->prev = l;
    }
    loop->io.listeners = l;
    err = listen_on(l);
    if (err < 0) {
        l->fd = -1; /* stays the caller's */
        gl_unlisten(l);
        (void)gl_uv_error(err);
        return -1;
    }
    *out = l;
    return 0;
}

void
gl_listen_pause(guava_listener *l)
{
    if (!(l->flags & PAUSED)) {
        l->flags |= PAUSED;
        (void)uv_poll_stop(&l->poll);
    }
}

int
gl_listen_resume(guava_listener *l)
{
    l->flags &= ~(unsigned)PAUSED;
    return listen_on(l);
}

static void
on_close(uv_handle_t *handle)
{
    guava_listener *l = handle->data;
    if (--l->open_handles == 0) {
        PyMem_RawFree(l);
    }
}

void
gl_unlisten(guava_listener *l)
{
    if (l->flags & CLOSED) {
        return;
    }
    l->flags |= CLOSED;
    if (l->prev) {
        l->prev->next = l->next;
    } else {
        l->loop->io.listeners = l->next;
    }
    if (l->next) {
        l->next->prev = l->prev;
    }
    uv_close((uv_handle_t *)&l->poll, on_close);
    uv_close((uv_handle_t *)&l->rest, on_close);
    if (l->fd >= 0) {
        (void)close(l->fd);
    }
}

size_t
gl_listeners_count(const gl_loop *loop)
{
    size_t n = 0;
    for (const guava_listener *l = loop->io.listeners; l != NULL; l = l->next) {
        n++;
    }
    return n;
}
