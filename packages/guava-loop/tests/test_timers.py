"""call_later() and call_at(): order, never too early, removal."""

import asyncio
import gc
import math
import random
import weakref
from collections.abc import Iterator

import guava_loop
import pytest


@pytest.fixture(params=[guava_loop.new_event_loop, asyncio.SelectorEventLoop])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = request.param()
    made.set_debug(False)  # which -X dev turns on
    yield made
    made.close()


def test_timers_are_run_in_the_order_of_their_times(any_loop):
    generator = random.Random(3)
    now, seen = any_loop.time(), []
    times = [now - generator.random() for _ in range(1000)]
    for when in times:
        any_loop.call_at(when, seen.append, when)
    any_loop.call_later(0, any_loop.stop)
    any_loop.run_forever()
    assert seen == sorted(times)


def test_equal_times_keep_the_order_of_the_calls():
    loop = guava_loop.new_event_loop()
    now, seen = loop.time(), []
    for number in range(500):
        loop.call_at(now, seen.append, number)
    loop.call_later(0, loop.stop)
    loop.run_forever()
    loop.close()
    assert seen == list(range(500))


def test_never_early(any_loop):
    """libuv counts milliseconds and may end the poll up to one before its time."""
    early, left = [], 60
    generator = random.Random(5)

    def check(when: float) -> None:
        nonlocal left
        if any_loop.time() + any_loop._clock_resolution < when:
            early.append(when)
        left -= 1
        if left == 0:
            any_loop.stop()

    for _ in range(left):
        when = any_loop.time() + generator.random() * 0.05
        any_loop.call_at(when, check, when)
    any_loop.run_forever()
    assert early == []


def test_removal_anywhere_keeps_the_heap(any_loop):
    """Against a list that is sorted anew: cancel at random, add, let some be due."""
    generator = random.Random(11)
    base = any_loop.time() - 1000
    alive: dict[float, asyncio.TimerHandle] = {}
    seen: list[float] = []
    for _ in range(3000):
        if alive and generator.random() < 0.45:
            when = generator.choice(list(alive))
            alive.pop(when).cancel()
        else:
            when = base + generator.random() * 900
            alive[when] = any_loop.call_at(when, seen.append, when)
    any_loop.call_later(0, any_loop.stop)
    any_loop.run_forever()
    assert seen == sorted(alive)


def test_a_cancelled_timer_lets_go_at_once():
    """asyncio keeps them until they are due, or until there are a hundred."""
    loop = guava_loop.new_event_loop()

    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    handle = loop.call_later(3600, print, thing)
    assert len(loop._scheduled) == 1 and handle._scheduled
    del thing
    handle.cancel()
    handle.cancel()
    assert gone() is None and len(loop._scheduled) == 0 and not handle._scheduled
    loop.close()


def test_a_timer_that_is_due_and_then_cancelled_is_not_run(any_loop):
    seen = []
    when = any_loop.time() - 1
    any_loop.call_at(when, lambda: second.cancel())
    second = any_loop.call_at(when + 0.1, seen.append, 2)
    any_loop.call_later(0, any_loop.stop)
    any_loop.run_forever()
    assert seen == []


def test_timers_and_callbacks_take_turns(any_loop):
    """A timer due now comes after what is ready now and before what that adds."""
    seen = []
    any_loop.call_at(any_loop.time() - 1, seen.append, "timer")
    any_loop.call_soon(lambda: (seen.append("soon"), any_loop.call_soon(seen.append, "added")))
    any_loop.call_later(0, lambda: any_loop.call_soon(any_loop.stop))
    any_loop.run_forever()
    assert seen == ["soon", "timer", "added"]


def test_a_delay_of_nothing_gives_a_timer(any_loop):
    handle = any_loop.call_later(0, print)
    assert isinstance(handle.when(), float)
    assert any_loop.call_later(-5, print).when() < any_loop.time()
    any_loop._scheduled.clear()


def test_infinity_and_far_away(any_loop):
    any_loop.call_later(math.inf, print, "never")
    any_loop.call_later(1e300, print, "never")
    any_loop.call_later(1e9, print, "in thirty years")
    any_loop.call_later(0.01, any_loop.stop)
    any_loop.run_forever()
    any_loop._scheduled.clear()


def test_not_a_number_is_refused():
    loop = guava_loop.new_event_loop()
    with pytest.raises(ValueError, match="NaN"):
        loop.call_later(math.nan, print)
    with pytest.raises(ValueError, match="NaN"):
        loop.call_at(math.nan, print)
    loop.close()


def test_an_earlier_timer_shortens_the_wait(any_loop):
    seen = []
    any_loop.call_later(3600, seen.append, "late")
    any_loop.call_later(0.02, any_loop.stop)
    any_loop.run_forever()
    earlier = any_loop.call_later(0.5, seen.append, "cancelled")
    any_loop.call_later(0.02, any_loop.stop)
    any_loop.run_forever()
    earlier.cancel()
    assert seen == []
    any_loop._scheduled.clear()


def test_the_comparisons_of_timers(any_loop):
    first, again = any_loop.call_at(1.0, print, 1), any_loop.call_at(1.0, print, 1)
    later = any_loop.call_at(2.0, print, 1)
    assert first == again and first != later and first != 3
    assert first < later and first <= again and later > first and later >= first
    assert not first < again and not later <= first
    assert hash(first) == hash(again) == hash(1.0)
    again.cancel()
    assert first != again
    with pytest.raises(TypeError):
        _ = first < 3
    any_loop._scheduled.clear()


def test_time_is_the_monotonic_clock(any_loop):
    import time

    before, now, after = time.monotonic(), any_loop.time(), time.monotonic()
    assert before - 1e-6 <= now <= after + 1e-6


def test_a_timer_in_a_cycle_is_collected():
    loop = guava_loop.new_event_loop()

    class Holder:
        def callback(self) -> None:
            pass

    holder = Holder()
    holder.handle = loop.call_later(3600, holder.callback)
    gone = weakref.ref(holder)
    loop.close()
    del holder, loop
    gc.collect()
    assert gone() is None
