"""SessionStore: a Session of ours with the methods that Django calls.

It has all of `django.contrib.sessions.backends.base.SessionBase`, which its documentation
describes (Django, "How to use sessions"); what differs is said here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.utils import timezone

from ..session import Session
from ..store import SessionStore as Store
from .setting import find_manager

_EXPIRY = "_session_expiry"


class SessionStore(SessionBase):  # type: ignore[misc]  # Django has no types
    """The session of a request, ``request.session``.

    - Changes inside values count as changes: ``request.session["cart"].append(7)`` is saved.
    - Only the keys that the request changed are written, so parallel requests lose no update.
    - Values are what the store's serializer keeps; ``SESSION_SERIALIZER`` does not count.
    - As in Django, a session ends ``SESSION_COOKIE_AGE`` seconds after it was last changed, or
      when `set_expiry` says; reading does not prolong it, unless ``GUAVA_SESSION_STORE`` is a
      manager with an idle_timeout. It cannot outlive the store's lifetime.
    - A store that does not answer is a `StoreError` and so a response of status 500: never an
      empty session, never a cookie for a session that was not kept.
    """

    def __init__(self, session_key: str | None = None) -> None:
        self._manager = find_manager()
        #: The `guava_session.Session` that this one is.
        self.shared: Session = self._manager.open(session_key)
        self._touched = False  # by modified = True
        super().__init__(session_key)
        self._muted = False  # by modified = False, as SessionBase has just said

    # Who it is.

    @property
    def session_key(self) -> str | None:
        """The id; None for a session that has none yet."""
        return self.shared._sid

    @property
    def _session_key(self) -> str | None:
        return self.shared._sid

    @_session_key.setter
    def _session_key(self, value: str | None) -> None:
        if value != self.shared._sid:
            self.shared = self._manager.open(value)

    @property
    def user_id(self) -> str | int | None:
        """Who is signed in, in all applications that share the store."""
        return self._get_session().user_id

    def bind(self, user_id: str | int) -> None:
        """Sign a user in; see `Session.bind`. Django's login() does it by itself."""
        self._get_session().bind(user_id)
        self.modified = True

    async def abind(self, user_id: str | int) -> None:
        """As `bind`, on an event loop."""
        await (await self._aget_session()).abind(user_id)
        self.modified = True

    def sign_out_everywhere(self) -> None:
        """End this session and all others of its user; see `Session.sign_out_everywhere`."""
        self._get_session().sign_out_everywhere()
        self.modified = True

    async def asign_out_everywhere(self) -> None:
        """As `sign_out_everywhere`, on an event loop."""
        await (await self._aget_session()).asign_out_everywhere()
        self.modified = True

    # Its mapping, for the methods of SessionBase.

    def _get_session(self, no_load: bool = False) -> Session:
        self.accessed = True
        if self.shared._data is None:
            self.shared.load()
            if self._is_over():
                self.shared.destroy()
                self.shared._expired = True
        return self.shared

    async def _aget_session(self, no_load: bool = False) -> Session:
        self.accessed = True
        if self.shared._data is None:
            await self.shared.aload()
            if self._is_over():
                await self.shared.adestroy()
                self.shared._expired = True
        return self.shared

    _session = property(_get_session)

    @property
    def modified(self) -> bool:
        """Whether there is something to save; it sees changes inside values by itself. When it is
        set to False, what was changed before is not saved with the response, as in Django."""
        if self._touched or self._muted:
            return self._touched
        shared = self.shared
        return shared._is_modified() or (
            self._manager.idle_timeout is not None and shared._needs_store()
        )

    @modified.setter
    def modified(self, value: bool) -> None:
        self._touched = bool(value)
        self._muted = not value

    def is_empty(self) -> bool:
        """Whether there is neither an id nor anything to keep: the cookie is then taken back."""
        shared = self.shared
        return shared._sid is None and not (shared._data or shared._flashes or shared._forced)

    def clear(self) -> None:
        """Remove all keys. Who is signed in is one of them in Django: a session that has a user is
        flushed. Else the id stays."""
        if self.user_id is None:
            self.shared.clear()
        else:
            self.shared.destroy()
        self.modified = True

    # When it ends.

    def _is_over(self) -> bool:
        shared = self.shared
        if not shared._stored or shared._data is None:
            return False
        expiry, now = shared._data.get(_EXPIRY), shared._clock()
        if isinstance(expiry, str):
            return now >= datetime.fromisoformat(expiry).timestamp()
        saved = shared._meta.get("saved")
        age = expiry or self.get_session_cookie_age()
        return not isinstance(saved, (int, float)) or bool(now - saved >= age)

    def set_expiry(self, value: int | datetime | timedelta | None) -> None:
        """As Django's.

        :raises ValueError: the store would forget the session before
        """
        self._check_expiry(value)
        super().set_expiry(value)

    async def aset_expiry(self, value: int | datetime | timedelta | None) -> None:
        """As `set_expiry`, on an event loop."""
        self._check_expiry(value)
        await super().aset_expiry(value)

    def _check_expiry(self, value: int | datetime | timedelta | None) -> None:
        lifetime = self._manager.store.lifetime
        seconds = value
        if isinstance(seconds, datetime):
            seconds = seconds - timezone.now()
        if isinstance(seconds, timedelta):
            seconds = int(seconds.total_seconds())
        if seconds is not None and seconds > lifetime:
            raise ValueError(
                f"a session cannot live for {seconds} seconds in a store that forgets it after "
                f"{lifetime:.0f}: make the store's lifetime longer"
            )

    # Made, kept and ended.

    def load(self) -> dict[str, Any]:
        """What it holds, as a dict of its own."""
        return dict(self._get_session())

    async def aload(self) -> dict[str, Any]:
        """As `load`, on an event loop."""
        return dict(await self._aget_session())

    def create(self) -> None:
        """Become a new session, which is saved at once, with what was set in this one."""
        self._renew(self.load() if self.accessed else {})
        self.save()
        self.modified = True

    async def acreate(self) -> None:
        """As `create`, on an event loop."""
        self._renew(await self.aload() if self.accessed else {})
        await self.asave()
        self.modified = True

    def _renew(self, data: dict[str, Any]) -> None:
        self.shared = self._manager.open(None)
        self.shared.update(data)

    def save(self, must_create: bool = False) -> None:
        """Write what changed, and that the session was used now.

        :raises django.contrib.sessions.backends.base.UpdateError: it was deleted meanwhile, by a
            logout in a parallel request
        :raises OSError: the store cannot write
        """
        session = self._get_session()
        if must_create and session._stored:
            self._renew(dict(session))
            session = self.shared
        known = session._stored
        session.modified = True
        self._saved(known, session.save())

    async def asave(self, must_create: bool = False) -> None:
        """As `save`, on an event loop."""
        session = await self._aget_session()
        if must_create and session._stored:
            self._renew(dict(session))
            session = self.shared
        known = session._stored
        session.modified = True
        self._saved(known, await session.asave())

    def _saved(self, known: bool, written: bool) -> None:
        if known and not written:
            raise UpdateError
        self._touched = self._muted = False

    def exists(self, session_key: str | None) -> bool:
        """Whether the store has such a session, and it has not ended."""
        return not self._manager.open(session_key).new

    async def aexists(self, session_key: str | None) -> bool:
        """As `exists`, on an event loop."""
        session = self._manager.open(session_key)
        await session.aload()
        return not session.new

    def delete(self, session_key: str | None = None) -> None:
        """Delete this session, or the one with the id."""
        self._other(session_key).destroy()

    async def adelete(self, session_key: str | None = None) -> None:
        """As `delete`, on an event loop."""
        await self._other(session_key).adestroy()

    def _other(self, session_key: str | None) -> Session:
        # Not store.delete(): the id may be that of a user's record, or made up.
        own = session_key is None or session_key == self.shared._sid
        return self.shared if own else self._manager.open(session_key)

    def flush(self) -> None:
        """Delete it, and begin a new one: what Django's logout() does."""
        self.shared.destroy()
        self.accessed = self.modified = True

    async def aflush(self) -> None:
        """As `flush`, on an event loop."""
        await self.shared.adestroy()
        self.accessed = self.modified = True

    def cycle_key(self) -> None:
        """Go on under a new id; the old one is invalid at once. It is saved with the response."""
        session = self._get_session()
        session.rotate()
        self.modified = session.modified = True

    async def acycle_key(self) -> None:
        """As `cycle_key`, on an event loop."""
        session = await self._aget_session()
        await session.arotate()
        self.modified = session.modified = True

    @classmethod
    def clear_expired(cls) -> None:
        """For ``manage.py clearsessions``. Nobody needs it: stores forget by themselves."""
        store = find_manager().store
        if type(store).delete_expired is not Store.delete_expired:
            store.delete_expired()

    @classmethod
    async def aclear_expired(cls) -> None:
        """As `clear_expired`, on an event loop."""
        await sync_to_async(cls.clear_expired)()
