/* load.c: the client of benchmarks.loop. One thread, one epoll, so many connections; what they
 * say is fixed, so that a message costs this side next to nothing. It never sleeps while it
 * measures (unless --calm): a client that must be woken is a part of what is measured.
 *
 *   load talk     each connection sends a request, waits for the answer, and again
 *   load connect  each exchange on a connection of its own
 *   load pour     connections send without end; a message is so many bytes
 *   load drain    connections ask once, and receive without end
 *   load idle     connections are opened and held until standard input ends
 *
 * Prints a line of JSON: for each window of time its seconds, messages, and the seconds of CPU
 * that the server (--pid) used meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define EVENTS 256
#define PART (256 * 1024)

typedef enum { TALK, CONNECT, POUR, DRAIN, IDLE } mode;

static const char *const mode_names[] = {"talk", "connect", "pour", "drain", "idle"};

static struct {
    mode mode;
    address to;
    int connections;
    size_t request, answer; /* bytes */
    int windows;
    double warm, window, patience; /* seconds */
    unsigned long count;           /* messages, instead of windows */
    bool calm;
    pid_t pid;
} opt = {
    .to = {.wire = "tcp", .host = "127.0.0.1"},
    .connections = 1,
    .request = 1024,
    .windows = 6,
    .warm = 0.05,
    .window = 0.1,
    .patience = 5.0,
};

static conn *conns;
static char *request, *answer;
static int epoll_fd;
static unsigned long messages, lost;
static size_t flow; /* bytes of pour and drain that are not yet a message */
static unsigned opened;
static int up;

_Noreturn void
die(const char *what)
{
    (void)fprintf(stderr, "load: %s%s%s (%lu messages)\n", what, errno != 0 ? ": " : "",
                  errno != 0 ? strerror(errno) : "", messages);
    exit(1);
}

static double
seconds(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) < 0) {
        die("the server has ended");
    }
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void
start(conn *c)
{
    wire_open(c, &opt.to, opened++);
    /* Edge-triggered for both directions: epoll is told once per connection. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        die("epoll_ctl()");
    }
}

static void
compare(conn *c)
{
    if (opt.request == opt.answer && memcmp(request, answer, opt.request) != 0) {
        errno = 0;
        die("a wrong answer");
    }
    c->compared = true;
}

static void
count_bytes(size_t n)
{
    flow += n;
    messages += flow / opt.request;
    flow %= opt.request;
}

static void
pour(conn *c)
{
    size_t n;
    while ((n = wire_send(c, request, opt.request)) != 0) {
        count_bytes(n);
    }
}

static void
drain(conn *c)
{
    while (c->sent == 0) {
        c->sent = wire_send(c, request, 1);
    }
    size_t n;
    while ((n = wire_receive(c, answer, PART)) != 0) {
        count_bytes(n);
    }
}

/* Sends and receives as far as the kernel goes; begins anew after each answer. */
static void
talk(conn *c)
{
    for (;;) {
        size_t n;
        while (c->sent < opt.request &&
               (n = wire_send(c, request + c->sent, opt.request - c->sent)) != 0) {
            c->sent += n;
        }
        /* The first answer of a connection is kept whole, to be compared. */
        while (c->got < opt.answer) {
            char *place = c->compared ? answer : answer + c->got;
            n = wire_receive(c, place, opt.answer - c->got);
            if (n == 0) {
                return;
            }
            c->got += n;
        }
        if (c->sent < opt.request) {
            errno = 0;
            die("an answer before the question");
        }
        if (!c->compared) {
            compare(c);
        }
        messages++;
        if (opt.mode == CONNECT) {
            wire_close(c);
            start(c);
            return;
        }
        c->sent = c->got = 0;
    }
}

static void
advance(conn *c)
{
    if (!c->up) {
        if (!wire_advance(c, &opt.to)) {
            return;
        }
        up++;
    }
    switch (opt.mode) {
    case IDLE:
        break;
    case POUR:
        pour(c);
        break;
    case DRAIN:
        drain(c);
        break;
    default:
        talk(c);
    }
}

/* Datagrams may be lost. Whoever waits asks again. */
static void
again(void)
{
    for (int i = 0; i < opt.connections; i++) {
        lost++;
        conns[i].sent = conns[i].got = 0;
        talk(&conns[i]);
    }
}

/* One wait, and what came of it. */
static void
turn(void)
{
    static double stuck;
    static unsigned long before;
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll_fd, events, EVENTS, opt.calm ? 1000 : 0);
    if (n < 0 && errno != EINTR) {
        die("epoll_wait()");
    }
    for (int i = 0; i < n; i++) {
        advance(events[i].data.ptr);
    }
    if (n > 0 || messages != before) {
        before = messages;
        stuck = 0.0;
        return;
    }
    double now = seconds(CLOCK_MONOTONIC);
    if (stuck == 0.0) {
        stuck = now;
    }
    double limit = strcmp(opt.to.wire, "udp") == 0 ? opt.patience / 20 : opt.patience;
    if (now - stuck > limit) {
        if (strcmp(opt.to.wire, "udp") != 0 || lost > 1000) {
            errno = 0;
            die("no answer");
        }
        again();
        stuck = now;
    }
}

