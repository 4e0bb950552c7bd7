/* request.c: Request, what a client asked for. Its attributes are slices of the head until
 * somebody reads them; a str is then made once and kept. Users may hang attributes of their own
 * on it; the dict for them comes with the first. */
#include "types/request.h"

#include <structmember.h>

#include <string.h>

#include "core/field.h"

/* ---- helpers ------------------------------------------------------------------------------- */

static gh_fields
fields_of(const gh_request *self)
{
    return (gh_fields){self->head.fields, self->head.n_fields};
}

gh_fields
gh_request_fields(PyObject *op)
{
    return fields_of((gh_request *)op);
}

/* The cached object in a slot; the first time, what make() gives. */
static PyObject *
cached(gh_request *self, PyObject **slot, PyObject *(*make)(gh_request *))
{
    if (*slot != NULL)
        return Py_NewRef(*slot);
    PyObject *made = make(self);
    if (made == NULL)
        return NULL;
    /* Making it may have run other code that read the same attribute. */
    Py_XSETREF(*slot, made);
    self->cached = true;
    return Py_NewRef(made);
}

static PyObject *
make_url(gh_request *self)
{
    return gh_latin1(self->head.target.base, self->head.target.len);
}

static PyObject *
make_path(gh_request *self)
{
    return gh_path_str(self->types, self->head.path);
}

static PyObject *
make_host(gh_request *self)
{
    return gh_latin1(self->head.host.base, self->head.host.len);
}

static PyObject *
make_get(gh_request *self)
{
    return gh_query_dict_parse(self->types, self->head.query.base, self->head.query.len, 400,
                               GH_MAX_PARAMS);
}

static PyObject *
make_cookies(gh_request *self)
{
    gh_fields fields = fields_of(self);
    return gh_cookies_parse(&fields);
}

static PyObject *
make_peer(gh_request *self)
{
    return self->peer_fn == NULL ? Py_NewRef(Py_None) : self->peer_fn(self->peer_arg);
}

/* ---- new, dealloc, traverse, clear --------------------------------------------------------- */

static PyObject *
request_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    gh_types *types = gh_types_of_type(type);
    gh_request *self = types == NULL ? NULL : (gh_request *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->types = types;
    gh_request_forget(self);
    return (PyObject *)self;
}

/* A server's request, or one that views look at, must not change under them. */
static int
request_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    gh_request *self = (gh_request *)op;
    if (self->head.size != 0 || self->head.start != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a Request is made once");
        return -1;
    }
    return gh_request_make(self, args, kwargs);
}

static int
request_traverse(PyObject *op, visitproc visit, void *arg)
{
    gh_request *self = (gh_request *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->peer_owner);
    Py_VISIT(self->dict);
    Py_VISIT(self->full_url);
    Py_VISIT(self->get);
    Py_VISIT(self->post);
    Py_VISIT(self->files);
    Py_VISIT(self->reader);
    Py_VISIT(self->cookies);
    Py_VISIT(self->peer);
    return 0;
}

static int
request_clear(PyObject *op)
{
    gh_request *self = (gh_request *)op;
    self->peer_fn = NULL; /* its argument lives as long as the owner */
    Py_CLEAR(self->peer_owner);
    Py_CLEAR(self->dict);
    Py_CLEAR(self->full_url);
    Py_CLEAR(self->get);
    Py_CLEAR(self->post);
    Py_CLEAR(self->files);
    Py_CLEAR(self->reader);
    Py_CLEAR(self->cookies);
    Py_CLEAR(self->peer);
    return 0;
}

static void
request_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    if (((gh_request *)op)->weak != NULL)
        PyObject_ClearWeakRefs(op);
    gh_request_forget((gh_request *)op);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

static PyObject *
request_json(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    gh_request *self = (gh_request *)op;
    PyObject *body = cached(self, &self->body, gh_request_make_body);
    PyObject *value = body == NULL ? NULL : gh_json_loads(self->types, body);
    Py_XDECREF(body);
    return value;
}

static PyObject *
request_repr(PyObject *op)
{
    gh_request *self = (gh_request *)op;
    PyObject *method = gh_method_str(self->types, self->head.method);
    PyObject *url = method == NULL ? NULL : cached(self, &self->url, make_url);
    PyObject *repr = url == NULL ? NULL : PyUnicode_FromFormat("<Request %U %R>", method, url);
    Py_XDECREF(method);
    Py_XDECREF(url);
    return repr;
}

