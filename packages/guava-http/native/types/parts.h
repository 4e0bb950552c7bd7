/* parts.h: the index of this folder: what its files share and nobody outside may see. */
#ifndef GUAVA_HTTP_TYPES_PARTS_H
#define GUAVA_HTTP_TYPES_PARTS_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "core/head.h"
#include "core/query.h"
#include "types/types.h"

#define GH_METHODS 9      /* that have a str made in advance */
#define GH_NAME_SLOTS 128 /* of the table of well-known field names */
#define GH_PATH_SLOTS 64  /* of the table of paths that were asked for lately */
#define GH_MAX_PARAMS 1000

/* What the types keep for each interpreter. */
typedef struct gh_types {
    PyTypeObject *request;
    PyTypeObject *request_headers;
    PyTypeObject *headers;
    PyTypeObject *query_dict;
    PyTypeObject *response;
    PyTypeObject *cookie;
    PyTypeObject *file_body;
    PyTypeObject *file_response;
    PyObject *request_error;
    PyObject *client_disconnected;
    PyObject *data_event; /* of guava_http.parser; NULL until a RequestParser is made */
    PyObject *end_of_message;
    PyObject *limits; /* Limits() */
    PyObject *file_missing;
    PyObject *files; /* the module guava_http.files; NULL until it is first needed */
    PyObject *dumps; /* of guava_http._json; NULL until it is first needed */
    PyObject *loads;
    PyObject *loads_exact;
    PyObject *keys_view; /* of collections.abc */
    PyObject *items_view;
    PyObject *values_view;
    PyObject *empty;       /* "" */
    PyObject *versions[2]; /* "1.0", "1.1" */
    PyObject *methods[GH_METHODS];
    PyObject *names[GH_NAME_SLOTS];
    PyObject *paths[GH_PATH_SLOTS];
} gh_types;

gh_types *gh_types_of(PyObject *module);

/* The types of a heap type of this module or of a class derived from it; NULL with an exception
 * set only when the interpreter is going down. */
gh_types *gh_types_of_type(PyTypeObject *type);

int gh_query_dict_register(PyObject *module, gh_types *types);
int gh_headers_register(PyObject *module, gh_types *types);
int gh_request_headers_register(PyObject *module, gh_types *types);
int gh_request_register(PyObject *module, gh_types *types);
int gh_cookie_register(PyObject *module, gh_types *types);
int gh_file_body_register(PyObject *module, gh_types *types);
int gh_file_response_register(PyObject *module, gh_types *types);
int gh_response_register(PyObject *module, gh_types *types);
int gh_request_parser_register(PyObject *module);
int gh_helpers_register(PyObject *module);
int gh_accept_register(PyObject *module);
int gh_conditions_register(PyObject *module);
int gh_options_register(PyObject *module);
int gh_form_register(PyObject *module);

/* Makes a type and adds it to the module under its name. */
PyTypeObject *gh_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base);

/* ---- text.c: bytes and str ----------------------------------------------------------------- */

int gh_text_setup(gh_types *types);
PyObject *gh_latin1(const char *base, size_t n);
/* UTF-8 as browsers write cookies and names of files, else latin-1, so that no byte is lost. */
PyObject *gh_utf8_or_latin1(const char *base, size_t n);
PyObject *gh_utf8(const char *base, size_t n);               /* invalid bytes become U+FFFD */
PyObject *gh_decoded(const char *base, size_t n, bool plus); /* %XX, then as gh_utf8() */
PyObject *gh_method_str(gh_types *types, gh_slice method);   /* ready-made for the usual ones */
PyObject *gh_path_str(gh_types *types, gh_slice path);       /* decoded */
PyObject *gh_name_str(gh_types *types, gh_slice name);       /* the same for field names */

/* The latin-1 bytes of a str, which keeps them. TypeError or ValueError with `what` it is. */
int gh_latin1_text(PyObject *object, const char *what, gh_text *text);

/* A str as a field's name or value; sets the exception that says what is wrong with it. */
int gh_field_name(PyObject *object, gh_text *text);
int gh_field_value(PyObject *object, gh_text *text);

/* Whether an object has an attribute: 1 or 0, or -1 with an exception. */
int gh_has(PyObject *object, const char *name);

/* Seconds since 1970 of an int, a float or a datetime (naive: in UTC), rounded down. */
int gh_seconds(PyObject *object, int64_t *seconds);

/* ---- bind.c: arguments --------------------------------------------------------------------- */

typedef struct {
    const char *function;
    const char *const *names; /* of all parameters */
    Py_ssize_t n;
    Py_ssize_t positional; /* how many may be given by position */
    Py_ssize_t required;
} gh_signature;

