/* schedule.h: the methods of Core that fill the loop's queues. */
#ifndef GUAVA_LOOP_NATIVE_SCHEDULE_H
#define GUAVA_LOOP_NATIVE_SCHEDULE_H

#include "loop.h"

PyObject *gl_core_call_soon(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames);
PyObject *gl_core_call_soon_threadsafe(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames);
PyObject *gl_core_call_later(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames);
PyObject *gl_core_call_at(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames);
PyObject *gl_core_add_callback(gl_loop *loop, PyObject *handle);
PyObject *gl_core_timer_handle_cancelled(gl_loop *loop, PyObject *handle);

/* ---- task.c ---- */
PyObject *gl_core_create_task(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames);
PyObject *gl_core_create_future(gl_loop *loop, PyObject *ignored);
PyObject *gl_core_get_debug(gl_loop *loop, PyObject *ignored);

#endif
