"""Session: one visitor's mapping, loaded on first touch and saved only when it changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

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
        "_accessed",
        "_added",
        "_changed",
        "_clock",
        "_cookie",
        "_data",
        "_destroyed",
        "_forced",
        "_handed_out",
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
    ) -> None:
        """Over store, for the id that a cookie brought (None: it brought none).

        :param secure: whether the request came over TLS; the cookie is then ``Secure``
        :param clock: seconds since 1970
        """
        self._store = store
        self._clock = clock
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
        if key == RESERVED:
            raise ValueError(f"the session key {RESERVED!r} is reserved")
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
        """Remove all keys, those too that a parallel request adds. The id stays."""
        data = self._load()
        data.clear()
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
            changes = {key: data[key] for key in changed}
            # What parallel requests saved since this one loaded comes along.
            record = self._store.take(self._sid) or {}
            record.pop(RESERVED, None)
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
        self._sid = self._store.generate_id()

    def destroy(self) -> None:
        """Delete the session, in the store at once and at the visitor's with the commit.

        What is written to it afterwards begins a new session under a new id.

        :raises OSError: when the store cannot delete it: a logout must not fail in silence
        """
        if self._sid is not None and (self._stored or self._data is None):
            self._store.delete(self._sid)
        self._begin()
        self._accessed = True
        self._destroyed = True
        self._rotated = False
        self._start_tracking()

    # Loading and saving.

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
        if self._stored:
            edited = changed or self._removed or self._replace or self._forced
            if not edited and not self._is_stale():
                return False
            written = self._merge(data, changed)
        else:
            if not (data or self._rotated or self._forced):
                return False
            self._store.set(self.sid, {**data, RESERVED: self._stamp()})
            self._stored = self._send = written = True
        # The next touch loads what the store made of it and of parallel requests.
        self._data = None
        self._rotated = False
        self._start_tracking()
        return written

    def _merge(self, data: Record, changed: set[str]) -> bool:
        changes: Record = {key: data[key] for key in changed}
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
        self._meta = meta if isinstance(meta, dict) else {}
        if not isinstance(self._meta.get("created"), (int, float)):
            self._meta["created"] = int(self._clock())
        self._data = data
        self._stored = True
        self._new = False
        return data

    def _begin(self) -> Record:
        """A new session: no id yet, nothing in it."""
        data = self._data = {}
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

    def _is_stale(self) -> bool:
        saved = self._meta.get("saved")
        if not isinstance(saved, (int, float)):
            return True
        # abs(): a clock that was set back must not keep sessions from being renewed.
        return abs(self._clock() - saved) > self._store.lifetime * _REFRESH

    def _stamp(self) -> Record:
        # Whole seconds: a float with all its digits is a sixth of the work of saving.
        self._meta["saved"] = int(self._clock())
        return self._meta
