"""run_forever(): when it is refused, what it shares with other threads, how it is interrupted."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Any

import guava_loop
import pytest

Factory = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(params=[guava_loop.new_event_loop, asyncio.SelectorEventLoop])
def factory(request: pytest.FixtureRequest) -> Factory:
    made: Factory = request.param
    return made


@pytest.fixture
def any_loop(factory: Factory) -> Iterator[asyncio.AbstractEventLoop]:
    made = factory()
    yield made
    made.close()


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RuntimeError) as caught:
        call()
    return str(caught.value)


def in_a_thread(call: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def test_another_loop_does_not_run_inside(loop):
    """Not on asyncio's: after the refusal, that of 3.13 forgets which loop runs."""
    other = guava_loop.new_event_loop()
    errors = []

    def call():
        errors.append(refused(other.run_forever))
        coroutine = asyncio.sleep(0)
        errors.append(refused(lambda: other.run_until_complete(coroutine)))
        coroutine.close()
        loop.stop()

    loop.call_soon(call)
    loop.run_forever()
    assert errors == ["Cannot run the event loop while another loop is running"] * 2
    assert not other.is_running()
    for each in (other, loop):
        assert each.run_until_complete(asyncio.sleep(0, "alive")) == "alive"
    other.close()


def test_another_thread_can_neither_run_nor_close_it():
    """Not on asyncio's: after the refusal, that of 3.13 forgets that it runs."""
    loop = guava_loop.new_event_loop()
    errors = []

    def call():
        for wrong in (loop.run_forever, loop.close, loop._close_streams, loop._close_native):
            errors.append(in_a_thread(functools.partial(refused, wrong)))
        loop.stop()

    loop.call_soon(call)
    loop.run_forever()
    assert (
        errors
        == ["This event loop is already running"] + ["Cannot close a running event loop"] * 3
    )
    assert loop.run_until_complete(asyncio.sleep(0, "alive")) == "alive"
    loop.close()


def test_one_thread_after_the_other(any_loop):
    for number in range(10):
        result = in_a_thread(
            lambda n=number: any_loop.run_until_complete(asyncio.sleep(0.0001, n))
        )
        assert result == number
    assert any_loop.run_until_complete(asyncio.sleep(0.0001, "here")) == "here"


def test_stop_from_another_thread_wakes_it():
    """asyncio's has to be asked by call_soon_threadsafe()."""
    loop = guava_loop.new_event_loop()
    for _ in range(20):
        thread = threading.Thread(target=loop.stop)
        loop.call_soon(thread.start)
        loop.run_forever()
        thread.join()
    loop.close()


def never_idle(loop: asyncio.AbstractEventLoop) -> None:
    """A callback in C that queues itself: no Python code that would let go of the interpreter."""
    again = functools.partial(loop.call_soon)
    again.__setstate__((loop.call_soon, (again,), {}, {}))
    loop.call_soon(again)


@pytest.mark.parametrize("interval", [1e-6, 0.005, 0.5])
def test_two_loops_that_are_never_idle_take_turns(interval):
    """Each is ended by the other, once that has come to its end."""
    before = sys.getswitchinterval()
    loops = [guava_loop.new_event_loop() for _ in range(2)]
    ends: list[asyncio.AbstractEventLoop] = []

    def work(own):
        never_idle(own)

        def count(left):
            if left:
                own.call_later(0.001, count, left - 1)
            else:
                ends.append(own)
                wait()

        def wait():
            if len(ends) == 2:
                own.stop()
            else:
                own.call_later(0.001, wait)

        own.call_soon(count, 20)
        own.run_forever()

    threads = [threading.Thread(target=work, args=(loop,), daemon=True) for loop in loops]
    try:
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    finally:
        sys.setswitchinterval(before)
        # Whatever happened: two threads that never rest would take all later tests with them.
        for loop, thread in zip(loops, threads, strict=True):
            if thread.is_alive():
                loop.call_soon_threadsafe(loop.stop)
                thread.join(60)
    for loop in loops:
        loop.close()
    assert len(ends) == 2


def run(program: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_in_a_loop_that_only_runs_c():
    """No Python code runs, which is what looks for signals."""
    program = """
        import functools, guava_loop
        loop = guava_loop.new_event_loop()
        again = functools.partial(loop.call_soon)
        again.__setstate__((loop.call_soon, (again,), {}, {}))
        loop.call_soon(again)
        print("go", flush=True)
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            print("interrupted", loop.is_running(), flush=True)
        loop._ready.clear()
        loop.close()
    """
    with run(program) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        # Once may be before it runs.
        while child.poll() is None:
            os.kill(child.pid, signal.SIGINT)
            try:
                child.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        out, errors = child.communicate()
    assert "interrupted False" in out or "KeyboardInterrupt" in errors


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["connection_made", "data_received", "connection_lost"])
def test_what_ends_programs_leaves_from_protocols(any_loop, kind, where):
    import socket

    ours, theirs = socket.socketpair()

    def method(self: object, *unused: object) -> None:
        raise kind

    protocol = type("Fatal", (asyncio.Protocol,), {where: method})

    async def main():
        await any_loop.create_connection(protocol, sock=ours)
        theirs.send(b"x")
        theirs.close()
        await asyncio.sleep(30)

    task = any_loop.create_task(main())
    with pytest.raises(kind):
        any_loop.run_until_complete(task)
    assert not any_loop.is_running()
    # And it goes on from there.
    assert any_loop.run_until_complete(asyncio.sleep(0.001, "alive")) == "alive"
    task.cancel()
    any_loop.run_until_complete(asyncio.wait([task]))
    theirs.close()
    ours.close()