static void
run_for(double length)
{
    double end = seconds(CLOCK_MONOTONIC) + length;
    while (seconds(CLOCK_MONOTONIC) < end) {
        turn();
    }
}

static void
measure(void)
{
    clockid_t cpu = CLOCK_MONOTONIC;
    if (opt.pid != 0 && clock_getcpuclockid(opt.pid, &cpu) != 0) {
        die("no such server");
    }
    run_for(opt.warm);
    (void)printf("{\"windows\": [");
    for (int i = 0; i < opt.windows; i++) {
        unsigned long count = messages;
        double start_cpu = seconds(cpu), start_time = seconds(CLOCK_MONOTONIC);
        run_for(opt.window);
        while (messages == count) {
            turn(); /* the server was kept from its core: the window becomes longer */
        }
        double time = seconds(CLOCK_MONOTONIC) - start_time;
        double used = seconds(cpu) - start_cpu;
        (void)printf("%s[%.6f, %lu, %.6f]", i != 0 ? ", " : "", time, messages - count, used);
    }
    (void)printf("], \"client\": %.6f, \"lost\": %lu, \"resumed\": %lu, \"opened\": %u}\n",
                 seconds(CLOCK_PROCESS_CPUTIME_ID), lost, wire_resumed(), opened);
}

static void
hold(void)
{
    while (up < opt.connections) {
        turn();
    }
    (void)printf("{\"ready\": %d}\n", up);
    (void)fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

static void
arguments(int argc, char **argv)
{
    static const struct option known[] = {
        {"wire", 1, NULL, 'w'},     {"host", 1, NULL, 'h'},   {"port", 1, NULL, 'p'},
        {"tls", 0, NULL, 't'},      {"resume", 0, NULL, 'r'}, {"connections", 1, NULL, 'c'},
        {"request", 1, NULL, 'q'},  {"answer", 1, NULL, 'a'}, {"windows", 1, NULL, 'n'},
        {"window", 1, NULL, 's'},   {"warm", 1, NULL, 'u'},   {"count", 1, NULL, 'm'},
        {"patience", 1, NULL, 'x'}, {"calm", 0, NULL, 'l'},   {"pid", 1, NULL, 'i'},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'w':
            opt.to.wire = optarg;
            break;
        case 'h':
            opt.to.host = optarg;
            break;
        case 'p':
            opt.to.port = atoi(optarg);
            break;
        case 't':
            opt.to.tls = true;
            break;
        case 'r':
            opt.to.resume = true;
            break;
        case 'c':
            opt.connections = atoi(optarg);
            break;
        case 'q':
            opt.request = strtoul(optarg, NULL, 10);
            break;
        case 'a':
            opt.answer = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            opt.windows = atoi(optarg);
            break;
        case 's':
            opt.window = atof(optarg);
            break;
        case 'u':
            opt.warm = atof(optarg);
            break;
        case 'm':
            opt.count = strtoul(optarg, NULL, 10);
            break;
        case 'x':
            opt.patience = atof(optarg);
            break;
        case 'l':
            opt.calm = true;
            break;
        case 'i':
            opt.pid = atoi(optarg);
            break;
        default:
            exit(2);
        }
    }
    for (size_t i = 0; i < sizeof(mode_names) / sizeof(*mode_names); i++) {
        if (optind < argc && strcmp(argv[optind], mode_names[i]) == 0) {
            opt.mode = (mode)i;
            optind = argc;
        }
    }
    if (optind != argc || optind == 0 || opt.request == 0) {
        errno = 0;
        die("what to do?");
    }
    opt.answer = opt.answer != 0 ? opt.answer : opt.request;
}

int
main(int argc, char **argv)
{
    arguments(argc, argv);
    conns = calloc((size_t)opt.connections, sizeof(*conns));
    request = malloc(opt.request);
    answer = malloc(opt.answer > PART ? opt.answer : PART);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (conns == NULL || request == NULL || answer == NULL || epoll_fd < 0) {
        die("no memory");
    }
    for (size_t i = 0; i < opt.request; i++) {
        request[i] = (char)(i * 31 >> 3);
    }
    wire_prepare(&opt.to);
    for (int i = 0; i < opt.connections; i++) {
        start(&conns[i]);
    }
    if (opt.mode == IDLE) {
        hold();
    } else if (opt.count != 0) {
        while (messages < opt.count) {
            turn();
        }
        (void)printf("{\"messages\": %lu}\n", messages);
    } else {
        measure();
    }
    return 0;
}
