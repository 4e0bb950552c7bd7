/* body.h: a body's reader, for the two files that are about it: body.c (what the connection puts
 * in) and body_reader.c (what the handler takes out). */
#ifndef GUAVA_HTTP_SERVER_BODY_H
#define GUAVA_HTTP_SERVER_BODY_H

#include "server/parts.h"

#define GH_PIECES 4

struct gh_reader {
    PyObject_HEAD gh_peer *peer; /* NULL: nothing more comes from there */
    PyObject *loop;              /* asyncio's */
    PyObject *pieces[GH_PIECES]; /* a ring: bytes as they came, the oldest at `first` */
    uint8_t first;
    uint8_t n_pieces;
    size_t in_pieces; /* bytes of all of them */
    PyObject *place;  /* bytes that the next ones are read into, or NULL */
    gh_buffer data;   /* what came behind them and found no room */
    gh_limits limits; /* of this body */
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
/* Puts them behind what is unread; bytes in `place` are not copied. False without memory. */
bool gh_reader_add(gh_reader *self, const char *bytes, size_t n);
/* Drops all that is unread. */
void gh_reader_drop(gh_reader *self);
/* Tells who waits. */
int gh_reader_wake(gh_reader *self);
gh_reader *gh_reader_new(gh_peer *peer);

#endif
