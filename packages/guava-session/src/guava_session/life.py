"""SessionLife: what passes between a session and its store, and when."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from . import flash, users
from .serializer import Record
from .steps import Steps, Taking, adrive, drive
from .store import RESERVED, SessionStore, StoreError, merged

log = logging.getLogger("guava.session")

#: After this part of its lifetime a session that is only read is saved again, so that it lives on.
_REFRESH = 0.1

#: Seconds between two looks at a lock that somebody else has: the first, and the longest.
_LOCK_PAUSE, _LOCK_LONGEST = 0.002, 0.05


class SessionLocked(StoreError):
    """Another request has had the session for longer than this one may wait."""


class SessionLife:
    """A session without its mapping: loaded, saved, moved to another id, ended.

    What asks the store is written as steps (see `guava_session.steps`); `Session` has two methods
    for each of them, a plain one and one to be awaited.
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
        "_held",
        "_idle",
        "_lock_timeout",
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
        lock_timeout: float | None = None,
    ) -> None:
        """Over store, for the id that a cookie brought (None: it brought none).

        :param secure: whether the request came over TLS; the cookie is then ``Secure``
        :param clock: seconds since 1970
        :param idle_timeout: seconds without a request after which it ends; see `SessionManager`
        :param absolute_timeout: seconds after its begin at which it ends in any case
        :param lock_timeout: seconds to wait for other requests of this session; None: they may
            run at once
        """
        self._store = store
        self._clock = clock
        self._idle = idle_timeout
        self._absolute = absolute_timeout
        self._lock_timeout = lock_timeout
        self._held: tuple[str, Any] | None = None  # the id whose lock this has, and its word
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

    # How steps are run.

    def _run(self, steps: Steps[Any], name: str) -> Any:
        """In this thread, waiting for the store."""
        return drive(steps, f"await session.a{name}()")

    async def _arun(self, steps: Steps[Any]) -> Any:
        """Without blocking the event loop."""
        store = self._store
        epochs = store.users
        if (
            store.remote
            and not (store.asynchronous or (epochs is not None and epochs.asynchronous))
            and self._lock_timeout is None
        ):
            import asyncio

            # All of it on one thread, and not each call.
            return await asyncio.to_thread(drive, steps)
        return await adrive(steps)

    # Loading.

    def _load(self) -> Record:
        """What is touched, by whoever touches it."""
        self._accessed = True
        data = self._data
        if data is not None:
            return data
        sid, store = self._sid, self._store
        if sid is None:
            return self._begin()
        if store.remote or store.asynchronous or self._lock_timeout is not None:
            self._run(self._loading(), "load")
        else:
            # What `_loading` does, without the steps: they cost a fifth of reading from memory.
            self._accept(store.get(sid))
            if "user" in self._meta or self._idle or self._absolute:
                self._run(self._checking(sid), "load")
        loaded = self._data
        assert loaded is not None
        return loaded

    async def _aload(self) -> None:
        """For whoever hands it on: that nobody has touched it yet stays so."""
        if self._data is None:
            if self._sid is None:
                self._begin()
            else:
                await self._arun(self._loading())

    def _loading(self) -> Steps[None]:
        if self._data is not None:
            return
        if self._sid is None:
            self._begin()
            return
        store, sid = self._store, self._sid
        if self._lock_timeout is not None and self._held is None:
            yield from self._locking(sid, self._lock_timeout)
        self._accept((yield store, partial(store.get, sid)))
        yield from self._checking(sid)

    def _accept(self, record: object) -> None:
        """Begin with what the store has, or anew when that is nothing."""
        if not record:  # None; or {}, which some stores have for what they do not know
            self._begin()
            return
        if type(record) is not dict and not isinstance(record, Mapping):
            name, found = type(self._store).__name__, type(record).__name__
            raise TypeError(f"{name}.get() returned a {found}; a session is a dict, or None")
        # A shallow copy, for a store that hands out its own dict.
        data = dict(record)
        meta = data.pop(RESERVED, None)
        if users.is_user_record(meta):
            self._begin()  # nobody's session: whoever sent this made it up
            return
        self._meta = dict(meta) if isinstance(meta, dict) else {}
        if not isinstance(self._meta.get("created"), (int, float)):
            self._meta["created"] = int(self._clock())
        self._flashes = flash.split(data)
        self._data = data
        self._stored = True
        self._new = False

    def _checking(self, sid: str) -> Steps[None]:
        """Begin anew if what was loaded has ended by itself."""
        if not self._stored:
            return
        ended, store = self._is_too_old(), self._store.users
        if not ended and "user" in self._meta and store is not None:
            epoch, now = self._meta.get("epoch"), None
            if epoch is not None:
                try:
                    now = yield from users.find_epoch(store, self._meta["user"])
                except BaseException:
                    # Nobody is signed in because it could not be asked whether he still is.
                    self._data = None
                    self._stored = False
                    raise
            ended = epoch is None or now != epoch
        if ended:
            # It is nobody's before it is deleted: the store may fail now.
            self._begin()
            self._expired = True
            self._destroyed = True  # so that the visitor is told
            yield self._store, partial(self._store.delete, sid)

    def _is_too_old(self) -> bool:
        meta, now = self._meta, self._clock()
        if self._absolute is not None:
            if now - meta["created"] >= self._absolute:
                return True
            if meta["created"] > now:
                # The clock was set back: it ends so long after now, and not after what was then.
                meta["created"] = int(now)
        if self._idle is None:
            return False
        saved = meta.get("saved")
        return not isinstance(saved, (int, float)) or now - saved >= self._idle

    def _begin(self) -> Record:
        """A new session: no id yet, nothing in it."""
        data = self._data = {}
        self._flashes = {}
        self._meta = {"created": int(self._clock())}
        self._sid = None
        self._stored = False
        self._new = True
        return data

    # One request at a time.

    def _locking(self, sid: str, timeout: float) -> Steps[None]:
        store, pause = self._store, _LOCK_PAUSE
        until = time.monotonic() + timeout
        while True:
            # Twice the time: whoever waited so long for it has so long to use it.
            take = Taking(partial(store.lock, sid, 2 * timeout), partial(store.unlock, sid))
            word = yield store, take
            if word is not None:
                self._held = sid, word
                return
            if time.monotonic() >= until:
                raise SessionLocked(
                    f"another request has held this session for {timeout} seconds; answer it "
                    "sooner, or raise lock_timeout"
                )
            yield None, pause
            pause = min(pause * 1.5, _LOCK_LONGEST)

    def _releasing(self) -> Steps[None]:
        if self._held is not None:
            sid, word = self._held
            self._held = None
            yield self._store, partial(self._store.unlock, sid, word)

    # Other ids.

    def _rotating(self) -> Steps[None]:
        self._accessed = True
        yield from self._loading()
        data = self._data or {}
        if self._stored and self._sid is not None:
            changed = self._find_changed()
            changes = {key: data[key] for key in changed if key in data}
            # What parallel requests saved since this one loaded comes along.
            record = yield self._store, partial(self._store.take, self._sid)
            if not record:
                # Somebody has logged out or rotated meanwhile, and that holds: what this request
                # has written goes on, but nobody is signed in by what it has read.
                log.info("a session was deleted while a request moved it; it begins anew")
                self._meta = {"created": int(self._clock())}
                self._flashes = {k: v for k, v in self._flashes.items() if k in changed}
                record = {}
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

    def _binding(self, user_id: str | int) -> Steps[None]:
        users.user_key(user_id)  # is it one?
        epoch, store = None, self._store.users
        if store is not None:
            epoch = yield from users.find_epoch(store, user_id)
            epoch = epoch or (yield from users.begin_epoch(store, user_id))
        yield from self._rotating()
        self._meta["user"] = user_id
        self._meta["epoch"] = epoch
        self._forced = True

    def _destroying(self) -> Steps[None]:
        self._accessed = True
        # Loaded first: an id that a visitor made up may be that of a user's record.
        yield from self._loading()
        if self._sid is not None and self._stored:
            yield self._store, partial(self._store.delete, self._sid)
        self._begin()
        self._destroyed = True
        self._rotated = False
        self._start_tracking()

    def _ending_everywhere(self) -> Steps[None]:
        yield from self._loading()
        user_id = self._meta.get("user")
        if user_id is not None:
            yield from users.end_all(self._store, user_id)
        yield from self._destroying()

    # Saving.

    def _saving(self) -> Steps[bool]:
        data, store = self._data, self._store
        if data is None:
            return False
        changed = self._find_changed()
        if store.stateless:
            if not self._needs_store():
                return False
            self._meta["id"] = self._own_sid()
            record = {**data, **self._flashes, RESERVED: self._stamp()}
            self._sid = store.seal(record)
            self._stored = self._send = written = True
        elif self._stored:
            edited = changed or self._removed or self._replace or self._forced
            if not edited and not self._is_stale():
                return False
            written = yield from self._merging(data, changed)
        else:
            if not self._needs_store():
                return False
            record = {**data, **self._flashes, RESERVED: self._stamp()}
            yield store, partial(store.set, self._own_sid(), record)
            self._stored = self._send = written = True
        if written and "user" in self._meta and store.users is not None:
            # It must not be forgotten before the sessions that depend on it.
            yield store.users, partial(store.users.touch, users.user_key(self._meta["user"]))
        self._rotated = False
        if not (store.remote or store.asynchronous or (store.stateless and store.awaited)):
            # The next touch loads what the store made of it and of parallel requests.
            self._data = None
            self._start_tracking()
        elif written:
            # To load it again is a wait, perhaps in a place where nobody may wait: so it goes on
            # with what it has.
            self._new = False
            self._keep_tracking()
        else:
            self._begin()
            self._start_tracking()
        return written

    def _merging(self, data: Record, changed: set[str]) -> Steps[bool]:
        changes: Record = {
            key: self._flashes[key] if key in self._flashes else data[key] for key in changed
        }
        changes[RESERVED] = self._stamp()
        store, sid = self._store, self._own_sid()
        if (yield store, partial(store.merge, sid, changes, self._removed, replace=self._replace)):
            return True
        log.info("a session was deleted while a request changed it; the changes are dropped")
        return False

    def _own_sid(self) -> str:
        """The id of what is loaded; a new session gets one now."""
        if self._store.stateless:
            # The cookie is another one with each change, the id is in it.
            found: str = self._meta.setdefault("id", "") or self._store.generate_id()
            self._meta["id"] = found
            return found
        if self._sid is None:
            self._sid = self._store.generate_id()
        return self._sid

    # What has changed.

    def _start_tracking(self) -> None:
        self._changed = set()
        self._added = set()
        self._removed = set()
        self._handed_out = {}
        self._replace = False
        self._forced = False

    def _keep_tracking(self) -> None:
        """As `_start_tracking`, where the caller may hold lists and dicts of this session."""
        data, dumps = self._data or {}, self._store.serializer.dumps
        held = {key for key in {*self._changed, *self._handed_out} if key in data}
        self._start_tracking()
        self._handed_out = {key: dumps({key: data[key]}) for key in held}

    def _find_changed(self) -> set[str]:
        if self._data is None or not self._handed_out:
            return self._changed
        dumps = self._store.serializer.dumps
        return self._changed | {
            key
            for key, was in self._handed_out.items()
            if key not in self._changed and dumps({key: self._data[key]}) != was
        }

    def _is_modified(self) -> bool:
        return self._data is not None and bool(
            self._forced or self._replace or self._removed or self._rotated or self._find_changed()
        )

    def _needs_store(self) -> bool:
        """Whether saving would go to the store."""
        if self._data is None:
            return False
        if self._stored:
            return self._is_modified() or self._is_stale()
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
