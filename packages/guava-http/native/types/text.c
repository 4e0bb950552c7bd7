/* text.c: the way between the bytes of HTTP and str. Field values are latin-1, as RFC 9110 leaves
 * bytes from 0x80 up without meaning; paths, queries and forms are UTF-8, as browsers send them.
 * What a server reads again and again is made once: method names, well-known field names. */
#include "types/parts.h"

#include <math.h>
#include <string.h>

#include "core/field.h"

static const gh_text methods[GH_METHODS] = {
    {"GET", 3},     {"POST", 4},  {"PUT", 3},   {"DELETE", 6},  {"HEAD", 4},
    {"OPTIONS", 7}, {"PATCH", 5}, {"TRACE", 5}, {"CONNECT", 7},
};

static const char *const known_names[] = {
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "DNT",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "Origin",
    "Pragma",
    "Range",
    "Referer",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-Fetch-User",
    "Transfer-Encoding",
    "User-Agent",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "X-Requested-With",
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "user-agent",
};

/* ---- tables -------------------------------------------------------------------------------- */

static unsigned
name_slot(const char *name, size_t n)
{
    return (unsigned)(n * 31 + (unsigned char)name[0] * 7 + (unsigned char)name[n - 1]) %
           GH_NAME_SLOTS;
}

static int
add_name(gh_types *types, const char *name)
{
    unsigned slot = name_slot(name, strlen(name));
    while (types->names[slot] != NULL)
        slot = (slot + 1) % GH_NAME_SLOTS;
    types->names[slot] = PyUnicode_InternFromString(name);
    return types->names[slot] == NULL ? -1 : 0;
}

int
gh_text_setup(gh_types *types)
{
    for (size_t i = 0; i < GH_METHODS; i++) {
        types->methods[i] = PyUnicode_InternFromString(methods[i].base);
        if (types->methods[i] == NULL)
            return -1;
    }
    for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++) {
        if (add_name(types, known_names[i]) < 0)
            return -1;
    }
    types->empty = PyUnicode_InternFromString("");
    types->versions[0] = PyUnicode_InternFromString("1.0");
    types->versions[1] = PyUnicode_InternFromString("1.1");
    if (types->empty == NULL || types->versions[0] == NULL || types->versions[1] == NULL)
        return -1;
    return 0;
}

PyObject *
gh_method_str(gh_types *types, gh_slice method)
{
    for (size_t i = 0; i < GH_METHODS; i++) {
        if (methods[i].len == method.len && memcmp(methods[i].base, method.base, method.len) == 0)
            return Py_NewRef(types->methods[i]);
    }
    return gh_latin1(method.base, method.len);
}

PyObject *
gh_name_str(gh_types *types, gh_slice name)
{
    if (name.len == 0)
        return Py_NewRef(types->empty);
    unsigned slot = name_slot(name.base, name.len);
    for (; types->names[slot] != NULL; slot = (slot + 1) % GH_NAME_SLOTS) {
        PyObject *known = types->names[slot];
        if (PyUnicode_GET_LENGTH(known) == (Py_ssize_t)name.len &&
            memcmp(PyUnicode_DATA(known), name.base, name.len) == 0)
            return Py_NewRef(known);
    }
    return gh_latin1(name.base, name.len);
}

/* ---- paths --------------------------------------------------------------------------------- */

#define LONGEST_PATH 96 /* that is remembered */

static unsigned
path_slot(const char *path, size_t n)
{
    uint64_t head = 0;
    uint64_t tail = 0;
    size_t part = n < sizeof(head) ? n : sizeof(head);
    memcpy(&head, path, part);
    memcpy(&tail, path + n - part, part);
    return (unsigned)(((head ^ (tail << 1) ^ n) * 0x9E3779B97F4A7C15u) >> 58);
}

/* A site has a few paths that are asked for again and again. Their strings are kept, each until
 * another falls into its place: what is saved is not so much making the str as its hash, which a
 * str remembers and every router needs. */
PyObject *
gh_path_str(gh_types *types, gh_slice path)
{
    if (path.len == 0 || path.len > LONGEST_PATH || memchr(path.base, '%', path.len) != NULL)
        return gh_decoded(path.base, path.len, false);
    PyObject **slot = &types->paths[path_slot(path.base, path.len)];
    if (*slot != NULL && (size_t)PyUnicode_GET_LENGTH(*slot) == path.len &&
        memcmp(PyUnicode_DATA(*slot), path.base, path.len) == 0)
        return Py_NewRef(*slot);
    PyObject *made = gh_utf8(path.base, path.len);
    if (made != NULL && PyUnicode_IS_ASCII(made))
        Py_XSETREF(*slot, Py_NewRef(made));
    return made;
}

/* ---- to str -------------------------------------------------------------------------------- */

PyObject *
gh_latin1(const char *base, size_t n)
{
    return PyUnicode_DecodeLatin1(base, (Py_ssize_t)n, NULL);
}

