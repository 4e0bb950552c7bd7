/* parts.h: the index of this folder, and what crosses its files.
 *
 *   tree.c      the segment tree: text in, node numbers out; knows nothing of Python
 *   endpoint.c  Endpoint: the action that a handler names, one object for all requests
 *   handler.c   Handler: an endpoint with the arguments of one request
 *   convert.c   the texts of a path as the values that an action's annotations ask for
 *   table.c     Table: an immutable tree whose nodes answer with handlers
 *   radix.c     the compressed radix tree of patterns: bytes in, leaves out; knows nothing of
 * Python text.c      the forms of the built-in converters; knows nothing of Python paths.c Paths:
 * an immutable radix tree of what was registered, and what answers paths_build.c  makes one
 *   match.c     Match: a target and the values of the path's parameters
 *   router.c    RouterBase: a mount point, patterns and a table
 *   mounts.c    MountsBase: the tree of mounted routers
 *   dispatch.c  Dispatch: asks them, and calls what an endpoint has for them
 *   invoker.c   Invoker: a method on a fresh instance, without a Python frame in between
 *   beneath.c   open_beneath: opens a file that is certainly inside a directory
 *   module.c    registers them all
 */
#ifndef GUAVA_ROUTER_PARTS_H
#define GUAVA_ROUTER_PARTS_H

#include <Python.h>

#include <stdbool.h>

typedef struct {
    PyTypeObject *endpoint_type;
    PyTypeObject *handler_type;
    PyTypeObject *table_type;
    PyTypeObject *match_type;
    PyTypeObject *paths_type;
    PyTypeObject *router_type;
    PyTypeObject *mounts_type;
    PyTypeObject *routed_type;
    PyObject *router_route; /* RouterBase.route: a class that has another one routes by itself */
    PyObject *name_compile;
    PyObject *name_GET;
    PyObject *name_HEAD;
    PyObject *name_OPTIONS;
    PyObject *name_host;
    PyObject *name_match_other;
    PyObject *name_method;
    PyObject *name_path;
    PyObject *name_route;
    PyObject *name_routed;
    PyObject *root; /* "/" */
    PyObject *empty_args;
    PyObject *empty_text;
} gr_state;

extern struct PyModuleDef gr_module;

static inline gr_state *
gr_state_of(PyObject *module)
{
    return (gr_state *)PyModule_GetState(module);
}

/* As PyUnicode_AsUTF8AndSize, without a call for the texts that most are. */
static inline const char *
gr_utf8(PyObject *text, Py_ssize_t *n)
{
    if (!PyUnicode_IS_COMPACT_ASCII(text))
        return PyUnicode_AsUTF8AndSize(text, n);
    *n = PyUnicode_GET_LENGTH(text);
    return (const char *)PyUnicode_1BYTE_DATA(text);
}

/* For methods of types that may have subclasses in Python. NULL with TypeError. */
static inline gr_state *
gr_state_by(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &gr_module);
    return module == NULL ? NULL : gr_state_of(module);
}

/* ---- Endpoint --------------------------------------------------------------------------------
 */

typedef struct {
    PyObject_HEAD PyObject *package;
    PyObject *module;
    PyObject *controller;
    PyObject *action;
    PyObject *target;     /* the class, or None while it is only a name */
    PyObject *function;   /* what the class has under the action's name, or None */
    PyObject *file;       /* str, or None */
    PyObject *state;      /* a framework's own */
    PyObject *converters; /* tuple, or NULL: all arguments are texts. The last is for all that
                           * *args gets. */
    int line;
    int min_args;
    int max_args; /* -1: any number */
} gr_endpoint;

/* Takes new references to what it is given; `target` is a class or NULL. */
PyObject *gr_endpoint_new(gr_state *state, PyObject *package, PyObject *module,
                          PyObject *controller, PyObject *action, PyObject *target);

/* ---- converting ------------------------------------------------------------------------------
 */

/* A part of a path as str; ascii: the whole path is. */
PyObject *gr_text(const char *at, Py_ssize_t n, bool ascii);

/* 1 with a new reference in *out, 0 if the text does not suit, -1 with an exception. */
int gr_convert(PyObject *converter, const char *at, Py_ssize_t n, bool ascii, PyObject **out);

/* ---- Handler ---------------------------------------------------------------------------------
 */

typedef struct {
    PyObject_HEAD PyObject *endpoint; /* gr_endpoint */
    PyObject *args;                   /* tuple */
} gr_handler;

/* Steals the reference to `args`, also when it fails. */
PyObject *gr_handler_new(gr_state *state, PyObject *endpoint, PyObject *args);

