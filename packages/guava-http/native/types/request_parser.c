/* request_parser.c: RequestParser, core/ for people who bring their own connections: bytes in,
 * events out. It keeps only what it cannot use yet, the beginning of a head or what is behind a
 * message; data goes from the input into the event in one copy, or in none. */
#include "types/parts.h"

#include <string.h>

#include "core/buffer.h"
#include "core/chunks.h"
#include "core/parser.h"
#include "core/scan.h"
#include "module.h"

enum { HEAD, BODY, COMPLETE, CLOSED, REFUSED, TAKEN_OVER };

static const char *const states[] = {"head",   "body",    "complete",
                                     "closed", "refused", "taken over"};

typedef struct {
    PyObject_HEAD gh_types *types;
    gh_limits limits;
    gh_field *fields; /* room for those of one head */
    gh_buffer in;     /* what waits */
    gh_scan scan;
    gh_chunks chunks;
    uint64_t left; /* of a body of known length */
    uint64_t size; /* of the body so far */
    PyObject *request;
    gh_verdict verdict; /* why it was refused */
    uint8_t state;
    bool chunked : 1;
    bool keep_alive : 1;
    bool waiting : 1; /* the client wants to hear 100 Continue */
    bool eof : 1;
    bool busy : 1;
} request_parser;

/* What is being read: bytes of an object, or of the buffer (then `whole` is NULL). */
typedef struct {
    const char *at;
    size_t n;
    PyObject *whole; /* the bytes object that all of it is */
} input;

/* ---- events -------------------------------------------------------------------------------- */

/* An instance of a class made with typing.NamedTuple; steals the items, of which any may be NULL
 * (with an exception set). Adds it to the list. */
static int
add_event(PyObject *events, PyObject *type, PyObject *first, PyObject *second)
{
    Py_ssize_t n = second == NULL ? 1 : 2;
    PyObject *event = NULL;
    if (first != NULL && !PyErr_Occurred())
        event = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, n);
    if (event == NULL) {
        Py_XDECREF(first);
        Py_XDECREF(second);
        return -1;
    }
    PyTuple_SET_ITEM(event, 0, first);
    if (n == 2)
        PyTuple_SET_ITEM(event, 1, second);
    int result = PyList_Append(events, event);
    Py_DECREF(event);
    return result;
}

static int
end_message(request_parser *self, PyObject *events)
{
    self->state = COMPLETE;
    self->waiting = false;
    return add_event(events, self->types->end_of_message, PyLong_FromUnsignedLongLong(self->size),
                     PyLong_FromUnsignedLong(self->chunks.trailers));
}

static int
raise_refusal(const request_parser *self)
{
    gh_raise(self->types, gh_verdict_status(self->verdict), gh_verdict_text(self->verdict));
    return -1;
}

/* Nothing more is read. What was waiting is no use to anybody. */
static int
refuse(request_parser *self, gh_verdict verdict)
{
    self->state = REFUSED;
    self->verdict = verdict;
    gh_buffer_clear(&self->in);
    return raise_refusal(self);
}

/* ---- reading ------------------------------------------------------------------------------- */

static int
begin_message(request_parser *self, const gh_head *head, PyObject *events)
{
    PyObject *module = gh_module_of_type(Py_TYPE(self));
    PyObject *request = module == NULL ? NULL : gh_request_from_head(module, head);
    if (request == NULL || gh_request_detach(request) < 0) {
        Py_XDECREF(request);
        return -1;
    }
    Py_XSETREF(self->request, request);
    self->keep_alive = head->keep_alive;
    self->chunked = head->chunked;
    self->left = head->content_length;
    self->size = 0;
    self->chunks = (gh_chunks){0};
    self->waiting = head->expect_continue && (head->chunked || head->content_length > 0);
    self->state = BODY;
    if (PyList_Append(events, request) < 0)
        return -1;
    return head->chunked || head->content_length > 0 ? 0 : end_message(self, events);
}

static int
read_head(request_parser *self, input *in, PyObject *events)
{
    gh_head head;
    size_t size;
    gh_verdict verdict = gh_scan_head(&self->scan, in->at, in->n, &self->limits, &size);
    if (verdict == GH_MORE)
        return 0;
    if (verdict == GH_OK)
        verdict = gh_parse_head(&self->scan, in->at, size, &self->limits, self->fields, &head);
    self->scan = (gh_scan){0};
    if (verdict != GH_OK)
        return refuse(self, verdict);
    if (begin_message(self, &head, events) < 0)
        return -1;
    in->at += size;
    in->n -= size;
    in->whole = NULL;
    return 0;
}

