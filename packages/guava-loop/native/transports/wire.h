/* wire.h: what datagrams and pipes have in common: a file of the user's, a protocol, and pollers
 * that call when the file is ready. (Streams have guava_stream instead.)
 *
 * A wire is alive until connection_lost(); then its file is closed, and `file` and `protocol` are
 * NULL. Its methods must bear that, and the garbage collector's clearing, which leaves the same.
 */
#ifndef GUAVA_LOOP_NATIVE_WIRE_H
#define GUAVA_LOOP_NATIVE_WIRE_H

#include "poller.h"
#include "transports/face.h"

typedef struct {
    GL_FACE_HEAD;
    gl_loop *loop;
    PyObject *file; /* a socket, or what connect_read_pipe() was given */
    PyObject *protocol;
    PyObject *read_context,
        *write_context; /* of calls from the poll; NULL while it is not asked */
    int fd;
    unsigned conn_lost; /* asyncio's: once lost, counts the writes after it */
    bool closing, paused;
    gl_flow flow;
    size_t queued; /* bytes that wait, as get_write_buffer_size() says */
} gl_wire;

/* ---- life ---- */
/* A wire without a protocol yet. NULL with an exception set. */
gl_wire *gl_wire_new(PyTypeObject *type, gl_loop *loop, int fd, PyObject *extra);
/* Schedules what asyncio does: connection_made(), then the method `start` of the transport unless
 * that is NULL, then the waiter. From here on the file is the wire's. 0 or -1. */
int gl_wire_start(gl_wire *self, PyObject *file, PyObject *protocol, const char *start,
                  PyObject *waiter);
/* The loop of an argument, which must be ours. NULL with TypeError set. */
gl_loop *gl_wire_loop(PyTypeObject *type, PyObject *object);
int gl_wire_traverse(gl_wire *self, visitproc visit, void *arg);
int gl_wire_clear(gl_wire *self);
void gl_wire_dealloc(gl_wire *self);
void gl_wire_finalize(PyObject *self);
int gl_wire_init(PyObject *self, PyObject *args, PyObject *kwargs);

/* ---- polling ---- */
/* 0, or -1 with an exception set. */
int gl_wire_watch(gl_wire *self, bool reading, gl_ready_fn ready);
void gl_wire_unwatch(gl_wire *self, bool reading);
/* For a while: see gl_poller_rest(). */
void gl_wire_rest(gl_wire *self, bool reading);
/* Whether it waits for what comes. */
bool gl_wire_is_polling(const gl_wire *self);
/* Schedules connection_lost(exc); NULL stands for None. 0, or -1 with an exception set. */
int gl_wire_lose(gl_wire *self, PyObject *exc);
/* Calls connection_lost(exc) and closes the file: Python's _call_connection_lost(). */
PyObject *gl_wire_call_connection_lost(gl_wire *self, PyObject *exc);
/* Around what a ready function calls of the protocol's: 0, or -1, and then nothing is to be
 * called.
 */
int gl_wire_enter(gl_wire *self, PyObject *context);
void gl_wire_leave(gl_wire *self, PyObject *context);
/* Routes the exception that is set; `where` is the method that asyncio would have called. */
void gl_wire_error(gl_wire *self, const char *where);
/* "... was closed by peer", in debug mode. */
void gl_wire_log_peer(gl_wire *self);
/* The start of repr(): "<Name closing fd=3", without the rest. */
PyObject *gl_wire_describe(gl_wire *self);

/* ---- methods ---- */
PyObject *gl_wire_set_protocol(gl_wire *self, PyObject *protocol);
PyObject *gl_wire_get_protocol(gl_wire *self, PyObject *ignored);
PyObject *gl_wire_is_closing(gl_wire *self, PyObject *ignored);
PyObject *gl_wire_set_limits(gl_wire *self, PyObject *args, PyObject *kwargs);
PyObject *gl_wire_get_limits(gl_wire *self, PyObject *ignored);
PyObject *gl_wire_get_size(gl_wire *self, PyObject *ignored);
/* Of those that read; `ready` is called for what comes. */
PyObject *gl_wire_is_reading(gl_wire *self, PyObject *ignored);
PyObject *gl_wire_pause(gl_wire *self, PyObject *ignored);
PyObject *gl_wire_resume(gl_wire *self, gl_ready_fn ready);

#define GL_WIRE_METHODS                                                                           \
    {"set_protocol", (PyCFunction)gl_wire_set_protocol, METH_O,                                   \
     PyDoc_STR("set_protocol($self, protocol, /)\n--\n\nLet another protocol be called.")},       \
        {"get_protocol", (PyCFunction)gl_wire_get_protocol, METH_NOARGS,                          \
         PyDoc_STR("get_protocol($self, /)\n--\n\nThe protocol; None after its end.")},           \
        {"is_closing", (PyCFunction)gl_wire_is_closing, METH_NOARGS,                              \
         PyDoc_STR("is_closing($self, /)\n--\n\nWhether it is closing, or closed.")},             \
    {                                                                                             \
        "_call_connection_lost", (PyCFunction)gl_wire_call_connection_lost, METH_O, NULL          \
    }

#define GL_WIRE_WRITE_METHODS                                                                     \
    {"set_write_buffer_limits", (PyCFunction)(void (*)(void))gl_wire_set_limits,                  \
     METH_VARARGS | METH_KEYWORDS,                                                                \
     PyDoc_STR("set_write_buffer_limits($self, high=None, low=None)\n--\n\n"                      \
               "Above `high` bytes the protocol's pause_writing() is called, at `low` and below " \
               "resume_writing().")},                                                             \
        {"get_write_buffer_limits", (PyCFunction)gl_wire_get_limits, METH_NOARGS,                 \
         PyDoc_STR("get_write_buffer_limits($self, /)\n--\n\nThe pair (low, high), in bytes.")},  \
    {                                                                                             \
        "get_write_buffer_size", (PyCFunction)gl_wire_get_size, METH_NOARGS,                      \
            PyDoc_STR("get_write_buffer_size($self, /)\n--\n\nBytes that wait to be sent.")       \
    }

#endif
