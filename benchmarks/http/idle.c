/* idle.c: the load of the row "idle". Opens connections, has one request answered on each, and
 * leaves them open; then sends requests at an even rate, each on another connection, and measures
 * how long each answer takes.
 *
 * Usage: idle PORT CONNECTIONS RATE SECONDS FILE   (the request)
 * Prints "ready" when all are open, waits for a line of input, and prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MOST = 4096, ANSWER_MOST = 4096, PATIENCE = 10 };

static char request[REQUEST_MOST];
static size_t request_len;
static size_t answer_len; /* every answer has as many bytes as the first */

static void
die(const char *what)
{
    fprintf(stderr, "idle: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int
open_connection(unsigned long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = {PATIENCE, 0};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        die("connect");
    }
    return fd;
}

/* The whole first answer tells how long all of them are. */
static size_t
measure_answer(int fd)
{
    char answer[ANSWER_MOST + 1];
    size_t have = 0;
    for (;;) {
        ssize_t n = recv(fd, answer + have, ANSWER_MOST - have, 0);
        if (n <= 0) {
            die("the first answer");
        }
        have += (size_t)n;
        answer[have] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        const char *field = strcasestr(answer, "\r\nContent-Length:");
        if (field == NULL || field > end) {
            errno = EPROTO;
            die("an answer without a length");
        }
        size_t whole = (size_t)(end + 4 - answer) +
                       strtoul(field + sizeof("\r\nContent-Length:") - 1, NULL, 10);
        if (have == whole) {
            return whole;
        }
    }
}

static void
ask(int fd)
{
    char answer[ANSWER_MOST];
    if (send(fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len) {
        die("send");
    }
    if (answer_len == 0) {
        answer_len = measure_answer(fd);
        return;
    }
    for (size_t have = 0; have < answer_len;) {
        ssize_t n = recv(fd, answer, sizeof(answer), 0);
        if (n == 0) {
            errno = ECONNRESET;
        }
        if (n <= 0) {
            die("an answer");
        }
        have += (size_t)n;
    }
}

static int
compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void
sleep_until(double when)
{
    struct timespec time = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {
    }
}

int
main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: idle PORT CONNECTIONS RATE SECONDS FILE\n");
        return 2;
    }
    unsigned long port = strtoul(argv[1], NULL, 10), connections = strtoul(argv[2], NULL, 10);
    double rate = strtod(argv[3], NULL), seconds = strtod(argv[4], NULL);
    size_t requests = (size_t)(rate * seconds);
    FILE *file = fopen(argv[5], "rb");
    if (file == NULL || (request_len = fread(request, 1, sizeof(request), file)) == 0) {
        die(argv[5]);
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    int *fds = calloc(connections, sizeof(*fds));
    double *taken = calloc(requests, sizeof(*taken));
    if (connections == 0 || requests == 0 || fds == NULL || taken == NULL) {
        die("nothing to do");
    }
    for (size_t i = 0; i < connections; i++) {
        fds[i] = open_connection(port);
        ask(fds[i]);
    }
    puts("ready");
    fflush(stdout);
    char line[8];
    if (fgets(line, sizeof(line), stdin) == NULL) {
        return 1;
    }
    double start = now();
    for (size_t i = 0; i < requests; i++) {
        double due = start + (double)i / rate;
        sleep_until(due);
        double begun = now();
        /* 7919 is a prime: neighbours in time are none in memory. */
        ask(fds[i * 7919 % connections]);
        taken[i] = now() - begun;
    }
    double elapsed = now() - start;
    qsort(taken, requests, sizeof(*taken), compare);
    printf("{\"requests\": %zu, \"bytes\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"errors\": {}}\n",
           requests, requests * answer_len, elapsed, taken[requests / 2] * 1e6,
           taken[requests * 99 / 100] * 1e6);
    return 0;
}
