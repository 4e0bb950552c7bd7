/* limit.c: the most that libuv and http-parser allow on one core, with no Python.
 *
 * A complete small server, so that the comparison is honest: it keeps connections alive, answers
 * pipelined requests in order and in one write, notices "Connection: close", renews its Date once
 * a second and survives a slow reader. Its answer is, byte for byte, the one that Guava gives to
 * the same request; the harness checks that. What Guava spends above it is the price of Python.
 *
 * Usage: limit PORT
 */
#include <http_parser.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define BODY "Hello, world!"
#define HEAD_START "HTTP/1.1 200 OK\r\nDate: "
#define HEAD_END "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 13\r\n"
#define DATE_LEN 29

enum { READ_SIZE = 64 * 1024, CORK_SIZE = 64 * 1024, BACKLOG = 1024 };

typedef struct {
    uv_tcp_t tcp;
    http_parser parser;
    bool closing;
} connection;

/* What could not be written at once. */
typedef struct {
    uv_write_t request;
    char bytes[];
} leftover;

/* One loop on one thread: these are shared by all connections. */
static char read_buffer[READ_SIZE];
static char cork[CORK_SIZE];
static size_t corked;
static char answer_keep[256];
static char answer_close[256];
static size_t answer_keep_len;
static size_t answer_close_len;

static void
render(uv_timer_t *timer)
{
    (void)timer;
    char date[DATE_LEN + 1];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    answer_keep_len = (size_t)snprintf(answer_keep, sizeof(answer_keep), "%s%s%s\r\n%s",
                                       HEAD_START, date, HEAD_END, BODY);
    answer_close_len =
        (size_t)snprintf(answer_close, sizeof(answer_close), "%s%s%sConnection: close\r\n\r\n%s",
                         HEAD_START, date, HEAD_END, BODY);
}

static void
on_close(uv_handle_t *handle)
{
    free(handle->data);
}

static void
drop(connection *peer)
{
    if (!uv_is_closing((uv_handle_t *)&peer->tcp)) {
        uv_close((uv_handle_t *)&peer->tcp, on_close);
    }
}

static void
on_written(uv_write_t *request, int status)
{
    connection *peer = request->handle->data;
    free(request->data);
    if (status < 0 || peer->closing) {
        drop(peer);
    }
}

/* Sends what this read has been answered with: one system call, unless the reader is slow. */
static void
flush(connection *peer)
{
    uv_buf_t buffer = uv_buf_init(cork, (unsigned)corked);
    size_t length = corked;
    corked = 0;
    if (length == 0 || uv_is_closing((uv_handle_t *)&peer->tcp)) {
        return;
    }
    int sent = uv_try_write((uv_stream_t *)&peer->tcp, &buffer, 1);
    if (sent == (int)length) {
        return;
    }
    if (sent < 0) {
        if (sent != UV_EAGAIN) {
            drop(peer);
            return;
        }
        sent = 0;
    }
    size_t rest = length - (size_t)sent;
    leftover *later = malloc(sizeof(*later) + rest);
    if (later == NULL) {
        drop(peer);
        return;
    }
    memcpy(later->bytes, cork + sent, rest);
    later->request.data = later;
    buffer = uv_buf_init(later->bytes, (unsigned)rest);
    if (uv_write(&later->request, (uv_stream_t *)&peer->tcp, &buffer, 1, on_written) < 0) {
        free(later);
        drop(peer);
    }
}

static int
on_message_complete(http_parser *parser)
{
    connection *peer = parser->data;
    bool keep = http_should_keep_alive(parser);
    const char *answer = keep ? answer_keep : answer_close;
    size_t length = keep ? answer_keep_len : answer_close_len;
    if (corked + length > CORK_SIZE) {
        flush(peer);
    }
    memcpy(cork + corked, answer, length);
    corked += length;
    if (!keep) {
        peer->closing = true;
        http_parser_pause(parser, 1);
    }
    return 0;
}

static const http_parser_settings settings = {.on_message_complete = on_message_complete};

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_buffer, READ_SIZE);
}

static void
on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    connection *peer = stream->data;
    if (count <= 0) {
        if (count < 0) {
            drop(peer);
        }
        return;
    }
    size_t used = http_parser_execute(&peer->parser, &settings, buffer->base, (size_t)count);
    flush(peer);
    bool failed = !peer->closing && (used != (size_t)count || peer->parser.upgrade);
    bool pending = uv_stream_get_write_queue_size(stream) > 0;
    if (failed || (peer->closing && !pending)) {
        drop(peer);
    }
}

static void
on_connection(uv_stream_t *listener, int status)
{
    if (status < 0) {
        return;
    }
    connection *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return;
    }
    if (uv_tcp_init(listener->loop, &peer->tcp) < 0) {
        free(peer);
        return;
    }
    peer->tcp.data = peer;
    http_parser_init(&peer->parser, HTTP_REQUEST);
    peer->parser.data = peer;
    if (uv_accept(listener, (uv_stream_t *)&peer->tcp) < 0 ||
        uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read) < 0) {
        drop(peer);
    }
}

static int
fail(const char *what, int code)
{
    fprintf(stderr, "limit: %s: %s\n", what, uv_strerror(code));
    return 1;
}

int
main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (end == NULL || *end != '\0' || port == 0 || port > 65535) {
        fprintf(stderr, "usage: limit PORT\n");
        return 2;
    }
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    uv_timer_t clock;
    int code;

    render(NULL);
    if ((code = uv_timer_init(loop, &clock)) < 0 ||
        (code = uv_timer_start(&clock, render, 1000, 1000)) < 0) {
        return fail("timer", code);
    }
    if ((code = uv_ip4_addr("127.0.0.1", (int)port, &address)) < 0 ||
        (code = uv_tcp_init(loop, &listener)) < 0 ||
        (code = uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0)) < 0) {
        return fail("bind", code);
    }
    /* Accepted sockets inherit it on Linux: no system call for each connection. */
    if ((code = uv_tcp_nodelay(&listener, 1)) < 0 ||
        (code = uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection)) < 0) {
        return fail("listen", code);
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
