/* request_head.c: what the server does with a request. On the path of every request are
 * gh_request_reset(), gh_request_set_peer() and gh_request_is_ours(): they allocate nothing, and
 * for a handler that reads nothing they only copy the head. */
#include "types/request.h"

#include <string.h>

static const gh_head no_head = {.path = {"/", 1}, .target = {"/", 1}, .method = {"GET", 3}};

static void
clear_caches(gh_request *self)
{
    Py_CLEAR(self->url);
    Py_CLEAR(self->full_url);
    Py_CLEAR(self->path);
    Py_CLEAR(self->host);
    Py_CLEAR(self->get);
    Py_CLEAR(self->post);
    Py_CLEAR(self->files);
    Py_CLEAR(self->reader);
    Py_CLEAR(self->cookies);
    Py_CLEAR(self->body);
    Py_CLEAR(self->peer);
    self->cached = false;
}

void
gh_request_forget(gh_request *self)
{
    if (self->cached)
        clear_caches(self);
    self->head = no_head;
    PyMem_Free(self->own);
    self->own = NULL;
    self->body_base = NULL;
    self->body_len = 0;
    self->peer_fn = NULL;
    self->peer_arg = NULL;
    self->secure = false;
    self->disconnected = false;
    Py_CLEAR(self->peer_owner);
    Py_CLEAR(self->dict);
    self->empty = true;
}

PyObject *
gh_request_from_head(PyObject *module, const gh_head *head)
{
    gh_types *types = gh_types_of(module);
    gh_request *self = (gh_request *)types->request->tp_alloc(types->request, 0);
    if (self == NULL)
        return NULL;
    self->types = types;
    self->head = *head;
    return (PyObject *)self;
}

/* Who decides what becomes of the body may have looked for it before it was there. */
static void
forget_body(gh_request *self)
{
    if (!self->cached)
        return;
    Py_CLEAR(self->post);
    Py_CLEAR(self->files);
    Py_CLEAR(self->body);
}

void
gh_request_borrow_body(PyObject *op, const char *body, size_t n)
{
    gh_request *self = (gh_request *)op;
    forget_body(self);
    self->empty = false;
    self->body_base = body;
    self->body_len = n;
}

void
gh_request_set_body(PyObject *op, PyObject *body)
{
    gh_request *self = (gh_request *)op;
    forget_body(self);
    self->empty = false;
    Py_XSETREF(self->body, Py_NewRef(body));
    self->body_base = NULL;
    self->body_len = 0;
    self->cached = true;
}

void
gh_request_set_peer(PyObject *op, gh_peer_fn fn, void *arg, PyObject *owner)
{
    gh_request *self = (gh_request *)op;
    self->empty = false;
    self->peer_fn = fn;
    self->peer_arg = arg;
    Py_XSETREF(self->peer_owner, Py_XNewRef(owner));
}

void
gh_request_set_secure(PyObject *op)
{
    gh_request *self = (gh_request *)op;
    self->empty = false;
    self->secure = true;
}

void
gh_request_set_disconnected(PyObject *op)
{
    gh_request *self = (gh_request *)op;
    self->empty = false;
    self->disconnected = true;
}

/* A weak reference would see the next request in the same object. */
int
gh_request_is_ours(PyObject *op)
{
    return Py_REFCNT(op) == 1 && ((gh_request *)op)->weak == NULL;
}

/* ---- copying ------------------------------------------------------------------------------- */

typedef struct {
    const char *from;
    uint32_t size;
    char *to;
} move;

/* A slice outside the head is a constant ("/" where the target has no path) and stays. */
static void
move_slice(const move *m, gh_slice *slice)
{
    uintptr_t at = (uintptr_t)slice->base - (uintptr_t)m->from;
    if (slice->base != NULL && at <= m->size)
        slice->base = m->to + at;
}

static int
copy_head(gh_request *self)
{
    gh_head *head = &self->head;
    size_t index_size = head->n_fields * sizeof(gh_field);
    char *own = PyMem_Malloc(index_size + head->size + 1);
    if (own == NULL)
        return -1;
    gh_field *fields = (gh_field *)own;
    move m = {head->start, head->size, own + index_size};
    if (head->size > 0)
        memcpy(m.to, head->start, head->size);
    if (index_size > 0)
        memcpy(fields, head->fields, index_size);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        move_slice(&m, &fields[i].name);
        move_slice(&m, &fields[i].value);
    }
    move_slice(&m, &head->method);
    move_slice(&m, &head->target);
    move_slice(&m, &head->path);
    move_slice(&m, &head->query);
    move_slice(&m, &head->host);
    head->fields = fields;
    head->start = m.to;
    self->own = own;
    return 0;
}

static int
copy_body(gh_request *self)
{
    if (self->body_base == NULL)
        return 0;
    if (self->body == NULL) {
        self->body = PyBytes_FromStringAndSize(self->body_base, (Py_ssize_t)self->body_len);
        if (self->body == NULL)
            return -1;
        self->cached = true;
    }
    self->body_base = NULL;
    self->body_len = 0;
    return 0;
}

int
gh_request_detach(PyObject *op)
{
    gh_request *self = (gh_request *)op;
    if (self->own == NULL && copy_head(self) < 0)
        PyErr_NoMemory();
    else if (copy_body(self) == 0)
        return 0;
    PyMem_Free(self->own);
    self->own = NULL;
    self->head = no_head;
    self->body_base = NULL;
    self->body_len = 0;
    return -1;
}

void
gh_request_reset(PyObject *op, const gh_head *head)
{
    gh_request *self = (gh_request *)op;
    if (!self->empty)
        gh_request_forget(self);
    if (head != NULL) {
        self->head = *head;
        self->empty = false;
    }
}
