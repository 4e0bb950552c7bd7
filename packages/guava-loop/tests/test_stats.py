"""loop.stats(): each count against something that was counted by hand."""

import asyncio
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import guava_loop
import pytest
from guava_loop import Lag


def test_a_new_loop_has_done_nothing(loop):
    stats = loop.stats()
    assert not stats.running
    assert (stats.turns, stats.callbacks, stats.timers_fired, stats.timers) == (0, 0, 0, 0)
    assert (stats.ready, stats.files, stats.sockets, stats.listeners) == (0, 0, 0, 0)
    assert (stats.transports, stats.busy, stats.asleep, stats.turn) == (0, 0.0, 0.0, 0.0)
    assert stats.lag.count == 0 and stats.lag.mean == 0.0 and stats.lag.percentile(99) == 0
    assert stats.utilization == 0.0


def test_it_does_not_change(loop):
    stats = loop.stats()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.turns = 1
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert stats.turns == 0 and loop.stats().turns > 0
    assert stats == stats and len({stats, stats}) == 1


def test_callbacks_and_what_waits(loop):
    for _ in range(5):
        loop.call_soon(int)
    loop.call_soon(int).cancel()
    loop.call_soon(loop.stop)
    waiting = loop.stats()
    assert waiting.ready == 7 and waiting.callbacks == 0
    loop.run_forever()
    after = loop.stats()
    assert after.ready == 0
    assert after.callbacks == 7  # one of them was cancelled, and looked at
    loop.call_soon(int)
    assert loop.stats().ready == 1


def test_timers(loop):
    fired = []
    for _ in range(4):
        loop.call_later(0, fired.append, 1)
    loop.call_later(0, fired.append, 2).cancel()
    far = [loop.call_later(3600, fired.append, 3) for _ in range(3)]
    assert loop.stats().timers == 7 and loop.stats().timers_fired == 0
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    stats = loop.stats()
    assert fired == [1] * 4
    assert (stats.timers, stats.timers_fired) == (3, 5)
    for handle in far:
        handle.cancel()
    assert loop.stats().timers == 0 and loop.stats().timers_fired == 5


def test_files(loop):
    left, right = socket.socketpair()
    with left, right:
        loop.add_reader(left, print)
        loop.add_writer(left, print)
        loop.add_writer(right, print)
        assert loop.stats().files == 2
        loop.remove_reader(left)
        assert loop.stats().files == 2
        loop.remove_writer(left)
        loop.remove_writer(right)
        assert loop.stats().files == 0


def test_streams_and_listeners_of_the_c_api(loop, echo_server, run_until):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = listener.getsockname()
    echo_server.serve(loop, listener.detach())
    assert loop.stats().listeners == 1 and loop.stats().sockets == 0
    clients = [socket.create_connection(address) for _ in range(3)]
    run_until(lambda: loop.stats().sockets == 3)
    assert loop.stats().transports == 0  # nobody's of asyncio
    for client in clients:
        client.close()
    run_until(lambda: loop.stats().sockets == 0)


def test_transports(loop):
    async def main():
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        made = [await loop.create_connection(asyncio.Protocol, *address) for _ in range(2)]
        while loop.stats().transports < 4:  # both ends are ours
            await asyncio.sleep(0)
        udp, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        most = loop.stats()
        udp.close()
        for transport, _ in made:
            transport.close()
        server.close()
        await server.wait_closed()
        while loop.stats().transports or loop.stats().sockets:
            await asyncio.sleep(0)
        return most

    most = loop.run_until_complete(main())
    assert most.transports == 5 and most.sockets == 4
    assert most.files == 1  # asyncio's server watches its listening socket so


def test_a_turn_that_keeps_others_waiting_is_in_the_histogram(loop):
    loop.call_soon(time.sleep, 0.06)
    loop.call_soon(loop.stop)
    loop.run_forever()
    lag = loop.stats().lag
    assert lag.max >= 59 and lag.total >= 59
    assert lag.count == loop.stats().turns
    slow = [n for bound, n in zip(lag.bounds[1:], lag.counts[1:], strict=False) if bound > 50]
    assert sum(slow) + lag.counts[-1] == 1
    assert lag.percentile(100) == lag.max
    assert loop.stats().busy >= 0.059


def test_sleep_is_no_lag(loop):
    for _ in range(3):
        loop.call_later(0.05, loop.stop)
        loop.run_forever()
    stats = loop.stats()
    assert stats.asleep >= 0.14
    assert stats.utilization < 1
    # Both ends of each of the three runs are rounded to milliseconds.
    assert stats.busy + stats.asleep >= 0.144


