"""SessionManager: which response sets which cookie, and what happens when the store cannot."""

import errno
import logging

import pytest
from guava_session import MemoryStore, SessionManager


class BrokenStore(MemoryStore):
    """Reads, and fails to write as a full disk does while `full` is set."""

    full = False

    def _check(self):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")

    def set(self, sid, value):
        self._check()
        super().set(sid, value)

    def merge(self, *args, **kwargs):
        self._check()
        return super().merge(*args, **kwargs)


def visit(manager, cookie=None, **options):
    session = manager.open(cookie, **options)
    session["visits"] = session.get("visits", 0) + 1
    return manager.commit(session)


def test_the_first_visit_sets_the_cookie_and_later_ones_do_not():
    manager = SessionManager(MemoryStore())
    cookie = visit(manager)
    assert cookie.header() == f"guava_sid={cookie.value}; Path=/; HttpOnly; SameSite=Lax"
    assert visit(manager, cookie.value) is None
    assert manager.open(cookie.value)["visits"] == 2


def test_secure_follows_the_request_unless_it_is_said():
    assert visit(SessionManager(MemoryStore()), secure=True).secure
    assert not visit(SessionManager(MemoryStore()), secure=False).secure
    assert visit(SessionManager(MemoryStore(), secure=True)).secure
    assert not visit(SessionManager(MemoryStore(), secure=False), secure=True).secure


def test_options_arrive_in_the_cookie_and_in_its_deletion():
    manager = SessionManager(
        MemoryStore(),
        cookie_name="sid",
        path="/app",
        domain="example.org",
        secure=True,
        same_site="None",
        max_age=60,
        http_only=False,
    )
    cookie = visit(manager)
    rest = "; Domain=example.org; Path=/app; Secure; SameSite=None"
    assert cookie.header() == f"sid={cookie.value}; Max-Age=60" + rest
    session = manager.open(cookie.value)
    session.destroy()
    # A browser deletes the cookie of this domain and path only.
    assert manager.commit(session).header() == (
        "sid=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + rest
    )


def test_the_host_prefix():
    cookie = visit(SessionManager(MemoryStore(), host_prefix=True))
    assert cookie.name == "__Host-guava_sid" and cookie.secure


@pytest.mark.parametrize(
    "wrong",
    [
        {"cookie_name": "a b"},
        {"path": "app"},
        {"domain": "a;b"},
        {"same_site": "None"},
        {"max_age": 0},
        {"max_age": -1},
        {"host_prefix": True, "path": "/app"},
        {"host_prefix": True, "domain": "example.org"},
        {"cookie_name": "__Host-sid"},
    ],
)
def test_a_cookie_that_browsers_drop_is_refused_at_start(wrong):
    with pytest.raises(ValueError):
        SessionManager(MemoryStore(), **wrong)


def test_max_age_is_renewed_whenever_the_session_is_saved():
    manager = SessionManager(MemoryStore(), max_age=60)
    cookie = visit(manager)
    assert visit(manager, cookie.value) == cookie
    session = manager.open(cookie.value)
    session["visits"]
    assert manager.commit(session) is None


def test_open_header():
    manager = SessionManager(MemoryStore())
    sid = visit(manager).value
    assert manager.open_header(f"a=b; guava_sid={sid}; c=d")["visits"] == 1
    assert manager.open_header("a=b").new
    assert manager.open_header(None).new
    assert manager.open_header(f"guava_sid=planted; guava_sid={sid}").new  # the first counts


def test_response_fields():
    manager = SessionManager(MemoryStore())
    session = manager.open(None)
    assert manager.headers(session) == []
    session["a"] = 1
    sid = session.sid
    assert manager.headers(session) == [
        ("Set-Cookie", f"guava_sid={sid}; Path=/; HttpOnly; SameSite=Lax"),
        ("Cache-Control", "private"),
        ("Vary", "Cookie"),
    ]
    session = manager.open(sid)
    session.get("a")
    assert manager.headers(session) == [("Vary", "Cookie")]


def test_a_full_disk_costs_the_session_and_not_the_response(caplog):
    store = BrokenStore()
    manager = SessionManager(store)
    sid = visit(manager).value
    store.full = True

    session = manager.open(None)
    session["a"] = 1
    with caplog.at_level(logging.ERROR, "guava.session"):
        assert manager.commit(session) is None  # no cookie for what does not exist
    assert session.save_error.errno == errno.ENOSPC
    assert "could not be saved" in caplog.text and session.sid not in caplog.text
    assert sid not in caplog.text

    session = manager.open(sid)
    session["visits"] = 100
    assert manager.commit(session) is None and session.save_error is not None

    store.full = False
    assert manager.open(sid)["visits"] == 1  # as it was
    assert session.modified
    assert manager.commit(session) is None and session.save_error is None
    assert manager.open(sid)["visits"] == 100


def test_a_rotation_that_cannot_be_saved_logs_the_visitor_out(caplog):
    store = BrokenStore()
    manager = SessionManager(store)
    sid = visit(manager).value
    store.full = True
    session = manager.open(sid)
    session.rotate()
    assert manager.commit(session).deletes
    store.full = False
    assert manager.open(sid).new


def test_errors_that_are_the_programs_are_raised():
    manager = SessionManager(MemoryStore())
    session = manager.open(None)
    session["list"] = []
    session["list"].append(object())
    with pytest.raises(TypeError, match=r"'list\[0\]'"):
        manager.commit(session)


def test_a_store_that_cannot_be_read_is_no_empty_session():
    class Unreadable(MemoryStore):
        def get(self, sid):
            raise OSError(errno.EIO, "Input/output error")

    manager = SessionManager(Unreadable())
    session = manager.open("A" * 43)
    with pytest.raises(OSError, match="Input/output"):
        session.get("user")


def test_two_managers_of_one_store_share_its_sessions():
    store = MemoryStore()
    sid = visit(SessionManager(store, cookie_name="one")).value
    assert SessionManager(store, cookie_name="two").open(sid)["visits"] == 1
