/* types.h: what the Python types give to the server. The server knows a request and a response
 * only through these functions. */
#ifndef GUAVA_HTTP_TYPES_H
#define GUAVA_HTTP_TYPES_H

#include <Python.h>

#include "core/head.h"
#include "core/reply.h"

/* ---- Request --------------------------------------------------------------------------------- */

/* A Request over a head whose slices are borrowed. Until gh_request_detach() or
 * gh_request_reset() the bytes of the head (and the body, if borrowed) must stay where they are. */
PyObject *gh_request_from_head(PyObject *module, const gh_head *head);

/* Gives a request its complete body: borrowed bytes, like the head's. */
void gh_request_borrow_body(PyObject *request, const char *body, size_t n);

/* Gives a request its complete body as a bytes object (a new reference is taken). */
void gh_request_set_body(PyObject *request, PyObject *body);

/* Who sent it: called once, when somebody first reads request.peer. fn(arg) returns a new
 * reference. `owner` is a Python object that keeps `arg` alive; may be NULL. */
typedef PyObject *(*gh_peer_fn)(void *arg);
void gh_request_set_peer(PyObject *request, gh_peer_fn fn, void *arg, PyObject *owner);

/* True if the caller holds the only reference and nothing made from the request points back. */
int gh_request_is_ours(PyObject *request);

/* Copies what is borrowed into memory of the request's own. 0, or -1 with MemoryError. */
int gh_request_detach(PyObject *request);

/* For a request that is_ours: forgets everything, so that the object serves the next head. */
void gh_request_reset(PyObject *request, const gh_head *head);

/* ---- Response -------------------------------------------------------------------------------- */

/* True for an instance of Response (or a subclass). */
int gh_response_check(PyObject *module, PyObject *object);

/* Fills status, reason, type, fields and has_date; the memory belongs to the response and holds
 * until it is changed or freed. *body is a borrowed reference to what was given as the body: None,
 * bytes, str, an iterable or async iterable of bytes or str, or a FileBody. 0, or -1. */
int gh_response_reply(PyObject *response, gh_reply *reply, PyObject **body);

/* ---- the module ------------------------------------------------------------------------------- */
int gh_request_register(PyObject *module);
int gh_response_register(PyObject *module);

#endif
