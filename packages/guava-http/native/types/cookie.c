/* cookie.c: Cookie, what a Set-Cookie field says (RFC 6265, 4.1). A Cookie is checked when it is
 * made and cannot be changed, so whatever has one can send it. */
#include "types/parts.h"

#include <structmember.h>

#include <string.h>

#include "core/cookies.h"
#include "core/date.h"
#include "core/field.h"

#define MAX_PAIR 4096 /* bytes of name and value that every browser keeps (RFC 6265, 6.1) */

typedef struct {
    PyObject_HEAD PyObject *name; /* str */
    PyObject *value;              /* str */
    PyObject *max_age;            /* int or None, seconds */
    PyObject *expires;            /* int or None, seconds since 1970 */
    PyObject *path;               /* str or None */
    PyObject *domain;             /* str or None */
    PyObject *samesite;           /* "Strict", "Lax", "None", or None */
    char secure;
    char httponly;
    char partitioned;
} cookie;

enum { NAME, VALUE, MAX_AGE, EXPIRES, PATH, DOMAIN, SECURE, HTTPONLY, SAMESITE, PARTITIONED };

static const char *const param_names[GH_COOKIE_PARAMS] = {
    "name",   "value",  "max_age",  "expires",  "path",
    "domain", "secure", "httponly", "samesite", "partitioned",
};

const gh_signature gh_cookie_signature = {"Cookie", param_names, GH_COOKIE_PARAMS, 2, 1};

/* ---- checks -------------------------------------------------------------------------------- */

static int
set_name(cookie *self, PyObject *name)
{
    gh_text text;
    if (gh_latin1_text(name, "a cookie's name", &text) < 0)
        return -1;
    if (!gh_is_token(text.base, text.len)) {
        PyErr_Format(PyExc_ValueError,
                     "a cookie's name is letters, digits and !#$%%&'*+-.^_`|~ only, found %R",
                     name);
        return -1;
    }
    self->name = Py_NewRef(name);
    return 0;
}

static int
set_value(cookie *self, PyObject *value)
{
    gh_text text = {"", 0};
    if (value != NULL && gh_latin1_text(value, "a cookie's value", &text) < 0)
        return -1;
    if (!gh_is_cookie_value(text.base, text.len)) {
        PyErr_Format(
            PyExc_ValueError,
            "a cookie's value is ASCII without spaces and without any of \" , ; \\, found "
            "%R: urllib.parse.quote() makes it so",
            value);
        return -1;
    }
    if (text.len + (size_t)PyUnicode_GET_LENGTH(self->name) > MAX_PAIR) {
        PyErr_Format(PyExc_ValueError,
                     "browsers drop a cookie whose name and value have more than %d bytes",
                     MAX_PAIR);
        return -1;
    }
    self->value = value == NULL ? PyUnicode_New(0, 0) : Py_NewRef(value);
    return self->value == NULL ? -1 : 0;
}

static int
set_attribute(PyObject **slot, PyObject *value, const char *what)
{
    if (value == NULL || value == Py_None) {
        *slot = Py_NewRef(Py_None);
        return 0;
    }
    gh_text text;
    if (gh_latin1_text(value, what, &text) < 0)
        return -1;
    if (text.len == 0 || !gh_is_cookie_attribute(text.base, text.len)) {
        PyErr_Format(PyExc_ValueError,
                     "%s is ASCII without control characters and without \";\", found %R", what,
                     value);
        return -1;
    }
    *slot = Py_NewRef(value);
    return 0;
}

static int
set_path(cookie *self, PyObject *path)
{
    PyObject *root = path == NULL ? PyUnicode_FromString("/") : Py_NewRef(path);
    int result = root == NULL ? -1 : set_attribute(&self->path, root, "a cookie's path");
    Py_XDECREF(root);
    if (result == 0 && self->path != Py_None && PyUnicode_READ_CHAR(self->path, 0) != '/') {
        PyErr_Format(PyExc_ValueError, "a cookie's path begins with \"/\", found %R", self->path);
        return -1;
    }
    return result;
}

static PyObject *
timedelta_seconds(PyObject *value)
{
    int known = gh_has(value, "total_seconds");
    if (known <= 0)
        return known < 0 ? NULL
                         : PyErr_Format(PyExc_TypeError,
                                        "a cookie's max_age is an int (seconds) or a timedelta, "
                                        "not %.200s",
                                        Py_TYPE(value)->tp_name);
    PyObject *total = PyObject_CallMethod(value, "total_seconds", NULL);
    PyObject *seconds = total == NULL ? NULL : PyNumber_Long(total);
    Py_XDECREF(total);
    return seconds;
}

static int
set_max_age(cookie *self, PyObject *value)
{
    PyObject *seconds;
    if (value == NULL || value == Py_None) {
        self->max_age = Py_NewRef(Py_None);
        return 0;
    }
    if (PyLong_Check(value))
        seconds = PyNumber_Long(value);
    else
        seconds = timedelta_seconds(value);
    if (seconds == NULL)
        return -1;
    int overflow;
    (void)PyLong_AsLongLongAndOverflow(seconds, &overflow);
    if (overflow != 0) {
        PyErr_SetString(PyExc_ValueError, "a cookie's max_age is out of range");
        Py_DECREF(seconds);
        return -1;
    }
    self->max_age = seconds;
    return 0;
}

