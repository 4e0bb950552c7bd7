/* pipe.h: what the two pipe transports share. */
#ifndef GUAVA_LOOP_NATIVE_PIPE_H
#define GUAVA_LOOP_NATIVE_PIPE_H

#include "transports/wire.h"

/* What a pipe holds unless it is told otherwise, and what one of a subprocess is told. */
#define GL_PIPE_SIZE ((size_t)64 * 1024)
#define GL_PIPE_GROWN ((size_t)256 * 1024)

typedef struct {
    gl_wire wire;
    bool may_grow;
} gl_pipe;

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

/* Makes a subprocess' pipe that was found full larger, once: whether it did. Not one whose size
 * was chosen (Popen's pipesize), and none where the system does not allow it. */
bool gl_pipe_grow(gl_pipe *self);

/* The attribute _pipe. */
PyObject *gl_pipe_get_pipe(gl_wire *self, void *closure);
int gl_pipe_set_pipe(gl_wire *self, PyObject *value, void *closure);

#endif
