/* table.h: Table's own parts, for the files that it is made of: table.c (the type and what it does
 * with one entry), table_update.c (changes of what is there) and table_parts.c (times, keys, what
 * is kept of a value). */
#ifndef GUAVA_SESSION_TABLE_H
#define GUAVA_SESSION_TABLE_H

#include "entries.h"
#include "parts.h"

typedef struct {
    PyObject_HEAD gs_entries all;
    size_t max_entries;
    size_t max_bytes;
    uint64_t evicted; /* entries dropped for room since the table was made */
    uint64_t expired; /* entries dropped for age */
    PyObject *clock;  /* NULL: the system's */
    PyObject *plain;  /* makes a dict that values.c knows of one that it does not; NULL: bytes */
    PyObject *kinds;  /* a tuple of types, see values.h; NULL: bytes */
} Table;

/* A key as the entries want it; `text` lives as long as the str it came from. */
typedef struct {
    const char *text;
    Py_ssize_t size;
    uint64_t hash;
} Key;

/* By the table's clock, in nanoseconds. */
int gs_table_now(Table *self, int64_t *now);
int gs_read_key(PyObject *sid, Key *key);
/* Until when, if it is `now`. */
int gs_read_lifetime(PyObject *object, int64_t now, int64_t *expires);
int gs_check_bytes(PyObject *value);
size_t gs_bytes_cost(PyObject *value);
PyObject *gs_table_too_large(Table *self, size_t size);
/* What to keep for a value, a new reference. */
PyObject *gs_table_keep(Table *self, PyObject *value, size_t *cost);
/* What the caller of get() is given for it; takes the reference. */
PyObject *gs_table_hand_out(PyObject *kept);
/* -1, with an exception, for a table of bytes. */
int gs_table_check_records(Table *self, const char *name);
int gs_check_count(const char *name, Py_ssize_t nargs, Py_ssize_t wanted);
/* An entry that has not expired, or NULL. */
gs_entry *gs_table_find(Table *self, const Key *key, int64_t now);
/* Drops the least recently used until the limits are kept. */
void gs_table_make_room(Table *self);
/* What the entry held, for the caller to drop after his last look at the table. */
PyObject *gs_table_put(Table *self, gs_entry *entry, PyObject *value, size_t cost,
                       int64_t expires);
/* One entry, alive or not there. 0: not there; 1: *entry; -1: error. */
int gs_table_lookup(Table *self, PyObject *sid, gs_entry **entry);

/* table_update.c */
PyObject *gs_table_replace(Table *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *gs_table_merge(Table *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *gs_table_compare_and_set(Table *self, PyObject *const *args, Py_ssize_t nargs);
extern const char gs_table_replace_doc[];
extern const char gs_table_merge_doc[];
extern const char gs_table_compare_doc[];

#endif
