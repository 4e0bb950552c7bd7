/* request_make.c: Request(...) by hand. It is brought into the same form as a request from the
 * network, a head of slices over one block of memory, so that every reader is the same code. */
#include "types/request.h"

#include <string.h>

#include "core/field.h"

enum { METHOD, URL, PATH, HOST, BODY, HEADERS, GET, POST, COOKIES, PARAMS };

/* The pieces of the head before they are put into one block; objects that own their bytes. */
typedef struct {
    gh_text method;
    PyObject *url;  /* bytes */
    PyObject *path; /* bytes: the raw path if it was given, else NULL */
    PyObject *headers;
    gh_text host;
} pieces;

/* ---- str to the bytes of a target ---------------------------------------------------------- */

/* Everything that a browser sends as it is (WHATWG URL): all of visible ASCII. */
static const char visible[] = "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}";
/* Of a path that is given decoded, less: what would end it, and the "%". */
static const char in_path[] = "!$&'()*+,/:;=@[]|";

static PyObject *
quoted(const char *base, size_t n, const char *keep)
{
    char *text = PyMem_Malloc(n * 3 + 1);
    if (text == NULL)
        return PyErr_NoMemory();
    PyObject *bytes = PyBytes_FromStringAndSize(text, (Py_ssize_t)gh_quote(base, n, keep, text));
    PyMem_Free(text);
    return bytes;
}

static PyObject *
quoted_str(PyObject *str, const char *what, const char *keep)
{
    if (!PyUnicode_Check(str))
        return PyErr_Format(PyExc_TypeError, "%s must be a str, not %.200s", what,
                            Py_TYPE(str)->tp_name);
    Py_ssize_t n;
    const char *base = PyUnicode_AsUTF8AndSize(str, &n);
    return base == NULL ? NULL : quoted(base, (size_t)n, keep);
}

/* "a=1&b=2" of what was given as GET, appended to the target. */
static int
append_query(PyObject **target, PyObject *query)
{
    PyObject *pairs = gh_query_dict_pairs(query);
    int result = pairs == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        PyObject *name = quoted_str(PyTuple_GET_ITEM(pair, 0), "a name in GET", "");
        PyObject *value = quoted_str(PyTuple_GET_ITEM(pair, 1), "a value in GET", "");
        if (name != NULL && value != NULL)
            PyBytes_ConcatAndDel(target, PyBytes_FromFormat("%s%s=%s", i == 0 ? "?" : "&",
                                                            PyBytes_AS_STRING(name),
                                                            PyBytes_AS_STRING(value)));
        if (name == NULL || value == NULL || *target == NULL)
            result = -1;
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    Py_XDECREF(pairs);
    return result;
}

/* ---- the pieces ---------------------------------------------------------------------------- */

static int
take_method(pieces *p, PyObject *method)
{
    p->method = (gh_text){"GET", 3};
    if (method == NULL)
        return 0;
    if (gh_latin1_text(method, "method", &p->method) < 0)
        return -1;
    if (gh_is_token(p->method.base, p->method.len))
        return 0;
    PyErr_Format(PyExc_ValueError, "method must be a token such as \"GET\", found %R", method);
    return -1;
}

static int
take_url(pieces *p, PyObject **args, PyObject *query)
{
    if (args[PATH] != NULL) {
        p->path = quoted_str(args[PATH], "path", in_path);
        if (p->path == NULL)
            return -1;
        char first = PyBytes_AS_STRING(p->path)[0];
        if (first != '/' && !(first == '*' && PyBytes_GET_SIZE(p->path) == 1)) {
            PyErr_Format(PyExc_ValueError, "path must begin with \"/\", found %R", args[PATH]);
            return -1;
        }
    }
    if (args[URL] != NULL) {
        p->url = quoted_str(args[URL], "url", visible);
        return p->url == NULL ? -1 : 0;
    }
    p->url = p->path == NULL ? PyBytes_FromString("/")
                             : PyBytes_FromStringAndSize(PyBytes_AS_STRING(p->path),
                                                         PyBytes_GET_SIZE(p->path));
    if (p->url == NULL)
        return -1;
    return query == NULL ? 0 : append_query(&p->url, query);
}

static int
take_host(pieces *p, PyObject *host)
{
    static const gh_text name = {"Host", 4};
    if (host == NULL)
        return 0;
    if (gh_latin1_text(host, "host", &p->host) < 0)
        return -1;
    if (memchr(p->host.base, ' ', p->host.len) != NULL ||
        !gh_is_field_value(p->host.base, p->host.len)) {
        PyErr_Format(PyExc_ValueError, "host must be such as \"example.com:8000\", found %R",
                     host);
        return -1;
    }
    if (gh_fields_find(gh_headers_fields(p->headers), name.base, name.len) != NULL)
        return 0;
    return gh_field_text_add(gh_headers_lines(p->headers), name, p->host);
}

/* ---- the head ------------------------------------------------------------------------------ */

static gh_slice
put(char **at, const char *text, size_t n)
{
    gh_slice slice = {*at, (uint32_t)n};
    if (n > 0)
        memcpy(*at, text, n);
    *at += n;
    return slice;
}

