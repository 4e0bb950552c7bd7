/* response.c: Response, what goes back. Everything is checked when it is set, so sending cannot
 * fail; a Headers object comes into being only when somebody wants a field beyond Content-Type,
 * and the plain answer of most handlers costs one allocation. */
#include "module.h"
#include "types/parts.h"

#include <string.h>

#include "core/field.h"
#include "core/query.h"
#include "core/status.h"

#define HTML "text/html; charset=utf-8"
#define PLAIN "text/plain; charset=utf-8"
#define JSON "application/json"
#define BINARY "application/octet-stream"

typedef enum { EMPTY, TEXT, JSON_TEXT, FILE_RANGE } body_kind;

typedef struct {
    PyObject_HEAD gh_types *types;
    PyObject *body;    /* None, bytes, str, an iterable, an async iterable or a FileBody */
    PyObject *type;    /* str: the Content-Type that was set, while there are no headers */
    PyObject *headers; /* Headers, or NULL */
    PyObject *reason;  /* str, or NULL for the standard phrase */
    PyObject *spare;   /* bytes: fields without those that only say how the body is framed */
    int status;
    body_kind kind;
} response;

enum { BODY, STATUS, HEADERS, CONTENT_TYPE, REASON, PARAMS };

static const char *const param_names[PARAMS] = {"body", "status", "headers", "content_type",
                                                "reason"};
static const gh_signature signature = {"Response", param_names, PARAMS, 3, 0};

static const gh_text type_name = {"Content-Type", 12};

/* ---- setting, with all checks
 * ---------------------------------------------------------------------------- */

static int
set_status(response *self, PyObject *value)
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
set_reason(response *self, PyObject *value)
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

static int
set_type(response *self, PyObject *value)
{
    gh_text text;
    if (value == NULL || value == Py_None) {
        if (self->headers != NULL)
            (void)gh_headers_remove(self->headers, type_name);
        Py_CLEAR(self->type);
        return 0;
    }
    if (gh_field_value(value, &text) < 0)
        return -1;
    if (self->headers != NULL) {
        (void)gh_headers_remove(self->headers, type_name);
        return gh_headers_add(self->headers, type_name, text);
    }
    Py_XSETREF(self->type, Py_NewRef(value));
    return 0;
}

/* A type that was set before there were headers goes into them. */
static int
adopt_headers(response *self, PyObject *headers)
{
    gh_text text;
    if (self->type != NULL) {
        if (gh_field_value(self->type, &text) < 0)
            return -1;
        (void)gh_headers_remove(headers, type_name);
        if (gh_headers_add(headers, type_name, text) < 0)
            return -1;
        Py_CLEAR(self->type);
    }
    Py_XSETREF(self->headers, Py_NewRef(headers));
    return 0;
}

static PyObject *
headers_of(response *self)
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

static int
set_headers(response *self, PyObject *source)
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

static bool
is_iterable(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type->tp_iter != NULL || PySequence_Check(value) ||
           (type->tp_as_async != NULL && type->tp_as_async->am_aiter != NULL);
}

