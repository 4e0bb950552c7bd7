/* load.h: what the load's files share. A connection is a socket, and perhaps TLS on it; it never
 * blocks. load.c decides what is said over connections, wire.c how. */
#ifndef GUAVA_BENCHMARKS_LOAD_H
#define GUAVA_BENCHMARKS_LOAD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *wire; /* tcp, unix or udp */
    const char *host; /* of unix: the path */
    int port;
    bool tls;
    bool resume; /* TLS sessions are resumed */
} address;

typedef struct {
    int fd;
    void *ssl;      /* OpenSSL's SSL, or NULL */
    bool up;        /* connected, and hands are shaken */
    size_t sent;    /* bytes of the present request */
    size_t got;     /* bytes of the present answer */
    bool compared;  /* an answer was compared with its request */
    int registered; /* in epoll */
} conn;

/* Prints why and ends the process. */
_Noreturn void die(const char *what);

/* To be called once. */
void wire_prepare(const address *to);
/* Starts to connect. `number` picks the local address, of which loopback has many. */
void wire_open(conn *c, const address *to, unsigned number);
/* Goes on connecting: true when the connection is up. */
bool wire_advance(conn *c, const address *to);
/* Both: bytes, or 0 when the kernel takes or has no more; they die when the peer has closed. */
size_t wire_send(conn *c, const char *bytes, size_t n);
size_t wire_receive(conn *c, char *bytes, size_t n);
void wire_close(conn *c);
/* How many handshakes were resumptions. */
unsigned long wire_resumed(void);

#endif
