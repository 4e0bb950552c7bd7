"""LayeredStore: copies in front, and all that is true behind."""

import pytest
from guava_session import LayeredStore, MemoryStore, SessionManager, StoreError
from guava_session.testing import StoreConformance


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Back(MemoryStore):
    """A store that counts its reads and may be down."""

    remote = True
    down = False
    reads = 0

    def __getattribute__(self, name):
        if name in ("get", "set", "merge", "take", "delete", "touch", "clear"):
            if type(self).down:
                raise StoreError("down")
            if name == "get":
                type(self).reads += 1
        return super().__getattribute__(name)


class TestLayered(StoreConformance):
    follows_clock = atomic = True

    def make(self, lifetime, clock):
        return LayeredStore(MemoryStore(lifetime=lifetime, clock=clock), fresh=1, clock=clock)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def back(clock):
    class Mine(Back):
        pass

    return Mine(clock=clock)


def test_many_reads_are_one(back, clock):
    store = LayeredStore(back, fresh=5, clock=clock)
    sid = store.generate_id()
    back.set(sid, {"a": [1]})
    for _ in range(10):
        store.get(sid)["a"].append(2)
    assert back.reads == 1 and store.get(sid) == {"a": [1]}
    clock.now += 5
    assert store.get(sid) == {"a": [1]} and back.reads == 2
    assert store.remote


def test_what_others_do_is_seen_a_little_later(back, clock):
    store, other = (LayeredStore(back, fresh=5, clock=clock) for _ in range(2))
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    other.merge(sid, {"a": 2})
    assert other.get(sid) == {"a": 2} and store.get(sid) == {"a": 1}
    clock.now += 5
    assert store.get(sid) == {"a": 2}
    other.delete(sid)
    clock.now += 5
    assert store.get(sid) is None


def test_what_is_done_here_is_seen_at_once(back, clock):
    store = LayeredStore(back, fresh=5, clock=clock)
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    assert store.get(sid) == {"a": 1}
    store.merge(sid, {"a": 2})
    assert store.get(sid) == {"a": 2}
    assert store.take(sid) == {"a": 2} and store.get(sid) is None
    store.set(sid, {"a": 3})
    store.clear()
    assert store.get(sid) is None


def test_a_merge_here_keeps_what_others_wrote(back, clock):
    store, other = (LayeredStore(back, fresh=5, clock=clock) for _ in range(2))
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    other.merge(sid, {"b": 2})
    store.merge(sid, {"c": 3})
    assert store.get(sid) == {"a": 1, "b": 2, "c": 3}


def test_when_the_back_is_down_reading_fails(back, clock):
    store = LayeredStore(back, fresh=5, clock=clock)
    sid = store.generate_id()
    store.set(sid, {"a": 1})
    type(back).down = True
    assert store.get(sid) == {"a": 1}, "it is fresh"
    clock.now += 5
    with pytest.raises(StoreError):
        store.get(sid)
    with pytest.raises(StoreError):
        SessionManager(store).open(sid).get("a")


def test_or_copies_are_used_for_a_while(back, clock, caplog):
    store = LayeredStore(back, fresh=5, stale_if_down=60, clock=clock)
    manager = SessionManager(store, clock=clock)
    session = manager.open(None)
    session["user"] = "anna"
    sid = manager.commit(session).value
    type(back).down = True
    clock.now += 59
    session = manager.open(sid)
    assert session["user"] == "anna" and "a copy is used" in caplog.text
    session["user"] = "bert"
    assert manager.commit(session) is None and isinstance(session.save_error, StoreError)
    with pytest.raises(StoreError):
        manager.open(store.generate_id()).get("user")
    clock.now += 2
    with pytest.raises(StoreError):
        manager.open(sid).get("user")
    type(back).down = False
    assert manager.open(sid)["user"] == "anna"


@pytest.mark.parametrize("name", ["fresh", "stale_if_down"])
@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_times_are_not_negative(name, seconds):
    with pytest.raises(ValueError, match=f"{name} must be at least 0 seconds"):
        LayeredStore(MemoryStore(), **{name: seconds})
