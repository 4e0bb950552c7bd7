/* response_reply.c: a Response as the server sends it. What can be checked was when it was
 * set; how long the body is said to be only its fields together tell. */
#include "types/response.h"

#include <string.h>
#include <time.h>

#include "core/date.h"
#include "core/field.h"

static const gh_text type_name = {"Content-Type", 12};

int
gh_response_check(PyObject *module, PyObject *object)
{
    return PyObject_TypeCheck(object, gh_types_of(module)->response);
}

PyObject *
gh_response_make(PyObject *module, PyObject *arguments)
{
    return PyObject_Call((PyObject *)gh_types_of(module)->response, arguments, NULL);
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

/* One length, however often it is written: two, or none, and nobody knows which was meant. */
static int
take_length(const gh_field *field, gh_reply *reply)
{
    int64_t length = parse_length(field->value);
    if (length >= 0 && (reply->length < 0 || reply->length == length)) {
        reply->length = length;
        return 1;
    }
    PyObject *found = gh_latin1(field->value.base, field->value.len);
    if (found != NULL)
        PyErr_Format(PyExc_ValueError, "a response has one Content-Length, a number, found %R%s",
                     found, length < 0 ? "" : " beside another");
    Py_XDECREF(found);
    return -1;
}

/* 1 for a field that is the server's to write, -1 with ValueError. Connection with other options
 * (Upgrade, say) is not. */
static int
is_framing(const gh_field *field, gh_reply *reply)
{
    if (is_named(field, "content-length", 14))
        return take_length(field, reply);
    if (is_named(field, "transfer-encoding", 17))
        return 1;
    if (!is_named(field, "connection", 10))
        return 0;
    if (gh_same_name(field->value.base, field->value.len, "close", 5))
        reply->keep_alive = false;
    else if (!gh_same_name(field->value.base, field->value.len, "keep-alive", 10))
        return 0;
    return 1;
}

/* One pass over the fields; only a response with a field of framing copies the others. */
static int
reply_fields(gh_response *self, gh_reply *reply)
{
    const gh_fields *fields = gh_headers_fields(self->headers);
    const gh_field_text *text = gh_headers_lines(self->headers);
    PyObject *spare = NULL;
    char *out = NULL;
    for (uint32_t i = 0; i < fields->n; i++) {
        const gh_field *field = &fields->at[i];
        size_t size = (size_t)field->name.len + field->value.len + 4;
        int framing = is_framing(field, reply);
        if (framing < 0) {
            Py_XDECREF(spare);
            return -1;
        }
        if (framing > 0) {
            if (spare != NULL)
                continue;
            spare = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)text->len);
            if (spare == NULL)
                return -1;
            size_t before = (size_t)(field->name.base - text->text);
            memcpy(PyBytes_AS_STRING(spare), text->text, before);
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
    reply->fields = spare == NULL ? text->text : PyBytes_AS_STRING(spare);
    reply->fields_len = spare == NULL ? text->len : (size_t)(out - reply->fields);
    Py_XSETREF(self->spare, spare);
    return 0;
}

int
gh_response_reply(PyObject *op, gh_reply *reply, PyObject **body)
{
    gh_response *self = (gh_response *)op;
    gh_text type = gh_response_default_type(self->kind);
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

/* ---- as a whole ---------------------------------------------------------------------------- */

static int
complete_body(PyObject *body, gh_text *text)
{
    Py_ssize_t n = 0;
    if (body == Py_None) {
        *text = (gh_text){"", 0};
        return 0;
    }
    if (PyBytes_Check(body)) {
        *text = (gh_text){PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body)};
        return 0;
    }
    if (!PyUnicode_Check(body)) {
        PyErr_Format(PyExc_TypeError,
                     "render() is for a body that is complete: None, str or bytes, not %.200s",
                     Py_TYPE(body)->tp_name);
        return -1;
    }
    text->base = PyUnicode_AsUTF8AndSize(body, &n);
    text->len = (size_t)n;
    return text->base == NULL ? -1 : 0;
}

PyObject *
gh_response_render(PyObject *op, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"date"};
    static const gh_signature sig = {"render", names, 1, 0, 0};
    PyObject *when;
    PyObject *body;
    gh_text text;
    gh_reply reply = {.keep_alive = true};
    int64_t seconds = (int64_t)time(NULL);
    char date[GH_DATE_SIZE];
    if (gh_bind(&sig, args, n_args, kwnames, &when) < 0 ||
        (when != NULL && when != Py_None && gh_seconds(when, &seconds) < 0) ||
        gh_response_reply(op, &reply, &body) < 0 || complete_body(body, &text) < 0)
        return NULL;
    if (!gh_date_render(seconds, date)) {
        PyErr_SetString(PyExc_ValueError, "a time is within the years 1 to 9999");
        return NULL;
    }
    if (reply.length >= 0 && body != Py_None && reply.length != (int64_t)text.len)
        return PyErr_Format(PyExc_ValueError, "Content-Length is %lld, the body has %zu bytes",
                            (long long)reply.length, text.len);
    if (reply.length < 0 || body != Py_None)
        reply.length = (int64_t)text.len;
    char *out = PyMem_Malloc(gh_reply_size(&reply) + text.len);
    if (out == NULL)
        return PyErr_NoMemory();
    size_t n = gh_reply_render(&reply, date, out);
    memcpy(out + n, text.base, text.len);
    PyObject *bytes = PyBytes_FromStringAndSize(out, (Py_ssize_t)(n + text.len));
    PyMem_Free(out);
    return bytes;
}
