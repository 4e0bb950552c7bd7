"""No cron job, and no pause: when very many sessions have expired at once, no single operation
does more than a few of them. Counted, not timed."""

import sqlite3

import pytest
from guava_session import FileStore, MemoryStore, SQLiteStore, generate_id

#: Expired sessions that one operation removes at most.
MEMORY, SQLITE = 4, 2


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("serializer", [None, "JSON"])
def test_memory(serializer):
    """A set removes four at most; what else is called, the one that it was called for."""
    from guava_session import JSONSerializer

    clock = Clock()
    store = MemoryStore(
        lifetime=10,
        max_entries=200_000,
        max_bytes=1 << 40,
        clock=clock,
        serializer=serializer and JSONSerializer(),
    )
    for number in range(100_000):
        store.set(str(number), {"n": number})
    clock.now += 10
    calls = 0
    while store.stats()["expired"] < 100_000:
        for call, bound in (
            (lambda: store.set("new", {"n": 1}), MEMORY),
            (lambda: store.get("new"), 0),
            (lambda: store.merge("new", {"m": 2}), 0),
            (lambda: store.touch("new"), 0),
            (lambda: store.get("70000"), 1),
            (lambda: store.compare_and_set("new", {"n": 1, "m": 2}, {"n": 1}), 0),
        ):
            before = store.stats()["expired"]
            call()
            assert store.stats()["expired"] - before <= bound
        calls += 1
    # And it keeps up: each set adds one and drops four.
    assert calls <= 100_000 / MEMORY + 1 and len(store) == 1


def test_sqlite(tmp_path):
    clock = Clock()
    path = tmp_path / "sessions.sqlite"
    store = SQLiteStore(path, lifetime=10, clock=clock)
    store.set(generate_id(), {})
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO guava_session (key, expires, data) "
            "SELECT randomblob(32), expires, data FROM guava_session LIMIT ?",
            [(1 << step,) for step in range(17)],
        )
    connection.close()
    assert len(store) > 100_000
    clock.now += 11
    sid = generate_id()
    for call in (
        lambda: store.set(sid, {"n": 1}),
        lambda: store.get(sid),
        lambda: store.merge(sid, {"m": 1}),
        lambda: store.touch(sid),
        lambda: store.delete(sid),
    ):
        before = len(store)
        call()
        assert before - len(store) <= SQLITE
    before = len(store)
    store.set(sid, {"n": 1})
    assert len(store) <= before  # more than it adds


def test_files(tmp_path, monkeypatch):
    """What the sweeper does is counted in the files that it looks at."""
    clock = Clock()
    store = FileStore(tmp_path / "sessions", lifetime=10, clock=clock)
    for number in range(3000):
        store.set(generate_id(), {"n": number})
    clock.now += 11
    looked = []
    real = FileStore._sweep_file

    def counted(self, leaf, name):
        looked.append(name)
        return real(self, leaf, name)

    monkeypatch.setattr(FileStore, "_sweep_file", counted)
    sid = generate_id()
    most = 0
    for _ in range(300):
        for call in (
            lambda: store.set(sid, {"n": 1}),
            lambda: store.get(sid),
            lambda: store.merge(sid, {"m": 1}),
            lambda: store.touch(sid),
        ):
            before = len(looked)
            call()
            most = max(most, len(looked) - before)
    assert 1 <= most <= 2
