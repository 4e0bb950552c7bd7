/* cookie.c: Cookie, what a Set-Cookie field says (RFC 6265, 4.1). A Cookie is checked when it is
 * made and cannot be changed, so whatever has one can send it. */
#include "types/cookie.h"

#include <structmember.h>

#include <string.h>

#include "core/cookies.h"
#include "core/date.h"

static const char *const param_names[GH_COOKIE_PARAMS] = {
    "name",   "value",  "max_age",  "expires",  "path",
    "domain", "secure", "httponly", "samesite", "partitioned",
};

const gh_signature gh_cookie_signature = {"Cookie", param_names, GH_COOKIE_PARAMS, 2, 1};

/* ---- rendering ----------------------------------------------------------------------------- */

static char *
put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

static char *
put_str(char *out, const char *label, PyObject *str)
{
    out = put(out, label, strlen(label));
    return put(out, PyUnicode_DATA(str), (size_t)PyUnicode_GET_LENGTH(str));
}

static size_t
length_of(PyObject *str)
{
    return str == Py_None ? 0 : (size_t)PyUnicode_GET_LENGTH(str);
}

static char *
put_attributes(char *out, gh_cookie *self, PyObject *max_age)
{
    static const char expires[] = "; Expires=";
    if (self->expires != Py_None) {
        out = put(out, expires, sizeof(expires) - 1);
        (void)gh_date_render(PyLong_AsLongLong(self->expires), out); /* checked when it was set */
        out += GH_DATE_SIZE;
    }
    if (max_age != NULL)
        out = put_str(out, "; Max-Age=", max_age);
    if (self->domain != Py_None)
        out = put_str(out, "; Domain=", self->domain);
    if (self->path != Py_None)
        out = put_str(out, "; Path=", self->path);
    if (self->secure)
        out = put(out, "; Secure", 8);
    if (self->httponly)
        out = put(out, "; HttpOnly", 10);
    if (self->samesite != Py_None)
        out = put_str(out, "; SameSite=", self->samesite);
    if (self->partitioned)
        out = put(out, "; Partitioned", 13);
    return out;
}

PyObject *
gh_cookie_bytes(PyObject *op)
{
    gh_cookie *self = (gh_cookie *)op;
    PyObject *max_age = NULL;
    if (self->max_age != Py_None) {
        max_age = PyObject_Str(self->max_age);
        if (max_age == NULL)
            return NULL;
    }
    /* 192 is more than all the labels, a date and a number have. */
    size_t size = 192 + length_of(self->name) + length_of(self->value) + length_of(self->domain) +
                  length_of(self->path);
    char small[512];
    char *text = size <= sizeof(small) ? small : PyMem_Malloc(size);
    PyObject *bytes = NULL;
    if (text != NULL) {
        char *out = put_str(text, "", self->name);
        out = put_attributes(put_str(out, "=", self->value), self, max_age);
        bytes = PyBytes_FromStringAndSize(text, out - text);
    } else {
        PyErr_NoMemory();
    }
    if (text != small)
        PyMem_Free(text);
    Py_XDECREF(max_age);
    return bytes;
}

static PyObject *
cookie_str(PyObject *op)
{
    PyObject *bytes = gh_cookie_bytes(op);
    PyObject *str = bytes == NULL
                        ? NULL
                        : gh_latin1(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_XDECREF(bytes);
    return str;
}

/* ---- new, dealloc -------------------------------------------------------------------------- */

static PyObject *
make(PyTypeObject *type, PyObject *const *values)
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL && gh_cookie_fill((gh_cookie *)self, values) < 0)
        Py_CLEAR(self);
    return self;
}

PyObject *
gh_cookie_make(gh_types *types, PyObject *const *values)
{
    return make(types->cookie, values);
}

static PyObject *
cookie_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *values[GH_COOKIE_PARAMS];
    return gh_bind_tuple(&gh_cookie_signature, args, kwargs, values) < 0 ? NULL
                                                                         : make(type, values);
}

