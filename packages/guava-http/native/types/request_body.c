/* request_body.c: the body of a request, in all the forms that it can be read in. What is native
 * is the body itself and urlencoded forms; streams, parts and multipart forms are in body.py,
 * multipart.py and forms.py, which are imported when they are first needed. */
#include "types/request.h"

#include <string.h>

#include "core/field.h"

#define FORM "application/x-www-form-urlencoded"
#define MULTIPART "multipart/form-data"
#define FORM_FIELDS 1000

/* ---- helpers ------------------------------------------------------------------------------- */

void
gh_request_set_reader(PyObject *op, PyObject *reader)
{
    gh_request *self = (gh_request *)op;
    self->empty = false;
    self->cached = true;
    Py_XSETREF(self->reader, Py_NewRef(reader));
}

/* The limits of the server that it came from; None for a request made by hand. */
static PyObject *
limits_of(gh_request *self)
{
    if (self->peer_owner == NULL)
        Py_RETURN_NONE;
    return PyObject_GetAttrString(self->peer_owner, "limits");
}

static int
read_most_fields(gh_request *self, uint64_t *most)
{
    *most = FORM_FIELDS;
    PyObject *limits = limits_of(self);
    int result = limits == NULL ? -1 : 0;
    if (result == 0 && limits != Py_None)
        result = gh_number_read(limits, "form_fields", 0, (uint64_t)1 << 62, most);
    Py_XDECREF(limits);
    return result;
}

/* Whether the body is there as a whole; sets RuntimeError if it is not. */
static bool
is_whole(const gh_request *self)
{
    if (self->reader == NULL || self->body != NULL)
        return true;
    PyErr_SetString(PyExc_RuntimeError,
                    "the body is streamed: read it with stream() or parts(), or all of it with "
                    "await read() first");
    return false;
}

static bool
is_of_type(const gh_request *self, const char *type, size_t type_len)
{
    gh_fields fields = {self->head.fields, self->head.n_fields};
    const gh_field *field = gh_fields_find(&fields, "content-type", 12);
    if (field == NULL)
        return false;
    const char *base = field->value.base;
    const char *semicolon = memchr(base, ';', field->value.len);
    size_t n = semicolon == NULL ? field->value.len : (size_t)(semicolon - base);
    gh_strip(&base, &n);
    return gh_same_name(base, n, type, type_len);
}

/* What a function of one of the Python modules makes of the request (and an argument). */
static PyObject *
ask(const char *module_name, const char *function, PyObject *op, PyObject *argument)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *callable = module == NULL ? NULL : PyObject_GetAttrString(module, function);
    PyObject *result =
        callable == NULL ? NULL : PyObject_CallFunctionObjArgs(callable, op, argument, NULL);
    Py_XDECREF(callable);
    Py_XDECREF(module);
    return result;
}

/* ---- what is made once --------------------------------------------------------------------- */

PyObject *
gh_request_make_body(gh_request *self)
{
    if (!is_whole(self))
        return NULL;
    return PyBytes_FromStringAndSize(self->body_base, (Py_ssize_t)self->body_len);
}

/* A pair of fields and files; both are kept, so it is made once. */
static int
read_multipart(gh_request *self)
{
    PyObject *pair = ask("guava_http.forms", "read_form", (PyObject *)self, NULL);
    if (pair == NULL)
        return -1;
    PyObject *fields, *files;
    int result = PyArg_ParseTuple(pair, "OO", &fields, &files) ? 0 : -1;
    if (result == 0) {
        if (self->post == NULL)
            self->post = Py_NewRef(fields);
        Py_XSETREF(self->files, Py_NewRef(files));
        self->cached = true;
    }
    Py_DECREF(pair);
    return result;
}

PyObject *
gh_request_make_post(gh_request *self)
{
    if (!is_whole(self))
        return NULL;
    if (is_of_type(self, MULTIPART, sizeof(MULTIPART) - 1)) {
        if (self->files == NULL && read_multipart(self) < 0)
            return NULL;
        if (self->post != NULL)
            return Py_NewRef(self->post);
    }
    const char *base = self->body_base;
    size_t n = self->body_len;
    uint64_t most = FORM_FIELDS;
    if (self->body != NULL) {
        base = PyBytes_AS_STRING(self->body);
        n = (size_t)PyBytes_GET_SIZE(self->body);
    }
    if (!is_of_type(self, FORM, sizeof(FORM) - 1))
        n = 0;
    if (n > 0 && read_most_fields(self, &most) < 0)
        return NULL;
    return gh_query_dict_parse(self->types, base, n, 413, most);
}

PyObject *
gh_request_make_files(gh_request *self)
{
    if (!is_whole(self))
        return NULL;
    if (is_of_type(self, MULTIPART, sizeof(MULTIPART) - 1))
        return read_multipart(self) < 0 ? NULL : Py_NewRef(self->files);
    return ask("guava_http.forms", "no_files", (PyObject *)self, NULL);
}

/* ---- getters and methods of the type ------------------------------------------------------- */

PyObject *
gh_request_stream(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return ask("guava_http.body", "open_stream", op, NULL);
}

PyObject *
gh_request_parts(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return ask("guava_http.multipart", "open_parts", op, NULL);
}

PyObject *
gh_request_read(PyObject *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    static const char *const names[] = {"limit"};
    static const gh_signature sig = {"read", names, 1, 1, 0};
    PyObject *limit;
    if (gh_bind(&sig, args, n, kwnames, &limit) < 0)
        return NULL;
    return ask("guava_http.body", "read_all", op, limit == NULL ? Py_None : limit);
}

PyObject *
gh_request_form(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyObject_GetAttrString(op, "POST");
}

PyObject *
gh_request_get_reader(PyObject *op, void *Py_UNUSED(closure))
{
    gh_request *self = (gh_request *)op;
    return Py_NewRef(self->reader == NULL || self->body != NULL ? Py_None : self->reader);
}

PyObject *
gh_request_get_limits(PyObject *op, void *Py_UNUSED(closure))
{
    return limits_of((gh_request *)op);
}

/* read() has read it: from now on it is a body like others. */
PyObject *
gh_request_keep_body(PyObject *op, PyObject *body)
{
    if (!PyBytes_Check(body))
        return PyErr_Format(PyExc_TypeError, "a body is bytes, not %.200s",
                            Py_TYPE(body)->tp_name);
    gh_request_set_body(op, body);
    Py_RETURN_NONE;
}
