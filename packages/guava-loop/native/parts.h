/* parts.h: the index of what the C API is made of; api.c puts it into the table. guava_loop.h says
 * what each function does. */
#ifndef GUAVA_LOOP_NATIVE_PARTS_H
#define GUAVA_LOOP_NATIVE_PARTS_H

#include "loop.h"

/* Types and names of streams and steps, one per module. */
typedef struct gl_io_state {
    PyTypeObject *task_type; /* RequestTask */
    PyTypeObject *shim_type;
    PyObject *current_tasks; /* the dict of asyncio's current tasks; NULL from 3.14 on */
    PyObject *swap_task;     /* _asyncio._swap_current_task, from 3.14 on */
    PyObject *str_loop, *str_context, *str_result, *str_throw, *str_close, *str_cancel, *str_msg;
} gl_io_state;

/* Routes what a callback without a result has left behind. */
static inline void
gl_check_callback(gl_loop *loop, const char *where)
{
    if (PyErr_Occurred()) {
        gl_loop_error(loop, where, NULL);
    }
}

/* ---- stream.c ---- */
void gl_set_nodelay(int fd, int family);
int gl_stream_open(gl_loop *loop, int fd, const guava_stream_ops *ops, void *user,
                   guava_stream **out);
void gl_stream_set_ops(guava_stream *stream, const guava_stream_ops *ops, void *user);
void *gl_stream_user(guava_stream *stream);
gl_loop *gl_stream_loop(guava_stream *stream);
size_t gl_stream_queued(guava_stream *stream);
void gl_stream_watermarks(guava_stream *stream, size_t low, size_t high);
int gl_stream_read_pause(guava_stream *stream);
int gl_stream_read_resume(guava_stream *stream);
int gl_stream_shutdown(guava_stream *stream);
void gl_stream_close(guava_stream *stream);
void gl_stream_abort(guava_stream *stream, int error);
int gl_stream_peername(guava_stream *stream, struct sockaddr *name, int *length);
int gl_stream_sockname(guava_stream *stream, struct sockaddr *name, int *length);
int gl_stream_fileno(guava_stream *stream);
void gl_stream_ref(guava_stream *stream);
void gl_stream_unref(guava_stream *stream);

/* ---- outgoing.c ---- */
int gl_stream_write(guava_stream *stream, const guava_buf *bufs, unsigned n,
                    void (*release)(void *), void *arg);
int gl_stream_sendfile(guava_stream *stream, int fd, int64_t offset, int64_t length,
                       void (*done)(void *, int), void *arg);

/* ---- listener.c ---- */
int gl_listen(gl_loop *loop, int fd, int backlog, guava_accept_fn accept, void *arg,
              guava_listener **out);
void gl_listen_pause(guava_listener *listener);
int gl_listen_resume(guava_listener *listener);
void gl_unlisten(guava_listener *listener);
size_t gl_listeners_count(const gl_loop *loop);

/* ---- tick.c ---- */
const char *gl_http_date(gl_loop *loop);
uint64_t gl_tick(gl_loop *loop);
int gl_on_tick(gl_loop *loop, void (*fn)(void *), void *arg, unsigned ms, void **handle);
void gl_off_tick(gl_loop *loop, void *handle);

/* ---- post.c ---- */
int gl_defer(gl_loop *loop, void (*fn)(void *), void *arg);
int gl_post(gl_loop *loop, void (*fn)(void *), void *arg);
int gl_post_init(gl_loop *loop);
void gl_post_close(gl_loop *loop);
void gl_post_free(gl_loop *loop);

/* ---- step.c, shim.c ---- */
int gl_step(gl_loop *loop, PyObject *coroutine, PyObject *context, PyObject **result);
int gl_step_exec(PyObject *module, gl_io_state *state);
int gl_shim_exec(PyObject *module, gl_io_state *state);

/* ---- api.c ---- */
int gl_api_exec(PyObject *module);

#endif
