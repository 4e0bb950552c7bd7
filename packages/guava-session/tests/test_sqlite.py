"""SQLiteStore: one file, many threads and processes, and what goes wrong with files."""

import os
import sqlite3
import subprocess
import sys
import threading

import pytest
from guava_session import SessionManager, SQLiteStore, StoreError, storage_key

CHANGES = """
import sys
from guava_session import SQLiteStore
path, sid, name = sys.argv[1:]
store = SQLiteStore(path, timeout=60)
for step in range(30):
    assert store.merge(sid, {f"{name}{step}": step})
"""


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


def test_the_file_is_private_and_holds_no_id(path):
    with SQLiteStore(path) as store:
        sid = store.generate_id()
        store.set(sid, {"user": "anna"})
        for name in os.listdir(path.parent):
            assert (path.parent / name).stat().st_mode & 0o077 == 0, name
            assert sid.encode() not in (path.parent / name).read_bytes()
        assert [key for key, _ in store.iterate()] == [storage_key(sid)]


def test_a_file_of_others_is_refused(path):
    path.touch(0o644)
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        SQLiteStore(path)
    path.unlink()
    path.symlink_to("elsewhere.db")
    with pytest.raises(PermissionError, match="behind a link"):
        SQLiteStore(path)


def test_no_folder_and_no_database(path):
    with pytest.raises(StoreError, match="No such file"):
        SQLiteStore(path.parent / "nowhere" / "sessions.db")
    path.touch(0o600)
    path.write_bytes(b"This is a letter, and no database. " * 100)
    with pytest.raises(StoreError, match="not a database"):
        SQLiteStore(path)


def test_processes_lose_no_update(path):
    store = SQLiteStore(path, timeout=60)
    sid = store.generate_id()
    store.set(sid, {"begin": 0})
    children = [
        subprocess.Popen([sys.executable, "-c", CHANGES, path, sid, name]) for name in "abc"
    ]
    assert [child.wait(120) for child in children] == [0, 0, 0]
    assert store.get(sid) == {
        "begin": 0,
        **{f"{name}{step}": step for name in "abc" for step in range(30)},
    }
    store.close()


def test_a_child_has_connections_of_its_own(path):
    store = SQLiteStore(path)
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    pid = os.fork()
    if pid == 0:
        ok = False
        try:
            ok = store.get(sid) == {"a": 1} and store.merge(sid, {"b": 2})
            store.close()
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.get(sid) == {"a": 1, "b": 2}
    store.close()


def test_expired_rows_go_as_new_ones_come(path):
    clock = Clock()
    store = SQLiteStore(path, lifetime=100, clock=clock)
    for _ in range(50):
        store.set(store.generate_id(), {})
    clock.now += 101
    assert len(store) == 50
    for _ in range(50):
        store.set(store.generate_id(), {})
    assert len(store) == 50 == len(list(store.iterate()))
    clock.now += 101
    assert store.delete_expired(7) == 7 and store.delete_expired() == 43 and len(store) == 0
    store.close()


def test_iterate_goes_through_many(path):
    with SQLiteStore(path) as store:
        kept = {store.generate_id(): number for number in range(250)}
        for sid, number in kept.items():
            store.set(sid, {"n": number})
        assert dict(store.iterate()) == {
            storage_key(sid): {"n": number} for sid, number in kept.items()
        }


def test_compare_and_set(path):
    with SQLiteStore(path) as store:
        sid = store.generate_id()
        assert not store.compare_and_set(sid, {}, {"a": 1}) and store.get(sid) is None
        store.set(sid, {"a": 1})
        assert not store.compare_and_set(sid, {"a": 2}, {"a": 3}) and store.get(sid) == {"a": 1}
        assert store.compare_and_set(sid, {"a": 1}, {"a": 3}) and store.get(sid) == {"a": 3}


def test_a_row_that_is_damaged_is_no_session(path, caplog):
    with SQLiteStore(path) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        connection = sqlite3.connect(path)
        with connection:
            connection.execute("UPDATE guava_session SET data = ?", (b"{",))
        connection.close()
        assert store.get(sid) is None and list(store.iterate()) == []
        assert "does not suit the serializer" in caplog.text and sid not in caplog.text


def test_a_database_that_stays_locked_is_an_error_and_no_stranger(path):
    with SQLiteStore(path, timeout=0.05) as store:
        manager = SessionManager(store)
        session = manager.open(None)
        session["a"] = 1
        sid = manager.commit(session).value
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            store.set(sid, {})
        session = manager.open(sid)
        assert session["a"] == 1, "readers do not wait for writers"
        session["a"] = 2
        assert manager.commit(session) is None and isinstance(session.save_error, StoreError)
        other.execute("ROLLBACK")
        other.close()
        assert dict(manager.open(sid)) == {"a": 1}


def test_a_full_disk_keeps_what_was_there(path):
    with SQLiteStore(path) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        with store._writing() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
        # As a disk without room does, and on this connection, which is the next one to be used.
        store._idle[-1].execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match="full"):
            store.set(sid, {"a": "x" * 100_000})
        assert store.get(sid) == {"a": 1}
        store.set(sid, {"a": 2})
        assert store.get(sid) == {"a": 2}


def test_what_cannot_be_stored_leaves_what_was(path):
    with SQLiteStore(path) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        with pytest.raises(TypeError, match="'a' is of type object"):
            store.merge(sid, {"a": object()})
        assert store.get(sid) == {"a": 1}


def test_connections_are_used_again_and_few_are_kept(path):
    with SQLiteStore(path) as store:
        sid = store.generate_id()
        store.set(sid, {"a": 1})
        barrier = threading.Barrier(12)

        def hold():
            with store._reading():
                barrier.wait(20)

        threads = [threading.Thread(target=hold) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store._idle) == 8


def test_a_closed_store_says_so(path):
    store = SQLiteStore(path)
    store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        store.get(store.generate_id())
