/* table_update.c: changes that depend on what a Table has already. Separate from table.c because a
 * change allocates between its look at an entry and the exchange, and so looks again. */
#include "table.h"
#include "values.h"

const char gs_table_replace_doc[] =
    "replace($self, sid, old, new, lifetime, /)\n--\n\n"
    "Store `new` for sid if what is stored is still `old`; whether it was.\n"
    "It is for a table of bytes.";

PyObject *
gs_table_replace(Table *self, PyObject *const *args, Py_ssize_t nargs)
{
    Key key;
    int64_t now, expires;

    if (gs_check_count("replace", nargs, 4) < 0 || gs_read_key(args[0], &key) < 0 ||
        gs_check_bytes(args[1]) < 0 || gs_check_bytes(args[2]) < 0 ||
        gs_table_now(self, &now) < 0 || gs_read_lifetime(args[3], now, &expires) < 0)
        return NULL;
    if (gs_entries_cost((size_t)key.size, gs_bytes_cost(args[2])) > self->max_bytes)
        return gs_table_too_large(self, (size_t)PyBytes_GET_SIZE(args[2]));

    gs_entry *entry = gs_table_find(self, &key, now);
    /* The very same object: nobody else can have put it there, and no bytes are compared. */
    if (entry == NULL || entry->value != args[1])
        Py_RETURN_FALSE;
    PyObject *old = gs_table_put(self, entry, args[2], gs_bytes_cost(args[2]), expires);
    gs_table_make_room(self);
    Py_DECREF(old);
    Py_RETURN_TRUE;
}

/* Puts `kept` in the place of `old`, if that is still there. 1, 0; -1 with an exception. */
static int
table_exchange(Table *self, const Key *key, PyObject *old, PyObject *kept, int64_t expires)
{
    size_t cost = gs_values_cost(kept);
    gs_entry *entry = gs_entries_find(&self->all, key->text, (size_t)key->size, key->hash);

    if (gs_entries_cost((size_t)key->size, cost) > self->max_bytes) {
        (void)gs_table_too_large(self, cost);
        return -1;
    }
    if (entry == NULL || entry->value != old)
        return 0;
    Py_DECREF(gs_table_put(self, entry, kept, cost, expires)); /* not the last: `old` is held */
    gs_table_make_room(self);
    return 1;
}

const char gs_table_merge_doc[] =
    "merge($self, sid, changed, removed, reserved, lifetime, /)\n--\n\n"
    "Bring the dict `changed` into the one stored for sid, without the keys of the\n"
    "tuple `removed`; whether sid was there. With a str for `reserved`, only what is\n"
    "stored under that stays; else it is None.";

PyObject *
gs_table_merge(Table *self, PyObject *const *args, Py_ssize_t nargs)
{
    Key key;
    int64_t now, expires;
    size_t cost;
    PyObject *changed = NULL;
    int done = 0;

    if (gs_check_count("merge", nargs, 5) < 0 || gs_table_check_records(self, "merge") < 0 ||
        gs_read_key(args[0], &key) < 0)
        return NULL;
    if (!PyTuple_CheckExact(args[2]) || (args[3] != Py_None && !PyUnicode_CheckExact(args[3])))
        return PyErr_Format(PyExc_TypeError, "merge() takes a tuple and a str, or None");
    changed = gs_table_keep(self, args[1], &cost);
    if (changed == NULL || gs_table_now(self, &now) < 0 ||
        gs_read_lifetime(args[4], now, &expires) < 0)
        goto error;
    while (!done) {
        gs_entry *entry = gs_table_find(self, &key, now);
        if (entry == NULL)
            break;
        PyObject *old = Py_NewRef(entry->value);
        PyObject *merged =
            gs_values_merge(old, changed, args[2], args[3] == Py_None ? NULL : args[3]);
        done = merged == NULL ? -1 : table_exchange(self, &key, old, merged, expires);
        Py_XDECREF(merged);
        Py_DECREF(old);
        if (done < 0)
            goto error;
    }
    Py_DECREF(changed);
    return PyBool_FromLong(done);
error:
    Py_XDECREF(changed);
    return NULL;
}

const char gs_table_compare_doc[] =
    "compare_and_set($self, sid, old, new, lifetime, /)\n--\n\n"
    "Store the dict `new` for sid if what is stored equals the dict `old`,\n"
    "in values and their types; whether it did.";

PyObject *
gs_table_compare_and_set(Table *self, PyObject *const *args, Py_ssize_t nargs)
{
    Key key;
    int64_t now, expires;
    size_t cost;
    PyObject *old = NULL, *new = NULL;
    int done = 0;

    if (gs_check_count("compare_and_set", nargs, 4) < 0 ||
        gs_table_check_records(self, "compare_and_set") < 0 || gs_read_key(args[0], &key) < 0)
        return NULL;
    old = gs_table_keep(self, args[1], &cost);
    new = old == NULL ? NULL : gs_table_keep(self, args[2], &cost);
    if (new == NULL || gs_table_now(self, &now) < 0 ||
        gs_read_lifetime(args[3], now, &expires) < 0)
        goto error;
    while (!done) {
        gs_entry *entry = gs_table_find(self, &key, now);
        if (entry == NULL)
            break;
        PyObject *found = Py_NewRef(entry->value);
        int same = gs_values_same(found, old);
        done = same <= 0 ? same : table_exchange(self, &key, found, new, expires);
        Py_DECREF(found);
        if (done < 0)
            goto error;
        if (same == 0)
            break;
    }
    Py_DECREF(old);
    Py_DECREF(new);
    return PyBool_FromLong(done);
error:
    Py_XDECREF(old);
    Py_XDECREF(new);
    return NULL;
}
