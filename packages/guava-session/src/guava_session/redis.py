"""RedisStore: sessions in Redis or Valkey, shared by all processes of all machines."""

from __future__ import annotations

import builtins
import importlib
import math
import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from .serializer import JSON, Record, Serializer
from .session import log
from .store import DEFAULT_LIFETIME, SessionStore, StoreError, storage_key

#: A field that every session has, so that an empty one is not nothing.
_HERE = b""

# A session is a hash, a field for each key: so a merge writes what changed and reads nothing.
# KEYS[1]; ARGV: milliseconds to live (0: for ever), "all" to replace everything, "keys" to replace
# what is the user's, the number of fields to remove, these, then fields and values in turn.
_WRITE = """
local function write()
    local removed = tonumber(ARGV[3])
    if ARGV[2] ~= '' then
        local own = redis.call('HGET', KEYS[1], '._guava')
        redis.call('DEL', KEYS[1])
        if own and ARGV[2] == 'keys' then redis.call('HSET', KEYS[1], '._guava', own) end
    end
    redis.call('HSET', KEYS[1], '', '')
    for i = 4, 3 + removed do redis.call('HDEL', KEYS[1], ARGV[i]) end
    for i = 4 + removed, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
    if ARGV[1] == '0' then redis.call('PERSIST', KEYS[1])
    else redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
    return 1
end
"""
SET = _WRITE + "return write()"
MERGE = _WRITE + "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end return write()"
TAKE = """
local found = redis.call('HGETALL', KEYS[1])
redis.call('DEL', KEYS[1])
return found
"""


UNLOCK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RedisFormat(SessionStore):
    """How a session lies in Redis, for `RedisStore` and `AsyncRedisStore`, which may share one."""

    remote = True
    _prefix: str

    def _key(self, sid: str) -> str:
        return self._prefix + storage_key(sid)

    def _lock_key(self, sid: str) -> str:
        return f"lock:{self._key(sid)}"  # not behind the prefix, where it would be a session

    def _ttl(self) -> int:
        if math.isinf(self.lifetime):
            return 0
        return max(int(self.lifetime * 1000), 1)

    def _pattern(self) -> str:
        return "".join(f"\\{c}" if c in "*?[]\\" else c for c in self._prefix) + "*"

    def _arguments(
        self, changed: Mapping[str, Any], removed: tuple[str, ...], replace: str
    ) -> list[Any]:
        words: list[Any] = [self._ttl(), replace, len(removed), *map(_field, removed)]
        for key, value in changed.items():
            words += [_field(key), self.serializer.dumps({key: value})]
        return words

    def _parse_flat(self, sid: str, flat: list[Any]) -> Record | None:
        return self._parse(sid, dict(zip(flat[::2], flat[1::2], strict=True)))

    def _parse(self, sid: str | None, found: Mapping[Any, Any]) -> Record | None:
        if not found:
            return None
        record: Record = {}
        try:
            for name, data in found.items():
                if name not in (_HERE, ""):
                    record.update(self.serializer.loads(_bytes(data)))
        except (ValueError, TypeError) as error:
            key = "a session" if sid is None else f"the session {storage_key(sid)}"
            log.warning("%s in Redis does not suit the serializer (%s); it is none", key, error)
            return None
        return record


