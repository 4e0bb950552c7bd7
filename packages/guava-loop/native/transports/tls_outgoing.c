/* tls_outgoing.c: from write() to the socket.
 *
 * What is written stays plaintext until it can be sent, so that many small writes become one
 * record and a slow reader costs memory once. It is encrypted at the end of the protocol's
 * callback, or of this phase of the loop's turn, or when it is much; but never while the stream
 * has plenty queued.
 */
#include "tls.h"

#include <string.h>

#include "../parts.h"

#define SMALL ((size_t)4 * 1024)    /* writes below are gathered */
#define GATHER ((size_t)16 * 1024)  /* into pieces of this size, which is a record's */
#define AT_ONCE ((size_t)64 * 1024) /* this much is not put off */
#define BATCH ((size_t)128 * 1024)  /* encrypted before it is sent, and kept by OpenSSL's BIO */
#define FULL ((size_t)256 * 1024)   /* bytes that the stream should have queued at most */
#define DRAINED ((size_t)64 * 1024) /* when it wants more */

size_t
gl_tls_write_size(const gl_tls *tls)
{
    return tls->backlog + (tls->stream != NULL ? tls->stream->queued : 0);
}

/* ---- the plaintext -------------------------------------------------------------------------- */

static gl_tls_piece *
new_piece(gl_tls *tls, size_t room)
{
    gl_tls_piece *piece = PyMem_Malloc(sizeof(*piece) + room);
    if (piece == NULL) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    *piece = (gl_tls_piece){.at = piece->own, .room = room};
    if (tls->head != NULL) {
        tls->tail->next = piece;
    } else {
        tls->head = piece;
    }
    tls->tail = piece;
    return piece;
}

static void
drop_head(gl_tls *tls)
{
    gl_tls_piece *piece = tls->head;
    tls->head = piece->next;
    if (tls->head == NULL) {
        tls->tail = NULL;
    }
    Py_XDECREF(piece->bytes);
    PyMem_Free(piece);
}

void
gl_tls_drop_backlog(gl_tls *tls)
{
    while (tls->head != NULL) {
        drop_head(tls);
    }
    tls->backlog = 0;
}

static int
put_copy(gl_tls *tls, const char *bytes, size_t n, size_t room)
{
    gl_tls_piece *piece = tls->tail;
    if (piece == NULL || piece->room < n) {
        piece = new_piece(tls, room > n ? room : n);
    }
    if (piece == NULL) {
        return -1;
    }
    memcpy((char *)piece->at + piece->left, bytes, n);
    piece->left += n;
    piece->room -= n;
    tls->backlog += n;
    return 0;
}

static int
put_bytes(gl_tls *tls, PyObject *bytes)
{
    gl_tls_piece *piece = new_piece(tls, 0);
    if (piece == NULL) {
        return -1;
    }
    piece->bytes = Py_NewRef(bytes);
    piece->at = PyBytes_AS_STRING(bytes);
    piece->left = (size_t)PyBytes_GET_SIZE(bytes);
    tls->backlog += piece->left;
    return 0;
}

