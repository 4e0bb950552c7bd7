"""MemoryStore: what it adds to the promises of every store, which test_store.py asks for."""

import threading

import pytest
from guava_session import JSONSerializer, MemoryStore, generate_id


def test_limits_reach_the_table():
    store = MemoryStore(max_entries=2)
    for name in "abc":
        store.set(name, {"name": name})
    assert [store.get(name) for name in "abc"] == [None, {"name": "b"}, {"name": "c"}]
    store = MemoryStore(max_bytes=2000)
    with pytest.raises(ValueError, match="more than the table may hold"):
        store.set("a", {"text": "x" * 2000})
    for number in range(20):
        store.set(str(number), {"text": "x" * 200})
    assert 1 < len(store) < 20 and store.get("19")


def test_defaults_are_the_documented_ones():
    store = MemoryStore()
    sid = generate_id()
    store.set(sid, {"a": 1})
    for number in range(100_000):
        store.set(str(number), {})
    assert len(store) == 100_000 and store.get(sid) is None
    store.clear()
    half = bytes(128 << 20)
    store.set("a", {"half": half})
    store.set("b", {"half": half})  # with what an entry costs, more than 256 MiB
    assert len(store) == 1


def test_stats():
    now = 0.0
    store = MemoryStore(max_entries=2, lifetime=10, clock=lambda: now)
    for name in "abc":
        store.set(name, {})
    stats = store.stats()
    assert stats.pop("bytes") > 0
    assert stats == {"entries": 2, "evicted": 1, "expired": 0}
    now = 10.0
    store.get("b")
    assert store.stats()["expired"] == 1
    store.clear()
    assert store.stats()["bytes"] == 0


def test_an_empty_store_is_true():
    assert MemoryStore() and len(MemoryStore()) == 0


def test_what_is_saved_while_a_merge_is_under_way_is_not_lost():
    """Another thread, at the worst moment: between the merge's reading and its writing."""
    meanwhile = []

    class Slow(JSONSerializer):
        def loads(self, data):
            record = super().loads(data)
            if meanwhile:
                meanwhile.pop()()
            return record

    store = MemoryStore(serializer=Slow())
    store.set("a", {"x": 0})
    meanwhile.append(lambda: store.set("a", {"x": 1, "theirs": True}))
    assert store.merge("a", {"mine": True})
    assert store.get("a") == {"x": 1, "theirs": True, "mine": True}
    meanwhile.append(lambda: store.delete("a"))
    assert store.merge("a", {"mine": True}) is False
    assert store.get("a") is None


def test_many_threads_lose_nothing():
    store = MemoryStore()
    store.set("a", {})
    errors = []

    def work(number):
        try:
            for turn in range(200):
                assert store.merge("a", {f"{number}.{turn}": turn})
                store.set(generate_id(), {"a": turn})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.get("a")) == 800 and len(store) == 801
