"""SQLAlchemyStore on PostgreSQL itself."""

import itertools

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
