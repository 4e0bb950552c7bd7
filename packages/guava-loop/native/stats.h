/* stats.h: what a loop counts about itself. Embedded in struct guava_loop, and counted where
 * things happen (turn.c, ready.c, timer.c) because a call would cost more than the counting. All
 * of it is written with the interpreter attached, so that loop.stats() may read it on any thread.
 */
#ifndef GUAVA_LOOP_NATIVE_STATS_H
#define GUAVA_LOOP_NATIVE_STATS_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* One more than there are bounds in stats.c: the last is open. */
#define GL_LAG_BUCKETS 15
/* gl_stats.woke before the first turn of a run. */
#define GL_NEVER UINT64_MAX

typedef struct {
    uint64_t turns;     /* begun */
    uint64_t callbacks; /* run from the ready ring */
    uint64_t timers;    /* fired */
    uint64_t woke;      /* uv_now() when the present turn had to begin its work */
    uint64_t ran;       /* milliseconds of the runs that are over */
    uint64_t started;   /* uv_now() when the present run began */
    uint64_t busy;      /* milliseconds of turns, without the polls that could wait */
    uint64_t longest;   /* milliseconds of the longest turn */
    uint64_t
        lag[GL_LAG_BUCKETS]; /* turns by length; those below the first bound are not counted */
} gl_stats;

/* A turn is over that was seen to take time: on libuv's clock, in milliseconds. Turns that took
 * none (by far the most) are told by their absence, so a turn costs one comparison. */
void gl_stats_turn_took(gl_stats *stats, uint64_t now);
/* A run begins, and ends. */
void gl_stats_start(gl_stats *stats, uv_loop_t *uv);
void gl_stats_stop(gl_stats *stats, uv_loop_t *uv);

/* The turn's work is done, and another turn begins. */
static inline void
gl_stats_turn(gl_stats *stats, uint64_t now)
{
    if (now != stats->woke) {
        gl_stats_turn_took(stats, now);
    }
    stats->turns++;
}

typedef struct guava_loop gl_loop;

PyObject *gl_core_stats(gl_loop *loop, PyObject *ignored);

#endif
