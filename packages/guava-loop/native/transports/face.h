/* face.h: what the faces share. A face is an asyncio transport in C: streams (transport.c),
 * datagrams, pipes, TLS. Each has its own struct and its own file, and registers itself by a
 * gl_<face>_exec() that gl_face_exec() calls.
 *
 * Rules for every face:
 *  1. Its type has the class of asyncio as its base (gl_face_type()) and its struct begins with
 *     GL_FACE_HEAD or GL_FLOW_HEAD, because asyncio.BaseTransport has one slot, `_extra`, and two
 * classes with fields of their own cannot be mixed. tp_traverse and tp_clear take `extra` along.
 *  2. Methods of a protocol are looked up at each call, by gl_face_call() with an interned name:
 *     users replace them, and a bound method that is kept is a cycle of references.
 *  3. What asyncio schedules with call_soon() is scheduled here, too; connection_lost() is never
 *     called from inside a method of the transport.
 *  4. Who owns a descriptor claims it with gl_face_claim() and disclaims it before it is closed.
 */
#ifndef GUAVA_LOOP_NATIVE_FACE_H
#define GUAVA_LOOP_NATIVE_FACE_H

#include "loop.h"

#define GL_FACE_HEAD PyObject_HEAD PyObject *extra /* BaseTransport._extra: a dict, or NULL */

/* Likewise for those that derive from asyncio.transports._FlowControlMixin, which
 * loop.sendfile() asks for. They shadow its fields, which stay NULL, by a getset of their own for
 * _protocol_paused. */
#define GL_FLOW_HEAD                                                                              \
    GL_FACE_HEAD;                                                                                 \
    PyObject *mixin[4] /* _loop, _protocol_paused, _high_water, _low_water */

/* Types that the faces make: face->type.stream_transport, and so on. */
#define GL_FACE_TYPES(X)                                                                          \
    X(stream_transport)                                                                           \
    X(acceptor)                                                                                   \
    X(datagram_transport)                                                                         \
    X(read_pipe_transport)                                                                        \
    X(write_pipe_transport)                                                                       \
    X(tls_transport)                                                                              \
    X(tls_protocol)                                                                               \
    X(sockop)

/* Interned: face->name.data_received is "data_received". */
#define GL_FACE_NAMES(X)                                                                          \
    X(connection_made)                                                                            \
    X(connection_lost)                                                                            \
    X(data_received)                                                                              \
    X(datagram_received)                                                                          \
    X(error_received)                                                                             \
    X(eof_received)                                                                               \
    X(get_buffer)                                                                                 \
    X(buffer_updated)                                                                             \
    X(pause_writing)                                                                              \
    X(resume_writing)                                                                             \
    X(call_exception_handler)                                                                     \
    X(set_result)                                                                                 \
    X(set_exception)                                                                              \
    X(cancelled)                                                                                  \
    X(done)                                                                                       \
    X(create_future)                                                                              \
    X(family)                                                                                     \
    X(fileno)                                                                                     \
    X(close)                                                                                      \
    X(get)                                                                                        \
    X(warning)                                                                                    \
    X(debug)                                                                                      \
    X(message)                                                                                    \
    X(exception)                                                                                  \
    X(transport)                                                                                  \
    X(protocol)                                                                                   \
    X(socket)                                                                                     \
    X(peername)                                                                                   \
    X(sockname)                                                                                   \
    X(source)                                                                                     \
    X(sendto)                                                                                     \
    X(pipe)                                                                                       \
    X(_attach)                                                                                    \
    X(_call_connection_lost)                                                                      \
    X(_start)                                                                                     \
    X(_detach)                                                                                    \
    X(_transports)

