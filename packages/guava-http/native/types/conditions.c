/* conditions.c: ranges and conditional requests for Python: parse_range() and is_not_modified(),
 * over the same functions of core/ that answer a FileResponse's requests. */
#include "core/conditions.h"

#include <time.h>

#include "core/ranges.h"
#include "module.h"
#include "types/parts.h"

static int
take_size(PyObject *object, int64_t *size)
{
    *size = PyLong_AsLongLong(object);
    if (*size == -1 && PyErr_Occurred())
        return -1;
    if (*size >= 0)
        return 0;
    PyErr_SetString(PyExc_ValueError, "a size is not negative");
    return -1;
}

static PyObject *
ranges_list(const gh_range *ranges, int n)
{
    PyObject *list = PyList_New(n);
    for (int i = 0; list != NULL && i < n; i++) {
        PyObject *pair =
            Py_BuildValue("LL", (long long)ranges[i].start, (long long)ranges[i].stop);
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static PyObject *
parse_range(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"value", "size"};
    static const gh_signature sig = {"parse_range", names, 2, 2, 2};
    PyObject *values[2];
    gh_text field;
    int64_t size;
    gh_range ranges[GH_MOST_RANGES];
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0 || take_size(values[1], &size) < 0)
        return NULL;
    if (values[0] == Py_None)
        Py_RETURN_NONE;
    if (PyBytes_Check(values[0]))
        field = (gh_text){PyBytes_AS_STRING(values[0]), (size_t)PyBytes_GET_SIZE(values[0])};
    else if (gh_latin1_text(values[0], "a field value", &field) < 0)
        return NULL;
    int n = gh_ranges_parse(field, size, ranges);
    if (n > 0)
        return ranges_list(ranges, n);
    if (n == GH_RANGES_IGNORED)
        Py_RETURN_NONE;
    gh_raise(gh_types_of(module), 416, "no range lies within what is there");
    return NULL;
}

/* Any mapping may come; only those of our own are read without a copy. */
static PyObject *
fields_of(gh_types *types, PyObject *headers, gh_fields *fields)
{
    PyObject *owner = Py_NewRef(headers);
    const gh_fields *found = gh_fields_of(types, headers);
    if (found == NULL && !PyErr_Occurred()) {
        Py_SETREF(owner, gh_headers_from(types, headers));
        found = owner == NULL ? NULL : gh_fields_of(types, owner);
    }
    if (found == NULL) {
        Py_XDECREF(owner);
        return NULL;
    }
    *fields = *found;
    return owner;
}

static PyObject *
is_not_modified(PyObject *module, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
    static const char *const names[] = {"headers", "etag", "last_modified"};
    static const gh_signature sig = {"is_not_modified", names, 3, 3, 1};
    PyObject *values[3];
    gh_fields fields;
    gh_validators v = {.now = (int64_t)time(NULL)};
    if (gh_bind(&sig, args, n_args, kwnames, values) < 0)
        return NULL;
    if (values[1] != NULL && values[1] != Py_None) {
        if (gh_latin1_text(values[1], "an entity tag", &v.etag) < 0)
            return NULL;
        if (!gh_is_etag(v.etag))
            return PyErr_Format(PyExc_ValueError,
                                "an entity tag is such as '\"abc\"' or 'W/\"abc\"', found %R",
                                values[1]);
    }
    if (values[2] != NULL && values[2] != Py_None) {
        v.has_date = true;
        if (gh_seconds(values[2], &v.modified) < 0)
            return NULL;
    }
    PyObject *owner = fields_of(gh_types_of(module), values[0], &fields);
    if (owner == NULL)
        return NULL;
    gh_condition condition = gh_conditions(fields.at, fields.n, &v);
    Py_DECREF(owner);
    if (condition != GH_FAILED)
        return PyBool_FromLong(condition == GH_NOT_MODIFIED);
    gh_raise(gh_types_of(module), 412, "what is there is not what the client expects");
    return NULL;
}

#define FAST METH_FASTCALL | METH_KEYWORDS

static PyMethodDef functions[] = {
    {"parse_range", (PyCFunction)(void (*)(void))parse_range, FAST,
     "parse_range($module, value, size)\n--\n\n"
     "What a Range field asks for (RFC 9110, 14.2).\n\n"
     "value: str or bytes, such as \"bytes=0-499, -500\", or None. size: int, bytes of what is\n"
     "there. Gives a list of (start, stop) with 0 <= start < stop <= size, at most 16 in the\n"
     "order asked for; those that overlap or are less than 80 bytes apart have become one. None:\n"
     "there is no field, or one to ignore (malformed, another unit, over 16 ranges), and all is\n"
     "to be sent. RequestError (416): all ranges lie outside. ValueError: size is negative."},
    {"is_not_modified", (PyCFunction)(void (*)(void))is_not_modified, FAST,
     "is_not_modified($module, headers, etag=None, last_modified=None)\n--\n\n"
     "Whether a GET or HEAD is to be answered by 304, in the order of RFC 9110, 13.2.2.\n\n"
     "headers: of the request, a mapping or pairs. etag: str with its quotes, of what would be\n"
     "sent. last_modified: int, float or datetime. RequestError (412): If-Match or\n"
     "If-Unmodified-Since does not hold. ValueError: etag is no entity tag."},
    {NULL},
};

int
gh_conditions_register(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
