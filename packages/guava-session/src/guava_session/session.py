"""Session: one visitor's mapping, loaded on first touch and saved only when it changed."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from . import csrf, flash
from .flash import Flash
from .life import SessionLife, log
from .store import RESERVED

__all__ = ["Session", "log"]

#: Types whose values cannot be changed in place and that every serializer keeps.
_PLAIN = frozenset({str, int, float, bool, type(None)})


class Session(SessionLife, MutableMapping[str, Any]):
    """A dict of str keys that belongs to a visitor.

    `SessionManager.open` makes it and `SessionManager.commit` saves it. Nothing is read from the
    store before the session is touched for the first time, and an id that the store does not know
    is never adopted: the visitor gets a new one when there is something to keep.

    A change inside a value (``session["cart"].append(7)``) counts as a change of its key: a list
    or dict that was handed out is compared, in serialized form, with what it was.

    It belongs to one request; it is not for several threads at once.

    Methods that ask the store have a form for handlers that run on an event loop: `aload`,
    `arotate`, `abind`, `adestroy`, `asign_out_everywhere`, `asave`. It never blocks the loop, and
    with a store that is `asynchronous` nothing else will do there. What is loaded needs no store:
    a handler that got its session from `ASGISessions` reads and writes it as any mapping.
    """

    __slots__ = ()

    # The mapping.

    def __getitem__(self, key: str) -> Any:
        self._accessed = True
        data = self._data
        value = (self._load() if data is None else data)[key]
        if type(value) not in _PLAIN and key not in self._handed_out and key not in self._changed:
            self._handed_out[key] = self._store.serializer.dumps({key: value})
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        """Keep value under key.

        :raises TypeError: for a key that is not a str, or a value that the store's serializer
            cannot keep; it names the key
        """
        if not isinstance(key, str):
            raise TypeError(f"a session's keys are str, not {type(key).__name__}: {key!r}")
        if key.startswith(RESERVED):
            raise ValueError(f"session keys that begin with {RESERVED!r} are reserved")
        data = self._load()
        if type(value) not in _PLAIN:
            # It is serialized again when it is saved; here the error shows the line at fault.
            self._store.serializer.dumps({key: value})
        if key not in data and key not in self._removed:
            self._added.add(key)
        data[key] = value
        self._changed.add(key)
        self._removed.discard(key)

    def __delitem__(self, key: str) -> None:
        del self._load()[key]
        self._changed.discard(key)
        self._handed_out.pop(key, None)
        if key in self._added:
            # The store has none of this request's; one of a parallel request's stays.
            self._added.discard(key)
        else:
            self._removed.add(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def __contains__(self, key: object) -> bool:
        return key in self._load()

    def clear(self) -> None:
        """Remove all keys, those too that a parallel request adds, and all flash messages.

        The id stays, and so does whose session it is: `destroy` is what signs out.
        """
        data = self._load()
        data.clear()
        self._flashes.clear()
        self._start_tracking()
        self._replace = True

    def __repr__(self) -> str:
        # No id and no value: what is printed ends in logs.
        if self._data is None:
            return "<Session, not loaded>"
        return f"<Session, {'new' if self._new else 'known'}, keys {list(self._data)}>"

    # What it is.

    @property
    def sid(self) -> str:
        """The id: a secret of the visitor, not for logs or URLs. A new session gets one now."""
        if self._store.stateless or not self._stored:
            self._load()
        return self._own_sid()

    @property
    def new(self) -> bool:
        """Whether the visitor came without a session that the store knows."""
        self._load()
        return self._new

    @property
    def expired(self) -> bool:
        """Whether the visitor's session has ended by itself, and this new one is in its place: it
        was idle for too long, too old, or its user has signed out everywhere."""
        self._load()
        return self._expired

    @property
    def user_id(self) -> str | int | None:
        """Who is signed in: what `bind` was given; None while nobody is."""
        self._load()
        user: str | int | None = self._meta.get("user")
        return user

    @property
    def created(self) -> float:
        """When the session began, in seconds since 1970."""
        self._load()
        created = self._meta["created"]
        return float(created)

    @property
    def accessed(self) -> bool:
        """Whether anybody looked: the response then depends on the cookie (``Vary: Cookie``)."""
        return self._accessed

    @property
    def modified(self) -> bool:
        """Whether there is something to save. Set it to True to save in any case."""
        return self._is_modified()

    @modified.setter
    def modified(self, value: bool) -> None:
        self._load()
        if value:
            self._forced = True
        else:
            raise ValueError("a change cannot be taken back by modified = False")

    @property
    def _cookie_value(self) -> str:
        """What the visitor's cookie must hold."""
        return self._sid if self._store.stateless and self._sid is not None else self.sid

    # What happens to its id.

    def rotate(self) -> None:
        """Go on under a new id; the old one is invalid at once, in every process.

        Call it whenever the visitor's rights change, at login above all: who planted or saw the
        old id (session fixation) is left with nothing. The data stay. They are saved under
        the new id by the commit: if a request fails in between, its visitor is logged out.
        """
        self._run(self._rotating(), "rotate")

    async def arotate(self) -> None:
        """As `rotate`, on an event loop."""
        await self._arun(self._rotating())

    def bind(self, user_id: str | int) -> None:
        """Sign a user in: the session is the user's from now on, under a new id (see `rotate`).

        It then ends as well when the user signs out everywhere, by `sign_out_everywhere` or
        `SessionManager.sign_out_everywhere`. The data stay.

        :param user_id: what the application calls the user, for good
        :raises TypeError: for what is neither a str nor an int
        """
        self._run(self._binding(user_id), "bind")

    async def abind(self, user_id: str | int) -> None:
        """As `bind`, on an event loop."""
        await self._arun(self._binding(user_id))

    def sign_out_everywhere(self) -> None:
        """End this session and all others of its user, at once and in every process.

        :raises OSError: when the store cannot be written
        """
        self._run(self._ending_everywhere(), "sign_out_everywhere")

    async def asign_out_everywhere(self) -> None:
        """As `sign_out_everywhere`, on an event loop."""
        await self._arun(self._ending_everywhere())

    def destroy(self) -> None:
        """Delete the session, in the store at once and at the visitor's with the commit.

        What is written to it afterwards begins a new session under a new id.

        :raises OSError: when the store cannot delete it: a logout must not fail in silence
        """
        self._run(self._destroying(), "destroy")

    async def adestroy(self) -> None:
        """As `destroy`, on an event loop."""
        await self._arun(self._destroying())

    # What pages say to each other.

    def flash(self, message: str, category: str = "message") -> None:
        """Keep a message for the next page that asks for it, by `flashes`.

        :raises TypeError: for what is no text
        """
        if not isinstance(message, str) or not isinstance(category, str):
            raise TypeError(f"a flash message and its category are str: {message!r}, {category!r}")
        self._load()
        key = flash.make_key(self._clock(), len(self._flashes))
        self._flashes[key] = [category, message]
        self._changed.add(key)

    def flashes(self, category: str | None = None) -> list[Flash]:
        """The messages that were kept, the oldest first, which are then forgotten.

        :param category: only those of this category; the others stay
        """
        self._load()
        if not self._flashes:
            return []
        found = []
        for key in sorted(self._flashes):
            message = Flash(*self._flashes[key])
            if category is None or message.category == category:
                found.append(message)
                del self._flashes[key]
                self._changed.discard(key)
                self._removed.add(key)
        return found

    def csrf_token(self) -> str:
        """A token for a form of this visitor; see `check_csrf`. A new session is kept for it.

        Each call gives another one; all of them are good as long as the session has its id."""
        sid = self.sid
        if not self._stored:
            self._forced = True
        return csrf.make_token(sid)

    def check_csrf(self, token: str | None) -> None:
        """Refuse a request that one of our own pages did not send.

        Call it for each request that changes something, with what its form or a header brought.

        :raises CSRFError: the token is missing (None) or not one of this session
        """
        self._load()
        if not token:
            raise csrf.CSRFError("the request has no CSRF token")
        if not self._stored or not csrf.is_token(self.sid, token):
            raise csrf.CSRFError("the CSRF token is not one of this session")

    # Loading and saving.

    def load(self) -> None:
        """Read the session from its store now; touching it does that by itself."""
        self._load()

    async def aload(self) -> None:
        """As `load`, on an event loop."""
        self._accessed = True
        await self._aload()

    def save(self) -> bool:
        """Write to the store what changed; whether anything was written.

        `SessionManager.commit` calls it. Only the keys that this request changed are written
        into what the store holds by then. If the session was deleted meanwhile, by a logout or a
        rotation in a parallel request, the changes are dropped: it does not come back to life.

        :raises OSError: when the store cannot write
        :raises TypeError: naming a key that cannot be stored
        """
        if self._data is None or not self._needs_store():
            return False
        written: bool = self._run(self._saving(), "save")
        return written

    async def asave(self) -> bool:
        """As `save`, on an event loop."""
        if not self._needs_store():
            return False
        written: bool = await self._arun(self._saving())
        return written
