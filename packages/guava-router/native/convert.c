/* convert.c: the texts of a path as the values that an action's annotations ask for.
 *
 * It is separate from the table because it is the one step of a match that may run Python. What a
 * converter is was decided when the routes were listed (see conversions.py): None leaves the text
 * as it is, the type int is done here, anything else is called with the text, and a ValueError
 * means that the path is not this route's. */
#include "parts.h"

#include <string.h>

#define MOST_DIGITS 4300 /* as many as int() takes by default: more would be work for nothing */
#define FEW_DIGITS 18    /* certainly fit into 64 bits */

/* The path is valid UTF-8, and a cut at a slash keeps it so. */
PyObject *
gr_text(const char *at, Py_ssize_t n, bool ascii)
{
    if (!ascii || n < 2)
        return PyUnicode_FromStringAndSize(at, n); /* one letter is not made but shared */
    PyObject *text = PyUnicode_New(n, 127);
    if (text != NULL)
        memcpy(PyUnicode_1BYTE_DATA(text), at, (size_t)n);
    return text;
}

static int
convert_long(const char *at, Py_ssize_t n, PyObject **out)
{
    PyObject *text = PyUnicode_FromStringAndSize(at, n);
    if (text == NULL)
        return -1;
    *out = PyLong_FromUnicodeObject(text, 10);
    Py_DECREF(text);
    if (*out != NULL)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return -1;
    PyErr_Clear(); /* the program allows fewer digits: sys.set_int_max_str_digits() */
    return 0;
}

/* A minus sign or none, and ASCII digits: no plus, blanks, underscores or other scripts, so that a
 * number has few addresses. */
static int
convert_int(const char *at, Py_ssize_t n, PyObject **out)
{
    bool minus = n > 0 && at[0] == '-';
    Py_ssize_t digits = n - minus;
    if (digits < 1 || digits > MOST_DIGITS)
        return 0;
    long long value = 0;
    for (Py_ssize_t i = minus; i < n; i++) {
        if (at[i] < '0' || at[i] > '9')
            return 0;
        if (digits <= FEW_DIGITS)
            value = value * 10 + (at[i] - '0');
    }
    if (digits > FEW_DIGITS)
        return convert_long(at, n, out);
    *out = PyLong_FromLongLong(minus ? -value : value);
    return *out == NULL ? -1 : 1;
}

int
gr_convert(PyObject *converter, const char *at, Py_ssize_t n, bool ascii, PyObject **out)
{
    if (converter == (PyObject *)&PyLong_Type)
        return convert_int(at, n, out);
    PyObject *text = gr_text(at, n, ascii);
    if (text == NULL)
        return -1;
    if (converter == Py_None) {
        *out = text;
        return 1;
    }
    *out = PyObject_CallOneArg(converter, text);
    Py_DECREF(text);
    if (*out != NULL)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return -1;
    PyErr_Clear();
    return 0;
}
