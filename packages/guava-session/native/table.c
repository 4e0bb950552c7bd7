/* table.c: Table, what MemoryStore keeps its sessions in: a mapping from ids to bytes, or to
 * dicts, with an expiry per entry, and limits on the number of entries and on their memory. It is
 * separate from entries.c because that one knows nothing of arguments, clocks and exceptions.
 *
 * Anybody's code may come back into the table: a clock of the user's, `plain`, a collection at an
 * allocation, a weak reference to a value that is dropped. So each method copies, and asks for
 * the time, before it looks at an entry; it drops values after its last look; and where it must
 * allocate in between, it looks again. That, and the GIL, make every method atomic. */
#include "table.h"

#define DEFAULT_MAX_ENTRIES 100000
#define DEFAULT_MAX_BYTES ((Py_ssize_t)256 << 20)
#define STEPS_PER_SET                                                                             \
    4 /* entries that a set() looks at for expiry: it adds one and may drop four */

/* new, dealloc, traverse, clear */

static PyObject *
table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"max_entries", "max_bytes", "clock", "plain", "kinds", NULL};
    Py_ssize_t max_entries = DEFAULT_MAX_ENTRIES, max_bytes = DEFAULT_MAX_BYTES;
    PyObject *clock = Py_None, *plain = Py_None, *kinds = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|nnOOO!:Table", keywords, &max_entries,
                                     &max_bytes, &clock, &plain, &PyTuple_Type, &kinds))
        return NULL;
    if (plain != Py_None && !PyCallable_Check(plain))
        return PyErr_Format(PyExc_TypeError, "plain must be callable, not %.100s",
                            Py_TYPE(plain)->tp_name);
    Py_ssize_t count = kinds == NULL ? 0 : PyTuple_GET_SIZE(kinds);
    if (plain == Py_None ? count > 0 : count < 3) {
        PyErr_SetString(PyExc_TypeError,
                        "a table of dicts needs plain, and kinds: timezone, datetime, time, ...");
        return NULL;
    }
    if (max_entries < 1 || max_entries >= (Py_ssize_t)UINT32_MAX)
        return PyErr_Format(PyExc_ValueError, "max_entries must be 1 to 4294967294, not %zd",
                            max_entries);
    if (max_bytes < 1)
        return PyErr_Format(PyExc_ValueError, "max_bytes must be at least 1, not %zd", max_bytes);
    if (clock != Py_None && !PyCallable_Check(clock))
        return PyErr_Format(PyExc_TypeError, "clock must be callable, not %.100s",
                            Py_TYPE(clock)->tp_name);
    Table *self = (Table *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->max_entries = (size_t)max_entries;
    self->max_bytes = (size_t)max_bytes;
    self->clock = clock == Py_None ? NULL : Py_NewRef(clock);
    self->plain = plain == Py_None ? NULL : Py_NewRef(plain);
    self->kinds = Py_XNewRef(kinds);
    return (PyObject *)self;
}

static int
table_traverse(Table *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->clock);
    Py_VISIT(self->plain);
    Py_VISIT(self->kinds);
    return 0; /* the values are not the collector's, see values.h */
}

static int
table_clear_refs(Table *self)
{
    Py_CLEAR(self->clock);
    /* plain and kinds stay: what they are tells what the entries are, and they only ever lead
     * back here through something that is cleared itself. */
    return 0;
}

