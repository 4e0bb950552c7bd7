/* paths.h: what paths.c, which matches, and paths_build.c, which makes a table, both know. */
#ifndef GUAVA_ROUTER_PATHS_H
#define GUAVA_ROUTER_PATHS_H

#include "parts.h"
#include "radix.h"

/* A route at a leaf; a leaf is the number of its first entry, plus one. */
typedef struct {
    PyObject *method; /* an interned str, or NULL: any */
    PyObject *facts;  /* GR_FACT_... */
    PyObject *shared; /* the match, if it has no parameters */
    bool last;        /* of its leaf */
} gr_entry;

typedef struct {
    PyObject_HEAD gr_radix radix;
    gr_entry *entries;
    uint32_t *roots; /* [0]: without a host; leaf n of the hosts' tree has roots[n] */
    uint32_t n_entries, n_roots;
    uint32_t hosts; /* the root of the hosts' tree, if n_roots > 1 */
    char slash;     /* 'r': redirect, 's': strict, 'l': loose */
    bool has_methods;
    PyObject *converters; /* what makes values: of uuid, of date, of each own converter */
    PyObject *answers;    /* GR_ANSWER_... */
} gr_paths;

enum { GR_ANSWER_NOT_FOUND, GR_ANSWER_NOT_ALLOWED, GR_ANSWER_OPTIONS, GR_ANSWER_REDIRECT };
#define GR_ANSWERS 4

PyObject *gr_paths_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);

#endif
