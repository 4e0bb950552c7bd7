"""SessionStore: what every store has, and the base class of a user's own."""

from __future__ import annotations

import builtins
import hashlib
import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Self

from . import _core
from .serializer import JSON, Record, Serializer
from .steps import Steps, adrive, call, drive

#: How long a session lives after it was last saved or used, in seconds: two weeks.
DEFAULT_LIFETIME = 14 * 24 * 3600.0

#: The one key of a record that is the package's own: when the session was made and last saved.
#: It is hidden from the session's mapping. A store keeps it like any other.
RESERVED = "_guava"


class StoreError(OSError):
    """The place where sessions are kept does not answer, or refuses. The cause is chained.

    A session is then neither new nor empty: reading it fails, so that nobody is taken for a
    stranger because a server is down.
    """


def storage_key(sid: str) -> str:
    """Under what a place should keep a session: 64 hexadecimal digits, the SHA-256 of its id.

    Whoever gets to see the place then holds no live cookie.
    """
    return hashlib.sha256(sid.encode("utf-8", "surrogatepass")).hexdigest()


class SessionStore:
    """A mapping from session ids to dicts that outlives a request.

    ``SessionStore(type=Mem)`` and ``SessionStore(type=File, directory=...)`` make a `MemoryStore`
    or a `FileStore`; without a type it is memory. For a place of your own (Redis, memcached, a
    database), derive from it and write four methods:

    - ``set(sid, value)``: keep the dict ``value`` for ``self.lifetime`` seconds;
    - ``get(sid)``: the dict, or None when there is none or it is too old;
    - ``delete(sid)``: forget it; an unknown sid is no error;
    - ``clear(sid=None)``: with a sid empty that session, without one forget them all.

    All four are plain functions, or all four are ``async def``; the store is then `asynchronous`,
    and so is what this class makes of them. ``ASGISessions`` awaits such a store, and where there
    is no event loop one is run for it.

    ``self.serializer`` turns the dict into bytes and back, if the place wants bytes. The other
    methods here are made of these four; a store that can do better (atomically, in one round
    trip) overrides them. `compare_and_set`, `iterate` and `delete_expired` are optional. To see
    whether it does what it must, run `guava_session.testing` over it.
    """

    #: Seconds that a session lives after it was last saved; inf for ever.
    lifetime: float = DEFAULT_LIFETIME
    #: Whether it is on another machine or slow: asynchronous servers then ask it on a thread.
    remote: bool = False
    #: Whether its methods are ``async def``. Seen by the class itself; to be set by hand where
    #: methods that are none return awaitables.
    asynchronous: bool = False
    #: Whether a session is all in its cookie, as in `CookieStore`: it is then sealed, not set.
    stateless: bool = False
    #: What turns records into bytes and back, by two methods.
    serializer: Serializer = JSON

    def __init_subclass__(cls, **options: Any) -> None:
        """See whether the four are ``async def``.

        :raises TypeError: some are and some are not
        """
        super().__init_subclass__(**options)
        if "asynchronous" in vars(cls):
            return
        kinds: dict[bool, list[str]] = {False: [], True: []}
        for name in ("set", "get", "delete", "clear"):
            if _has(cls, name):
                kinds[inspect.iscoroutinefunction(getattr(cls, name))].append(name)
        if kinds[False] and kinds[True]:
            raise TypeError(
                f"{cls.__name__}: {' and '.join(kinds[True])} of the store's methods are async "
                f"def, and {' and '.join(kinds[False])} are not; make all four alike"
            )
        if kinds[True] or kinds[False]:
            cls.asynchronous = bool(kinds[True])

    def __new__(
        cls, *args: Any, type: builtins.type[SessionStore] | None = None, **options: Any
    ) -> Self:
        if cls is not SessionStore:
            return super().__new__(cls)
        if type is None:
            from .memory import MemoryStore

            type = MemoryStore
        if not (isinstance(type, builtins.type) and issubclass(type, SessionStore)):
            raise TypeError(f"type= takes Mem, File or a subclass of SessionStore, not {type!r}")
        if type is SessionStore:
            raise TypeError("type= takes Mem, File or a subclass of SessionStore, not itself")
        return type.__new__(type, *args, **options)  # type: ignore[return-value]

    def __init__(
        self,
        *args: Any,
        type: builtins.type[SessionStore] | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        **options: Any,
    ) -> None:
        """Keep lifetime (seconds, more than 0) and serializer.

        A subclass may hand all its arguments on: what is not known here is left alone.
        """
        if not lifetime > 0:
            raise ValueError(f"lifetime must be more than 0 seconds, not {lifetime!r}")
        self.lifetime = lifetime
        self.serializer = serializer

    # The four that a store must have. What they return is said by the texts and not by the types,
    # because it is that, or the awaitable of it.

    def set(self, sid: str, value: Mapping[str, Any]) -> Any:
        """Keep value for sid, in place of what was kept before."""
        raise NotImplementedError(f"{builtins.type(self).__name__} has no set(sid, value)")

    def get(self, sid: str) -> Any:
        """What is kept for sid, the caller's to change; None when there is nothing."""
        raise NotImplementedError(f"{builtins.type(self).__name__} has no get(sid)")

    def delete(self, sid: str) -> Any:
        """Forget sid. The id is invalid at once."""
        raise NotImplementedError(f"{builtins.type(self).__name__} has no delete(sid)")

    def clear(self, sid: str | None = None) -> Any:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        raise NotImplementedError(f"{builtins.type(self).__name__} has no clear(sid=None)")

    # Ids.

    @property
    def users(self) -> SessionStore | None:
        """Where it is kept since when a user's sessions are valid: here. See `Session.bind`."""
        return self

    @property
    def awaited(self) -> bool:
        """Whether sessions of it are waited for on an event loop: it, or where it remembers
        users, is `remote` or `asynchronous`."""
        users = self.users
        return (
            self.remote
            or self.asynchronous
            or (users is not None and users is not self and (users.remote or users.asynchronous))
        )

    def generate_id(self) -> str:
        """A new id; see `guava_session.generate_id`."""
        return _core.generate_id()

    def is_id(self, value: object) -> bool:
        """Whether value has the shape of this store's ids. Others never reach the store."""
        return _core.is_id(value)

    # Made of the four; overridden where the place can do it atomically.

    def merge(
        self,
        sid: str,
        changed: Mapping[str, Any],
        removed: Iterable[str] = (),
        *,
        replace: bool = False,
    ) -> Any:
        """Bring one request's changes into what is kept now; whether sid was still there.

        Keys that the request did not touch keep the values that parallel requests gave them;
        for a key that several changed, the last one wins. With replace, keys that are not in
        changed go. A session that was deleted meanwhile stays deleted: logging out wins.

        This default reads and then writes. If the store has `compare_and_set`, it does so until
        nobody came in between; if not, an update that another process makes between the two
        is lost.
        """
        return self._run(self._merging(sid, changed, tuple(removed), replace))

    def take(self, sid: str) -> Any:
        """What is kept for sid, which is deleted; None when there is nothing."""
        return self._run(self._taking(sid))

    def touch(self, sid: str) -> Any:
        """Let sid live for another lifetime from now; whether it was there."""
        return self.merge(sid, {})

    def _merging(
        self, sid: str, changed: Mapping[str, Any], removed: tuple[str, ...], replace: bool
    ) -> Steps[bool]:
        while record := (yield self, partial(self.get, sid)):
            new = merged(dict(record), changed, removed, replace)
            if not _has(type(self), "compare_and_set"):
                yield self, partial(self.set, sid, new)
                return True
            if (yield self, partial(self.compare_and_set, sid, record, new)):
                return True
        return False

    def _taking(self, sid: str) -> Steps[Record | None]:
        record: Record | None = yield self, partial(self.get, sid)
        if record:
            yield self, partial(self.delete, sid)
        return record

    def _run(self, steps: Steps[Any]) -> Any:
        return adrive(steps) if self.asynchronous else drive(steps)

    def seal(self, record: Mapping[str, Any]) -> str:
        """What a visitor's cookie holds in a store that is `stateless`."""
        raise NotImplementedError(f"{builtins.type(self).__name__} keeps sessions; it seals none")

    # What a store may have besides.

    def compare_and_set(self, sid: str, old: Record, new: Record) -> Any:
        """Keep new for sid if what is kept is still old, atomically; whether it was.

        Optional: the base class has none.
        """
        raise NotImplementedError(f"{builtins.type(self).__name__} has no compare_and_set()")

    def iterate(self) -> Any:
        """All sessions that have not expired: pairs of the place's key for one, and the record.

        The key is no id, and of no use to a visitor, in stores that keep ids hashed. What changes
        meanwhile may be missed or seen. Optional: the base class has none.
        """
        raise NotImplementedError(f"{builtins.type(self).__name__} has no iterate()")

    def delete_expired(self, limit: int | None = None) -> Any:
        """Remove sessions that have expired, at most limit of them; how many were removed.

        Nobody needs to call it: stores do it bit by bit while they are used, or the place does it
        by itself. Optional: the base class has none.
        """
        raise NotImplementedError(f"{builtins.type(self).__name__} has no delete_expired()")

    def lock(self, sid: str, seconds: float) -> Any:
        """Take the lock of a session for so long, if nobody has it: a word for `unlock`, or None.

        It must be free again by itself after that time, or when its holder dies. For
        ``SessionManager(lock=True)``. Optional: the base class has none.
        """
        raise NotImplementedError(f"{builtins.type(self).__name__} has no lock()")

    def unlock(self, sid: str, word: Any) -> Any:
        """Give a lock back, which may have passed to somebody else meanwhile: then nothing."""
        raise NotImplementedError(f"{builtins.type(self).__name__} has no unlock()")

    def close(self) -> Any:
        """Give back what the store holds open. Closing twice is no error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.asynchronous:
            drive(call(self, self.close), "use async with")
        else:
            self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await adrive(call(self, self.close))


def _has(store: type[SessionStore], name: str) -> bool:
    """Whether a store has a method of its own."""
    return getattr(store, name) is not getattr(SessionStore, name)


def merged(
    record: Record, changed: Mapping[str, Any], removed: Iterable[str], replace: bool
) -> Record:
    """A record with the changes of one request in it; record itself may be used for it."""
    if replace:
        record = {RESERVED: record[RESERVED]} if RESERVED in record else {}
    for key in removed:
        record.pop(key, None)
    record.update(changed)
    return record
