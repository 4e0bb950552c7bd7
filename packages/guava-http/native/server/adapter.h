/* adapter.h: a connection of an asyncio transport: the transport's BufferedProtocol (adapter.c)
 * and the server's guava_stream (adapter_stream.c) in one object. */
#ifndef GUAVA_HTTP_SERVER_ADAPTER_H
#define GUAVA_HTTP_SERVER_ADAPTER_H

#include <stddef.h>

#include "server/foreign.h"

struct guava_stream {
    void *user; /* first: see guava_stream_user() */
    const guava_stream_ops *ops;
};

/* A file on its way. */
typedef struct {
    int fd;
    int64_t offset;
    int64_t left;
    void (*done)(void *arg, int error);
    void *arg;
    int error;
    bool running;
    bool ended; /* done() is on its way */
} gh_adapter_file;

typedef struct {
    PyObject_HEAD struct guava_stream stream;
    gh_server *server;
    PyObject *transport; /* NULL before connection_made() and after connection_lost() */
    gh_adapter_file file;
    int error;    /* for closed() */
    bool closing; /* only closed() is called from now on */
    bool over;    /* the transport has asked us to write no more */
    bool resumed; /* it is just telling us to go on */
} gh_adapter;

static inline gh_adapter *
gh_adapter_of(guava_stream *stream)
{
    return (gh_adapter *)((char *)stream - offsetof(gh_adapter, stream));
}

/* Sends more of the file, until the transport has enough or all is sent. */
void gh_adapter_send_file(gh_adapter *self);
/* The file is done with: 0, or a negative errno. */
void gh_adapter_end_file(gh_adapter *self, int error);

#endif
