"""Handlers that block: they run on threads of their server, the answer goes out on its loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import _core

__all__ = ["Threads", "usual_number"]

_END: Any = object()


def usual_number() -> int:
    """How many threads there may be when nobody has said so."""
    return min(32, (os.cpu_count() or 1) + 4)


class Threads:
    """Calls a handler on a thread: an object that is called with a request and gives a coroutine.

    The threads start with the first request that needs one; further requests wait for a free one.

    Args:
        handler: a plain function of a request.
        number: of threads, at most.
    """

    def __init__(self, handler: Callable[[_core.Request], Any], number: int) -> None:
        self._handler = handler
        self._number = number
        self._executor: ThreadPoolExecutor | None = None
        self._running = 0

    async def __call__(self, request: _core.Request) -> Any:
        result = await self.call(self._handler, request)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, _core.Response):
            if isinstance(result.body, Iterator):
                result.body = ThreadedIterator(self, result.body)
        elif isinstance(result, Iterator):
            result = ThreadedIterator(self, result)
        return result

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args) on a thread, in a copy of the current context."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._number, "guava_http")
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        self._running += 1
        future = loop.run_in_executor(self._executor, context.run, function, *args)
        future.add_done_callback(self._returned)
        return await future

    def _returned(self, future: asyncio.Future[Any]) -> None:
        self._running -= 1

    def close(self) -> None:
        """Ends the threads; does not wait for those that are still at work."""
        if self._executor is not None:
            self._executor.shutdown(wait=self._running == 0, cancel_futures=True)
            self._executor = None


class ThreadedIterator:
    """A plain iterator that may block, as an async one: each piece is made on a thread."""

    def __init__(self, threads: Threads, source: Iterator[Any]) -> None:
        self._threads = threads
        self._source = source
        self._making: asyncio.Task[Any] | None = None

    def __aiter__(self) -> ThreadedIterator:
        return self

    async def __anext__(self) -> Any:
        # A thread cannot be cancelled: whoever is, leaves it behind for aclose().
        self._making = asyncio.ensure_future(self._threads.call(next, self._source, _END))
        piece = await asyncio.shield(self._making)
        self._making = None
        if piece is _END:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Closes the iterator, once it is not at work any more."""
        if self._making is not None:
            with contextlib.suppress(Exception):
                await self._making
        close = getattr(self._source, "close", None)
        if close is not None:
            await self._threads.call(close)
