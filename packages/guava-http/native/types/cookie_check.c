/* cookie_check.c: what may be in a Cookie (RFC 6265, 4.1, and its coming revision,
 * draft-ietf-httpbis-rfc6265bis). What browsers would drop without a word is an error here. */
#include "types/cookie.h"

#include <string.h>

#include "core/cookies.h"
#include "core/date.h"
#include "core/field.h"

#define MAX_PAIR 4096      /* bytes of name and value that every browser keeps (RFC 6265, 6.1) */
#define MAX_ATTRIBUTE 1024 /* bytes of an attribute's value (rfc6265bis, 5.6) */

enum { NAME, VALUE, MAX_AGE, EXPIRES, PATH, DOMAIN, SECURE, HTTPONLY, SAMESITE, PARTITIONED };

static int
set_name(gh_cookie *self, PyObject *name)
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
set_value(gh_cookie *self, PyObject *value)
{
    gh_text text = {"", 0};
    if (value != NULL && gh_latin1_text(value, "a cookie's value", &text) < 0)
        return -1;
    if (!gh_is_cookie_value(text.base, text.len)) {
        PyErr_Format(
            PyExc_ValueError,
            "a cookie's value is ASCII without spaces and without any of \" , ; \\, found "
            "%R: guava_http.quote() makes it so",
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
    if (text.len > MAX_ATTRIBUTE) {
        PyErr_Format(PyExc_ValueError, "browsers pass over %s of more than %d bytes", what,
                     MAX_ATTRIBUTE);
        return -1;
    }
    *slot = Py_NewRef(value);
    return 0;
}

static int
set_path(gh_cookie *self, PyObject *path)
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

/* A name or an address of a host, no more: not a URL, no port. A leading dot says nothing (RFC
 * 6265, 5.2.3). */
static int
set_domain(gh_cookie *self, PyObject *domain)
{
    if (set_attribute(&self->domain, domain, "a cookie's domain") < 0)
        return -1;
    if (self->domain == Py_None)
        return 0;
    const char *text = PyUnicode_DATA(self->domain);
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(self->domain); i++) {
        if (Py_ISALNUM(text[i]) || text[i] == '-' || text[i] == '.' || text[i] == '_')
            continue;
        PyErr_Format(PyExc_ValueError,
                     "a cookie's domain is a host's name such as \"example.com\", found %R",
                     self->domain);
        return -1;
    }
    return 0;
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
set_max_age(gh_cookie *self, PyObject *value)
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
set_expires(gh_cookie *self, PyObject *value)
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
set_samesite(gh_cookie *self, PyObject *value)
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
check_together(gh_cookie *self)
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
    else if ((starts_with(self->name, "__Http-") && !(self->secure && self->httponly)) ||
             (starts_with(self->name, "__Host-Http-") && !self->httponly))
        wrong = "browsers drop a cookie named __Http-... or __Host-Http-... unless it is secure "
                "and httponly";
    if (wrong == NULL)
        return 0;
    PyErr_SetString(PyExc_ValueError, wrong);
    return -1;
}

int
gh_cookie_fill(gh_cookie *self, PyObject *const *values)
{
    if (set_name(self, values[NAME]) < 0 || set_value(self, values[VALUE]) < 0 ||
        set_max_age(self, values[MAX_AGE]) < 0 || set_expires(self, values[EXPIRES]) < 0 ||
        set_path(self, values[PATH]) < 0 || set_domain(self, values[DOMAIN]) < 0 ||
        set_flag(&self->secure, values[SECURE]) < 0 ||
        set_flag(&self->httponly, values[HTTPONLY]) < 0 ||
        set_samesite(self, values[SAMESITE]) < 0 ||
        set_flag(&self->partitioned, values[PARTITIONED]) < 0)
        return -1;
    return check_together(self);
}
