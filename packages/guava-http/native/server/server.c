/* server.c: the object that Python's Server starts, feeds with sockets and closes. Between start()
 * and stop() it holds itself: the loop has pointers to it that no reference shows. */
#include "server/parts.h"

#include <structmember.h>

#include "core/parser.h"

static struct gh_server_part *
part_of(PyObject *module)
{
    gh_module *state = PyModule_GetState(module);
    return state->server;
}

/* ---- new, dealloc, traverse, clear -----------------------------------------------------------
 */

static int
server_init(gh_server *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"handler", "log",      "pump",        "wrap",     "throttle",
                            "limits",  "timeouts", "body_policy", "threaded", NULL};
    PyObject *handler, *log, *pump, *wrap, *throttle, *limits, *timeouts;
    PyObject *policy = Py_None, *threaded = Py_None;
    if (self->handler != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a server is made once");
        return -1;
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO$OOOO:Server", names, &handler, &log,
                                     &pump, &wrap, &throttle, &limits, &timeouts, &policy,
                                     &threaded))
        return -1;
    if (!PyCallable_Check(handler)) {
        PyErr_Format(PyExc_TypeError, "the handler must be callable, %.200s is not",
                     Py_TYPE(handler)->tp_name);
        return -1;
    }
    if (gh_options_read(self, limits, timeouts) < 0)
        return -1;
    PyObject *module = PyType_GetModule(Py_TYPE(self));
    if (module == NULL)
        return -1;
    PyMem_Free(self->fields);
    PyMem_Free(self->cork);
    self->fields = PyMem_New(gh_field, self->limits.fields);
    self->cork = PyMem_Malloc(GH_CORK);
    if (self->fields == NULL || self->cork == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->head_limits = self->limits;
    if (policy != Py_None) {
        self->head_limits.body = GH_BODY_UNLIMITED;
        self->body_policy = Py_NewRef(policy);
        self->threaded = Py_NewRef(threaded);
    }
    gh_parser_allow(self->limits.head);
    self->part = part_of(module);
    self->module = Py_NewRef(module);
    self->log = Py_NewRef(log);
    self->pump = Py_NewRef(pump);
    self->wrap = Py_NewRef(wrap);
    self->throttle = Py_NewRef(throttle);
    self->handler = Py_NewRef(handler);
    return 0;
}

static int
server_traverse(gh_server *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->loop_object);
    Py_VISIT(self->hosts);
    Py_VISIT(self->limits_object);
    Py_VISIT(self->handler);
    Py_VISIT(self->context);
    Py_VISIT(self->log);
    Py_VISIT(self->pump);
    Py_VISIT(self->wrap);
    Py_VISIT(self->throttle);
    Py_VISIT(self->body_policy);
    Py_VISIT(self->threaded);
    Py_VISIT(self->encode);
    Py_VISIT(self->emptied);
    Py_VISIT(self->spare);
    return 0;
}

static int
server_clear(gh_server *self)
{
    Py_CLEAR(self->loop_object);
    Py_CLEAR(self->hosts);
    Py_CLEAR(self->limits_object);
    Py_CLEAR(self->handler);
    Py_CLEAR(self->context);
    Py_CLEAR(self->log);
    Py_CLEAR(self->pump);
    Py_CLEAR(self->wrap);
    Py_CLEAR(self->throttle);
    Py_CLEAR(self->body_policy);
    Py_CLEAR(self->threaded);
    Py_CLEAR(self->encode);
    Py_CLEAR(self->emptied);
    Py_CLEAR(self->spare);
    return 0;
}

static void
server_dealloc(gh_server *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)server_clear(self);
    Py_CLEAR(self->module);
    PyMem_Free(self->fields);
    PyMem_Free(self->cork);
    PyMem_Free(self->listeners);
    gh_foreign_free(self->foreign);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- start and stop --------------------------------------------------------------------------
 */

static void
on_tick(void *arg)
{
    gh_server *self = arg;
    uint64_t ticked = self->api->tick(self->loop);
    uint64_t passed = ticked - self->ticked;
    /* Who was held up, by a handler that blocked say, may have unread bytes of all clients: that
     * time is not theirs. */
    uint64_t most = 2 * self->slack + 1;
    self->ticked = ticked;
    self->now += passed < most ? passed : most;
    gh_wheel_turn(&self->wheel, self->now, gh_peer_fire);
    if (self->n_tasks > 0)
        gh_peers_look(self);
    for (gh_peer *peer = self->closing ? self->peers : NULL; peer != NULL; peer = peer->next) {
        if (peer->state == GH_READY)
            gh_peer_settle(peer);
    }
}

static int
join_loop(gh_server *self, PyObject *loop, int native)
{
    if (native) {
        self->api = guava_loop_import();
        if (self->api == NULL)
            return -1;
        self->loop = self->api->from_object(loop);
        return self->loop == NULL ? -1 : 0;
    }
    self->api = &gh_adapter_api;
    self->foreign = gh_foreign_new(self->part, loop);
    self->loop = (guava_loop *)self->foreign;
    return self->foreign == NULL ? -1 : 0;
}

