"""SQLAlchemyStore: sessions in a table of any database that SQLAlchemy speaks to."""

from __future__ import annotations

import builtins
import importlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from .life import log
from .serializer import JSON, Record, Serializer
from .sql_driver import make_engine
from .store import DEFAULT_LIFETIME, SessionStore, StoreError, merged, storage_key

#: Expired rows that every set() removes: more than it adds, so they never pile up.
_STEPS_PER_SET = 2

#: How often a merge tries, when others come in between each time.
_TRIES = 100

_FOREVER = 2**63 - 1

_T = TypeVar("_T")


class SQLAlchemyStore(SessionStore):
    """Sessions in PostgreSQL, MariaDB, SQLite and others, by SQLAlchemy 2.

    A row for each: the SHA-256 of its id, when it expires, a version, and the session, serialized.
    Who changes one writes it only if the version is still the one that was read, so that no update
    is lost, with no lock held and on any database. Expired rows are removed two at a time as new
    sessions are written.

    :param engine: a URL such as ``postgresql+psycopg://user@host/shop``, or an Engine of yours,
        which then has its own time-outs. Of a URL each connection is tried before it is used
    :param table: the table's name; ``<table>_lock`` has the locks
    :param create: make the tables if they are missing; else see `metadata`
    :param timeout: seconds to wait for a connection, and, with PostgreSQL and MySQL, for a
        statement; a server that froze is given one more (by psycopg 3.2 or newer; psycopg2 waits)
    :param lifetime: seconds that a session lives after it was last saved or touched
    :param clock: seconds since 1970, as a callable
    :raises ImportError: the package sqlalchemy, or the database's driver, is not installed
    :raises TypeError: for what is neither a URL nor an Engine
    :raises ValueError: for a URL that cannot be used here, such as an in-memory SQLite database
    :raises StoreError: from every method, when the database does not answer, or refuses
    """

    remote = True

    def __init__(
        self,
        engine: Any,
        *,
        type: builtins.type[SessionStore] | None = None,
        table: str = "guava_session",
        create: bool = True,
        timeout: float = 5.0,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer)
        try:
            sql: Any = importlib.import_module("sqlalchemy")
        except ImportError:
            raise ImportError(
                "SQLAlchemyStore needs sqlalchemy: pip install guava-session[sqlalchemy]"
            ) from None
        self._sql = sql
        self._owned = isinstance(engine, (str, sql.URL))
        if self._owned:
            engine = make_engine(engine, timeout)
        elif not isinstance(engine, sql.Engine):
            raise TypeError(
                "engine must be a URL or a synchronous Engine of SQLAlchemy, not "
                f"{builtins.type(engine).__name__}"
            )
        #: The engine, for those who want to look at it.
        self.engine: Any = engine
        self._clock = clock
        self._pid = os.getpid()
        #: The two tables, for a tool that makes them (Alembic: ``target_metadata``).
        self.metadata: Any = sql.MetaData()
        self._table: Any = sql.Table(
            table,
            self.metadata,
            sql.Column("key", sql.String(64), primary_key=True),
            sql.Column("expires", sql.BigInteger, nullable=False, index=True),
            sql.Column("version", sql.BigInteger, nullable=False),
            sql.Column("data", sql.LargeBinary(2**24), nullable=False),
        )
        self._locks: Any = sql.Table(
            f"{table}_lock",
            self.metadata,
            sql.Column("key", sql.String(64), primary_key=True),
            sql.Column("expires", sql.BigInteger, nullable=False),
            sql.Column("word", sql.String(16), nullable=False),
        )
        if create:
            self.create_tables()

    def create_tables(self) -> None:
        """Make the tables that are missing. Several processes may do so at once."""
        for _ in range(3):
            try:
                self._attempt(lambda: self.metadata.create_all(self.engine))
                return
            except StoreError as error:
                problem = error
                time.sleep(0.1)  # another process may have come first
        raise problem

    def close(self) -> None:
        """Close the connections, if the engine was made from a URL. The sessions stay."""
        if self._owned:
            self.engine.dispose()

    # The four.

    def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid, in place of what was kept before."""
        key, data, t = storage_key(sid), self.serializer.dumps(value), self._table
        row = {"expires": self._expiry(), "data": data}
        for _ in range(_TRIES):
            if self._write(
                t.update().where(t.c.key == key).values(version=t.c.version + 1, **row)
            ):
                break
            if self._insert(t, key=key, version=_version(), **row):
                break
        else:
            raise StoreError("SQL: others made and deleted this session all the time")
        try:
            self.delete_expired(_STEPS_PER_SET)
        except StoreError:
            # The visitor whose session is saved now is not to blame.
            log.warning("expired sessions were not removed", exc_info=True)

    def get(self, sid: str) -> Record | None:
        """What is kept for sid, or None."""
        return self._find(storage_key(sid))[0]

    def delete(self, sid: str) -> None:
        """Forget sid, if it is there."""
        self._write(self._table.delete().where(self._table.c.key == storage_key(sid)))

    def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is None:
            self._write(self._table.delete())
        else:
            self.merge(sid, {}, replace=True)

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
        key, removed = storage_key(sid), tuple(removed)
        for _ in range(_TRIES):
            record, version = self._find(key)
            if record is None:
                return False
            if self._replace(key, version, merged(record, changed, removed, replace)):
                return True
        raise StoreError("SQL: others changed this session all the time; it was not saved")

    def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted, atomically; None when there is nothing."""
        key, t = storage_key(sid), self._table
        for _ in range(_TRIES):
            record, version = self._find(key)
            if record is None:
                return None
            if self._write(t.delete().where(t.c.key == key, t.c.version == version)):
                return record
        raise StoreError("SQL: others changed this session all the time; it was not moved")

    def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there."""
        t, now = self._table, self._now()
        where = (t.c.key == storage_key(sid), t.c.expires > now)
        return bool(self._write(t.update().where(*where).values(expires=self._expiry())))

    def compare_and_set(self, sid: str, old: Record, new: Record) -> bool:
        """Keep new for sid if what is kept is still old, atomically; whether it was."""
        key, dumps = storage_key(sid), self.serializer.dumps
        record, version = self._find(key)
        if record is None or dumps(record) != dumps(old):
            return False
        return self._replace(key, version, new)

    def lock(self, sid: str, seconds: float) -> str | None:
        """Take the session's lock for so long, if nobody has it: a word for `unlock`, or None."""
        key, now, word, t = storage_key(sid), self._now(), secrets.token_hex(8), self._locks
        row = {"expires": now + int(seconds * 1000), "word": word}
        if self._write(t.update().where(t.c.key == key, t.c.expires <= now).values(**row)):
            return word
        return word if self._insert(t, key=key, **row) else None

    def unlock(self, sid: str, word: str) -> None:
        """Give the lock back, if it is still the one of the word."""
        t = self._locks
        self._write(t.delete().where(t.c.key == storage_key(sid), t.c.word == word))

    def iterate(self) -> Iterator[tuple[str, Record]]:
        """All sessions that have not expired, each with its key, the SHA-256 of the id."""
        t, last = self._table, ""
        while True:
            wanted = self._sql.select(t.c.key, t.c.data).where(
                t.c.key > last, t.c.expires > self._now()
            )
            rows = self._read(wanted.order_by(t.c.key).limit(100))
            for key, data in rows:
                record = self._parse(key, data)
                if record is not None:
                    yield key, record
            if not rows:
                return
            last = rows[-1][0]

    def delete_expired(self, limit: int | None = None) -> int:
        """Remove sessions that have expired, at most limit of them; how many were removed."""
        t, now, removed = self._table, self._now(), 0
        wanted = self._sql.select(t.c.key).where(t.c.expires <= now).order_by(t.c.expires)
        while limit is None or removed < limit:
            some = 1000 if limit is None else min(limit - removed, 1000)
            keys = [row[0] for row in self._read(wanted.limit(some))]
            if not keys:
                break
            # Unless somebody has renewed it in between.
            found = self._write(t.delete().where(t.c.key.in_(keys), t.c.expires <= now))
            if not found:
                break  # others are at it
            removed += found
        return removed

    def __len__(self) -> int:
        """How many sessions are held, those included that expired and were not yet removed."""
        (row,) = self._read(self._sql.select(self._sql.func.count()).select_from(self._table))
        return int(row[0])

    def __bool__(self) -> bool:
        return True  # an empty store is a store

    # Rows.

    def _find(self, key: str) -> tuple[Record | None, int]:
        t = self._table
        wanted = self._sql.select(t.c.data, t.c.version)
        rows = self._read(wanted.where(t.c.key == key, t.c.expires > self._now()))
        return (self._parse(key, rows[0][0]), rows[0][1]) if rows else (None, 0)

    def _replace(self, key: str, version: int, record: Record) -> bool:
        t = self._table
        row = {
            "version": version + 1,
            "expires": self._expiry(),
            "data": self.serializer.dumps(record),
        }
        found = t.update().where(t.c.key == key, t.c.version == version)
        return bool(self._write(found.values(**row)))

    def _parse(self, key: str, data: bytes) -> Record | None:
        try:
            return self.serializer.loads(bytes(data))
        except (ValueError, TypeError) as error:
            log.warning("the session %s does not suit the serializer (%s); it is none", key, error)
            return None

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _expiry(self) -> int:
        return int(min(self._now() + self.lifetime * 1000, _FOREVER))

    # Statements, each a transaction of its own.

    def _read(self, statement: Any) -> list[Any]:
        def read() -> list[Any]:
            with self.engine.connect() as connection:
                return list(connection.execute(statement).fetchall())

        return self._attempt(read)

    def _write(self, statement: Any) -> int:
        def write() -> int:
            with self.engine.begin() as connection:
                return int(connection.execute(statement).rowcount)

        return self._attempt(write)

    def _insert(self, table: Any, **row: Any) -> bool:
        """Whether it is there now; False: there is one with this key."""

        def insert() -> bool:
            try:
                with self.engine.begin() as connection:
                    connection.execute(table.insert().values(**row))
            except self._sql.exc.IntegrityError:
                return False
            return True

        return self._attempt(insert)

    def _attempt(self, call: Callable[[], _T]) -> _T:
        if self._pid != os.getpid():
            # The connections of a parent are the parent's.
            self._pid = os.getpid()
            self.engine.dispose(close=False)
        try:
            return call()
        except self._sql.exc.SQLAlchemyError as error:
            # The statement and its values, which the text would have, are for nobody's log.
            why = getattr(error, "orig", None) or error
            raise StoreError(f"SQL: {str(why).strip() or builtins.type(why).__name__}") from error


def _version() -> int:
    # Of a session that was deleted and made again, what was read of the first one is old.
    return secrets.randbits(62)