static int
read_sized(request_parser *self, input *in, PyObject *events)
{
    size_t take = self->left < in->n ? (size_t)self->left : in->n;
    PyObject *data = in->whole != NULL && take == in->n
                         ? Py_NewRef(in->whole)
                         : PyBytes_FromStringAndSize(in->at, (Py_ssize_t)take);
    self->left -= take;
    self->size += take;
    in->at += take;
    in->n -= take;
    if (add_event(events, self->types->data_event, data, NULL) < 0)
        return -1;
    return self->left == 0 ? end_message(self, events) : 0;
}

static int
read_chunks(request_parser *self, input *in, PyObject *events)
{
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)in->n);
    if (data == NULL)
        return -1;
    size_t got = 0;
    gh_verdict verdict = GH_MORE;
    while (in->n > 0 && verdict == GH_MORE) {
        gh_slice piece;
        verdict = gh_chunks_next(&self->chunks, &in->at, &in->n, &self->limits, &piece);
        memcpy(PyBytes_AS_STRING(data) + got, piece.base, piece.len);
        got += piece.len;
    }
    self->size += got;
    if (verdict != GH_OK && verdict != GH_MORE) {
        Py_DECREF(data);
        return refuse(self, verdict);
    }
    if (_PyBytes_Resize(&data, (Py_ssize_t)got) < 0)
        return -1;
    if (got == 0)
        Py_DECREF(data);
    else if (add_event(events, self->types->data_event, data, NULL) < 0)
        return -1;
    return verdict == GH_OK ? end_message(self, events) : 0;
}

/* Reads on until it has no use for what is there. */
static int
read_on(request_parser *self, input *in, PyObject *events)
{
    int result = 0;
    while (result == 0 && in->n > 0 && self->state <= BODY) {
        size_t before = in->n;
        if (self->state == HEAD) {
            result = read_head(self, in, events);
        } else {
            self->waiting = false;
            result = self->chunked ? read_chunks(self, in, events) : read_sized(self, in, events);
        }
        if (in->n == before)
            break;
    }
    return result;
}

/* The client sends no more: is what it sent a whole number of requests? One empty line in front of
 * a request that does not come is none. */
static int
end_input(request_parser *self)
{
    if (self->state == BODY)
        return refuse(self, GH_MORE);
    if (self->state != HEAD)
        return 0;
    size_t rest = gh_buffer_len(&self->in);
    if (rest > 0 && (self->scan.start == 0 || rest > self->scan.start))
        return refuse(self, GH_MORE);
    gh_buffer_clear(&self->in);
    self->state = CLOSED;
    return 0;
}

/* Without memory, or whatever else: where it stopped is unknown, so it never goes on. */
static void
give_up(request_parser *self)
{
    if (self->state == REFUSED)
        return;
    self->state = REFUSED;
    self->verdict = GH_MORE;
    gh_buffer_clear(&self->in);
}

static PyObject *
read_input(request_parser *self, input *in)
{
    bool buffered = in == NULL || gh_buffer_len(&self->in) > 0;
    PyObject *events = PyList_New(0);
    if (events == NULL)
        return NULL;
    /* What is made here may run a finalizer, and that anything. */
    self->busy = true;
    int result = 0;
    if (in != NULL && (buffered || self->state == COMPLETE) &&
        !gh_buffer_add(&self->in, in->at, in->n)) {
        PyErr_NoMemory();
        result = -1;
    } else if (self->state != COMPLETE) {
        input waiting = {self->in.bytes + self->in.start, gh_buffer_len(&self->in), NULL};
        input *from = buffered ? &waiting : in;
        result = read_on(self, from, events);
        if (result == 0 && !buffered && !gh_buffer_add(&self->in, from->at, from->n)) {
            PyErr_NoMemory();
            result = -1;
        } else if (result == 0 && buffered) {
            gh_buffer_take(&self->in, gh_buffer_len(&self->in) - from->n);
        }
        if (result == 0 && self->eof)
            result = end_input(self);
    }
    if (result < 0) {
        give_up(self);
        Py_CLEAR(events);
    }
    self->busy = false;
    return events;
}

/* ---- new, dealloc, traverse, clear --------------------------------------------------------- */

