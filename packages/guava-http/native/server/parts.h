/* parts.h: the index of server/. A server owns listeners and counts its peers; a peer is one
 * connection, a stream of the loop joined with the request that is being read or answered on it.
 *
 *   server.c    the object that Python starts and closes
 *   options.c   the numbers it goes by
 *   hosts.c     the names that it answers for
 *   peer.c      a connection's life: made, settled, closed
 *   deadline.c  how long it may take for what
 *   crowd.c     when connections are many
 *   receive.c   bytes in: heads and bodies, one request after the other
 *   body.c, body_reader.c
 *               a body that its handler reads while it comes in
 *   dispatch.c  the handler is called, what it gave is looked at
 *   answer.c    an answer that is complete, and refusals
 *   produce.c   an answer that an iterator makes piece by piece
 *   send_file.c an answer that is a file
 *   extra.c     compression, fields and work that follow an answer
 *   hints.c     an answer before the answer
 *   upgrade.c   a connection that goes on in another protocol
 *   out.c       bytes out: the cork
 *   adapter.c   a protocol of any asyncio transport
 *   adapter_stream.c, foreign.c
 *               the loop's table of functions, over such transports and any asyncio loop
 *   probe.c     reads a request for the tests and says what it found
 *   part.c      what the module keeps for all this
 */
#ifndef GUAVA_HTTP_SERVER_PARTS_H
#define GUAVA_HTTP_SERVER_PARTS_H

#include <Python.h>
#include <stdbool.h>

#include "guava_loop.h"

#include "core/buffer.h"
#include "core/chunks.h"
#include "core/limits.h"
#include "core/scan.h"
#include "core/verdict.h"
#include "core/wheel.h"
#include "module.h"
#include "types/types.h"

#define GH_CORK (64 * 1024)       /* bytes of answers that leave in one write */
#define GH_HIGH_WATER (64 * 1024) /* queued bytes from which on nothing more is produced */
#define GH_COPIED (8 * 1024)      /* bodies up to here are copied behind their head */
#define GH_TICK_MS 100            /* of the loop's coarse clock */

/* What the module keeps for this half. */
struct gh_server_part {
    PyTypeObject *server_type;
    PyTypeObject *peer_type;
    PyTypeObject *adapter_type;
    PyTypeObject *call_type;
    PyTypeObject *reader_type;
    PyTypeObject *upgraded_type;
    PyObject *add_done_callback; /* interned names */
    PyObject *result;
    PyObject *cancelled; /* asyncio.CancelledError */
    PyObject *future;    /* concurrent.futures.Future */
    PyObject *running;   /* asyncio._get_running_loop */
};

typedef enum {
    GH_READY,   /* between two requests, or in the middle of a head */
    GH_BODY,    /* a body is coming in */
    GH_DRAIN,   /* the rest of one that nobody wants any more is */
    GH_RUNNING, /* the handler is at work */
    GH_MAKING,  /* the head of the answer may be out, its body is being made */
    GH_CLOSE,   /* to be closed as soon as the cork is out */
    GH_LINGER,  /* our side is shut, what the client still sends is thrown away */
    GH_CLOSING, /* the stream closes once its queue is out */
    GH_GONE     /* no stream any more */
} gh_state;

typedef struct gh_peer gh_peer;
typedef struct gh_foreign gh_foreign;
typedef struct gh_upgraded gh_upgraded;

