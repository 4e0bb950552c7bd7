"""Session: loaded on first touch, saved when changed, and only what changed is saved."""

import pytest
from guava_session import MemoryStore, Session, SessionManager, SessionStore, generate_id


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


class CountingStore(MemoryStore):
    """Which methods were called, in order."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = []

    def __getattribute__(self, name):
        if name in ("set", "get", "delete", "clear", "merge", "take", "touch"):
            self.calls.append(name)
        return super().__getattribute__(name)

    def since(self):
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return CountingStore(lifetime=1000, clock=clock)


@pytest.fixture
def manager(store, clock):
    return SessionManager(store, clock=clock)


def start(manager, **values):
    """A saved session; its id."""
    session = manager.open(None)
    session.update(values)
    return manager.commit(session).value


def test_it_is_a_mapping(manager):
    session = manager.open(None)
    session["a"] = 1
    session.update(b=2, c=[3])
    assert dict(session) == {"a": 1, "b": 2, "c": [3]}
    assert list(session) == ["a", "b", "c"] and len(session) == 3
    assert session.get("d", 5) == 5 and session.setdefault("d", 6) == 6
    assert session.pop("a") == 1 and "a" not in session and 5 not in session
    assert session == {"b": 2, "c": [3], "d": 6}
    del session["b"]
    with pytest.raises(KeyError):
        session["b"]
    with pytest.raises(KeyError):
        del session["b"]
    assert session.popitem() == ("c", [3])
    session.clear()
    assert not session


def test_untouched_costs_nothing(manager, store):
    sid = start(manager, a=1)
    store.since()
    session = manager.open(sid)
    assert manager.commit(session) is None
    assert store.since() == [] and not session.accessed
    assert repr(session) == "<Session, not loaded>"


@pytest.mark.parametrize(
    "look",
    [
        lambda s: s["a"],
        lambda s: s.get("b"),
        lambda s: "a" in s,
        len,
        list,
        lambda s: s.sid,
        lambda s: s.new,
        lambda s: s.created,
        lambda s: s["list"],
        lambda s: dict(s),
    ],
)
def test_looking_loads_once_and_saves_nothing(manager, store, look):
    sid = start(manager, a=1, list=[1])
    store.since()
    session = manager.open(sid)
    look(session)
    look(session)
    assert session.accessed and not session.modified
    assert manager.commit(session) is None
    assert store.since() == ["get"]


def test_a_new_session_that_is_only_looked_at_leaves_no_trace(manager, store):
    session = manager.open(None)
    assert session.get("a") is None and session.new and not session.modified
    assert manager.commit(session) is None
    assert store.since() == [] and len(store) == 0
    session["a"] = 1
    del session["a"]
    assert manager.commit(session) is None and len(store) == 0


def test_the_four_ways_to_change_it(manager, store):
    sid = start(manager, a=1, b=2)
    store.since()
    for change in (
        lambda s: s.update(a=5),
        lambda s: s.pop("b"),
        lambda s: s.clear(),
        lambda s: setattr(s, "modified", True),
    ):
        session = manager.open(sid)
        change(session)
        assert session.modified
        assert manager.commit(session) is None
        assert store.since() == ["get", "merge"]
    assert dict(manager.open(sid)) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["list"].append(2),
        lambda s: s["list"].clear(),
        lambda s: s["deep"]["a"][0].update(b=2),
        lambda s: s["deep"].__setitem__("new", None),
        lambda s: next(v for v in s.values() if type(v) is list).append(1),
        lambda s: dict(s.items())["list"].append(1),
        lambda s: s.get("list").append(1),
        lambda s: s.setdefault("list", []).append(1),
        lambda s: s["list"].__setitem__(0, True),  # equal to 1, but not the same in JSON
        lambda s: s["list"].__setitem__(0, 1.0),
    ],
)
def test_a_change_inside_a_value_is_seen(manager, change):
    sid = start(manager, list=[1], deep={"a": [{"b": 1}]}, other="x")
    session = manager.open(sid)
    change(session)
    expected = dict(session)
    assert session.modified
    manager.commit(session)
    assert repr(dict(manager.open(sid))) == repr(expected)


def test_a_value_that_was_stored_may_still_change(manager):
    session = manager.open(None)
    cart = session["cart"] = []
    cart.append(1)
    sid = manager.commit(session).value
    assert manager.open(sid)["cart"] == [1]


def test_a_list_that_was_handed_out_may_be_deleted_or_replaced(manager):
    sid = start(manager, a=[1], b=[1], c=[1])
    session = manager.open(sid)
    session["a"], session["b"], session["c"]
    del session["a"]
    session["b"] = 5
    session["c"] = [2]
    session["c"].append(3)
    assert manager.commit(session) is None
    assert dict(manager.open(sid)) == {"b": 5, "c": [2, 3]}


def test_a_change_that_is_undone_is_none(manager, store):
    sid = start(manager, list=[1])
    store.since()
    session = manager.open(sid)
    session["list"].append(2)
    session["list"].pop()
    assert not session.modified
    manager.commit(session)
    assert store.since() == ["get"]


def test_it_goes_on_after_a_commit(manager):
    session = manager.open(None)
    session["list"] = [1]
    sid = manager.commit(session).value
    assert not session.modified and manager.commit(session) is None
    session["list"].append(2)
    assert session.sid == sid
    assert manager.commit(session) is None
    assert manager.open(sid)["list"] == [1, 2]


def test_keys_are_str_and_values_storable(manager):
    session = manager.open(None)
    with pytest.raises(TypeError, match="keys are str, not int: 5"):
        session[5] = 1
    with pytest.raises(ValueError, match="begin with '_guava' are reserved"):
        session["_guava"] = 1
    with pytest.raises(TypeError, match="'user' is of type object"):
        session["user"] = object()
    assert "user" not in session and not session.modified
    session["list"] = []
    session["list"].append(object())
    with pytest.raises(TypeError, match=r"'list\[0\]' is of type object"):
        manager.commit(session)


def test_modified_cannot_be_taken_back(manager):
    session = manager.open(None)
    with pytest.raises(ValueError):
        session.modified = False


def test_its_text_tells_no_secret(manager):
    sid = start(manager, password="swordfish")
    session = manager.open(sid)
    session["token"] = "mackerel"
    assert repr(session) == "<Session, known, keys ['password', 'token']>"


def test_created(manager, clock):
    began = clock.now
    sid = start(manager, a=1)
    clock.now += 50
    session = manager.open(sid)
    assert session.created == began
    session["a"] = 2
    session.rotate()
    sid = manager.commit(session).value
    clock.now += 50
    assert manager.open(sid).created == began
    assert manager.open(None).created == clock.now


# Fixation: who brings an id that the store does not know gets another.


@pytest.mark.parametrize("planted", ["", "short", "../../etc/passwd", "A" * 43, "A" * 4000, "é"])
def test_an_unknown_id_is_never_adopted(manager, store, planted):
    session = manager.open(planted)
    assert session.new
    session["user"] = "victim"
    cookie = manager.commit(session)
    assert cookie.value != planted and session.sid == cookie.value
    assert store.get(planted) is None


def test_an_id_of_the_right_shape_is_not_enough(manager, store):
    planted = generate_id()
    session = manager.open(planted)
    assert session.sid != planted
    session["user"] = "victim"
    manager.commit(session)
    assert store.get(planted) is None


def test_an_expired_id_is_unknown(manager, clock, store):
    sid = start(manager, a=1)
    clock.now += 1000
    session = manager.open(sid)
    session["b"] = 2
    assert session.new and "a" not in session
    assert manager.commit(session).value != sid


def test_only_ids_of_the_right_shape_reach_the_store(manager, store):
    for value in ("x", "../" * 20, "A" * 42 + "\n"):
        manager.open(value).get("a")
    assert store.since() == []


# rotate() and destroy().


def test_rotate(manager, store):
    old = start(manager, cart=[1])
    session = manager.open(old)
    session["user"] = "anna"
    session.rotate()
    assert store.get(old) is None  # before the commit, in every process
    new = session.sid
    assert new != old and dict(session) == {"cart": [1], "user": "anna"}
    cookie = manager.commit(session)
    assert cookie.value == new
    assert dict(manager.open(new)) == {"cart": [1], "user": "anna"}
    assert manager.open(old).new
    assert len(store) == 1


def test_rotate_alone_is_saved(manager):
    session = manager.open(start(manager, a=1))
    session.rotate()
    assert session.modified
    sid = manager.commit(session).value
    assert manager.open(sid)["a"] == 1 and not session.modified


def test_rotate_twice(manager, store):
    session = manager.open(start(manager, a=1))
    session.rotate()
    first = session.sid
    session.rotate()
    assert session.sid != first
    sid = manager.commit(session).value
    assert sid == session.sid and dict(manager.open(sid)) == {"a": 1} and len(store) == 1


def test_rotate_a_new_session(manager, store):
    session = manager.open(None)
    session["user"] = "anna"
    before = session.sid
    session.rotate()
    assert session.sid != before
    assert manager.commit(session).value == session.sid
    assert len(store) == 1
    empty = manager.open(None)
    empty.rotate()
    assert manager.commit(empty) is None


def test_what_was_handed_out_before_a_rotation_still_counts(manager):
    session = manager.open(start(manager, cart=[1], other=[1]))
    cart = session["cart"]
    other = session["other"]
    other.append(2)
    session.rotate()
    cart.append(2)
    sid = manager.commit(session).value
    assert dict(manager.open(sid)) == {"cart": [1, 2], "other": [1, 2]}


def test_rotate_brings_along_what_others_saved(manager):
    sid = start(manager, a=1, b=[1], gone=1)
    session = manager.open(sid)
    session["a"], session["b"]
    other = manager.open(sid)
    other["a"] = 2
    other["b"].append(2)
    other["c"] = 3
    manager.commit(other)
    del session["gone"]
    session.rotate()
    assert dict(session) == {"a": 2, "b": [1, 2], "c": 3}
    assert dict(manager.open(manager.commit(session).value)) == {"a": 2, "b": [1, 2], "c": 3}


def test_a_rotation_does_not_revive_what_was_destroyed(manager):
    sid = start(manager, user="anna")
    session = manager.open(sid)
    assert session["user"] == "anna"
    logout = manager.open(sid)
    logout.destroy()
    session["theme"] = "dark"
    session.rotate()
    assert dict(session) == {"theme": "dark"}


def test_destroy(manager, store):
    sid = start(manager, a=1)
    session = manager.open(sid)
    session.destroy()
    assert store.get(sid) is None  # at once
    assert dict(session) == {} and session.new
    cookie = manager.commit(session)
    assert cookie.deletes and cookie.name == "guava_sid"
    assert manager.commit(session) is None  # told once
    assert len(store) == 0


def test_destroy_without_looking(manager, store):
    sid = start(manager, a=1)
    store.since()
    manager.open(sid).destroy()
    assert store.since() == ["get", "delete"] and len(store) == 0


def test_destroy_and_begin_again(manager, store):
    sid = start(manager, user="anna")
    session = manager.open(sid)
    session["late"] = 1
    session.destroy()
    session["flash"] = "bye"
    cookie = manager.commit(session)
    assert cookie.value not in ("", sid)
    assert dict(manager.open(cookie.value)) == {"flash": "bye"}


def test_destroy_without_a_session(manager, store):
    session = manager.open(None)
    session["a"] = 1
    session.destroy()
    assert manager.commit(session) is None and len(store) == 0
    stale = manager.open(generate_id())
    stale.destroy()
    assert manager.commit(stale).deletes


def test_destroy_what_was_just_saved(manager, store):
    session = manager.open(None)
    session["a"] = 1
    manager.commit(session)
    session.destroy()
    assert manager.commit(session).deletes and len(store) == 0


def test_destroy_after_rotate(manager, store):
    session = manager.open(start(manager, a=1))
    session.rotate()
    session.destroy()
    assert manager.commit(session).deletes and len(store) == 0


# Parallel requests of one session.


def test_parallel_changes_of_different_keys_are_all_kept(manager):
    sid = start(manager, a=1, b=1, c=[1], d=1)
    one, two = manager.open(sid), manager.open(sid)
    one["a"] = 2
    two["b"] = 2
    two["c"].append(2)
    del one["d"]
    two["new"] = True
    manager.commit(two)
    manager.commit(one)
    assert dict(manager.open(sid)) == {"a": 2, "b": 2, "c": [1, 2], "new": True}


def test_of_one_key_the_last_wins(manager):
    sid = start(manager, a=1)
    one, two = manager.open(sid), manager.open(sid)
    one["a"], two["a"] = "one", "two"
    manager.commit(two)
    manager.commit(one)
    assert manager.open(sid)["a"] == "one"


def test_a_value_that_was_only_read_is_not_written_back(manager):
    sid = start(manager, a=1, list=[1])
    reader, writer = manager.open(sid), manager.open(sid)
    reader["a"], reader["list"]
    writer["a"], writer["list"] = 2, [2]
    manager.commit(writer)
    reader["other"] = 1
    manager.commit(reader)
    assert dict(manager.open(sid)) == {"a": 2, "list": [2], "other": 1}


def test_clear_beats_what_was_added_meanwhile(manager):
    sid = start(manager, a=1)
    one, two = manager.open(sid), manager.open(sid)
    two["b"] = 2
    one.clear()
    one["c"] = 3
    manager.commit(two)
    manager.commit(one)
    assert dict(manager.open(sid)) == {"c": 3}


@pytest.mark.parametrize("how", ["destroy", "rotate"])
def test_a_late_request_does_not_revive_a_session(manager, store, how):
    sid = start(manager, user="anna")
    late = manager.open(sid)
    late["a"] = 1
    other = manager.open(sid)
    getattr(other, how)()
    manager.commit(other)
    # It keeps quiet: a cookie from it would take the visitor's new one away.
    assert manager.commit(late) is None
    assert store.get(sid) is None


# Living on.


def test_reading_keeps_a_session_alive(manager, clock, store):
    sid = start(manager, a=1)
    for _ in range(30):
        clock.now += 150
        session = manager.open(sid)
        assert session["a"] == 1
        assert manager.commit(session) is None


def test_a_reader_saves_only_when_a_tenth_of_the_lifetime_is_gone(manager, clock, store):
    sid = start(manager, a=1)
    store.since()
    clock.now += 100
    session = manager.open(sid)
    session["a"]
    manager.commit(session)
    assert store.since() == ["get"]
    clock.now += 1
    session = manager.open(sid)
    session["a"]
    assert not session.modified
    manager.commit(session)
    assert store.since() == ["get", "merge"]


def test_a_clock_that_was_set_back(manager, clock, store):
    sid = start(manager, a=1)
    clock.now -= 500
    session = manager.open(sid)
    assert session["a"] == 1
    store.since()
    manager.commit(session)
    assert store.since() == ["merge"]


def test_a_record_that_others_wrote(manager, store):
    for record in ({"a": 1}, {"a": 1, "_guava": 5}, {"a": 1, "_guava": {"created": "x"}}):
        sid = generate_id()
        store.set(sid, record)
        session = manager.open(sid)
        assert dict(session) == {"a": 1} and isinstance(session.created, float)
        session["a"] = 2
        manager.commit(session)
        assert manager.open(sid)["a"] == 2


def test_what_a_later_version_keeps_in_the_reserved_key_stays(manager, store):
    sid = generate_id()
    store.set(sid, {"a": 1, "_guava": {"created": 5, "later": [1]}})
    session = manager.open(sid)
    session["a"] = 2
    manager.commit(session)
    assert store.get(sid)["_guava"]["later"] == [1]


def test_it_can_be_used_without_a_manager(store):
    session = Session(store)
    session["a"] = 1
    assert session.save() and not session.save()
    assert Session(store, session.sid)["a"] == 1


def test_a_store_with_the_four_methods_only(clock):
    class Own(SessionStore):
        def __init__(self):
            super().__init__(lifetime=10)
            self.rows = {}

        def set(self, sid, value):
            self.rows[sid] = value

        def get(self, sid):
            return self.rows.get(sid)

        def delete(self, sid):
            self.rows.pop(sid, None)

    manager = SessionManager(Own(), clock=clock)
    sid = start(manager, a=1, list=[1])
    one, two = manager.open(sid), manager.open(sid)
    one["a"] = 2
    two["list"].append(2)
    manager.commit(one)
    manager.commit(two)
    assert dict(manager.open(sid)) == {"a": 2, "list": [1, 2]}
