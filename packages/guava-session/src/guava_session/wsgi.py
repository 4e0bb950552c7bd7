"""WSGISessions: sessions around any WSGI application (PEP 3333), in Flask, Django or alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeAlias

from .manager import SessionManager
from .session import Session, log

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Callable[[bytes], object]]
Application: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

#: Where the application finds its session in `environ`.
KEY = "guava.session"


class WSGISessions:
    """A WSGI application with a session for each request, ``environ["guava.session"]``.

    The session is saved when the application starts its response, because the cookie must go with
    the head; what changes while the body is made is saved when it ends, if the visitor has the
    cookie already. If the application raises, nothing is saved.

    :param application: the application inside
    :param manager: the store and the cookie
    """

    def __init__(self, application: Application, manager: SessionManager) -> None:
        self.application = application
        self.manager = manager

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        session = self.manager.open_header(
            environ.get("HTTP_COOKIE"), secure=environ.get("wsgi.url_scheme") == "https"
        )
        environ[KEY] = session
        fields: list[tuple[str, str]] = []

        def start(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: tuple[type[BaseException], BaseException, TracebackType] | None = None,
        ) -> Callable[[bytes], object]:
            if exc_info is None:
                fields[:] = self.manager.headers(session)
                return start_response(status, [*headers, *fields])
            # An error page in place of what was begun. What the request changed is not saved; but
            # the cookie of what is saved already goes along.
            return start_response(status, [*headers, *fields], exc_info)

        try:
            body = self.application(environ, start)
        except BaseException:
            self.manager.release(session)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            return body  # servers send files faster than by iteration, if they recognize them
        return _Body(body, session, self.manager)


class _Body:
    """The application's answer; what changes while it is made is saved at its end."""

    def __init__(self, body: Iterable[bytes], session: Session, manager: SessionManager) -> None:
        self._body = body
        self._session = session
        self._manager = manager

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body
        save_late(self._session, self._manager)

    def __len__(self) -> int:
        # Servers make a Content-Length of a body of one piece.
        return len(self._body)  # type: ignore[arg-type]

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._manager.release(self._session)


def save_late(session: Session, manager: SessionManager) -> None:
    """Save what changed after the response's head was sent, as far as that is still possible."""
    if _is_savable(session) and manager.commit(session) is not None:
        log.warning(_TOO_LATE)


async def asave_late(session: Session, manager: SessionManager) -> None:
    """As `save_late`, on an event loop."""
    if _is_savable(session) and await manager.acommit(session) is not None:
        log.warning(_TOO_LATE)


_TOO_LATE = (
    "a session got a new id after the response had started: its cookie cannot be sent, and the "
    "visitor is signed out; rotate() before"
)


def _is_savable(session: Session) -> bool:
    if not session.modified:
        return False
    if session.new:
        log.warning(
            "a session was begun after the response had started: its cookie cannot be sent, and "
            "it is not kept; touch it before"
        )
        return False
    return True