static void
table_dealloc(Table *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    (void)table_clear_refs(self);
    gs_entries_clear(&self->all);
    Py_CLEAR(self->plain);
    Py_CLEAR(self->kinds);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Methods. */

PyDoc_STRVAR(get_doc, "get($self, sid, /)\n--\n\n"
                      "The bytes stored for sid, which becomes the one most recently used; None\n"
                      "when there are none or when they expired.");

static PyObject *
table_get(Table *self, PyObject *sid)
{
    gs_entry *entry;
    int found = gs_table_lookup(self, sid, &entry);

    if (found < 0)
        return NULL;
    if (!found)
        Py_RETURN_NONE;
    gs_entries_use(&self->all, entry);
    return gs_table_hand_out(Py_NewRef(entry->value));
}

PyDoc_STRVAR(set_doc,
             "set($self, sid, value, lifetime, /)\n--\n\n"
             "Store the bytes `value` for `lifetime` seconds. Expired entries and then\n"
             "the ones least recently used go when a limit is passed.\n\n"
             "Raises ValueError for a key of more than 256 bytes of UTF-8, for a value\n"
             "that is larger than the whole table may be, and for a lifetime that is not\n"
             "more than 0; MemoryError. Then nothing has changed.");

static PyObject *
table_set(Table *self, PyObject *const *args, Py_ssize_t nargs)
{
    Key key;
    int64_t now, expires;
    size_t cost = 0;
    PyObject *kept = NULL, *old = NULL;

    if (gs_check_count("set", nargs, 3) < 0 || gs_read_key(args[0], &key) < 0)
        return NULL;
    if (key.size > GS_KEY_MAX)
        return PyErr_Format(PyExc_ValueError, "a session id has at most %d bytes, not %zd",
                            GS_KEY_MAX, key.size);
    kept = gs_table_keep(self, args[1], &cost);
    if (kept == NULL || gs_table_now(self, &now) < 0 ||
        gs_read_lifetime(args[2], now, &expires) < 0)
        goto error;
    if (gs_entries_cost((size_t)key.size, cost) > self->max_bytes) {
        (void)gs_table_too_large(self,
                                 self->plain == NULL ? (size_t)PyBytes_GET_SIZE(kept) : cost);
        goto error;
    }

    self->expired += gs_entries_expire(&self->all, now, STEPS_PER_SET);
    gs_entry *entry = gs_entries_find(&self->all, key.text, (size_t)key.size, key.hash);
    if (entry == NULL) {
        if (!gs_entries_insert(&self->all, key.text, (size_t)key.size, key.hash, kept, cost,
                               expires)) {
            (void)PyErr_NoMemory();
            goto error;
        }
    } else {
        old = gs_table_put(self, entry, kept, cost, expires);
    }
    gs_table_make_room(self);
    Py_DECREF(kept);
    Py_XDECREF(old);
    Py_RETURN_NONE;
error:
    Py_XDECREF(kept);
    return NULL;
}

PyDoc_STRVAR(touch_doc,
             "touch($self, sid, lifetime, /)\n--\n\n"
             "Let sid live `lifetime` seconds from now and make it the one most recently\n"
             "used; whether it is there.");

static PyObject *
table_touch(Table *self, PyObject *const *args, Py_ssize_t nargs)
{
    Key key;
    int64_t now, expires;

    if (gs_check_count("touch", nargs, 2) < 0 || gs_read_key(args[0], &key) < 0 ||
        gs_table_now(self, &now) < 0 || gs_read_lifetime(args[1], now, &expires) < 0)
        return NULL;
    gs_entry *entry = gs_table_find(self, &key, now);
    if (entry == NULL)
        Py_RETURN_FALSE;
    gs_entries_set_expires(&self->all, entry, expires);
    gs_entries_use(&self->all, entry);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(pop_doc, "pop($self, sid, /)\n--\n\n"
                      "Remove sid; the bytes that were stored for it, or None.");

static PyObject *
table_pop(Table *self, PyObject *sid)
{
    gs_entry *entry;
    int found = gs_table_lookup(self, sid, &entry);

    if (found < 0)
        return NULL;
    if (!found)
        Py_RETURN_NONE;
    PyObject *value = Py_NewRef(entry->value);
    gs_entries_remove(&self->all, entry);
    return gs_table_hand_out(value);
}

PyDoc_STRVAR(discard_doc, "discard($self, sid, /)\n--\n\n"
                          "Remove sid; whether it was there.");

static PyObject *
table_discard(Table *self, PyObject *sid)
{
    gs_entry *entry;
    int found = gs_table_lookup(self, sid, &entry);

    if (found < 0)
        return NULL;
    if (found)
        gs_entries_remove(&self->all, entry);
    return PyBool_FromLong(found);
}

PyDoc_STRVAR(clear_doc, "clear($self, /)\n--\n\n"
                        "Remove everything and give the memory back.");

static PyObject *
table_clear(Table *self, PyObject *Py_UNUSED(ignored))
{
    gs_entries_clear(&self->all);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(expire_doc,
             "expire($self, steps, /)\n--\n\n"
             "Look at up to `steps` entries whose time may be over, the oldest first;\n"
             "how many of them had expired and were removed. It never needs to be\n"
             "called: get() never returns what has expired, and set() does four steps.");

static PyObject *
table_expire(Table *self, PyObject *steps_object)
{
    int64_t now;
    Py_ssize_t steps = PyNumber_AsSsize_t(steps_object, PyExc_OverflowError);

    if (steps == -1 && PyErr_Occurred())
        return NULL;
    if (gs_table_now(self, &now) < 0)
        return NULL;
    size_t removed = gs_entries_expire(&self->all, now, steps < 0 ? 0 : (size_t)steps);
    self->expired += removed;
    return PyLong_FromSize_t(removed);
}

static Py_ssize_t
table_length(Table *self)
{
    return (Py_ssize_t)self->all.used;
}

static int
table_contains(Table *self, PyObject *sid)
{
    gs_entry *entry;

    return gs_table_lookup(self, sid, &entry);
}

/* getset */

static PyObject *
table_get_memory(Table *self, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(self->all.bytes);
}

static PyObject *
table_get_evicted(Table *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->evicted);
}

static PyObject *
table_get_expired(Table *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->expired);
}

static PyGetSetDef table_getset[] = {
    {"memory", (getter)table_get_memory, NULL, "Memory of the entries, in bytes.", NULL},
    {"evicted", (getter)table_get_evicted, NULL, "Entries dropped to keep to the limits.", NULL},
    {"expired", (getter)table_get_expired, NULL, "Entries dropped because of their age.", NULL},
    {NULL},
};

/* Slots, spec, register. */

static PyMethodDef table_methods[] = {
    {"get", (PyCFunction)table_get, METH_O, get_doc},
    {"set", (PyCFunction)(void (*)(void))table_set, METH_FASTCALL, set_doc},
    {"replace", (PyCFunction)(void (*)(void))gs_table_replace, METH_FASTCALL,
     gs_table_replace_doc},
    {"touch", (PyCFunction)(void (*)(void))table_touch, METH_FASTCALL, touch_doc},
    {"merge", (PyCFunction)(void (*)(void))gs_table_merge, METH_FASTCALL, gs_table_merge_doc},
    {"compare_and_set", (PyCFunction)(void (*)(void))gs_table_compare_and_set, METH_FASTCALL,
     gs_table_compare_doc},
    {"pop", (PyCFunction)table_pop, METH_O, pop_doc},
    {"discard", (PyCFunction)table_discard, METH_O, discard_doc},
    {"clear", (PyCFunction)table_clear, METH_NOARGS, clear_doc},
    {"expire", (PyCFunction)table_expire, METH_O, expire_doc},
    {NULL},
};

PyDoc_STRVAR(table_doc,
             "Table(max_entries=100000, max_bytes=268435456, clock=None, plain=None,\n"
             "      kinds=())\n--\n\n"
             "Ids to bytes, each with its expiry, within limits. `clock` is a callable that\n"
             "returns seconds; without one it is a system clock that is never set back.\n\n"
             "With `plain` it has dicts, which it copies on their way in and out: lists,\n"
             "tuples (as lists) and dicts of str, int, float, bool, None, bytes and `kinds`,\n"
             "a tuple of types: timezone, datetime, time and any others that are immutable.\n"
             "A dict that holds anything else is given to plain(), for one that does not.\n\n"
             "Raises ValueError for limits below 1.");

static PyType_Slot table_slots[] = {
    {Py_tp_doc, (void *)table_doc},   {Py_tp_new, table_new},
    {Py_tp_dealloc, table_dealloc},   {Py_tp_traverse, table_traverse},
    {Py_tp_clear, table_clear_refs},  {Py_tp_methods, table_methods},
    {Py_tp_getset, table_getset},     {Py_sq_length, table_length},
    {Py_sq_contains, table_contains}, {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "guava_session._core.Table",
    .basicsize = sizeof(Table),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = table_slots,
};

int
gs_table_register(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &table_spec, NULL);

    if (type == NULL)
        return -1;
    int result = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return result;
}