static int
import_events(gh_types *types)
{
    if (types->end_of_message != NULL)
        return 0;
    PyObject *module = PyImport_ImportModule("guava_http.parser");
    if (module == NULL)
        return -1;
    PyObject *data = PyObject_GetAttrString(module, "Data");
    PyObject *end = data == NULL ? NULL : PyObject_GetAttrString(module, "EndOfMessage");
    PyObject *usual = end == NULL ? NULL : PyObject_GetAttrString(module, "Limits");
    PyObject *limits = usual == NULL ? NULL : PyObject_CallNoArgs(usual);
    Py_XDECREF(usual);
    Py_DECREF(module);
    if (limits == NULL) {
        Py_XDECREF(data);
        Py_XDECREF(end);
        return -1;
    }
    Py_XSETREF(types->data_event, data);
    Py_XSETREF(types->limits, limits);
    Py_XSETREF(types->end_of_message, end);
    return 0;
}

static int
set_limits(request_parser *self, PyObject *limits)
{
    PyObject *usual = self->types->limits;
    if (limits == NULL || limits == Py_None)
        limits = usual;
    if (!PyObject_TypeCheck(limits, Py_TYPE(usual))) {
        PyErr_Format(PyExc_TypeError, "limits must be a guava_http.Limits or None, not %.200s",
                     Py_TYPE(limits)->tp_name);
        return -1;
    }
    if (gh_limits_read(limits, &self->limits) < 0)
        return -1;
    self->fields = PyMem_New(gh_field, self->limits.fields);
    if (self->fields == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    gh_parser_allow(self->limits.head);
    return 0;
}

static PyObject *
request_parser_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"limits"};
    static const gh_signature sig = {"RequestParser", names, 1, 1, 0};
    PyObject *limits;
    gh_types *types = gh_types_of_type(type);
    if (types == NULL || gh_bind_tuple(&sig, args, kwargs, &limits) < 0 ||
        import_events(types) < 0)
        return NULL;
    request_parser *self = (request_parser *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->types = types;
    if (set_limits(self, limits) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int
request_parser_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((request_parser *)op)->request);
    return 0;
}

static int
request_parser_clear(PyObject *op)
{
    Py_CLEAR(((request_parser *)op)->request);
    return 0;
}

