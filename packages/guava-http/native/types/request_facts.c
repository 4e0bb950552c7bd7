/* request_facts.c: what a request's fields say, read for those who would else read the fields
 * themselves: types, lengths, who asks, and what is welcome. Nothing here is on the path of a
 * request that does not ask. */
#include "types/request.h"

#include <string.h>

#include "core/field.h"
#include "core/params.h"

/* ---- helpers ------------------------------------------------------------------------------- */

/* The value of a field that may stand once; empty if it is not there. */
static gh_text
field_text(PyObject *op, const char *name)
{
    gh_fields fields = gh_request_fields(op);
    const gh_field *field = gh_fields_find(&fields, name, strlen(name));
    return field == NULL ? (gh_text){"", 0} : (gh_text){field->value.base, field->value.len};
}

/* The values of a list, joined; a new reference to None if it is not there. */
static PyObject *
field_value(PyObject *op, const char *name)
{
    gh_fields fields = gh_request_fields(op);
    PyObject *value = gh_fields_get(&fields, (gh_text){name, strlen(name)});
    return value != NULL || PyErr_Occurred() ? value : Py_NewRef(Py_None);
}

static PyObject *
lower(gh_text text)
{
    PyObject *str = gh_latin1(text.base, text.len);
    if (str != NULL)
        Py_SETREF(str, PyObject_CallMethod(str, "lower", NULL));
    return str;
}

static PyObject *
function(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *found = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return found;
}

/* ---- the body's type and length ------------------------------------------------------------ */

PyObject *
gh_request_content_type(PyObject *op, void *Py_UNUSED(closure))
{
    return field_value(op, "content-type");
}

static gh_text
mimetype(PyObject *op, gh_text *params)
{
    *params = field_text(op, "content-type");
    return gh_params_value(params);
}

PyObject *
gh_request_mimetype(PyObject *op, void *Py_UNUSED(closure))
{
    gh_text params;
    return lower(mimetype(op, &params));
}

PyObject *
gh_request_is_json(PyObject *op, void *Py_UNUSED(closure))
{
    gh_text params;
    gh_text type = mimetype(op, &params);
    return PyBool_FromLong(gh_same_name(type.base, type.len, "application/json", 16) ||
                           (type.len > 17 && gh_same_name(type.base, 12, "application/", 12) &&
                            gh_same_name(type.base + type.len - 5, 5, "+json", 5)));
}

PyObject *
gh_request_charset(PyObject *op, void *Py_UNUSED(closure))
{
    gh_text rest;
    gh_text name;
    gh_text value;
    bool quoted;
    (void)mimetype(op, &rest);
    while (gh_param_next(&rest, &name, &value, &quoted)) {
        if (gh_same_name(name.base, name.len, "charset", 7) && gh_is_token(value.base, value.len))
            return lower(value);
    }
    return PyUnicode_FromString("utf-8");
}

PyObject *
gh_request_content_length(PyObject *op, void *Py_UNUSED(closure))
{
    gh_text text = field_text(op, "content-length");
    long long length = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.base[i] < '0' || text.base[i] > '9' || i == 18)
            Py_RETURN_NONE; /* only in a request made by hand */
        length = length * 10 + (text.base[i] - '0');
    }
    return text.len == 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(length);
}

/* ---- who asks, and for what ---------------------------------------------------------------- */

PyObject *
gh_request_is_secure(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((gh_request *)op)->secure);
}

PyObject *
gh_request_user_agent(PyObject *op, void *Py_UNUSED(closure))
{
    gh_text text = field_text(op, "user-agent");
    return gh_latin1(text.base, text.len);
}

PyObject *
gh_request_authorization(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *value = field_value(op, "authorization");
    PyObject *parse =
        value == NULL ? NULL : function("guava_http.authorization", "parse_authorization");
    PyObject *result = parse == NULL ? NULL : PyObject_CallOneArg(parse, value);
    Py_XDECREF(value);
    Py_XDECREF(parse);
    return result;
}

/* "/a" has no query and "/a?" an empty one: they are two URLs. The parser gives both a slice at
 * the end of the target, which is never empty. */
static bool
has_query(const gh_head *head)
{
    gh_slice query = head->query;
    return query.len > 0 || (query.base != NULL && query.base[-1] == '?');
}

/* A host that passes the parser may still be none, such as 300.1.1.1. */
PyObject *
gh_request_make_full_url(gh_request *self)
{
    const gh_head *head = &self->head;
    PyObject *url = NULL;
    PyObject *type = function("guava_http.url", "URL");
    PyObject *query =
        has_query(head) ? gh_latin1(head->query.base, head->query.len) : Py_NewRef(Py_None);
    PyObject *path = gh_latin1(head->path.base, head->path.len);
    PyObject *host = gh_latin1(head->host.base, head->host.len);
    if (type != NULL && query != NULL && path != NULL && host != NULL) {
        url = PyObject_CallMethod(type, "_of_request", "sOOO", self->secure ? "https" : "http",
                                  host, path, query);
        if (url == NULL && PyErr_ExceptionMatches(PyExc_ValueError))
            gh_raise(self->types, 400, "the request names no valid host");
    }
    Py_XDECREF(type);
    Py_XDECREF(query);
    Py_XDECREF(path);
    Py_XDECREF(host);
    return url;
}

/* ---- what is welcome ----------------------------------------------------------------------- */

typedef struct {
    const char *name;
    const char *type;
} short_name;

static PyObject *
media_type(PyObject *offer)
{
    static const short_name short_names[] = {
        {"html", "text/html"},           {"json", "application/json"}, {"text", "text/plain"},
        {"xml", "application/xml"},      {"css", "text/css"},          {"csv", "text/csv"},
        {"events", "text/event-stream"}, {"pdf", "application/pdf"},
    };
    for (size_t i = 0; PyUnicode_Check(offer) && i < sizeof(short_names) / sizeof(*short_names);
         i++) {
        if (PyUnicode_CompareWithASCIIString(offer, short_names[i].name) == 0)
            return PyUnicode_FromString(short_names[i].type);
    }
    return Py_NewRef(offer);
}

static PyObject *
accepted(PyObject *op, const char *field, PyObject *offers, gh_choose_fn choose)
{
    PyObject *value = field_value(op, field);
    Py_ssize_t best = value == NULL ? -2 : choose(value, offers);
    Py_XDECREF(value);
    if (best == -2)
        return NULL;
    return Py_NewRef(best < 0 ? Py_None : PyTuple_GET_ITEM(offers, best));
}

PyObject *
gh_request_accepts(PyObject *op, PyObject *offers)
{
    Py_ssize_t n = PyTuple_GET_SIZE(offers);
    PyObject *types = PyTuple_New(n);
    for (Py_ssize_t i = 0; types != NULL && i < n; i++) {
        PyObject *type = media_type(PyTuple_GET_ITEM(offers, i));
        if (type == NULL)
            Py_CLEAR(types);
        else
            PyTuple_SET_ITEM(types, i, type);
    }
    PyObject *best = types == NULL ? NULL : accepted(op, "accept", types, gh_choose_type);
    /* Of the types we go back to the caller's own object. */
    for (Py_ssize_t i = 0; best != NULL && i < n; i++) {
        if (PyTuple_GET_ITEM(types, i) == best) {
            Py_SETREF(best, Py_NewRef(PyTuple_GET_ITEM(offers, i)));
            break;
        }
    }
    Py_XDECREF(types);
    return best;
}

PyObject *
gh_request_accepts_language(PyObject *op, PyObject *offers)
{
    return accepted(op, "accept-language", offers, gh_choose_language);
}
