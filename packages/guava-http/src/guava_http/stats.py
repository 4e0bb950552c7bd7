"""What a server has counted."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServerStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStats:
    """The counters of a `Server`, since it was started. `Server.stats()` makes one.

    Args:
        connections: open now.
        tasks: handlers that are suspended now, of clients that have left too.
        accepted: connections.
        answered: requests, refused ones not among them.
        refused: requests that could not be read, were too large or came too slowly: each got a
            4xx or 5xx from the server itself.
        timed_out: connections ended because the client was too slow; keep-alive ones that were
            idle for their time are not among them.
        evicted: idle connections that were closed because others needed the place.
        disconnected: requests whose client left, or was cut off, before the answer was complete.
        full: how often `Limits.connections` was reached and accepting stopped for a while.
    """

    connections: int
    tasks: int
    accepted: int
    answered: int
    refused: int
    timed_out: int
    evicted: int
    disconnected: int
    full: int
