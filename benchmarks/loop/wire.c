/* wire.c: sockets and TLS that never block. Compiled with -DWITH_TLS where OpenSSL's headers are.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#include "load.h"

static unsigned long resumed;

#ifdef WITH_TLS
static SSL_CTX *tls;
static SSL_SESSION *session;

/* A ticket is good for one connection, says RFC 8446; the newest is used. */
static int
on_session(SSL *ssl, SSL_SESSION *one)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = one;
    return 1;
}
#endif

void
wire_prepare(const address *to)
{
    if (!to->tls) {
        return;
    }
#ifdef WITH_TLS
    tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL) {
        die("no TLS");
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls, on_session);
#else
    die("compiled without OpenSSL");
#endif
}

static int
start_connect(const address *to, int fd, unsigned number)
{
    if (strcmp(to->wire, "unix") == 0) {
        struct sockaddr_un there = {.sun_family = AF_UNIX};
        strncpy(there.sun_path, to->host, sizeof(there.sun_path) - 1);
        return connect(fd, (struct sockaddr *)&there, sizeof(there));
    }
    int on = 1;
    if (strcmp(to->wire, "tcp") == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        /* Closed connections keep their ports for a minute; many addresses have many ports. */
        struct sockaddr_in here = {.sin_family = AF_INET};
        here.sin_addr.s_addr = htonl(0x7f000002u + number % 0xfff0u);
        if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0) {
            die("bind()");
        }
    }
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to->port)};
    if (inet_pton(AF_INET, to->host, &there.sin_addr) != 1) {
        die("no address");
    }
    return connect(fd, (struct sockaddr *)&there, sizeof(there));
}

void
wire_open(conn *c, const address *to, unsigned number)
{
    *c = (conn){0};
    int family = strcmp(to->wire, "unix") == 0 ? AF_UNIX : AF_INET;
    int type = strcmp(to->wire, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
    c->fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        die("socket()");
    }
    /* A full queue of a unix socket says EAGAIN, and takes nothing. */
    while (start_connect(to, c->fd, number) < 0 && errno != EINPROGRESS) {
        if (errno != EAGAIN || family != AF_UNIX) {
            die("connect()");
        }
        (void)usleep(100);
    }
#ifdef WITH_TLS
    if (to->tls) {
        SSL *ssl = SSL_new(tls);
        if (ssl == NULL || SSL_set_fd(ssl, c->fd) != 1 ||
            (to->resume && session != NULL && SSL_set_session(ssl, session) != 1)) {
            die("SSL_new()");
        }
        SSL_set_connect_state(ssl);
        c->ssl = ssl;
    }
#endif
}

#ifdef WITH_TLS
/* 0 if the call is to be repeated; it dies of anything else. */
static size_t
tls_again(conn *c, int result)
{
    int why = SSL_get_error(c->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        return 0;
    }
    ERR_print_errors_fp(stderr);
    die("TLS failed");
}
#endif

bool
wire_advance(conn *c, const address *to)
{
    if (!to->tls) {
        int error = 0;
        socklen_t n = sizeof(error);
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error != 0) {
            errno = error;
            die("connect()");
        }
        return c->up = true;
    }
#ifdef WITH_TLS
    int result = SSL_do_handshake(c->ssl);
    if (result != 1) {
        (void)tls_again(c, result);
        return false;
    }
    resumed += (unsigned long)SSL_session_reused(c->ssl);
#endif
    return c->up = true;
}

size_t
wire_send(conn *c, const char *bytes, size_t n)
{
#ifdef WITH_TLS
    if (c->ssl != NULL) {
        int did = SSL_write(c->ssl, bytes, (int)n);
        return did > 0 ? (size_t)did : tls_again(c, did);
    }
#endif
    ssize_t did = send(c->fd, bytes, n, MSG_NOSIGNAL);
    if (did < 0 && errno != EAGAIN) {
        die("send()");
    }
    return did > 0 ? (size_t)did : 0;
}

size_t
wire_receive(conn *c, char *bytes, size_t n)
{
#ifdef WITH_TLS
    if (c->ssl != NULL) {
        int did = SSL_read(c->ssl, bytes, (int)n);
        return did > 0 ? (size_t)did : tls_again(c, did);
    }
#endif
    ssize_t did = recv(c->fd, bytes, n, 0);
    if (did == 0) {
        errno = 0;
        die("the server closed the connection");
    }
    if (did < 0 && errno != EAGAIN) {
        die("recv()");
    }
    return did > 0 ? (size_t)did : 0;
}

void
wire_close(conn *c)
{
#ifdef WITH_TLS
    if (c->ssl != NULL) {
        /* Says goodbye, and does not wait for an answer. */
        (void)SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
#endif
    (void)close(c->fd); /* nothing more is to be sent */
    *c = (conn){.fd = -1};
}

unsigned long
wire_resumed(void)
{
    return resumed;
}
