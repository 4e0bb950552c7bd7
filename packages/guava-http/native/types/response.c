/* response.c: Response, what goes back. Everything is checked when it is set, so sending cannot
 * fail; a Headers object comes into being only when somebody wants a field beyond Content-Type,
 * and the plain answer of most handlers costs one allocation. */
#include "module.h"
#include "types/response.h"

#include <string.h>

#include "core/field.h"
#include "core/status.h"

enum { BODY, STATUS, HEADERS, CONTENT_TYPE, REASON, PARAMS };

static const char *const param_names[PARAMS] = {"body", "status", "headers", "content_type",
                                                "reason"};
static const gh_signature signature = {"Response", param_names, PARAMS, 3, 0};

static const gh_text type_name = {"Content-Type", 12};

/* ---- setting, with all checks -------------------------------------------------------------- */

static int
set_status(gh_response *self, PyObject *value)
{
    long status = PyLong_Check(value) ? PyLong_AsLong(value) : 0;
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "status must be an int, not %.200s",
                     Py_TYPE(value)->tp_name);
        return -1;
    }
    if (status < 100 || status > 599) {
        PyErr_Clear(); /* of an int that is too big for a long */
        PyErr_Format(PyExc_ValueError, "status must be from 100 to 599, found %R", value);
        return -1;
    }
    self->status = (int)status;
    return 0;
}

static int
set_reason(gh_response *self, PyObject *value)
{
    gh_text text;
    if (value == NULL || value == Py_None) {
        Py_CLEAR(self->reason);
        return 0;
    }
    if (gh_latin1_text(value, "reason", &text) < 0)
        return -1;
    if (!gh_is_field_value(text.base, text.len)) {
        PyErr_Format(PyExc_ValueError, "reason has no control characters, found %R", value);
        return -1;
    }
    Py_XSETREF(self->reason, Py_NewRef(value));
    return 0;
}

int
gh_response_set_type(gh_response *self, PyObject *value)
{
    gh_text text;
    if (value == NULL || value == Py_None) {
        if (self->headers != NULL)
            (void)gh_field_text_remove(gh_headers_lines(self->headers), type_name);
        Py_CLEAR(self->type);
        return 0;
    }
    if (gh_field_value(value, &text) < 0)
        return -1;
    if (self->headers != NULL) {
        return gh_field_text_set(gh_headers_lines(self->headers), type_name, text);
    }
    Py_XSETREF(self->type, Py_NewRef(value));
    return 0;
}

/* A type that was set before there were headers goes into them. */
static int
adopt_headers(gh_response *self, PyObject *headers)
{
    gh_text text;
    if (self->type != NULL) {
        if (gh_field_value(self->type, &text) < 0)
            return -1;
        if (gh_field_text_set(gh_headers_lines(headers), type_name, text) < 0)
            return -1;
        Py_CLEAR(self->type);
    }
    Py_XSETREF(self->headers, Py_NewRef(headers));
    return 0;
}

PyObject *
gh_response_headers(gh_response *self)
{
    if (self->headers == NULL) {
        PyObject *headers = gh_headers_new(self->types);
        int result = headers == NULL ? -1 : adopt_headers(self, headers);
        Py_XDECREF(headers);
        if (result < 0)
            return NULL;
    }
    return self->headers;
}

int
gh_response_set_headers(gh_response *self, PyObject *source)
{
    PyObject *headers =
        source == Py_None ? gh_headers_new(self->types) : gh_headers_from(self->types, source);
    if (headers == NULL)
        return -1;
    Py_CLEAR(self->type);
    int result = adopt_headers(self, headers);
    Py_DECREF(headers);
    return result;
}

gh_text
gh_response_default_type(gh_body_kind kind)
{
    switch (kind) {
    case GH_BODY_TEXT:
        return (gh_text){GH_HTML, sizeof(GH_HTML) - 1};
    case GH_BODY_JSON:
        return (gh_text){GH_JSON, sizeof(GH_JSON) - 1};
    case GH_BODY_FILE:
        return (gh_text){GH_BINARY, sizeof(GH_BINARY) - 1};
    case GH_BODY_NONE:
        break;
    }
    return (gh_text){NULL, 0};
}

static bool
is_iterable(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type->tp_iter != NULL || PySequence_Check(value) ||
           (type->tp_as_async != NULL && type->tp_as_async->am_aiter != NULL);
}

