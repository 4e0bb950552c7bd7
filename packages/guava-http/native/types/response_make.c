/* response_make.c: the methods of a Response: cookies, and the class methods that make the usual
 * kinds of answer. */
#include "module.h"
#include "types/response.h"

#include "core/field.h"
#include "core/query.h"

static const gh_text type_name = {"Content-Type", 12};

/* ---- cookies ------------------------------------------------------------------------------- */

static int
add_cookie(gh_response *self, PyObject *const *values)
{
    int result = -1;
    PyObject *cookie = gh_cookie_make(self->types, values);
    PyObject *bytes = cookie == NULL ? NULL : gh_cookie_bytes(cookie);
    PyObject *headers = bytes == NULL ? NULL : gh_response_headers(self);
    if (headers != NULL)
        result = gh_field_text_add_cookie(
            gh_headers_lines(headers),
            (gh_text){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
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
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0 ||
        add_cookie((gh_response *)op, values) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
response_add_cookie(PyObject *op, PyObject *cookie)
{
    gh_response *self = (gh_response *)op;
    if (!PyObject_TypeCheck(cookie, self->types->cookie))
        return PyErr_Format(PyExc_TypeError, "add_cookie() takes a Cookie, not %.200s",
                            Py_TYPE(cookie)->tp_name);
    PyObject *headers = gh_response_headers(self);
    PyObject *bytes = headers == NULL ? NULL : gh_cookie_bytes(cookie);
    if (bytes == NULL)
        return NULL;
    int result = gh_field_text_add_cookie(
        gh_headers_lines(headers),
        (gh_text){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)});
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
    int result = add_cookie((gh_response *)op, values);
    Py_DECREF(zero);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- class methods ------------------------------------------------------------------------- */

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
    gh_response *made = (gh_response *)self;
    if (made->headers == NULL ||
        gh_fields_find(gh_headers_fields(made->headers), type_name.base, type_name.len) == NULL) {
        PyObject *str = PyUnicode_FromString(type);
        if (str == NULL || gh_response_set_type(made, str) < 0)
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
    PyObject *self = text == NULL ? NULL : made_by(cls, text, values[1], values[2], GH_JSON);
    Py_XDECREF(text);
    return self;
}

static PyObject *
response_text(PyObject *cls, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    PyObject *values[3];
    if (bind_maker("text", "text", args, n_args, kwnames, values) < 0)
        return NULL;
    return made_by(cls, values[0], values[1], values[2], GH_PLAIN);
}

static PyObject *
response_html(PyObject *cls, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    PyObject *values[3];
    if (bind_maker("html", "html", args, n_args, kwnames, values) < 0)
        return NULL;
    return made_by(cls, values[0], values[1], values[2], GH_HTML);
}

/* A Location is an ASCII URI reference (RFC 9110, 10.2.2). What is beyond ASCII is encoded as
 * browsers do; so is the backslash, which they take for a slash: "/\host" would lead away. */
static PyObject *
encoded_location(PyObject *location)
{
    static const char kept[] = "!#$%&'()*+,/:;=?@[]";
    Py_ssize_t n;
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

/* repr() of a URL hides its password, str() is what is to be sent. */
static PyObject *
location_str(PyObject *location)
{
    if (PyUnicode_Check(location))
        return encoded_location(location);
    PyObject *module = PyImport_ImportModule("guava_http.url");
    PyObject *type = module == NULL ? NULL : PyObject_GetAttrString(module, "URL");
    int is_url = type == NULL ? -1 : PyObject_IsInstance(location, type);
    Py_XDECREF(module);
    Py_XDECREF(type);
    if (is_url < 0)
        return NULL;
    if (!is_url)
        return PyErr_Format(PyExc_TypeError, "location must be a str or a URL, not %.200s",
                            Py_TYPE(location)->tp_name);
    PyObject *str = PyObject_Str(location);
    PyObject *encoded = str == NULL ? NULL : encoded_location(str);
    Py_XDECREF(str);
    return encoded;
}

static int
check_redirect(PyObject *status)
{
    long number = PyLong_Check(status) ? PyLong_AsLong(status) : -1;
    if (number == 301 || number == 302 || number == 303 || number == 307 || number == 308)
        return 0;
    PyErr_Clear(); /* of an int that is too big for a long */
    PyErr_Format(PyExc_ValueError, "a redirect's status is 301, 302, 303, 307 or 308, found %R",
                 status);
    return -1;
}

static PyObject *
response_redirect(PyObject *cls, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    PyObject *values[3];
    PyObject *self = NULL;
    if (bind_maker("redirect", "location", args, n_args, kwnames, values) < 0)
        return NULL;
    PyObject *status = values[1] == NULL ? PyLong_FromLong(302) : Py_NewRef(values[1]);
    PyObject *location = NULL;
    if (status != NULL && check_redirect(status) == 0)
        location = location_str(values[0]);
    if (location != NULL)
        self = made_by(cls, Py_None, status, values[2], NULL);
    PyObject *headers = self == NULL ? NULL : PyObject_GetAttrString(self, "headers");
    if (headers == NULL || PyMapping_SetItemString(headers, "Location", location) < 0)
        Py_CLEAR(self);
    Py_XDECREF(headers);
    Py_XDECREF(location);
    Py_XDECREF(status);
    return self;
}

/* ---- table --------------------------------------------------------------------------------- */

#define FAST METH_FASTCALL | METH_KEYWORDS
#define METHOD(name, flags, doc) {#name, (PyCFunction)(void (*)(void))response_##name, flags, doc}

PyMethodDef gh_response_methods[] = {
    METHOD(
        set_cookie, FAST,
        "set_cookie($self, name, value='', *, max_age=None, expires=None, path='/', domain=None,\n"
        "           secure=False, httponly=False, samesite='Lax', partitioned=False)\n--\n\n"
        "Sends a cookie, instead of one of the same name, path and domain. The arguments are\n"
        "those of Cookie, and so are the errors."),
    METHOD(add_cookie, METH_O, "add_cookie($self, cookie, /)\n--\n\nSends a Cookie."),
    METHOD(delete_cookie, FAST,
           "delete_cookie($self, name, *, path='/', domain=None, secure=False, httponly=False,\n"
           "              samesite='Lax', partitioned=False)\n--\n\n"
           "Makes the browser forget a cookie; path and domain must be as they were set."),
    {"render", (PyCFunction)(void (*)(void))gh_response_render, FAST,
     "render($self, *, date=None)\n--\n\nThe whole message as bytes, for a server of your own.\n\n"
     "date: as http_date() takes it. TypeError: the body is not None, str or bytes.\n"
     "ValueError: a Content-Length that is not the body's."},
    {"background", (PyCFunction)(void (*)(void))gh_response_background, FAST,
     "background($self, function, /, *args, **kwargs)\n--\n\n"
     "Calls function(*args, **kwargs) when the answer is over, however it ended.\n\n"
     "Several are called one after the other. A plain function runs on a thread, an async one\n"
     "on the loop; exceptions are logged. A server that closes waits for them, within its\n"
     "grace. TypeError: it cannot be called."},
    METHOD(json, FAST | METH_CLASS,
           "json($type, obj, status=200, headers=None)\n--\n\nA response with obj as JSON.\n\n"
           "TypeError: obj has something that JSON has not."),
    METHOD(text, FAST | METH_CLASS,
           "text($type, text, status=200, headers=None)\n--\n\nA response as text/plain."),
    METHOD(html, FAST | METH_CLASS,
           "html($type, html, status=200, headers=None)\n--\n\nA response as text/html."),
    METHOD(
        redirect, FAST | METH_CLASS,
        "redirect($type, location, status=302, headers=None)\n--\n\n"
        "Sends the client to another place (RFC 9110, 15.4).\n\n"
        "location: str or URL, absolute or relative; spaces, backslashes and what is not ASCII\n"
        "are percent-encoded. ValueError: control characters in it, or a status that is no\n"
        "redirect's."),
    {NULL},
};