typedef struct {
    PyObject_HEAD PyObject *module;
    struct gh_server_part *part;
    const guava_loop_api *api; /* NULL until it has been started */
    guava_loop *loop;
    PyObject *loop_object; /* keeps `loop` alive */
    gh_foreign *foreign;   /* `loop` again, when it is not guava-loop's own */

    PyObject *handler;
    PyObject *context;     /* each request runs in a copy of it */
    PyObject *log;         /* log(request or None, exception) */
    PyObject *pump;        /* pump(peer, async iterator): a coroutine that sends all of it */
    PyObject *wrap;        /* wrap(awaitable): a coroutine with the same result */
    PyObject *body_policy; /* what to do with a body: body_policy(request); NULL: the usual */
    PyObject *threaded;    /* threaded(request): a coroutine, the handler on a thread */
    PyObject *emptied;     /* called when the last peer leaves, while closing */
    PyObject *throttle;    /* throttle(bool): asyncio's listeners rest, or go on */
    PyObject *encode;      /* encode(request, result): what to send instead; NULL: nothing */

    PyObject *hosts;         /* a tuple of bytes: those that are answered for; NULL: any */
    PyObject *limits_object; /* Python's Limits: what only Python needs is read there */
    gh_limits limits;
    gh_limits head_limits;   /* the same, for heads: a policy may allow longer bodies */
    size_t pipelined;        /* bytes that may wait behind a request being answered */
    size_t most_connections; /* open at the same time */
    uint32_t most_requests;  /* on one connection, or 0 */
    uint32_t body_rate;      /* the least bytes per second of a body, or 0 */
    uint64_t head_ticks;     /* how long a peer may wait for each, in ticks */
    uint64_t body_ticks;
    uint64_t keep_alive_ticks;
    uint64_t write_ticks;
    uint64_t request_ticks;
    uint64_t now;    /* ticks; it does not run while the loop is held up */
    uint64_t ticked; /* the loop's clock at the last tick */
    uint64_t slack;  /* by which `now` may be late, in ticks */
    unsigned tick_ms;
    void *tick; /* the loop's handle of it */
    gh_wheel wheel;

    gh_peer *peers;
    gh_upgraded *upgraded; /* connections that went on in another protocol */
    size_t n_peers;        /* both */
    size_t n_tasks;        /* handlers that are suspended, even if their client has left */
    uint64_t accepted;     /* connections */
    uint64_t answered;     /* requests */
    uint64_t refused;      /* requests that could not be read, were too large or too slow */
    uint64_t timed_out;    /* connections ended for slowness */
    uint64_t evicted;      /* idle connections closed for others */
    uint64_t disconnected; /* clients that left a request in work */
    uint64_t full;         /* how often the listeners had to rest */

    guava_listener **listeners;
    size_t n_listeners;
    PyObject *spare;  /* a request that waits for its next head */
    gh_field *fields; /* of the head that is being read */
    char *cork;
    size_t corked;
    gh_peer *corking; /* whose bytes they are */
    bool secure;      /* connections are under TLS */
    bool closing;
    bool resting;         /* the listeners are */
    bool counts_requests; /* there are limits that count or time requests */
} gh_server;

/* A body on its way in. */
typedef struct {
    PyObject *bytes; /* of a known length; `got` of them are there */
    size_t got;
    gh_buffer data; /* of unknown length */
    gh_chunks chunks;
    uint64_t limit; /* of it, in bytes */
} gh_upload;

typedef struct gh_reader gh_reader;

/* What is to be done with a body. */
typedef struct {
    uint64_t limit; /* in bytes */
    bool stream;    /* the handler reads it while it comes */
    bool thread;    /* and runs on a thread */
} gh_body_policy;

#define GH_BODY_UNLIMITED ((uint64_t)1 << 62)

struct gh_peer {
    PyObject_HEAD gh_server *server;
    guava_stream *stream;
    gh_peer *next, *previous;
    gh_timer timer;
    gh_buffer in; /* bytes not yet looked at, or of a head that is not complete */
    gh_scan scan;
    uint8_t state;       /* a gh_state */
    bool partial : 1;    /* what is in `in` is the beginning of a head */
    bool keep_alive : 1; /* after this request */
    bool http10 : 1;     /* of the request */
    bool head_only : 1;  /* the request is a HEAD */
    bool sent_head : 1;  /* of the answer */
    bool chunked : 1;    /* the answer is */
    bool eof : 1;        /* the client sends no more */
    bool paused : 1;     /* reading is */
    bool blocked : 1;    /* too much is queued; drain() will come */
    bool deferred : 1;   /* a deferred call is under way */
    bool linger : 1;     /* GH_CLOSE goes by way of GH_LINGER */
    bool filing : 1;     /* a file is on its way */
    bool writing : 1;    /* something is queued; write_due runs */
    bool hasty : 1;      /* write_due or request_due runs */
    bool body_held : 1;  /* the body could come, but nobody wants it */
    bool pipelines : 1;  /* the client sends requests ahead */
    bool threaded : 1;   /* the handler is called on a thread */
    uint32_t served;     /* requests so far */
    uint32_t drained;    /* bytes thrown away in GH_LINGER */
    size_t queued;       /* when write_due was last looked at */
    uint64_t due;        /* when what is awaited from the client must be there, in ticks */
    uint64_t write_due;
    uint64_t request_due; /* or 0 */
    uint64_t body_since;  /* when a body began; while it is held, how long it has come */
    uint64_t body_got;    /* bytes of it */
    int64_t left;         /* bytes that the answer has promised and not sent, or -1 */
    PyObject *request;    /* being read or answered */
    PyObject *context;    /* of its handler */
    PyObject *task;       /* what carries on the handler, or the pump */
    PyObject *source;     /* the iterator or file that makes the answer's body */
    gh_reply *reply;      /* its head, while pieces are made */
    PyObject *response;   /* owns the texts of that */
    PyObject *waiter;     /* a future: done when `blocked` ends */
    PyObject *address;    /* the client's, once asked for */
    PyObject *work;       /* to be begun after the answer */
    PyObject *come;       /* what `task` was waiting for at the last tick, though it had come */
    PyObject *trailers;   /* (bytes: all fields of the head, function: gives those to follow) */
    gh_upload *upload;
    gh_reader *reader; /* until the last byte of a body that is read while it comes */
};

