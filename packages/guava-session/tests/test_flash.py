"""Flash messages: kept for one later page, whatever parallel requests do."""

import pytest
from guava_session import Flash, MemoryStore, SessionManager


@pytest.fixture
def manager():
    return SessionManager(MemoryStore())


@pytest.fixture
def sid(manager):
    session = manager.open(None)
    session["a"] = 1
    return manager.commit(session).value


def later(manager, sid):
    """What the next request finds, which is then forgotten."""
    session = manager.open(sid)
    found = session.flashes()
    manager.commit(session)
    return found


def test_the_next_page_has_it_once(manager, sid):
    session = manager.open(sid)
    session.flash("saved")
    session.flash("but the disk is nearly full", "warning")
    manager.commit(session)
    assert later(manager, sid) == [
        Flash("message", "saved"),
        Flash("warning", "but the disk is nearly full"),
    ]
    assert later(manager, sid) == []


def test_the_same_page_may_show_it(manager, sid):
    session = manager.open(sid)
    session.flash("now")
    assert [message for _, message in session.flashes()] == ["now"]
    assert session.flashes() == []
    manager.commit(session)
    assert later(manager, sid) == []


def test_a_message_alone_begins_a_session(manager):
    session = manager.open(None)
    session.flash("hello")
    assert session.new and session.modified
    assert later(manager, manager.commit(session).value) == [Flash("message", "hello")]


def test_a_message_that_was_shown_at_once_begins_none(manager):
    session = manager.open(None)
    session.flash("hello")
    session.flashes()
    assert manager.commit(session) is None


def test_one_category_leaves_the_others(manager, sid):
    session = manager.open(sid)
    for number in range(12):
        session.flash(str(number), "even" if number % 2 == 0 else "odd")
    manager.commit(session)
    session = manager.open(sid)
    assert [message for _, message in session.flashes("odd")] == ["1", "3", "5", "7", "9", "11"]
    manager.commit(session)
    assert [flash.message for flash in later(manager, sid)] == ["0", "2", "4", "6", "8", "10"]


def test_those_of_parallel_requests_are_all_kept(manager, sid):
    sessions = [manager.open(sid) for _ in range(5)]
    for number, session in enumerate(sessions):
        session.flash(str(number))
    for session in sessions:
        manager.commit(session)
    assert sorted(flash.message for flash in later(manager, sid)) == ["0", "1", "2", "3", "4"]


def test_what_one_request_showed_another_does_not_bring_back(manager, sid):
    session = manager.open(sid)
    session.flash("once")
    manager.commit(session)
    slow = manager.open(sid)
    assert len(slow) == 1
    assert len(later(manager, sid)) == 1
    slow["b"] = 2
    manager.commit(slow)
    assert later(manager, sid) == []


def test_they_are_no_keys_of_the_mapping(manager, sid):
    session = manager.open(sid)
    session.flash("hidden")
    assert dict(session) == {"a": 1} and len(session) == 1
    manager.commit(session)
    assert dict(manager.open(sid)) == {"a": 1}


def test_clear_forgets_them(manager, sid):
    session = manager.open(sid)
    session.flash("one")
    manager.commit(session)
    session = manager.open(sid)
    session.flash("two")
    session.clear()
    manager.commit(session)
    assert later(manager, sid) == []


def test_they_go_along_with_a_new_id(manager, sid):
    session = manager.open(sid)
    session.flash("before")
    manager.commit(session)
    session = manager.open(sid)
    parallel = manager.open(sid)
    assert [flash.message for flash in session.flashes("message")] == ["before"]
    session.flash("mine")
    parallel.flash("theirs")
    manager.commit(parallel)
    session.rotate()
    found = later(manager, manager.commit(session).value)
    assert sorted(flash.message for flash in found) == ["mine", "theirs"]


@pytest.mark.parametrize("arguments", [(1,), (None,), (b"x",), ("x", 1), ("x", None)])
def test_only_text(manager, arguments):
    session = manager.open(None)
    with pytest.raises(TypeError, match="a flash message and its category are str"):
        session.flash(*arguments)
    assert not session.modified
