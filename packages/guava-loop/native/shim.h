/* shim.h: a coroutine whose first step has been made elsewhere; see shim.c. */
#ifndef GUAVA_LOOP_NATIVE_SHIM_H
#define GUAVA_LOOP_NATIVE_SHIM_H

#include "parts.h"

PyObject *gl_shim_new(gl_io_state *io, PyObject *coroutine);
/* Tells how the first step has ended. Takes the reference to `what`: the object that was yielded,
 * the result, or (PYGEN_ERROR) the exception. */
void gl_shim_first(PyObject *shim, PySendResult how, PyObject *what);
/* The coroutine inside, borrowed; any other object as it is. */
PyObject *gl_shim_inner(gl_io_state *io, PyObject *object);

#endif
