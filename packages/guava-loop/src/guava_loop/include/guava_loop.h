/* guava_loop.h: the C interface that guava-loop gives to other extension modules.
 *
 * It is asyncio's pair of Transport and Protocol, spelled as C structs. A consumer includes this
 * file, links nothing, and calls guava_loop_import() once; it never sees libuv.
 *
 * Rules
 *  1. Versions. `abi` changes only when something changes its meaning; the table grows at its end,
 *     and `size` tells how far it goes.
 *  2. Threads. Every function is called, and every callback comes, on the thread that runs the
 *     loop, with the interpreter attached (the GIL held). The one exception is post().
 *  3. Ownership. The loop owns the socket. A stream's memory is counted: creating one gives it to
 *     the loop, ref() and unref() are for consumers that keep a pointer after closed(). closed()
 *     comes exactly once and last; it is the only place where a consumer lets go of its `user`.
 *     After close() or abort() no callback comes but closed(), and before it release() and done()
 *     of what was queued.
 *  4. Results. An `int` of 0 or -1 with a Python exception set is a failure of Python's kind; a
 *     negative errno with no exception set is one of the network's. Never both.
 *  5. Callbacks that return int give 0, or -1 with an exception set; the loop then routes the
 *     exception through its exception handler and aborts that stream with -ECONNABORTED. An
 *     exception that a callback without a result leaves set is routed too.
 *  6. The end. Loop.close() aborts the streams that are left with -ECANCELED and closes listeners
 *     and ticks; calls that were deferred or posted are made.
 */
#ifndef GUAVA_LOOP_H
#define GUAVA_LOOP_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define GUAVA_LOOP_ABI 1
#define GUAVA_LOOP_CAPSULE "guava_loop._C_API"

typedef struct guava_loop guava_loop;         /* an event loop */
typedef struct guava_stream guava_stream;     /* a connected TCP or unix socket */
typedef struct guava_listener guava_listener; /* a listening TCP or unix socket */

typedef struct {
    const char *base;
    size_t len; /* bytes */
} guava_buf;

/* What a consumer wants to be told of a stream. Any member may be NULL but closed. */
typedef struct {
    /* Where the next bytes go: returns the place and its size in bytes in *cap. NULL, as a member
     * or as the answer: the loop's own shared buffer of 64 KiB, valid only during data(). */
    char *(*alloc)(guava_stream *stream, size_t *cap);
    /* n > 0 bytes came. */
    int (*data)(guava_stream *stream, char *bytes, size_t n);
    /* The peer will send no more. The stream stays writable until it is closed; a NULL member
     * closes it. */
    int (*eof)(guava_stream *stream);
    /* The queue, once above the high watermark, has fallen to the low one. */
    int (*drain)(guava_stream *stream);
    /* The stream is gone: 0 after close(), else a negative errno. */
    void (*closed)(guava_stream *stream, int error);
} guava_stream_ops;

/* The `user` of a stream. Whoever provides streams begins their memory with it, so that a
 * callback, which is given only the stream, finds its own object without the table and without a
 * call. */
static inline void *
guava_stream_user(const guava_stream *stream)
{
    return *(void *const *)stream;
}

/* A new connection. Call set_ops() on the stream here (reading starts afterwards), or abort(); one
 * that is left alone is reset. -1 with an exception set routes the exception and aborts the
 * stream. */
typedef int (*guava_accept_fn)(guava_stream *stream, void *arg);