/* ---- peer.c ----------------------------------------------------------------------------------
 */
extern const guava_stream_ops gh_peer_ops;
extern const guava_stream_ops gh_peer_upload_ops; /* bodies are read into their place */
int gh_peer_accept(guava_stream *stream, void *server);
/* The two halves of accept(): the second when there is a stream. */
gh_peer *gh_peer_new(gh_server *server);
void gh_peer_begin(gh_peer *peer, guava_stream *stream);
PyObject *gh_peer_address(void *peer);
void gh_peer_abort(gh_peer *peer);
void gh_peer_reset(gh_peer *peer); /* so that the client knows that something is missing */
void gh_peer_close(gh_peer *peer);
/* Without memory, or with another exception set that is no fault of the handler: reports it and
 * ends the connection. */
void gh_peer_give_up(gh_peer *peer);
/* Without memory its task could not be woken, and never will be: reports that, and gives up both.
 */
void gh_peer_lose_task(gh_peer *peer);
/* A task that is done calls its peer, and what a task waits for wakes it when it comes, unless
 * there was no memory for that. The tick looks. */
void gh_peers_look(gh_server *server);
/* Takes it out of the list of those that the server has. */
void gh_peer_unlink(gh_peer *peer);
/* The answer is complete: makes ready for the next request, or for the end. */
void gh_peer_finish(gh_peer *peer);
/* At the end of every callback, after the cork: closes what is to be closed, sets the timer. */
void gh_peer_settle(gh_peer *peer);
/* Calls resume() in the next turn of the loop. */
void gh_peer_defer(gh_peer *peer);
void gh_peer_resume(gh_peer *peer);

/* ---- deadline.c ------------------------------------------------------------------------------
 */
/* Arms the timer for the earliest deadline, after one has changed. */
void gh_watch(gh_peer *peer);
/* What is awaited from the client must be there in so many ticks; for ever. */
static inline void
gh_due(gh_peer *peer, uint64_t due)
{
    peer->due = due;
    if (peer->hasty)
        gh_watch(peer);
    else
        gh_timer_arm(&peer->server->wheel, &peer->timer, due);
}
static inline void
gh_arm(gh_peer *peer, uint64_t ticks)
{
    gh_due(peer, peer->server->now + ticks + peer->server->slack);
}
static inline void
gh_disarm(gh_peer *peer)
{
    gh_due(peer, GH_NEVER);
}
void gh_peer_fire(gh_timer *timer);
/* A head has begun; a whole one is there, where `counts_requests`. */
void gh_deadline_head(gh_peer *peer);
void gh_deadline_request(gh_peer *peer);
/* A body is awaited from now on; n bytes of it came; they are not wanted for now; wanted again.
 * Only the time in which they are wanted counts. */
void gh_deadline_body(gh_peer *peer);
void gh_deadline_body_came(gh_peer *peer, size_t n);
void gh_deadline_body_hold(gh_peer *peer);
void gh_deadline_body_go(gh_peer *peer);
/* n bytes were written, and the kernel has not taken all that is queued. */
void gh_deadline_write(gh_peer *peer, size_t n);

/* ---- crowd.c ---------------------------------------------------------------------------------
 */
