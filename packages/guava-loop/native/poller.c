/* poller.c: who waits for which descriptor, one uv_poll_t for each. Separate from streams, which
 * the loop owns: these descriptors are the user's, who may do anything to them. Handles wait here
 * (readers.c), and datagrams, pipes and the sock_ methods by a C function in the place of one.
 *
 * libuv aborts the process when epoll_ctl() fails on a watcher that it starts (a descriptor that
 * was closed after add_reader() and before the poll, say). So a change of interest waits until
 * just before the poll, and the descriptor is looked at again there. A removal of the last
 * interest is done at once, because the user may close the descriptor and get the same number
 * back.
 *
 * Except with guests: sockets that the loop's sock_ methods wait for, again and again. What the
 * kernel was told of them stays told between two calls, but edge-triggered. For the user may close
 * a socket at any time without a word. Mostly the kernel forgets it then, and a new socket with
 * its number is not the guest any more; but when the same file is open elsewhere (in a forked
 * process, say) its events go on, and cannot be turned off. Level-triggered they would never let
 * the loop sleep again; an edge is told once. Linux only: elsewhere a guest is forgotten at the
 * next poll. */
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "handle.h"
#include "poller.h"

/* So many events of a guest that nobody waits for, and it has to ask the kernel anew. */
#define UNWANTED 8

struct gl_poller {
    uv_poll_t poll;
    gl_loop *loop;
    gl_poller *next_dirty;
    PyObject *reader, *writer;        /* handles, or what the functions are called with; or NULL */
    gl_ready_fn on_reader, on_writer; /* NULL for handles */
    PyObject *guest;                  /* a weak reference to a socket, or NULL */
    PyObject *fileobj;                /* what add_reader() was given, if no number, or NULL */
    int fd;
    int events;    /* that libuv polls for */
    int unwanted;  /* events of the guest in a row for which nobody waited */
    bool edge;     /* edge-triggered */
    bool dirty;    /* in loop->dirty */
    bool orphaned; /* whoever rested here is gone, and may have closed the descriptor */
};

static void on_poll(uv_poll_t *poll, int status, int events);

static gl_poller *
find(gl_loop *loop, int fd)
{
    return (size_t)fd < loop->npollers ? loop->pollers[fd] : NULL;
}

static void
mark_dirty(gl_poller *self)
{
    if (!self->dirty) {
        self->dirty = true;
        self->next_dirty = self->loop->dirty;
        self->loop->dirty = self;
    }
}

