"""MemcachedStore: sessions in memcached, shared by all processes of all machines."""

from __future__ import annotations

import builtins
import importlib
import math
import os
import secrets
import select
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .life import log
from .serializer import JSON, Record, Serializer
from .store import DEFAULT_LIFETIME, SessionStore, StoreError, merged, storage_key

#: Of a value: the generation that it belongs to, and milliseconds since 1970 when it expires.
_HEAD = struct.Struct(">8sq")
_FOREVER = 2**63 - 1

#: memcached takes larger times to live for points in time, in seconds since 1970.
_MONTH = 30 * 24 * 3600

#: memcached keeps times in 32 bits; what lives beyond that expires by its own head alone.
_END_OF_TIME = 2**31 - 1

#: Seconds for which a session that was taken stays as nothing, so that only one has taken it.
_TOMB = 5

#: Connections that are kept open while nobody uses them.
_IDLE = 8

#: How often a merge tries, when others come in between each time.
_TRIES = 100


class MemcachedStore(SessionStore):
    """Sessions in one memcached server (1.4 or newer), by the package pymemcache.

    memcached forgets what was not used for the longest time when its memory is full, and all of it
    when it restarts: visitors are then signed out. For sessions that must not get lost use another
    store. Each lies under the prefix and the SHA-256 of its id, with its own expiry in it; the
    server forgets it some seconds later. merge() and take() compare and set, and lose nothing.

    Several servers are not one store: when one of them is down its sessions would be looked for on
    the others, and not be found.

    :param server: ``host:port``, or the path of a unix socket
    :param lifetime: seconds that a session lives after it was last saved or touched
    :param prefix: what the keys begin with; those of several applications must differ
    :param timeout: seconds to wait for a connection, and for an answer
    :param max_value_bytes: the largest session, serialized; the server has such a limit (its
        option -I), of 1 MiB
    :param clock: seconds since 1970, as a callable
    :raises ImportError: the package pymemcache is not installed
    :raises ValueError: for a server or prefix that cannot be one
    :raises StoreError: from every method, when the server does not answer in time, or refuses
    """

    remote = True

    def __init__(
        self,
        server: str = "127.0.0.1:11211",
        *,
        type: builtins.type[SessionStore] | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        prefix: str = "guava:session:",
        timeout: float = 2.0,
        max_value_bytes: int = (1 << 20) - 1024,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer)
        try:
            client: Any = importlib.import_module("pymemcache.client.base")
            problems: Any = importlib.import_module("pymemcache.exceptions")
        except ImportError:
            raise ImportError(
                "MemcachedStore needs pymemcache: pip install guava-session[memcached]"
            ) from None
        if not prefix.isascii() or len(prefix) > 150 or any(c <= " " for c in prefix):
            raise ValueError(
                f"prefix must be at most 150 ASCII characters without spaces, not {prefix!r}"
            )
        self._server = _address(server)
        self._connect = client.Client
        self._problems = (problems.MemcacheError, OSError)
        self._refused = problems.MemcacheServerError
        self._broken = (problems.MemcacheUnexpectedCloseError, ConnectionError)
        self._prefix = prefix
        self._timeout = timeout
        self._max_value_bytes = max_value_bytes
        self._clock = clock
        self._mutex = threading.Lock()
        self._idle: list[Any] = []
        self._pid = os.getpid()

    def close(self) -> None:
        """Close the connections. The sessions stay."""
        self._forget()

    # The four.

    def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid, in place of what was kept before.

        :raises ValueError: for a session that is too large, naming its largest key
        """
        payload = self._dump(value)
        blob = self._head(self._generation()) + payload
        self._ask("set", self._key(sid), blob, expire=self._ttl(), noreply=False)

    def get(self, sid: str) -> Record | None:
        """What is kept for sid, or None."""
        return self._find(sid)[0]

    def delete(self, sid: str) -> None:
        """Forget sid, if it is there."""
        self._ask("delete", self._key(sid), noreply=False)

    def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is not None:
            self.merge(sid, {}, replace=True)
            return
        # Those of before are of another generation. The server forgets them when it needs room.
        self._ask("set", self._generation_key, secrets.token_bytes(8), noreply=False)

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
        removed = tuple(removed)
        for _ in range(_TRIES):
            record, generation, word = self._find(sid)
            if record is None:
                return False
            new = self._dump(merged(record, changed, removed, replace))
            done = self._swap(sid, self._head(generation) + new, word, self._ttl())
            if done is not False:
                return bool(done)
        raise StoreError("memcached: others changed this session all the time; it was not saved")

    def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted, atomically; None when there is nothing."""
        for _ in range(_TRIES):
            record, generation, word = self._find(sid)
            if record is None:
                return None
            done = self._swap(sid, _HEAD.pack(generation, 0), word, _TOMB)
            if done is not False:
                return record if done else None
        raise StoreError("memcached: others changed this session all the time; it was not moved")

    def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there."""
        return self.merge(sid, {})

    def compare_and_set(self, sid: str, old: Record, new: Record) -> bool:
        """Keep new for sid if what is kept is still old, atomically; whether it was."""
        record, generation, word = self._find(sid)
        if record is None or self.serializer.dumps(record) != self.serializer.dumps(old):
            return False
        blob = self._head(generation) + self._dump(new)
        return bool(self._swap(sid, blob, word, self._ttl()))

    def lock(self, sid: str, seconds: float) -> str | None:
        """Take the session's lock for so long, if nobody has it: a word for `unlock`, or None."""
        word = secrets.token_hex(8)
        expire = max(math.ceil(seconds), 1)
        key = f"lock:{self._key(sid)}"
        taken = self._ask("add", key, word.encode(), expire=expire, noreply=False)
        return word if taken else None

    def unlock(self, sid: str, word: str) -> None:
        """Give the lock back, if it is still the one of the word."""
        key = f"lock:{self._key(sid)}"
        found, cas = self._ask("gets", key)
        if found == word.encode():
            self._ask("cas", key, b"", cas, expire=-1, noreply=False)

    # What lies there.

    def _find(self, sid: str) -> tuple[Record | None, bytes, Any]:
        """What is kept, the generation of now, and the word for `_swap`."""
        key = self._key(sid)
        found = self._ask("gets_many", [self._generation_key, key])
        generation = found.get(self._generation_key, (b"", None))[0]
        if len(generation) != 8:
            # Nobody has set it yet, or the server has lost it: what is there belongs to none.
            return None, self._generation(), None
        blob, word = found.get(key, (b"", None))
        if len(blob) < _HEAD.size:
            return None, generation, None
        of, expires = _HEAD.unpack_from(blob)
        if of != generation or expires <= self._clock() * 1000:
            return None, generation, None
        try:
            return self.serializer.loads(blob[_HEAD.size :]), generation, word
        except (ValueError, TypeError) as error:
            log.warning(
                "the session %s in memcached does not suit the serializer (%s); it is none",
                storage_key(sid),
                error,
            )
            return None, generation, None

    def _swap(self, sid: str, blob: bytes, word: Any, expire: int) -> bool | None:
        """Whether it is there now; False: somebody came in between, None: it is gone."""
        done: bool | None = self._ask(
            "cas", self._key(sid), blob, word, expire=expire, noreply=False
        )
        return done

    def _dump(self, value: Mapping[str, Any]) -> bytes:
        data = self.serializer.dumps(value)
        if len(data) > self._max_value_bytes:
            sizes = {key: len(self.serializer.dumps({key: part})) for key, part in value.items()}
            largest = max(sizes, key=sizes.__getitem__)
            raise ValueError(
                f"a session of {len(data)} bytes is more than max_value_bytes "
                f"({self._max_value_bytes}); its largest key is {largest!r}, with "
                f"{sizes[largest]} bytes"
            )
        return data

    def _head(self, generation: bytes) -> bytes:
        now = self._clock() * 1000
        return _HEAD.pack(generation, int(min(now + self.lifetime * 1000, _FOREVER)))

    def _ttl(self) -> int:
        # Two seconds more than the session's own expiry: the server counts in whole seconds.
        if math.isinf(self.lifetime):
            return 0
        seconds = math.ceil(self.lifetime) + 2
        until = int(time.time()) + seconds
        if seconds <= _MONTH:
            return seconds
        return until if until < _END_OF_TIME else 0

    def _key(self, sid: str) -> str:
        return self._prefix + storage_key(sid)

    @property
    def _generation_key(self) -> str:
        return f"generation:{self._prefix}"

    def _generation(self) -> bytes:
        for _ in range(_TRIES):
            found: bytes | None = self._ask("get", self._generation_key)
            if found is not None:
                return found
            self._ask("add", self._generation_key, secrets.token_bytes(8), noreply=False)
        raise StoreError("memcached: it does not keep what it was given")

    # Words of memcached.

    def _ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        reads = name.startswith("get")
        for again in (True, False):
            client = self._borrow(reads)
            try:
                answer = getattr(client, name)(*arguments, **options)
            except BaseException as error:
                # Whatever happened, the rest of an answer may still be on its way there.
                client.close()
                if isinstance(error, self._broken):
                    self._forget()
                    # The server may have done what it did not answer: written twice, it would
                    # take back what others have written or deleted in between.
                    if again and reads:
                        continue
                elif isinstance(error, self._refused) and "too large" in str(error):
                    raise ValueError(
                        f"the session is larger than memcached takes ({error}); see its option "
                        "-I, and max_value_bytes"
                    ) from error
                if isinstance(error, self._problems):
                    why = str(error) or type(error).__name__
                    raise StoreError(f"memcached: {why}") from error
                raise
            self._give_back(client)
            return answer

    # Connections, which are used by one thread at a time, and never across a fork.

    def _borrow(self, reads: bool) -> Any:
        while True:
            with self._mutex:
                if self._pid != os.getpid():
                    self._idle, self._pid = [], os.getpid()
                client = self._idle.pop() if self._idle else None
            if client is None:
                return self._connect(
                    self._server,
                    connect_timeout=self._timeout,
                    timeout=self._timeout,
                    no_delay=True,
                )
            # What only reads may be asked again; all else must not find a closed connection.
            if reads or not _has_ended(client.sock):
                return client
            client.close()

    def _give_back(self, client: Any) -> None:
        with self._mutex:
            if len(self._idle) < _IDLE:
                self._idle.append(client)
                return
        client.close()

    def _forget(self) -> None:
        with self._mutex:
            idle, self._idle = self._idle, []
            if self._pid != os.getpid():
                return
        for client in idle:
            client.close()


def _has_ended(sock: Any) -> bool:
    """Whether the server has closed it, or says something unasked."""
    if sock is None:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _address(server: str) -> tuple[str, int] | str:
    if server.startswith("/"):
        return server
    host, colon, port = server.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise ValueError(f"server must be host:port, or the path of a socket, not {server!r}")
    return host.strip("[]"), int(port)
