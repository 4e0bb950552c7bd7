/* limit.c: the most that libuv and http-parser allow on one core, with no Python: what
 * benchmarks/hello/limit.c is for hello, for any fixed answer.
 *
 * Each request, with or without a body, is read to its end and answered with the same bytes. What
 * Guava spends above it is the price of Python and of the checks that http-parser does not make.
 *
 * Usage: limit PORT CONTENT-TYPE FILE   (the answer's body)
 */
#include <http_parser.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define DATE_LEN 29

enum { READ_SIZE = 64 * 1024, CORK_SIZE = 64 * 1024, COPIED = 8 * 1024, BACKLOG = 1024 };

typedef struct {
    uv_tcp_t tcp;
    http_parser parser;
    bool closing;
} connection;

/* What could not be written at once: bytes of the cork, and of the body, which stays. */
typedef struct {
    uv_write_t request;
    char bytes[];
} leftover;

/* One loop on one thread: these are shared by all connections. */
static char read_buffer[READ_SIZE];
static char cork[CORK_SIZE];
static size_t corked;
static const char *type;
static char *body;
static size_t body_len;
static char head_keep[256];
static char head_close[256];
static size_t head_keep_len;
static size_t head_close_len;

static size_t
head(char *out, size_t size, const char *date, const char *more)
{
    return (size_t)snprintf(out, size,
                            "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: %s\r\n"
                            "Content-Length: %zu\r\n%s\r\n",
                            date, type, body_len, more);
}

static void
render(uv_timer_t *timer)
{
    (void)timer;
    char date[DATE_LEN + 1];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    head_keep_len = head(head_keep, sizeof(head_keep), date, "");
    head_close_len = head(head_close, sizeof(head_close), date, "Connection: close\r\n");
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

/* Sends what is in the cork, and `n` bytes of the body behind it: one system call, unless the
 * reader is slow. */
static void
flush(connection *peer, size_t n)
{
    uv_buf_t buffers[2] = {uv_buf_init(cork, (unsigned)corked), uv_buf_init(body, (unsigned)n)};
    size_t front = corked, length = corked + n;
    corked = 0;
    if (length == 0 || uv_is_closing((uv_handle_t *)&peer->tcp)) {
        return;
    }
    int sent = uv_try_write((uv_stream_t *)&peer->tcp, buffers, n > 0 ? 2 : 1);
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
    size_t done = (size_t)sent;
    size_t rest = done < front ? front - done : 0;
    leftover *later = malloc(sizeof(*later) + rest);
    if (later == NULL) {
        drop(peer);
        return;
    }
    memcpy(later->bytes, cork + front - rest, rest);
    later->request.data = later;
    size_t skip = done > front ? done - front : 0;
    buffers[0] = uv_buf_init(later->bytes, (unsigned)rest);
    buffers[1] = uv_buf_init(body + skip, (unsigned)(n - skip));
    unsigned first = rest > 0 ? 0 : 1, last = n > skip ? 2 : 1;
    if (uv_write(&later->request, (uv_stream_t *)&peer->tcp, buffers + first, last - first,
                 on_written) < 0) {
        free(later);
        drop(peer);
    }
}

static void
put(connection *peer, const char *bytes, size_t n)
{
    if (corked + n > CORK_SIZE) {
        flush(peer, 0);
    }
    memcpy(cork + corked, bytes, n);
    corked += n;
}

static int
on_message_complete(http_parser *parser)
{
    connection *peer = parser->data;
    bool keep = http_should_keep_alive(parser);
    put(peer, keep ? head_keep : head_close, keep ? head_keep_len : head_close_len);
    if (body_len <= COPIED) {
        put(peer, body, body_len);
    } else {
        flush(peer, body_len);
    }
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
    flush(peer, 0);
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

static bool
read_body(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return false;
    }
    long size = ftell(file);
    if (size < 0 || fseek(file, 0, SEEK_SET) != 0) {
        return false;
    }
    body_len = (size_t)size;
    body = malloc(body_len + 1);
    bool read = body != NULL && fread(body, 1, body_len, file) == body_len;
    (void)fclose(file);
    return read;
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
    unsigned long port = argc == 4 ? strtoul(argv[1], &end, 10) : 0;
    if (end == NULL || *end != '\0' || port == 0 || port > 65535 || !read_body(argv[3])) {
        fprintf(stderr, "usage: limit PORT CONTENT-TYPE FILE\n");
        return 2;
    }
    type = argv[2];
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