static int
make_room(gl_loop *loop, int fd)
{
    size_t want = (size_t)fd + 1;
    if (want <= loop->npollers) {
        return 0;
    }
    size_t size = loop->npollers != 0 ? loop->npollers : 64;
    while (size < want) {
        size *= 2;
    }
    gl_poller **pollers = loop->pollers;
    PyMem_Resize(pollers, gl_poller *, size);
    if (pollers == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    memset(pollers + loop->npollers, 0, (size - loop->npollers) * sizeof(*pollers));
    loop->pollers = pollers;
    loop->npollers = size;
    return 0;
}

/* NULL with an exception set. */
static gl_poller *
make(gl_loop *loop, int fd)
{
    if (make_room(loop, fd) < 0) {
        return NULL;
    }
    gl_poller *self = PyMem_RawCalloc(1, sizeof(*self));
    if (self == NULL) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    /* libuv makes the descriptor non-blocking; asyncio leaves that to its user, and the other
     * holders of a terminal or a pipe would be surprised. */
    int flags = fcntl(fd, F_GETFL);
    int error = flags < 0 ? -errno : uv_poll_init(&loop->uv, &self->poll, fd);
    if (error < 0) {
        PyMem_RawFree(self);
        (void)gl_uv_error(error);
        return NULL;
    }
    if ((flags & O_NONBLOCK) == 0) {
        (void)fcntl(fd, F_SETFL, flags); /* as it was, so it cannot be refused */
    }
    self->loop = loop;
    self->fd = fd;
    loop->pollers[fd] = self;
    return self;
}

/* What libuv was told is void: the descriptor may be another file's by now. */
static void
start_over(gl_poller *self)
{
    (void)gl_after_fork(self->loop); /* if it fails, there is nothing to be told */
    (void)uv_poll_stop(&self->poll);
    self->events = 0;
    self->edge = false;
    self->orphaned = false;
    Py_CLEAR(self->guest);
}

/* For those who are no guests. */
static gl_poller *
find_or_make(gl_loop *loop, int fd)
{
    gl_poller *self = find(loop, fd);
    if (self == NULL) {
        return make(loop, fd);
    }
    if (self->guest != NULL) {
        start_over(self);
    }
    return self;
}

static void
on_close(uv_handle_t *handle)
{
    PyMem_RawFree(handle);
}

static void
destroy(gl_poller *self)
{
    gl_loop *loop = self->loop;
    (void)gl_after_fork(loop); /* if it fails, there is nothing to be told */
    for (gl_poller **p = &loop->dirty; self->dirty && *p != NULL; p = &(*p)->next_dirty) {
        if (*p == self) {
            *p = self->next_dirty;
            break;
        }
    }
    loop->pollers[self->fd] = NULL;
    PyObject *reader = self->reader, *writer = self->writer, *fileobj = self->fileobj;
    self->reader = self->writer = self->fileobj = NULL;
    Py_CLEAR(self->guest);
    uv_close((uv_handle_t *)&self->poll, on_close);
    /* Last, since a destructor may do anything to the loop. */
    Py_XDECREF(reader);
    Py_XDECREF(writer);
    Py_XDECREF(fileobj);
}

/* Lets go of who was interested: always last, since a destructor may do anything to the loop. */
static void
release(PyObject *object, gl_ready_fn ready)
{
    if (object != NULL && ready == NULL) {
        gl_handle_cancel((gl_handle *)object);
    }
    Py_XDECREF(object);
}

/* Takes an interest away: 1, or 0 when there was none. `keep` is for a descriptor that stays open
 * and whose owner will be back. */
static int
drop(gl_poller *self, bool reading, bool keep)
{
    PyObject **slot = reading ? &self->reader : &self->writer;
    gl_ready_fn *function = reading ? &self->on_reader : &self->on_writer;
    PyObject *object = *slot;
    gl_ready_fn ready = *function;
    *slot = NULL;
    *function = NULL;
    if (self->reader == NULL && self->writer == NULL && !keep) {
        destroy(self);
    } else if (object != NULL) {
        mark_dirty(self);
    }
    release(object, ready);
    return object != NULL;
}

/* Takes a reference. */
static void
set(gl_poller *self, bool reading, PyObject *object, gl_ready_fn ready)
{
    PyObject **slot = reading ? &self->reader : &self->writer;
    gl_ready_fn *function = reading ? &self->on_reader : &self->on_writer;
    PyObject *before = *slot;
    gl_ready_fn was = *function;
    if (self->orphaned) {
        start_over(self);
    }
    *slot = Py_NewRef(object);
    *function = ready;
    mark_dirty(self);
    release(before, was);
}

static void
wake(gl_poller *self, bool reading)
{
    PyObject *handle = reading ? self->reader : self->writer;
    gl_ready_fn ready = reading ? self->on_reader : self->on_writer;
    if (handle == NULL) {
        return;
    }
    if (ready != NULL) {
        gl_loop *loop = self->loop;
        Py_INCREF(handle);
        gl_runs(loop, handle);
        ready(handle);
        gl_ran(loop, handle);
        Py_DECREF(handle);
    } else if (((gl_handle *)handle)->cancelled) {
        (void)drop(self, reading, false);
    } else if (gl_ready_push(self->loop, handle) < 0) {
        gl_loop_error(self->loop, "A file's readiness could not be queued", handle);
    }
}

#ifdef __linux__

/* Turns what libuv has told the kernel into an edge-triggered interest: the one thing that libuv's
 * polls cannot say. epoll looks at the file again while it does that, so nothing is missed. */
static void
go_edge(gl_poller *self)
{
    struct epoll_event event = {.events = EPOLLET, .data.fd = self->fd};
    event.events |= self->events & UV_READABLE ? EPOLLIN : 0;
    event.events |= self->events & UV_WRITABLE ? EPOLLOUT : 0;
    if (epoll_ctl(uv_backend_fd(&self->loop->uv), EPOLL_CTL_MOD, self->fd, &event) == 0) {
        self->edge = true;
    } else {
        (void)uv_poll_stop(&self->poll); /* and leaves the rest to the next poll */
        self->events = 0;
        mark_dirty(self);
    }
}

#else

static void
go_edge(gl_poller *self)
{
    (void)self;
}

#endif

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    gl_poller *self = (gl_poller *)poll;
    gl_loop *loop = self->loop;
    int fd = self->fd;
    gl_attach(loop);
    if (status < 0) {
        /* An error at the descriptor: whoever waits finds it by trying. libuv has stopped. */
        events = UV_READABLE | UV_WRITABLE;
        self->events = 0;
        self->edge = false;
        mark_dirty(self);
    } else if (self->guest != NULL && !self->edge) {
        go_edge(self);
    }
    if (self->reader != NULL || self->writer != NULL) {
        self->unwanted = 0;
    } else if (self->guest != NULL && ++self->unwanted >= UNWANTED) {
        destroy(self);
        return;
    }
    if (events & UV_READABLE) {
        wake(self, true);
    }
    /* The first may have been the last. */
    if ((events & UV_WRITABLE) && find(loop, fd) == self) {
        wake(self, false);
    }
}

