/* parts.h: the index of this folder. Each part adds its types and functions to the module. */
#ifndef GUAVA_SESSION_PARTS_H
#define GUAVA_SESSION_PARTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

int gs_sid_register(PyObject *module);    /* sid.c: generate_id(), is_id() */
int gs_table_register(PyObject *module);  /* table.c: Table */
int gs_values_register(PyObject *module); /* values.c: is_plain() */

#endif
