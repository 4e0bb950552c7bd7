"""Handlers that block: they run on threads of their server, the answer goes out on its loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from . import _core

__all__ = ["Threads", "outcome", "usual_number"]

_END: Any = object()
_T = TypeVar("_T")


def usual_number() -> int:
    """How many threads there may be when nobody has said so."""
    return min(32, (os.cpu_count() or 1) + 4)


async def outcome(future: Future[_T]) -> _T:
    """What a future of another thread gives. Unlike with asyncio.wrap_future(), nobody waits for
    ever when that thread has no memory just when it is to tell the loop."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    future.add_done_callback(functools.partial(_tell, loop, waiter))
    try:
        await waiter
    except asyncio.CancelledError:
        future.cancel()
        raise
    if future.cancelled():
        raise asyncio.CancelledError
    return future.result()


def _tell(
    loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None], future: Future[_T]
) -> None:
    while not loop.is_closed():
        try:
            loop.call_soon_threadsafe(_wake, waiter)
        except MemoryError:
            time.sleep(0.01)
        except RuntimeError:
            break  # the loop was closed meanwhile
        else:
            break


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


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
        self._at_work: set[Future[Any]] = set()

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
        context = contextvars.copy_context()
        future = self._executor.submit(context.run, function, *args)
        self._at_work.add(future)
        future.add_done_callback(self._at_work.discard)
        return await outcome(future)

    def close(self) -> None:
        """Ends the threads; does not wait for those that are still at work."""
        if self._executor is not None:
            self._executor.shutdown(wait=not self._at_work, cancel_futures=True)
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
