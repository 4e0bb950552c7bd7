"""Session: one visitor's mapping, loaded on first touch and saved only when it changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from . import csrf, flash, users
from .flash import Flash
from .serializer import Record
from .store import RESERVED, SessionStore, merged

log = logging.getLogger("guava.session")

#: Types whose values cannot be changed in place and that every serializer keeps.
_PLAIN = frozenset({str, int, float, bool, type(None)})

#: After this part of its lifetime a session that is only read is saved again, so that it lives on.
_REFRESH = 0.1


class Session(MutableMapping[str, Any]):
    """A dict of str keys that belongs to a visitor.

    `SessionManager.open` makes it and `SessionManager.commit` saves it. Nothing is read from the
    store before the session is touched for the first time, and an id that the store does not know
    is never adopted: the visitor gets a new one when there is something to keep.

    A change inside a value (``session["cart"].append(7)``) counts as a change of its key: a list
    or dict that was handed out is compared, in serialized form, with what it was.

    It belongs to one request; it is not for several threads at once.
    """

    __slots__ = (
        "__weakref__",
        "_absolute",
        "_accessed",
        "_added",
        "_changed",
        "_clock",
        "_cookie",
        "_data",
        "_destroyed",
        "_expired",
        "_flashes",
        "_forced",
        "_handed_out",
        "_idle",
        "_meta",
        "_new",
        "_removed",
        "_replace",
        "_rotated",
        "_send",
        "_sid",
        "_store",
        "_stored",
        "save_error",
        "secure",
    )

    def __init__(
        self,
        store: SessionStore,
        cookie_value: str | None = None,
        *,
        secure: bool = False,
        clock: Callable[[], float] = time.time,
        idle_timeout: float | None = None,
        absolute_timeout: float | None = None,
    ) -> None:
        """Over store, for the id that a cookie brought (None: it brought none).

        :param secure: whether the request came over TLS; the cookie is then ``Secure``
        :param clock: seconds since 1970
        :param idle_timeout: seconds without a request after which it ends; see `SessionManager`
        :param absolute_timeout: seconds after its begin at which it ends in any case
        """
        self._store = store
        self._clock = clock
        self._idle = idle_timeout
        self._absolute = absolute_timeout
        self.secure = secure
        #: Why the last commit could not save, or None.
        self.save_error: OSError | None = None
        self._cookie = cookie_value is not None
        # What was sent is only looked up once; whoever has another shape is nobody.
        self._sid = cookie_value if store.is_id(cookie_value) else None
        self._data: Record | None = None  # None until the first touch
        self._meta: Record = {}
        self._stored = False  # whether the store has it, under _sid
        self._new = True
        self._expired = False
        self._flashes: dict[str, list[str]] = {}  # key: category, message
        self._accessed = False
        self._destroyed = False
        self._rotated = False
        self._send = False  # whether the visitor must be told a new id
        self._changed: set[str] = set()
        self._added: set[str] = set()  # those of _changed that were not there when it was loaded
        self._removed: set[str] = set()
        self._handed_out: dict[str, bytes] = {}  # key: the value as it was, serialized
        self._replace = False
        self._forced = False

    # The mapping.

    def __getitem__(self, key: str) -> Any:
        value = (self._data if self._data is not None else self._load())[key]
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
        if self._store.stateless:
            # The cookie is another one with each change, the id is in it.
            self._load()
            if "id" not in self._meta:
                self._meta["id"] = self._store.generate_id()
            found: str = self._meta["id"]
            return found
        if not self._stored:
            self._load()
        if self._sid is None:
            self._sid = self._store.generate_id()
        return self._sid

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
        return self._data is not None and bool(
            self._forced or self._replace or self._removed or self._rotated or self._find_changed()
        )

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
        data = self._load()
        if self._stored and self._sid is not None:
            changed = self._find_changed()
            changes = {key: data[key] for key in changed if key in data}
            # What parallel requests saved since this one loaded comes along.
            record = self._store.take(self._sid) or {}
            record.pop(RESERVED, None)
            for key, message in flash.split(record).items():
                if key not in self._removed and not self._replace:
                    self._flashes[key] = message
            # A list that was handed out stays the one in the session.
            dumps = self._store.serializer.dumps
            for key, was in self._handed_out.items():
                if key in record and dumps({key: record[key]}) == was:
                    record[key] = data[key]
            self._data = merged(record, changes, self._removed, self._replace)
            self._changed = changed
            self._handed_out.clear()
            self._stored = False
            self._rotated = True
        if self._store.stateless:
            self._meta["id"] = self._store.generate_id()
        else:
            self._sid = self._store.generate_id()

    def bind(self, user_id: str | int) -> None:
        """Sign a user in: the session is the user's from now on, under a new id (see `rotate`).

        It then ends as well when the user signs out everywhere, by `sign_out_everywhere` or
        `SessionManager.sign_out_everywhere`. The data stay.

        :param user_id: what the application calls the user, for good
        :raises TypeError: for what is neither a str nor an int
        """
        users.user_key(user_id)  # is it one?
        store = self._store.users
        epoch = store and (users.find_epoch(store, user_id) or users.begin_epoch(store, user_id))
        self.rotate()
        self._meta["user"] = user_id
        self._meta["epoch"] = epoch
        self._forced = True

    def sign_out_everywhere(self) -> None:
        """End this session and all others of its user, at once and in every process.

        :raises OSError: when the store cannot be written
        """
        user_id = self.user_id
        if user_id is not None:
            users.end_all(self._store, user_id)
        self.destroy()

    def destroy(self) -> None:
        """Delete the session, in the store at once and at the visitor's with the commit.

        What is written to it afterwards begins a new session under a new id.

        :raises OSError: when the store cannot delete it: a logout must not fail in silence
        """
        # Loaded first: an id that a visitor made up may be that of a user's record.
        self._load()
        if self._sid is not None and self._stored:
            self._store.delete(self._sid)
        self._begin()
        self._accessed = True
        self._destroyed = True
        self._rotated = False
        self._start_tracking()

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

    def save(self) -> bool:
        """Write to the store what changed; whether anything was written.

        `SessionManager.commit` calls it. Only the keys that this request changed are written
        into what the store holds by then. If the session was deleted meanwhile, by a logout or a
        rotation in a parallel request, the changes are dropped: it does not come back to life.

        :raises OSError: when the store cannot write
        :raises TypeError: naming a key that cannot be stored
        """
        data = self._data
        if data is None:
            return False
        changed = self._find_changed()
        if self._store.stateless:
            if not self._needs_store():
                return False
            self._meta["id"] = self.sid
            record = {**data, **self._flashes, RESERVED: self._stamp()}
            self._sid = self._store.seal(record)
            self._stored = self._send = written = True
        elif self._stored:
            edited = changed or self._removed or self._replace or self._forced
            if not edited and not self._is_stale():
                return False
            written = self._merge(data, changed)
        else:
            if not self._needs_store():
                return False
            self._store.set(self.sid, {**data, **self._flashes, RESERVED: self._stamp()})
            self._stored = self._send = written = True
        if written and "user" in self._meta and self._store.users is not None:
            # It must not be forgotten before the sessions that depend on it.
            self._store.users.touch(users.user_key(self._meta["user"]))
        # The next touch loads what the store made of it and of parallel requests.
        self._data = None
        self._rotated = False
        self._start_tracking()
        return written

    def _merge(self, data: Record, changed: set[str]) -> bool:
        changes: Record = {
            key: self._flashes[key] if key in self._flashes else data[key] for key in changed
        }
        changes[RESERVED] = self._stamp()
        if self._store.merge(self.sid, changes, self._removed, replace=self._replace):
            return True
        log.info("a session was deleted while a request changed it; the changes are dropped")
        return False

    def _load(self) -> Record:
        if self._data is not None:
            return self._data
        self._accessed = True
        record: object = None if self._sid is None else self._store.get(self._sid)
        if not record:  # None; or {}, which some stores have for what they do not know
            return self._begin()
        if type(record) is not dict and not isinstance(record, Mapping):
            store, found = type(self._store).__name__, type(record).__name__
            raise TypeError(f"{store}.get() returned a {found}; a session is a dict, or None")
        # A shallow copy, for a store that hands out its own dict.
        data = dict(record)
        meta = data.pop(RESERVED, None)
        if users.is_user_record(meta):
            return self._begin()  # nobody's session: whoever sent this made it up
        self._meta = dict(meta) if isinstance(meta, dict) else {}
        if not isinstance(self._meta.get("created"), (int, float)):
            self._meta["created"] = int(self._clock())
        if self._has_ended():
            assert self._sid is not None
            self._store.delete(self._sid)
            self._expired = True
            self._destroyed = True  # so that the visitor is told
            return self._begin()
        self._flashes = flash.split(data)
        self._data = data
        self._stored = True
        self._new = False
        return data

    def _has_ended(self) -> bool:
        """Whether what was loaded is too old, or its user has signed out everywhere."""
        meta, now = self._meta, self._clock()
        if self._absolute is not None and now - meta["created"] >= self._absolute:
            return True
        if self._idle is not None:
            saved = meta.get("saved")
            if not isinstance(saved, (int, float)) or now - saved >= self._idle:
                return True
        store = self._store.users
        if "user" not in meta or store is None:
            return False
        epoch = meta.get("epoch")
        return epoch is None or users.find_epoch(store, meta["user"]) != epoch

    def _begin(self) -> Record:
        """A new session: no id yet, nothing in it."""
        data = self._data = {}
        self._flashes = {}
        self._meta = {"created": int(self._clock())}
        self._sid = None
        self._stored = False
        self._new = True
        return data

    def _start_tracking(self) -> None:
        self._changed = set()
        self._added = set()
        self._removed = set()
        self._handed_out = {}
        self._replace = False
        self._forced = False

    def _find_changed(self) -> set[str]:
        if self._data is None or not self._handed_out:
            return self._changed
        dumps = self._store.serializer.dumps
        return self._changed | {
            key
            for key, was in self._handed_out.items()
            if key not in self._changed and dumps({key: self._data[key]}) != was
        }

    def _needs_store(self) -> bool:
        """Whether save() would go to the store."""
        if self._data is None:
            return False
        if self._stored:
            return self.modified or self._is_stale()
        return bool(self._data or self._flashes or self._rotated or self._forced)

    def _is_stale(self) -> bool:
        saved = self._meta.get("saved")
        if not isinstance(saved, (int, float)):
            return True
        lifetime = self._store.lifetime if self._idle is None else self._idle
        # abs(): a clock that was set back must not keep sessions from being renewed.
        return abs(self._clock() - saved) > min(lifetime, self._store.lifetime) * _REFRESH

    def _stamp(self) -> Record:
        # Whole seconds: a float with all its digits is a sixth of the work of saving.
        self._meta["saved"] = int(self._clock())
        return self._meta
