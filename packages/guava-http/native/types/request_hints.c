/* request_hints.c: Request.early_hints(). It is the request's, because a handler has nothing else
 * at hand while it works; the server's half is in server/hints.c. */
#include "types/request.h"

#include <string.h>

#include "core/field.h"

/* They would say how a body is framed that an interim answer does not have, or end the
 * connection under the answer to come. */
static const char *const refused[] = {"content-length", "transfer-encoding", "connection",
                                      "trailer",        "upgrade",           "keep-alive"};

static bool
is_refused(const gh_field *field)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (gh_same_name(field->name.base, field->name.len, refused[i], strlen(refused[i])))
            return true;
    }
    return false;
}

static PyObject *
rendered(gh_request *self, PyObject *headers)
{
    const gh_fields *fields = gh_headers_fields(headers);
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!is_refused(&fields->at[i]))
            continue;
        PyObject *name = gh_name_str(self->types, fields->at[i].name);
        if (name != NULL)
            PyErr_Format(PyExc_ValueError, "early hints have no %U", name);
        Py_XDECREF(name);
        return NULL;
    }
    const gh_field_text *lines = gh_headers_lines(headers);
    return PyBytes_FromStringAndSize(lines->text, (Py_ssize_t)lines->len);
}

PyObject *
gh_request_early_hints(PyObject *op, PyObject *source)
{
    gh_request *self = (gh_request *)op;
    PyObject *headers = gh_headers_from(self->types, source);
    PyObject *lines = headers == NULL ? NULL : rendered(self, headers);
    PyObject *result = NULL;
    if (lines != NULL && self->peer_owner == NULL)
        result = Py_NewRef(Py_False);
    else if (lines != NULL)
        result = PyObject_CallMethod(self->peer_owner, "early_hints", "OO", op, lines);
    Py_XDECREF(lines);
    Py_XDECREF(headers);
    return result;
}
