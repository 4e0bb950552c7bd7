/* loop.h: the loop's own struct and what its files share. One struct, because the ready ring, the
 * timers and the streams are all touched in the same turn of the loop. */
#ifndef GUAVA_LOOP_NATIVE_LOOP_H
#define GUAVA_LOOP_NATIVE_LOOP_H

#include <Python.h>
#include <uv.h>

#include "guava_loop.h"

#define GL_READ_BUFFER (64 * 1024)

#endif