/* Taken from other modules at import: face->of.buffered_protocol. */
#define GL_FACE_IMPORTS(X)                                                                        \
    X(transport, "asyncio.transports", "Transport")                                               \
    X(flow_control, "asyncio.transports", "_FlowControlMixin")                                    \
    X(read_transport, "asyncio.transports", "ReadTransport")                                      \
    X(write_transport, "asyncio.transports", "WriteTransport")                                    \
    X(datagram_transport, "asyncio.transports", "DatagramTransport")                              \
    X(protocol, "asyncio.protocols", "Protocol")                                                  \
    X(buffered_protocol, "asyncio.protocols", "BufferedProtocol")                                 \
    X(transport_socket, "asyncio.trsock", "TransportSocket")                                      \
    X(logger, "asyncio.log", "logger")                                                            \
    X(constants, "asyncio", "constants")                                                          \
    X(server, "asyncio.base_events", "Server")                                                    \
    X(selector_loop, "asyncio.selector_events", "BaseSelectorEventLoop")                          \
    X(native_socket, "_socket", "socket")                                                         \
    X(socket, "socket", "socket")                                                                 \
    X(subprocess_pipe, "asyncio.base_subprocess", "WriteSubprocessPipeProto")                     \
    X(set_result_unless_cancelled, "asyncio.futures", "_set_result_unless_cancelled")

#define GL_FACE_FIELD(field, ...) PyObject *field;

/* One per module, at gl_state.face. All of it is owned. */
typedef struct gl_face_state {
    struct {
        GL_FACE_TYPES(GL_FACE_FIELD)
    } type;
    struct {
        GL_FACE_NAMES(GL_FACE_FIELD)
    } name;
    struct {
        GL_FACE_IMPORTS(GL_FACE_FIELD)
    } of;
    PyObject *stream_class;     /* guava_loop.transports.StreamTransport, once it was asked for */
    struct gl_tls_imports *tls; /* what TLS needs, once it was used (tls.h) */
    bool attach_transport;      /* Server._attach() takes the transport (3.13) */
} gl_face_state;

/* ---- of the module ---- */
int gl_face_exec(PyObject *module, gl_state *state);
int gl_face_state_traverse(gl_state *state, visitproc visit, void *arg);
void gl_face_state_clear(gl_state *state);
void gl_face_state_free(gl_state *state);

/* Makes a type whose base is a class of asyncio's and adds it to the module. `base` is one of
 * face->of; an ImportError when asyncio's class is laid out otherwise than these heads say. NULL
 * with an exception set. */
PyObject *gl_face_type(PyObject *module, gl_face_state *face, PyType_Spec *spec, PyObject *base);

/* Each face's own; 0, or -1 with an exception set. */
int gl_transport_exec(PyObject *module, gl_state *state);
int gl_accept_exec(PyObject *module, gl_state *state);
int gl_datagram_exec(PyObject *module, gl_state *state);
int gl_tls_exec(PyObject *module, gl_state *state);
/* Of face->tls. */
int gl_tls_imports_traverse(struct gl_tls_imports *imports, visitproc visit, void *arg);
void gl_tls_imports_clear(struct gl_tls_imports *imports);
int gl_read_pipe_exec(PyObject *module, gl_state *state);
int gl_write_pipe_exec(PyObject *module, gl_state *state);

/* ---- calls ---- */
/* object.name(arg), or object.name() when `arg` is NULL, inside `context` (NULL: the current one).
 * A new reference, or NULL with an exception set. */
PyObject *gl_face_call(PyObject *context, PyObject *object, PyObject *name, PyObject *arg);
/* loop.call_soon(callback, arg, context=context): `arg` and `context` may be NULL. 0, or -1 with
 * an exception set. */
int gl_face_call_soon(gl_loop *loop, PyObject *callback, PyObject *arg, PyObject *context);
/* In debug mode, what asyncio says of a transport that is closed on another thread than its
 * loop's. 0, or -1 with RuntimeError set. */
int gl_face_check_thread(gl_loop *loop);
/* Gives a future its result unless it is done; what fails is routed. `result` NULL: takes the
 * exception that is set. */
