/* foreign.h: a loop that is not guava-loop's, as the adapter's streams see it. */
#ifndef GUAVA_HTTP_SERVER_FOREIGN_H
#define GUAVA_HTTP_SERVER_FOREIGN_H

#include "server/parts.h"

#define GH_FOREIGN_READ (64 * 1024)

struct gh_foreign {
    struct gh_server_part *part;
    PyObject *loop; /* borrowed: the server has the reference */
    PyObject *view; /* a memoryview of what all connections read into */
    char *bytes;    /* its memory */
    char date[32];
    int64_t date_of; /* the second that it shows */
    uint64_t born;   /* milliseconds on the monotonic clock */
};

/* The loop's half of the table. */
guava_loop *gh_foreign_from_object(PyObject *object);
PyObject *gh_foreign_object(guava_loop *loop);
guava_loop *gh_foreign_running(void);
double gh_foreign_time(guava_loop *loop);
const char *gh_foreign_http_date(guava_loop *loop);
uint64_t gh_foreign_tick(guava_loop *loop);
int gh_foreign_defer(guava_loop *loop, void (*fn)(void *arg), void *arg);
int gh_foreign_post(guava_loop *loop, void (*fn)(void *arg), void *arg);
int gh_foreign_on_tick(guava_loop *loop, void (*fn)(void *arg), void *arg, unsigned ms,
                       void **handle);
void gh_foreign_off_tick(guava_loop *loop, void *handle);
void gh_foreign_error(guava_loop *loop, const char *where, PyObject *context);
int gh_foreign_step(guava_loop *loop, PyObject *coroutine, PyObject *context, PyObject **result);

#endif
