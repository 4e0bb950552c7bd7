"""A router as an ASGI application (version 3 of the interface): its targets are ASGI applications.

The match of a request is in its scope: "path_params" has the parameters, as Starlette and its kin
know them, and "guava_router.match" the whole Match. Nothing here depends on an event loop, so it
runs under asyncio and trio alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from . import static_asgi
from ._core import Match
from .answers import Answer, NotFound, SlashRedirect
from .files import StaticHandler
from .lifespan import ASGIApplication, Lifespan, Message, Receive, Scope, Send
from .mounting import described, mount_parameter, mounted_rest, refusal, under

if TYPE_CHECKING:
    from .faces import Matcher

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


async def _send_file(handler: StaticHandler, scope: Scope, receive: Receive, send: Send) -> None:
    answer = refusal(scope["method"])
    if answer is None:
        try:
            begun = await static_asgi.begin(handler, scope)
        except (FileNotFoundError, NotADirectoryError):
            answer = NotFound()
        else:
            await begun.send(receive, send)
            return
    await _send_answer(answer, scope, send)


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
        query = bytes(scope.get("query_string", b""))
        found = self._match(method, path, _host_of(scope), query.decode("latin-1"))
        return found.with_query(query) if isinstance(found, SlashRedirect) else found, path

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
        elif isinstance(found.target, Answer):
            await _send_answer(found.target, scope, send)
        elif isinstance(found.target, StaticHandler):
            await _send_file(found.target, scope, receive, send)
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
        if not isinstance(found, Answer):
            target = found.target
            if isinstance(target, Answer):
                found = target
            elif isinstance(target, StaticHandler):
                found = NotFound()  # a file is nothing to talk to
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