/* ---- Table -----------------------------------------------------------------------------------
 */

/* A request while it is matched: its method is read only if a route asks for it. */
typedef struct {
    gr_state *state;
    PyObject *request;
    PyObject *method;    /* owned by whoever made the struct; NULL until it is read */
    bool ascii;          /* the path is */
    bool matches;        /* a Match is wanted, also for a Handler */
    bool soft;           /* set if the result is a redirect, 405 or the answer to OPTIONS */
    bool varies;         /* set if the result is that of a pattern with parameters */
    PyObject *host;      /* borrowed, or NULL: the request's, if a route asks for it */
    PyObject *query;     /* borrowed, or NULL: kept by a redirect */
    PyObject *read_host; /* as method */
} gr_ask;

/* The request's method, read once: borrowed, or NULL with an exception. */
PyObject *gr_ask_method(gr_ask *ask);

/* The request's host, or *text NULL if it has none; -1 with an exception. */
int gr_ask_host(gr_ask *ask, const char **text, Py_ssize_t *n);

void gr_ask_done(gr_ask *ask);

/* The answer for a path that starts with a slash, as a new reference in *result.
 * 1: found. 0: no route. -1: an exception is set. */
int gr_table_match(PyObject *table, gr_ask *ask, const char *path, Py_ssize_t n,
                   PyObject **result);

/* The answer (borrowed) of the deepest node on the way along `path`, and how many bytes of the
 * path led there; NULL if there is none. */
PyObject *gr_table_deepest(PyObject *table, const char *path, Py_ssize_t n, Py_ssize_t *used);

/* ---- Match and Paths -------------------------------------------------------------------------
 */

/* What a match knows of its route, a tuple. */
enum {
    GR_FACT_TARGET,
    GR_FACT_NAME,
    GR_FACT_PATTERN,
    GR_FACT_ROUTE,
    GR_FACT_NAMES, /* of the parameters, a tuple */
};
#define GR_FACTS 5

/* A match with room for n values, which the caller fills and then tracks. */
PyObject *gr_match_new(gr_state *state, PyObject *facts, Py_ssize_t n);
PyObject **gr_match_values(PyObject *match);

/* As gr_table_match, for registered patterns. */
int gr_paths_match(PyObject *paths, gr_ask *ask, const char *path, Py_ssize_t n,
                   PyObject **result);

/* Borrowed. */
PyObject *gr_paths_not_found(PyObject *paths);

/* ---- RouterBase ------------------------------------------------------------------------------
 */

typedef struct {
    PyObject_HEAD PyObject *module; /* whose state is next; kept, for a type can lose its own */
    gr_state *state;
    PyObject *mount;    /* str, "/" or without a slash at its end */
    PyObject *paths;    /* Paths, or NULL until _compile() is called */
    PyObject *table;    /* Table of a convention, or NULL */
    PyObject *fallback; /* called with (method, relative path) when the table has no answer */
} gr_router;

/* 1 if the path lies at or below the mount point; *rest is then the part behind it, "/" at least.
 */
int gr_router_relative(gr_router *self, const char *path, Py_ssize_t n, const char **rest,
                       Py_ssize_t *rest_n);

/* As gr_table_match, for the part of the path behind the mount point. */
int gr_router_match(gr_router *self, gr_ask *ask, const char *rest, Py_ssize_t n,
                    PyObject **result);

/* Reads request.path: a new reference and its UTF-8 bytes. *bytes is NULL, without an exception,
 * for text that has no UTF-8 form or does not start with a slash: it matches nothing. */
PyObject *gr_request_path(gr_state *state, PyObject *request, const char **bytes, Py_ssize_t *n);

/* ---- MountsBase ------------------------------------------------------------------------------
 */

/* 1 with the router and its answer as new references, 0 if nobody answers, -1 with an exception.
 * *called (NULL: not wanted): whether a route() in Python had a say. */
int gr_mounts_ask(PyObject *mounts, PyObject *request, gr_state *state, PyObject **router,
                  PyObject **result, bool *called);

/* ---- the module ------------------------------------------------------------------------------
 */

int gr_endpoint_register(PyObject *module);
int gr_handler_register(PyObject *module);
int gr_table_register(PyObject *module);
int gr_match_register(PyObject *module);
int gr_paths_register(PyObject *module);
int gr_router_register(PyObject *module);
int gr_mounts_register(PyObject *module);
int gr_dispatch_register(PyObject *module);
int gr_invoker_register(PyObject *module);
int gr_beneath_register(PyObject *module);

#endif
