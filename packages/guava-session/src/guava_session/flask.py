"""GuavaSessions: Flask's `session` is a Session of ours, in any store.

A part of its own, because it needs Flask: ``pip install guava-session[flask]``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

try:
    from flask import Flask, current_app, session
    from flask.sessions import SessionInterface, SessionMixin
    from markupsafe import Markup
except ImportError as error:
    raise ImportError(
        "guava_session.flask needs Flask: pip install guava-session[flask]"
    ) from error

from .manager import SessionManager
from .session import Session, log
from .store import SessionStore, StoreError

if TYPE_CHECKING:
    from flask import Request, Response

__all__ = ["FlaskSession", "GuavaSessions"]

#: Where Flask-Login keeps who is signed in. Here it is another name of `Session.user_id`.
_USER = "_user_id"
_FLASHES = "_flashes"
_PERMANENT = "_permanent"


class FlaskSession(Session, SessionMixin):  # type: ignore[override]
    """A `Session` with what Flask and Flask-Login expect of theirs.

    The key ``_user_id``, by which Flask-Login remembers the user, is another name of `user_id`: to
    set it is to `bind`, under a new id, and to remove it is to `destroy`. So a login that any
    framework made is seen here, and one made here by the others; and there are never two answers
    to the question who is signed in.
    """

    #: Flask sets it when somebody takes hold of `flask.session`.
    _held_by_flask = False

    def __getitem__(self, key: str) -> Any:
        if key == _USER:
            user_id = self.user_id
            if user_id is None:
                raise KeyError(key)
            return str(user_id)
        value = super().__getitem__(key)
        if key == _FLASHES and isinstance(value, list):
            # A copy, so that the list that is kept stays unchanged; Flask sets what it appends to.
            return [_flash(item) for item in value]
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        if key == _USER:
            if value is None:
                self.pop(key, None)
            else:
                self.bind(value)
            return
        if key == _FLASHES and isinstance(value, list):
            value = [_stored_flash(item) for item in value]
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        if key != _USER:
            super().__delitem__(key)
        elif self.user_id is None:
            raise KeyError(key)
        else:
            self.destroy()

    def __contains__(self, key: object) -> bool:
        return self.user_id is not None if key == _USER else super().__contains__(key)

    def clear(self) -> None:
        """Forget everything, and end the session (`destroy`), as ``session.clear()`` is the way to
        sign out in Flask. What is written afterwards begins another one, under a new id.

        :raises OSError: when the store cannot delete it
        """
        self.destroy()

    @property
    def accessed(self) -> bool:
        """Whether anybody looked: the response then depends on the cookie (``Vary: Cookie``)."""
        return self._accessed or self._held_by_flask

    @accessed.setter
    def accessed(self, value: bool) -> None:
        self._held_by_flask = value

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser, for ``PERMANENT_SESSION_LIFETIME``."""
        return bool(self.get(_PERMANENT, False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if bool(value) != self.permanent:
            self[_PERMANENT] = bool(value)
            self._send = True  # the browser must be told


class GuavaSessions(SessionInterface):
    """Flask's sessions in a store of ours: ``app.session_interface = GuavaSessions(store)``.

    With a `SessionManager` in place of the store, the manager says what the cookie is like and
    when a session ends. With a store, `app.config` does:

    - ``SESSION_COOKIE_NAME``, ``_DOMAIN``, ``_PATH``, ``_HTTPONLY``, ``_PARTITIONED`` as in Flask.
      Applications that share their logins need one name, say ``guava_sid``;
    - ``SESSION_COOKIE_SECURE``: True, always; False, when the request came by https;
    - ``SESSION_COOKIE_SAMESITE``: None counts as "Lax";
    - ``PERMANENT_SESSION_LIFETIME``: as in Flask, a session ends when it was not used for so long.
      The store's lifetime ends it earlier, if that is shorter.

    In both cases the cookie of a session that is ``permanent`` lives for
    ``PERMANENT_SESSION_LIFETIME``, or for the manager's max_age if it has one, from when the
    session was last saved. ``SESSION_REFRESH_EACH_REQUEST`` and ``SECRET_KEY`` do not count: the
    cookie is sent when there is something to tell, and what it holds is a random id.

    As in Flask, a session is saved also when the answer is an error page. With a manager that has
    ``lock=True`` use `init_app`: the lock is then given back also when an exception is passed on.
    `init_app` also answers 503 when a store does not; an error handler of yours for `StoreError`
    may say it better.

    :param app: the application; or leave it out, and use `init_app` or assign
        ``app.session_interface``
    :param store: where the sessions live, or a manager
    :raises TypeError: for something else
    """

    #: What `flask.session` is; derive from it for more.
    session_class: type[FlaskSession] = FlaskSession

    def __init__(
        self,
        app: Flask | SessionStore | SessionManager,
        store: SessionStore | SessionManager | None = None,
    ) -> None:
        if store is None and not isinstance(app, Flask):
            app, store = None, app  # type: ignore[assignment]
        if not isinstance(store, (SessionStore, SessionManager)):
            raise TypeError(
                "GuavaSessions takes a SessionStore or a SessionManager, as GuavaSessions(store) "
                f"or GuavaSessions(app, store), not {type(store).__name__}"
            )
        self._given = store
        #: The settings that the managers were made from, and the managers: for sessions that end
        #: with the browser, and for permanent ones.
        self._made: tuple[object, SessionManager, SessionManager] | None = None
        if app is not None:
            self.init_app(app)  # type: ignore[arg-type]

    def init_app(self, app: Flask) -> None:
        """Become the sessions of an application."""
        app.session_interface = self
        app.teardown_request(self._release)
        app.register_error_handler(StoreError, _unavailable)

    def open_session(self, app: Flask, request: Request) -> FlaskSession:
        """The session of a request; nothing is read before it is touched."""
        manager, _ = self._managers(app)
        header = request.environ.get("HTTP_COOKIE")
        return manager.open_header_as(self.session_class, header, secure=request.is_secure)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save what changed, and tell the browser what it must know."""
        if session is None:
            return  # type: ignore[unreachable]  # none was opened: this is the page that says why
        if not isinstance(session, FlaskSession):
            raise TypeError(f"the session is a {type(session).__name__}, of another interface")
        manager, permanent = self._managers(app)
        if session._data is not None and session._data.get(_PERMANENT):
            manager = permanent
        cookie = manager.commit(session)
        if cookie is not None:
            text = cookie.header()
            if app.config.get("SESSION_COOKIE_PARTITIONED"):
                text += "; Partitioned"
            response.headers.add("Set-Cookie", text)
            # No shared cache may hand one visitor's cookie to the next.
            response.cache_control.public = False
            response.cache_control.private = True
        if session.accessed:
            response.vary.add("Cookie")

    def _release(self, error: BaseException | None) -> None:
        try:
            found = session._get_current_object()  # type: ignore[attr-defined]
        except (RuntimeError, AssertionError):
            return  # it could not be opened
        if isinstance(found, FlaskSession):
            self._managers(current_app)[0].release(found)

    def _managers(self, app: Flask) -> tuple[SessionManager, SessionManager]:
        seconds = int(app.permanent_session_lifetime.total_seconds())
        settings: tuple[Any, ...] = (seconds,)
        if isinstance(self._given, SessionStore):
            settings += (
                self.get_cookie_name(app),
                self.get_cookie_path(app),
                self.get_cookie_domain(app),
                self.get_cookie_secure(app),
                self.get_cookie_httponly(app),
                self.get_cookie_samesite(app),
            )
        # The configuration may change after this was made, in tests above all.
        made = self._made
        if made is None or made[0] != settings:
            manager = self._manager(*settings)
            permanent = copy.copy(manager)
            if permanent.max_age is None:
                permanent.max_age = max(seconds, 1)
            made = self._made = settings, manager, permanent
        return made[1], made[2]

    def _manager(
        self,
        seconds: int,
        name: str = "",
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = True,
        same_site: Any = None,
    ) -> SessionManager:
        if isinstance(self._given, SessionManager):
            return self._given
        return SessionManager(
            self._given,
            cookie_name=name,
            path=path,
            domain=domain,
            secure=True if secure else None,
            http_only=http_only,
            same_site=same_site or "Lax",
            idle_timeout=seconds if 0 < seconds < self._given.lifetime else None,
        )


def _unavailable(error: StoreError) -> tuple[str, int]:
    log.error("a request had no session: the store does not answer", exc_info=error)
    return "The sessions of this site cannot be reached. Please try again.", 503


def _flash(item: Any) -> Any:
    """A message as Flask's flash() was given it: what is stored are lists."""
    if isinstance(item, list) and len(item) in (2, 3):
        category, message = item[:2]
        return category, Markup(message) if len(item) == 3 else message
    return item


def _stored_flash(item: Any) -> Any:
    """The message as a list, with a third element if its text is markup, which is no plain str."""
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Markup):
        return [item[0], str(item[1]), True]
    return list(item) if isinstance(item, tuple) else item
