/* response.h: a Response's memory, for the three files that are about it: response.c (the type),
 * response_make.c (its methods) and response_reply.c (what the server does with it). */
#ifndef GUAVA_HTTP_TYPES_RESPONSE_H
#define GUAVA_HTTP_TYPES_RESPONSE_H

#include "types/parts.h"

#define GH_HTML "text/html; charset=utf-8"
#define GH_PLAIN "text/plain; charset=utf-8"
#define GH_JSON "application/json"
#define GH_BINARY "application/octet-stream"

typedef enum { GH_BODY_NONE, GH_BODY_TEXT, GH_BODY_JSON, GH_BODY_FILE } gh_body_kind;

typedef struct {
    PyObject_HEAD gh_types *types;
    PyObject *body;        /* None, bytes, str, an iterable, an async iterable or a FileBody */
    PyObject *type;        /* str: the Content-Type that was set, while there are no headers */
    PyObject *headers;     /* Headers, or NULL */
    PyObject *reason;      /* str, or NULL for the standard phrase */
    PyObject *spare;       /* bytes: fields without those that only say how the body is framed */
    PyObject *trailers;    /* what guava_http/_trailers.py made of them, or NULL */
    PyObject *work;        /* a list of (function, args, kwargs), or NULL */
    PyObject *compression; /* True, False, or NULL: as the server has it */
    int status;
    gh_body_kind kind;
} gh_response;

/* The Content-Type that suits the body; base NULL for none. */
gh_text gh_response_default_type(gh_body_kind kind);

int gh_response_set_type(gh_response *self, PyObject *value);
int gh_response_set_headers(gh_response *self, PyObject *source);

/* An empty response of a type, and its end: a derived type's own begin and end with these. */
PyObject *gh_response_alloc(PyTypeObject *type, gh_types *types);
void gh_response_dealloc(PyObject *self);

/* Borrowed; made if there are none yet. */
PyObject *gh_response_headers(gh_response *self);

extern PyMethodDef gh_response_methods[];
PyObject *gh_response_background(PyObject *self, PyObject *const *args, Py_ssize_t n_args,
                                 PyObject *kwnames);
PyObject *gh_response_get_trailers(PyObject *self, void *closure);
int gh_response_set_trailers(PyObject *self, PyObject *value, void *closure);
PyObject *gh_response_get_compression(PyObject *self, void *closure);
int gh_response_set_compression(PyObject *self, PyObject *value, void *closure);
PyObject *gh_response_render(PyObject *self, PyObject *const *args, Py_ssize_t n_args,
                             PyObject *kwnames);

#endif
