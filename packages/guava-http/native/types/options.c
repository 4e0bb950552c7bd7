/* options.c: fields that are a value with parameters, such as Content-Type and
 * Content-Disposition (RFC 9110, 5.6.6; RFC 8187), for Python. */
#include "types/parts.h"

#include <string.h>

#include "core/field.h"
#include "core/params.h"

/* ---- values -------------------------------------------------------------------------------- */

static PyObject *
unescaped(gh_text value, bool quoted)
{
    if (!quoted || value.len == 0 || memchr(value.base, '\\', value.len) == NULL)
        return gh_utf8_or_latin1(value.base, value.len);
    char *plain = PyMem_Malloc(value.len);
    if (plain == NULL)
        return PyErr_NoMemory();
    PyObject *str = gh_utf8_or_latin1(plain, gh_quoted_unescape(value.base, value.len, plain));
    PyMem_Free(plain);
    return str;
}

/* UTF-8'en'na%C3%AFve (RFC 8187, 3.2.1). NULL without an exception if it is none of these. */
static PyObject *
extended(gh_text value)
{
    const char *end = value.base + value.len;
    const char *first = value.len == 0 ? NULL : memchr(value.base, '\'', value.len);
    const char *second = first == NULL ? NULL : memchr(first + 1, '\'', (size_t)(end - first - 1));
    if (second == NULL)
        return NULL;
    size_t n = (size_t)(first - value.base);
    gh_text text = {second + 1, (size_t)(end - second - 1)};
    bool utf_8 = gh_same_name(value.base, n, "utf-8", 5);
    if (!utf_8 && !gh_same_name(value.base, n, "iso-8859-1", 10))
        return NULL;
    char *plain = PyMem_Malloc(text.len + 1);
    if (plain == NULL)
        return PyErr_NoMemory();
    size_t len = gh_unquote(text.base, text.len, false, plain);
    PyObject *str =
        utf_8 ? PyUnicode_DecodeUTF8(plain, (Py_ssize_t)len, NULL) : gh_latin1(plain, len);
    PyMem_Free(plain);
    if (str == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear();
    return str;
}

/* ---- the dict ------------------------------------------------------------------------------ */

static PyObject *
lower_name(gh_text name)
{
    PyObject *str = gh_latin1(name.base, name.len);
    if (str != NULL)
        Py_SETREF(str, PyObject_CallMethod(str, "lower", NULL));
    return str;
}

/* The first of each name counts; but filename* counts before filename (RFC 6266, 4.3). */
static int
add_param(PyObject *dict, gh_text name, gh_text value, bool quoted, bool extend)
{
    bool star = extend && name.len > 1 && name.base[name.len - 1] == '*';
    PyObject *text = star && !quoted ? extended(value) : NULL;
    if (text == NULL && !PyErr_Occurred()) {
        star = false;
        text = unescaped(value, quoted);
    }
    if (star)
        name.len--;
    PyObject *key = text == NULL ? NULL : lower_name(name);
    int result = -1;
    if (key != NULL && star)
        result = PyDict_SetItem(dict, key, text);
    else if (key != NULL)
        result = PyDict_SetDefault(dict, key, text) == NULL ? -1 : 0;
    Py_XDECREF(key);
    Py_XDECREF(text);
    return result;
}

PyObject *
gh_params_dict(gh_text rest, bool extend)
{
    PyObject *dict = PyDict_New();
    gh_text name;
    gh_text value;
    bool quoted;
    while (dict != NULL && gh_param_next(&rest, &name, &value, &quoted)) {
        if (add_param(dict, name, value, quoted, extend) < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

/* ---- for Python ---------------------------------------------------------------------------- */

static PyObject *
parse_options_header(PyObject *Py_UNUSED(module), PyObject *field)
{
    gh_text rest = {"", 0};
    PyObject *bytes = NULL;
    if (PyUnicode_Check(field) && PyUnicode_MAX_CHAR_VALUE(field) >= 256) {
        bytes = PyUnicode_AsUTF8String(field);
        if (bytes == NULL)
            return NULL;
        field = bytes;
    }
    if (PyBytes_Check(field))
        rest = (gh_text){PyBytes_AS_STRING(field), (size_t)PyBytes_GET_SIZE(field)};
    else if (field != Py_None && gh_latin1_text(field, "a field value", &rest) < 0)
        return NULL;
    PyObject *value = lower_name(gh_params_value(&rest));
    PyObject *params = value == NULL ? NULL : gh_params_dict(rest, true);
    Py_XDECREF(bytes);
    if (params == NULL) {
        Py_XDECREF(value);
        return NULL;
    }
    return Py_BuildValue("NN", value, params);
}

static PyMethodDef functions[] = {
    {"parse_options_header", parse_options_header, METH_O,
     "parse_options_header($module, value, /)\n--\n\n"
     "Content-Type, Content-Disposition and the like (RFC 9110, 5.6.6): a tuple of the value in\n"
     "lower case and a dict of its parameters, names in lower case, quotes and the escapes \\\" "
     "and\n\\\\ taken out. name*=UTF-8''%C3%A9 (RFC 8187) is decoded, stands under name, and "
     "counts\n"
     "before a plain name; else the first of each name counts. What is malformed is passed "
     "over.\n\n"
     "value: str, bytes or None. Bytes that are not UTF-8 are read as latin-1."},
    {NULL},
};

int
gh_options_register(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
