"""Files over ASGI: carries out what StaticHandler.decide() says.

Files are read on threads, because a disk may let one wait and a loop must not. The bytes of small
files travel in one piece.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, TypeVar

from .decision import FileDecision
from .files import StaticHandler

if TYPE_CHECKING:
    from .lifespan import Receive, Scope, Send

T = TypeVar("T")

_CHUNK = 262_144
_PATHSEND = "http.response.pathsend"


async def begin(handler: StaticHandler, scope: Scope) -> Begun:
    """Decides and reads the first bytes, on one visit to a thread.

    Raises OSError if the file cannot be opened now.
    """
    method, headers = scope["method"], scope.get("headers", ())
    pathsend = _PATHSEND in (scope.get("extensions") or {})
    # Should this task be cancelled, what the thread has made is dropped, and closes itself.
    return await _on_thread(lambda: Begun(handler.decide(method, headers), pathsend))


async def _on_thread(function: Callable[[], T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # another loop than asyncio's runs this
        trio = sys.modules.get("trio")
        if trio is None:
            return function()
        result: T = await trio.to_thread.run_sync(function)
        return result
    return await asyncio.to_thread(function)


class Begun:
    """An answer that is known, with its first bytes."""

    def __init__(self, decision: FileDecision, pathsend: bool) -> None:
        self._decision = decision
        self._chunks = decision.chunks(_CHUNK)
        self._reading = False
        self._path = _path_for_server(decision) if pathsend else None
        self._first = b"" if self._path is not None else next(self._chunks, b"")

    async def send(self, receive: Receive, send: Send) -> None:
        decision = self._decision
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in decision.headers
        ]
        start = {"type": "http.response.start", "status": decision.status, "headers": headers}
        try:
            await send(start)
            if self._path is not None:
                await send({"type": _PATHSEND, "path": self._path})
            elif len(self._first) >= decision.length:
                await send({"type": "http.response.body", "body": self._first})
            else:
                await self._send_rest(receive, send)
        finally:
            if not self._reading:  # else a thread has it: the last to let go closes it
                decision.close()

    async def _send_rest(self, receive: Receive, send: Send) -> None:
        left = self._decision.length - len(self._first)
        body = {"type": "http.response.body", "body": self._first, "more_body": True}
        await send(body)
        async with _watching(receive) as has_left:
            while left > 0 and not has_left():
                self._reading = True
                data = await _on_thread(lambda: next(self._chunks))
                self._reading = False
                left -= len(data)
                await send({**body, "body": data, "more_body": left > 0})


def _path_for_server(decision: FileDecision) -> str | None:
    """The path of a whole file if it still leads to the one that was opened: the server opens it
    another time, by its name."""
    file = decision.file
    if not decision.is_whole or file.path is None:
        return None
    try:
        same = os.path.samestat(os.stat(file.path), os.fstat(file.fd))
    except OSError:
        return None
    return file.path if same else None


@contextlib.asynccontextmanager
async def _watching(receive: Receive) -> AsyncIterator[Callable[[], bool]]:
    """Gives a function that says whether the client has left. Servers need not tell it to send(),
    and nobody should read a large file for nobody."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield lambda: False
        return
    task = loop.create_task(_until_gone(receive))
    try:
        yield task.done
    finally:
        task.cancel()
        # Whatever became of it: what was sent is sent.
        await asyncio.wait([task])


async def _until_gone(receive: Receive) -> None:
    with contextlib.suppress(Exception):
        while (await receive())["type"] != "http.disconnect":
            pass
