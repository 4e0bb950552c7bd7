"""A router as an ASGI application (version 3 of the interface): its targets are ASGI applications.

The match of a request is in its scope: "path_params" has the parameters, as Starlette and its kin
know them, and "guava_router.match" the whole Match. Nothing here depends on an event loop, so it
runs under asyncio and trio alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._core import Match
from .answers import Answer, NotFound
from .mounting import described, mount_parameter, mounted_rest, under

if TYPE_CHECKING:
    from .faces import Matcher

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

# Messages with a part of a response's body, also those of extensions.
_BODIES = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})
_DENIAL = "websocket.http.response"


def _path_of(scope: Scope) -> str:
    """The path below root_path. ASGI's path is the whole one; some servers leave root_path out."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        path = path[len(root) :]
    return path or "/"


def _host_of(scope: Scope) -> str | None:
    for name, value in scope.get("headers", ()):
        if name == b"host":
            return bytes(value).decode("latin-1")
    return None


def _headers_of(answer: Answer, prefix: str) -> list[tuple[bytes, bytes]]:
    headers = [
        (
            name.lower().encode("latin-1"),
            (under(prefix, value) if name == "Location" else value).encode("latin-1"),
        )
        for name, value in answer.headers
    ]
    if answer.status >= 200 and answer.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(answer.body)))
    return headers


async def _send_answer(answer: Answer, scope: Scope, send: Send, prefix: str = "") -> None:
    """prefix: what goes before a redirect's path."""
    kind = "http.response" if scope["type"] == "http" else _DENIAL
    headers = _headers_of(answer, prefix)
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def _without_body(send: Send) -> Send:
    """A send() that lets the headers of a response through, and nothing of its body."""

    async def send_headers(message: Message) -> None:
        if message["type"] in _BODIES:
            more = message.get("more_body", False)
            message = {"type": "http.response.body", "body": b"", "more_body": more}
        await send(message)

    return send_headers


class ASGIRouter:
    """What Router.as_asgi() makes; see there."""

    __slots__ = ("_application", "_match", "_otherwise", "router")

    def __init__(
        self,
        router: Matcher,
        application: Callable[[Match], ASGIApplication] | None = None,
        otherwise: ASGIApplication | None = None,
    ) -> None:
        self.router = router
        self._match = router.match
        self._application = application
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await Lifespan(self._mounted(), scope, receive, send).run()
        else:
            raise ValueError(f"a router answers http, websocket and lifespan, not {kind!r}")

    def _find(self, scope: Scope, method: str) -> tuple[Match | Answer, str]:
        path = _path_of(scope)
        query = bytes(scope.get("query_string", b"")).decode("latin-1")
        return self._match(method, path, _host_of(scope), query), path

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        found, path = self._find(scope, method)
        if isinstance(found, Answer):
            if self._otherwise is not None and isinstance(found, NotFound):
                await self._otherwise(scope, receive, send)
            else:
                # What a router redirects to lies beside it, wherever it is mounted.
                prefix = quote(scope.get("root_path", "").rstrip("/"))
                await _send_answer(found, scope, send, prefix)
        elif self._application is None and isinstance(found.target, Answer):
            await _send_answer(found.target, scope, send)
        else:
            application = self._target(found, method, path)
            if method == "HEAD":
                send = _without_body(send)
            await application(self._inner(scope, found, path), receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The handshake is a GET (RFC 6455, section 4.1).
        found, path = self._find(scope, "GET")
        if isinstance(found, NotFound) and self._otherwise is not None:
            await self._otherwise(scope, receive, send)
            return
        if self._application is None and not isinstance(found, Answer):
            target = found.target
            if isinstance(target, Answer):
                found = target
        if not isinstance(found, Answer):
            application = self._target(found, "websocket", path)
            await application(self._inner(scope, found, path), receive, send)
            return
        await receive()  # websocket.connect
        if _DENIAL in scope.get("extensions", {}) and found.status >= 300:
            await _send_answer(found, scope, send, quote(scope.get("root_path", "").rstrip("/")))
        else:
            # Before it is accepted, this refuses a connection: the server answers 403.
            await send({"type": "websocket.close", "code": 1000, "reason": ""})

    def _target(self, found: Match, method: str, path: str) -> ASGIApplication:
        target = found.target if self._application is None else self._application(found)
        if not callable(target):
            raise TypeError(described("an ASGI application", "as_asgi", found, method, path))
        application: ASGIApplication = target
        return application

    def _inner(self, scope: Scope, found: Match, path: str) -> Scope:
        """The scope that the target sees; the outer one stays as it is."""
        params = found.params
        inner = {
            **scope,
            "path_params": {**scope.get("path_params", {}), **params},
            "guava_router.match": found,
        }
        rest = mounted_rest(found.pattern, params, path)
        if rest is not None:
            # The path stays whole; what of it belongs to the router is in root_path.
            root = scope.get("root_path", "").rstrip("/")
            inner["root_path"] = root + path[: len(path) - len(rest) - 1]
        return inner

    def _mounted(self) -> Iterator[ASGIApplication]:
        """The whole applications, each once: those under a pattern that mounts, and otherwise."""
        seen: set[int] = set()
        routes = self.router.routes() if self._application is None else ()
        targets = [r.handler for r in routes if mount_parameter(r.pattern) is not None]
        for target in (*targets, self._otherwise):
            if callable(target) and not isinstance(target, Answer) and id(target) not in seen:
                seen.add(id(target))
                yield target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.router!r}>"


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
                    self._fail("shutdown" if self._end is not None else "startup", repr(error))
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
