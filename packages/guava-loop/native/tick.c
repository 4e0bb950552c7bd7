/* tick.c: time that costs nothing to read: the coarse clock, calls at its pace, and the date as
 * HTTP writes it. All of it goes by uv_now(), which libuv reads from the clock once a turn. */
#include "loop.h"

#include <string.h>
#include <time.h>

#include "parts.h"

#define STEP_MS 100u

typedef struct gl_ticker gl_ticker;

struct gl_ticker {
    uv_timer_t timer;
    void (*fn)(void *arg);
    void *arg;
    gl_ticker *prev, *next; /* in gl_io.tickers */
};

uint64_t
gl_tick(gl_loop *loop)
{
    return (uv_now(&loop->uv) - loop->io.born) / STEP_MS;
}

static void
on_timer(uv_timer_t *timer)
{
    gl_ticker *t = timer->data;
    gl_loop *loop = timer->loop->data;
    gl_attach(loop);
    t->fn(t->arg);
    gl_check_callback(loop, "a tick raised");
}

int
gl_on_tick(gl_loop *loop, void (*fn)(void *), void *arg, unsigned ms, void **handle)
{
    if (gl_check_closed(loop) < 0) {
        return -1;
    }
    gl_ticker *t = PyMem_RawCalloc(1, sizeof(*t));
    if (t == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    uint64_t period = ms == 0 ? STEP_MS : ((uint64_t)ms + STEP_MS - 1) / STEP_MS * STEP_MS;
    t->fn = fn;
    t->arg = arg;
    /* Neither call fails on an open loop and a handle that is not closing. */
    (void)uv_timer_init(&loop->uv, &t->timer);
    t->timer.data = t;
    uv_update_time(&loop->uv); /* a loop that does not run has an old time */
    (void)uv_timer_start(&t->timer, on_timer, period, period);
    uv_unref((uv_handle_t *)&t->timer);
    t->next = loop->io.tickers;
    if (t->next) {
        t->next->prev = t;
    }
    loop->io.tickers = t;
    *handle = t;
    return 0;
}

static void
on_close(uv_handle_t *handle)
{
    PyMem_RawFree(handle->data);
}

void
gl_off_tick(gl_loop *loop, void *handle)
{
    gl_ticker *t = handle;
    if (t->prev) {
        t->prev->next = t->next;
    } else {
        loop->io.tickers = t->next;
    }
    if (t->next) {
        t->next->prev = t->prev;
    }
    uv_close((uv_handle_t *)&t->timer, on_close);
}

/* ---- the date ------------------------------------------------------------------------------- */

/* strftime() follows the locale; RFC 9110, 5.6.7 is English. */
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static char *
put_digits(char *p, int value, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        p[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return p + n;
}

static char *
put_text(char *p, const char *text)
{
    size_t n = strlen(text);
    memcpy(p, text, n + 1);
    return p + n;
}

static void
put_date(char *p, time_t seconds)
{
    struct tm t;
    if (gmtime_r(&seconds, &t) == NULL) {
        memset(&t, 0, sizeof(t)); /* a year that no int holds */
    }
    p = put_text(p, days[t.tm_wday]);
    p = put_text(p, ", ");
    p = put_digits(p, t.tm_mday, 2);
    p = put_text(p, " ");
    p = put_text(p, months[t.tm_mon]);
    p = put_text(p, " ");
    p = put_digits(p, t.tm_year + 1900, 4);
    p = put_text(p, " ");
    p = put_digits(p, t.tm_hour, 2);
    p = put_text(p, ":");
    p = put_digits(p, t.tm_min, 2);
    p = put_text(p, ":");
    p = put_digits(p, t.tm_sec, 2);
    (void)put_text(p, " GMT");
}

const char *
gl_http_date(gl_loop *loop)
{
    gl_io *io = &loop->io;
    if (uv_now(&loop->uv) >= io->date_until) {
        struct timespec now;
        /* Never fails with this clock. */
        (void)clock_gettime(CLOCK_REALTIME, &now);
        put_date(io->date, now.tv_sec);
        uv_update_time(
            &loop->uv); /* the two clocks read together, so that the second ends in time */
        io->date_until = uv_now(&loop->uv) + 1000 - (uint64_t)now.tv_nsec / 1000000;
    }
    return io->date;
}