/* What is kept as the body, a new reference, and what kind it is. */
static PyObject *
checked_body(gh_response *self, PyObject *value, gh_body_kind *kind)
{
    *kind = GH_BODY_TEXT;
    if (PyUnicode_Check(value)) {
        /* A str that has no UTF-8 (lone surrogates) fails here and not while it is sent. */
        return PyUnicode_AsUTF8AndSize(value, NULL) == NULL ? NULL : Py_NewRef(value);
    }
    if (PyBytes_Check(value))
        return Py_NewRef(value);
    if (value == Py_None) {
        *kind = GH_BODY_NONE;
        return Py_NewRef(value);
    }
    if (PyDict_Check(value) || PyList_Check(value)) {
        *kind = GH_BODY_JSON;
        PyObject *module = gh_module_of_type(Py_TYPE(self));
        return module == NULL ? NULL : gh_json_dumps(module, value);
    }
    if (PyObject_TypeCheck(value, self->types->file_body)) {
        *kind = GH_BODY_FILE;
        return Py_NewRef(value);
    }
    if (PyObject_CheckBuffer(value))
        return PyBytes_FromObject(value);
    if (is_iterable(value))
        return Py_NewRef(value);
    return PyErr_Format(PyExc_TypeError,
                        "body must be None, str, bytes-like, a dict or a list (sent as JSON), an "
                        "iterable or async iterable of str or bytes, or a FileBody, not %.200s",
                        Py_TYPE(value)->tp_name);
}

static int
set_body(gh_response *self, PyObject *value)
{
    gh_body_kind kind;
    PyObject *body = checked_body(self, value, &kind);
    if (body == NULL)
        return -1;
    self->kind = kind;
    Py_XSETREF(self->body, body);
    return 0;
}

static int
set_all(gh_response *self, PyObject *const *values)
{
    self->status = 200;
    if (values[BODY] != NULL ? set_body(self, values[BODY]) < 0 : self->body == NULL) {
        if (PyErr_Occurred())
            return -1;
        self->body = Py_NewRef(Py_None);
        self->kind = GH_BODY_NONE;
    }
    if ((values[STATUS] != NULL && set_status(self, values[STATUS]) < 0) ||
        (values[HEADERS] != NULL && values[HEADERS] != Py_None &&
         gh_response_set_headers(self, values[HEADERS]) < 0) ||
        (values[CONTENT_TYPE] != NULL && values[CONTENT_TYPE] != Py_None &&
         gh_response_set_type(self, values[CONTENT_TYPE]) < 0) ||
        (values[REASON] != NULL && set_reason(self, values[REASON]) < 0))
        return -1;
    return 0;
}

/* ---- new, dealloc, traverse, clear --------------------------------------------------------- */

PyObject *
gh_response_alloc(PyTypeObject *type, gh_types *types)
{
    gh_response *self = types == NULL ? NULL : (gh_response *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->types = types;
    self->status = 200;
    self->body = Py_NewRef(Py_None);
    self->kind = GH_BODY_NONE;
    return (PyObject *)self;
}

static PyObject *
response_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return gh_response_alloc(type, gh_types_of_type(type));
}

static int
response_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    PyObject *values[PARAMS];
    return gh_bind_tuple(&signature, args, kwargs, values) < 0
               ? -1
               : set_all((gh_response *)op, values);
}

/* Response(...) itself, not of a derived class: no tuple and no dict for the arguments. */
static PyObject *
response_vectorcall(PyObject *type, PyObject *const *args, size_t n_args, PyObject *kwnames)
{
    PyObject *values[PARAMS];
    if (gh_bind(&signature, args, PyVectorcall_NARGS(n_args), kwnames, values) < 0)
        return NULL;
    PyObject *self = response_new((PyTypeObject *)type, NULL, NULL);
    if (self != NULL && set_all((gh_response *)self, values) < 0)
        Py_CLEAR(self);
    return self;
}

static int
response_traverse(PyObject *op, visitproc visit, void *arg)
{
    gh_response *self = (gh_response *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->body);
    Py_VISIT(self->headers);
    Py_VISIT(self->trailers);
    Py_VISIT(self->work);
    return 0;
}

/* The body stays an object, so that nobody has to ask whether there is one. */
static int
response_clear(PyObject *op)
{
    gh_response *self = (gh_response *)op;
    Py_XSETREF(self->body, Py_NewRef(Py_None));
    Py_CLEAR(self->headers);
    Py_CLEAR(self->trailers);
    Py_CLEAR(self->work);
    return 0;
}

