/* io.c: what the streams add to a loop's life. The scheduler (loop.c, turn.c) calls these at fixed
 * points and knows nothing else of streams, ticks, posts and steps. */
#include "loop.h"

#include <errno.h>

#include "parts.h"
#include "stream.h"

/* ---- of the module -------------------------------------------------------------------------- */

int
gl_io_exec(PyObject *module, gl_state *state)
{
    state->io = PyMem_Calloc(1, sizeof(gl_io_state));
    if (state->io == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (gl_shim_exec(module, state->io) < 0 || gl_step_exec(module, state->io) < 0) {
        return -1;
    }
    return gl_api_exec(module);
}

int
gl_io_state_traverse(gl_state *state, visitproc visit, void *arg)
{
    gl_io_state *io = state->io;
    if (io) {
        Py_VISIT(io->task_type);
        Py_VISIT(io->shim_type);
        Py_VISIT(io->current_tasks);
        Py_VISIT(io->swap_task);
    }
    return 0;
}

void
gl_io_state_clear(gl_state *state)
{
    gl_io_state *io = state->io;
    if (io) {
        Py_CLEAR(io->task_type);
        Py_CLEAR(io->shim_type);
        Py_CLEAR(io->current_tasks);
        Py_CLEAR(io->swap_task);
        Py_CLEAR(io->str_loop);
        Py_CLEAR(io->str_context);
        Py_CLEAR(io->str_result);
        Py_CLEAR(io->str_throw);
        Py_CLEAR(io->str_close);
        Py_CLEAR(io->str_cancel);
        Py_CLEAR(io->str_msg);
    }
}

void
gl_io_state_free(gl_state *state)
{
    PyMem_Free(state->io);
    state->io = NULL;
}

/* ---- of a loop ------------------------------------------------------------------------------ */

int
gl_io_init(gl_loop *loop)
{
    loop->io.born = uv_now(&loop->uv);
    return gl_post_init(loop);
}

static void
abort_streams(gl_loop *loop)
{
    for (guava_stream *s = loop->io.streams; s; s = s->next) {
        gl_stream_kill(s, -ECANCELED);
    }
}

void
gl_io_close(gl_loop *loop)
{
    gl_io *io = &loop->io;
    abort_streams(loop);
    while (io->listeners) {
        gl_unlisten(io->listeners);
    }
    gl_post_close(loop);
    while (io->tickers) {
        gl_off_tick(loop, io->tickers);
    }
    abort_streams(loop);    /* those that a posted call has made */
    gl_streams_check(loop); /* lets go of them */
    Py_CLEAR(io->spare_task);
}

void
gl_io_free(gl_loop *loop)
{
    gl_post_free(loop);
}

int
gl_io_traverse(gl_loop *loop, visitproc visit, void *arg)
{
    /* The spare task is out of the collector's sight and refers to nothing but its type. */
    for (guava_stream *s = loop->io.streams; s; s = s->next) {
        Py_VISIT(s->owner);
    }
    return 0;
}
