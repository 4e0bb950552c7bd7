/* cookie.h: a Cookie's memory, for the two files that are about it: cookie.c (the type) and
 * cookie_check.c (what may be in it). */
#ifndef GUAVA_HTTP_TYPES_COOKIE_H
#define GUAVA_HTTP_TYPES_COOKIE_H

#include "types/parts.h"

typedef struct {
    PyObject_HEAD PyObject *name; /* str */
    PyObject *value;              /* str */
    PyObject *max_age;            /* int or None, seconds */
    PyObject *expires;            /* int or None, seconds since 1970 */
    PyObject *path;               /* str or None */
    PyObject *domain;             /* str or None */
    PyObject *samesite;           /* "Strict", "Lax", "None", or None */
    char secure;
    char httponly;
    char partitioned;
} gh_cookie;

/* Fills an empty cookie from what gh_cookie_signature has. 0, or -1 with an exception. */
int gh_cookie_fill(gh_cookie *self, PyObject *const *values);

#endif