typedef struct {
    uint32_t abi;  /* GUAVA_LOOP_ABI of the provider */
    uint32_t size; /* sizeof(guava_loop_api) of the provider, in bytes */

    /* ---- the loop -------------------------------------------------------------------------- */
    /* The loop of a guava_loop.Loop object (borrowed); TypeError for anything else. */
    guava_loop *(*from_object)(PyObject *object);
    /* The Python object of a loop, borrowed. */
    PyObject *(*object)(guava_loop *loop);
    /* The loop that runs on this thread, borrowed, or NULL with no exception set. */
    guava_loop *(*running)(void);
    /* Seconds on time.monotonic()'s clock. */
    double (*time)(guava_loop *loop);
    /* The current date as an IMF-fixdate (RFC 9110, 5.6.7): 29 bytes and a NUL, renewed at most
     * once a second. The text is valid until the loop runs on. */
    const char *(*http_date)(guava_loop *loop);
    /* A coarse clock: steps of 100 ms since the loop was made, read without a system call. It
     * moves with the loop's turns: one that sleeps for long needs an on_tick() to be exact. */
    uint64_t (*tick)(guava_loop *loop);
    /* Calls fn(arg) once, after the callbacks of this turn and before the loop sleeps. 0 or -1
     * with an exception set: MemoryError, or RuntimeError once the loop is closed. */
    int (*defer)(guava_loop *loop, void (*fn)(void *arg), void *arg);
    /* Calls fn(arg) once on the loop's thread. The only function that any thread may call, with
     * or without the interpreter. Calls posted by one thread keep their order. -ESHUTDOWN once the
     * loop is closed, -ENOMEM. The caller sees to it that the loop object lives through the call.
     */
    int (*post)(guava_loop *loop, void (*fn)(void *arg), void *arg);
    /* Calls fn(arg) every `ms` milliseconds (rounded up to the coarse clock's step) until
     * off_tick(). *handle names the registration. It does not keep the loop from stopping. */
    int (*on_tick)(guava_loop *loop, void (*fn)(void *arg), void *arg, unsigned ms, void **handle);
    void (*off_tick)(guava_loop *loop, void *handle);
    /* Routes the exception that is set, with `where` as its message and `context` (may be NULL)
     * as the object it happened to, to the loop's exception handler. KeyboardInterrupt and
     * SystemExit stop the loop and leave run_forever(). Clears the exception. */
    void (*error)(guava_loop *loop, const char *where, PyObject *context);

    /* ---- listeners and streams -------------------------------------------------------------- */
    /* Listens on fd, a bound TCP or unix socket of which the loop takes ownership on success.
     * 0 or -1 with an OSError set. */
    int (*listen)(guava_loop *loop, int fd, int backlog, guava_accept_fn accept, void *arg,
                  guava_listener **out);
    /* Stops accepting for now, and goes on; connections wait in the kernel's queue. */
    void (*listen_pause)(guava_listener *listener);
    int (*listen_resume)(guava_listener *listener);
    /* Closes the listening socket. The pointer is dead afterwards. */
    void (*unlisten)(guava_listener *listener);
    /* Makes a stream of fd, a connected socket of which the loop takes ownership on success, and
     * starts to read. 0 or -1 with an OSError set. */
    int (*open)(guava_loop *loop, int fd, const guava_stream_ops *ops, void *user,
                guava_stream **out);
    /* Swaps the callbacks (after an upgrade, say). *ops must outlive the stream. */
    void (*set_ops)(guava_stream *stream, const guava_stream_ops *ops, void *user);
    void *(*user)(guava_stream *stream);
    guava_loop *(*loop_of)(guava_stream *stream);

    /* Sends n buffers in order. What the kernel does not take at once is queued: with `release`,
     * the bytes stay where they are until release(arg); without, they are copied. release(arg)
     * is called exactly once, in every case, maybe before write() returns. 0: all is with the
     * kernel; 1: some is queued; negative errno: the stream is broken or closed, and closed()
     * follows if it has not come. */
    int (*write)(guava_stream *stream, const guava_buf *bufs, unsigned n,
                 void (*release)(void *arg), void *arg);
    /* Bytes of write() that are queued and not yet with the kernel; files are not counted. */
    size_t (*queued)(guava_stream *stream);
    /* When drain() comes: armed once more than `high` bytes are queued, sent at `low` or fewer.
     * Defaults 64 KiB and 16 KiB. */
    void (*watermarks)(guava_stream *stream, size_t low, size_t high);
    int (*read_pause)(guava_stream *stream);
    int (*read_resume)(guava_stream *stream);
    /* Sends `length` bytes of the open file `fd` from `offset` on, after everything queued and
     * before everything written later. done(arg, 0) when all of it is with the kernel, with a
     * negative errno on failure (-ENODATA: the file ended early; the stream is left as it is, the
     * consumer decides). done comes exactly once, maybe after closed(), never before sendfile()
     * returns. The caller owns fd and keeps it open until done. 0 or a negative errno (then
     * done does not come). */
    int (*sendfile)(guava_stream *stream, int fd, int64_t offset, int64_t length,
                    void (*done)(void *arg, int error), void *arg);
    /* Sends a FIN after everything queued. Reading goes on. */
    int (*shutdown)(guava_stream *stream);
    /* Closes after everything queued has been sent. Stops reading at once. */
    void (*close)(guava_stream *stream);
    /* Closes now, drops what is queued; closed() gets `error` (a negative errno, or 0). With
     * -ECONNRESET the peer sees a reset. */
    void (*abort)(guava_stream *stream, int error);
    /* *length is in and out, as getpeername(2)'s. 0 or a negative errno. */
    int (*peername)(guava_stream *stream, struct sockaddr *name, int *length);
    int (*sockname)(guava_stream *stream, struct sockaddr *name, int *length);
    int (*fileno)(guava_stream *stream);
    void (*ref)(guava_stream *stream);
    void (*unref)(guava_stream *stream);

    /* ---- coroutines ------------------------------------------------------------------------- */
    /* Runs `coroutine` up to its first suspension, inside `context` (a contextvars.Context, or
     * NULL for a new copy of the current one), as the loop's current task.
     *   0: it returned; *result is its value (a new reference).
     *   1: it is suspended; *result is the asyncio.Task that carries it on (a new reference).
     *  -1: it raised; the exception is set.
     * Only while the loop runs. current_task() is a real asyncio.Task from the first step on. */
    int (*step)(guava_loop *loop, PyObject *coroutine, PyObject *context, PyObject **result);
} guava_loop_api;

/* The table, or NULL with an ImportError that names both versions. Keep the pointer for as long
 * as the module lives; the provider is never unloaded. */
static inline const guava_loop_api *
guava_loop_import(void)
{
    const guava_loop_api *api = (const guava_loop_api *)PyCapsule_Import(GUAVA_LOOP_CAPSULE, 0);
    if (api == NULL) {
        return NULL;
    }
    if (api->abi != GUAVA_LOOP_ABI || api->size < sizeof(guava_loop_api)) {
        PyErr_Format(PyExc_ImportError,
                     "this module needs guava-loop's C API of ABI %d and at least %zu bytes, and "
                     "found ABI %u of %u bytes: install a matching guava-loop",
                     GUAVA_LOOP_ABI, sizeof(guava_loop_api), (unsigned)api->abi,
                     (unsigned)api->size);
        return NULL;
    }
    return api;
}

#endif