static PyMethodDef request_methods[] = {
    {"json", request_json, METH_NOARGS,
     "json($self)\n--\n\nThe body, read as JSON (RFC 8259; UTF-8), whatever its Content-Type.\n\n"
     "RequestError (a ValueError, status 400): it is none."},
    {"form", gh_request_form, METH_NOARGS,
     "form($self)\n--\n\nThe fields of the form in the body: POST as a method."},
    {"stream", gh_request_stream, METH_NOARGS,
     "stream($self)\n--\n\nThe body's bytes as they come: a guava_http.BodyStream, for `async "
     "for`,\nand in a plain function on a thread for `for`. For handlers marked with\n"
     "guava_http.stream_body; elsewhere the body is there and comes in one piece."},
    {"parts", gh_request_parts, METH_NOARGS,
     "parts($self)\n--\n\nThe parts of a multipart/form-data body (RFC 7578) as they come: an "
     "async\niterator of guava_http.Part.\n\n"
     "RequestError: the body is none (415 by its type, 400 by its bytes), or too large (413)."},
    {"read", (PyCFunction)(void (*)(void))gh_request_read, METH_FASTCALL | METH_KEYWORDS,
     "read($self, limit=None)\n--\n\nWaits for the whole body; bytes, which `body` then has too."
     "\n\nlimit: int, bytes of it; None: Limits.body. RequestError (413): there are more.\n"
     "ClientDisconnected: the client left."},
    {"_keep_body", gh_request_keep_body, METH_O, NULL},
    {"accepts", gh_request_accepts, METH_VARARGS,
     "accepts($self, *offers)\n--\n\n"
     "The offer that the client wants most, by its Accept field; None if it accepts none of "
     "them.\n"
     "Without the field it is the first offer.\n\n"
     "offers: str, media types; short are 'html', 'json', 'text', 'xml', 'css', 'csv', 'events',\n"
     "'pdf'. See best_match()."},
    {"early_hints", gh_request_early_hints, METH_O,
     "early_hints($self, headers, /)\n--\n\n"
     "Sends fields (Link, mostly) ahead of the answer, as status 103 (RFC 8297). Call it before\n"
     "the answer has begun and on the loop's thread; more than once if need be.\n\n"
     "headers: a mapping or (name, value) pairs, at most 8 KiB. Gives False where there is\n"
     "nobody to send to: a client of HTTP/1.0 or one that has left, a request made by hand.\n"
     "ValueError: a name is no token, says how the body is framed, or a value has control\n"
     "characters. RuntimeError: the answer has begun, or this is another thread."},
    {"accepts_language", gh_request_accepts_language, METH_VARARGS,
     "accepts_language($self, *offers)\n--\n\n"
     "The language that the client wants most, by its Accept-Language field; None if it accepts\n"
     "none of them. Without the field it is the first offer.\n\n"
     "offers: str, language tags. See best_language()."},
    {NULL},
};

/* ---- getset -------------------------------------------------------------------------------- */

#define CACHED_GETTER(name)                                                                       \
    static PyObject *request_##name(PyObject *op, void *Py_UNUSED(closure))                       \
    {                                                                                             \
        gh_request *self = (gh_request *)op;                                                      \
        return cached(self, &self->name, make_##name);                                            \
    }

CACHED_GETTER(url)
CACHED_GETTER(path)
CACHED_GETTER(host)
CACHED_GETTER(get)
CACHED_GETTER(cookies)
CACHED_GETTER(peer)

static PyObject *
request_body(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    return cached(self, &self->body, gh_request_make_body);
}

static PyObject *
request_post(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    return cached(self, &self->post, gh_request_make_post);
}

static PyObject *
request_files(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    return cached(self, &self->files, gh_request_make_files);
}

static PyObject *
request_full_url(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    return cached(self, &self->full_url, gh_request_make_full_url);
}

static PyObject *
request_method(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    return gh_method_str(self->types, self->head.method);
}

static PyObject *
request_raw_path(PyObject *op, void *Py_UNUSED(closure))
{
    gh_slice path = ((gh_request *)op)->head.path;
    return PyBytes_FromStringAndSize(path.base, path.len);
}

static PyObject *
request_query_string(PyObject *op, void *Py_UNUSED(closure))
{
    gh_slice query = ((gh_request *)op)->head.query;
    return PyBytes_FromStringAndSize(query.base, query.len);
}

static PyObject *
request_fields(PyObject *op, void *Py_UNUSED(closure))
{
    return gh_request_headers_new(((gh_request *)op)->types, op);
}

static PyObject *
request_remote_addr(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    PyObject *peer = cached(self, &self->peer, make_peer);
    if (peer == NULL)
        return NULL;
    PyObject *first =
        PyTuple_Check(peer) && PyTuple_GET_SIZE(peer) > 0 ? PyTuple_GET_ITEM(peer, 0) : NULL;
    PyObject *address = first != NULL && PyUnicode_Check(first) ? first : self->types->empty;
    Py_INCREF(address);
    Py_DECREF(peer);
    return address;
}

static PyObject *
request_scheme(PyObject *op, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(((gh_request *)op)->secure ? "https" : "http");
}

static PyObject *
request_http_version(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    return Py_NewRef(self->types->versions[self->head.minor != 0]);
}

static PyObject *
request_keep_alive(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((gh_request *)op)->head.keep_alive);
}

static PyObject *
request_disconnected(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((gh_request *)op)->disconnected);
}

