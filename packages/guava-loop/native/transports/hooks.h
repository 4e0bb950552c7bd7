/* hooks.h: the methods by which asyncio's loop makes transports and asks for them; Core's table of
 * methods (loop.c) has them. */
#ifndef GUAVA_LOOP_NATIVE_HOOKS_H
#define GUAVA_LOOP_NATIVE_HOOKS_H

#include "../loop.h"

/* ---- hooks.c ---- */
PyObject *gl_core_make_socket_transport(gl_loop *loop, PyObject *args, PyObject *kwargs);
PyObject *gl_core_ensure_fd_no_transport(gl_loop *loop, PyObject *fd);

/* ---- accept.c ---- */
PyObject *gl_core_serve(gl_loop *loop, PyObject *args);

#endif
