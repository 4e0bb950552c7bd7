/* helpers.c: functions of core/ that are useful by themselves, with Python faces. */
#include "types/parts.h"

#include <datetime.h>
#include <time.h>

#include "core/date.h"
#include "core/date_parse.h"
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

/* By datetime's C interface, which is fetched each time: nothing to keep, and no Python runs. */
static PyObject *
utc_datetime(int64_t seconds)
{
    int64_t year, month, day;
    int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
    int64_t time = seconds - days * 86400;
    PyDateTime_CAPI *api = PyCapsule_Import(PyDateTime_CAPSULE_NAME, 0);
    if (api == NULL)
        return NULL;
    gh_date_civil(days, &year, &month, &day);
    return api->DateTime_FromDateAndTime((int)year, (int)month, (int)day, (int)(time / 3600),
                                         (int)(time / 60 % 60), (int)(time % 60), 0,
                                         api->TimeZone_UTC, api->DateTimeType);
}

static PyObject *
parse_date(PyObject *module, PyObject *text)
{
    gh_text date;
    int64_t seconds;
    if (PyBytes_Check(text))
        date = (gh_text){PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text)};
    else if (!PyUnicode_Check(text) || PyUnicode_MAX_CHAR_VALUE(text) < 256) {
        if (gh_latin1_text(text, "a date", &date) < 0)
            return NULL;
    } else
        date = (gh_text){"", 0};
    if (!gh_date_parse(date.base, date.len, (int64_t)time(NULL), &seconds))
        return PyErr_Format(PyExc_ValueError,
                            "a date is such as \"Sun, 06 Nov 1994 08:49:37 GMT\", found %R", text);
    return utc_datetime(seconds);
}

static PyObject *
quote(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"text", "safe"};
    static const gh_signature sig = {"quote", names, 2, 1, 1};
    PyObject *values[2];
    const char *text;
    const char *safe = "/";
    Py_ssize_t n;
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0)
        return NULL;
    if (values[1] != NULL) {
        gh_text kept;
        if (gh_latin1_text(values[1], "safe", &kept) < 0)
            return NULL;
        for (size_t i = 0; i < kept.len; i++) {
            if (kept.base[i] <= ' ' || kept.base[i] >= 0x7f)
                return PyErr_Format(PyExc_ValueError, "safe is visible ASCII, found %R",
                                    values[1]);
        }
        safe = kept.base;
    }
    if (PyBytes_Check(values[0])) {
        text = PyBytes_AS_STRING(values[0]);
        n = PyBytes_GET_SIZE(values[0]);
    } else if (PyUnicode_Check(values[0])) {
        text = PyUnicode_AsUTF8AndSize(values[0], &n);
    } else {
        return PyErr_Format(PyExc_TypeError, "quote() takes a str or bytes, not %.200s",
                            Py_TYPE(values[0])->tp_name);
    }
    if (text == NULL)
        return NULL;
    char *out = PyMem_Malloc((size_t)n * 3 + 1);
    if (out == NULL)
        return PyErr_NoMemory();
    PyObject *quoted = gh_latin1(out, gh_quote(text, (size_t)n, safe, out));
    PyMem_Free(out);
    return quoted;
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
    {"parse_date", parse_date, METH_O,
     "parse_date($module, text, /)\n--\n\n"
     "A date of a field (RFC 9110, 5.6.7) as a datetime in UTC: an IMF-fixdate, which\n"
     "http_date() writes, or its obsolete forms of RFC 850 and asctime().\n\n"
     "text: str or bytes. The leap second, 23:59:60, is the second after it; two digits of a "
     "year\n"
     "mean the latest such year that is at most fifty years ahead.\n"
     "ValueError: anything else, a day that does not exist, a weekday that is not the day's."},
    FAST(quote,
         "quote($module, text, *, safe='/')\n--\n\n"
         "Encodes the bytes of UTF-8 as %XX (RFC 3986, 2.1), but for letters, digits, -._~ "
         "and\nthe characters in safe.\n\n"
         "text: str or bytes. safe: str of visible ASCII; a '%' in it leaves what is already\n"
         "encoded as it is. ValueError: a lone surrogate in text."),
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