class RedisStore(RedisFormat):
    """Sessions in a Redis server (4 or newer) or Valkey, by the package redis.

    Each is a hash under ``prefix`` and the SHA-256 of its id, which the server itself forgets
    after the lifetime. merge(), take() and touch() are one round trip each, and atomic. A
    connection that broke while nobody used it is made anew. No command is sent twice: the server
    may have done what it did not answer, and a session that was taken would then be none.

    :param url: ``redis://host:6379/0``, ``rediss://`` for TLS, ``unix:///path``; or a
        `redis.Redis` of yours, with time-outs of its own; give it ``retry=Retry(NoBackoff(), 0)``
    :param lifetime: seconds that a session lives after it was last saved or touched
    :param prefix: what the keys begin with; those of several applications must differ
    :param timeout: seconds to wait for a connection, and for an answer
    :raises ImportError: the package redis is not installed
    :raises StoreError: from every method, when the server does not answer in time, or refuses
    """

    def __init__(
        self,
        url: Any = "redis://127.0.0.1:6379/0",
        *,
        type: builtins.type[SessionStore] | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        prefix: str = "guava:session:",
        timeout: float = 2.0,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer)
        try:
            redis: Any = importlib.import_module("redis")
            retry: Any = importlib.import_module("redis.retry")
            backoff: Any = importlib.import_module("redis.backoff")
        except ImportError:
            raise ImportError("RedisStore needs redis: pip install guava-session[redis]") from None
        if isinstance(url, str):
            url = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                # Its pool looks whether the server has closed a connection before it lends it.
                retry=retry.Retry(backoff.NoBackoff(), 0),
            )
        self._redis = url
        self._error: builtins.type[Exception] = redis.RedisError
        self._prefix = prefix
        self._set = url.register_script(SET)
        self._merge = url.register_script(MERGE)
        self._take = url.register_script(TAKE)
        self._unlock = url.register_script(UNLOCK)

    def close(self) -> None:
        """Close the connections. The sessions stay."""
        self._redis.close()

    # The four.

    def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid, in place of what was kept before."""
        self._ask(self._set, [self._key(sid)], self._arguments(value, (), "all"))

    def get(self, sid: str) -> Record | None:
        """What is kept for sid, or None."""
        return self._parse(sid, self._ask(self._redis.hgetall, self._key(sid)))

    def delete(self, sid: str) -> None:
        """Forget sid, if it is there."""
        self._ask(self._redis.delete, self._key(sid))

    def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is not None:
            self.merge(sid, {}, replace=True)
            return
        for keys in self._scan():
            self._ask(self._redis.unlink, *keys)

    # Atomic versions of the rest.

    def merge(
        self,
        sid: str,
        changed: Mapping[str, Any],
        removed: Iterable[str] = (),
        *,
        replace: bool = False,
    ) -> bool:
        """Bring changes into what is kept now, atomically; whether sid was still there."""
        arguments = self._arguments(changed, tuple(removed), "keys" if replace else "")
        return bool(self._ask(self._merge, [self._key(sid)], arguments))

    def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted, atomically; None when there is nothing."""
        return self._parse_flat(sid, self._ask(self._take, [self._key(sid)], []))

    def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there."""
        key, ttl = self._key(sid), self._ttl()
        if ttl == 0:
            return bool(self._ask(self._redis.exists, key))
        return bool(self._ask(self._redis.pexpire, key, ttl))

    def lock(self, sid: str, seconds: float) -> str | None:
        """Take the session's lock for so long, if nobody has it: a word for `unlock`, or None."""
        word = secrets.token_hex(8)
        key, ttl = self._lock_key(sid), max(int(seconds * 1000), 1)
        return word if self._ask(partial(self._redis.set, key, word, px=ttl, nx=True)) else None

    def unlock(self, sid: str, word: str) -> None:
        """Give the lock back, if it is still the one of the word."""
        self._ask(self._unlock, [self._lock_key(sid)], [word])

    def iterate(self) -> Iterator[tuple[str, Record]]:
        """All sessions, each with its key in Redis: the prefix, and the SHA-256 of the id."""
        for keys in self._scan():
            for key in keys:
                record = self._parse(None, self._ask(self._redis.hgetall, key))
                if record is not None:
                    yield key.decode() if isinstance(key, bytes) else key, record

    # Words of Redis.

    def _ask(self, command: Any, *arguments: Any) -> Any:
        try:
            return command(*arguments)
        except self._error as error:
            raise StoreError(f"Redis: {error}") from error

    def _scan(self) -> Iterator[list[Any]]:
        pattern = self._pattern()
        cursor: Any = 0
        while True:
            cursor, keys = self._ask(self._redis.scan, cursor, pattern, 1000)
            if keys:
                yield keys
            if cursor == 0:
                return


def _field(key: str) -> bytes:
    # The empty field is taken.
    return b"." + key.encode("utf-8", "surrogatepass")


def _bytes(data: Any) -> bytes:
    # A client with decode_responses=True gives text.
    return data.encode() if isinstance(data, str) else data
