"""Idle and absolute time-outs, which end a session that the store still has."""

import pytest
from guava_session import MemoryStore, SessionManager


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(clock):
    return lambda **options: SessionManager(MemoryStore(clock=clock), clock=clock, **options)


def begin(manager):
    session = manager.open(None)
    session["a"] = 1
    return manager.commit(session).value


def visit(manager, sid):
    session = manager.open(sid)
    alive = "a" in session
    manager.commit(session)
    return alive


def test_who_stays_away_is_signed_out(make, clock):
    manager = make(idle_timeout=900)
    sid = begin(manager)
    clock.now += 899
    assert visit(manager, sid)
    clock.now += 900
    session = manager.open(sid)
    assert session.expired and session.new and dict(session) == {}
    assert manager.commit(session).deletes
    assert manager.store.get(sid) is None


def test_who_comes_back_stays(make, clock):
    manager = make(idle_timeout=900)
    sid = begin(manager)
    for _ in range(100):
        clock.now += 800
        assert visit(manager, sid)


def test_often_is_not_later_than_a_tenth_before(make, clock):
    manager = make(idle_timeout=900)
    sid = begin(manager)
    for _ in range(1000):
        clock.now += 1
        assert visit(manager, sid)
    clock.now += 809
    assert visit(manager, sid)


def test_looking_is_not_written_each_time(make, clock):
    manager = make(idle_timeout=900)
    sid = begin(manager)
    kept = manager.store.get(sid)
    clock.now += 89
    visit(manager, sid)
    assert manager.store.get(sid) == kept
    clock.now += 2
    visit(manager, sid)
    assert manager.store.get(sid) != kept


def test_an_end_that_use_does_not_put_off(make, clock):
    manager = make(absolute_timeout=3600)
    sid = begin(manager)
    for _ in range(35):
        clock.now += 100
        assert visit(manager, sid)
    clock.now += 100
    assert not visit(manager, sid)


def test_a_new_id_does_not_put_it_off_either(make, clock):
    manager = make(absolute_timeout=3600)
    sid = begin(manager)
    clock.now += 3599
    session = manager.open(sid)
    session.rotate()
    sid = manager.commit(session).value
    assert visit(manager, sid)
    clock.now += 1
    assert not visit(manager, sid)


def test_what_is_written_afterwards_begins_a_new_one(make, clock):
    manager = make(absolute_timeout=3600)
    sid = begin(manager)
    clock.now += 3600
    session = manager.open(sid)
    session["b"] = 2
    cookie = manager.commit(session)
    assert not cookie.deletes and cookie.value != sid
    assert dict(manager.open(cookie.value)) == {"b": 2}
    assert not manager.open(cookie.value).expired


def test_a_clock_that_was_set_back_signs_nobody_out(make, clock):
    manager = make(idle_timeout=900, absolute_timeout=3600)
    sid = begin(manager)
    clock.now -= 50_000
    assert visit(manager, sid)
    clock.now += 100
    assert visit(manager, sid)


def test_an_unknown_id_has_not_expired(make):
    session = make(idle_timeout=900).open("A" * 43)
    assert session.new and not session.expired


@pytest.mark.parametrize("name", ["idle_timeout", "absolute_timeout"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_what_is_no_timeout(make, name, seconds):
    with pytest.raises(ValueError, match=f"{name} must be more than 0 seconds"):
        make(**{name: seconds})


def test_one_that_never_comes(make):
    with pytest.raises(ValueError, match="never comes: the store forgets"):
        make(idle_timeout=15 * 24 * 3600)
