/* pipe.h: what the two pipe transports share. */
#ifndef GUAVA_LOOP_NATIVE_PIPE_H
#define GUAVA_LOOP_NATIVE_PIPE_H

#include "transports/wire.h"

typedef enum { GL_PIPE_FIFO, GL_PIPE_SOCKET, GL_PIPE_DEVICE } gl_pipe_kind;

/* A wire for the arguments (loop, pipe, protocol, waiter=None, extra=None) of a pipe transport,
 * and what asyncio does with them before it schedules anything: `wrong` is its ValueError for what
 * is no pipe. `start` as in gl_wire_start(), for kinds that have their bit set in `starts`. NULL
 * with an exception set. */
PyObject *gl_pipe_new(PyTypeObject *type, PyObject *args, PyObject *kwargs, const char *wrong,
                      const char *start, unsigned starts);
/* asyncio's repr(), whose end for a living one is `state`; takes `state`, which may be NULL with
 * an exception set. */
PyObject *gl_pipe_repr(gl_wire *self, PyObject *state);
/* asyncio's _close(exc), exactly once. 0, or -1 with an exception set. */
int gl_pipe_lose(gl_wire *self, PyObject *exc);

/* The attribute _pipe. */
PyObject *gl_pipe_get_pipe(gl_wire *self, void *closure);
int gl_pipe_set_pipe(gl_wire *self, PyObject *value, void *closure);

#endif