void gh_crowd_came(gh_server *server);
void gh_crowd_left(gh_server *server);

/* ---- receive.c -------------------------------------------------------------------------------
 */
void gh_receive(gh_peer *peer, const char *bytes, size_t n);
/* Goes on with what waits in peer->in. */
void gh_receive_waiting(gh_peer *peer);
/* Stops reading from the client, or goes on, by what waits. */
void gh_receive_pace(gh_peer *peer);
char *gh_receive_place(guava_stream *stream, size_t *cap);
void gh_upload_free(gh_peer *peer);

/* ---- body.c ----------------------------------------------------------------------------------
 */
/* Asks the server's body_policy about peer->request: 0, or -1 with an exception set. */
int gh_body_ask(gh_peer *peer, gh_body_policy *policy);
/* Calls the handler with a reader of the body, whose first n bytes are here (or less). Returns how
 * many were the body's; (size_t)-1 with an exception set. */
size_t gh_body_begin(gh_peer *peer, const gh_head *head, const gh_body_policy *policy,
                     const char *bytes, size_t n);
/* More came while there is a peer->reader. Returns how many bytes were the body's. */
size_t gh_body_receive(gh_peer *peer, const char *bytes, size_t n);
/* Where the next bytes of such a body are read to; NULL: anywhere. */
char *gh_body_place(gh_peer *peer, size_t *cap);
/* Nothing more is to be read for now. */
bool gh_body_is_full(const gh_peer *peer);
/* The handler begins to read. */
void gh_body_continue(gh_peer *peer);
/* The client has left, or will send no more. */
void gh_body_left(gh_peer *peer);
/* The timer has fired: whether the handler waited for the client, which is then too late. */
bool gh_body_late(gh_peer *peer);
/* A head is to be sent: whether the connection goes on may depend on what is unread. `complete`:
 * nothing more of the body will be. */
void gh_body_judge(gh_peer *peer, bool complete);
/* The request has been answered before all of its body came. */
void gh_body_answered(gh_peer *peer);

/* ---- dispatch.c ------------------------------------------------------------------------------
 */
/* Calls the handler with peer->request and answers, or arranges for it. */
void gh_dispatch(gh_peer *peer);
/* The handler's task has ended. */
void gh_dispatch_done(gh_peer *peer, PyObject *task);
/* The coroutine has not ended in its first step: its task goes on, and calls the peer when done.
 */
void gh_wait_for(gh_peer *peer, PyObject *task);
/* The exception that is set, as one object; it is set no more. */
PyObject *gh_take_exception(void);
/* Reports the exception that is set and answers 500, or 4xx when it is the client's fault. */
void gh_fail(gh_peer *peer);

/* ---- answer.c --------------------------------------------------------------------------------
 */
void gh_answer(gh_peer *peer, gh_reply *reply, const char *body, size_t n, PyObject *owner);
void gh_answer_status(gh_peer *peer, int status, const char *text);
void gh_refuse(gh_peer *peer, gh_verdict verdict);
/* Sends a head; what follows is the caller's. */
int gh_send_head(gh_peer *peer, gh_reply *reply);
/* Whether the answer has no body, whatever is given as one. */
bool gh_is_bodyless(const gh_peer *peer, int status);

/* ---- produce.c -------------------------------------------------------------------------------
 */
/* `source` is an iterator (or async iterator) that makes the body of the answer; `response` owns
 * the reply's texts and may be NULL. */
void gh_produce(gh_peer *peer, const gh_reply *reply, PyObject *response, PyObject *source);
void gh_produce_async(gh_peer *peer, const gh_reply *reply, PyObject *response, PyObject *source);
/* Goes on after blocked or deferred. */
void gh_produce_more(gh_peer *peer);
/* The pump has ended. */
void gh_produce_done(gh_peer *peer, PyObject *task);
/* The client has left while a task was at work. */
void gh_produce_left(gh_peer *peer);
/* Wakes the pump. */
void gh_produce_unblock(gh_peer *peer);
void gh_produce_drop(gh_peer *peer);
PyObject *gh_peer_send(PyObject *peer, PyObject *chunk);

/* ---- extra.c ---------------------------------------------------------------------------------
 */
/* What to send instead of what the handler gave, by the response's own choice (NULL, True or
 * False) and the server's: a new reference, or NULL with an exception set. */
