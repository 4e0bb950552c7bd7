/* helpers.c: functions of core/ that are useful by themselves, with Python faces. */
#include "types/parts.h"

#include <time.h>

#include "core/date.h"
#include "core/status.h"

static PyObject *
http_date(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"when"};
    static const gh_signature sig = {"http_date", names, 1, 1, 0};
    PyObject *when;
    int64_t seconds;
    char date[GH_DATE_SIZE];
    if (gh_bind(&sig, args, n_args, kwnames, &when) < 0)
        return NULL;
    if (when == NULL || when == Py_None)
        seconds = (int64_t)time(NULL);
    else if (gh_seconds(when, &seconds) < 0)
        return NULL;
    if (!gh_date_render(seconds, date)) {
        PyErr_SetString(PyExc_ValueError, "a time is within the years 1 to 9999");
        return NULL;
    }
    return gh_latin1(date, GH_DATE_SIZE);
}

static PyObject *
status_phrase(PyObject *module, PyObject *code)
{
    size_t n = 0;
    long status = PyLong_AsLong(code);
    if (status == -1 && PyErr_Occurred())
        return NULL;
    const char *phrase = status < 100 || status > 599 ? NULL : gh_status_phrase((int)status, &n);
    return gh_latin1(phrase == NULL ? "" : phrase, n);
}

static PyObject *
unquote(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"text", "plus"};
    static const gh_signature sig = {"unquote", names, 2, 1, 1};
    PyObject *values[2];
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0)
        return NULL;
    int plus = values[1] == NULL ? 0 : PyObject_IsTrue(values[1]);
    if (plus < 0)
        return NULL;
    if (PyBytes_Check(values[0]))
        return gh_decoded(PyBytes_AS_STRING(values[0]), (size_t)PyBytes_GET_SIZE(values[0]), plus);
    if (!PyUnicode_Check(values[0]))
        return PyErr_Format(PyExc_TypeError, "unquote() takes a str or bytes, not %.200s",
                            Py_TYPE(values[0])->tp_name);
    Py_ssize_t n;
    const char *text = PyUnicode_AsUTF8AndSize(values[0], &n);
    return text == NULL ? NULL : gh_decoded(text, (size_t)n, plus);
}

#define FAST(name, doc)                                                                           \
    {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, doc}

static PyMethodDef helpers[] = {
    FAST(http_date,
         "http_date($module, when=None)\n--\n\n"
         "A date as HTTP writes it: 'Sun, 06 Nov 1994 08:49:37 GMT' (RFC 9110, 5.6.7).\n\n"
         "when: int or float (seconds since 1970), a datetime (naive: UTC), None for\n"
         "now. ValueError: outside the years 1 to 9999."),
    {"status_phrase", status_phrase, METH_O,
     "status_phrase($module, code, /)\n--\n\n"
     "The standard phrase of a status code, 'Not Found' for 404; '' for an unregistered one."},
    FAST(unquote, "unquote($module, text, *, plus=False)\n--\n\n"
                  "Decodes %XX as UTF-8 (RFC 3986, 2.1); bytes that are not UTF-8 become U+FFFD,\n"
                  "a '%' without two hexadecimal digits stays.\n\n"
                  "text: str or bytes. plus: '+' is a space, as in forms."),
    {NULL},
};

int
gh_helpers_register(PyObject *module)
{
    return PyModule_AddFunctions(module, helpers);
}
