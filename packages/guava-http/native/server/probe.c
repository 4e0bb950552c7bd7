/* probe.c: reads bytes as a connection would and says what it found: for the tests of core/, which
 * so need no connection, and see what a handler is never shown. */
#define PY_SSIZE_T_CLEAN
#include "server/parts.h"

#include "core/parser.h"

typedef struct {
    const char *bytes;
    size_t n;    /* of all */
    size_t step; /* bytes that come at a time */
    gh_limits limits;
} input;

static PyObject *
slice(gh_slice text)
{
    return PyBytes_FromStringAndSize(text.base, (Py_ssize_t)text.len);
}

static PyObject *
list_fields(const gh_head *head)
{
    PyObject *list = PyList_New((Py_ssize_t)head->n_fields);
    for (uint32_t i = 0; list != NULL && i < head->n_fields; i++) {
        const gh_field *field = &head->fields[i];
        PyObject *pair = Py_BuildValue("(NN)", slice(field->name), slice(field->value));
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
    }
    return list;
}

/* A slice may not leave the head: what keeps a request relies on it. */
static bool
is_inside(const gh_head *head, gh_slice text)
{
    return text.base >= head->start && text.base + text.len <= head->start + head->size;
}

static PyObject *
describe_head(const gh_head *head)
{
    const gh_slice all[] = {head->method, head->target, head->path, head->query, head->host};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        if (!is_inside(head, all[i])) {
            PyErr_SetString(PyExc_AssertionError, "a slice lies outside of its head");
            return NULL;
        }
    }
    return Py_BuildValue(
        "{s:N,s:N,s:N,s:N,s:N,s:N,s:i,s:N,s:N,s:N,s:K,s:N}", "method", slice(head->method),
        "target", slice(head->target), "path", slice(head->path), "query", slice(head->query),
        "host", slice(head->host), "fields", list_fields(head), "minor", (int)head->minor,
        "keep_alive", PyBool_FromLong(head->keep_alive), "chunked", PyBool_FromLong(head->chunked),
        "expect_continue", PyBool_FromLong(head->expect_continue), "content_length",
        (unsigned long long)head->content_length, "has_length", PyBool_FromLong(head->has_length));
}

static gh_verdict
read_chunks(const input *in, size_t *at, gh_buffer *body)
{
    gh_chunks chunks = {0};
    gh_verdict verdict = GH_MORE;
    while (*at < in->n && verdict == GH_MORE) {
        const char *next = in->bytes + *at;
        size_t n = in->n - *at < in->step ? in->n - *at : in->step;
        gh_slice data;
        verdict = gh_chunks_next(&chunks, &next, &n, &in->limits, &data);
        *at = (size_t)(next - in->bytes);
        if (!gh_buffer_add(body, data.base, data.len)) {
            PyErr_NoMemory();
            return GH_MORE;
        }
    }
    return verdict;
}

static gh_verdict
read_body(const input *in, const gh_head *head, size_t *at, gh_buffer *body)
{
    if (head->chunked)
        return read_chunks(in, at, body);
    if (in->n - *at < head->content_length)
        return GH_MORE;
    if (!gh_buffer_add(body, in->bytes + *at, (size_t)head->content_length))
        PyErr_NoMemory();
    *at += (size_t)head->content_length;
    return GH_OK;
}

static gh_verdict
read_head(const input *in, gh_field *fields, gh_head *head, size_t *at)
{
    gh_scan scan = {0};
    gh_verdict verdict = GH_MORE;
    for (size_t there = 0; there < in->n && verdict == GH_MORE;) {
        there = in->n - there < in->step ? in->n : there + in->step;
        verdict = gh_scan_head(&scan, in->bytes, there, &in->limits, at);
    }
    if (verdict == GH_OK)
        verdict = gh_parse_head(&scan, in->bytes, *at, &in->limits, fields, head);
    return verdict;
}

static PyObject *
probe(const input *in, gh_field *fields)
{
    gh_head head;
    gh_buffer body = {0};
    size_t at = 0;
    PyObject *result = NULL, *description = NULL;
    gh_verdict verdict = read_head(in, fields, &head, &at);
    if (verdict == GH_OK) {
        description = describe_head(&head);
        if (description == NULL)
            return NULL;
        verdict = read_body(in, &head, &at, &body);
    }
    if (!PyErr_Occurred()) {
        int status = verdict == GH_OK ? 0 : verdict == GH_MORE ? -1 : gh_verdict_status(verdict);
        result = Py_BuildValue("(iOy#n)", status, description == NULL ? Py_None : description,
                               body.bytes == NULL ? "" : body.bytes, (Py_ssize_t)body.end,
                               (Py_ssize_t)(description == NULL ? 0 : at));
    }
    gh_buffer_clear(&body);
    Py_XDECREF(description);
    return result;
}

static PyObject *
probe_call(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {
        "", "step", "head", "fields", "target", "body", "chunk_extensions", "trailers", NULL};
    Py_buffer data;
    Py_ssize_t step = PY_SSIZE_T_MAX;
    unsigned head = 64 * 1024, fields = GH_MAX_FIELDS, target = 8190;
    unsigned extensions = 4096, trailers = 8192;
    unsigned long long most_body = 8 * 1024 * 1024;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*|$nIIIKII:_probe", names, &data, &step,
                                     &head, &fields, &target, &most_body, &extensions, &trailers))
        return NULL;
    input in = {
        .bytes = data.buf,
        .n = (size_t)data.len,
        .step = step < 1 ? 1 : (size_t)step,
        .limits = {head, fields, target, most_body, extensions, trailers},
    };
    gh_field *room = PyMem_New(gh_field, fields + 1);
    PyObject *result = room == NULL ? PyErr_NoMemory() : probe(&in, room);
    PyMem_Free(room);
    PyBuffer_Release(&data);
    return result;
}

static PyMethodDef probe_methods[] = {
    {"_probe", (PyCFunction)(void (*)(void))probe_call, METH_VARARGS | METH_KEYWORDS,
     "_probe($module, data, /, *, step=..., head=65536, fields=100, target=8190, body=8388608,\n"
     "       chunk_extensions=4096, trailers=8192)\n"
     "--\n\n"
     "Read one request that comes `step` bytes at a time: (status, head, body, bytes taken), "
     "where\n"
     "status is 0, -1 when the request is incomplete, or the code of its refusal."},
    {NULL},
};

int
gh_probe_register(PyObject *module)
{
    return PyModule_AddFunctions(module, probe_methods);
}
