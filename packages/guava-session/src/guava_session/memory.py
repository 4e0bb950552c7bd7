"""MemoryStore: sessions in this process, gone when it ends."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ._core import Table
from .locks import Locks
from .serializer import JSON, Record, Serializer
from .store import DEFAULT_LIFETIME, RESERVED, SessionStore, merged
from .values import SHARED


def _plain(record: Mapping[str, Any]) -> Record:
    """The record as JSON gives it back, for what the table does not copy itself; or JSON's own
    error, which names the key at fault."""
    return JSON.loads(JSON.dumps(record))


class MemoryStore(SessionStore):
    """Sessions in the memory of this process, for one process and for tests.

    Values are copied on their way in and out, so that no two requests ever share a list or a
    dict; what comes out is what JSON would give back. With a serializer its bytes are kept: that
    is slower, and takes a fraction of the memory.

    It never grows beyond its limits: expired sessions go a few at a time as new ones come, and
    when that is not enough, the ones least recently used. All methods may be called from any
    thread.

    :param lifetime: seconds that a session lives after it was last saved or touched
    :param serializer: None: keep copies of the values and no bytes
    :param max_entries: how many sessions to keep at most
    :param max_bytes: how much memory they may take in all
    :param clock: seconds, as a callable; by default a system clock that is never set back
    :raises ValueError: for a lifetime or a limit that is not more than 0
    """

    def __init__(
        self,
        *,
        type: builtins.type[SessionStore] | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer | None = None,
        max_entries: int = 100_000,
        max_bytes: int = 256 << 20,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer or JSON)
        self._serialized = serializer is not None
        if self._serialized:
            self._table = Table(max_entries, max_bytes, clock)
        else:
            self._table = Table(max_entries, max_bytes, clock, _plain, SHARED)
        self._locks = Locks()

    def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid.

        :raises TypeError: naming the key that cannot be stored
        :raises ValueError: for a value larger than max_bytes, or an id of more than 256 bytes
        """
        if self._serialized:
            value = self.serializer.dumps(value)  # type: ignore[assignment]
        self._table.set(sid, value, self.lifetime)

    def get(self, sid: str) -> Record | None:
        """A fresh copy of what is kept for sid, or None."""
        kept: Any = self._table.get(sid)
        return self.serializer.loads(kept) if self._serialized and kept is not None else kept

    def delete(self, sid: str) -> None:
        """Forget sid, if it is there."""
        self._table.discard(sid)

    def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is None:
            self._table.clear()
        else:
            self.merge(sid, {}, replace=True)

    def merge(
        self,
        sid: str,
        changed: Mapping[str, Any],
        removed: Iterable[str] = (),
        *,
        replace: bool = False,
    ) -> bool:
        """Bring changes into what is kept now, atomically; whether sid was still there."""
        removed, table = tuple(removed), self._table
        if not self._serialized:
            return table.merge(sid, changed, removed, RESERVED if replace else None, self.lifetime)
        dumps, loads = self.serializer.dumps, self.serializer.loads
        while (old := table.get(sid)) is not None:
            record = merged(loads(old), changed, removed, replace)
            # Another thread may have stored something in between: then again with that.
            if table.replace(sid, old, dumps(record), self.lifetime):
                return True
        return False

    def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted, atomically; None when there is nothing."""
        kept: Any = self._table.pop(sid)
        return self.serializer.loads(kept) if self._serialized and kept is not None else kept

    def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there."""
        return self._table.touch(sid, self.lifetime)

    def compare_and_set(self, sid: str, old: Record, new: Record) -> bool:
        """Keep new for sid if what is kept is still old, atomically; whether it was."""
        table = self._table
        if not self._serialized:
            return table.compare_and_set(sid, old, new, self.lifetime)
        dumps, loads = self.serializer.dumps, self.serializer.loads
        while (data := table.get(sid)) is not None:
            if dumps(loads(data)) != dumps(old):
                return False
            if table.replace(sid, data, dumps(new), self.lifetime):
                return True
        return False

    def delete_expired(self, limit: int | None = None) -> int:
        """Remove sessions that have expired; how many were removed.

        :param limit: how many entries to look at, at most; None: all of them
        """
        return self._table.expire(len(self._table) if limit is None else limit)

    def lock(self, sid: str, seconds: float) -> str | None:
        """Take the session's lock for so long, if nobody has it: a word for `unlock`, or None."""
        return self._locks.take(sid, seconds)

    def unlock(self, sid: str, word: str) -> None:
        """Give the lock back."""
        self._locks.give(sid, word)

    def __len__(self) -> int:
        """How many sessions are held, those included that expired and were not yet dropped."""
        return len(self._table)

    def __bool__(self) -> bool:
        return True  # an empty store is a store

    def stats(self) -> dict[str, int]:
        """Counts for a monitor: entries, bytes, and how many were ever evicted or expired."""
        table = self._table
        return {
            "entries": len(table),
            "bytes": table.memory,
            "evicted": table.evicted,
            "expired": table.expired,
        }