void
gl_pollers_flush(gl_loop *loop)
{
    while (loop->dirty != NULL) {
        gl_poller *self = loop->dirty;
        loop->dirty = self->next_dirty;
        self->dirty = false;
        int events = (self->reader ? UV_READABLE : 0) | (self->writer ? UV_WRITABLE : 0);
        if (self->edge) {
            events |= self->events;
        }
        if (events == self->events) {
            continue;
        }
        if (self->guest != NULL && events == 0) {
            destroy(self);
            continue;
        }
        self->edge = false;
        struct stat now;
        if (fstat(self->fd, &now) < 0 || S_ISREG(now.st_mode) || S_ISDIR(now.st_mode)) {
            /* Closed by its owner, and maybe another file by now, that cannot be polled: as with a
             * selector, there will be no event. */
            (void)uv_poll_stop(&self->poll);
            self->events = 0;
            continue;
        }
        /* It fails only on a handle that is closing. */
        (void)uv_poll_start(&self->poll, events, on_poll);
        self->events = events;
    }
}

size_t
gl_pollers_count(const gl_loop *loop)
{
    size_t n = 0;
    for (size_t fd = 0; fd < loop->npollers; fd++) {
        const gl_poller *self = loop->pollers[fd];
        n += self != NULL && ((self->reader != NULL && self->on_reader == NULL) ||
                              (self->writer != NULL && self->on_writer == NULL));
    }
    return n;
}

int
gl_pollers_traverse(gl_loop *loop, visitproc visit, void *arg)
{
    for (size_t fd = 0; fd < loop->npollers; fd++) {
        if (loop->pollers[fd] != NULL) {
            Py_VISIT(loop->pollers[fd]->reader);
            Py_VISIT(loop->pollers[fd]->writer);
            Py_VISIT(loop->pollers[fd]->guest);
            Py_VISIT(loop->pollers[fd]->fileobj);
        }
    }
    return 0;
}

void
gl_pollers_close(gl_loop *loop)
{
    for (size_t fd = 0; fd < loop->npollers; fd++) {
        if (loop->pollers[fd] != NULL) {
            destroy(loop->pollers[fd]);
        }
    }
    PyMem_Free(loop->pollers);
    loop->pollers = NULL;
    loop->npollers = 0;
}