PyObject *
gh_utf8_or_latin1(const char *base, size_t n)
{
    PyObject *str = PyUnicode_DecodeUTF8(base, (Py_ssize_t)n, NULL);
    if (str != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return str;
    PyErr_Clear();
    return gh_latin1(base, n);
}

/* Eight bytes at a time: nearly every text of HTTP is ASCII. */
static bool
is_ascii(const char *base, size_t n)
{
    uint64_t all = 0;
    uint64_t word;
    for (; n >= sizeof(word); base += sizeof(word), n -= sizeof(word)) {
        memcpy(&word, base, sizeof(word));
        all |= word;
    }
    for (; n > 0; n--)
        all |= (uint64_t)(unsigned char)*base++;
    return (all & 0x8080808080808080u) == 0;
}

PyObject *
gh_utf8(const char *base, size_t n)
{
    if (is_ascii(base, n)) {
        PyObject *str = PyUnicode_New((Py_ssize_t)n, 127);
        if (str != NULL && n > 0)
            memcpy(PyUnicode_DATA(str), base, n);
        return str;
    }
    return PyUnicode_DecodeUTF8(base, (Py_ssize_t)n, "replace");
}

PyObject *
gh_decoded(const char *base, size_t n, bool plus)
{
    char small[256];
    if (n == 0 || (memchr(base, '%', n) == NULL && !(plus && memchr(base, '+', n) != NULL)))
        return gh_utf8(base, n);
    char *decoded = n <= sizeof(small) ? small : PyMem_Malloc(n);
    if (decoded == NULL)
        return PyErr_NoMemory();
    PyObject *result = gh_utf8(decoded, gh_unquote(base, n, plus, decoded));
    if (decoded != small)
        PyMem_Free(decoded);
    return result;
}

/* ---- from str ------------------------------------------------------------------------------ */

int
gh_latin1_text(PyObject *object, const char *what, gh_text *text)
{
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str, not %.200s", what,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(object) < 0)
        return -1;
#endif
    if (PyUnicode_KIND(object) != PyUnicode_1BYTE_KIND) {
        PyErr_Format(PyExc_ValueError, "%s must be latin-1, found %R", what, object);
        return -1;
    }
    *text = (gh_text){PyUnicode_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
    return 0;
}

int
gh_field_name(PyObject *object, gh_text *text)
{
    if (gh_latin1_text(object, "a field name", text) < 0)
        return -1;
    if (!gh_is_token(text->base, text->len)) {
        PyErr_Format(PyExc_ValueError,
                     "a field name is letters, digits and !#$%%&'*+-.^_`|~ only, found %R",
                     object);
        return -1;
    }
    return 0;
}

int
gh_field_value(PyObject *object, gh_text *text)
{
    if (gh_latin1_text(object, "a field value", text) < 0)
        return -1;
    if (!gh_is_field_value(text->base, text->len)) {
        PyErr_Format(PyExc_ValueError, "a field value has no control characters, found %R",
                     object);
        return -1;
    }
    gh_strip(&text->base, &text->len);
    return 0;
}

int
gh_has(PyObject *object, const char *name)
{
    PyObject *attribute = PyObject_GetAttrString(object, name);
    Py_XDECREF(attribute);
    if (attribute != NULL)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    return 0;
}

/* ---- time ---------------------------------------------------------------------------------- */

static PyObject *
datetime_seconds(PyObject *object)
{
    int known = gh_has(object, "utctimetuple");
    if (known <= 0)
        return known < 0 ? NULL
                         : PyErr_Format(PyExc_TypeError,
                                        "a time is an int or a float (seconds since 1970) or a "
                                        "datetime, not %.200s",
                                        Py_TYPE(object)->tp_name);
    PyObject *seconds = NULL;
    PyObject *calendar = NULL;
    PyObject *utc = PyObject_CallMethod(object, "utctimetuple", NULL);
    if (utc != NULL)
        calendar = PyImport_ImportModule("calendar");
    if (calendar != NULL)
        seconds = PyObject_CallMethod(calendar, "timegm", "(O)", utc);
    Py_XDECREF(calendar);
    Py_XDECREF(utc);
    return seconds;
}

int
gh_seconds(PyObject *object, int64_t *seconds)
{
    PyObject *number;
    if (PyLong_Check(object))
        number = Py_NewRef(object);
    else if (PyFloat_Check(object))
        number = PyLong_FromDouble(floor(PyFloat_AS_DOUBLE(object)));
    else
        number = datetime_seconds(object);
    if (number == NULL)
        return -1;
    int overflow;
    *seconds = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    if (overflow != 0) {
        PyErr_SetString(PyExc_ValueError, "a time is within the years 1 to 9999");
        return -1;
    }
    return *seconds == -1 && PyErr_Occurred() ? -1 : 0;
}
