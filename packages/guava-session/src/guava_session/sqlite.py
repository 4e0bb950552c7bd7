"""SQLiteStore: sessions in one SQLite database, for all processes of one machine."""

from __future__ import annotations

import builtins
import contextlib
import os
import secrets
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .serializer import JSON, Record, Serializer
from .session import log
from .store import DEFAULT_LIFETIME, SessionStore, StoreError, merged, storage_key

#: Expired rows that every set() removes: more than it adds, so they never pile up.
_STEPS_PER_SET = 2

#: Connections that are kept open while nobody uses them.
_IDLE = 8

_SCHEMA = """
CREATE TABLE IF NOT EXISTS guava_session (
    key TEXT PRIMARY KEY,       -- SHA-256 of the id
    expires INTEGER NOT NULL,   -- milliseconds since 1970
    data BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS guava_session_expires ON guava_session (expires);
CREATE TABLE IF NOT EXISTS guava_session_lock (
    key TEXT PRIMARY KEY,
    expires INTEGER NOT NULL,   -- milliseconds since 1970, when it passes to the next
    word TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS guava_session_lock_expires ON guava_session_lock (expires);
"""
_FOREVER = 2**63 - 1


class SQLiteStore(SessionStore):
    """Sessions in a file that any number of threads and processes of one machine use at once.

    The file is this user's alone (mode 0600, made if missing). Ids are kept as their SHA-256.
    Readers do not wait for writers (write-ahead log); a writer waits for another one at most
    `timeout` seconds. Expired sessions are removed two at a time as new ones are written.

    :param path: the file, on a local file system, in a folder that exists
    :param lifetime: seconds that a session lives after it was last saved or touched
    :param timeout: seconds to wait for another writer before it is an error
    :param fsync: whether a session must survive a power cut the moment it was saved. Without it a
        power cut loses the last seconds, but breaks nothing
    :param clock: seconds since 1970, as a callable
    :raises PermissionError: for a file that others can read
    :raises StoreError: for a file that cannot be made or is no database, and when it cannot be
        written (a full disk) or stays locked
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        type: builtins.type[SessionStore] | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        timeout: float = 5.0,
        fsync: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer)
        #: The file, as an absolute path.
        self.path: Path = Path(path).absolute()
        self._timeout = timeout
        self._fsync = fsync
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._parents: list[sqlite3.Connection] = []
        self._pid = os.getpid()
        self._closed = False
        _make_private(self.path)
        with self._writing() as connection:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)

    def close(self) -> None:
        """Close the file. The sessions stay."""
        with self._lock:
            connections = self._idle if self._pid == os.getpid() else []
            self._idle = []
            self._closed = True
        for connection in connections:
            connection.close()

    # The four.

    def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid, whole or not at all.

        :raises TypeError: naming the key that the serializer cannot store
        :raises StoreError: when it cannot be written; what was kept before is still there
        """
        data = self.serializer.dumps(value)
        with self._writing() as connection:
            self._put(connection, storage_key(sid), data)
            self._remove_expired(connection, _STEPS_PER_SET)

    def get(self, sid: str) -> Record | None:
        """What is kept for sid, or None.

        :raises StoreError: when it cannot be read: that is no reason to log a visitor out
        """
        key = storage_key(sid)
        with self._reading() as connection:
            return self._find(connection, key)

    def delete(self, sid: str) -> None:
        """Forget sid, if it is there."""
        with self._writing() as connection:
            connection.execute("DELETE FROM guava_session WHERE key = ?", (storage_key(sid),))

    def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is not None:
            self.merge(sid, {}, replace=True)
            return
        with self._writing() as connection:
            connection.execute("DELETE FROM guava_session")

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
        key = storage_key(sid)
        with self._writing() as connection:
            record = self._find(connection, key)
            if record is None:
                return False
            record = merged(record, changed, removed, replace)
            self._put(connection, key, self.serializer.dumps(record))
        return True

    def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted, atomically; None when there is nothing."""
        key = storage_key(sid)
        with self._writing() as connection:
            record = self._find(connection, key)
            connection.execute("DELETE FROM guava_session WHERE key = ?", (key,))
        return record

    def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there."""
        with self._writing() as connection:
            done = connection.execute(
                "UPDATE guava_session SET expires = ? WHERE key = ? AND expires > ?",
                (self._expiry(), storage_key(sid), self._now()),
            )
            return done.rowcount == 1

    def compare_and_set(self, sid: str, old: Record, new: Record) -> bool:
        """Keep new for sid if what is kept is still old, atomically; whether it was."""
        key = storage_key(sid)
        with self._writing() as connection:
            found = self._find(connection, key)
            same = found is not None and self.serializer.dumps(found) == self.serializer.dumps(old)
            if same:
                self._put(connection, key, self.serializer.dumps(new))
            return same

    def iterate(self) -> Iterator[tuple[str, Record]]:
        """All sessions that have not expired, each with its key, the SHA-256 of the id."""
        last = ""
        while True:
            with self._reading() as connection:
                rows = connection.execute(
                    "SELECT key, data FROM guava_session WHERE key > ? AND expires > ? "
                    "ORDER BY key LIMIT 100",
                    (last, self._now()),
                ).fetchall()
            for key, data in rows:
                record = self._parse(key, data)
                if record is not None:
                    yield key, record
            if not rows:
                return
            last = rows[-1][0]

    def delete_expired(self, limit: int | None = None) -> int:
        """Remove sessions that have expired, at most limit of them; how many were removed."""
        with self._writing() as connection:
            return self._remove_expired(connection, -1 if limit is None else limit)

    def lock(self, sid: str, seconds: float) -> str | None:
        """Take the session's lock for so long, if nobody has it: a word for `unlock`, or None."""
        now, word = self._now(), secrets.token_hex(8)
        with self._writing() as connection:
            done = connection.execute(
                "INSERT INTO guava_session_lock (key, expires, word) VALUES (?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, word = excluded.word "
                "WHERE expires <= ?",
                (storage_key(sid), now + int(seconds * 1000), word, now),
            )
            taken = done.rowcount == 1
            connection.execute(
                "DELETE FROM guava_session_lock WHERE key IN "
                "(SELECT key FROM guava_session_lock WHERE expires <= ? LIMIT ?)",
                (now, _STEPS_PER_SET),
            )
        return word if taken else None

    def unlock(self, sid: str, word: str) -> None:
        """Give the lock back, if it is still the one of the word."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM guava_session_lock WHERE key = ? AND word = ?",
                (storage_key(sid), word),
            )

    def __len__(self) -> int:
        """How many sessions are held, those included that expired and were not yet removed."""
        with self._reading() as connection:
            (count,) = connection.execute("SELECT count(*) FROM guava_session").fetchone()
            return int(count)

    def __bool__(self) -> bool:
        return True  # an empty store is a store

    # Rows.

    def _put(self, connection: sqlite3.Connection, key: str, data: bytes) -> None:
        connection.execute(
            "INSERT INTO guava_session (key, expires, data) VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, data = excluded.data",
            (key, self._expiry(), data),
        )

    def _find(self, connection: sqlite3.Connection, key: str) -> Record | None:
        row = connection.execute(
            "SELECT data FROM guava_session WHERE key = ? AND expires > ?", (key, self._now())
        ).fetchone()
        return None if row is None else self._parse(key, row[0])

    def _parse(self, key: str, data: bytes) -> Record | None:
        try:
            return self.serializer.loads(data)
        except (ValueError, TypeError) as error:
            log.warning("the session %s does not suit the serializer (%s); it is none", key, error)
            return None

    def _remove_expired(self, connection: sqlite3.Connection, limit: int) -> int:
        done = connection.execute(
            "DELETE FROM guava_session WHERE key IN "
            "(SELECT key FROM guava_session WHERE expires <= ? ORDER BY expires LIMIT ?)",
            (self._now(), limit),
        )
        return done.rowcount

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _expiry(self) -> int:
        return int(min(self._now() + self.lifetime * 1000, _FOREVER))

    # Connections, which are used by one thread at a time, and never across a fork.

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._borrow()
            try:
                yield connection
            finally:
                self._give_back(connection)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            # Readers that become writers could not wait for each other.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has ended the transaction already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _borrow(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError(f"{self.path}: the store is closed")
            if self._pid != os.getpid():
                # The parent's stay open here: to close them would drop the locks of the parent.
                self._parents.extend(self._idle)
                self._idle, self._pid = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        connection = sqlite3.connect(
            self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._fsync else 'NORMAL'}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()


def _make_private(path: Path) -> None:
    """Makes the database's file with mode 0600 if it is missing, or looks who can read it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.close(fd)
    except FileExistsError:
        # It is not opened: closing it would drop the locks that this process has on it.
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            raise PermissionError(f"{path}: sessions are not kept behind a link") from None
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(
                f"{path}: sessions are not kept in a file that others can read; "
                f"run: chmod 600 {path}"
            ) from None
    except OSError as error:
        raise StoreError(error.errno, error.strerror, str(path)) from None
