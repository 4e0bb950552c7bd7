"""LayeredStore: memory in front of a store that is far away."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from .memory import MemoryStore
from .serializer import Record
from .session import log
from .steps import Steps
from .store import SessionStore, StoreError

_READ, _AT = "record", "at"


class LayeredStore(SessionStore):
    """Reads are answered from this process' memory for a few seconds; all writes go to the back.

    So a page with many requests asks the back once. What another process writes or deletes, a
    sign-out among it, is seen here up to `fresh` seconds later; what this process does, at once.

    With `stale_if_down` a session that was read lately is still readable while the back is down:
    visitors stay signed in, and only saving fails (`Session.save_error`). Without it reading
    fails, too, with a `StoreError`. Nobody is taken for a new visitor because the back is down.

    :param back: the store that keeps the sessions; its lifetime and serializer are used. If it is
        asynchronous, so is this one
    :param fresh: seconds for which a copy counts as what the back has
    :param stale_if_down: seconds for which a copy is used when the back does not answer; 0: never
    :param max_entries: how many copies to keep at most
    :param max_bytes: how much memory they may take in all
    :param clock: seconds, as a callable that is never set back
    :raises ValueError: for a time that is less than 0, or a limit that is not more than 0
    """

    def __init__(
        self,
        back: SessionStore,
        *,
        type: builtins.type[SessionStore] | None = None,
        fresh: float = 5.0,
        stale_if_down: float = 0.0,
        max_entries: int = 100_000,
        max_bytes: int = 64 << 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, seconds in (("fresh", fresh), ("stale_if_down", stale_if_down)):
            if not seconds >= 0:
                raise ValueError(f"{name} must be at least 0 seconds, not {seconds!r}")
        if back.stateless:
            raise ValueError("sessions in cookies are read from nowhere: they need no copies")
        super().__init__(lifetime=back.lifetime, serializer=back.serializer)
        self.back = back
        self.remote = back.remote
        self.asynchronous = back.asynchronous
        self._fresh = fresh
        self._stale = stale_if_down
        self._clock = clock
        self._front = MemoryStore(
            lifetime=max(fresh, stale_if_down, 1e-3),
            serializer=back.serializer,
            max_entries=max_entries,
            max_bytes=max_bytes,
            clock=clock,
        )

    def close(self) -> Any:
        """Close the back, and forget the copies."""
        self._front.clear()
        return self.back.close()

    def generate_id(self) -> str:
        """A new id of the back's."""
        return self.back.generate_id()

    def is_id(self, value: object) -> bool:
        """Whether value has the shape of the back's ids."""
        return self.back.is_id(value)

    def get(self, sid: str) -> Any:
        """What is kept for sid, or was a moment ago; None when there is nothing."""
        copy = self._front.get(sid)
        if copy is not None and not self.asynchronous and self._is_fresh(copy):
            return _record(copy)
        return self._run(self._getting(sid, copy))

    def set(self, sid: str, value: Mapping[str, Any]) -> Any:
        """Keep value for sid, in place of what was kept before."""
        return self._run(self._setting(sid, value))

    def delete(self, sid: str) -> Any:
        """Forget sid."""
        return self._run(self._around(sid, partial(self.back.delete, sid)))

    def clear(self, sid: str | None = None) -> Any:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        return self._run(self._around(sid, partial(self.back.clear, sid)))

    def merge(
        self,
        sid: str,
        changed: Mapping[str, Any],
        removed: Iterable[str] = (),
        *,
        replace: bool = False,
    ) -> Any:
        """Bring changes into what the back keeps now, as it does; whether sid was still there."""
        merge = partial(self.back.merge, sid, changed, removed, replace=replace)
        return self._run(self._around(sid, merge))

    def take(self, sid: str) -> Any:
        """What is kept for sid, which is deleted; None when there is nothing."""
        return self._run(self._around(sid, partial(self.back.take, sid)))

    def touch(self, sid: str) -> Any:
        """Let sid live for another lifetime from now; whether it was there."""
        return self.back.touch(sid)

    def lock(self, sid: str, seconds: float) -> Any:
        """As the back's. What is read under a lock is the back's, too, and no copy."""
        return self._run(self._around(sid, partial(self.back.lock, sid, seconds)))

    def unlock(self, sid: str, word: Any) -> Any:
        """As the back's."""
        return self.back.unlock(sid, word)

    def iterate(self) -> Any:
        """As the back's."""
        return self.back.iterate()

    def delete_expired(self, limit: int | None = None) -> Any:
        """As the back's."""
        return self.back.delete_expired(limit)

    def _is_fresh(self, copy: Record) -> bool:
        fresh: bool = self._clock() - copy[_AT] < self._fresh
        return fresh

    def _getting(self, sid: str, copy: Record | None) -> Steps[Record | None]:
        if copy is not None and self._is_fresh(copy):
            return _record(copy)
        try:
            record: Record | None = yield self.back, partial(self.back.get, sid)
        except StoreError:
            if copy is None or self._clock() - copy[_AT] >= self._stale:
                raise
            log.warning("the store of sessions is down; a copy is used", exc_info=True)
            return _record(copy)
        if record is None:
            self._front.delete(sid)
        else:
            self._front.set(sid, {_READ: dict(record), _AT: self._clock()})
        return record

    def _setting(self, sid: str, value: Mapping[str, Any]) -> Steps[None]:
        self._front.delete(sid)
        yield self.back, partial(self.back.set, sid, value)
        self._front.set(sid, {_READ: dict(value), _AT: self._clock()})

    def _around(self, sid: str | None, call: Callable[[], Any]) -> Steps[Any]:
        """A call that changes what the back has, and the copies that go."""
        # Before, so that what is changed in part is never seen; after, because another thread may
        # have read the old one meanwhile.
        self._forget(sid)
        try:
            return (yield self.back, call)
        finally:
            self._forget(sid)

    def _forget(self, sid: str | None) -> None:
        if sid is None:
            self._front.clear()
        else:
            self._front.delete(sid)


def _record(copy: Record) -> Record:
    record: Record = copy[_READ]
    return record