PyObject *gh_encoded(gh_peer *peer, PyObject *result, PyObject *choice);
/* Announces trailers, if they can be sent. False, with an exception set if one was raised. */
bool gh_trail(gh_peer *peer, gh_reply *reply, PyObject *trailers);
int gh_send_trailers(gh_peer *peer);
int gh_keep_work(gh_peer *peer, PyObject *response);
void gh_begin_work(gh_peer *peer);

/* ---- hints.c ---------------------------------------------------------------------------------
 */
PyObject *gh_peer_early_hints(PyObject *peer, PyObject *const *args, Py_ssize_t n);

/* ---- send_file.c -----------------------------------------------------------------------------
 */
void gh_send_file(gh_peer *peer, gh_reply *reply, PyObject *file);
void gh_send_file_response(gh_peer *peer, gh_reply *reply, PyObject *response);

/* ---- upgrade.c -------------------------------------------------------------------------------
 */
/* The handler gave an object that has __guava_upgrade__(). */
void gh_upgrade(gh_peer *peer, PyObject *result);
/* Takes the stream from a peer whose request is answered; reading is paused, and the caller sets
 * the callbacks at once. What came behind the request is in peer->in when this callback of the
 * loop is over. The stream's reference to the peer is the caller's, and so is the server's count
 * of it: at the stream's end n_peers goes down by one. */
guava_stream *gh_peer_hand_over(gh_peer *peer);
/* The server closes: the protocols are told, or cut off. */
void gh_upgraded_closing(gh_server *server);
void gh_upgraded_abort(gh_server *server);
guava_stream *gh_upgraded_stream(gh_server *server); /* of any, or NULL */
int gh_upgraded_register(PyObject *module, struct gh_server_part *part);

/* ---- out.c -----------------------------------------------------------------------------------
 */
/* Between these two, what is sent gathers and leaves in one write. cork() returns whose bytes were
 * gathered before, for uncork(). */
gh_peer *gh_cork(gh_peer *peer);
void gh_uncork(gh_peer *peer, gh_peer *before);
/* A place for n <= GH_CORK bytes; gh_out_took() says how many have been written to it. */
char *gh_out_room(gh_peer *peer, size_t n);
static inline void
gh_out_took(gh_peer *peer, size_t n)
{
    peer->server->corked += n;
}
/* Any number of bytes, copied if few, else with a reference to their owner (may be NULL). */
void gh_out(gh_peer *peer, const char *bytes, size_t n, PyObject *owner);
void gh_out_flush(gh_server *server);

/* ---- adapters --------------------------------------------------------------------------------
 */
extern const guava_loop_api gh_adapter_api;
int gh_adapter_register(PyObject *module, struct gh_server_part *part);
int gh_foreign_register(PyObject *module, struct gh_server_part *part);
/* The loop was closed with the connection open, and so never calls connection_lost(). */
void gh_adapter_forget(guava_stream *stream);
/* A loop of asyncio's as the table's `loop`; NULL with an exception set. */
gh_foreign *gh_foreign_new(struct gh_server_part *part, PyObject *loop);
void gh_foreign_free(gh_foreign *foreign);

/* ---- hosts.c --------------------------------------------------------------------------------
 */
/* Whether a request for this authority, which is well-formed or empty, is for us. */
bool gh_hosts_have(PyObject *hosts, gh_slice authority);
/* Sets server->hosts to a tuple of bytes, or to any for None: 0, or -1 with an exception set. */
int gh_hosts_set(gh_server *server, PyObject *hosts);

/* ---- options.c -------------------------------------------------------------------------------
 */
#define GH_FOREVER ((uint64_t)1 << 40) /* ticks: some thousand years */
/* Reads Python's Limits and Timeouts: 0, or -1 with an exception set. */
int gh_options_read(gh_server *server, PyObject *limits, PyObject *timeouts);

/* ---- server.c, probe.c -----------------------------------------------------------------------
 */
int gh_server_type_register(PyObject *module, struct gh_server_part *part);
int gh_peer_register(PyObject *module, struct gh_server_part *part);
int gh_reader_register(PyObject *module, struct gh_server_part *part);
int gh_probe_register(PyObject *module);
void gh_server_left(gh_server *server); /* a peer has gone, or a task has ended */

#endif
