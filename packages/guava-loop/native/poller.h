/* poller.h: readiness of file descriptors, for add_reader() and what asyncio builds on it. */
#ifndef GUAVA_LOOP_NATIVE_POLLER_H
#define GUAVA_LOOP_NATIVE_POLLER_H

#include "loop.h"

/* ---- readers.c: methods of Core ---- */
PyObject *gl_core_add_reader(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs);
PyObject *gl_core_add_writer(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs);
PyObject *gl_core_remove_reader(gl_loop *loop, PyObject *fileobj);
PyObject *gl_core_remove_writer(gl_loop *loop, PyObject *fileobj);
PyObject *gl_core_polled(gl_loop *loop, PyObject *ignored);

/* ---- poller.c ---- */
/* For a face of asyncio: calls ready(object) when the descriptor is readable (or writable), or has
 * failed, until that is taken back; keeps a reference to the object meanwhile. It replaces an
 * interest of the same kind. With a handle `ready` is NULL. 0, or -1 with an exception set. */
typedef void (*gl_ready_fn)(PyObject *object);
int gl_poller_watch(gl_loop *loop, int fd, bool reading, PyObject *object, gl_ready_fn ready);
/* Takes it back for a while: to come back before the next poll costs no system call. The
 * descriptor may only be closed after gl_poller_forget() or gl_poller_orphan(). */
void gl_poller_rest(gl_loop *loop, int fd, bool reading);
/* Takes it back for good, if there is one. On the loop's thread. */
bool gl_poller_forget(gl_loop *loop, int fd, bool reading);
/* Who waits (borrowed), or NULL. */
PyObject *gl_poller_interest(gl_loop *loop, int fd, bool reading);
/* As a selector, keeps what add_reader() was given while the descriptor is watched; its owner may
 * have closed it when he has it removed, and then it is found by its identity: the descriptor, or
 * -1. */
void gl_poller_name(gl_loop *loop, int fd, PyObject *fileobj);
int gl_poller_named(const gl_loop *loop, const PyObject *fileobj);
/* For finalizers, which run on any thread and must not touch libuv: who rested is gone. */
void gl_poller_orphan(gl_loop *loop, int fd);

/* For a socket that stays its user's, who may close it at any time: as gl_poller_watch(), but
 * between gl_poller_leave() and the next visit the kernel goes on watching, so that neither costs
 * a system call. Whoever is called must go on until the kernel says EAGAIN, or leave. */
int gl_poller_visit(gl_loop *loop, int fd, bool reading, PyObject *object, gl_ready_fn ready,
                    PyObject *socket);
/* Whether it was the socket that visited last, and nobody has taken the descriptor since. */
bool gl_poller_has_guest(gl_loop *loop, int fd, PyObject *socket);
/* Takes it back if the object is still the one that is called. */
void gl_poller_leave(gl_loop *loop, int fd, bool reading, PyObject *object);
/* To be called before libuv gets a descriptor that is not in use here: a guest may have had its
 * number. */
void gl_poller_evict_slow(gl_loop *loop, int fd);
static inline void
gl_poller_evict(gl_loop *loop, int fd)
{
    if (fd >= 0 && (size_t)fd < loop->npollers && loop->pollers[fd] != NULL) {
        gl_poller_evict_slow(loop, fd);
    }
}

/* After uv_loop_fork(). */
void gl_pollers_after_fork(gl_loop *loop);
/* Tells libuv what changed since the last poll. */
void gl_pollers_flush(gl_loop *loop);
/* How many files are watched for add_reader() and add_writer(). */
size_t gl_pollers_count(const gl_loop *loop);
int gl_pollers_traverse(gl_loop *loop, visitproc visit, void *arg);
/* Closes all of them; libuv has still to be run. */
void gl_pollers_close(gl_loop *loop);

#endif
