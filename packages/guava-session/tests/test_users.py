"""Whose a session is: bind(), and signing out everywhere."""

import pytest
from guava_session import FileStore, MemoryStore, SessionManager, SessionStore
from guava_session.users import user_key


class FourMethods(SessionStore):
    """No more than a store must have."""

    def __init__(self):
        super().__init__()
        self.rows = {}

    def set(self, sid, value):
        self.rows[sid] = dict(value)

    def get(self, sid):
        return dict(self.rows[sid]) if sid in self.rows else None

    def delete(self, sid):
        self.rows.pop(sid, None)


@pytest.fixture(params=["memory", "file", "four methods"])
def store(request, tmp_path):
    make = {
        "memory": MemoryStore,
        "file": lambda: FileStore(tmp_path / "sessions"),
        "four methods": FourMethods,
    }
    with make[request.param]() as store:
        yield store


@pytest.fixture
def manager(store):
    return SessionManager(store)


def sign_in(manager, user_id, sid=None):
    session = manager.open(sid)
    session["theme"] = "dark"
    session.bind(user_id)
    return manager.commit(session).value


def test_a_session_becomes_a_users(manager):
    before = manager.open(None)
    before["cart"] = [1]
    assert before.user_id is None
    old = manager.commit(before).value
    sid = sign_in(manager, 7, old)
    session = manager.open(sid)
    assert sid != old and session.user_id == 7
    assert dict(session) == {"cart": [1], "theme": "dark"}
    assert manager.open(old).new


def test_it_stays_the_users_when_it_is_saved_and_rotated(manager):
    sid = sign_in(manager, "eve")
    session = manager.open(sid)
    session["a"] = 1
    manager.commit(session)
    session = manager.open(sid)
    session.rotate()
    session.clear()
    sid = manager.commit(session).value
    session = manager.open(sid)
    assert session.user_id == "eve" and dict(session) == {}


def test_signing_out_everywhere(manager):
    phone, desk, other = sign_in(manager, 7), sign_in(manager, 7), sign_in(manager, 8)
    manager.sign_out_everywhere(7)
    for sid in (phone, desk):
        session = manager.open(sid)
        assert session.user_id is None and session.new and session.expired
        assert len(session) == 0
        assert manager.commit(session).deletes
        assert manager.store.get(sid) is None
    assert manager.open(other).user_id == 8
    again = sign_in(manager, 7)
    assert manager.open(again).user_id == 7


def test_signing_out_everywhere_from_one_of_them(manager):
    phone, desk = sign_in(manager, 7), sign_in(manager, 7)
    session = manager.open(phone)
    session.sign_out_everywhere()
    assert manager.commit(session).deletes
    assert manager.open(phone).new and manager.open(desk).new


def test_one_signs_out_alone(manager):
    phone, desk = sign_in(manager, 7), sign_in(manager, 7)
    session = manager.open(phone)
    session.destroy()
    manager.commit(session)
    assert manager.open(phone).new and manager.open(desk).user_id == 7


def test_nobody_signs_out_everywhere(manager):
    session = manager.open(None)
    session.sign_out_everywhere()
    assert manager.commit(session) is None


def test_a_request_that_runs_meanwhile_saves_nothing_that_lives(manager):
    sid = sign_in(manager, 7)
    slow = manager.open(sid)
    assert slow.user_id == 7
    manager.sign_out_everywhere(7)
    slow["a"] = 1
    manager.commit(slow)
    assert manager.open(sid).new


def test_a_store_that_forgot_the_user_ends_the_sessions(manager):
    sid = sign_in(manager, 7)
    manager.store.delete(user_key(7))
    assert manager.open(sid).expired


def test_who_makes_up_the_id_of_a_users_record_gets_nothing(manager):
    sid = sign_in(manager, 7)
    for end in ("read", "write", "destroy", "rotate"):
        session = manager.open(user_key(7))
        if end == "read":
            assert session.new and dict(session) == {} and session.user_id is None
        elif end == "write":
            session["a"] = 1
        elif end == "destroy":
            session.destroy()
        else:
            session.rotate()
        cookie = manager.commit(session)
        assert cookie is None or cookie.value != user_key(7)
    assert manager.open(sid).user_id == 7


def test_the_users_record_lives_as_long_as_the_sessions():
    clock = type("Clock", (), {"now": 0.0, "__call__": lambda self: self.now})()
    manager = SessionManager(MemoryStore(lifetime=100, clock=clock), clock=clock)
    sid = sign_in(manager, 7)
    for _ in range(20):
        clock.now += 60
        session = manager.open(sid)
        assert session.user_id == 7
        manager.commit(session)


def test_numbers_and_texts_name_the_same_user():
    assert user_key(7) == user_key("7") != user_key("8")
    assert MemoryStore().is_id(user_key("\udcff"))


@pytest.mark.parametrize("user_id", [None, True, 1.0, b"7", ("a",)])
def test_what_is_no_user(manager, user_id):
    session = manager.open(None)
    with pytest.raises(TypeError, match="a user's id is a str or an int"):
        session.bind(user_id)
    with pytest.raises(TypeError, match="a user's id is a str or an int"):
        manager.sign_out_everywhere(user_id)
    assert not session.modified
