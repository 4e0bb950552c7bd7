/* module.h: what the extension module keeps for each interpreter. Each half of it allocates its
 * own part and knows nothing of the other's. */
#ifndef GUAVA_HTTP_MODULE_H
#define GUAVA_HTTP_MODULE_H

#include <Python.h>

struct gh_types;
struct gh_server_part;

typedef struct {
    struct gh_types *types;        /* types/parts.h */
    struct gh_server_part *server; /* server/parts.h; NULL until it registers */
} gh_module;

/* The module of a type of ours or of a class derived from one, borrowed; NULL with an exception.
 */
PyObject *gh_module_of_type(PyTypeObject *type);

/* Register a half: 0, or -1 with an exception set; the module calls free in every case. */
int gh_types_register(PyObject *module);
int gh_types_traverse(struct gh_types *types, visitproc visit, void *arg);
void gh_types_clear(struct gh_types *types);
void gh_types_free(struct gh_types *types);
int gh_server_register(PyObject *module);
int gh_server_traverse(struct gh_server_part *part, visitproc visit, void *arg);
void gh_server_clear(struct gh_server_part *part);
void gh_server_free(struct gh_server_part *part);

#endif
