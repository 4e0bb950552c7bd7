"""loop.watch(): who kept the loop is named, with the line. The callbacks wait until they were
noticed (with a limit that nobody should reach), so nothing depends on the speed of the machine."""

import asyncio
import functools
import gc
import logging
import os
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import guava_loop
import pytest
from guava_loop import Blocked

LIMIT = 0.02


def names(stack: traceback.StackSummary) -> list[str]:
    return [frame.name for frame in stack]


class Reports(list[Blocked]):
    """What was reported of the tests' own callbacks: on a busy machine anything may be slow.

    wait() is one that keeps the loop until it was looked at."""

    def __init__(self, loop: guava_loop.Loop) -> None:
        super().__init__()
        self.loop = loop
        self.threads: list[int] = []

    def __call__(self, blocked: Blocked) -> None:
        own = {"wait", "stuck"}.intersection(names(blocked.stack)) or "sleep(" in blocked.what
        if own or blocked.waited:
            self.append(blocked)
            self.threads.append(threading.get_ident())

    def wait(self, *unused: object) -> None:
        watch = self.loop._watched
        before = watch._caught[0]
        deadline = time.monotonic() + 30
        while watch._caught[0] == before and time.monotonic() < deadline:
            time.sleep(0.001)
        assert watch._caught[0] != before


@pytest.fixture
def reports(loop: guava_loop.Loop) -> Reports:
    return Reports(loop)


def turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_callback_is_named_with_the_line_it_was_at(loop, reports):
    def dawdle(argument):
        reports.wait()

    loop.watch(LIMIT, report=reports)
    loop.call_soon(dawdle, "argument")
    turn(loop)
    (blocked,) = reports
    assert blocked.over and not blocked.waited and blocked.seconds >= LIMIT
    assert "dawdle" in blocked.what and blocked.what.startswith("<Handle")
    assert blocked.defined == f"{__file__}:{dawdle.__code__.co_firstlineno}"
    assert names(blocked.stack) == ["dawdle", "wait"]
    assert blocked.where.endswith(" in wait") and __file__ in blocked.where
    assert blocked.task is None
    assert reports.threads == [threading.get_ident()]
    text = str(blocked)
    assert text.startswith(f"The event loop was kept for {blocked.seconds:.3f} seconds by <Handle")
    assert "reports.wait()" in text and "most recent call last" in text


def test_a_step_of_a_task_is_named(loop, reports):
    async def inner():
        await asyncio.sleep(0)
        reports.wait()  # here
        await asyncio.sleep(0)

    async def outer():
        await inner()

    async def main():
        loop.watch(LIMIT, report=reports)
        await loop.create_task(outer(), name="the slow one")

    loop.run_until_complete(main())
    (blocked,) = reports
    assert blocked.task == "the slow one"
    assert "the slow one" in blocked.what and blocked.what.startswith("<Task")
    assert blocked.defined == f"{__file__}:{outer.__code__.co_firstlineno}"
    assert names(blocked.stack) == ["outer", "inner", "wait"]
    assert blocked.stack[1].line == "reports.wait()  # here"


def test_timers_partials_methods_and_c_functions(loop, reports):
    loop.watch(LIMIT, report=reports)
    loop.call_later(0.001, reports.wait)
    loop.call_later(0.002, functools.partial(reports.wait, 1))
    loop.call_later(0.003, loop.stop)
    loop.run_forever()
    loop.call_soon(time.sleep, LIMIT * 2)
    turn(loop)
    timer, partial, sleep = reports
    line = Reports.wait.__code__.co_firstlineno
    assert timer.what.startswith("<TimerHandle")
    assert timer.defined == partial.defined == f"{__file__}:{line}"
    assert "sleep(" in sleep.what and sleep.defined == ""
    assert sleep.stack == [] and sleep.where == ""
    assert "sleep(" in str(sleep)


def test_a_watched_file_is_named(loop, reports):
    reading, writing = os.pipe()

    def ready():
        os.read(reading, 1)
        reports.wait()
        loop.stop()

    loop.add_reader(reading, ready)
    loop.watch(LIMIT, report=reports)
    os.write(writing, b"x")
    loop.run_forever()
    loop.remove_reader(reading)
    os.close(reading)
    os.close(writing)
    (blocked,) = reports
    assert "ready" in blocked.what and names(blocked.stack) == ["ready", "wait"]


