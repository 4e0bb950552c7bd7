"""ASGISessions: sessions around any ASGI application, in Starlette, FastAPI, Quart or alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar

from .manager import SessionManager
from .session import Session
from .wsgi import save_late

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_T = TypeVar("_T")

#: The messages that carry a response's head.
_HEADS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class ASGISessions:
    """An ASGI application with a session for each request and WebSocket, ``scope["session"]``.

    Starlette's and FastAPI's ``request.session`` is that session. It is saved when the response
    starts, because the cookie must go with the head; what changes later is saved at the end, if
    the visitor has the cookie already. If the application raises, nothing is saved.

    A store of this machine (memory, files, SQLite) is read on the event loop's thread when the
    session is first touched: that takes less time than a thread would. A store that is `remote` is
    read and written on a thread, and read before the application is called, if the request has the
    session's cookie.

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
        manager, remote = self.manager, self.manager.store.remote
        session = manager.open_header(_cookies(scope), secure=scope["scheme"] in ("https", "wss"))
        if remote and session._sid is not None:
            await _to_thread(session.load)
        started = False

        async def send_with_session(message: Message) -> None:
            nonlocal started
            if message["type"] in _HEADS and not started:
                started = True
                fields = await self._headers(session)
                message = {**message, "headers": [*message.get("headers", ()), *fields]}
            await send(message)

        # The outer scope stays as it is: it may be used for another application.
        await self.app({**scope, "session": session}, receive, send_with_session)
        if started and session.modified:
            if remote:
                await _to_thread(save_late, session, manager)
            else:
                save_late(session, manager)

    async def _headers(self, session: Session) -> list[tuple[bytes, bytes]]:
        if self.manager.store.remote and session._needs_store():
            fields = await _to_thread(self.manager.headers, session)
        else:
            fields = self.manager.headers(session)
        return [(name.lower().encode(), value.encode()) for name, value in fields]  # all ASCII


async def _to_thread(function: Callable[..., _T], *arguments: Any) -> _T:
    import asyncio  # not before it is needed: most stores need no thread

    return await asyncio.to_thread(function, *arguments)


def _cookies(scope: Scope) -> str | None:
    """The request's Cookie fields as one (HTTP/2 may split them: RFC 9113, section 8.2.3)."""
    found = [value for name, value in scope["headers"] if name == b"cookie"]
    return b"; ".join(found).decode("latin-1") if found else None
