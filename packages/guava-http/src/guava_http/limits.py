"""How much of a request is taken and how long a client may take: each bound by its name."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Limits", "Timeouts"]

_KIB = 1024
_MOST = 1 << 62  # bytes; offsets are signed 64-bit numbers everywhere below

# The least and the most of each limit, and what it counts. The native half holds its numbers in
# 32 bits where the most fits in there.
_RANGES: dict[str, tuple[int, int, str]] = {
    "head": (64, 1 << 24, "bytes"),
    "fields": (1, 65535, "fields"),
    "target": (1, 1 << 15, "bytes"),
    "body": (0, _MOST, "bytes"),
    "chunk_extensions": (0, 1 << 24, "bytes"),
    "trailers": (0, 1 << 24, "bytes"),
    "pipelined": (1, 1 << 30, "bytes"),
    "form_fields": (0, _MOST, "fields"),
    "form_parts": (0, _MOST, "parts"),
    "part_head": (64, 1 << 30, "bytes"),
    "part_memory": (0, _MOST, "bytes"),
    "connections": (1, 1 << 30, "connections"),
    "requests": (0, (1 << 32) - 1, "requests"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a request is taken. Whoever sends more gets the status code, and is closed.

    Args:
        head: bytes of the request line and the header fields together; 431.
        fields: number of header fields; 431.
        target: bytes of the request target (the URL's path and query); 414.
        body: bytes of the body, decoded, that are held in memory for a handler; 413, before the
            body is read when Content-Length announces it. `stream_body` and `body_limit` set
            another limit for one handler.
        chunk_extensions: bytes of chunk extensions (RFC 9112, section 7.1.1) of one body, all
            chunks together; 400.
        trailers: bytes of trailer fields (RFC 9112, section 7.1.2) of one body; 400.
        pipelined: bytes of further requests that wait in memory while one is being answered. Not
            an error: nothing more is read until there is room.
        form_fields: fields of an urlencoded form; 413.
        form_parts: parts of a multipart form; 413.
        part_head: bytes of the header fields of all parts of a multipart form together; 413.
        part_memory: bytes of one part that are held in memory; a longer one goes to a temporary
            file.
        connections: connections that are open at the same time; more wait in the kernel, and when
            nine tenths are taken, idle ones are closed, the oldest first. None is what the
            process may open (RLIMIT_NOFILE) less 64, but 10 000 at most.
        requests: requests answered on one connection, then it is closed; 0 is no limit.

    Raises:
        TypeError: a limit is no int.
        ValueError: a limit is out of its range; the message names the limit, its value and the
            range.
    """

    head: int = 32 * _KIB
    fields: int = 100
    target: int = 8190
    body: int = 1024 * _KIB
    chunk_extensions: int = 4 * _KIB
    trailers: int = 8 * _KIB
    pipelined: int = 64 * _KIB
    form_fields: int = 1000
    form_parts: int = 1000
    part_head: int = 64 * _KIB
    part_memory: int = 64 * _KIB
    connections: int | None = None
    requests: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value: Any = getattr(self, field.name)
            least, most, what = _RANGES[field.name]
            if value is None and field.default is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                or_none = " or None" if field.default is None else ""
                raise TypeError(
                    f"Limits.{field.name} must be an int{or_none}, not {type(value).__name__}"
                )
            if not least <= value <= most:
                raise ValueError(
                    f"Limits.{field.name} must be from {least} to {most} {what}, not {value}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a client may take, in seconds; None is for ever.

    They are looked at on a coarse clock and come late by up to an eighth of the shortest of them,
    a second at most. No time is set for a handler: `asyncio.timeout` is there for that.

    Args:
        head: for a whole head, from the connection's beginning or, on one that was idle, from the
            head's first byte; 408. However the bytes come, the time does not begin again. A new
            connection that sends nothing at all is closed without an answer.
        body: without a byte of a body that is awaited; 408.
        body_rate: bytes per second that a body must come with, on average since it began, once it
            is awaited for longer than five seconds; 408. 0 is no such rule. Only the time that
            the server waits for the client counts.
        keep_alive: between two requests, then the connection is closed. Longer than a proxy's own
            (60 s is usual), so that the proxy closes first.
        write: in which the client takes nothing of what is sent; the connection is reset.
        request: for a request and its answer together, from the request's first byte to the
            answer's last; 408 while the request is incomplete, else the connection is reset.

    Raises:
        TypeError: a time is no number.
        ValueError: a time is not positive, or the rate is negative; the message names it.
    """

    head: float | None = 10
    body: float | None = 20
    body_rate: float = 240
    keep_alive: float | None = 65
    write: float | None = 60
    request: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value: Any = getattr(self, field.name)
            rate = field.name == "body_rate"
            if value is None and not rate:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool):
                or_none = "" if rate else " or None"
                raise TypeError(
                    f"Timeouts.{field.name} must be a number{or_none}, not {type(value).__name__}"
                )
            if rate:
                if not 0 <= value < math.inf:
                    raise ValueError(
                        f"Timeouts.body_rate must be 0 or more bytes per second, not {value}"
                    )
            elif not value > 0:
                raise ValueError(
                    f"Timeouts.{field.name} must be a positive number of seconds or None, "
                    f"not {value}"
                )