void gl_face_resolve(gl_loop *loop, PyObject *future, PyObject *result);

/* ---- errors ---- */
/* Takes the exception that is set to the loop's exception handler, with asyncio's keys message,
 * exception, transport, protocol. KeyboardInterrupt and SystemExit stop the loop and leave
 * run_forever(). Clears the exception. */
void gl_face_error(gl_loop *loop, const char *message, PyObject *transport, PyObject *protocol);
/* asyncio's _fatal_error() up to, and not with, _force_close(): an OSError is only logged, and
 * that in debug mode; what is not is given to the exception handler. The exception that was set
 * comes back (a new reference), for connection_lost(); None when it was one of those that stop the
 * loop.
 */
PyObject *gl_face_fatal(gl_loop *loop, const char *message, PyObject *transport,
                        PyObject *protocol);
/* logger.debug(format, transport), in debug mode only. Errors are routed. */
void gl_face_debug(gl_loop *loop, const char *format, PyObject *transport);
/* asyncio's count of writes to a lost connection, of which the fifth and later are warned of. */
void gl_face_write_lost(gl_loop *loop, unsigned *count, const char *message);
/* ResourceWarning: "unclosed transport <...>". For tp_finalize; keeps the exception that is set.
 */
void gl_face_unclosed(PyObject *transport);

/* ---- flow control of writing, as asyncio's _FlowControlMixin ---- */
typedef struct {
    size_t high, low; /* bytes */
    bool paused;      /* the protocol was told pause_writing() */
} gl_flow;

#define GL_FLOW_DEFAULT {.high = (size_t)64 * 1024, .low = (size_t)16 * 1024}

void gl_flow_pause(gl_flow *flow, gl_loop *loop, PyObject *transport, PyObject *protocol,
                   PyObject *context);
void gl_flow_resume(gl_flow *flow, gl_loop *loop, PyObject *transport, PyObject *protocol,
                    PyObject *context);
/* Tells the protocol when `size` bytes are too many, or few enough again. */
static inline void
gl_flow_grew(gl_flow *flow, size_t size, gl_loop *loop, PyObject *transport, PyObject *protocol,
             PyObject *context)
{
    if (size > flow->high && !flow->paused) {
        gl_flow_pause(flow, loop, transport, protocol, context);
    }
}
static inline void
gl_flow_shrank(gl_flow *flow, size_t size, gl_loop *loop, PyObject *transport, PyObject *protocol,
               PyObject *context)
{
    if (flow->paused && size <= flow->low) {
        gl_flow_resume(flow, loop, transport, protocol, context);
    }
}
/* The arguments of set_write_buffer_limits(high=None, low=None). 0, or -1 with ValueError or
 * TypeError set. */
int gl_flow_set_limits(gl_flow *flow, PyObject *args, PyObject *kwargs);
/* (low, high). */
PyObject *gl_flow_limits(const gl_flow *flow);

/* ---- descriptors ---- */
/* Notes whose the descriptor is (a borrowed reference), for add_reader() and its kin to refuse it.
 * 0, or -1 with MemoryError set. */
int gl_face_claim(gl_loop *loop, int fd, PyObject *transport);
void gl_face_disclaim(gl_loop *loop, int fd, PyObject *transport);
/* The transport that has claimed fd (borrowed), or NULL. */
PyObject *gl_face_owner(gl_loop *loop, int fd);
void gl_face_claims_free(gl_loop *loop);

/* ---- get_extra_info() ---- */
/* extra.get(name, default), a new reference; `extra` and `fallback` may be NULL. NULL with or
 * without an exception set. */
PyObject *gl_face_extra(PyObject *extra, PyObject *name, PyObject *fallback);
/* The name and default of get_extra_info(name, default=None), borrowed. 0 or -1. */
int gl_face_extra_args(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **name,
                       PyObject **fallback);

#endif
