"""The way of old: an event loop policy, for programs that cannot be given a loop factory."""

from __future__ import annotations

import asyncio

from .loop import Loop, new_event_loop


class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """A policy whose loops are `guava_loop.Loop`."""

    def new_event_loop(self) -> Loop:
        """A new loop."""
        return new_event_loop()


def install() -> None:
    """Makes `Loop` the loop of everything that asks asyncio's policy, `asyncio.run()` too.

    Where a `loop_factory` can be given, give that: asyncio has deprecated policies in 3.14.
    """
    asyncio.set_event_loop_policy(EventLoopPolicy())
