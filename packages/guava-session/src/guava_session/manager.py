"""SessionManager: a store joined to a cookie, for a framework to drive."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TypeVar

from . import users
from .cookie import SameSite, SessionCookie, find_cookie
from .session import Session, log
from .steps import adrive, drive, shielded
from .store import SessionStore

S = TypeVar("S", bound=Session)


class SessionManager:
    """Opens the session of a request and says what its response must tell the browser.

    :param store: where the sessions live
    :param cookie_name: the cookie's name
    :param path: the part of the site that gets the cookie
    :param domain: a domain whose hosts all get the cookie; None: this host alone
    :param secure: whether the cookie is ``Secure``; None: when the request came over TLS
    :param http_only: keep the cookie from scripts
    :param same_site: "Lax", "Strict", "None" (which needs secure=True) or None to leave it out
    :param max_age: seconds that the browser keeps the cookie; None: until it is closed. The
        cookie is then sent anew whenever the session is saved, so the time runs from there
    :param idle_timeout: seconds without a request after which a session ends; None: the store's
        lifetime. The time is written when a tenth of it is gone, so it may end that much earlier
    :param absolute_timeout: seconds after its begin at which a session ends in any case; None:
        never, as long as it is used
    :param lock: whether the requests of one session are answered one after the other, from the
        first touch to the commit. All stores of this package but `CookieStore` have locks.
        Without it they run at once, and lose no update as long as they change different keys
    :param lock_timeout: seconds to wait for that, then it is a `SessionLocked`; a request that
        takes longer than twice that loses its lock
    :param host_prefix: call it ``__Host-<name>``, which a sub-domain cannot plant; needs TLS
    :param clock: seconds since 1970, as a callable
    :raises ValueError: for a cookie that browsers would refuse, or a time-out that is not one
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        cookie_name: str = "guava_sid",
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        http_only: bool = True,
        same_site: SameSite | None = "Lax",
        max_age: int | None = None,
        host_prefix: bool = False,
        idle_timeout: float | None = None,
        absolute_timeout: float | None = None,
        lock: bool = False,
        lock_timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(store, SessionStore):
            raise TypeError(f"store must be a SessionStore, not {type(store).__name__}: {store!r}")
        if host_prefix:
            cookie_name = f"__Host-{cookie_name}"
            secure = True
        if max_age is not None and max_age < 1:
            raise ValueError(f"max_age must be at least 1 second, not {max_age!r}")
        for name, seconds in (
            ("idle_timeout", idle_timeout),
            ("absolute_timeout", absolute_timeout),
            ("lock_timeout", lock_timeout),
        ):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be more than 0 seconds, not {seconds!r}")
        if idle_timeout is not None and idle_timeout > store.lifetime:
            raise ValueError(
                f"an idle_timeout of {idle_timeout} seconds never comes: the store forgets a "
                f"session after its lifetime of {store.lifetime}; make that longer"
            )
        behind = getattr(store, "back", store)  # a LayeredStore has what its back has
        if lock and type(behind).lock is SessionStore.lock:
            raise ValueError(
                f"{type(behind).__name__} has no locks; use another store, or lock=False"
            )
        self._lock_timeout = lock_timeout if lock else None
        self.store = store
        self.idle_timeout = idle_timeout
        self.absolute_timeout = absolute_timeout
        self.cookie_name = cookie_name
        self.secure = secure
        self.max_age = max_age
        self._clock = clock
        self._template = SessionCookie(
            name=cookie_name,
            value="",
            max_age=max_age,
            path=path,
            domain=domain,
            secure=bool(secure),
            http_only=http_only,
            same_site=same_site,
        )

    @property
    def locks(self) -> bool:
        """Whether requests of one session are answered one after the other."""
        return self._lock_timeout is not None

    def open(self, cookie_value: str | None, *, secure: bool = False) -> Session:
        """The session for what the request's cookie holds; None: it has no such cookie.

        It costs nothing until it is touched. Any text is safe to hand in.

        :param secure: whether the request came over TLS
        """
        return self.open_as(Session, cookie_value, secure=secure)

    def open_as(self, kind: type[S], cookie_value: str | None, *, secure: bool = False) -> S:
        """As `open`, for a framework whose sessions have more than ours.

        :param kind: a class derived from `Session`, with its constructor
        """
        return kind(
            self.store,
            cookie_value,
            secure=secure,
            clock=self._clock,
            idle_timeout=self.idle_timeout,
            absolute_timeout=self.absolute_timeout,
            lock_timeout=self._lock_timeout,
        )

    def open_header(self, cookie_header: str | None, *, secure: bool = False) -> Session:
        """The same, for the whole text of the request's Cookie field."""
        return self.open_header_as(Session, cookie_header, secure=secure)

    def open_header_as(
        self, kind: type[S], cookie_header: str | None, *, secure: bool = False
    ) -> S:
        """As `open_as`, for the whole text of the request's Cookie field."""
        found = find_cookie(cookie_header, self.cookie_name)
        return self.open_as(kind, found, secure=secure)

    def commit(self, session: Session) -> SessionCookie | None:
        """Save what changed; the cookie that the response must set, if it must set one.

        Call it after the handler and before the response's head is sent. When the store cannot
        write (a full disk), that is logged, ``session.save_error`` says why, and the response can
        still go out: a visitor without a session gets no cookie for one that does not exist.

        :raises TypeError: naming a key whose value cannot be stored
        """
        session.save_error = None
        rotated = session._rotated
        try:
            written = session.save()
        except OSError as error:
            return self._failed(session, error, rotated)
        finally:
            self.release(session)
        return self._settled(session, written)

    async def acommit(self, session: Session) -> SessionCookie | None:
        """As `commit`, on an event loop."""
        session.save_error = None
        rotated = session._rotated
        try:
            written = await session.asave()
        except OSError as error:
            return self._failed(session, error, rotated)
        finally:
            await self.arelease(session)
        return self._settled(session, written)

    def release(self, session: Session) -> None:
        """Let other requests of the session go on, with ``lock=True``; `commit` does it by itself.

        For a request that does not get there. It is no error to call it twice, or without a lock.
        """
        if session._held is not None:
            try:
                drive(session._releasing(), "await manager.arelease(session)")
            except OSError:
                log.exception("the lock of a session could not be given back; it will expire")

    async def arelease(self, session: Session) -> None:
        """As `release`, on an event loop. A task that is cancelled gives it back as well."""
        if session._held is None:
            return
        if self.store.remote or self.store.asynchronous:
            await shielded(self._arelease(session))
        else:
            self.release(session)

    @staticmethod
    async def _arelease(session: Session) -> None:
        try:
            await adrive(session._releasing())
        except OSError:
            log.exception("the lock of a session could not be given back; it will expire")

    def _failed(self, session: Session, error: OSError, rotated: bool) -> SessionCookie | None:
        log.error("a session could not be saved", exc_info=error)
        session.save_error = error
        # After a rotation the visitor's id is dead, and the new one was never kept.
        return self._deletion(session) if rotated or session._destroyed else None

    def _settled(self, session: Session, written: bool) -> SessionCookie | None:
        if session._send or (written and self.max_age is not None):
            session._send = session._destroyed = False
            session._cookie = True
            value = session._sid if self.store.stateless else session.sid
            return self._cookie(session, value or "", self.max_age)
        if session._destroyed and session._cookie:
            session._destroyed = False
            return self._deletion(session)
        return None

    def headers(self, session: Session) -> list[tuple[str, str]]:
        """Commit, and give the response fields that follow from it, as names and values.

        ``Set-Cookie``, and with it ``Cache-Control: private``, so that no shared cache hands one
        visitor's cookie to the next; ``Vary: Cookie`` when the session was looked at.
        """
        return self._fields(session, self.commit(session))

    async def aheaders(self, session: Session) -> list[tuple[str, str]]:
        """As `headers`, on an event loop."""
        return self._fields(session, await self.acommit(session))

    def _fields(self, session: Session, cookie: SessionCookie | None) -> list[tuple[str, str]]:
        fields = []
        if cookie is not None:
            fields += [("Set-Cookie", cookie.header()), ("Cache-Control", "private")]
        if session.accessed:
            fields.append(("Vary", "Cookie"))
        return fields

    def sign_out_everywhere(self, user_id: str | int) -> None:
        """End all sessions that are bound to a user (`Session.bind`), at once and everywhere.

        For a changed password, a closed account, a lost device.

        :raises TypeError: for what is neither a str nor an int
        :raises RuntimeError: the store cannot do it, see `CookieStore`
        :raises OSError: when the store cannot be written
        """
        drive(users.end_all(self.store, user_id), "await manager.asign_out_everywhere(user_id)")

    async def asign_out_everywhere(self, user_id: str | int) -> None:
        """As `sign_out_everywhere`, on an event loop."""
        await adrive(users.end_all(self.store, user_id))

    def _deletion(self, session: Session) -> SessionCookie:
        return self._cookie(session, "", 0)

    def _cookie(self, session: Session, value: str, max_age: int | None) -> SessionCookie:
        secure = session.secure if self.secure is None else self.secure
        return dataclasses.replace(self._template, value=value, max_age=max_age, secure=secure)