/* What is kept as the body, a new reference, and what kind it is. */
static PyObject *
checked_body(response *self, PyObject *value, body_kind *kind)
{
    *kind = TEXT;
    if (PyUnicode_Check(value)) {
        /* A str that has no UTF-8 (lone surrogates) fails here and not while it is sent. */
        return PyUnicode_AsUTF8AndSize(value, NULL) == NULL ? NULL : Py_NewRef(value);
    }
    if (PyBytes_Check(value))
        return Py_NewRef(value);
    if (value == Py_None) {
        *kind = EMPTY;
        return Py_NewRef(value);
    }
    if (PyDict_Check(value) || PyList_Check(value)) {
        *kind = JSON_TEXT;
        PyObject *module = gh_module_of_type(Py_TYPE(self));
        return module == NULL ? NULL : gh_json_dumps(module, value);
    }
    if (PyObject_TypeCheck(value, self->types->file_body)) {
        *kind = FILE_RANGE;
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
set_body(response *self, PyObject *value)
{
    body_kind kind;
    PyObject *body = checked_body(self, value, &kind);
    if (body == NULL)
        return -1;
    self->kind = kind;
    Py_XSETREF(self->body, body);
    return 0;
}

static int
set_all(response *self, PyObject *const *values)
{
    self->status = 200;
    if (values[BODY] != NULL ? set_body(self, values[BODY]) < 0 : self->body == NULL) {
        if (PyErr_Occurred())
            return -1;
        self->body = Py_NewRef(Py_None);
        self->kind = EMPTY;
    }
    if ((values[STATUS] != NULL && set_status(self, values[STATUS]) < 0) ||
        (values[HEADERS] != NULL && values[HEADERS] != Py_None &&
         set_headers(self, values[HEADERS]) < 0) ||
        (values[CONTENT_TYPE] != NULL && values[CONTENT_TYPE] != Py_None &&
         set_type(self, values[CONTENT_TYPE]) < 0) ||
        (values[REASON] != NULL && set_reason(self, values[REASON]) < 0))
        return -1;
    return 0;
}

/* ---- for the server
 * ----------------------------------------------------------------------------------------- */

int
gh_response_check(PyObject *module, PyObject *object)
{
    return PyObject_TypeCheck(object, gh_types_of(module)->response);
}

static gh_text
default_type(body_kind kind)
{
    switch (kind) {
    case TEXT:
        return (gh_text){HTML, sizeof(HTML) - 1};
    case JSON_TEXT:
        return (gh_text){JSON, sizeof(JSON) - 1};
    case FILE_RANGE:
        return (gh_text){BINARY, sizeof(BINARY) - 1};
    case EMPTY:
        break;
    }
    return (gh_text){NULL, 0};
}

static bool
is_named(const gh_field *field, const char *name, size_t n)
{
    return gh_same_name(field->name.base, field->name.len, name, n);
}

static int64_t
parse_length(gh_slice value)
{
    int64_t length = 0;
    for (uint32_t i = 0; i < value.len; i++) {
        if (value.base[i] < '0' || value.base[i] > '9' || length > INT64_MAX / 10 - 1)
            return -1;
        length = length * 10 + (value.base[i] - '0');
    }
    return value.len == 0 ? -1 : length;
}

/* True for a field that is the server's to write. Connection with other options (Upgrade, say)
 * is not. */
static bool
is_framing(const gh_field *field, gh_reply *reply)
{
    if (is_named(field, "content-length", 14)) {
        reply->length = parse_length(field->value);
        return true;
    }
    if (is_named(field, "transfer-encoding", 17))
        return true;
    if (!is_named(field, "connection", 10))
        return false;
    if (gh_same_name(field->value.base, field->value.len, "close", 5))
        reply->keep_alive = false;
    else if (!gh_same_name(field->value.base, field->value.len, "keep-alive", 10))
        return false;
    return true;
}

/* One pass over the fields; only a response with a field of framing copies the others. */
static int
reply_fields(response *self, gh_reply *reply)
{
    const gh_fields *fields = gh_headers_fields(self->headers);
    gh_text text = gh_headers_text(self->headers);
    PyObject *spare = NULL;
    char *out = NULL;
    for (uint32_t i = 0; i < fields->n; i++) {
        const gh_field *field = &fields->at[i];
        size_t size = (size_t)field->name.len + field->value.len + 4;
        if (is_framing(field, reply)) {
            if (spare != NULL)
                continue;
            spare = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)text.len);
            if (spare == NULL)
                return -1;
            size_t before = (size_t)(field->name.base - text.base);
            memcpy(PyBytes_AS_STRING(spare), text.base, before);
            out = PyBytes_AS_STRING(spare) + before;
            continue;
        }
        reply->has_date = reply->has_date || is_named(field, "date", 4);
        if (is_named(field, type_name.base, type_name.len))
            reply->type = NULL;
        if (spare != NULL) {
            memcpy(out, field->name.base, size);
            out += size;
        }
    }
    reply->fields = spare == NULL ? text.base : PyBytes_AS_STRING(spare);
    reply->fields_len = spare == NULL ? text.len : (size_t)(out - reply->fields);
    Py_XSETREF(self->spare, spare);
    return 0;
}

int
gh_response_reply(PyObject *op, gh_reply *reply, PyObject **body)
{
    response *self = (response *)op;
    gh_text type = default_type(self->kind);
    if (self->type != NULL && gh_field_value(self->type, &type) < 0)
        return -1;
    reply->status = self->status;
    reply->reason = NULL;
    reply->reason_len = 0;
    if (self->reason != NULL) {
        reply->reason = PyUnicode_DATA(self->reason);
        reply->reason_len = (size_t)PyUnicode_GET_LENGTH(self->reason);
    }
    reply->type = type.base;
    reply->type_len = type.len;
    reply->fields = NULL;
    reply->fields_len = 0;
    reply->has_date = false;
    reply->length = -1;
    *body = self->body;
    return self->headers == NULL ? 0 : reply_fields(self, reply);
}

