"""CookieStore: the session is in the cookie, and nobody can make or change one."""

import base64
import random
import sys

import pytest
from guava_session import CookieStore, CSRFError, MemoryStore, SessionManager

OLD, NEW = b"o" * 32, b"n" * 32


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["signed", "encrypted"])
def make(request, clock):
    if request.param == "encrypted":
        pytest.importorskip(
            "cryptography", reason="an optional package, which the project's own run has"
        )

    def make(keys=OLD, **options):
        encrypt = request.param == "encrypted"
        store = CookieStore(keys, encrypt=encrypt, clock=clock, lifetime=1000, **options)
        return SessionManager(store, clock=clock)

    return make


def begin(manager, **values):
    session = manager.open(None)
    session.update(values)
    return manager.commit(session).value


def test_a_visit(make):
    manager = make()
    token = begin(manager, cart=[1], user="anna")
    session = manager.open(token)
    assert dict(session) == {"cart": [1], "user": "anna"} and not session.new
    assert manager.commit(session) is None, "nothing changed"
    session = manager.open(token)
    session["cart"].append(2)
    again = manager.commit(session).value
    assert again != token and manager.open(again)["cart"] == [1, 2]
    # Another process has nothing but the keys.
    assert make().open(again)["cart"] == [1, 2]


def test_the_id_stays_until_it_is_rotated(make):
    manager = make()
    token = begin(manager, a=1)
    session = manager.open(token)
    sid = session.sid
    form = session.csrf_token()
    session["a"] = 2
    token = manager.commit(session).value
    session = manager.open(token)
    assert session.sid == sid and len(sid) == 43
    session.check_csrf(form)
    session.rotate()
    session = manager.open(manager.commit(session).value)
    assert session.sid != sid and dict(session) == {"a": 2}
    with pytest.raises(CSRFError):
        session.check_csrf(form)


def test_messages_and_csrf_of_a_new_visitor(make):
    manager = make()
    session = manager.open(None)
    session.flash("hello")
    form = session.csrf_token()
    session = manager.open(manager.commit(session).value)
    session.check_csrf(form)
    assert [flash.message for flash in session.flashes()] == ["hello"]
    session = manager.open(manager.commit(session).value)
    assert session.flashes() == []


def test_destroy_tells_the_browser(make):
    manager = make()
    session = manager.open(begin(manager, a=1))
    session.destroy()
    assert manager.commit(session).deletes


def test_every_changed_bit_is_seen(make):
    manager = make()
    token = begin(manager, user="anna")
    blob = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for at in range(len(blob)):
        changed = bytearray(blob)
        changed[at] ^= 1 << at % 8
        forged = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
        assert manager.open(forged).new
    for cut in range(len(token)):
        assert manager.open(token[:cut]).new
    for text in (None, "", "x" * 100, "é" * 100, token + "A", " " + token, token * 100):
        assert manager.open(text).new


def test_it_ends_with_its_lifetime(make, clock):
    manager = make()
    token = begin(manager, a=1)
    clock.now += 999
    assert not manager.open(token).new
    clock.now += 1
    assert manager.open(token).new


def test_who_comes_back_stays(make, clock):
    manager = make()
    token = begin(manager, a=1)
    for _ in range(20):
        clock.now += 600
        session = manager.open(token)
        assert session["a"] == 1
        token = manager.commit(session).value


def test_keys_can_be_changed(make):
    old, both, new = make(OLD), make([NEW, OLD]), make(NEW)
    token = begin(old, a=1)
    assert both.open(token)["a"] == 1 and new.open(token).new
    token = begin(both, a=2)
    assert new.open(token)["a"] == 2 and old.open(token).new


def test_what_is_signed_is_not_taken_for_secret_nor_the_other_way_round(clock):
    pytest.importorskip(
        "cryptography", reason="an optional package, which the project's own run has"
    )
    signed = SessionManager(CookieStore(OLD, clock=clock))
    secret = SessionManager(CookieStore(OLD, encrypt=True, clock=clock))
    assert secret.open(begin(signed, a=1)).new and signed.open(begin(secret, a=1)).new


def test_who_can_read_it(clock):
    pytest.importorskip(
        "cryptography", reason="an optional package, which the project's own run has"
    )
    for encrypt in (False, True):
        token = begin(SessionManager(CookieStore(OLD, encrypt=encrypt, clock=clock)), name="anna")
        blob = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        assert (b"anna" in blob) is not encrypt


def test_what_does_not_fit_is_an_error_that_names_it(make):
    manager = make()
    session = manager.open(None)
    session["small"] = 1
    session["picture"] = random.Random(1).randbytes(5000)
    with pytest.raises(ValueError, match=r"does not fit .* largest key is 'picture'"):
        manager.commit(session)


def test_what_repeats_itself_fits_a_signed_cookie(clock):
    manager = SessionManager(CookieStore(OLD, clock=clock))
    token = begin(manager, text="all the same " * 1000)
    assert len(token) < 1000 and manager.open(token)["text"] == "all the same " * 1000


def test_users_need_somebody_who_remembers(make):
    manager = make()
    session = manager.open(None)
    session.bind("anna")
    token = manager.commit(session).value
    assert manager.open(token).user_id == "anna"
    for call in (
        lambda: manager.sign_out_everywhere("anna"),
        lambda: manager.open(token).sign_out_everywhere(),
    ):
        with pytest.raises(RuntimeError, match="give the CookieStore a store that rem"):
            call()


def test_signing_out_everywhere_with_one(make):
    manager = make(users=MemoryStore())
    tokens = []
    for _ in range(2):
        session = manager.open(None)
        session.bind("anna")
        tokens.append(manager.commit(session).value)
    assert [manager.open(token).user_id for token in tokens] == ["anna", "anna"]
    manager.sign_out_everywhere("anna")
    for token in tokens:
        session = manager.open(token)
        assert session.expired and manager.commit(session).deletes


def test_there_is_nothing_to_clear(make):
    with pytest.raises(NotImplementedError, match="give it new keys"):
        make().store.clear()


def test_without_cryptography(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ImportError, match=r"pip install guava-session\[encrypt\]"):
        CookieStore(OLD, encrypt=True)


@pytest.mark.parametrize("keys", ["x" * 32, b"short", [], [OLD, b"short"]])
def test_what_is_no_key(keys):
    with pytest.raises((TypeError, ValueError), match="key"):
        CookieStore(keys)