/* Cuts the target into host, path and query (RFC 9112, 3.2). */
static int
split_target(gh_request *self)
{
    gh_head *head = &self->head;
    const char *hash = memchr(head->target.base, '#', head->target.len);
    if (hash != NULL) /* a fragment stays at home */
        head->target.len = (uint32_t)(hash - head->target.base);
    const char *at = head->target.base;
    const char *end = at + head->target.len;
    bool https = end - at > 8 && gh_same_name(at, 8, "https://", 8);
    if (https || (end - at > 7 && gh_same_name(at, 7, "http://", 7))) {
        self->secure = https;
        at += https ? 8 : 7;
        const char *host = at;
        while (at < end && *at != '/' && *at != '?')
            at++;
        head->host = (gh_slice){host, (uint32_t)(at - host)};
    } else if (at == end || (*at != '/' && !(*at == '*' && end - at == 1))) {
        PyErr_SetString(PyExc_ValueError,
                        "url must begin with \"/\", \"http://\" or \"https://\", or be \"*\"");
        return -1;
    }
    const char *mark = at == end ? NULL : memchr(at, '?', (size_t)(end - at));
    const char *path_end = mark == NULL ? end : mark;
    head->path = (gh_slice){at, (uint32_t)(path_end - at)};
    if (head->path.len == 0)
        head->path = (gh_slice){"/", 1};
    if (mark != NULL)
        head->query = (gh_slice){mark + 1, (uint32_t)(end - mark - 1)};
    return 0;
}

static int
build_head(gh_request *self, const pieces *p)
{
    const gh_fields *fields = gh_headers_fields(p->headers);
    const gh_field_text *text = gh_headers_lines(p->headers);
    size_t url_len = (size_t)PyBytes_GET_SIZE(p->url);
    size_t path_len = p->path == NULL ? 0 : (size_t)PyBytes_GET_SIZE(p->path);
    size_t index_size = fields->n * sizeof(gh_field);
    size_t size = p->method.len + url_len + path_len + p->host.len + text->len;
    if (size > UINT32_MAX / 2) {
        PyErr_SetString(PyExc_ValueError, "a request's head of more than 2 GiB");
        return -1;
    }
    char *own = PyMem_Malloc(index_size + size + 1);
    if (own == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    gh_field *index = (gh_field *)own;
    char *at = own + index_size;
    self->own = own;
    self->head = (gh_head){.start = at, .size = (uint32_t)size, .minor = 1, .keep_alive = true};
    self->head.method = put(&at, p->method.base, p->method.len);
    self->head.target = put(&at, PyBytes_AS_STRING(p->url), url_len);
    gh_slice path = put(&at, p->path == NULL ? NULL : PyBytes_AS_STRING(p->path), path_len);
    gh_slice host = put(&at, p->host.base, p->host.len);
    gh_slice moved = put(&at, text->text, text->len);
    for (uint32_t i = 0; i < fields->n; i++) {
        index[i] = fields->at[i];
        index[i].name.base = moved.base + (fields->at[i].name.base - text->text);
        index[i].value.base = moved.base + (fields->at[i].value.base - text->text);
    }
    self->head.fields = index;
    self->head.n_fields = fields->n;

    if (split_target(self) < 0)
        return -1;
    if (path.len > 0)
        self->head.path = path;
    if (host.len > 0)
        self->head.host = host;
    gh_fields own_fields = {index, fields->n};
    const gh_field *field = gh_fields_find(&own_fields, "host", 4);
    if (self->head.host.len == 0 && field != NULL)
        self->head.host = field->value;
    return 0;
}

/* ---- what is not in the head --------------------------------------------------------------- */

static int
take_body(gh_request *self, PyObject *body)
{
    if (body == NULL)
        return 0;
    if (!PyObject_CheckBuffer(body)) {
        PyErr_Format(PyExc_TypeError, "body must be bytes-like, not %.200s%s",
                     Py_TYPE(body)->tp_name,
                     PyUnicode_Check(body) ? ": encode it, body=text.encode()" : "");
        return -1;
    }
    self->body = PyBytes_CheckExact(body) ? Py_NewRef(body) : PyBytes_FromObject(body);
    return self->body == NULL ? -1 : 0;
}

static int
take_cookies(gh_request *self, PyObject *cookies)
{
    if (cookies == NULL)
        return 0;
    PyObject *dict = gh_query_dict_from(self->types, cookies, "COOKIES");
    self->cookies = dict == NULL ? NULL : PyDict_Copy(dict);
    Py_XDECREF(dict);
    return self->cookies == NULL ? -1 : 0;
}

static int
take_params(gh_request *self, PyObject **slot, PyObject *source, const char *what)
{
    if (source != NULL)
        *slot = gh_query_dict_from(self->types, source, what);
    return source != NULL && *slot == NULL ? -1 : 0;
}

int
gh_request_make(gh_request *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[PARAMS] = {"method",  "url", "path", "host",   "body",
                                              "HEADERS", "GET", "POST", "COOKIES"};
    static const gh_signature sig = {"Request", names, PARAMS, 2, 0};
    PyObject *values[PARAMS];
    pieces p = {.host = {"", 0}};
    int result = -1;

    if (gh_bind_tuple(&sig, args, kwargs, values) < 0)
        return -1;
    for (size_t i = 0; i < PARAMS; i++) {
        if (values[i] == Py_None)
            values[i] = NULL;
    }
    p.headers = values[HEADERS] == NULL ? gh_headers_new(self->types)
                                        : gh_headers_from(self->types, values[HEADERS]);
    self->cached = true;
    if (p.headers != NULL && take_method(&p, values[METHOD]) == 0 &&
        take_params(self, &self->get, values[GET], "GET") == 0 &&
        take_params(self, &self->post, values[POST], "POST") == 0 &&
        take_cookies(self, values[COOKIES]) == 0 && take_body(self, values[BODY]) == 0 &&
        take_url(&p, values, self->get) == 0 && take_host(&p, values[HOST]) == 0)
        result = build_head(self, &p);
    if (result < 0)
        gh_request_forget(self);
    Py_XDECREF(p.headers);
    Py_XDECREF(p.url);
    Py_XDECREF(p.path);
    return result;
}