static PyObject *
server_start(gh_server *self, PyObject *args)
{
    PyObject *loop;
    int native, secure;
    if (!PyArg_ParseTuple(args, "Opp:start", &loop, &native, &secure))
        return NULL;
    if (self->handler == NULL || self->loop_object != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a server starts once");
        return NULL;
    }
    Py_XSETREF(self->context, PyContext_CopyCurrent());
    if (self->context == NULL || join_loop(self, loop, native) < 0)
        return NULL;
    self->secure = secure != 0;
    self->loop_object = Py_NewRef(loop);
    self->now = self->ticked = self->api->tick(self->loop);
    gh_wheel_start(&self->wheel, self->now);
    if (self->api->on_tick(self->loop, on_tick, self, self->tick_ms, &self->tick) < 0) {
        Py_CLEAR(self->loop_object);
        return NULL;
    }
    Py_INCREF(self); /* the tick's, until stop() */
    Py_RETURN_NONE;
}

static bool
is_running(gh_server *self)
{
    if (self->tick == NULL)
        PyErr_SetString(PyExc_RuntimeError, "the server is not running");
    return self->tick != NULL;
}

static PyObject *
server_listen(gh_server *self, PyObject *args)
{
    int fd, backlog;
    if (!PyArg_ParseTuple(args, "ii:listen", &fd, &backlog) || !is_running(self))
        return NULL;
    guava_listener **grown =
        PyMem_Resize(self->listeners, guava_listener *, self->n_listeners + 1);
    if (grown == NULL)
        return PyErr_NoMemory();
    self->listeners = grown;
    if (self->api->listen(self->loop, fd, backlog, gh_peer_accept, self,
                          &self->listeners[self->n_listeners]) < 0)
        return NULL;
    self->n_listeners++;
    Py_RETURN_NONE;
}

/* A loop that has been closed has closed what was open on it. */
static int
loop_is_closed(gh_server *self)
{
    PyObject *closed = PyObject_CallMethod(self->loop_object, "is_closed", NULL);
    int result = closed == NULL ? -1 : PyObject_IsTrue(closed);
    Py_XDECREF(closed);
    return result;
}

/* A connected socket, that Python has accepted. */
static PyObject *
server_adopt(gh_server *self, PyObject *args)
{
    int fd;
    guava_stream *stream;
    if (!PyArg_ParseTuple(args, "i:adopt", &fd) || !is_running(self))
        return NULL;
    gh_peer *peer = gh_peer_new(self);
    if (peer == NULL)
        return NULL;
    if (self->api->open(self->loop, fd, &gh_peer_ops, peer, &stream) < 0) {
        Py_DECREF(peer);
        return NULL;
    }
    gh_peer_begin(peer, stream);
    Py_RETURN_NONE;
}

static int
unlisten(gh_server *self)
{
    int closed = self->n_listeners > 0 ? loop_is_closed(self) : 1;
    if (closed < 0)
        return -1;
    for (size_t i = 0; i < self->n_listeners && !closed; i++)
        self->api->unlisten(self->listeners[i]);
    self->n_listeners = 0;
    return 0;
}

