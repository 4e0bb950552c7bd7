"""Server-sent events: a response that goes on for as long as there is something to tell.

The source is iterated by one task of its own, so that what it enters (a timeout, a task group) it
also leaves there; a second one, the server's, sends what is ready. Between both lie a few events:
a client that is slow makes the source wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ._core import Response

__all__ = ["EventStream", "ServerSentEvent"]

_LINES = re.compile("\r\n|\r|\n")
_WAITING = 16  # events that are made before the client has taken those in front of them


@dataclass(frozen=True, slots=True, kw_only=False)
class ServerSentEvent:
    """One event of a stream (WHATWG HTML, 9.2).

    Args:
        data: str or bytes (UTF-8), which may have many lines; anything else is sent as JSON. None:
            no data, and so nothing that a browser's `onmessage` would see.
        event: its type; browsers take one without for a "message".
        id: what the client sends as Last-Event-ID when it connects anew; "" makes it forget.
        retry: milliseconds that the client waits before it connects anew.
        comment: text that clients ignore.

    Raises:
        ValueError: a line break in `event` or `id`, NUL in `id`, a negative `retry`, bytes that
            are not UTF-8, or an event of nothing at all.
        TypeError: an argument of another type; data that JSON has not.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        for name in ("event", "id", "comment"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {type(value).__name__}")
        for name in ("event", "id"):
            value = getattr(self, name)
            if value is not None and _LINES.search(value):
                raise ValueError(f"{name} has no line breaks, found {value!r}")
        if self.id is not None and "\0" in self.id:
            raise ValueError(f"id has no NUL, found {self.id!r}")
        if self.retry is not None:
            if not isinstance(self.retry, int) or isinstance(self.retry, bool):
                raise TypeError(f"retry must be an int, not {type(self.retry).__name__}")
            if self.retry < 0:
                raise ValueError(f"retry is at least 0 milliseconds, found {self.retry}")
        data = self.data
        if isinstance(data, (bytes, bytearray, memoryview)):
            data = bytes(data).decode()
        elif data is not None and not isinstance(data, str):
            from . import _json  # which looks for the fastest library

            data = _json.dumps(data).decode()
        object.__setattr__(self, "data", data)
        if (data, self.event, self.id, self.retry, self.comment) == (None,) * 5:
            raise ValueError("an event has data, an event, an id, a retry or a comment")

    def encode(self) -> bytes:
        """The event as it is sent, with the empty line that ends it.

        Raises:
            UnicodeEncodeError: a text has no UTF-8 (lone surrogates).
        """
        lines = []
        if self.comment is not None:
            lines += [f": {line}\n" for line in _LINES.split(self.comment)]
        if self.id is not None:
            lines.append(f"id: {self.id}\n")
        if self.event is not None:
            lines.append(f"event: {self.event}\n")
        if self.retry is not None:
            lines.append(f"retry: {self.retry}\n")
        if self.data is not None:
            lines += [f"data: {line}\n" for line in _LINES.split(self.data)]
        lines.append("\n")
        return "".join(lines).encode()


_Event: TypeAlias = ServerSentEvent | str | bytes | dict[Any, Any] | list[Any]


class EventStream(Response):
    r"""A response of server-sent events.

    The head goes out at once. While the source is silent a comment is sent every `ping` seconds,
    so that proxies keep the connection and a client that has left is noticed; then the source is
    closed. A server that closes ends its streams; browsers connect anew by themselves and say
    with the field `Last-Event-ID` which event they saw last.

    Args:
        source: an async iterator of `ServerSentEvent`, or of what its `data` may be: str, bytes,
            dict or list. A plain iterator is iterated on the loop and must not block.
        ping: seconds of silence before a comment; None: never.
        retry: milliseconds that clients wait before they connect anew; None: theirs to choose.
        status: as of Response.
        headers: as of Response; Cache-Control: no-store and X-Accel-Buffering: no (nginx, do not
            gather) are sent unless it has them.

    Raises:
        TypeError: the source cannot be iterated, `ping` or `retry` is no number.
        ValueError: `ping` or `retry` is out of range.

    >>> ServerSentEvent({"n": 1}, event="count", id="1").encode()
    b'id: 1\nevent: count\ndata: {"n":1}\n\n'
    """

    def __init__(
        self,
        source: AsyncIterable[_Event] | Iterable[_Event],
        *,
        ping: float | None = 15,
        retry: int | None = None,
        status: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    ) -> None:
        if not isinstance(source, (AsyncIterable, Iterable)) or isinstance(
            source, (str, bytes, dict)
        ):
            raise TypeError(
                f"the source of events must be an iterator or async iterator, "
                f"not {type(source).__name__}"
            )
        if ping is not None:
            if not isinstance(ping, int | float) or isinstance(ping, bool):
                raise TypeError(f"ping must be a number or None, not {type(ping).__name__}")
            if not 0 < ping < 86400:
                raise ValueError(
                    f"ping is more than 0 and less than 86400 seconds, found {ping!r}"
                )
        first = b":\n\n" if retry is None else ServerSentEvent(retry=retry).encode()
        super().__init__(_Pieces(source, ping, first), status, headers)
        self.content_type = "text/event-stream"
        self.headers.setdefault("Cache-Control", "no-store")
        self.headers.setdefault("X-Accel-Buffering", "no")


class _Pieces:
    """The body: what is ready, whenever something is. Closed by who iterates it."""

    def __init__(
        self, source: AsyncIterable[_Event] | Iterable[_Event], ping: float | None, first: bytes
    ) -> None:
        self._source = source
        self._ping = ping
        self._ready = [first]
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None  # who sends waits for an event
        self._full: asyncio.Future[None] | None = None  # who makes them waits for room
        self._quiet_since = 0.0
        self._over = False
        self._error: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        if self._task is None and not self._over:
            self._task = asyncio.create_task(self._make(), name="events")
            if self._ping is not None:
                self._timer = loop.call_later(self._ping, self._tick, loop)
        while not self._ready:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._waiter = loop.create_future()
            await self._waiter
        piece = self._ready[0] if len(self._ready) == 1 else b"".join(self._ready)
        self._ready.clear()
        self._quiet_since = loop.time()
        _wake(self._full)
        return piece

    async def _make(self) -> None:
        try:
            if isinstance(self._source, AsyncIterable):
                async for event in self._source:
                    await self._put(event)
            else:
                for event in self._source:
                    await self._put(event)
        except asyncio.CancelledError as error:
            if not self._over:
                self._error = error
        except BaseException as error:
            self._error = error
        self._over = True
        _wake(self._waiter)

    async def _put(self, event: _Event) -> None:
        if not isinstance(event, ServerSentEvent):
            if not isinstance(event, (str, bytes, dict, list)):
                raise TypeError(
                    "the events of a stream are ServerSentEvent, str, bytes, dict or list, "
                    f"not {type(event).__name__}"
                )
            event = ServerSentEvent(event)
        self._ready.append(event.encode())
        _wake(self._waiter)
        while len(self._ready) >= _WAITING:
            self._full = asyncio.get_running_loop().create_future()
            await self._full

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._ping is not None
        left = self._quiet_since + self._ping - loop.time()
        if left <= 0:
            left = self._ping
            if not self._ready:
                self._ready.append(b": ping\n\n")
                _wake(self._waiter)
        self._timer = loop.call_later(left, self._tick, loop)

    def end(self) -> None:
        """Ends the stream in good order: what is ready is still sent. The server stops."""
        self._over = True
        if self._task is not None:
            self._task.cancel()
        _wake(self._waiter)

    async def aclose(self) -> None:
        """Ends the source."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()
        elif (plain := getattr(self._source, "close", None)) is not None and not isinstance(
            self._source, AsyncIterable
        ):
            with contextlib.suppress(Exception):
                plain()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
