"""Engines of SQLAlchemy that never wait for ever: what each driver must be told for that.

Drivers differ in it as in nothing else, so it is kept apart from `SQLAlchemyStore`, which is the
same for all of them.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Generator
from typing import Any

#: Seconds that a statement's answer may come later than the server itself should have ended it.
_GRACE = 1.0

_PSYCOPG = ("psycopg", "psycopg2")


def make_engine(url: Any, timeout: float) -> Any:
    """A synchronous engine for a URL, which waits for nothing longer than `timeout` seconds.

    What the URL itself says of time-outs counts more.

    :raises ValueError: for what is no URL, and for a database that threads cannot share
    :raises ImportError: the database's driver is not installed
    """
    sql: Any = importlib.import_module("sqlalchemy")
    try:
        url = sql.make_url(url)
    except sql.exc.ArgumentError:
        # The text, which SQLAlchemy's error has, may hold a password.
        raise ValueError(
            "engine is no URL of a database, as in postgresql+psycopg://user@host/name"
        ) from None
    dialect = url.get_dialect()
    if dialect.is_async:
        raise ValueError(
            f"{url.drivername} is for event loops, which this store does not use itself; take a "
            "synchronous driver, postgresql+psycopg:// say"
        )
    if url.get_backend_name() == "sqlite" and _in_memory(url):
        raise ValueError(
            "each thread would have an in-memory SQLite database of its own; name a file, or use "
            "MemoryStore"
        )
    options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": _arguments(url, timeout)}
    if issubclass(dialect.get_pool_class(url), sql.pool.QueuePool):
        options["pool_timeout"] = timeout
    engine = sql.create_engine(url, **options)
    if url.get_driver_name() == "psycopg":
        sql.event.listen(engine, "do_connect", _connect_by(timeout + _GRACE))
    return engine


def _in_memory(url: Any) -> bool:
    name = url.database or ""
    return name in ("", ":memory:") or ":memory:" in name or "memory" in url.query.get("mode", "")


def _arguments(url: Any, timeout: float) -> dict[str, Any]:
    """The driver's own words for the time-outs."""
    seconds, driver = max(int(timeout), 1), url.get_driver_name()
    found: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql" and driver in _PSYCOPG:
        found = {
            "connect_timeout": seconds,
            # A host that vanished is noticed while it is being sent to.
            "tcp_user_timeout": int(timeout * 1000),
        }
    elif url.get_backend_name() == "sqlite":
        found = {"timeout": timeout}
    elif driver in ("pymysql", "mysqldb"):
        found = {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    found = {name: value for name, value in found.items() if name not in url.query}
    if url.get_backend_name() == "postgresql" and driver in _PSYCOPG:
        given = url.query.get("options", "")
        given = given if isinstance(given, str) else " ".join(given)
        # The last word counts, and that is the URL's.
        found["options"] = f"-c statement_timeout={int(timeout * 1000)} {given}".strip()
    return found


def _connect_by(seconds: float) -> Callable[..., Any]:
    """How psycopg 3 connects to servers that may freeze.

    The kernel of a frozen server takes what it is sent, so no time-out of PostgreSQL's or TCP's
    ends the wait for an answer; psycopg has none. But it waits in short steps, and those count.
    """
    psycopg: Any = importlib.import_module("psycopg")

    def bounded(steps: Generator[Any, Any, Any], connection: Any) -> Generator[Any, Any, Any]:
        end = time.monotonic() + seconds
        ready = None
        while True:
            try:
                wanted = steps.send(ready)
            except StopIteration as done:
                return done.value
            ready = yield wanted
            if not ready and time.monotonic() > end:
                # The answer may still come, and would be taken for the next statement's.
                connection.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {seconds:g} seconds")

    class Connection(psycopg.Connection):  # type: ignore[misc]
        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            return super().wait(bounded(gen, self), *arguments, **options)

    def connect(dialect: Any, record: Any, arguments: Any, options: Any) -> Any:
        return Connection.connect(*arguments, **options)

    return connect
