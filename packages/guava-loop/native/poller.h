/* poller.h: readiness of file descriptors, for add_reader() and what asyncio builds on it. */
#ifndef GUAVA_LOOP_NATIVE_POLLER_H
#define GUAVA_LOOP_NATIVE_POLLER_H

#include "loop.h"

/* The methods of Core. */
PyObject *gl_core_add_reader(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs);
PyObject *gl_core_add_writer(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs);
PyObject *gl_core_remove_reader(gl_loop *loop, PyObject *fileobj);
PyObject *gl_core_remove_writer(gl_loop *loop, PyObject *fileobj);
PyObject *gl_core_polled(gl_loop *loop, PyObject *ignored);

/* Tells libuv what changed since the last poll. */
void gl_pollers_flush(gl_loop *loop);
int gl_pollers_traverse(gl_loop *loop, visitproc visit, void *arg);
/* Closes all of them; libuv has still to be run. */
void gl_pollers_close(gl_loop *loop);

#endif
