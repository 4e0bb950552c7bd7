/* wheel.h: deadlines of many connections on one coarse clock.
 *
 * A timing wheel: a timer lies in the slot of its deadline, the clock visits slot after slot. A
 * deadline that moves back, as a busy connection's does with every request, is one store: the
 * timer stays where it is and is laid elsewhere when its old slot is visited. Constant-limit
 * queues would do the same for one limit each; here a connection that goes from one kind of
 * waiting to another stays in one list. */
#ifndef GUAVA_HTTP_CORE_WHEEL_H
#define GUAVA_HTTP_CORE_WHEEL_H

#include <stdint.h>

#define GH_WHEEL_SLOTS 256
#define GH_NEVER UINT64_MAX

typedef struct gh_timer {
    struct gh_timer *next, *previous; /* NULL: it lies in no slot */
    uint64_t due;                     /* ticks */
    uint64_t visit;                   /* when its slot is next visited, no later than due */
} gh_timer;

typedef struct {
    gh_timer slots[GH_WHEEL_SLOTS]; /* rings; each slot is its own ring's head */
    uint64_t now;                   /* ticks: everything due by then has been given out */
} gh_wheel;

void gh_wheel_start(gh_wheel *wheel, uint64_t now);

/* Moves the clock to `now` and calls fire() for each timer that is due; it has been taken out
 * before. fire() may arm and stop any timer, but not turn the wheel. */
void gh_wheel_turn(gh_wheel *wheel, uint64_t now, void (*fire)(gh_timer *timer));

void gh_timer_stop(gh_timer *timer);

/* For gh_timer_arm(). */
void gh_timer_lay(gh_wheel *wheel, gh_timer *timer);

/* Sets the deadline; GH_NEVER for none. The timer starts as all zero. */
static inline void
gh_timer_arm(gh_wheel *wheel, gh_timer *timer, uint64_t due)
{
    timer->due = due;
    if (timer->next == (gh_timer *)0 || due < timer->visit)
        gh_timer_lay(wheel, timer);
}

#endif
