"""AsyncRedisStore: sessions in Redis, for programs that run on an event loop."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import secrets
import weakref
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from .redis import MERGE, SET, TAKE, UNLOCK, RedisFormat
from .serializer import JSON, Record, Serializer
from .store import DEFAULT_LIFETIME, StoreError


class AsyncRedisStore(RedisFormat):
    """As `RedisStore`, by redis.asyncio: its methods are awaited, and no thread waits for them.

    Both have one format, so some programs of a site may use the one and some the other. Each
    event loop gets connections of its own.

    :param url: ``redis://host:6379/0``, ``rediss://`` for TLS, ``unix:///path``
    :param lifetime: seconds that a session lives after it was last saved or touched
    :param prefix: what the keys begin with; those of several applications must differ
    :param timeout: seconds to wait for a connection, and for an answer
    :raises ImportError: the package redis is not installed
    :raises StoreError: from every method, when the server does not answer in time, or refuses
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        type: builtins.type[Any] | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        prefix: str = "guava:session:",
        timeout: float = 2.0,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer)
        try:
            self._library: Any = importlib.import_module("redis.asyncio")
            self._retry: Any = importlib.import_module("redis.asyncio.retry")
            self._backoff: Any = importlib.import_module("redis.backoff")
        except ImportError:
            raise ImportError(
                "AsyncRedisStore needs redis: pip install guava-session[redis]"
            ) from None
        self._url = url
        self._prefix = prefix
        self._timeout = timeout
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Client] = (
            weakref.WeakKeyDictionary()
        )

    async def close(self) -> None:
        """Close the connections of the loop that runs. The sessions stay."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.redis.aclose()

    # The four.

    async def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid, in place of what was kept before."""
        await self._ask(self._client.set([self._key(sid)], self._arguments(value, (), "all")))

    async def get(self, sid: str) -> Record | None:
        """What is kept for sid, or None."""
        return self._parse(sid, await self._ask(self._client.redis.hgetall(self._key(sid))))

    async def delete(self, sid: str) -> None:
        """Forget sid, if it is there."""
        await self._ask(self._client.redis.delete(self._key(sid)))

    async def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is not None:
            await self.merge(sid, {}, replace=True)
            return
        async for keys in self._scan():
            await self._ask(self._client.redis.unlink(*keys))

    # Atomic versions of the rest.

    async def merge(
        self,
        sid: str,
        changed: Mapping[str, Any],
        removed: Iterable[str] = (),
        *,
        replace: bool = False,
    ) -> bool:
        """Bring changes into what is kept now, atomically; whether sid was still there."""
        arguments = self._arguments(changed, tuple(removed), "keys" if replace else "")
        return bool(await self._ask(self._client.merge([self._key(sid)], arguments)))

    async def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted, atomically; None when there is nothing."""
        return self._parse_flat(sid, await self._ask(self._client.take([self._key(sid)], [])))

    async def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there."""
        key, ttl, redis = self._key(sid), self._ttl(), self._client.redis
        return bool(await self._ask(redis.pexpire(key, ttl) if ttl else redis.exists(key)))

    async def lock(self, sid: str, seconds: float) -> str | None:
        """Take the session's lock for so long, if nobody has it: a word for `unlock`, or None."""
        word, ttl = secrets.token_hex(8), max(int(seconds * 1000), 1)
        taking = self._client.redis.set(self._lock_key(sid), word, px=ttl, nx=True)
        return word if await self._ask(taking) else None

    async def unlock(self, sid: str, word: str) -> None:
        """Give the lock back, if it is still the one of the word."""
        await self._ask(self._client.unlock([self._lock_key(sid)], [word]))

    async def iterate(self) -> AsyncIterator[tuple[str, Record]]:
        """All sessions, each with its key in Redis: the prefix, and the SHA-256 of the id."""
        async for keys in self._scan():
            for key in keys:
                record = self._parse(None, await self._ask(self._client.redis.hgetall(key)))
                if record is not None:
                    yield key.decode(), record

    # Words of Redis.

    async def _ask(self, waiting: Any) -> Any:
        try:
            return await waiting
        except self._library.RedisError as error:
            raise StoreError(f"Redis: {error}") from error

    async def _scan(self) -> AsyncIterator[list[Any]]:
        pattern, cursor = self._pattern(), 0
        while True:
            cursor, keys = await self._ask(self._client.redis.scan(cursor, pattern, 1000))
            if keys:
                yield keys
            if cursor == 0:
                return

    @property
    def _client(self) -> _Client:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = _Client(
                self._library.Redis.from_url(
                    self._url,
                    socket_timeout=self._timeout,
                    socket_connect_timeout=self._timeout,
                    # As RedisStore: no command is sent twice.
                    retry=self._retry.Retry(self._backoff.NoBackoff(), 0),
                )
            )
        return client


class _Client:
    """The connections of one event loop, and the scripts on them."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.set = redis.register_script(SET)
        self.merge = redis.register_script(MERGE)
        self.take = redis.register_script(TAKE)
        self.unlock = redis.register_script(UNLOCK)
