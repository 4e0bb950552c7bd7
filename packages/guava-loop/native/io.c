/* io.c: what the streams add to a loop's life. The scheduler (loop.c, turn.c) calls these at fixed
 * points and knows nothing else of streams, ticks, posts and steps. */
#include "loop.h"

int
gl_io_exec(PyObject *module, gl_state *state)
{
    return 0;
}

int
gl_io_state_traverse(gl_state *state, visitproc visit, void *arg)
{
    return 0;
}

void
gl_io_state_clear(gl_state *state)
{
}

void
gl_io_state_free(gl_state *state)
{
}

int
gl_io_traverse(gl_loop *loop, visitproc visit, void *arg)
{
    return 0;
}

int
gl_io_init(gl_loop *loop)
{
    return 0;
}

void
gl_io_close(gl_loop *loop)
{
}

void
gl_io_free(gl_loop *loop)
{
}

void
gl_run_deferred(gl_loop *loop)
{
}