static PyObject *
server_unlisten(gh_server *self, PyObject *Py_UNUSED(ignored))
{
    return unlisten(self) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
server_drain(gh_server *self, PyObject *Py_UNUSED(ignored))
{
    self->closing = true;
    Py_RETURN_NONE;
}

static PyObject *
server_close(gh_server *self, PyObject *emptied)
{
    if (!is_running(self))
        return NULL;
    Py_XSETREF(self->emptied, Py_NewRef(emptied));
    self->closing = true;
    /* Closing a peer does not unlink it: closed() does, later. */
    for (gh_peer *peer = self->peers; peer != NULL; peer = peer->next) {
        if (peer->state == GH_READY)
            gh_peer_settle(peer);
    }
    gh_upgraded_closing(self);
    gh_server_left(self);
    Py_RETURN_NONE;
}

static PyObject *
server_abort(gh_server *self, PyObject *Py_UNUSED(ignored))
{
    self->closing = true;
    for (gh_peer *peer = self->peers; peer != NULL; peer = peer->next) {
        if (peer->state == GH_RUNNING || peer->state == GH_MAKING || peer->writing)
            gh_peer_reset(peer);
        else
            gh_peer_abort(peer);
    }
    gh_upgraded_abort(self);
    Py_RETURN_NONE;
}

static PyObject *
server_stop(gh_server *self, PyObject *Py_UNUSED(ignored))
{
    if (self->tick == NULL)
        Py_RETURN_NONE;
    int closed = loop_is_closed(self);
    if (closed < 0 || unlisten(self) < 0)
        return NULL;
    while (closed && self->foreign != NULL && self->peers != NULL)
        gh_adapter_forget(self->peers->stream);
    while (closed && self->foreign != NULL && self->upgraded != NULL)
        gh_adapter_forget(gh_upgraded_stream(self));
    /* asyncio's handle can be cancelled still; guava-loop's went with its loop. */
    if (!closed || self->foreign != NULL)
        self->api->off_tick(self->loop, self->tick);
    self->tick = NULL;
    Py_CLEAR(self->emptied);
    Py_DECREF(self);
    Py_RETURN_NONE;
}

void
gh_server_left(gh_server *self)
{
    if (!self->closing || self->n_peers > 0 || self->n_tasks > 0 || self->emptied == NULL)
        return;
    PyObject *emptied = self->emptied;
    self->emptied = NULL;
    PyObject *done = PyObject_CallNoArgs(emptied);
    if (done == NULL)
        PyErr_WriteUnraisable(emptied);
    Py_XDECREF(done);
    Py_DECREF(emptied);
}

static PyObject *
server_task_done(gh_server *self, PyObject *Py_UNUSED(ignored))
{
    if (self->n_tasks > 0)
        self->n_tasks--;
    gh_server_left(self);
    Py_RETURN_NONE;
}

/* ---- slots -----------------------------------------------------------------------------------
 */

static PyMethodDef server_methods[] = {
    {"start", (PyCFunction)server_start, METH_VARARGS,
     "start($self, loop, native, secure, /)\n--\n\nJoin a loop: through its streams if `native`."},
    {"listen", (PyCFunction)server_listen, METH_VARARGS,
     "listen($self, fd, backlog, /)\n--\n\nAccept connections from a bound socket; owns fd."},
    {"adopt", (PyCFunction)server_adopt, METH_VARARGS,
     "adopt($self, fd, /)\n--\n\nServe a connected socket; owns fd."},
    {"unlisten", (PyCFunction)server_unlisten, METH_NOARGS,
     "unlisten($self, /)\n--\n\nAccept no more connections."},
    {"drain", (PyCFunction)server_drain, METH_NOARGS,
     "drain($self, /)\n--\n\nEach answer from now on is its connection's last."},
    {"close", (PyCFunction)server_close, METH_O,
     "close($self, emptied, /)\n--\n\nClose idle connections now and the others after their "
     "answer;\ncall emptied() when none is left."},
    {"abort", (PyCFunction)server_abort, METH_NOARGS,
     "abort($self, /)\n--\n\nCut all connections off."},
    {"task_done", (PyCFunction)server_task_done, METH_NOARGS,
     "task_done($self, /)\n--\n\nWork that followed an answer has ended."},
    {"stop", (PyCFunction)server_stop, METH_NOARGS, "stop($self, /)\n--\n\nLeave the loop."},
    {NULL},
};

static PyObject *
server_get_hosts(gh_server *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->hosts == NULL ? Py_None : self->hosts);
}

static int
server_set_hosts(gh_server *self, PyObject *hosts, void *Py_UNUSED(closure))
{
    return gh_hosts_set(self, hosts);
}

static PyGetSetDef server_getset[] = {
    {"hosts", (getter)server_get_hosts, (setter)server_set_hosts, "Answered for.", NULL},
    {NULL},
};

static PyMemberDef server_members[] = {
    {"connections", T_PYSSIZET, offsetof(gh_server, n_peers), READONLY, "Open now."},
    {"tasks", T_PYSSIZET, offsetof(gh_server, n_tasks), READONLY, "Suspended now."},
    {"accepted", T_ULONGLONG, offsetof(gh_server, accepted), READONLY, "Connections so far."},
    {"encode", T_OBJECT, offsetof(gh_server, encode), 0, "Compresses answers."},
    {"answered", T_ULONGLONG, offsetof(gh_server, answered), READONLY, "Requests so far."},
    {"refused", T_ULONGLONG, offsetof(gh_server, refused), READONLY, NULL},
    {"timed_out", T_ULONGLONG, offsetof(gh_server, timed_out), READONLY, NULL},
    {"evicted", T_ULONGLONG, offsetof(gh_server, evicted), READONLY, NULL},
    {"disconnected", T_ULONGLONG, offsetof(gh_server, disconnected), READONLY, NULL},
    {"full", T_ULONGLONG, offsetof(gh_server, full), READONLY, NULL},
    {NULL},
};

static PyType_Slot server_slots[] = {
    {Py_tp_doc, "The native half of guava_http.Server."},
    {Py_tp_init, server_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, server_traverse},
    {Py_tp_clear, server_clear},
    {Py_tp_dealloc, server_dealloc},
    {Py_tp_methods, server_methods},
    {Py_tp_members, server_members},
    {Py_tp_getset, server_getset},
    {0, NULL},
};

static PyType_Spec server_spec = {
    .name = "guava_http._core.Server",
    .basicsize = sizeof(gh_server),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = server_slots,
};

int
gh_server_type_register(PyObject *module, struct gh_server_part *part)
{
    part->server_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &server_spec, NULL);
    return part->server_type == NULL ? -1 : PyModule_AddType(module, part->server_type);
}
