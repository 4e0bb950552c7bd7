"""What is measured inside one process: python -m benchmarks.loop.inside LOOP ROW [options].

Each row is a function that does something n times on a loop. It is called again and again, with
an n that takes a tenth of a second, and each call is a window; so a disturbance spoils one window
and not all. Prints the windows, as the load does: seconds, operations, seconds of CPU.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.loop.loops import new_event_loop

BURST = 100
PENDING = 10_000

Loop = asyncio.AbstractEventLoop
Row = Callable[[Loop, int], float | None]
"""Does something so many times; returns the seconds that it slept, which do not count."""

ROWS: dict[str, Row] = {}
LEAST = {"capture": 256, "cat_1k": 256, "cat_64k": 128}
"""Rows that begin with a child: so many operations that its start does not count."""


def row(function: Row) -> Row:
    ROWS[function.__name__] = function
    return function


def coroutine_row(function: Callable[[Loop, int], Awaitable[None]]) -> Row:
    def run(loop: Loop, n: int) -> None:
        loop.run_until_complete(function(loop, n))

    ROWS[function.__name__] = run
    return run


def chain(loop: Loop, n: int, schedule: Callable[[Callable[[], None]], Any]) -> None:
    """A callback that schedules itself, n times."""
    left = n

    def step() -> None:
        nonlocal left
        left -= 1
        if left > 0:
            schedule(step)
        else:
            loop.stop()

    schedule(step)
    loop.run_forever()


def nothing() -> None:
    pass


async def no_work() -> None:
    pass


@row
def call_soon(loop: Loop, n: int) -> None:
    """One callback a turn: what a turn costs, with the system call."""
    chain(loop, n, loop.call_soon)


@row
def call_soon_many(loop: Loop, n: int) -> None:
    """A thousand callbacks a turn."""

    def more(left: int) -> None:
        for _ in range(min(left, 1000)):
            loop.call_soon(nothing)
        if left > 1000:
            loop.call_soon(more, left - 1000)
        else:
            loop.call_soon(loop.stop)

    loop.call_soon(more, n)
    loop.run_forever()


@row
def call_soon_threadsafe(loop: Loop, n: int) -> None:
    """From the loop's own thread."""
    chain(loop, n, loop.call_soon_threadsafe)


@row
def call_soon_from_thread(loop: Loop, n: int) -> None:
    """From another thread, in bursts; the thread waits until a burst has run."""
    done = threading.Semaphore(0)

    def other() -> None:
        for _ in range(max(1, n // BURST)):
            for _ in range(BURST - 1):
                loop.call_soon_threadsafe(nothing)
            loop.call_soon_threadsafe(done.release)
            done.acquire()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=other)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


@row
def wake_from_thread(loop: Loop, n: int) -> None:
    """One call at a time: a sleeping loop is woken each time."""
    done = threading.Semaphore(0)

    def other() -> None:
        for _ in range(n):
            loop.call_soon_threadsafe(done.release)
            done.acquire()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=other)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def arm_and_cancel(loop: Loop, n: int) -> None:
    def more(left: int) -> None:
        for _ in range(min(left, BURST)):
            loop.call_later(10.0, nothing).cancel()
        if left > BURST:
            loop.call_soon(more, left - BURST)
        else:
            loop.stop()

    loop.call_soon(more, n)
    loop.run_forever()


@row
def call_later_cancel(loop: Loop, n: int) -> None:
    arm_and_cancel(loop, n)


@row
def call_later_cancel_pending(loop: Loop, n: int) -> None:
    """While ten thousand others are set."""
    global pending
    if pending is None:
        pending = [loop.call_later(3600 + number % 97, nothing) for number in range(PENDING)]
    arm_and_cancel(loop, n)


pending: list[asyncio.TimerHandle] | None = None