static PyGetSetDef request_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict},
    {"method", request_method, NULL,
     "str: \"GET\"; upper and lower case are different (RFC 9110, 9.1)"},
    {"url", request_url, NULL, "str: the request target as it was sent (RFC 9112, 3.2)"},
    {"path", request_path, NULL,
     "str: the target's path, percent-decoded; bytes that are not UTF-8 become U+FFFD"},
    {"raw_path", request_raw_path, NULL, "bytes: the target's path as it was sent"},
    {"query_string", request_query_string, NULL, "bytes: what follows the target's \"?\""},
    {"host", request_host, NULL,
     "str: \"example.com:8000\", of an absolute target or of the Host field; \"\" if neither has "
     "it"},
    {"scheme", request_scheme, NULL, "str: \"http\", or \"https\" under TLS"},
    {"GET", request_get, NULL,
     "QueryDict: the query's parameters. RequestError (400): over 1000 of them"},
    {"query", request_get, NULL, "QueryDict: GET by its other name"},
    {"POST", request_post, NULL,
     "QueryDict: the fields of a form in the body (urlencoded or multipart), else empty.\n"
     "RequestError: 413, over Limits.form_fields or form_parts of them; 400, malformed"},
    {"files", request_files, NULL,
     "FileDict: the files of a multipart form in the body, else empty. RequestError: as POST"},
    {"_reader", gh_request_get_reader, NULL, NULL},
    {"_limits", gh_request_get_limits, NULL, NULL},
    {"HEADERS", request_fields, NULL, "RequestHeaders: the header fields"},
    {"headers", request_fields, NULL, "RequestHeaders: HEADERS by its other name"},
    {"COOKIES", request_cookies, NULL,
     "dict of str to str: the cookies; the first of each name, at most 100"},
    {"cookies", request_cookies, NULL, "dict: COOKIES by its other name"},
    {"body", request_body, NULL, "bytes: the whole body"},
    {"peer", request_peer, NULL,
     "tuple (address, port, ...) of the client, str for a unix socket, None for a request made "
     "by\n"
     "hand"},
    {"remote_addr", request_remote_addr, NULL, "str: the client's IP address, or \"\""},
    {"URL", request_full_url, NULL,
     "URL: what was asked for, with scheme and host; relative where an HTTP/1.0 request names no\n"
     "host. RequestError (400): the host is none, such as 300.1.1.1"},
    {"is_secure", gh_request_is_secure, NULL, "bool: it came over TLS"},
    {"content_type", gh_request_content_type, NULL,
     "str: the Content-Type field, with its parameters; or None"},
    {"mimetype", gh_request_mimetype, NULL,
     "str: the body's media type in lower case, without parameters; or \"\""},
    {"charset", gh_request_charset, NULL,
     "str: the Content-Type field's charset in lower case; \"utf-8\" without one"},
    {"content_length", gh_request_content_length, NULL,
     "int: the Content-Length field, in bytes; None without one (no body, or a chunked one)"},
    {"is_json", gh_request_is_json, NULL,
     "bool: the body's type is application/json or application/...+json"},
    {"user_agent", gh_request_user_agent, NULL, "str: the User-Agent field, or \"\""},
    {"authorization", gh_request_authorization, NULL,
     "Authorization: the Authorization field; None if it is missing or malformed"},
    {"http_version", request_http_version, NULL, "str: \"1.0\" or \"1.1\""},
    {"keep_alive", request_keep_alive, NULL,
     "bool: the client wants to send another request on this connection"},
    {"disconnected", request_disconnected, NULL,
     "bool: the client has gone before it was answered"},
    {NULL},
};

static PyMemberDef request_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(gh_request, dict), READONLY},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(gh_request, weak), READONLY},
    {NULL},
};

PyDoc_STRVAR(
    request_doc,
    "Request(method='GET', url=None, *, path=None, host=None, body=b'', HEADERS=None,\n"
    "        GET=None, POST=None, COOKIES=None)\n--\n\n"
    "What a client asked for. The server makes them; by hand they are for tests and for\n"
    "people who build a framework of their own. Attributes of your own can be set on it.\n\n"
    "method: str. url: str, '/path?query' or 'http://host/path?query'; without it, it is\n"
    "made of path and GET. path: str, decoded. host: str. body: bytes-like. HEADERS, GET,\n"
    "POST: a mapping or (name, value) pairs. COOKIES: a mapping. What is not given comes\n"
    "out of url, HEADERS and body, as it does for a server's request.\n"
    "TypeError, ValueError: an argument that no client could send.");

static PyType_Slot request_slots[] = {
    {Py_tp_doc, (void *)request_doc},
    {Py_tp_new, request_new},
    {Py_tp_init, request_init},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_traverse, request_traverse},
    {Py_tp_clear, request_clear},
    /* The defaults, named so that the type says it takes any attribute. */
    {Py_tp_getattro, PyObject_GenericGetAttr},
    {Py_tp_setattro, PyObject_GenericSetAttr},
    {Py_tp_methods, request_methods},
    {Py_tp_members, request_members},
    {Py_tp_getset, request_getset},
    {Py_tp_repr, request_repr},
    {0, NULL},
};

static PyType_Spec request_spec = {
    .name = "guava_http.Request",
    .basicsize = sizeof(gh_request),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = request_slots,
};

int
gh_request_register(PyObject *module, gh_types *types)
{
    types->request = gh_add_type(module, &request_spec, NULL);
    return types->request == NULL ? -1 : 0;
}
