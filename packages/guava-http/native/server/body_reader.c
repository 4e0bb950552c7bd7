/* body_reader.c: what a handler takes its body from. It is the lower half of Request.stream(),
 * whose upper half is body.py: take() gives what there is, wait() a future for when there is
 * more. All of it runs on the loop's thread, but for take_held(), which spares a plain function a
 * change of threads for each piece. */
#include "server/body.h"

#include <structmember.h>

#define SMALL 4096 /* bytes; pieces of less are joined */

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
    return gh_buffer_len(&self->data) + self->in_pieces;
}

/* The place itself, as long as it was filled; none where it was hardly: then a copy is cheaper
 * than to ask for the next one. */
static PyObject *
take_place(gh_reader *self, size_t n)
{
    if (n < (size_t)PyBytes_GET_SIZE(self->place) / 4)
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(self->place), (Py_ssize_t)n);
    PyObject *piece = self->place;
    self->place = NULL;
    if ((size_t)PyBytes_GET_SIZE(piece) > n)
        (void)_PyBytes_Resize(&piece, (Py_ssize_t)n);
    return piece;
}

bool
gh_reader_add(gh_reader *self, const char *bytes, size_t n)
{
    bool room = self->n_pieces < GH_PIECES && gh_buffer_len(&self->data) == 0;
    /* Small ones are joined behind the first, which somebody may wait for. */
    if (!room || (n < SMALL && self->n_pieces > 0))
        return gh_buffer_add(&self->data, bytes, n);
    bool placed = self->place != NULL && bytes == PyBytes_AS_STRING(self->place);
    PyObject *piece =
        placed ? take_place(self, n) : PyBytes_FromStringAndSize(bytes, (Py_ssize_t)n);
    if (piece == NULL)
        return false;
    self->pieces[(self->first + self->n_pieces++) % GH_PIECES] = piece;
    self->in_pieces += n;
    return true;
}

static PyObject *
take_piece(gh_reader *self)
{
    PyObject *piece = self->pieces[self->first];
    self->pieces[self->first] = NULL;
    self->first = (self->first + 1) % GH_PIECES;
    self->n_pieces--;
    self->in_pieces -= (size_t)PyBytes_GET_SIZE(piece);
    return piece;
}

void
gh_reader_drop(gh_reader *self)
{
    while (self->n_pieces > 0)
        Py_DECREF(take_piece(self));
    Py_CLEAR(self->place);
    gh_buffer_clear(&self->data);
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
    gh_reader_drop(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- methods ---------------------------------------------------------------------------------
 */

static PyObject *
held(gh_reader *self)
{
    if (self->n_pieces > 0)
        return take_piece(self);
    PyObject *chunk = PyBytes_FromStringAndSize(self->data.bytes + self->data.start,
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

/* On any thread: the interpreter's lock is held, and while the client is read from nothing of the
 * loop is touched. */
static PyObject *
reader_take_held(gh_reader *self, PyObject *Py_UNUSED(ignored))
{
    if (self->answered || gh_reader_unread(self) == 0 ||
        (self->peer != NULL && self->peer->paused))
        Py_RETURN_NONE;
    return held(self);
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
    {"take_held", (PyCFunction)reader_take_held, METH_NOARGS,
     "take_held($self, /)\n--\n\nWhat has come and can be had on another thread than the loop's; "
     "None when take() is to be asked."},
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