def test_protocols_are_named(loop, reports):
    """Sockets of transports are served outside of handles."""

    class Slow(asyncio.Protocol):
        def data_received(self, data):
            reports.wait()
            done.set_result(None)

        def __repr__(self):
            return "<the slow protocol>"

    class SlowDatagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data, address):
            reports.wait()
            done.set_result(None)

        def __repr__(self):
            return "<the slow datagrams>"

    async def main():
        nonlocal done
        done = loop.create_future()
        server = await loop.create_server(Slow, "127.0.0.1", 0)
        client, _ = await loop.create_connection(
            asyncio.Protocol, *server.sockets[0].getsockname()
        )
        udp, _ = await loop.create_datagram_endpoint(SlowDatagrams, ("127.0.0.1", 0))
        with loop.watch(LIMIT, report=reports):
            client.write(b"x")
            await done
            done = loop.create_future()
            udp.sendto(b"x", udp.get_extra_info("sockname"))
            await done
            await asyncio.sleep(0)
        client.close()
        udp.close()
        server.close()

    done: Any = None
    loop.run_until_complete(main())
    turn(loop)
    turn(loop)
    stream, datagrams = reports
    assert "Transport" in stream.what and "<the slow protocol>" in stream.what
    assert "Transport" in datagrams.what and "<the slow datagrams>" in datagrams.what
    assert names(stream.stack)[-2:] == ["data_received", "wait"]
    assert names(datagrams.stack)[-2:] == ["datagram_received", "wait"]


def test_a_stream_of_the_c_api_is_told_by_its_stack(loop, reports, stream_probe):
    import socket

    class Slow(stream_probe.Stream):
        def data(self, data):
            reports.wait()
            loop.stop()

        def closed(self, error):
            pass

    ours, theirs = socket.socketpair()
    stream = Slow()
    stream.open(loop, ours.detach())
    loop.watch(LIMIT, report=reports)
    theirs.send(b"x")
    loop.run_forever()
    theirs.close()
    turn(loop)
    (blocked,) = reports
    assert blocked.what == "data()"
    assert names(blocked.stack) == ["data", "wait"]


def test_fast_callbacks_are_not_told_of(loop, reports):
    loop.watch(1000, report=reports)
    for _ in range(100):
        loop.call_soon(int)
        turn(loop)
    assert reports == []


def test_what_is_stuck_is_shown_before_it_is_over(loop, reports):
    """By the watching thread, since the loop's is busy."""
    hold = threading.Event()

    def report(blocked):
        reports(blocked)
        if not blocked.over:
            hold.set()

    def stuck():
        assert hold.wait(30)

    loop.watch(LIMIT, dump_after=3 * LIMIT, report=report, dump_held=False)
    loop.call_soon(stuck)
    turn(loop)
    early, late = reports
    assert not early.over and late.over and late.seconds >= early.seconds >= 3 * LIMIT
    assert reports.threads[0] != threading.get_ident() == reports.threads[1]
    assert names(early.stack)[0] == names(late.stack)[0] == "stuck"
    assert "stuck" in early.what and "has been kept" in str(early)


def test_it_is_shown_once(loop, reports):
    loop.watch(LIMIT, dump_after=LIMIT, report=reports, dump_held=False)
    deadline = time.monotonic() + 30

    def stuck():
        while not reports and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(5 * LIMIT)

    for _ in range(2):
        loop.call_soon(stuck)
        turn(loop)
        assert [blocked.over for blocked in reports] == [False, True]
        reports.clear()


def test_the_logger_is_told_unless_somebody_else_is(loop, caplog):
    def stuck():
        while len(caplog.records) < 1:
            time.sleep(0.001)

    loop.watch(LIMIT, dump_after=LIMIT, dump_held=False)
    loop.call_soon(stuck)
    turn(loop)
    early, late = caplog.records
    assert early.name == late.name == "guava_loop"
    assert (early.levelno, late.levelno) == (logging.ERROR, logging.WARNING)
    assert "stuck" in early.getMessage() and "stuck" in late.getMessage()


def test_waiting_for_the_interpreter_is_told_apart(loop, reports):
    """Another thread had it: no callback is to blame."""
    asleep, over = threading.Event(), threading.Event()

    def keep():
        asleep.wait()
        while loop.stats().turn != 0.0:
            time.sleep(0.0001)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
        over.set()

    thread = threading.Thread(target=keep)
    thread.start()
    switch = sys.getswitchinterval()
    loop.watch(LIMIT, report=reports)
    try:
        sys.setswitchinterval(0.3)
        loop.call_soon(asleep.set)
        loop.call_later(0.1, loop.stop)
        loop.run_forever()
    finally:
        sys.setswitchinterval(switch)
        thread.join()
    waited = [blocked for blocked in reports if blocked.waited]
    assert waited and waited[0].over and waited[0].seconds >= LIMIT
    assert "has waited" in str(waited[0]) and waited[0].task is None


def test_stop(loop, reports):
    watch = loop.watch(LIMIT, report=reports)
    assert watch.active and watch.limit == LIMIT and watch.dump_after is None
    loop.call_soon(reports.wait)
    turn(loop)
    watch.stop()
    watch.stop()
    assert not watch.active
    loop.call_soon(time.sleep, 3 * LIMIT)
    turn(loop)
    assert len(reports) == 1
    with loop.watch(LIMIT, report=reports) as second:
        loop.call_soon(time.sleep, 3 * LIMIT)
        turn(loop)
    assert not second.active and len(reports) == 2


