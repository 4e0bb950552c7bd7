"""serve(): a server for a program that has no loop of its own, until a signal comes."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

import guava_loop

from .process import raise_descriptors
from .server import Handler, Server

__all__ = ["serve"]


def serve(
    handler: Handler,
    host: str | None = "127.0.0.1",
    port: int = 8000,
    *,
    grace: float | None = 10,
    started: Callable[[Server], object] | None = None,
    **options: Any,
) -> None:
    """Serves until SIGINT or SIGTERM, on a new guava_loop.Loop.

    The soft limit of open files (RLIMIT_NOFILE) is raised to the hard one.

    The first signal lets requests in work be answered (see `Server.close`), the second ends at
    once, the third raises KeyboardInterrupt wherever the program is. Signals are only handled
    when this runs on the main thread.

    Args:
        handler: as of `Server`.
        host: as of `Server`.
        port: as of `Server`.
        grace: seconds for answers that are on their way when a signal comes.
        started: called with the server once it listens; to print its address, say.
        options: further options of `Server`.

    Raises:
        OSError: host and port cannot be listened on; the message names both.
    """
    raise_descriptors()
    server = Server(handler, host, port, **options)
    with _Signals() as signals, asyncio.Runner(loop_factory=guava_loop.new_event_loop) as runner:
        runner.run(_serve(server, signals, grace, started))


class _Signals:
    """Counts SIGINT and SIGTERM. It stays until the loop is closed: some senders send twice."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.hurried = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _on_signal(self, number: int, frame: object) -> None:
        self._count += 1
        if self._count > 2:
            raise KeyboardInterrupt
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.tell)

    def tell(self) -> None:
        """Sets the events, on the loop."""
        if self._count > 0:
            self.wanted.set()
        if self._count > 1:
            self.hurried.set()


async def _serve(
    server: Server,
    signals: _Signals,
    grace: float | None,
    started: Callable[[Server], object] | None,
) -> None:
    signals.loop = asyncio.get_running_loop()
    signals.tell()
    try:
        await server.start()
        if started is not None:
            started(server)
        await signals.wanted.wait()
        hurry = asyncio.create_task(signals.hurried.wait())
        close = asyncio.create_task(server.close(grace))
        await asyncio.wait([close, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
    finally:
        await server.close(0)
