"""SQLAlchemyStore on PostgreSQL itself."""

import itertools
import signal

import pytest
import sqlalchemy
from guava_session import SQLAlchemyStore, StoreError
from guava_session.testing import StoreConformance

_tables = (f"sessions_{number}" for number in itertools.count())


class TestPostgres(StoreConformance):
    follows_clock = atomic = True

    @pytest.fixture(autouse=True)
    def server(self, postgres_server):
        self.url = postgres_server.url

    def make(self, lifetime, clock):
        self.table = next(_tables)
        return SQLAlchemyStore(
            self.url, table=self.table, lifetime=lifetime, clock=clock, timeout=30
        )

    def reopen(self, store, clock):
        return SQLAlchemyStore(self.url, table=self.table, clock=clock, timeout=30)


def test_a_statement_that_waits_too_long_is_an_error(postgres_server):
    table = next(_tables)
    with SQLAlchemyStore(postgres_server.url, table=table, timeout=1.0) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        engine = sqlalchemy.create_engine(postgres_server.url)
        with engine.connect() as other:
            other.execute(sqlalchemy.text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(StoreError, match="statement timeout"):
                store.get(sid)
        engine.dispose()
        assert store.get(sid) == {"a": 1}


def test_what_the_url_says_stays(postgres_server):
    url = f"{postgres_server.url}?options=-c%20search_path%3Dpg_temp&connect_timeout=7"
    with SQLAlchemyStore(url, create=False, timeout=3.0) as store:
        with store.engine.connect() as connection:
            for name, value in (("search_path", "pg_temp"), ("statement_timeout", "3s")):
                assert connection.execute(sqlalchemy.text(f"SHOW {name}")).scalar() == value


def test_an_answer_that_comes_too_late_is_nobodys(serve):
    """Who gave up waiting leaves no connection whose next answer is the one that was late."""
    server = serve("PostgreSQL")
    with SQLAlchemyStore(server.url, timeout=1.0) as store:
        one, two = store.generate_id(), store.generate_id()
        store.set(one, {"one": 1})
        store.set(two, {"two": 2})
        server.signal_all(signal.SIGSTOP)
        for _ in range(2):
            with pytest.raises(StoreError):
                store.get(one)
        server.signal_all(signal.SIGCONT)
        assert store.get(two) == {"two": 2} and store.get(one) == {"one": 1}
