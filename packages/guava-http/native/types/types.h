/* types.h: what the Python types give to the server. The server knows a request and a response
 * only through these functions. */
#ifndef GUAVA_HTTP_TYPES_H
#define GUAVA_HTTP_TYPES_H

#include <Python.h>
#include <stdbool.h>

#include "core/head.h"
#include "core/limits.h"
#include "core/ranges.h"
#include "core/reply.h"

/* ---- Limits -------------------------------------------------------------------------------- */

/* Reads a Limits object (any object with its attributes): 0, or -1 with an exception set. */
int gh_limits_read(PyObject *object, gh_limits *limits);

/* An int attribute between two bounds: 0, or -1 with an exception set. */
int gh_number_read(PyObject *object, const char *name, uint64_t least, uint64_t most,
                   uint64_t *result);

/* ---- Request ------------------------------------------------------------------------------- */

/* A Request over a head whose slices are borrowed; *head itself is copied. Until
 * gh_request_detach() or gh_request_reset() the bytes of the head, its array of fields (and the
 * body, if borrowed) must stay where they are. */
PyObject *gh_request_from_head(PyObject *module, const gh_head *head);

/* Gives a request its complete body: borrowed bytes, like the head's. */
void gh_request_borrow_body(PyObject *request, const char *body, size_t n);

/* Gives a request its complete body as a bytes object (a new reference is taken). */
void gh_request_set_body(PyObject *request, PyObject *body);

/* Who sent it: called once, when somebody first reads request.peer. fn(arg) returns a new
 * reference. `owner` is a Python object that keeps `arg` alive; may be NULL. */
typedef PyObject *(*gh_peer_fn)(void *arg);
void gh_request_set_peer(PyObject *request, gh_peer_fn fn, void *arg, PyObject *owner);

/* The connection is under TLS: request.scheme is "https". Holds until the next reset. */
void gh_request_set_secure(PyObject *request);

/* The peer has gone while the request was being answered: request.disconnected is True. */
void gh_request_set_disconnected(PyObject *request);

/* True if the caller holds the only reference and nothing made from the request points back. */
int gh_request_is_ours(PyObject *request);

/* Copies what is borrowed into memory of the request's own. 0, or -1 with MemoryError: then the
 * request is left empty, so that nothing in it points at memory that will go. */
int gh_request_detach(PyObject *request);

/* For a request that is_ours: forgets everything (body, peer and owner too), so that the object
 * serves the next head. Without a head (NULL) it is left empty. */
void gh_request_reset(PyObject *request, const gh_head *head);

/* The exception that is set is a RequestError, the client's fault: its status (400 to 499). Else
 * 0. */
int gh_request_error_status(PyObject *module);

/* Gives it the reader of a body that comes in while the handler runs. */
void gh_request_set_reader(PyObject *request, PyObject *reader);

/* Sets a RequestError of this status; a ClientDisconnected; and whether one of those is set. */
void gh_request_refuse(PyObject *module, int status, const char *text);
void gh_request_abandon(PyObject *module);
bool gh_request_is_abandoned(PyObject *module);

/* ---- Response ------------------------------------------------------------------------------ */

/* True for an instance of Response (or a subclass). */
int gh_response_check(PyObject *module, PyObject *object);

/* Fills status, reason, type, fields and has_date, and of the framing what the response's own
 * fields asked for: length is its Content-Length or -1; keep_alive becomes false for
 * "Connection: close" and is else left as it is. Those two and Transfer-Encoding are not among
 * `fields`. The memory belongs to the response and holds until it is changed or freed. *body is a
 * borrowed reference to what was given as the body: None, bytes, str, an iterable or async
 * iterable of bytes or str, or a FileBody. 0, or -1. */
int gh_response_reply(PyObject *response, gh_reply *reply, PyObject **body);

/* What few responses have, borrowed, or NULL: fields behind the body; a list of work to do after
 * the answer; True or False, whether to compress it. */
PyObject *gh_response_trailers(PyObject *response);
PyObject *gh_response_work(PyObject *response);
PyObject *gh_response_compression(PyObject *response);

/* Response(*arguments): a new reference. */
PyObject *gh_response_make(PyObject *module, PyObject *arguments);

/* ---- bodies -------------------------------------------------------------------------------- */

/* True for an instance of FileBody. */
int gh_file_body_check(PyObject *module, PyObject *object);

/* The open file of a FileBody (it stays the FileBody's: hold a reference while it is used) and
 * the range to send. 0, or -1 with ValueError if it has been closed. */
int gh_file_body_get(PyObject *object, int *fd, int64_t *offset, int64_t *length);

/* ---- FileResponse --------------------------------------------------------------------------- */

/* How a FileResponse answers one request. */
typedef struct {
    PyObject *file;                  /* a FileBody (a new reference) */
    int fd;                          /* its descriptor */
    int64_t offset;                  /* of the representation in it */
    int n_ranges;                    /* 0: no body but what the status says of itself */
    gh_range ranges[GH_MOST_RANGES]; /* of the representation */
    char *heads; /* of the parts, and the end behind them; NULL for one range */
    size_t ends[GH_MOST_RANGES + 1]; /* of each of those */
    char *fields;                    /* what reply->fields points to, or NULL */
    char own[1024];                  /* room for them */
} gh_file_answer;

/* True for a FileResponse that still has the body it was made with. */
bool gh_file_response_check(PyObject *module, PyObject *object);

/* Negotiates: `reply` is what gh_response_reply() made of the response, and becomes the answer to
 * this request (may be NULL), its length too. Status 200, 206, 304, 412 or 416. To be let go of
 * with gh_file_answer_free() after the head has been rendered and the last part sent. 0, or -1. */
int gh_file_response_answer(PyObject *response, PyObject *request, gh_reply *reply,
                            gh_file_answer *answer);
void gh_file_answer_free(gh_file_answer *answer);

/* `object` as JSON in a bytes object, the way Response does it. */
PyObject *gh_json_dumps(PyObject *module, PyObject *object);

#endif
