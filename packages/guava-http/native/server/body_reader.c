/* body_reader.c: what a handler takes its body from. It is the lower half of Request.stream(),
 * whose upper half is body.py: take() gives what there is, wait() a future for when there is
 * more. All of it runs on the loop's thread. */
#include "server/body.h"

#include <structmember.h>

/* ---- for body.c ------------------------------------------------------------------------------
 */

gh_reader *
gh_reader_new(gh_peer *peer)
{
    gh_server *server = peer->server;
    PyTypeObject *type = server->part->reader_type;
    gh_reader *self = (gh_reader *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->loop = Py_NewRef(server->loop_object);
    self->limits = server->limits;
    return self;
}

size_t
gh_reader_unread(const gh_reader *self)
{
    return gh_buffer_len(&self->data) +
           (self->chunk == NULL ? 0 : (size_t)PyBytes_GET_SIZE(self->chunk));
}

bool
gh_reader_waits(gh_reader *self)
{
    if (self->waiter == NULL)
        return false;
    PyObject *done = PyObject_CallMethod(self->waiter, "done", NULL);
    bool waits = done != Py_True; /* where it cannot be asked, too */
    if (done == NULL)
        PyErr_WriteUnraisable(self->waiter);
    Py_XDECREF(done);
    if (!waits)
        Py_CLEAR(self->waiter); /* it was cancelled */
    return waits;
}

int
gh_reader_wake(gh_reader *self)
{
    PyObject *waiter = self->waiter;
    self->waiter = NULL;
    PyObject *done = PyObject_CallMethod(waiter, "set_result", "O", Py_None);
    Py_XDECREF(done);
    Py_DECREF(waiter);
    return done == NULL ? -1 : 0;
}

/* ---- dealloc, traverse, clear ----------------------------------------------------------------
 */

static int
reader_traverse(gh_reader *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->peer);
    Py_VISIT(self->loop);
    Py_VISIT(self->waiter);
    return 0;
}

static int
reader_clear(gh_reader *self)
{
    Py_CLEAR(self->peer);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->waiter);
    return 0;
}

static void
reader_dealloc(gh_reader *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)reader_clear(self);
    Py_CLEAR(self->chunk);
    gh_buffer_clear(&self->data);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- methods ---------------------------------------------------------------------------------
 */

static PyObject *
held(gh_reader *self)
{
    PyObject *chunk = self->chunk;
    self->chunk = NULL;
    if (chunk != NULL)
        return chunk;
    chunk = PyBytes_FromStringAndSize(self->data.bytes + self->data.start,
                                      (Py_ssize_t)gh_buffer_len(&self->data));
    if (chunk != NULL)
        gh_buffer_clear(&self->data);
    return chunk;
}

static PyObject *
reader_take(gh_reader *self, PyObject *Py_UNUSED(ignored))
{
    if (self->answered) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the request has been answered: its body can be read no more");
        return NULL;
    }
    if (gh_reader_unread(self) > 0) {
        PyObject *chunk = held(self);
        if (chunk != NULL && self->peer != NULL)
            gh_receive_pace(self->peer);
        return chunk;
    }
    if (self->verdict != GH_OK) {
        gh_request_refuse(PyType_GetModule(Py_TYPE(self)), gh_verdict_status(self->verdict),
                          gh_verdict_text(self->verdict));
        return NULL;
    }
    if (self->ended)
        return PyBytes_FromStringAndSize(NULL, 0);
    if (self->gone || self->peer == NULL) {
        gh_request_abandon(PyType_GetModule(Py_TYPE(self)));
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
reader_wait(gh_reader *self, PyObject *Py_UNUSED(ignored))
{
    if (gh_reader_waits(self)) {
        PyErr_SetString(PyExc_RuntimeError, "somebody else waits for this body already");
        return NULL;
    }
    PyObject *waiter = PyObject_CallMethod(self->loop, "create_future", NULL);
    if (waiter == NULL)
        return NULL;
    Py_XSETREF(self->waiter, Py_NewRef(waiter));
    if (self->peer == NULL || gh_reader_unread(self) > 0) {
        if (gh_reader_wake(self) < 0)
            Py_CLEAR(waiter);
        return waiter;
    }
    gh_body_continue(self->peer);
    gh_deadline_body_go(self->peer);
    return waiter;
}

static PyMethodDef reader_methods[] = {
    {"take", (PyCFunction)reader_take, METH_NOARGS,
     "take($self, /)\n--\n\nWhat has come: bytes, b'' at the end, None when there is nothing "
     "yet."},
    {"wait", (PyCFunction)reader_wait, METH_NOARGS,
     "wait($self, /)\n--\n\nA future that is done when take() has something to say."},
    {NULL},
};

static PyMemberDef reader_members[] = {
    {"loop", T_OBJECT_EX, offsetof(gh_reader, loop), READONLY, "The loop that it is read on."},
    {"received", T_ULONGLONG, offsetof(gh_reader, received), READONLY, "Bytes that have come."},
    {NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "A body as it comes in. The server makes them."},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_clear, reader_clear},
    {Py_tp_methods, reader_methods},
    {Py_tp_members, reader_members},
    {0, NULL},
};

static PyType_Spec reader_spec = {
    .name = "guava_http._core.BodyReader",
    .basicsize = sizeof(gh_reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = reader_slots,
};

int
gh_reader_register(PyObject *module, struct gh_server_part *part)
{
    part->reader_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &reader_spec, NULL);
    return part->reader_type == NULL ? -1 : 0;
}
