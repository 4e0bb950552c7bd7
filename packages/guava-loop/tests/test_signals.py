"""Signals and Ctrl-C. libuv goes on waiting when a signal interrupts it, so this takes care."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import guava_loop
import pytest


def run(program: str) -> str:
    """The output of a program that has to end by itself."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# A thread that interrupts the main one as soon as its loop sleeps in the poll.
INTERRUPT = """
import os, signal, threading, time
stat = f"/proc/self/task/{threading.get_native_id()}/stat"
def when_asleep(signum=signal.SIGINT):
    def wait():
        seen = 0
        while seen < 5:  # asleep five times in a row: not merely waiting for the interpreter
            if not os.path.exists(stat):  # not on Linux: leave it a while
                time.sleep(0.5)
                break
            with open(stat) as file:
                seen = seen + 1 if file.read().rpartition(")")[2].split()[0] == "S" else 0
            time.sleep(0.01)
        os.kill(os.getpid(), signum)
    threading.Thread(target=wait, daemon=True).start()
"""


def test_ctrl_c_wakes_an_idle_loop():
    assert run(
        INTERRUPT
        + """
import guava_loop
loop = guava_loop.new_event_loop()
loop.call_soon(when_asleep)
try:
    loop.run_forever()
except KeyboardInterrupt:
    print("interrupted", loop.is_running())
when_asleep()
try:
    loop.run_forever()
except KeyboardInterrupt:
    print("again")
loop.close()
"""
    ) == ("interrupted False\nagain\n")


def test_ctrl_c_cancels_the_main_task_of_run():
    assert run(
        INTERRUPT
        + """
import asyncio, guava_loop
async def main():
    when_asleep()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print("cancelled")
        raise
try:
    guava_loop.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    ) == ("cancelled\ninterrupted\n")


def test_ctrl_c_in_a_callback_that_computes():
    assert run(
        """
        import os, signal, guava_loop
        loop = guava_loop.new_event_loop()
        def busy():
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                pass
        loop.call_soon(busy)
        loop.call_soon(print, "not in this run")
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            print("interrupted")
        loop.close()
        """
    ) == ("interrupted\n")


def test_ctrl_c_after_the_last_signal_handler_was_removed():
    """asyncio takes the wake-up away with the last handler."""
    assert run(
        INTERRUPT
        + """
import guava_loop
loop = guava_loop.new_event_loop()
def go():
    loop.add_signal_handler(signal.SIGUSR1, print)
    loop.remove_signal_handler(signal.SIGUSR1)
    when_asleep()
loop.call_soon(go)
try:
    loop.run_forever()
except KeyboardInterrupt:
    print("interrupted")
loop.close()
"""
    ) == ("interrupted\n")


def test_signal_handlers_of_python_run_while_the_loop_sleeps():
    assert run(
        INTERRUPT
        + """
import guava_loop
loop = guava_loop.new_event_loop()
signal.signal(signal.SIGUSR1, lambda *_: loop.call_soon_threadsafe(loop.stop))
when_asleep(signal.SIGUSR1)
loop.run_forever()
print("stopped")
loop.close()
"""
    ) == ("stopped\n")


def test_signal_handlers_of_asyncio():
    loop = guava_loop.new_event_loop()
    seen = []

    def handle(*args):
        seen.append(args)
        if len(seen) == 3:
            loop.stop()
        else:
            os.kill(os.getpid(), signal.SIGUSR2)

    loop.add_signal_handler(signal.SIGUSR2, handle, 1, 2)
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR2)
    loop.run_forever()
    assert loop.remove_signal_handler(signal.SIGUSR2) is True
    assert loop.remove_signal_handler(signal.SIGUSR2) is False
    loop.close()
    assert seen == [(1, 2)] * 3


def test_the_wake_up_descriptor_is_given_back():
    before = signal.set_wakeup_fd(-1)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        signal.set_wakeup_fd(writing)
        guava_loop.run(asyncio.sleep(0))
        assert signal.set_wakeup_fd(-1) == writing
        guava_loop.run(asyncio.sleep(0))
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def test_a_handler_that_outlives_a_run_keeps_it():
    before = signal.set_wakeup_fd(-1)
    loop = guava_loop.new_event_loop()
    try:
        seen = []
        loop.call_soon(loop.add_signal_handler, signal.SIGUSR2, seen.append, 1)
        loop.call_soon(loop.stop)
        loop.run_forever()
        os.kill(os.getpid(), signal.SIGUSR2)
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        assert seen == [1]
    finally:
        loop.close()
        assert signal.set_wakeup_fd(before) == -1


def test_a_loop_on_another_thread_leaves_signals_alone():
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    results = []
    thread = threading.Thread(
        target=lambda: results.append(guava_loop.run(asyncio.sleep(0, "done")))
    )
    thread.start()
    thread.join()
    assert results == ["done"] and signal.set_wakeup_fd(before) == before


def test_no_handler_off_the_main_thread():
    caught = []

    def elsewhere():
        loop = guava_loop.new_event_loop()
        try:
            loop.add_signal_handler(signal.SIGUSR2, print)
        except (ValueError, RuntimeError) as error:
            caught.append(error)
        loop.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(caught) == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_children_are_reaped_and_their_signals_known(signum):
    async def main():
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"import os; os.kill(os.getpid(), {int(signum)})",
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await child.wait()

    assert guava_loop.run(main()) in (-signum, 1)


@pytest.mark.parametrize("closes", ["its loop", "the descriptor"])
def test_a_wakeup_descriptor_that_is_closed_meanwhile_is_not_put_back(loop, closes):
    other = asyncio.SelectorEventLoop()
    left, right = socket.socketpair()
    left.setblocking(False)
    with right:
        if closes == "its loop":
            other.add_signal_handler(signal.SIGUSR1, print)
            loop.call_soon(other.close)
        else:
            signal.set_wakeup_fd(left.fileno())
            loop.call_soon(left.close)
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert signal.set_wakeup_fd(-1) == -1
    left.close()
    other.close()