static void
request_parser_dealloc(PyObject *op)
{
    request_parser *self = (request_parser *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(self->request);
    PyMem_Free(self->fields);
    gh_buffer_clear(&self->in);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

/* What each method may be called in. */
static int
check(const request_parser *self, const char *method)
{
    if (self->busy)
        PyErr_Format(PyExc_RuntimeError, "%s() inside of another call", method);
    else if (self->state == TAKEN_OVER)
        PyErr_Format(PyExc_RuntimeError, "%s() after take_over()", method);
    else if (self->state == REFUSED)
        (void)raise_refusal(self);
    else
        return 0;
    return -1;
}

static PyObject *
request_parser_feed(PyObject *op, PyObject *data)
{
    request_parser *self = (request_parser *)op;
    if (check(self, "feed") < 0)
        return NULL;
    if (self->eof) {
        PyErr_SetString(PyExc_RuntimeError, "feed() after feed_eof()");
        return NULL;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    input in = {view.buf, (size_t)view.len, PyBytes_CheckExact(data) ? data : NULL};
    PyObject *events = read_input(self, &in);
    PyBuffer_Release(&view);
    return events;
}

static PyObject *
request_parser_feed_eof(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    request_parser *self = (request_parser *)op;
    if (check(self, "feed_eof") < 0)
        return NULL;
    self->eof = true;
    if (end_input(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
request_parser_next_request(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    request_parser *self = (request_parser *)op;
    if (check(self, "next_request") < 0)
        return NULL;
    if (self->state != COMPLETE) {
        PyErr_Format(PyExc_RuntimeError, "next_request() before a message is complete: %s",
                     states[self->state]);
        return NULL;
    }
    if (!self->keep_alive) {
        PyErr_SetString(PyExc_RuntimeError,
                        "next_request() after a request that is the connection's last");
        return NULL;
    }
    self->state = HEAD;
    Py_CLEAR(self->request);
    return read_input(self, NULL);
}

static PyObject *
request_parser_take_over(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    request_parser *self = (request_parser *)op;
    if (check(self, "take_over") < 0)
        return NULL;
    if (self->state != COMPLETE) {
        PyErr_Format(PyExc_RuntimeError, "take_over() before a message is complete: %s",
                     states[self->state]);
        return NULL;
    }
    PyObject *rest = PyBytes_FromStringAndSize(self->in.bytes + self->in.start,
                                               (Py_ssize_t)gh_buffer_len(&self->in));
    if (rest == NULL)
        return NULL;
    gh_buffer_clear(&self->in);
    self->state = TAKEN_OVER;
    return rest;
}

static PyObject *
request_parser_state(PyObject *op, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(states[((request_parser *)op)->state]);
}

static PyObject *
request_parser_request(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *request = ((request_parser *)op)->request;
    return Py_NewRef(request == NULL ? Py_None : request);
}

static PyObject *
request_parser_error(PyObject *op, void *Py_UNUSED(closure))
{
    request_parser *self = (request_parser *)op;
    if (self->state != REFUSED)
        Py_RETURN_NONE;
    (void)raise_refusal(self);
    PyObject *type;
    PyObject *error;
    PyObject *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (!PyErr_GivenExceptionMatches(type, self->types->request_error)) {
        PyErr_Restore(type, error, traceback);
        return NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return error;
}

static PyObject *
request_parser_pending(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(gh_buffer_len(&((request_parser *)op)->in));
}

static PyObject *
request_parser_unused(PyObject *op, void *Py_UNUSED(closure))
{
    gh_buffer *in = &((request_parser *)op)->in;
    return PyBytes_FromStringAndSize(in->bytes + in->start, (Py_ssize_t)gh_buffer_len(in));
}

static PyObject *
request_parser_awaits_continue(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((request_parser *)op)->waiting);
}

static PyMethodDef request_parser_methods[] = {
    {"feed", request_parser_feed, METH_O,
     "feed($self, data, /)\n--\n\n"
     "Reads bytes: the events that they complete, a list of Request, Data and EndOfMessage.\n\n"
     "RequestError: the request is refused, with a status; so is everything after it.\n"
     "RuntimeError: after feed_eof() or take_over()."},
    {"feed_eof", request_parser_feed_eof, METH_NOARGS,
     "feed_eof($self, /)\n--\n\n"
     "The client sends no more. RequestError: in the middle of a request."},
    {"next_request", request_parser_next_request, METH_NOARGS,
     "next_request($self, /)\n--\n\n"
     "Goes on behind a complete message: the events of what waits already, as from feed().\n\n"
     "RuntimeError: the message is not complete, or no other may follow (Connection: close)."},
    {"take_over", request_parser_take_over, METH_NOARGS,
     "take_over($self, /)\n--\n\n"
     "The connection goes on in another protocol (RFC 9110, 7.8): bytes, what came behind the\n"
     "complete message. The parser reads nothing more. RuntimeError: it is not complete."},
    {NULL},
};

static PyGetSetDef request_parser_getset[] = {
    {"state", request_parser_state, NULL,
     "str: 'head', 'body', 'complete', 'closed', 'refused' or 'taken over'"},
    {"request", request_parser_request, NULL,
     "Request or None: the one that is being read, is complete, or was refused in its body"},
    {"error", request_parser_error, NULL, "RequestError or None: why it was refused"},
    {"pending", request_parser_pending, NULL, "int: bytes that wait"},
    {"unused", request_parser_unused, NULL, "bytes: those that wait"},
    {"awaits_continue", request_parser_awaits_continue, NULL,
     "bool: the client sends its body when it hears 100 Continue (RFC 9110, 10.1.1)"},
    {NULL},
};

PyDoc_STRVAR(request_parser_doc,
             "RequestParser(limits=None)\n--\n\n"
             "Reads HTTP/1.1 requests strictly, without a connection: bytes in, events out.\n\n"
             "limits: Limits, of which head, fields, target, body, chunk_extensions and trailers\n"
             "count; None is Limits(). One parser reads one connection.");

static PyType_Slot request_parser_slots[] = {
    {Py_tp_doc, (void *)request_parser_doc}, {Py_tp_new, request_parser_new},
    {Py_tp_dealloc, request_parser_dealloc}, {Py_tp_traverse, request_parser_traverse},
    {Py_tp_clear, request_parser_clear},     {Py_tp_methods, request_parser_methods},
    {Py_tp_getset, request_parser_getset},   {0, NULL},
};

static PyType_Spec request_parser_spec = {
    .name = "guava_http.RequestParser",
    .basicsize = sizeof(request_parser),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = request_parser_slots,
};

int
gh_request_parser_register(PyObject *module)
{
    PyTypeObject *type = gh_add_type(module, &request_parser_spec, NULL);
    Py_XDECREF(type);
    return type == NULL ? -1 : 0;
}
