/* table_parts.c: what all methods of Table need: the time, keys, what is kept of a value, entries
 * that have not expired. */
#include "table.h"

#include <math.h>
#include <time.h>

#include "values.h"

#ifdef CLOCK_BOOTTIME
#define STEADY_CLOCK                                                                              \
    CLOCK_BOOTTIME /* goes on while the machine sleeps, as a login's age should                   \
                    */
#else
#define STEADY_CLOCK CLOCK_MONOTONIC
#endif

static int64_t
nanoseconds(double seconds)
{
    double ns = seconds * 1e9;

    return ns >= 9e18 ? INT64_MAX : ns <= -9e18 ? INT64_MIN : (int64_t)ns;
}

int
gs_table_now(Table *self, int64_t *now)
{
    if (self->clock == NULL) {
        struct timespec time;
        (void)clock_gettime(STEADY_CLOCK, &time); /* it fails for unknown clocks only */
        *now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
        return 0;
    }
    PyObject *time = PyObject_CallNoArgs(self->clock);
    if (time == NULL)
        return -1;
    double seconds = PyFloat_AsDouble(time);
    Py_DECREF(time);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(seconds)) {
        PyErr_SetString(PyExc_ValueError, "the clock returned NaN");
        return -1;
    }
    *now = nanoseconds(seconds);
    return 0;
}

int
gs_read_key(PyObject *sid, Key *key)
{
    if (!PyUnicode_Check(sid)) {
        PyErr_Format(PyExc_TypeError, "a session id is a str, not %.100s", Py_TYPE(sid)->tp_name);
        return -1;
    }
    key->text = PyUnicode_AsUTF8AndSize(sid, &key->size);
    if (key->text == NULL)
        return -1;
    /* Not PyObject_Hash(): a subclass of str could run code in it. */
    Py_hash_t hash = PyUnicode_Type.tp_hash(sid);
    if (hash == -1)
        return -1;
    key->hash = (uint64_t)hash;
    return 0;
}

int
gs_read_lifetime(PyObject *object, int64_t now, int64_t *expires)
{
    double seconds = PyFloat_AsDouble(object);

    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (!(seconds > 0)) { /* NaN too */
        PyErr_Format(PyExc_ValueError, "lifetime must be more than 0 seconds, not %R", object);
        return -1;
    }
    int64_t lifetime = nanoseconds(seconds);
    *expires = now > INT64_MAX - lifetime ? INT64_MAX : now + lifetime;
    return 0;
}

int
gs_check_bytes(PyObject *value)
{
    if (PyBytes_CheckExact(value))
        return 0;
    PyErr_Format(PyExc_TypeError, "a stored value is bytes, not %.100s", Py_TYPE(value)->tp_name);
    return -1;
}

size_t
gs_bytes_cost(PyObject *value)
{
    return sizeof(PyBytesObject) + (size_t)PyBytes_GET_SIZE(value);
}

PyObject *
gs_table_too_large(Table *self, size_t size)
{
    return PyErr_Format(PyExc_ValueError,
                        "a value of %zu bytes is more than the table may hold (%zu bytes)", size,
                        self->max_bytes);
}

/* What to keep for a value, a new reference. */
PyObject *
gs_table_keep(Table *self, PyObject *value, size_t *cost)
{
    PyObject *kept = NULL;

    if (self->plain == NULL) {
        if (gs_check_bytes(value) < 0)
            return NULL;
        *cost = gs_bytes_cost(value);
        return Py_NewRef(value);
    }
    gs_kept result = gs_values_keep(self->kinds, value, self->max_bytes, &kept, cost);
    if (result == GS_UNKNOWN) {
        PyObject *plain = PyObject_CallOneArg(self->plain, value);
        if (plain == NULL)
            return NULL;
        result = gs_values_keep(self->kinds, plain, self->max_bytes, &kept, cost);
        Py_DECREF(plain);
    }
    if (result == GS_UNKNOWN)
        PyErr_SetString(PyExc_TypeError, "plain() returned what cannot be kept");
    else if (result == GS_TOO_LARGE)
        (void)gs_table_too_large(self, *cost);
    return kept;
}

PyObject *
gs_table_hand_out(PyObject *kept) /* takes the reference */
{
    if (PyBytes_CheckExact(kept))
        return kept;
    PyObject *copy = gs_values_copy(kept);
    Py_DECREF(kept);
    return copy;
}

int
gs_table_check_records(Table *self, const char *name)
{
    if (self->plain != NULL)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s() is for a table of dicts; this one has bytes", name);
    return -1;
}

int
gs_check_count(const char *name, Py_ssize_t nargs, Py_ssize_t wanted)
{
    if (nargs == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, not %zd", name, wanted, nargs);
    return -1;
}

gs_entry *
gs_table_find(Table *self, const Key *key, int64_t now)
{
    gs_entry *entry = gs_entries_find(&self->all, key->text, (size_t)key->size, key->hash);

    if (entry == NULL || entry->expires > now)
        return entry;
    gs_entries_remove(&self->all, entry);
    self->expired++;
    return NULL;
}

void
gs_table_make_room(Table *self)
{
    while (self->all.used > self->max_entries || self->all.bytes > self->max_bytes) {
        gs_entries_remove(&self->all, self->all.oldest);
        self->evicted++;
    }
}

/* What the entry held, for the caller to drop after his last look at the table. */
PyObject *
gs_table_put(Table *self, gs_entry *entry, PyObject *value, size_t cost, int64_t expires)
{
    PyObject *old = gs_entries_set_value(&self->all, entry, value, cost);

    gs_entries_set_expires(&self->all, entry, expires);
    gs_entries_use(&self->all, entry);
    return old;
}

/* One entry, alive or not there. 0: not there; 1: *entry; -1: error. */
int
gs_table_lookup(Table *self, PyObject *sid, gs_entry **entry)
{
    Key key;
    int64_t now;

    if (gs_read_key(sid, &key) < 0 || gs_table_now(self, &now) < 0)
        return -1;
    *entry = gs_table_find(self, &key, now);
    return *entry != NULL;
}
