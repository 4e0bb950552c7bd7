/* stats.c: what loop.stats() shows: the counts that the loop keeps (stats.h), and what can be
 * counted when somebody asks. */
#include "stats.h"

#include "handle.h"
#include "parts.h"
#include "poller.h"
#include "stream.h"

/* Milliseconds. A turn belongs to the first bound that it is below. */
static const uint64_t bounds[GL_LAG_BUCKETS - 1] = {1,   2,   5,    10,   20,   50,    100,
                                                    200, 500, 1000, 2000, 5000, 10000, 60000};

Py_NO_INLINE void
gl_stats_turn_took(gl_stats *stats, uint64_t now)
{
    uint64_t took = now - stats->woke;
    bool first = stats->woke == GL_NEVER;
    stats->woke = now;
    if (first) {
        return;
    }
    stats->busy += took;
    if (took > stats->longest) {
        stats->longest = took;
    }
    size_t bucket = 1;
    while (bucket < GL_LAG_BUCKETS - 1 && took >= bounds[bucket]) {
        bucket++;
    }
    stats->lag[bucket]++;
}

void
gl_stats_start(gl_stats *stats, uv_loop_t *uv)
{
    uv_update_time(uv);
    stats->started = uv_now(uv);
    stats->woke = GL_NEVER;
}

void
gl_stats_stop(gl_stats *stats, uv_loop_t *uv)
{
    /* libuv looks at the clock when a turn begins, and none does. */
    uv_update_time(uv);
    gl_stats_turn_took(stats, uv_now(uv));
    stats->ran += uv_now(uv) - stats->started;
}

/* Milliseconds of running, the present run among them. */
static uint64_t
running(const gl_loop *loop)
{
    uint64_t now = uv_hrtime() / 1000000;
    bool runs = loop->thread != 0 && now > loop->stats.started;
    return loop->stats.ran + (runs ? now - loop->stats.started : 0);
}

/* Milliseconds that the present turn has taken so far; 0 while the loop sleeps or does not run. */
static uint64_t
present(const gl_loop *loop)
{
    if (loop->thread == 0 || loop->sleeping || loop->stats.woke == GL_NEVER) {
        return 0;
    }
    uint64_t now = uv_hrtime() / 1000000;
    return now > loop->stats.woke ? now - loop->stats.woke : 0;
}

static size_t
count_streams(const gl_loop *loop)
{
    size_t n = 0;
    for (const guava_stream *s = loop->io.streams; s != NULL; s = s->next) {
        n++;
    }
    return n;
}

static size_t
count_transports(const gl_loop *loop)
{
    size_t n = 0;
    for (size_t fd = 0; fd < loop->nclaims; fd++) {
        n += loop->claims[fd] != NULL;
    }
    return n;
}

/* Turns that are over, by length; the first bucket holds those that took no time. */
static PyObject *
lags(const gl_loop *loop)
{
    const gl_stats *stats = &loop->stats;
    PyObject *counts = PyTuple_New(GL_LAG_BUCKETS);
    uint64_t rest = stats->turns - (loop->thread != 0 && stats->turns != 0);
    for (size_t i = GL_LAG_BUCKETS; counts != NULL && i-- > 0;) {
        uint64_t count = i != 0 ? stats->lag[i] : rest;
        rest = rest > count ? rest - count : 0;
        PyObject *number = PyLong_FromUnsignedLongLong(count);
        if (number == NULL) {
            Py_CLEAR(counts);
        } else {
            PyTuple_SET_ITEM(counts, (Py_ssize_t)i, number);
        }
    }
    return counts;
}

static PyObject *
upper_bounds(void)
{
    PyObject *tuple = PyTuple_New(GL_LAG_BUCKETS - 1);
    for (Py_ssize_t i = 0; tuple != NULL && i < GL_LAG_BUCKETS - 1; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(bounds[i]);
        if (number == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, i, number);
        }
    }
    return tuple;
}

/* In the order in which guava_loop.stats takes them. */
PyObject *
gl_core_stats(gl_loop *loop, PyObject *Py_UNUSED(ignored))
{
    const gl_stats *stats = &loop->stats;
    PyObject *of_bounds = upper_bounds();
    PyObject *of_lags = of_bounds != NULL ? lags(loop) : NULL;
    if (of_lags == NULL) {
        Py_XDECREF(of_bounds);
        return NULL;
    }
    return Py_BuildValue("(KKKnnnnnnKKKKNN)", stats->turns, stats->callbacks, stats->timers,
                         (Py_ssize_t)loop->timers.len, (Py_ssize_t)loop->ready.len,
                         (Py_ssize_t)gl_pollers_count(loop), (Py_ssize_t)count_streams(loop),
                         (Py_ssize_t)gl_listeners_count(loop), (Py_ssize_t)count_transports(loop),
                         stats->busy, running(loop), stats->longest, present(loop), of_bounds,
                         of_lags);
}
