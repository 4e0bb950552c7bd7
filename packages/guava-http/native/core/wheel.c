/* wheel.c: see wheel.h. */
#include "core/wheel.h"

#include <stddef.h>

static void
link_before(gh_timer *head, gh_timer *timer)
{
    timer->next = head;
    timer->previous = head->previous;
    head->previous->next = timer;
    head->previous = timer;
}

void
gh_wheel_start(gh_wheel *wheel, uint64_t now)
{
    for (size_t i = 0; i < GH_WHEEL_SLOTS; i++)
        wheel->slots[i] = (gh_timer){.next = &wheel->slots[i], .previous = &wheel->slots[i]};
    wheel->now = now;
}

void
gh_timer_stop(gh_timer *timer)
{
    if (timer->next == NULL)
        return;
    timer->next->previous = timer->previous;
    timer->previous->next = timer->next;
    timer->next = timer->previous = NULL;
}

void
gh_timer_lay(gh_wheel *wheel, gh_timer *timer)
{
    gh_timer_stop(timer);
    uint64_t least = wheel->now + 1, most = wheel->now + GH_WHEEL_SLOTS;
    uint64_t visit = timer->due < least ? least : timer->due;
    timer->visit = visit < most ? visit : most;
    link_before(&wheel->slots[timer->visit % GH_WHEEL_SLOTS], timer);
}

static void
visit_slot(gh_wheel *wheel, gh_timer *slot, void (*fire)(gh_timer *timer))
{
    /* fire() and gh_timer_lay() change the ring: it is emptied from its head into one of its own,
     * so that nothing is met twice. */
    gh_timer ring = {.next = &ring, .previous = &ring};
    if (slot->next == slot)
        return;
    ring = *slot;
    ring.next->previous = ring.previous->next = &ring;
    slot->next = slot->previous = slot;
    while (ring.next != &ring) {
        gh_timer *timer = ring.next;
        if (timer->due > wheel->now) {
            gh_timer_lay(wheel, timer);
        } else {
            gh_timer_stop(timer);
            fire(timer);
        }
    }
}

void
gh_wheel_turn(gh_wheel *wheel, uint64_t now, void (*fire)(gh_timer *timer))
{
    /* After a long sleep one round visits everything. */
    uint64_t steps = now > wheel->now ? now - wheel->now : 0;
    uint64_t from = wheel->now;
    wheel->now = now > wheel->now ? now : wheel->now;
    steps = steps < GH_WHEEL_SLOTS ? steps : GH_WHEEL_SLOTS;
    for (uint64_t i = 1; i <= steps; i++)
        visit_slot(wheel, &wheel->slots[(from + i) % GH_WHEEL_SLOTS], fire);
}