def test_the_report_may_end_the_watch_and_the_loop(loop):
    seen = []

    def report(blocked):
        seen.append(blocked)
        loop.stop()
        watch.stop()

    watch = loop.watch(LIMIT, report=report)
    loop.call_soon(time.sleep, 2 * LIMIT)
    loop.run_forever()
    loop.call_soon(time.sleep, 2 * LIMIT)
    turn(loop)
    assert len(seen) == 1


def test_a_report_that_fails(loop):
    loop.watch(LIMIT, report=lambda blocked: 1 / 0)
    loop.call_soon(time.sleep, 2 * LIMIT)
    turn(loop)
    (context,) = loop.errors
    loop.errors.clear()
    assert isinstance(context["exception"], ZeroDivisionError)
    assert "slow callback" in context["message"]


def test_a_report_that_fails_on_the_watching_thread(loop, caplog):
    def report(blocked):
        if not blocked.over:
            raise ZeroDivisionError

    def stuck():
        while not caplog.records:
            time.sleep(0.001)

    loop.watch(LIMIT, dump_after=LIMIT, report=report, dump_held=False)
    loop.call_soon(stuck)
    turn(loop)
    assert "ZeroDivisionError" in caplog.text


def test_an_exception_that_ends_programs_leaves_from_the_report(loop):
    def report(blocked):
        raise KeyboardInterrupt

    loop.watch(LIMIT, report=report)
    loop.call_soon(time.sleep, 2 * LIMIT)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()


def test_wrong_arguments(loop):
    for limit in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"^limit must be above 0"):
            loop.watch(limit)
        with pytest.raises(ValueError, match=r"^dump_after must be above 0"):
            loop.watch(1, dump_after=limit)
    for limit in ("1", None, True):
        with pytest.raises(TypeError, match=r"^limit must be a number"):
            loop.watch(limit)
    with pytest.raises(ValueError, match="below limit, 1, and is 0"):
        loop.watch(1, dump_after=0.5)
    with pytest.raises(TypeError, match="report must be callable or None, not int"):
        loop.watch(1, report=5)
    with loop.watch(1), pytest.raises(RuntimeError, match="watched already"):
        loop.watch(1)
    loop.watch(1).stop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.watch(1)


def threads() -> int:
    return sum(thread.name == "guava-loop-watch" for thread in threading.enumerate())


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert true()


def test_its_thread_lives_while_the_loop_runs(loop):
    during = []
    until(lambda: threads() == 0)  # those of earlier tests
    loop.watch(1000)
    assert threads() == 0
    for _ in range(3):
        loop.call_soon(lambda: during.append(threads() >= 1))
        turn(loop)
    until(lambda: threads() == 0)
    assert during == [True] * 3


def test_close_ends_it(loop):
    watch = loop.watch(1)
    turn(loop)
    loop.close()
    assert not watch.active
    until(lambda: threads() == 0)


def test_a_watched_loop_that_nobody_closed_is_collected():
    loop = guava_loop.new_event_loop()
    loop.watch(0.001)
    turn(loop)
    until(lambda: threads() == 0)
    gone = weakref.ref(loop)
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop
        gc.collect()
    assert gone() is None


def test_what_ran_is_not_kept(loop, reports):
    class Thing:
        def dawdle(self):
            reports.wait()

    thing = Thing()
    gone = weakref.ref(thing)
    loop.watch(LIMIT, report=reports)
    loop.call_soon(thing.dawdle)
    del thing
    turn(loop)
    assert len(reports) == 1 and gone() is None


def test_many_loops_in_many_threads():
    failures = []

    def work():
        with asyncio.Runner(loop_factory=guava_loop.new_event_loop) as runner:
            loop = runner.get_loop()
            reports = Reports(loop)

            async def main():
                loop.watch(LIMIT, report=reports)
                for _ in range(3):
                    reports.wait()
                    await asyncio.sleep(0.001)

            runner.run(main())
        if len(reports) != 3 or any("main" not in names(b.stack) for b in reports):
            failures.append(list(reports))

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []


def test_in_debug_mode_both_are_told(loop, reports, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = LIMIT
    loop.watch(LIMIT, report=reports)
    loop.call_soon(reports.wait)
    turn(loop)
    assert len(reports) == 1
    assert "Executing <Handle" in caplog.text


def test_without_a_thread_to_be_had(loop, monkeypatch, caplog):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    seen = []
    loop.watch(LIMIT, report=seen.append)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    loop.call_soon(time.sleep, 2 * LIMIT)
    turn(loop)
    assert "sleep(" in seen[0].what and not seen[0].stack
    assert "without stacks: can't start new thread" in caplog.text