/* ---- new, dealloc, traverse, clear
 * ------------------------------------------------------------------------------ */

static PyObject *
response_alloc(PyTypeObject *type, gh_types *types)
{
    response *self = types == NULL ? NULL : (response *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->types = types;
    self->status = 200;
    self->body = Py_NewRef(Py_None);
    self->kind = EMPTY;
    return (PyObject *)self;
}

static PyObject *
response_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return response_alloc(type, gh_types_of_type(type));
}

static int
response_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    PyObject *values[PARAMS];
    return gh_bind_tuple(&signature, args, kwargs, values) < 0 ? -1
                                                               : set_all((response *)op, values);
}

/* Response(...) itself, not of a derived class: no tuple and no dict for the arguments. */
static PyObject *
response_vectorcall(PyObject *type, PyObject *const *args, size_t n_args, PyObject *kwnames)
{
    PyObject *values[PARAMS];
    if (gh_bind(&signature, args, PyVectorcall_NARGS(n_args), kwnames, values) < 0)
        return NULL;
    PyObject *self = response_new((PyTypeObject *)type, NULL, NULL);
    if (self != NULL && set_all((response *)self, values) < 0)
        Py_CLEAR(self);
    return self;
}

static int
response_traverse(PyObject *op, visitproc visit, void *arg)
{
    response *self = (response *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->body);
    Py_VISIT(self->headers);
    return 0;
}

/* The body stays an object, so that nobody has to ask whether there is one. */
static int
response_clear(PyObject *op)
{
    response *self = (response *)op;
    Py_XSETREF(self->body, Py_NewRef(Py_None));
    Py_CLEAR(self->headers);
    return 0;
}

