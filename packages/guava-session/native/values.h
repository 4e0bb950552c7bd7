/* values.h: copies of a session's values that belong to the memory store alone. Immutable values
 * are shared, dicts and lists copied.
 *
 * A kept copy is reachable from the store only and nobody changes it, so parts of one may be
 * shared by another. It is not tracked by the garbage collector: what it holds cannot point back
 * to it, and a million sessions would otherwise be walked by each full collection. */
#ifndef GUAVA_SESSION_VALUES_H
#define GUAVA_SESSION_VALUES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef enum {
    GS_KEPT,
    GS_UNKNOWN, /* something in it is not for sharing as it is: no exception is set */
    GS_TOO_LARGE,
    GS_FAILED, /* an exception is set */
} gs_kept;

/* A copy to keep of a dict. `kinds` is a tuple of the types that are shared: timezone, datetime,
 * time and any others. *cost grows by what the copy takes, in bytes, but not far past limit. */
gs_kept gs_values_keep(PyObject *kinds, PyObject *record, size_t limit, PyObject **kept,
                       size_t *cost);
PyObject *gs_values_copy(PyObject *kept); /* for others to change */
/* A kept record with `changed`, a kept one too, and without the str of the tuple `removed`. With
 * `reserved`, a str, only what is under it stays of the old one; else it is NULL. */
PyObject *gs_values_merge(PyObject *kept, PyObject *changed, PyObject *removed,
                          PyObject *reserved);
size_t gs_values_cost(PyObject *kept);
int gs_values_same(PyObject *kept, PyObject *other); /* 1, 0; -1 with an exception */

#endif
