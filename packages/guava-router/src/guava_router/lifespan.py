"""Lifespan: a server's start and end, passed on to the applications of a router (ASGI)."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lifespan:
    """Passes a server's start and end on to applications, one inside of the other.

    Each runs its start-up; when it then waits for the shutdown, the next one runs inside of that
    wait, and the innermost waits for the server. So all are in one task, in which a cancel scope
    or a context variable of one application ends before that of the one around it, no loop is
    needed, and they end in the reverse order. An application that raises or returns without an
    answer has no lifespan, which ASGI allows.
    """

    def __init__(
        self,
        applications: Iterator[ASGIApplication],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._applications = applications
        self._scope = scope
        self._receive = receive
        self._send = send
        self._start: Message = {}
        self._end: Message | None = None
        self._failed: Message | None = None  # the first answer that says so

    async def run(self) -> None:
        self._start = await self._receive()
        await self._next()
        if self._failed is not None:
            await self._send(self._failed)
        elif self._end is not None:
            await self._send({"type": "lifespan.shutdown.complete"})

    async def _next(self) -> None:
        """Runs the next application and those inside of it; returns when all have ended."""
        for application in self._applications:
            inside = _Inside(self)
            try:
                await application(dict(self._scope, type="lifespan"), inside.receive, inside.send)
            except Exception as error:
                if inside.started and not inside.ended:
                    when = "startup" if self._end is None else "shutdown"
                    self._fail(when, "".join(traceback.format_exception(error)))
            if inside.waited or self._failed is not None:
                return
        if self._end is None and self._failed is None:
            await self._send({"type": "lifespan.startup.complete"})
            self._end = await self._receive()

    def _fail(self, when: str, why: str) -> None:
        if self._failed is None:
            self._failed = {"type": f"lifespan.{when}.failed", "message": why}


class _Inside:
    """The two ends of the lifespan of one application."""

    __slots__ = ("_lifespan", "_told", "ended", "started", "waited")

    def __init__(self, lifespan: Lifespan) -> None:
        self._lifespan = lifespan
        self._told = False
        self.started = False
        self.waited = False
        self.ended = False

    async def receive(self) -> Message:
        lifespan = self._lifespan
        if not self._told:
            self._told = True
            return lifespan._start
        if not self.waited:
            self.waited = True
            await lifespan._next()
        return lifespan._end or {"type": "lifespan.shutdown"}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self.started = True
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            self.ended = True
            if kind == "lifespan.shutdown.failed":
                self._lifespan._fail("shutdown", message.get("message", ""))
        elif kind == "lifespan.startup.failed":
            self.ended = True
            self._lifespan._fail("startup", message.get("message", ""))
        else:
            raise RuntimeError(f"{kind} is no message of a lifespan")