static void
cookie_dealloc(PyObject *op)
{
    gh_cookie *self = (gh_cookie *)op;
    PyTypeObject *type = Py_TYPE(op);
    Py_CLEAR(self->name);
    Py_CLEAR(self->value);
    Py_CLEAR(self->max_age);
    Py_CLEAR(self->expires);
    Py_CLEAR(self->path);
    Py_CLEAR(self->domain);
    Py_CLEAR(self->samesite);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- methods ------------------------------------------------------------------------------- */

static PyObject *
cookie_render(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return cookie_str(op);
}

static PyObject *
cookie_repr(PyObject *op)
{
    PyObject *text = cookie_str(op);
    PyObject *repr = text == NULL ? NULL : PyUnicode_FromFormat("<Cookie %U>", text);
    Py_XDECREF(text);
    return repr;
}

static PyObject *
cookie_compare(PyObject *a, PyObject *b, int op)
{
    if (Py_TYPE(a) != Py_TYPE(b))
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *left = gh_cookie_bytes(a);
    PyObject *right = left == NULL ? NULL : gh_cookie_bytes(b);
    PyObject *result = right == NULL ? NULL : PyObject_RichCompare(left, right, op);
    Py_XDECREF(left);
    Py_XDECREF(right);
    return result;
}

static Py_hash_t
cookie_hash(PyObject *op)
{
    PyObject *text = gh_cookie_bytes(op);
    Py_hash_t hash = text == NULL ? -1 : PyObject_Hash(text);
    Py_XDECREF(text);
    return hash;
}

/* A Cookie field as a server got it, or as WSGI and ASGI pass it on. */
static PyObject *
cookie_parse(PyObject *Py_UNUSED(cls), PyObject *header)
{
    gh_field field = {.name = {"cookie", 6}};
    PyObject *bytes;
    if (PyBytes_Check(header))
        bytes = Py_NewRef(header);
    else if (PyUnicode_Check(header))
        bytes = PyUnicode_MAX_CHAR_VALUE(header) < 256 ? PyUnicode_AsLatin1String(header)
                                                       : PyUnicode_AsUTF8String(header);
    else
        bytes = PyErr_Format(PyExc_TypeError, "parse() takes a str or bytes, not %.200s",
                             Py_TYPE(header)->tp_name);
    if (bytes == NULL)
        return NULL;
    PyObject *cookies = NULL;
    if (PyBytes_GET_SIZE(bytes) > (Py_ssize_t)(UINT32_MAX / 2)) {
        PyErr_SetString(PyExc_ValueError, "a Cookie field of more than 2 GiB");
    } else {
        field.value = (gh_slice){PyBytes_AS_STRING(bytes), (uint32_t)PyBytes_GET_SIZE(bytes)};
        cookies = gh_cookies_parse(&(gh_fields){&field, 1});
    }
    Py_DECREF(bytes);
    return cookies;
}

static PyObject *
cookie_from_header(PyObject *Py_UNUSED(cls), PyObject *header)
{
    PyObject *module = PyImport_ImportModule("guava_http.set_cookie");
    PyObject *made =
        module == NULL ? NULL : PyObject_CallMethod(module, "parse_set_cookie", "O", header);
    Py_XDECREF(module);
    return made;
}

/* For copy and pickle: the arguments that make the same one. */
static PyObject *
cookie_getnewargs(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    gh_cookie *self = (gh_cookie *)op;
    return Py_BuildValue("((OO){sOsOsOsOsOsOsOsO})", self->name, self->value, "max_age",
                         self->max_age, "expires", self->expires, "path", self->path, "domain",
                         self->domain, "secure", self->secure ? Py_True : Py_False, "httponly",
                         self->httponly ? Py_True : Py_False, "samesite", self->samesite,
                         "partitioned", self->partitioned ? Py_True : Py_False);
}

static PyMethodDef cookie_methods[] = {
    {"parse", cookie_parse, METH_O | METH_STATIC,
     "parse(header, /)\n--\n\n"
     "The cookies of a Cookie field, a dict of str to str: the first of each name, at most "
     "100.\n\n"
     "header: str or bytes. What is no cookie is passed over; time grows with the length only."},
    {"from_header", cookie_from_header, METH_O | METH_STATIC,
     "from_header(header, /)\n--\n\n"
     "The Cookie that a Set-Cookie field sets, read as a browser reads it (RFC 6265, 5.2): for "
     "tests\nand clients. Unknown attributes and malformed ones are passed over.\n\n"
     "header: str. ValueError: it sets none, or one that Cookie() would refuse to send."},
    {"__getnewargs_ex__", cookie_getnewargs, METH_NOARGS, NULL},
    {"render", cookie_render, METH_NOARGS,
     "render($self)\n--\n\nThe value of the Set-Cookie field; str(cookie) is the same."},
    {NULL},
};

#define MEMBER(name, type, doc) {#name, type, offsetof(gh_cookie, name), READONLY, doc}

static PyMemberDef cookie_members[] = {
    MEMBER(name, T_OBJECT, "str"),
    MEMBER(value, T_OBJECT, "str"),
    MEMBER(max_age, T_OBJECT, "int, seconds; or None"),
    MEMBER(expires, T_OBJECT, "int, seconds since 1970; or None"),
    MEMBER(path, T_OBJECT, "str or None"),
    MEMBER(domain, T_OBJECT, "str or None"),
    MEMBER(secure, T_BOOL, "bool: only over TLS"),
    MEMBER(httponly, T_BOOL, "bool: not for scripts"),
    MEMBER(samesite, T_OBJECT, "\"Strict\", \"Lax\", \"None\", or None"),
    MEMBER(partitioned, T_BOOL, "bool: one jar for each site that embeds ours"),
    {NULL},
};

PyDoc_STRVAR(
    cookie_doc,
    "Cookie(name, value='', *, max_age=None, expires=None, path='/', domain=None,\n"
    "       secure=False, httponly=False, samesite='Lax', partitioned=False)\n--\n\n"
    "A cookie to send (RFC 6265). It cannot be changed; str(cookie) is the Set-Cookie value.\n\n"
    "name, value: str, ASCII; quote() makes any text a value. max_age: int (seconds) or "
    "timedelta.\n"
    "expires: int or float (seconds since 1970) or datetime (naive: UTC). With neither it is "
    "gone\n"
    "when the browser closes; browsers keep none longer than 400 days. path: str that begins "
    "with\n"
    "'/', None for the directory of the request. domain: str, a host's name: that host and all\n"
    "below it; None is the request's host alone. secure, httponly, partitioned: bool.\n"
    "samesite: 'Strict', 'Lax', 'None', or None to leave it out.\n"
    "ValueError: a part has characters that it must not have, or browsers would drop the cookie:\n"
    "samesite='None' or partitioned and not secure; __Secure-, __Host-, __Http- or __Host-Http-\n"
    "without what the name promises; name and value over 4096 bytes, another part over 1024.");

static PyType_Slot cookie_slots[] = {
    {Py_tp_doc, (void *)cookie_doc}, {Py_tp_new, cookie_new},
    {Py_tp_dealloc, cookie_dealloc}, {Py_tp_methods, cookie_methods},
    {Py_tp_members, cookie_members}, {Py_tp_str, cookie_str},
    {Py_tp_repr, cookie_repr},       {Py_tp_richcompare, cookie_compare},
    {Py_tp_hash, cookie_hash},       {0, NULL},
};

static PyType_Spec cookie_spec = {
    .name = "guava_http.Cookie",
    .basicsize = sizeof(gh_cookie),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cookie_slots,
};

int
gh_cookie_register(PyObject *module, gh_types *types)
{
    types->cookie = gh_add_type(module, &cookie_spec, NULL);
    return types->cookie == NULL ? -1 : 0;
}
