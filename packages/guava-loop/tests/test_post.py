"""Deferred calls, and calls posted from threads."""

import errno
import threading
from types import ModuleType
from typing import Any

import pytest


def turn(loop: Any) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


# ---- defer -------------------------------------------------------------------------------------


def test_deferred_calls_come_in_order_and_once(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[int] = []
    for i in range(200):
        loop_probe.defer(loop, lambda i=i: seen.append(i))
    assert seen == []
    turn(loop)
    assert seen == list(range(200))
    turn(loop)
    assert len(seen) == 200


def test_deferred_calls_come_after_the_callbacks_of_the_turn(
    loop: Any, loop_probe: ModuleType
) -> None:
    seen: list[str] = []

    def first() -> None:
        loop_probe.defer(loop, lambda: seen.append("deferred"))
        loop.call_soon(seen.append, "next turn")
        seen.append("first")

    loop.call_soon(first)
    loop.call_soon(seen.append, "second")
    turn(loop)
    turn(loop)
    assert seen == ["first", "second", "deferred", "next turn"]


def test_a_call_deferred_by_a_deferred_call_waits_for_the_next_turn(
    loop: Any, loop_probe: ModuleType
) -> None:
    seen: list[str] = []

    def again() -> None:
        seen.append("deferred")
        if len(seen) < 20:
            loop_probe.defer(loop, again)
            loop.call_soon(seen.append, "soon")
        else:
            loop.stop()

    loop_probe.defer(loop, again)
    loop.run_forever()
    # Neither starves the other, and the loop did not sleep between. A turn has two places for
    # deferred calls: before the poll and after the callbacks.
    assert seen.count("deferred") >= 7
    assert seen.count("soon") >= 6
    assert "deferred deferred deferred" not in " ".join(seen)


def test_the_loop_does_not_sleep_on_deferred_calls(loop: Any, loop_probe: ModuleType) -> None:
    left = 1000

    def again() -> None:
        nonlocal left
        left -= 1
        if left:
            loop_probe.defer(loop, again)
        else:
            loop.stop()

    loop_probe.defer(loop, again)
    loop.run_forever()  # nothing else would wake it
    assert left == 0


def test_a_deferred_call_that_raises(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[int] = []
    loop_probe.defer(loop, lambda: 1 / 0)
    loop_probe.defer(loop, lambda: seen.append(1))
    turn(loop)
    assert seen == [1]
    assert [type(error["exception"]) for error in loop.errors] == [ZeroDivisionError]
    loop.errors.clear()


def test_deferred_calls_at_close(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[str] = []

    def again() -> None:
        seen.append("deferred")
        with pytest.raises(RuntimeError, match="closed"):
            loop_probe.defer(loop, again)

    loop_probe.defer(loop, again)
    loop.close()
    assert seen == ["deferred"]
    with pytest.raises(RuntimeError, match="closed"):
        loop_probe.defer(loop, again)


# ---- post --------------------------------------------------------------------------------------


def test_posted_from_the_loops_own_thread(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[int] = []

    def post() -> None:
        assert (
            loop_probe.post(loop, lambda: (seen.append(threading.get_ident()), loop.stop())) == 0
        )
        assert seen == []

    loop.call_soon(post)
    loop.run_forever()
    assert seen == [threading.get_ident()]


def test_posted_from_a_python_thread_wakes_the_loop(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[int] = []

    def post() -> None:
        loop_probe.post(loop, lambda: (seen.append(threading.get_ident()), loop.stop()))

    thread = threading.Timer(0.05, post)
    thread.start()
    loop.run_forever()
    thread.join()
    assert seen == [threading.get_ident()]


def test_posted_before_the_loop_runs(loop: Any, loop_probe: ModuleType) -> None:
    assert loop_probe.post(loop, loop.stop) == 0
    loop.run_forever()


def test_threads_without_python(loop: Any, loop_probe: ModuleType) -> None:
    """Nothing is lost, and what one thread posts comes in its order."""
    crowd = loop_probe.start_senders(loop, 4, 25_000, loop.stop)
    loop.run_forever()
    assert loop_probe.join_senders(crowd) == (100_000, 0)


def test_closed_while_threads_post(loop: Any, loop_probe: ModuleType) -> None:
    """Each call is either run or refused; none is lost, and nothing touches a closed handle."""
    crowd = loop_probe.start_senders(loop, 4, 50_000, lambda: None)
    loop.call_later(0.005, loop.stop)
    loop.run_forever()
    loop.close()
    ran, refused = loop_probe.join_senders(crowd)
    assert ran + refused == 200_000
    assert loop_probe.post(loop, lambda: None) == -errno.ESHUTDOWN


def test_a_posted_call_that_raises(loop: Any, loop_probe: ModuleType) -> None:
    loop_probe.post(loop, lambda: 1 / 0)
    loop_probe.post(loop, loop.stop)
    loop.run_forever()
    assert [type(error["exception"]) for error in loop.errors] == [ZeroDivisionError]
    loop.errors.clear()


def test_posted_calls_are_run_at_close(loop: Any, loop_probe: ModuleType) -> None:
    seen: list[int] = []
    for i in range(3):
        loop_probe.post(loop, lambda i=i: seen.append(i))
    loop.close()
    assert seen == [0, 1, 2]