static int
set_expires(cookie *self, PyObject *value)
{
    int64_t seconds;
    char date[GH_DATE_SIZE];
    if (value == NULL || value == Py_None) {
        self->expires = Py_NewRef(Py_None);
        return 0;
    }
    if (gh_seconds(value, &seconds) < 0)
        return -1;
    if (!gh_date_render(seconds, date)) {
        PyErr_SetString(PyExc_ValueError, "a time is within the years 1 to 9999");
        return -1;
    }
    self->expires = PyLong_FromLongLong(seconds);
    return self->expires == NULL ? -1 : 0;
}

static int
set_samesite(cookie *self, PyObject *value)
{
    static const char *const allowed[] = {"Lax", "Strict", "None"};
    if (value == Py_None) {
        self->samesite = Py_NewRef(Py_None);
        return 0;
    }
    gh_text text = {"Lax", 3};
    if (value != NULL && gh_latin1_text(value, "a cookie's samesite", &text) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (gh_same_name(text.base, text.len, allowed[i], strlen(allowed[i]))) {
            self->samesite = PyUnicode_InternFromString(allowed[i]);
            return self->samesite == NULL ? -1 : 0;
        }
    }
    PyErr_Format(PyExc_ValueError,
                 "a cookie's samesite is \"Strict\", \"Lax\", \"None\" or None, found %R", value);
    return -1;
}

static int
set_flag(char *slot, PyObject *value)
{
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    *slot = truth > 0;
    return truth < 0 ? -1 : 0;
}

static bool
starts_with(PyObject *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return (size_t)PyUnicode_GET_LENGTH(name) >= n &&
           gh_same_name(PyUnicode_DATA(name), n, prefix, n);
}

/* What browsers would drop without a word is an error here (draft-ietf-httpbis-rfc6265bis). */
static int
check_together(cookie *self)
{
    const char *wrong = NULL;
    if (!self->secure && self->samesite != Py_None &&
        PyUnicode_CompareWithASCIIString(self->samesite, "None") == 0)
        wrong = "browsers drop a cookie with samesite=\"None\" that is not secure";
    else if (!self->secure && self->partitioned)
        wrong = "browsers drop a partitioned cookie that is not secure";
    else if (!self->secure && starts_with(self->name, "__Secure-"))
        wrong = "browsers drop a cookie named __Secure-... that is not secure";
    else if (starts_with(self->name, "__Host-") &&
             (!self->secure || self->domain != Py_None || self->path == Py_None ||
              PyUnicode_CompareWithASCIIString(self->path, "/") != 0))
        wrong = "browsers drop a cookie named __Host-... unless it is secure, has the path \"/\" "
                "and no domain";
    if (wrong == NULL)
        return 0;
    PyErr_SetString(PyExc_ValueError, wrong);
    return -1;
}

static int
fill(cookie *self, PyObject *const *values)
{
    if (set_name(self, values[NAME]) < 0 || set_value(self, values[VALUE]) < 0 ||
        set_max_age(self, values[MAX_AGE]) < 0 || set_expires(self, values[EXPIRES]) < 0 ||
        set_path(self, values[PATH]) < 0 ||
        set_attribute(&self->domain, values[DOMAIN], "a cookie's domain") < 0 ||
        set_flag(&self->secure, values[SECURE]) < 0 ||
        set_flag(&self->httponly, values[HTTPONLY]) < 0 ||
        set_samesite(self, values[SAMESITE]) < 0 ||
        set_flag(&self->partitioned, values[PARTITIONED]) < 0)
        return -1;
    return check_together(self);
}

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
put_attributes(char *out, cookie *self, PyObject *max_age)
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
    cookie *self = (cookie *)op;
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
    if (self != NULL && fill((cookie *)self, values) < 0)
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
    cookie *self = (cookie *)op;
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

static PyMethodDef cookie_methods[] = {
    {"parse", cookie_parse, METH_O | METH_STATIC,
     "parse(header, /)\n--\n\n"
     "The cookies of a Cookie field, a dict of str to str: the first of each name, at most "
     "100.\n\n"
     "header: str or bytes. What is no cookie is passed over; time grows with the length only."},
    {"render", cookie_render, METH_NOARGS,
     "render($self)\n--\n\nThe value of the Set-Cookie field; str(cookie) is the same."},
    {NULL},
};

#define MEMBER(name, type, doc) {#name, type, offsetof(cookie, name), READONLY, doc}

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
    "max_age: int (seconds) or timedelta. expires: int or float (seconds since 1970) or datetime\n"
    "(naive: UTC). samesite: 'Strict', 'Lax', 'None', or None to leave it out.\n"
    "ValueError: a part has characters that it must not have, or browsers would drop the cookie\n"
    "(not secure where it must be, over 4096 bytes, against the rules of __Host-).");

static PyType_Slot cookie_slots[] = {
    {Py_tp_doc, (void *)cookie_doc}, {Py_tp_new, cookie_new},
    {Py_tp_dealloc, cookie_dealloc}, {Py_tp_methods, cookie_methods},
    {Py_tp_members, cookie_members}, {Py_tp_str, cookie_str},
    {Py_tp_repr, cookie_repr},       {Py_tp_richcompare, cookie_compare},
    {Py_tp_hash, cookie_hash},       {0, NULL},
};

static PyType_Spec cookie_spec = {
    .name = "guava_http.Cookie",
    .basicsize = sizeof(cookie),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cookie_slots,
};

int
gh_cookie_register(PyObject *module, gh_types *types)
{
    types->cookie = gh_add_type(module, &cookie_spec, NULL);
    return types->cookie == NULL ? -1 : 0;
}
