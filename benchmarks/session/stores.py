"""The stores, and dicts as the limit: each operation, called as a request would."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guava_session import (
    FileStore,
    JSONSerializer,
    MemcachedStore,
    MemoryStore,
    RedisStore,
    SessionStore,
    SQLAlchemyStore,
    SQLiteStore,
    generate_id,
)

from benchmarks.common.errors import CannotRun
from benchmarks.session.record import copied, record
from benchmarks.session.servers import memcached, redis


class Dicts(SessionStore):
    """A plain dict as a store: the limit."""

    def __init__(self, copy: Callable[[Any], Any]) -> None:
        super().__init__()
        self.copy, self.kept = copy, dict[str, Any]()

    def set(self, sid: str, value: Any) -> None:
        self.kept[sid] = self.copy(value)

    def get(self, sid: str) -> Any:
        value = self.kept.get(sid)
        return None if value is None else self.copy(value)

    def delete(self, sid: str) -> None:
        self.kept.pop(sid, None)

    def clear(self, sid: str | None = None) -> None:
        self.kept.clear()

    def touch(self, sid: str) -> bool:
        return sid in self.kept


def make(key: str, stack: contextlib.ExitStack, folder: Path) -> SessionStore:
    """A store by its key. Raises CannotRun."""
    if key == "memory":
        return MemoryStore()
    if key == "memory-json":
        return MemoryStore(serializer=JSONSerializer())
    if key == "dict-copied":
        return Dicts(copied)
    if key == "dict-shallow":
        return Dicts(dict)
    if key == "file":
        return FileStore(folder / "ours")
    if key == "sqlite":
        return SQLiteStore(folder / "ours.sqlite")
    try:
        if key == "redis":
            return RedisStore(f"redis://127.0.0.1:{redis(stack, folder)}/0")
        if key == "memcached":
            return MemcachedStore(f"127.0.0.1:{memcached(stack)}")
        if key == "sqlalchemy":
            return SQLAlchemyStore(f"sqlite:///{folder}/alchemy.sqlite")
    except ImportError as error:
        raise CannotRun(str(error)) from None
    raise ValueError(key)


KEYS = {
    "memory": "guava: memory",
    "dict-copied": "a dict, copied in Python",
    "dict-shallow": "a dict, dict() of each: shares inner lists",
    "memory-json": "guava: memory, with JSON",
    "file": "guava: files",
    "sqlite": "guava: SQLite",
    "redis": "guava: Redis",
    "memcached": "guava: memcached",
    "sqlalchemy": "guava: SQLAlchemy, on SQLite",
}


def operations(store: SessionStore) -> dict[str, Callable[[int], None]]:
    """By its name, what does an operation so often."""
    sids = [generate_id() for _ in range(100)]
    for number, sid in enumerate(sids):
        store.set(sid, record(number))
    value, count = record(), len(sids)
    assert store.get(sids[1]) == record(1)

    def get(times: int) -> None:
        for number in range(times):
            store.get(sids[number % count])

    def set_(times: int) -> None:
        for number in range(times):
            store.set(sids[number % count], value)

    def touch(times: int) -> None:
        for number in range(times):
            store.touch(sids[number % count])

    return {"get": get, "set": set_, "touch": touch}