@row
def call_later_fire(loop: Loop, n: int) -> float:
    """Timers that are set in no order and all run, ten thousand at a time."""
    slept = 0.0
    while n > 0:
        some = min(n, PENDING)
        n -= some
        for number in range(some):
            # Over so many milliseconds that they are different ones for loops that count those.
            loop.call_later(0.02 + (number * 7919 % 10007) * 2e-6, nothing)
        loop.call_later(0.0402, loop.stop)
        start = time.perf_counter()
        time.sleep(0.045)
        slept += time.perf_counter() - start
        loop.run_forever()
    return slept


@coroutine_row
async def sleep_0(loop: Loop, n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


@coroutine_row
async def task(loop: Loop, n: int) -> None:
    for _ in range(n):
        await loop.create_task(no_work())


@coroutine_row
async def gather(loop: Loop, n: int) -> None:
    for _ in range(max(1, n // BURST)):
        await asyncio.gather(*(no_work() for _ in range(BURST)))


@coroutine_row
async def future(loop: Loop, n: int) -> None:
    for _ in range(n):
        waiter = loop.create_future()
        loop.call_soon(waiter.set_result, None)
        await waiter


@coroutine_row
async def timeout(loop: Loop, n: int) -> None:
    for _ in range(n):
        async with asyncio.timeout(10):
            await asyncio.sleep(0)


@coroutine_row
async def queues(loop: Loop, n: int) -> None:
    """Two tasks that throw a ball."""
    there: asyncio.Queue[int] = asyncio.Queue()
    back: asyncio.Queue[int] = asyncio.Queue()

    async def other() -> None:
        for _ in range(n):
            back.put_nowait(await there.get())

    catcher = loop.create_task(other())
    for _ in range(n):
        there.put_nowait(1)
        await back.get()
    await catcher


@coroutine_row
async def executor(loop: Loop, n: int) -> None:
    for _ in range(n):
        await loop.run_in_executor(None, nothing)


@coroutine_row
async def signals(loop: Loop, n: int) -> None:
    came = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, came.set)
    for _ in range(n):
        came.clear()
        os.kill(os.getpid(), signal.SIGUSR1)
        await came.wait()
    loop.remove_signal_handler(signal.SIGUSR1)


@coroutine_row
async def add_reader(loop: Loop, n: int) -> None:
    """A descriptor that is readable is watched, seen, and watched no more."""
    near, far = socket.socketpair()
    far.send(b"x")
    with near, far:
        for _ in range(n):
            waiter = loop.create_future()
            loop.add_reader(near.fileno(), waiter.set_result, None)
            await waiter
            loop.remove_reader(near.fileno())


@coroutine_row
async def socketpair(loop: Loop, n: int) -> None:
    """sock_sendall() and sock_recv(), nothing to wait for."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    data = bytes(1024)
    with near, far:
        for _ in range(n):
            await loop.sock_sendall(near, data)
            await loop.sock_recv(far, 4096)


class Count(asyncio.Protocol):
    """Both ends of an exchange: one begins, each answers."""

    def __init__(self, done: "asyncio.Future[None]", left: int) -> None:
        self.done, self.left = done, left

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.left -= 1
        if self.left > 0:
            self.transport.write(data)
        elif not self.done.done():
            self.done.set_result(None)


@coroutine_row
async def both_ends(loop: Loop, n: int) -> None:
    """A client and a server on one loop, over a socket pair."""
    near, far = socket.socketpair()
    done = loop.create_future()
    client, _ = await loop.create_connection(lambda: Count(done, max(1, n // 2)), sock=near)
    server, _ = await loop.create_connection(lambda: Count(done, n), sock=far)
    client.write(bytes(1024))
    await done
    client.close()
    server.close()
    await asyncio.sleep(0)


@coroutine_row
async def connect(loop: Loop, n: int) -> None:
    """create_connection() to a server on the same loop, and close()."""
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    for _ in range(n):
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
        transport.close()
    server.close()
    await server.wait_closed()


async def child(*command: str, **options: Any) -> asyncio.subprocess.Process:
    if PEER_CORE is not None:
        # Its work is done beside ours, as the load's is.
        command = ("taskset", "-c", str(PEER_CORE), *command)
    return await asyncio.create_subprocess_exec(*command, **options)


@coroutine_row
async def spawn(loop: Loop, n: int) -> None:
    """A child that does nothing, and its end."""
    for _ in range(n):
        process = await asyncio.create_subprocess_exec("/bin/true")
        await process.wait()


async def through_cat(n: int, size: int) -> None:
    process = await child("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    data = bytes(size)
    for _ in range(n):
        process.stdin.write(data)
        await process.stdin.drain()
        await process.stdout.readexactly(size)
    process.stdin.close()
    await process.wait()


@coroutine_row
async def cat_1k(loop: Loop, n: int) -> None:
    await through_cat(n, 1024)


@coroutine_row
async def cat_64k(loop: Loop, n: int) -> None:
    await through_cat(n, 64 * 1024)


class Capture(asyncio.SubprocessProtocol):
    def __init__(self, done: "asyncio.Future[None]", size: int) -> None:
        self.done, self.left = done, size
        self.gone: asyncio.Future[None] = done.get_loop().create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.left -= len(data)
        if self.left <= 0 and not self.done.done():
            self.done.set_result(None)

    def process_exited(self) -> None:
        self.gone.set_result(None)


@coroutine_row
async def capture(loop: Loop, n: int) -> None:
    """What a child prints without end, in pieces of 64 KiB."""
    done = loop.create_future()
    command = ["cat", "/dev/zero"]
    if PEER_CORE is not None:
        command = ["taskset", "-c", str(PEER_CORE), *command]
    transport, protocol = await loop.subprocess_exec(
        lambda: Capture(done, n * 64 * 1024), *command, stdin=None, stderr=None
    )
    await done
    transport.kill()
    await protocol.gone
    transport.close()


PEER_CORE: int | None = None


def windows(
    loop: Loop, function: Row, seconds: float, window: float, least: int
) -> list[list[float]]:
    """Samples of so many seconds each, after one that finds how much to do in that time."""
    n, taken = least, 0.0
    while taken < window / 4:
        n = n * 2 if taken < window / 64 else max(n + 1, int(n * window / 2 / taken))
        start = time.perf_counter()
        slept = function(loop, n) or 0.0
        taken = time.perf_counter() - start - slept
    n = max(least, int(n * window / taken))
    found: list[list[float]] = []
    end = time.perf_counter() + seconds
    while not found or time.perf_counter() < end - window / 2:
        cpu, start = time.process_time(), time.perf_counter()
        slept = function(loop, n) or 0.0
        taken = time.perf_counter() - start - slept
        found.append([taken, n, time.process_time() - cpu])
    return found


def count(loop: Loop, function: Row, few: int, many: int) -> None:
    """Marks, few, marks, many, marks, for counts.py."""
    gc.disable()  # it comes now and then, and looks at everything
    function(loop, few)
    for n in few, many:
        os.getppid()
        function(loop, n)
    os.getppid()


def main() -> None:
    global PEER_CORE
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop.inside", description=__doc__)
    parser.add_argument("loop")
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--seconds", type=float, default=0.6)
    parser.add_argument("--window", type=float, default=0.1)
    parser.add_argument("--peer-core", type=int)
    parser.add_argument("--count", nargs=2, type=int, metavar=("FEW", "MANY"))
    options = parser.parse_args()
    PEER_CORE = options.peer_core
    loop = new_event_loop(options.loop)
    asyncio.set_event_loop(loop)  # child watchers of old Pythons ask for it
    with contextlib.closing(loop):
        if options.count:
            count(loop, ROWS[options.row], *options.count)
        else:
            least = LEAST.get(options.row, 1)
            found = windows(loop, ROWS[options.row], options.seconds, options.window, least)
            print(json.dumps({"windows": found}))
        loop.run_until_complete(loop.shutdown_default_executor())
    sys.stdout.flush()


if __name__ == "__main__":
    main()
