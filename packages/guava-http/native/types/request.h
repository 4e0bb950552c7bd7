/* request.h: a Request's memory, for the files that are about it: request.c (the type),
 * request_head.c (what the server does with it) and request_make.c (one made by hand). */
#ifndef GUAVA_HTTP_TYPES_REQUEST_H
#define GUAVA_HTTP_TYPES_REQUEST_H

#include "types/parts.h"

typedef struct {
    PyObject_HEAD gh_types *types;
    gh_head head;
    const char *body_base; /* a borrowed body; NULL: there is none, or it is in `body` */
    size_t body_len;
    char *own; /* the memory that head's slices and fields lie in; NULL: they are borrowed */
    gh_peer_fn peer_fn;
    void *peer_arg;
    PyObject *peer_owner;
    PyObject *dict; /* of the attributes that users set */
    PyObject *weak;
    bool secure;
    bool disconnected;
    bool empty;  /* there is nothing to forget */
    bool cached; /* one of the following is not NULL */
    /* What has been asked for. */
    PyObject *url;
    PyObject *full_url;
    PyObject *path;
    PyObject *host;
    PyObject *get;
    PyObject *post;
    PyObject *files;
    PyObject *reader; /* of a body that is read while it comes; not made from the head */
    PyObject *cookies;
    PyObject *body;
    PyObject *peer;
} gh_request;

/* Lets go of everything that was made from the head, and of the head's own memory. */
void gh_request_forget(gh_request *self);

/* Fills an empty request from the arguments of Request(). */
int gh_request_make(gh_request *self, PyObject *args, PyObject *kwargs);

/* ---- request_body.c: the same --------------------------------------------------------------- */

PyObject *gh_request_make_body(gh_request *self);
PyObject *gh_request_make_post(gh_request *self);
PyObject *gh_request_make_files(gh_request *self);
PyObject *gh_request_stream(PyObject *op, PyObject *ignored);
PyObject *gh_request_parts(PyObject *op, PyObject *ignored);
PyObject *gh_request_read(PyObject *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
PyObject *gh_request_form(PyObject *op, PyObject *ignored);
PyObject *gh_request_get_reader(PyObject *op, void *closure);
PyObject *gh_request_get_limits(PyObject *op, void *closure);
PyObject *gh_request_keep_body(PyObject *op, PyObject *body);

/* ---- request_facts.c: getters and methods of the type -------------------------------------- */

PyObject *gh_request_content_type(PyObject *op, void *closure);
PyObject *gh_request_mimetype(PyObject *op, void *closure);
PyObject *gh_request_is_json(PyObject *op, void *closure);
PyObject *gh_request_charset(PyObject *op, void *closure);
PyObject *gh_request_content_length(PyObject *op, void *closure);
PyObject *gh_request_is_secure(PyObject *op, void *closure);
PyObject *gh_request_user_agent(PyObject *op, void *closure);
PyObject *gh_request_authorization(PyObject *op, void *closure);
PyObject *gh_request_make_full_url(gh_request *self);
PyObject *gh_request_accepts(PyObject *op, PyObject *offers);
PyObject *gh_request_accepts_language(PyObject *op, PyObject *offers);

/* request_hints.c */
PyObject *gh_request_early_hints(PyObject *self, PyObject *source);

#endif
