"""CSRF tokens: what another site cannot know."""

import base64
import random

import pytest
from guava_session import CSRFError, MemoryStore, SessionManager


@pytest.fixture
def manager():
    return SessionManager(MemoryStore())


@pytest.fixture
def sid(manager):
    session = manager.open(None)
    session["a"] = 1
    return manager.commit(session).value


def test_a_form_comes_back(manager, sid):
    token = manager.open(sid).csrf_token()
    manager.open(sid).check_csrf(token)
    manager.open(sid).check_csrf(token)


def test_a_new_visitor_gets_a_session_for_it(manager):
    session = manager.open(None)
    token = session.csrf_token()
    sid = manager.commit(session).value
    manager.open(sid).check_csrf(token)
    assert dict(manager.open(sid)) == {}


def test_it_writes_nothing_to_a_session_that_is_there(manager, sid):
    session = manager.open(sid)
    session.csrf_token()
    assert not session.modified
    assert manager.commit(session) is None


def test_each_is_another_and_all_are_good(manager, sid):
    session = manager.open(sid)
    tokens = {session.csrf_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        session.check_csrf(token)
        assert len(token) == 86
        assert sid not in token and base64.urlsafe_b64decode(sid + "=") not in (
            base64.urlsafe_b64decode(token + "==")
        )


@pytest.mark.parametrize("token", [None, ""])
def test_none_is_refused(manager, sid, token):
    with pytest.raises(CSRFError, match="has no CSRF token"):
        manager.open(sid).check_csrf(token)


@pytest.mark.parametrize("token", ["x", "x" * 86, "é" * 86, "\udcff" * 86, " " * 86, "=" * 86])
def test_what_is_none_is_refused(manager, sid, token):
    with pytest.raises(CSRFError, match="not one of this session"):
        manager.open(sid).check_csrf(token)


@pytest.mark.parametrize("token", [5, b"x" * 86, ["x"]])
def test_other_types_are_refused(manager, sid, token):
    with pytest.raises(CSRFError):
        manager.open(sid).check_csrf(token)


def test_every_changed_character_is_seen(manager, sid):
    session = manager.open(sid)
    token = session.csrf_token()
    chance = random.Random(5)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for at in range(len(token) - 1):  # of the last one's bits some are padding
        other = chance.choice(alphabet.replace(token[at], ""))
        with pytest.raises(CSRFError):
            session.check_csrf(token[:at] + other + token[at + 1 :])
    for cut in (token[:-1], token + "A", token[1:]):
        with pytest.raises(CSRFError):
            session.check_csrf(cut)


def test_another_visitors_is_refused(manager, sid):
    other = manager.open(None)
    token = other.csrf_token()
    manager.commit(other)
    with pytest.raises(CSRFError):
        manager.open(sid).check_csrf(token)


def test_a_visitor_without_a_session_has_none(manager):
    session = manager.open(None)
    token = session.csrf_token()
    with pytest.raises(CSRFError):
        manager.open(None).check_csrf(token)
    with pytest.raises(CSRFError):
        manager.open("A" * 43).check_csrf(token)


def test_those_of_before_the_login_end_with_it(manager, sid):
    token = manager.open(sid).csrf_token()
    session = manager.open(sid)
    session.rotate()
    manager.commit(session)
    with pytest.raises(CSRFError):
        session.check_csrf(token)
    session.check_csrf(session.csrf_token())
