"""SQLAlchemyStore, over SQLite; tests/servers has it over PostgreSQL."""

import os
import threading

import pytest

sqlalchemy = pytest.importorskip(
    "sqlalchemy", reason="an optional package, which the project's own run has"
)

from guava_session import SessionManager, SQLAlchemyStore, StoreError, storage_key  # noqa: E402
from guava_session.testing import Clock, StoreConformance  # noqa: E402


class TestSQLAlchemy(StoreConformance):
    follows_clock = atomic = True

    @pytest.fixture(autouse=True)
    def database(self, tmp_path):
        self.url = f"sqlite:///{tmp_path}/sessions.db"

    def make(self, lifetime, clock):
        return SQLAlchemyStore(self.url, lifetime=lifetime, clock=clock, timeout=60)

    def reopen(self, store, clock):
        return SQLAlchemyStore(self.url, clock=clock, timeout=60)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with SQLAlchemyStore(f"sqlite:///{tmp_path}/sessions.db", lifetime=100, clock=clock) as store:
        yield store


def rows(store):
    with store.engine.connect() as connection:
        return connection.execute(
            sqlalchemy.text("SELECT key, data FROM guava_session")
        ).fetchall()


def test_the_table_holds_no_id(store):
    sid = store.generate_id()
    store.set(sid, {"user": "anna"})
    ((key, data),) = rows(store)
    assert key == storage_key(sid) and sid.encode() not in data


def test_an_engine_of_ones_own_stays_open(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/own.db")
    with SQLAlchemyStore(engine, table="logins") as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
    names = sqlalchemy.inspect(engine).get_table_names()
    assert set(names) == {"logins", "logins_lock"} == set(store.metadata.tables)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT count(*) FROM logins")).scalar() == 1
    engine.dispose()


def test_tables_that_another_tool_makes(tmp_path):
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/late.db", create=False)
    with pytest.raises(StoreError, match="no such table: guava_session"):
        store.get("a")
    store.metadata.create_all(store.engine)
    assert store.get("a") is None
    store.close()


def test_what_expired_goes_a_few_at_a_time(store, clock):
    for _ in range(10):
        store.set(store.generate_id(), {"a": 1})
    clock.now += 101
    store.set(store.generate_id(), {"b": 1})
    assert len(store) == 9 and store
    assert store.delete_expired(3) == 3
    assert store.delete_expired() == 5
    assert store.delete_expired() == 0
    assert [record for _, record in store.iterate()] == [{"b": 1}]


def test_who_is_saved_has_no_part_in_what_cannot_be_removed(store, clock, caplog):
    store.set(store.generate_id(), {"a": 1})
    clock.now += 101

    def fails(connection, cursor, statement, *rest):
        if statement.startswith("DELETE"):
            raise sqlalchemy.exc.OperationalError(statement, {}, Exception("deadlock"))

    sqlalchemy.event.listen(store.engine, "before_cursor_execute", fails)
    session = SessionManager(store).open(None)
    session["b"] = 1
    assert SessionManager(store).commit(session) is not None and session.save_error is None
    assert "expired sessions were not removed" in caplog.text
    with pytest.raises(StoreError, match="deadlock"):
        store.delete_expired()


def test_all_are_iterated(store):
    made = {storage_key(sid): {"n": n} for n in range(250) for sid in [store.generate_id()]}
    with store.engine.begin() as connection:
        for key, record in made.items():
            data = store.serializer.dumps(record)
            connection.execute(
                store.metadata.tables["guava_session"].insert(),
                {"key": key, "expires": store._expiry(), "version": 1, "data": data},
            )
    assert dict(store.iterate()) == made


def test_a_session_that_was_made_anew_is_another_one(store):
    """A merge that has read the first one does not write into the second."""
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    real = store._find
    between = iter([None])

    def find(key):
        found = real(key)
        for _ in between:
            store.delete(sid)
            store.set(sid, {"b": 2})
        return found

    store._find = find
    assert store.merge(sid, {"c": 3})
    assert store.get(sid) == {"b": 2, "c": 3}


def test_who_is_always_too_late_is_told(store):
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    store._replace = lambda *arguments: False
    with pytest.raises(StoreError, match="others changed this session all the time"):
        store.merge(sid, {"b": 1})


def test_damaged_rows_are_no_session(store, caplog):
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    for data in (b"", b"[]", b"{", b"\xff"):
        with store.engine.begin() as connection:
            connection.execute(
                sqlalchemy.text("UPDATE guava_session SET data = :data"), {"data": data}
            )
        assert store.get(sid) is None and SessionManager(store).open(sid).new
    assert "does not suit the serializer" in caplog.text
    assert sid not in caplog.text


def test_errors_tell_nothing_of_the_session(tmp_path):
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/gone.db", create=False)
    with pytest.raises(StoreError) as caught:
        store.set(store.generate_id(), {"password": "secret"})
    assert "secret" not in str(caught.value)
    store.close()


def test_many_threads_make_the_tables(tmp_path):
    problems = []

    def make():
        try:
            SQLAlchemyStore(f"sqlite:///{tmp_path}/all.db", timeout=60).close()
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def test_a_forked_process_has_connections_of_its_own(store):
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if store.merge(sid, {"b": 2}) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get(sid) == {"a": 1, "b": 2}


def test_what_cannot_be_a_database():
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:a?mode=memory&uri=true"):
        with pytest.raises(ValueError, match="each thread would have"):
            SQLAlchemyStore(url)
    with pytest.raises(ValueError, match="engine is no URL") as caught:
        SQLAlchemyStore("anna:secret@host")
    assert "secret" not in str(caught.value)
    for engine in (None, 5, b"sqlite:///a", object()):
        with pytest.raises(TypeError, match="engine must be a URL or"):
            SQLAlchemyStore(engine)


def test_a_driver_for_event_loops_is_refused():
    with pytest.raises(ValueError, match="take a synchronous driver"):
        SQLAlchemyStore("postgresql+asyncpg://guava@127.0.0.1/shop")


def test_a_url_object(tmp_path):
    url = sqlalchemy.URL.create("sqlite", database=f"{tmp_path}/sessions.db")
    with SQLAlchemyStore(url) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        assert store.get(sid) == {"a": 1}
