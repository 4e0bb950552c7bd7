/* body.h: a body's reader, for the two files that are about it: body.c (what the connection puts
 * in) and body_reader.c (what the handler takes out). */
#ifndef GUAVA_HTTP_SERVER_BODY_H
#define GUAVA_HTTP_SERVER_BODY_H

#include "server/parts.h"

struct gh_reader {
    PyObject_HEAD gh_peer *peer; /* NULL: nothing more comes from there */
    PyObject *loop;              /* asyncio's */
    PyObject *chunk;             /* bytes that came while somebody waited for them */
    gh_buffer data;              /* what came else */
    gh_limits limits;            /* of this body */
    gh_chunks chunks;
    uint64_t left;      /* of a body of known length, still to come */
    uint64_t received;  /* bytes, decoded */
    PyObject *waiter;   /* a future: done when there is something to take */
    uint32_t discarded; /* bytes that nobody wants */
    uint8_t verdict;    /* a gh_verdict: GH_OK, or why the rest is refused */
    bool chunked : 1;
    bool expects : 1;  /* the client waits for 100 Continue */
    bool ended : 1;    /* all of it came */
    bool gone : 1;     /* the client left before that */
    bool answered : 1; /* the request has been */
};

/* Somebody waits, and has not been told. */
bool gh_reader_waits(gh_reader *self);
size_t gh_reader_unread(const gh_reader *self);
/* Tells who waits. */
int gh_reader_wake(gh_reader *self);
gh_reader *gh_reader_new(gh_peer *peer);

#endif
