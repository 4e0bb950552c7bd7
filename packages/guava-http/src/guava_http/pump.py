"""Bodies that are async iterators, and how they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any

from . import _core

__all__ = ["Streams"]

# Pieces of an async iterator that never waits, before others get their turn.
_PIECES = 64


class Streams:
    """The async iterators that are being sent. One that has an `end` is told when the server
    closes, so that a stream without an end of its own does not keep it waiting."""

    def __init__(self) -> None:
        self._endless: set[Any] = set()
        self._closing = False

    async def pump(self, peer: _core.Peer, source: AsyncIterable[str | bytes]) -> None:
        """Sends all of it, as fast as the client takes it."""
        pieces = 0
        end = getattr(source, "end", None)
        if end is not None:
            self._endless.add(end)
            if self._closing:
                end()
        try:
            async for piece in source:
                waiter = peer.send(piece)
                pieces += 1
                if waiter is not None:
                    await waiter
                elif pieces % _PIECES == 0:
                    await asyncio.sleep(0)
        finally:
            self._endless.discard(end)
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    def close(self) -> None:
        """Ends those that go on for ever, now and from now on."""
        self._closing = True
        for end in list(self._endless):
            end()
