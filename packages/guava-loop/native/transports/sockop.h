/* sockop.h: a call of one of the loop's sock_ methods, on its way. sockop.c makes it a coroutine
 * and lets it wait; sock_receive.c and sock_send.c say what each of them tries. */
#ifndef GUAVA_LOOP_NATIVE_SOCKOP_H
#define GUAVA_LOOP_NATIVE_SOCKOP_H

#include "face.h"

typedef struct gl_sockop gl_sockop;

typedef struct {
    const char *name; /* of the method */
    bool reading;
    /* Makes the system call on op->fd: GL_OP_DONE and a result (a new reference), GL_OP_BLOCKED,
     * or GL_OP_FAILED with an exception set. */
    int (*attempt)(gl_sockop *op, PyObject **result);
} gl_sockop_kind;

enum { GL_OP_FAILED = -1, GL_OP_BLOCKED = 0, GL_OP_DONE = 1 };

struct gl_sockop {
    PyObject_HEAD gl_loop *loop;
    const gl_sockop_kind *kind;
    PyObject *socket;   /* a socket.socket, and no subclass */
    PyObject *data;     /* what is sent, or received into; else NULL */
    PyObject *address;  /* where to, else NULL */
    PyObject *future;   /* while it waits, else NULL */
    PyObject *iterator; /* the future's, likewise */
    PyObject *weakrefs;
    Py_buffer view;  /* of data, once sending has begun; else view.obj is NULL */
    Py_ssize_t size; /* bytes asked for */
    Py_ssize_t sent; /* bytes */
    int fd;
    int family; /* of those whose address matters */
    int stage;
};

/* The coroutine. NULL with an exception set. */
gl_sockop *gl_sockop_new(gl_loop *loop, const gl_sockop_kind *kind, PyObject *socket);
/* What asyncio's own method gives, for the calls that are not ours: other kinds of sockets, data
 * and errors. */
PyObject *gl_sockop_inherited(gl_loop *loop, const char *name, PyObject *const *args,
                              Py_ssize_t nargs, PyObject *kwnames);
/* After a system call: whether it is to be tried later (then GL_OP_BLOCKED), else GL_OP_FAILED
 * with OSError set. */
int gl_sockop_errno(void);
/* Whether the object is of the one class that has no methods of its own. */
static inline bool
gl_is_socket(const gl_loop *loop, PyObject *object)
{
    return Py_IS_TYPE(object, (PyTypeObject *)loop->state->face->of.socket);
}
/* Of a socket.socket; -1 when it cannot be had. */
int gl_sockop_family(const gl_loop *loop, PyObject *socket);
int gl_sockop_exec(PyObject *module, gl_state *state);

/* ---- sock_receive.c, sock_send.c, sock_connect.c: methods of Core ---- */
#define GL_SOCK_METHOD(name)                                                                      \
    PyObject *gl_core_##name(gl_loop *loop, PyObject *const *args, Py_ssize_t nargs,              \
                             PyObject *kwnames)
GL_SOCK_METHOD(sock_recv);
GL_SOCK_METHOD(sock_recv_into);
GL_SOCK_METHOD(sock_recvfrom);
GL_SOCK_METHOD(sock_recvfrom_into);
GL_SOCK_METHOD(sock_sendall);
GL_SOCK_METHOD(sock_sendto);
GL_SOCK_METHOD(sock_connect);

#endif
