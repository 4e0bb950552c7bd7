"""Bodies that a handler reads while they come in, and what a handler says of its body."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from . import _core
from .limits import Limits

__all__ = ["BodyPolicy", "BodyStream", "body_limit", "refusal", "stream_body"]

_F = TypeVar("_F", bound=Callable[..., Any])

_USUAL = Limits()


@dataclass(frozen=True, slots=True)
class BodyPolicy:
    """What a server does with the body of a request before it calls the handler.

    A handler's attribute `__guava_body__` is one, or a function `request -> BodyPolicy | None`
    that is called, once the head is there, for requests that have a body: so frameworks decide
    for each of their routes. `stream_body` and `body_limit` set it.

    Args:
        stream: call the handler at once; it reads the body while it comes. False: receive it
            first.
        limit: bytes of the body, decoded; more are refused with 413. None: `Limits.body`, and for
            streams no limit.
        thread: call the handler on a thread of the server, because it blocks while it reads.
    """

    stream: bool = False
    limit: int | None = None
    thread: bool = False


def _decide(function: Any, **changes: Any) -> None:
    policy = getattr(function, "__guava_body__", None)
    if not isinstance(policy, BodyPolicy):
        policy = BodyPolicy()
    function.__guava_body__ = replace(policy, **changes)


def _check_handler(function: Any) -> None:
    if not callable(function):
        raise TypeError(
            f"a handler must be callable, {type(function).__name__} is not; "
            "a limit is given by its name: @stream_body(limit=n)"
        )


def _check(limit: int | None) -> None:
    if limit is None:
        return
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise TypeError(f"limit must be an int, not {type(limit).__name__}")
    if not 0 <= limit <= 1 << 62:
        raise ValueError(f"limit must be from 0 to {1 << 62} bytes, not {limit}")


def _blocks(function: Any) -> bool:
    """Whether it is a plain function, which can only wait by blocking."""
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    call = type(function).__call__
    return not any(
        inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in (function, call)
    )


@overload
def stream_body(function: _F, /) -> _F: ...
@overload
def stream_body(*, limit: int | None = None) -> Callable[[_F], _F]: ...
def stream_body(function: Any = None, /, *, limit: int | None = None) -> Any:
    """Marks a handler that reads its body while it comes in; also `@stream_body(limit=n)`.

    It is called as soon as the head is there, and reads with `async for chunk in
    request.stream()`, `async for part in request.parts()` or `await request.read()`. A plain
    function runs on a thread of the server (see `Server(threads=)`) and reads with `for chunk in
    request.stream()`. Only a bounded part of the body is in memory; a handler that does not read
    holds its client up.

    Args:
        limit: bytes of the body; more are refused with 413, before the handler is called when
            Content-Length announces them. None is no limit.

    Raises:
        TypeError: limit is no int, or what is marked cannot be called.
        ValueError: limit is negative.
    """
    _check(limit)

    def mark(function: _F) -> _F:
        _check_handler(function)
        _decide(function, stream=True, limit=limit, thread=_blocks(function))
        return function

    return mark if function is None else mark(function)


def body_limit(limit: int, /) -> Callable[[_F], _F]:
    """Marks a handler whose bodies may have another size than `Limits.body`, in bytes.

    Raises:
        TypeError: limit is no int, or what is marked cannot be called.
        ValueError: limit is negative.
    """
    if limit is None:
        raise TypeError("limit must be an int, not NoneType")
    _check(limit)

    def mark(function: _F) -> _F:
        _check_handler(function)
        _decide(function, limit=limit)
        return function

    return mark


def refusal(status: int, text: str) -> _core.RequestError:
    """A RequestError of this status."""
    error = _core.RequestError(text)
    error.status = status
    return error


class BodyStream:
    """The bytes of a body in the order and pieces in which they come; `Request.stream()` makes it.

    `async for` waits for the client. `for` blocks, and so is for functions that run on a thread.

    Raises, while it is read:
        ClientDisconnected: the client left; what came before has been given.
        RequestError: the body is malformed (400), too large (413) or too slow (408).
        RuntimeError: the request has been answered, or somebody else waits for the same body.
    """

    __slots__ = ("_reader", "_rest")

    def __init__(self, request: _core.Request) -> None:
        self._reader: _core.BodyReader | None = request._reader
        self._rest = b"" if self._reader is not None else request.body

    def __aiter__(self) -> BodyStream:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._next()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def _next(self) -> bytes:
        reader = self._reader
        if reader is None:
            chunk, self._rest = self._rest, b""
            return chunk
        while (some := reader.take()) is None:
            await reader.wait()
        return some

    def __iter__(self) -> BodyStream:
        return self

    def __next__(self) -> bytes:
        if self._reader is None:
            chunk, self._rest = self._rest, b""
        else:
            _refuse_on(self._reader.loop)
            # What is there already costs no change of threads.
            chunk = self._reader.take_held() or blocking(self._next, self._reader.loop)
        if not chunk:
            raise StopIteration
        return chunk


_T = TypeVar("_T")


def _refuse_on(loop: asyncio.AbstractEventLoop) -> None:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if running is loop:
        raise RuntimeError("`for` would block the event loop: use `async for` here")


def blocking(function: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> Any:
    """What a coroutine function gives, run on the loop and waited for on another thread."""
    _refuse_on(loop)
    future = asyncio.run_coroutine_threadsafe(function(), loop)
    while True:
        try:
            return future.result(1)
        except concurrent.futures.CancelledError:
            raise _core.ClientDisconnected("the server has been stopped") from None
        except concurrent.futures.TimeoutError:
            # A loop that has stopped for good would never say so.
            if future.done():
                raise
            if loop.is_closed():
                raise _core.ClientDisconnected("the server has been stopped") from None


# ---- what the native half calls ----------------------------------------------------------------


def open_stream(request: _core.Request) -> BodyStream:
    return BodyStream(request)


async def read_all(request: _core.Request, limit: int | None) -> bytes:
    reader = request._reader
    most = (request._limits or _USUAL).body if limit is None else limit
    if reader is None:
        body = request.body
        if limit is not None and len(body) > limit:
            raise refusal(413, f"a body of more than {limit} bytes")
        return body
    if (request.content_length or 0) > most:
        raise refusal(413, f"a body of more than {most} bytes")
    pieces: list[bytes] = []
    size = 0
    async for chunk in BodyStream(request):
        size += len(chunk)
        if size > most:
            raise refusal(413, f"a body of more than {most} bytes")
        pieces.append(chunk)
    body = b"".join(pieces)
    request._keep_body(body)
    return body
