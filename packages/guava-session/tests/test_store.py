"""What every store promises, asked of each of them; the factory; stores of one's own."""

import json

import pytest
from guava_session import (
    File,
    FileStore,
    Mem,
    MemoryStore,
    SessionManager,
    SessionStore,
    generate_id,
)


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


class OwnStore(SessionStore):
    """The four methods of the README over something that only knows text, and nothing more."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.clock = kwargs["clock"]
        self.rows = {}

    def set(self, sid, value):
        self.rows[sid] = json.dumps(value), self.clock() + self.lifetime

    def get(self, sid):
        text, expires = self.rows.get(sid, ("null", 0))
        return json.loads(text) if expires > self.clock() else None

    def delete(self, sid):
        self.rows.pop(sid, None)

    def clear(self, sid=None):
        if sid is None:
            self.rows.clear()
        elif sid in self.rows:
            self.set(sid, {})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "file", "own"])
def store(request, tmp_path, clock):
    if request.param == "memory":
        made = SessionStore(type=Mem, lifetime=100, clock=clock)
    elif request.param == "file":
        made = SessionStore(type=File, directory=tmp_path / "sessions", lifetime=100, clock=clock)
    else:
        made = OwnStore("an address", lifetime=100, clock=clock, option=True)
    with made:
        yield made


def test_set_get_delete(store):
    one, two = generate_id(), generate_id()
    assert store.get(one) is None
    store.set(one, {"user": "anna", "n": [1, {"a": None}]})
    store.set(two, {"user": "bert"})
    assert store.get(one) == {"user": "anna", "n": [1, {"a": None}]}
    store.set(one, {"user": "carl"})
    assert store.get(one) == {"user": "carl"}
    assert store.get(two) == {"user": "bert"}
    store.delete(one)
    store.delete(one)
    assert store.get(one) is None
    assert store.get(two) == {"user": "bert"}


def test_what_get_returns_is_the_callers(store):
    sid = generate_id()
    value = {"list": [1]}
    store.set(sid, value)
    value["list"].append(2)
    store.get(sid)["list"].append(3)
    assert store.get(sid) == {"list": [1]}


def test_expiry(store, clock):
    sid = generate_id()
    store.set(sid, {"a": 1})
    clock.now += 99
    assert store.get(sid) == {"a": 1}
    clock.now += 1
    assert store.get(sid) is None
    assert not store.touch(sid) and not store.merge(sid, {"a": 2})
    assert store.take(sid) is None
    assert store.get(sid) is None


def test_set_and_touch_prolong_and_get_does_not(store, clock):
    sid = generate_id()
    store.set(sid, {"a": 1})
    clock.now += 60
    assert store.touch(sid)
    clock.now += 60
    store.get(sid)
    store.set(sid, {"a": 2})
    clock.now += 60
    assert store.get(sid) == {"a": 2}
    clock.now += 40
    assert store.get(sid) is None


def test_clear_all(store):
    ids = [generate_id() for _ in range(20)]
    for sid in ids:
        store.set(sid, {"a": 1})
    store.clear()
    assert all(store.get(sid) is None for sid in ids)
    store.set(ids[0], {"a": 2})
    assert store.get(ids[0]) == {"a": 2}


def test_clear_one_empties_it(store):
    one, two, unknown = generate_id(), generate_id(), generate_id()
    for sid in (one, two):
        store.set(sid, {"a": 1})
    store.clear(one)
    assert not store.get(one)
    assert store.get(two) == {"a": 1}
    store.clear(unknown)
    assert store.get(unknown) is None


def test_clear_one_keeps_its_visitor(store):
    if isinstance(store, OwnStore):
        return  # what its clear(sid) leaves is its own affair
    manager = SessionManager(store)
    session = manager.open(None)
    session["a"] = 1
    sid = manager.commit(session).value
    store.clear(sid)
    session = manager.open(sid)
    assert dict(session) == {} and not session.new and session.sid == sid


def test_merge(store):
    sid = generate_id()
    assert store.merge(sid, {"a": 1}) is False
    assert store.get(sid) is None
    store.set(sid, {"a": 1, "b": 2, "c": 3})
    assert store.merge(sid, {"a": 10, "d": 4}, {"b", "never there"})
    assert store.get(sid) == {"a": 10, "c": 3, "d": 4}
    assert store.merge(sid, {"e": 5}, replace=True)
    assert store.get(sid) == {"e": 5}


def test_take(store):
    sid = generate_id()
    assert store.take(sid) is None
    store.set(sid, {"a": 1})
    assert store.take(sid) == {"a": 1}
    assert store.take(sid) is None and store.get(sid) is None


def test_mem_and_file_are_the_stores(tmp_path):
    assert Mem is MemoryStore and File is FileStore
    memory = SessionStore(type=Mem, max_entries=5)
    assert type(memory) is MemoryStore and isinstance(memory, SessionStore)
    assert type(SessionStore()) is MemoryStore
    with SessionStore(type=File, directory=tmp_path / "sessions") as file:
        assert type(file) is FileStore and isinstance(file, SessionStore)
        assert file.directory == tmp_path / "sessions"
    assert type(MemoryStore(type=Mem)) is MemoryStore


@pytest.mark.parametrize("wrong", ["Mem", dict, 5, SessionStore])
def test_other_types_are_refused(wrong):
    with pytest.raises(TypeError, match="type= takes Mem, File or a subclass"):
        SessionStore(type=wrong)


def test_a_misspelt_option_is_refused(tmp_path):
    with pytest.raises(TypeError):
        SessionStore(type=Mem, lifetme=5)
    with pytest.raises(TypeError):
        SessionStore(type=File, directroy=tmp_path)


@pytest.mark.parametrize("lifetime", [0, -1, float("nan")])
def test_a_lifetime_is_positive(lifetime):
    with pytest.raises(ValueError, match="lifetime must be more than 0"):
        MemoryStore(lifetime=lifetime)


def test_the_readmes_store():
    """The class of the README of 2014, which answers nothing: harmless, and nobody is known."""

    class RedisSessionStore(SessionStore):
        def __init__(self, *args, **kwargs):
            super(RedisSessionStore, self).__init__(*args, **kwargs)  # noqa: UP008

        def set(self, sid, value):
            pass

        def get(self, sid):
            pass

        def delete(self, sid):
            pass

        def clear(self, sid):
            pass

    store = RedisSessionStore("localhost", 6379, db=0)
    manager = SessionManager(store)
    session = manager.open(None)
    session["a"] = 1
    again = manager.open(manager.commit(session).value)
    assert again.new and dict(again) == {}


def test_a_store_whose_init_does_not_call_ours():
    class Plain(SessionStore):
        def __init__(self):
            self.rows = {}

        def set(self, sid, value):
            self.rows[sid] = value

        def get(self, sid):
            return self.rows.get(sid, {})  # as a Redis hash answers for what it does not know

        def delete(self, sid):
            self.rows.pop(sid, None)

    manager = SessionManager(Plain())
    planted = generate_id()
    session = manager.open(planted)
    session["cart"] = [1]
    sid = manager.commit(session).value
    assert sid != planted
    session = manager.open(sid)
    session["cart"].append(2)
    assert manager.commit(session) is None
    assert manager.open(sid)["cart"] == [1, 2]


def test_what_is_missing_is_named():
    class Half(SessionStore):
        pass

    half = Half()
    for call, name in (
        (lambda: half.get("a"), "get"),
        (lambda: half.set("a", {}), "set"),
        (lambda: half.delete("a"), "delete"),
        (lambda: half.clear(), "clear"),
    ):
        with pytest.raises(NotImplementedError, match=f"Half has no {name}"):
            call()


def test_a_store_that_returns_something_else():
    class Text(SessionStore):
        def get(self, sid):
            return '{"a": 1}'

    session = SessionManager(Text()).open(generate_id())
    with pytest.raises(TypeError, match=r"Text.get\(\) returned a str; a session is a dict"):
        session.get("a")