/* A small write that was kept by reference was not the only one: what is gathered is copied. */
static int
gather_tail(gl_tls *tls)
{
    gl_tls_piece *old = tls->tail;
    if (old == NULL || old->bytes == NULL || old->left >= SMALL) {
        return 0;
    }
    PyObject *bytes = old->bytes;
    const char *at = old->at;
    size_t n = old->left;
    /* In its place, not behind it. */
    gl_tls_piece *piece = PyMem_Malloc(sizeof(*piece) + GATHER);
    if (piece == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    *piece = (gl_tls_piece){.at = piece->own, .left = n, .room = GATHER - n};
    memcpy(piece->own, at, n);
    gl_tls_piece **link = &tls->head;
    while (*link != old) {
        link = &(*link)->next;
    }
    *link = tls->tail = piece;
    PyMem_Free(old);
    Py_DECREF(bytes);
    return 0;
}

/* ---- encrypting and sending ----------------------------------------------------------------- */

static void
release_bytes(void *bytes)
{
    Py_DECREF((PyObject *)bytes);
}

void
gl_tls_send(gl_tls *tls)
{
    if (!gl_tls_connected(tls)) {
        return;
    }
    PyObject *bytes = gl_tls_take(tls);
    if (bytes == NULL) {
        if (PyErr_Occurred()) {
            gl_tls_fatal(tls, "Fatal error on SSL protocol");
        }
        return;
    }
    guava_buf buf = {PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
    int result = gl_stream_write(tls->stream, &buf, 1, release_bytes, bytes);
    if (result < 0 && tls->lower != NULL) {
        (void)gl_uv_error(result);
        gl_transport_fatal(tls->lower, "Fatal write error on socket transport");
    }
}

static bool
takes_more(const gl_tls *tls)
{
    return gl_tls_connected(tls) && tls->stream->queued < FULL &&
           (tls->state == GL_TLS_WRAPPED || tls->state == GL_TLS_FLUSHING);
}

void
gl_tls_encrypt(gl_tls *tls)
{
    size_t batch = 0;
    tls->writing_waits = false;
    while (tls->head != NULL && takes_more(tls)) {
        gl_tls_piece *piece = tls->head;
        size_t n;
        gl_tls_result result = gl_tls_write(tls, piece->at, piece->left, &n);
        if (result == GL_TLS_FAILED) {
            gl_tls_fatal(tls, "Fatal error on SSL protocol");
            return;
        }
        if (result == GL_TLS_AGAIN) {
            tls->writing_waits = true;
            return;
        }
        piece->at += n;
        piece->left -= n;
        tls->backlog -= n;
        if (piece->left == 0) {
            drop_head(tls);
        }
        batch += n;
        if (batch >= BATCH) {
            batch = 0;
            gl_tls_send(tls);
        }
    }
}

/* To encrypt is to copy: bytes that may change under us need not be copied before. Moves `at` past
 * what was taken. */
static void
encrypt_now(gl_tls *tls, const char **at, size_t *left)
{
    gl_tls_encrypt(tls);
    size_t batch = 0;
    while (*left > 0 && tls->backlog == 0 && takes_more(tls)) {
        size_t n;
        gl_tls_result result = gl_tls_write(tls, *at, *left, &n);
        if (result == GL_TLS_FAILED) {
            gl_tls_fatal(tls, "Fatal error on SSL protocol");
            *left = 0;
        }
        if (result != GL_TLS_DONE) {
            return;
        }
        *at += n;
        *left -= n;
        batch += n;
        if (batch >= BATCH) {
            batch = 0;
            gl_tls_send(tls);
        }
    }
}

static int
put_buffer(gl_tls *tls, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    const char *at = view.buf;
    size_t n = (size_t)view.len;
    int result = 0;
    if (n >= GATHER) {
        encrypt_now(tls, &at, &n);
    }
    if (n > 0) {
        result = n < SMALL ? gather_tail(tls) : 0;
        if (result == 0) {
            result = put_copy(tls, at, n, n < SMALL ? GATHER : n);
        }
    }
    PyBuffer_Release(&view);
    return result;
}

int
gl_tls_put(gl_tls *tls, PyObject *data)
{
    if (!PyBytes_CheckExact(data)) {
        return put_buffer(tls, data);
    }
    size_t n = (size_t)PyBytes_GET_SIZE(data);
    if (n == 0) {
        return 0;
    }
    if (n >= SMALL || tls->head == NULL) {
        return put_bytes(tls, data);
    }
    return gather_tail(tls) < 0 ? -1 : put_copy(tls, PyBytes_AS_STRING(data), n, GATHER);
}

/* The stream tells when it has room, or when the protocol may go on. */
static void
await_drain(gl_tls *tls)
{
    guava_stream *s = tls->stream;
    if (s != NULL && s->head != NULL && (tls->backlog != 0 || tls->flow.paused)) {
        s->low = tls->backlog != 0 ? DRAINED : tls->flow.low;
        s->flags |= GL_OVER_HIGH;
    }
}

void
gl_tls_flush(gl_tls *tls)
{
    gl_tls_encrypt(tls);
    gl_tls_send(tls);
    gl_tls_control_writing(tls);
    await_drain(tls);
}

/* ---- when ----------------------------------------------------------------------------------- */

static void
flush_deferred(void *arg)
{
    gl_tls *tls = arg;
    tls->deferred = false;
    if (tls->backlog != 0) {
        gl_tls_flush(tls);
    }
    Py_DECREF(tls);
}

void
gl_tls_written(gl_tls *tls)
{
    if (tls->state == GL_TLS_WRAPPED) {
        bool now = tls->unsent || tls->loop->thread == 0; /* a loop that rests has no turns */
        if (tls->backlog >= AT_ONCE || gl_tls_write_size(tls) >= tls->flow.high ||
            (now && tls->corked == 0)) {
            gl_tls_flush(tls);
        } else if (tls->corked == 0 && !tls->deferred) {
            if (gl_defer(tls->loop, flush_deferred, tls) == 0) {
                Py_INCREF(tls);
                tls->deferred = true;
            } else {
                PyErr_Clear(); /* then at once */
                gl_tls_flush(tls);
            }
        }
    }
    gl_tls_control_writing(tls);
    await_drain(tls);
}

void
gl_tls_control_writing(gl_tls *tls)
{
    size_t size = gl_tls_write_size(tls);
    if (tls->protocol == NULL) {
        return;
    }
    /* asyncio's comparison for TLS, but not for nothing at all. */
    if (size >= tls->flow.high && size > 0 && !tls->flow.paused) {
        gl_flow_pause(&tls->flow, tls->loop, (PyObject *)tls, tls->protocol, NULL);
    } else if (size <= tls->flow.low && tls->flow.paused) {
        gl_flow_resume(&tls->flow, tls->loop, (PyObject *)tls, tls->protocol, NULL);
    }
}