/* Both set out[0..n-1] to borrowed references, NULL for what was not given. 0, or -1. */
int gh_bind(const gh_signature *sig, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames,
            PyObject **out);
int gh_bind_tuple(const gh_signature *sig, PyObject *args, PyObject *kwargs, PyObject **out);

/* ---- pairs.c: mappings and lists of pairs as arguments ------------------------------------- */

/* A list of (name, value) tuples out of a mapping or an iterable of pairs; a value that is a list
 * or a tuple makes a pair for each of its items. */
PyObject *gh_pairs(gh_types *types, PyObject *source, const char *what);

/* ---- fields.c: reading an array of fields -------------------------------------------------- */

typedef struct {
    const gh_field *at;
    uint32_t n;
} gh_fields;

/* The value, several ones joined; NULL without an exception if there is none. */
PyObject *gh_fields_get(const gh_fields *fields, gh_text name);
const gh_field *gh_fields_find(const gh_fields *fields, const char *name, size_t n);
PyObject *gh_fields_list(const gh_fields *fields, gh_text name);
PyObject *gh_fields_names(gh_types *types, const gh_fields *fields); /* each once */
PyObject *gh_fields_pairs(gh_types *types, const gh_fields *fields);
PyObject *gh_fields_raw(const gh_fields *fields); /* pairs of bytes */
PyObject *gh_fields_compare(gh_types *types, PyObject *a, PyObject *b, int op);
uint32_t gh_fields_count(const gh_fields *fields); /* distinct names */

/* The fields of a Headers or a RequestHeaders, which must live on; NULL for anything else. */
const gh_fields *gh_fields_of(gh_types *types, PyObject *object);

/* ---- field_text.c: fields to send ---------------------------------------------------------- */

typedef struct {
    gh_fields fields; /* fields.at is `index` */
    gh_field *index;
    uint32_t index_cap;
    char *text; /* "Name: value\r\n"... */
    size_t len;
    size_t cap;
} gh_field_text;

/* Names and values have been checked. What fails leaves everything as it is. */
int gh_field_text_add(gh_field_text *self, gh_text name, gh_text value);
int gh_field_text_set(gh_field_text *self, gh_text name, gh_text value);
int gh_field_text_add_cookie(gh_field_text *self, gh_text value); /* for the one it replaces */
int gh_field_text_remove(gh_field_text *self, gh_text name);      /* how many there were */
void gh_field_text_free(gh_field_text *self);

/* ---- the types ----------------------------------------------------------------------------- */

PyObject *gh_query_dict_parse(gh_types *types, const char *text, size_t n, int status,
                              uint64_t most);
PyObject *gh_query_dict_from(gh_types *types, PyObject *source, const char *what);
PyObject *gh_query_dict_pairs(PyObject *self);

PyObject *gh_headers_new(gh_types *types);
PyObject *gh_headers_from(gh_types *types, PyObject *source);
gh_field_text *gh_headers_lines(PyObject *self);
const gh_fields *gh_headers_fields(PyObject *self);

PyObject *gh_request_headers_new(gh_types *types, PyObject *request);
const gh_fields *gh_request_headers_fields(PyObject *self);
gh_fields gh_request_fields(PyObject *request);

#define GH_COOKIE_PARAMS 10
extern const gh_signature gh_cookie_signature;
PyObject *gh_cookie_make(gh_types *types, PyObject *const *values); /* as the signature has them */
PyObject *gh_cookie_bytes(PyObject *cookie);
PyObject *gh_cookies_parse(const gh_fields *fields);

/* The parameters of a field as a dict; `extend`: with those of RFC 8187. */
PyObject *gh_params_dict(gh_text params, bool extend);

/* Which of a tuple of offers an Accept or Accept-Language field (str or None) prefers: its index,
 * -1 if none is acceptable, -2 with an exception. */
typedef Py_ssize_t (*gh_choose_fn)(PyObject *field, PyObject *offers);
Py_ssize_t gh_choose_type(PyObject *field, PyObject *offers);
Py_ssize_t gh_choose_language(PyObject *field, PyObject *offers);

/* What Accept-Encoding says of a coding, in thousandths; -1: nothing, and no "*". */
int gh_accept_weight(gh_text field, gh_text coding);

/* A FileBody of `size` bytes over a descriptor, which is its own from now on, even on failure. */
PyObject *gh_file_body_own(gh_types *types, int fd, int64_t size);

PyObject *gh_json_loads(gh_types *types, PyObject *body);
void gh_raise(gh_types *types, int status, const char *text); /* a RequestError */

#endif