static void
response_dealloc(PyObject *op)
{
    response *self = (response *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(self->body);
    Py_CLEAR(self->type);
    Py_CLEAR(self->headers);
    Py_CLEAR(self->reason);
    Py_CLEAR(self->spare);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods
 * ------------------------------------------------------------------------------------------------------
 */

static int
add_cookie(response *self, PyObject *const *values)
{
    int result = -1;
    PyObject *cookie = gh_cookie_make(self->types, values);
    PyObject *bytes = cookie == NULL ? NULL : gh_cookie_bytes(cookie);
    PyObject *headers = bytes == NULL ? NULL : headers_of(self);
    if (headers != NULL)
        result = gh_headers_add_cookie(
            headers, (gh_text){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
    Py_XDECREF(bytes);
    Py_XDECREF(cookie);
    return result;
}

static PyObject *
response_set_cookie(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    gh_signature sig = gh_cookie_signature;
    PyObject *values[GH_COOKIE_PARAMS];
    sig.function = "set_cookie";
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0 || add_cookie((response *)op, values) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
response_add_cookie(PyObject *op, PyObject *cookie)
{
    response *self = (response *)op;
    if (!PyObject_TypeCheck(cookie, self->types->cookie))
        return PyErr_Format(PyExc_TypeError, "add_cookie() takes a Cookie, not %.200s",
                            Py_TYPE(cookie)->tp_name);
    PyObject *headers = headers_of(self);
    PyObject *bytes = headers == NULL ? NULL : gh_cookie_bytes(cookie);
    if (bytes == NULL)
        return NULL;
    int result = gh_headers_add_cookie(
        headers, (gh_text){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
    Py_DECREF(bytes);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
response_delete_cookie(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    /* As Cookie's, but for value, max_age and expires, which are ours here. */
    static const char *const names[] = {"name",     "path",     "domain",     "secure",
                                        "httponly", "samesite", "partitioned"};
    static const int place[] = {0, 4, 5, 6, 7, 8, 9};
    static const gh_signature sig = {"delete_cookie", names, 7, 1, 1};
    PyObject *given[7];
    PyObject *values[GH_COOKIE_PARAMS] = {NULL};
    if (gh_bind(&sig, args, n_args, kwnames, given) < 0)
        return NULL;
    for (size_t i = 0; i < 7; i++)
        values[place[i]] = given[i];
    PyObject *zero = PyLong_FromLong(0);
    if (zero == NULL)
        return NULL;
    values[2] = zero; /* max_age: gone at once */
    values[3] = zero; /* expires: 1970, for what does not know Max-Age */
    int result = add_cookie((response *)op, values);
    Py_DECREF(zero);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

/* Calls cls(body, status, headers) and then gives the result a type, unless headers had one. */
static PyObject *
made_by(PyObject *cls, PyObject *body, PyObject *status, PyObject *headers, const char *type)
{
    PyObject *code = status == NULL ? PyLong_FromLong(200) : Py_NewRef(status);
    PyObject *self = code == NULL
                         ? NULL
                         : PyObject_CallFunctionObjArgs(cls, body, code,
                                                        headers == NULL ? Py_None : headers, NULL);
    Py_XDECREF(code);
    if (self == NULL || type == NULL)
        return self;
    gh_types *types = gh_types_of_type((PyTypeObject *)cls);
    if (types == NULL || !PyObject_TypeCheck(self, types->response)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a class of responses must make responses");
        Py_DECREF(self);
        return NULL;
    }
    response *made = (response *)self;
    if (made->headers == NULL ||
        gh_fields_find(gh_headers_fields(made->headers), type_name.base, type_name.len) == NULL) {
        PyObject *str = PyUnicode_FromString(type);
        if (str == NULL || set_type(made, str) < 0)
            Py_CLEAR(self);
        Py_XDECREF(str);
    }
    return self;
}

static int
bind_maker(const char *function, const char *first, PyObject *const *args, Py_ssize_t n_args,
           PyObject *kwnames, PyObject **values)
{
    const char *const names[] = {first, "status", "headers"};
    const gh_signature sig = {function, names, 3, 3, 1};
    return gh_bind(&sig, args, n_args, kwnames, values);
}

static PyObject *
response_json(PyObject *cls, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    PyObject *values[3];
    if (bind_maker("json", "obj", args, n_args, kwnames, values) < 0)
        return NULL;
    PyObject *module = gh_module_of_type((PyTypeObject *)cls);
    PyObject *text = module == NULL ? NULL : gh_json_dumps(module, values[0]);
    PyObject *self = text == NULL ? NULL : made_by(cls, text, values[1], values[2], JSON);
    Py_XDECREF(text);
    return self;
}

static PyObject *
response_text(PyObject *cls, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    PyObject *values[3];
    if (bind_maker("text", "text", args, n_args, kwnames, values) < 0)
        return NULL;
    return made_by(cls, values[0], values[1], values[2], PLAIN);
}

static PyObject *
response_html(PyObject *cls, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    PyObject *values[3];
    if (bind_maker("html", "html", args, n_args, kwnames, values) < 0)
        return NULL;
    return made_by(cls, values[0], values[1], values[2], HTML);
}

/* A Location is an ASCII URI reference (RFC 9110, 10.2.2). What is beyond ASCII is encoded as
 * browsers do; so is the backslash, which they take for a slash: "/\host" would lead away. */
static PyObject *
location_str(PyObject *location)
{
    static const char kept[] = "!#$%&'()*+,/:;=?@[]";
    Py_ssize_t n;
    if (!PyUnicode_Check(location))
        return PyErr_Format(PyExc_TypeError, "location must be a str, not %.200s",
                            Py_TYPE(location)->tp_name);
    const char *base = PyUnicode_AsUTF8AndSize(location, &n);
    if (base == NULL)
        return NULL;
    if (!gh_is_field_value(base, (size_t)n))
        return PyErr_Format(PyExc_ValueError, "location has no control characters, found %R",
                            location);
    char *text = PyMem_Malloc((size_t)n * 3 + 1);
    if (text == NULL)
        return PyErr_NoMemory();
    PyObject *str = gh_latin1(text, gh_quote(base, (size_t)n, kept, text));
    PyMem_Free(text);
    return str;
}

static PyObject *
response_redirect(PyObject *cls, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    PyObject *values[3];
    PyObject *self = NULL;
    if (bind_maker("redirect", "location", args, n_args, kwnames, values) < 0)
        return NULL;
    PyObject *status = values[1] == NULL ? PyLong_FromLong(302) : Py_NewRef(values[1]);
    PyObject *location = status == NULL ? NULL : location_str(values[0]);
    if (location != NULL)
        self = made_by(cls, Py_None, status, values[2], NULL);
    if (self != NULL) {
        PyObject *headers = PyObject_GetAttrString(self, "headers");
        PyObject *name = PyUnicode_FromString("Location");
        PyObject *code = PyObject_GetAttrString(self, "status");
        long number = code == NULL ? -1 : PyLong_AsLong(code);
        if (headers == NULL || name == NULL || PyObject_SetItem(headers, name, location) < 0)
            Py_CLEAR(self);
        else if (number < 300 || number > 308 || number == 304) {
            PyErr_Format(PyExc_ValueError, "a redirect's status is 300 to 308, found %R", status);
            Py_CLEAR(self);
        }
        Py_XDECREF(headers);
        Py_XDECREF(name);
        Py_XDECREF(code);
    }
    Py_XDECREF(location);
    Py_XDECREF(status);
    return self;
}

static PyObject *
response_repr(PyObject *op)
{
    response *self = (response *)op;
    return PyUnicode_FromFormat("<%s %d, body %.100s>", Py_TYPE(op)->tp_name, self->status,
                                Py_TYPE(self->body)->tp_name);
}

#define FAST METH_FASTCALL | METH_KEYWORDS
#define METHOD(name, flags, doc) {#name, (PyCFunction)(void (*)(void))response_##name, flags, doc}

static PyMethodDef response_methods[] = {
    METHOD(set_cookie, FAST,
           "set_cookie(name, value='', *, max_age=None, expires=None, path='/', domain=None,\n"
           "           secure=False, httponly=False, samesite='Lax', partitioned=False)\n--\n\n"
           "Sends a cookie, instead of one of the same name, path and domain. The arguments are\n"
           "those of Cookie, and so are the errors."),
    METHOD(add_cookie, METH_O, "add_cookie(cookie, /)\n--\n\nSends a Cookie."),
    METHOD(delete_cookie, FAST,
           "delete_cookie(name, *, path='/', domain=None, secure=False, httponly=False,\n"
           "              samesite='Lax', partitioned=False)\n--\n\n"
           "Makes the browser forget a cookie; path and domain must be as they were set."),
    METHOD(json, FAST | METH_CLASS,
           "json(obj, status=200, headers=None)\n--\n\nA response with obj as JSON.\n\n"
           "TypeError: obj has something that JSON has not."),
    METHOD(text, FAST | METH_CLASS,
           "text(text, status=200, headers=None)\n--\n\nA response as text/plain."),
    METHOD(html, FAST | METH_CLASS,
           "html(html, status=200, headers=None)\n--\n\nA response as text/html."),
    METHOD(redirect, FAST | METH_CLASS,
           "redirect(location, status=302, headers=None)\n--\n\n"
           "Sends the client to another place (RFC 9110, 15.4).\n\n"
           "location: str, absolute or relative; spaces, backslashes and what is not ASCII are\n"
           "percent-encoded. ValueError: control characters in it, or a status that is no\n"
           "redirect's."),
    {NULL},
};

/* ---- getset
 * ---------------------------------------------------------------------------------------------------------
 */

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
    return PyLong_FromLong(((response *)op)->status);
}

static int
response_set_status(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return refuse_delete(value, "status") < 0 ? -1 : set_status((response *)op, value);
}

static PyObject *
response_get_body(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_NewRef(((response *)op)->body);
}

static int
response_set_body(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return refuse_delete(value, "body") < 0 ? -1 : set_body((response *)op, value);
}

static PyObject *
response_get_headers(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_XNewRef(headers_of((response *)op));
}

static int
response_set_headers(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return refuse_delete(value, "headers") < 0 ? -1 : set_headers((response *)op, value);
}

static PyObject *
response_get_content_type(PyObject *op, void *Py_UNUSED(closure))
{
    response *self = (response *)op;
    if (self->type != NULL)
        return Py_NewRef(self->type);
    if (self->headers != NULL) {
        PyObject *value = gh_fields_get(gh_headers_fields(self->headers), type_name);
        if (value != NULL || PyErr_Occurred())
            return value;
    }
    gh_text type = default_type(self->kind);
    return type.base == NULL ? Py_NewRef(Py_None) : gh_latin1(type.base, type.len);
}

static int
response_set_content_type(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return set_type((response *)op, value);
}

static PyObject *
response_get_reason(PyObject *op, void *Py_UNUSED(closure))
{
    response *self = (response *)op;
    size_t n = 0;
    if (self->reason != NULL)
        return Py_NewRef(self->reason);
    const char *phrase = gh_status_phrase(self->status, &n);
    return gh_latin1(phrase == NULL ? "" : phrase, n);
}

static int
response_set_reason(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    return set_reason((response *)op, value);
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
    {Py_tp_doc, (void *)response_doc},   {Py_tp_new, response_new},
    {Py_tp_init, response_init},         {Py_tp_dealloc, response_dealloc},
    {Py_tp_traverse, response_traverse}, {Py_tp_clear, response_clear},
    {Py_tp_methods, response_methods},   {Py_tp_getset, response_getset},
    {Py_tp_repr, response_repr},         {0, NULL},
};

static PyType_Spec response_spec = {
    .name = "guava_http.Response",
    .basicsize = sizeof(response),
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
