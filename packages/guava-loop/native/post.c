/* post.c: calls for later: at the end of this phase of the turn (defer), or from another thread
 * (post). Both keep their calls in an array that grows and is swapped when it is run, so that
 * calls made meanwhile wait for the next time. */
#include "loop.h"

#include <errno.h>

#include "parts.h"

#define FIRST_CAPACITY 64

/* 0 or -ENOMEM. Needs no interpreter. */
static int
append(gl_call **calls, size_t *n, size_t *cap, gl_call call)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : FIRST_CAPACITY;
        gl_call *grown = PyMem_RawRealloc(*calls, more * sizeof(gl_call));
        if (grown == NULL) {
            return -ENOMEM;
        }
        *calls = grown;
        *cap = more;
    }
    (*calls)[(*n)++] = call;
    return 0;
}

static void
run_all(gl_loop *loop, const gl_call *calls, size_t n, const char *where)
{
    for (size_t i = 0; i < n; i++) {
        calls[i].fn(calls[i].arg);
        gl_check_callback(loop, where);
    }
}

/* ---- deferred ------------------------------------------------------------------------------- */

static void
on_idle(uv_idle_t *idle)
{
    /* Its being active keeps the poll from sleeping; gl_run_deferred() does the work. */
}

int
gl_defer(gl_loop *loop, void (*fn)(void *), void *arg)
{
    gl_io *io = &loop->io;
    if (io->post_closed) {
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
        return -1;
    }
    if (append(&io->deferred, &io->n_deferred, &io->cap_deferred, (gl_call){fn, arg}) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

void
gl_run_deferred(gl_loop *loop)
{
    gl_io *io = &loop->io;
    gl_call *calls = io->deferred;
    size_t n = io->n_deferred, cap = io->cap_deferred;
    io->deferred = NULL;
    io->n_deferred = io->cap_deferred = 0;
    if (loop->timed) {
        gl_watch_next(loop, false);
    }
    run_all(loop, calls, n, "a deferred call raised");
    if (loop->timed) {
        gl_watch_over(loop, NULL);
    }
    if (io->n_deferred == 0) {
        /* Nothing new: the array serves again. */
        io->deferred = calls;
        io->cap_deferred = cap;
        (void)uv_idle_stop(&io->defer_idle);
    } else {
        PyMem_RawFree(calls);
        (void)uv_idle_start(&io->defer_idle, on_idle);
    }
}

/* ---- posted --------------------------------------------------------------------------------- */

int
gl_post(gl_loop *loop, void (*fn)(void *), void *arg)
{
    gl_io *io = &loop->io;
    int result = -ESHUTDOWN;
    uv_mutex_lock(&io->post_lock);
    if (!io->post_closed) {
        bool wake = io->n_posted == 0;
        result = append(&io->posted, &io->n_posted, &io->cap_posted, (gl_call){fn, arg});
        /* The others of a burst find the loop awake. Under the lock, for close() must not come
         * between. */
        if (result == 0 && wake) {
            (void)uv_async_send(&io->post_async); /* fails only on a closed handle */
        }
    }
    uv_mutex_unlock(&io->post_lock);
    return result;
}

static void
run_posted(gl_loop *loop)
{
    gl_io *io = &loop->io;
    uv_mutex_lock(&io->post_lock);
    gl_call *calls = io->posted;
    size_t n = io->n_posted;
    io->posted = NULL;
    io->n_posted = io->cap_posted = 0;
    uv_mutex_unlock(&io->post_lock);
    run_all(loop, calls, n, "a posted call raised");
    PyMem_RawFree(calls);
}

static void
on_posted(uv_async_t *async)
{
    gl_loop *loop = async->loop->data;
    gl_attach(loop);
    run_posted(loop);
}

int
gl_post_init(gl_loop *loop)
{
    gl_io *io = &loop->io;
    int err = uv_mutex_init(&io->post_lock);
    if (err < 0) {
        (void)gl_uv_error(err);
        return -1;
    }
    io->post_lock_made = true;
    err = uv_async_init(&loop->uv, &io->post_async, on_posted);
    if (err < 0) {
        (void)gl_uv_error(err);
        return -1;
    }
    uv_unref((uv_handle_t *)&io->post_async);
    (void)uv_idle_init(&loop->uv, &io->defer_idle); /* never fails */
    return 0;
}

void
gl_post_close(gl_loop *loop)
{
    gl_io *io = &loop->io;
    uv_mutex_lock(&io->post_lock);
    io->post_closed = true;
    uv_mutex_unlock(&io->post_lock);
    uv_close((uv_handle_t *)&io->post_async, NULL);
    run_posted(loop);
    gl_flush_deferred(loop); /* once: gl_defer() takes no more */
    uv_close((uv_handle_t *)&io->defer_idle, NULL);
}

void
gl_post_free(gl_loop *loop)
{
    PyMem_RawFree(loop->io.deferred);
    loop->io.deferred = NULL;
}

void
gl_io_dealloc(gl_loop *loop)
{
    if (loop->io.post_lock_made) {
        uv_mutex_destroy(&loop->io.post_lock);
        loop->io.post_lock_made = false;
    }
}
