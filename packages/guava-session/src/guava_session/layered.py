"""LayeredStore: memory in front of a store that is far away."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .memory import MemoryStore
from .serializer import Record
from .session import log
from .store import SessionStore, StoreError

_READ, _AT = "record", "at"


class LayeredStore(SessionStore):
    """Reads are answered from this process' memory for a few seconds; all writes go to the back.

    So a page with many requests asks the back once. What another process writes or deletes, a
    sign-out among it, is seen here up to `fresh` seconds later; what this process does, at once.

    With `stale_if_down` a session that was read lately is still readable while the back is down:
    visitors stay signed in, and only saving fails (`Session.save_error`). Without it reading
    fails, too, with a `StoreError`. Nobody is taken for a new visitor because the back is down.

    :param back: the store that keeps the sessions; its lifetime and serializer are used
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

    def close(self) -> None:
        """Close the back, and forget the copies."""
        self._front.clear()
        self.back.close()

    def generate_id(self) -> str:
        """A new id of the back's."""
        return self.back.generate_id()

    def is_id(self, value: object) -> bool:
        """Whether value has the shape of the back's ids."""
        return self.back.is_id(value)

    def get(self, sid: str) -> Record | None:
        """What is kept for sid, or was a moment ago; None when there is nothing."""
        copy = self._front.get(sid)
        if copy is not None and self._clock() - copy[_AT] < self._fresh:
            return _record(copy)
        try:
            record = self.back.get(sid)
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

    def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid, in place of what was kept before."""
        self._front.delete(sid)
        self.back.set(sid, value)
        self._front.set(sid, {_READ: dict(value), _AT: self._clock()})

    def delete(self, sid: str) -> None:
        """Forget sid."""
        self._front.delete(sid)
        self.back.delete(sid)

    def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is None:
            self._front.clear()
        else:
            self._front.delete(sid)
        self.back.clear(sid)

    def merge(
        self,
        sid: str,
        changed: Mapping[str, Any],
        removed: Iterable[str] = (),
        *,
        replace: bool = False,
    ) -> bool:
        """Bring changes into what the back keeps now, as it does; whether sid was still there."""
        # Before, so that what is changed in part is never seen; after, because another thread may
        # have read the old one meanwhile.
        self._front.delete(sid)
        try:
            return self.back.merge(sid, changed, removed, replace=replace)
        finally:
            self._front.delete(sid)

    def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted; None when there is nothing."""
        self._front.delete(sid)
        try:
            return self.back.take(sid)
        finally:
            self._front.delete(sid)

    def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there."""
        return self.back.touch(sid)

    def iterate(self) -> Iterator[tuple[str, Record]]:
        """As the back's."""
        return self.back.iterate()

    def delete_expired(self, limit: int | None = None) -> int:
        """As the back's."""
        return self.back.delete_expired(limit)


def _record(copy: Record) -> Record:
    record: Record = copy[_READ]
    return record