void
gh_response_dealloc(PyObject *op)
{
    gh_response *self = (gh_response *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(self->body);
    Py_CLEAR(self->type);
    Py_CLEAR(self->headers);
    Py_CLEAR(self->reason);
    Py_CLEAR(self->spare);
    Py_CLEAR(self->trailers);
    Py_CLEAR(self->work);
    Py_CLEAR(self->compression);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

static PyObject *
response_repr(PyObject *op)
{
    gh_response *self = (gh_response *)op;
    return PyUnicode_FromFormat("<%s %d, body %.100s>", Py_TYPE(op)->tp_name, self->status,
                                Py_TYPE(self->body)->tp_name);
}

/* ---- getset -------------------------------------------------------------------------------- */

static int
refuse_delete(PyObject *value, const char *name)
{
    if (value != NULL)
        return 0;
    PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", name);
    return -1;
}

static PyObject *
response_get_status(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((gh_response *)op)->status);
}

static int
response_set_status(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return refuse_delete(value, "status") < 0 ? -1 : set_status((gh_response *)op, value);
}

static PyObject *
response_get_body(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_NewRef(((gh_response *)op)->body);
}

static int
response_set_body(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return refuse_delete(value, "body") < 0 ? -1 : set_body((gh_response *)op, value);
}

static PyObject *
response_get_headers(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_XNewRef(gh_response_headers((gh_response *)op));
}

static int
response_set_headers(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return refuse_delete(value, "headers") < 0 ? -1
                                               : gh_response_set_headers((gh_response *)op, value);
}

static PyObject *
response_get_content_type(PyObject *op, void *Py_UNUSED(closure))
{
    gh_response *self = (gh_response *)op;
    if (self->type != NULL)
        return Py_NewRef(self->type);
    if (self->headers != NULL) {
        PyObject *value = gh_fields_get(gh_headers_fields(self->headers), type_name);
        if (value != NULL || PyErr_Occurred())
            return value;
    }
    gh_text type = gh_response_default_type(self->kind);
    return type.base == NULL ? Py_NewRef(Py_None) : gh_latin1(type.base, type.len);
}

static int
response_set_content_type(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return gh_response_set_type((gh_response *)op, value);
}

static PyObject *
response_get_reason(PyObject *op, void *Py_UNUSED(closure))
{
    gh_response *self = (gh_response *)op;
    size_t n = 0;
    if (self->reason != NULL)
        return Py_NewRef(self->reason);
    const char *phrase = gh_status_phrase(self->status, &n);
    return gh_latin1(phrase == NULL ? "" : phrase, n);
}

static int
response_set_reason(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return set_reason((gh_response *)op, value);
}

#define ATTRIBUTE(name, doc) {#name, response_get_##name, response_set_##name, doc}

static PyGetSetDef response_getset[] = {
    ATTRIBUTE(status, "int, 100 to 599"),
    ATTRIBUTE(body,
              "None, str, bytes, an iterable or async iterable of them, or a FileBody; what\n"
              "was given as a dict or a list is bytes of JSON"),
    ATTRIBUTE(headers, "Headers; a mapping or pairs may be assigned"),
    ATTRIBUTE(content_type,
              "str: the Content-Type that will be sent, None for an empty body; None\n"
              "may be assigned, for the one that suits the body"),
    ATTRIBUTE(reason, "str: the reason phrase; None may be assigned, for the standard one"),
    {"trailers", gh_response_get_trailers, gh_response_set_trailers,
     "None, or fields that follow the body (RFC 9110, 6.5): a mapping of names to str or to\n"
     "functions that are called when the body is out and give a str; or one such function\n"
     "that gives a mapping. Sent only in chunks and to a client whose TE has \"trailers\".\n"
     "ValueError: no token, control characters, or a name that must not be a trailer's."},
    {"compression", gh_response_get_compression, gh_response_set_compression,
     "True: compress if the client likes and the body suits; False: never; None: as the\n"
     "server was told"},
    {NULL},
};

PyDoc_STRVAR(
    response_doc,
    "Response(body=None, status=200, headers=None, *, content_type=None, reason=None)\n--\n\n"
    "What goes back to the client.\n\n"
    "body: None, str (sent as UTF-8), bytes-like, a dict or a list (sent as JSON), an\n"
    "iterable or async iterable of str or bytes (sent piece by piece), or a FileBody.\n"
    "status: int, 100 to 599. headers: a mapping or (name, value) pairs. content_type: str;\n"
    "without it text/html; charset=utf-8, application/json for JSON,\n"
    "application/octet-stream for a FileBody. reason: str.\n"
    "ValueError: a name is no token, or a text has control characters; TypeError: a body\n"
    "of another kind.");

static PyType_Slot response_slots[] = {
    {Py_tp_doc, (void *)response_doc},    {Py_tp_new, response_new},
    {Py_tp_init, response_init},          {Py_tp_dealloc, gh_response_dealloc},
    {Py_tp_traverse, response_traverse},  {Py_tp_clear, response_clear},
    {Py_tp_methods, gh_response_methods}, {Py_tp_getset, response_getset},
    {Py_tp_repr, response_repr},          {0, NULL},
};

static PyType_Spec response_spec = {
    .name = "guava_http.Response",
    .basicsize = sizeof(gh_response),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = response_slots,
};

int
gh_response_register(PyObject *module, gh_types *types)
{
    types->response = gh_add_type(module, &response_spec, NULL);
    if (types->response == NULL)
        return -1;
    types->response->tp_vectorcall = response_vectorcall;
    return 0;
}