def test_the_time_between_two_runs_counts_for_nothing(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()
    before = loop.stats()
    time.sleep(0.25)
    loop.call_soon(loop.stop)
    began = time.monotonic()
    loop.run_forever()
    took = time.monotonic() - began
    after = loop.stats()
    # Each end of it is rounded to milliseconds.
    assert after.busy + after.asleep - before.busy - before.asleep <= took + 0.002


def test_waiting_for_the_interpreter_is_lag(loop):
    """A thread that keeps the interpreter keeps the loop, too."""
    switch = sys.getswitchinterval()
    went_to_sleep = threading.Event()

    def keep():
        while loop.stats().asleep == 0.0:
            time.sleep(0.001)
        went_to_sleep.set()
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            pass

    thread = threading.Thread(target=keep)
    try:
        sys.setswitchinterval(0.2)
        loop.call_later(0.1, loop.stop)
        thread.start()
        while not went_to_sleep.wait(0.0):
            loop.call_later(0.1, loop.stop)
            loop.run_forever()
    finally:
        sys.setswitchinterval(switch)
        thread.join()
    assert loop.stats().lag.max >= 50


def test_a_turn_in_progress_is_seen_by_another_thread(loop):
    """What a health check does."""
    seen = []
    hold = threading.Event()

    def look():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            stats = loop.stats()
            if stats.turn >= 0.05:
                seen.append(stats)
                break
            time.sleep(0.002)
        hold.set()

    thread = threading.Thread(target=look)
    thread.start()
    loop.call_soon(hold.wait)
    loop.call_soon(loop.stop)
    loop.run_forever()
    thread.join()
    (stats,) = seen
    assert stats.running and stats.turn >= 0.05 and stats.busy >= stats.turn
    assert loop.stats().turn == 0.0


def test_from_many_threads_while_it_runs(loop):
    stop = threading.Event()
    failures = []

    def look():
        last = loop.stats()
        while not stop.is_set():
            stats = loop.stats()
            if stats.turns < last.turns or stats.callbacks < last.callbacks:
                failures.append((last, stats))
            last = stats

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    loop.call_later(0.2, loop.stop)

    def again():
        loop.call_soon(again)

    again()
    loop.run_forever()
    stop.set()
    for thread in threads:
        thread.join()
    loop._ready.clear()
    assert failures == []


def test_after_close(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()
    left, right = socket.socketpair()
    loop.add_reader(left, print)
    loop.call_later(60, print)
    loop.call_soon(print)
    loop.close()
    left.close()
    right.close()
    stats = loop.stats()
    assert stats.turns >= 1 and not stats.running
    assert (stats.ready, stats.timers, stats.files, stats.transports) == (0, 0, 0, 0)


def test_after_a_long_stop_of_the_process():
    """SIGSTOP, or a machine that sleeps: one long turn or one long sleep, and timers go on."""
    program = """
        import asyncio, os, sys, guava_loop
        async def main():
            loop = asyncio.get_running_loop()
            order = []
            now = loop.time()
            for n in (3, 1, 2):
                loop.call_at(now + n / 10, order.append, n)
            print("go", flush=True)
            while len(order) < 3:
                await asyncio.sleep(0.05)
            assert order == [1, 2, 3], order
            stats = loop.stats()
            print(stats.timers_fired >= 3, stats.busy + stats.asleep >= 0.5)
        guava_loop.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(child.pid, signal.SIGCONT)
        assert child.stdout.read() == "True True\n"
    assert child.returncode == 0


def test_percentiles():
    lag = Lag(bounds=(1, 2, 5), counts=(90, 5, 4, 1), max=70, total=150)
    assert lag.count == 100 and lag.mean == 1.5
    assert lag.percentile(0) == lag.percentile(50) == lag.percentile(90) == 1
    assert lag.percentile(91) == lag.percentile(95) == 2
    assert lag.percentile(99) == 5
    assert lag.percentile(99.5) == lag.percentile(100) == 70
    # Nothing was as long as the bucket's bound.
    assert Lag(bounds=(1, 2, 5), counts=(1, 0, 1, 0), max=3, total=3).percentile(100) == 3
    for wrong in (-1, 100.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 100"):
            lag.percentile(wrong)


def test_the_names_are_public():
    assert guava_loop.Stats.__module__ == "guava_loop.stats"
    assert {"Stats", "Lag"} <= set(guava_loop.__all__)