int
gl_poller_watch(gl_loop *loop, int fd, bool reading, PyObject *object, gl_ready_fn ready)
{
    if (gl_check_closed(loop) < 0) {
        return -1;
    }
    gl_poller *self = find_or_make(loop, fd);
    if (self == NULL) {
        return -1;
    }
    set(self, reading, object, ready);
    return 0;
}

void
gl_poller_rest(gl_loop *loop, int fd, bool reading)
{
    gl_poller *self = find(loop, fd);
    if (self != NULL) {
        (void)drop(self, reading, true);
    }
}

bool
gl_poller_forget(gl_loop *loop, int fd, bool reading)
{
    gl_poller *self = find(loop, fd);
    return self != NULL && drop(self, reading, false);
}

PyObject *
gl_poller_interest(gl_loop *loop, int fd, bool reading)
{
    gl_poller *self = find(loop, fd);
    return self == NULL ? NULL : reading ? self->reader : self->writer;
}

void
gl_poller_orphan(gl_loop *loop, int fd)
{
    gl_poller *self = find(loop, fd);
    if (self != NULL) {
        self->orphaned = true;
    }
}

static bool
is_guest(gl_poller *self, PyObject *socket)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *referred = NULL;
    (void)PyWeakref_GetRef(self->guest, &referred); /* it is a weak reference */
    Py_XDECREF(referred);
    return referred == socket;
#else
    return PyWeakref_GetObject(self->guest) == socket;
#endif
}

bool
gl_poller_has_guest(gl_loop *loop, int fd, PyObject *socket)
{
    gl_poller *self = find(loop, fd);
    return self != NULL && self->guest != NULL && is_guest(self, socket);
}

int
gl_poller_visit(gl_loop *loop, int fd, bool reading, PyObject *object, gl_ready_fn ready,
                PyObject *socket)
{
    if (gl_check_closed(loop) < 0) {
        return -1;
    }
    gl_poller *self = find(loop, fd);
    if (self != NULL && self->guest != NULL && !is_guest(self, socket)) {
        start_over(self);
    }
    if (self == NULL) {
        self = make(loop, fd);
        if (self == NULL) {
            return -1;
        }
    }
    /* While others are interested, too, it is one of them. */
    if (self->guest == NULL && self->reader == NULL && self->writer == NULL) {
        self->guest = PyWeakref_NewRef(socket, NULL);
        if (self->guest == NULL) {
            destroy(self);
            return -1;
        }
    }
    set(self, reading, object, ready);
    return 0;
}

void
gl_poller_leave(gl_loop *loop, int fd, bool reading, PyObject *object)
{
    gl_poller *self = find(loop, fd);
    if (self == NULL || (reading ? self->reader : self->writer) != object) {
        return; /* somebody has taken its place */
    }
#ifdef __linux__
    bool keep = self->edge;
#else
    bool keep = self->guest != NULL;
#endif
    (void)drop(self, reading, keep);
}

void
gl_poller_evict_slow(gl_loop *loop, int fd)
{
    gl_poller *self = find(loop, fd);
    if (self != NULL && self->reader == NULL && self->writer == NULL) {
        destroy(self);
    }
}

void
gl_pollers_after_fork(gl_loop *loop)
{
    for (size_t fd = 0; fd < loop->npollers; fd++) {
        if (loop->pollers[fd] != NULL) {
            loop->pollers[fd]->edge = false; /* libuv has told all of them anew, in its way */
        }
    }
}

void
gl_poller_name(gl_loop *loop, int fd, PyObject *fileobj)
{
    gl_poller *self = find(loop, fd);
    if (self != NULL && self->fileobj == NULL) {
        self->fileobj = Py_NewRef(fileobj);
    }
}

int
gl_poller_named(const gl_loop *loop, const PyObject *fileobj)
{
    for (size_t fd = 0; fd < loop->npollers; fd++) {
        if (loop->pollers[fd] != NULL && loop->pollers[fd]->fileobj == fileobj) {
            return (int)fd;
        }
    }
    return -1;
}
