"""ASGISessions: sessions around any ASGI application, in Starlette, FastAPI, Quart or alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from .manager import SessionManager
from .wsgi import asave_late

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: The messages that carry a response's head.
_HEADS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class ASGISessions:
    """An ASGI application with a session for each request and WebSocket, ``scope["session"]``.

    Starlette's and FastAPI's ``request.session`` is that session. It is saved when the response
    starts, because the cookie must go with the head; what changes later is saved at the end, if
    the visitor has the cookie already. If the application raises, nothing is saved.

    A store of this machine (memory, files, SQLite) is read on the event loop's thread when the
    session is first touched: that takes less time than a thread would. A store that is
    `asynchronous` is awaited, and one that is `remote` is asked on a thread; both are read before
    the application is called, if the request has the session's cookie. In the application use
    ``await session.arotate()`` and so on, which never block the event loop.

    :param app: the application inside
    :param manager: the store and the cookie
    """

    def __init__(self, app: Application, manager: SessionManager) -> None:
        self.app = app
        self.manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or carry one WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        manager = self.manager
        session = manager.open_header(_cookies(scope), secure=scope["scheme"] in ("https", "wss"))
        started = False

        async def send_with_session(message: Message) -> None:
            nonlocal started
            if message["type"] in _HEADS and not started:
                started = True
                fields = await manager.aheaders(session)
                added = [(name.lower().encode(), value.encode()) for name, value in fields]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        try:
            if manager.store.awaited or manager.locks:
                await session._aload()
            # The outer scope stays as it is: it may be used for another application.
            await self.app({**scope, "session": session}, receive, send_with_session)
            if started:
                await asave_late(session, manager)
        finally:
            await manager.arelease(session)


def _cookies(scope: Scope) -> str | None:
    """The request's Cookie fields as one (HTTP/2 may split them: RFC 9113, section 8.2.3)."""
    found = [value for name, value in scope["headers"] if name == b"cookie"]
    return b"; ".join(found).decode("latin-1") if found else None
