"""guava_session.django.SessionStore: what Django's sessions do, in any store."""

import asyncio
import datetime
import time

import pytest
from guava_session import (
    CookieStore,
    FileStore,
    MemoryStore,
    SessionManager,
    SessionStore,
    SQLiteStore,
    StoreError,
)

django = pytest.importorskip("django", reason="Django's face is tested with Django")
from django.conf import settings  # noqa: E402


def new_session(key=None):
    from guava_session.django import SessionStore as Engine

    return Engine(key)


def cookie_of(client):
    found = client.cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else None


@pytest.fixture(params=["memory", "file", "sqlite", "cookie"])
def any_store(request, tmp_path):
    """Settings that name a store of each kind."""
    if request.param == "file":
        made = FileStore(directory=tmp_path / "sessions")
    elif request.param == "sqlite":
        made = SQLiteStore(tmp_path / "sessions.db")
    elif request.param == "cookie":
        made = CookieStore(b"k" * 32)
    else:
        made = MemoryStore()
    from django.test.utils import override_settings

    with override_settings(GUAVA_SESSION_STORE=made):
        yield made
    made.close()


def test_a_session_in_any_store(any_store, client):
    assert [client.get("/count").content for _ in range(3)] == [b"1", b"2", b"3"]
    assert client.get("/nested").content == b"[7]"
    assert client.get("/nested").content == b"[7, 7]"
    assert client.get("/look").content == b"3"


def test_cookies_only_when_there_is_something_to_tell(client):
    answer = client.get("/plain")
    assert not answer.cookies and not answer.has_header("Vary")
    answer = client.get("/look")
    assert not answer.cookies and answer["Vary"] == "Cookie"
    answer = client.get("/count")
    assert answer.cookies["sessionid"]["max-age"] == settings.SESSION_COOKIE_AGE
    answer = client.get("/look")
    assert answer.content == b"1" and not answer.cookies


def test_an_id_of_somebody_elses_making_is_not_adopted(client, store):
    planted = store.generate_id()
    client.cookies["sessionid"] = planted
    client.get("/count")
    assert cookie_of(client) != planted and store.get(planted) is None
    client.cookies["sessionid"] = "too short; or worse"
    assert client.get("/look").content == b"None"


def test_what_an_error_page_changed_is_not_kept(client):
    client.get("/count")
    assert client.get("/fail").status_code == 500
    assert client.get("/look").content == b"1"


def test_of_parallel_requests_none_loses_an_update(client):
    client.get("/count")
    client.get("/parallel")
    assert dict(client.session.items()) == {"n": 1, "one": 1, "two": 2}


def test_a_session_that_was_logged_out_meanwhile_stays_so(client, store):
    client.get("/count")
    before = cookie_of(client)
    assert client.get("/parallel?out").status_code == 400  # SessionInterrupted
    assert store.get(before) is None


def test_the_mapping():
    session = new_session()
    assert session.is_empty() and session.session_key is None and not session.modified
    assert session.get("a") is None and session.get("a", 5) == 5
    assert session.pop("a", None) is None
    with pytest.raises(KeyError):
        session.pop("a")
    with pytest.raises(KeyError):
        session["a"]
    assert session.accessed and not session.modified
    assert session.setdefault("a", 1) == session.setdefault("a", 2) == 1
    session.update({"b": [1], "c": None})
    assert session.modified and not session.is_empty()
    assert session.has_key("b") and "c" in session
    assert sorted(session.keys()) == ["a", "b", "c"]
    assert list(session.values()) == [1, [1], None]
    assert session.load() == dict(session.items()) == {"a": 1, "b": [1], "c": None}
    del session["c"]
    assert session.pop("a") == 1
    session.save()
    assert not session.modified and session.exists(session.session_key)
    again = new_session(session.session_key)
    assert not again.is_empty() and not again.accessed
    again["b"].append(2)
    assert again.modified
    again.save()
    assert new_session(session.session_key)["b"] == [1, 2]
    again.clear()
    assert again.modified and not again.is_empty()
    again.save()
    assert not list(new_session(session.session_key).items())
    session.set_test_cookie()
    assert session.test_cookie_worked()


def test_modified_can_be_taken_back(client):
    session = new_session()
    session["a"] = [1]
    session.modified = False
    assert session["a"] == [1] and "a" in session and not session.modified
    session["b"] = 2
    assert session.modified
    session.save()
    session["a"].append(2)
    assert session.modified
    with pytest.raises(AttributeError):
        session.session_key = "another"


def test_encode_and_decode():
    session = new_session()
    assert session.decode(session.encode({"a": 1})) == {"a": 1}
    assert session.decode("something else") == {}


def test_create_cycle_delete_flush(store):
    session = new_session()
    session.create()
    first = session.session_key
    assert session.modified and session.exists(first)
    session["a"] = 1
    session.save()
    session.cycle_key()
    second = session.session_key
    session.save()
    assert second != first and not session.exists(first) and session.exists(second)
    assert dict(session.items()) == {"a": 1}
    session.create()
    assert session.session_key not in (first, second) and session.exists(second)
    assert dict(session.items()) == {"a": 1}
    other = new_session(second)
    other.save(must_create=True)
    assert other.session_key != second and other["a"] == 1
    session.delete(second)
    assert not session.exists(second)
    third = session.session_key
    session.flush()
    assert session.session_key is None and session.is_empty() and session.modified
    assert not session.exists(third) and store.get(third) is None
    session.delete()
    session.cycle_key()
    session.save()
    assert session.exists(session.session_key) and not session.exists(None)


def test_a_users_record_is_no_session(store):
    from guava_session.users import user_key

    session = new_session()
    session.bind("anna")
    session.save()
    key = user_key("anna")
    assert store.get(key) is not None
    assert not session.exists(key)
    session.delete(key)
    assert store.get(key) is not None


def test_save_of_a_deleted_session_is_an_update_error():
    from django.contrib.sessions.backends.base import UpdateError

    session = new_session()
    session["a"] = 1
    session.save()
    other = new_session(session.session_key)
    other["b"] = 2
    session.delete()
    with pytest.raises(UpdateError):
        other.save()


def later(session, seconds):
    session.shared._clock = lambda: time.time() + seconds
    return session


def test_it_ends_as_django_says():
    from django.test.utils import override_settings
    from django.utils import timezone

    with override_settings(SESSION_COOKIE_AGE=1000):
        session = new_session()
        session["a"] = 1
        session.save()
        key = session.session_key
        assert later(new_session(key), 900).get("a") == 1
        assert later(new_session(key), 1001).get("a") is None
        assert not session.exists(key)  # deleted when it was seen

        for expiry, age in [
            (5000, 5000),
            (timezone.now() + datetime.timedelta(seconds=5000), 5000),
            (datetime.timedelta(seconds=5000), 5000),
            (0, 1000),
        ]:
            session = new_session()
            session["a"] = 1
            session.set_expiry(expiry)
            assert abs(session.get_expiry_age() - age) <= 60
            assert session.get_expire_at_browser_close() is (expiry == 0)
            session.save()
            assert later(new_session(session.session_key), age - 60).get("a") == 1
            assert later(new_session(session.session_key), age + 60).get("a") is None

        for past in (-10, datetime.timedelta(seconds=-10)):
            session = new_session()
            session["a"] = 1
            session.set_expiry(past)
            session.save()
            assert "a" not in new_session(session.session_key)

        session = new_session()
        session.set_expiry(10)
        session.set_expiry(None)
        session.set_expiry(None)
        assert session.get_expiry_age() == 1000
        assert session.get_expiry_date() > timezone.now()


def test_an_expiry_beyond_the_stores_lifetime_is_refused():
    month = datetime.timedelta(days=30)
    for value in (int(month.total_seconds()), month):
        with pytest.raises(ValueError, match="make the store's lifetime longer"):
            new_session().set_expiry(value)


def test_the_managers_time_outs_count(client):
    from django.test.utils import override_settings

    clock = [1_000_000.0]
    manager = SessionManager(MemoryStore(), idle_timeout=1000, clock=lambda: clock[0])
    with override_settings(GUAVA_SESSION_STORE=manager):
        client.get("/count")
        for _ in range(3):
            clock[0] += 600
            assert client.get("/look").content == b"1"
        clock[0] += 1000
        assert client.get("/look").content == b"None"


def test_save_every_request(client):
    from django.test.utils import override_settings

    client.get("/count")
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        assert client.get("/plain").cookies["sessionid"].value == cookie_of(client)
    assert client.get("/look").content == b"1"


def test_a_store_that_is_gone_is_an_error_and_no_empty_session(client):
    from django.test.utils import override_settings

    class Gone(MemoryStore):
        def get(self, sid):
            raise StoreError("the server does not answer")

        def set(self, sid, value):
            raise StoreError("the server does not answer")

    with override_settings(GUAVA_SESSION_STORE=Gone()):
        client.raise_request_exception = False
        answer = client.get("/count")
        assert answer.status_code == 500 and not answer.cookies
        client.cookies["sessionid"] = MemoryStore().generate_id()
        assert client.get("/look").status_code == 500


def test_clearsessions(tmp_path):
    from django.core.management import call_command
    from django.test.utils import override_settings

    call_command("clearsessions")
    clock = [1_000_000.0]
    with SQLiteStore(tmp_path / "s.db", lifetime=1209600, clock=lambda: clock[0]) as store:
        for _ in range(3):
            store.set(store.generate_id(), {"a": 1})
        clock[0] += 1209601
        with override_settings(GUAVA_SESSION_STORE=store):
            call_command("clearsessions")
        assert store.delete_expired() == 0
        clock[0] -= 1209601
        assert list(store.iterate()) == []

    class Plain(SessionStore):
        pass

    with override_settings(GUAVA_SESSION_STORE=Plain()):
        call_command("clearsessions")  # the place forgets by itself


# On an event loop.


needs_async = pytest.mark.skipif(
    django.VERSION < (5, 1), reason="Django's sessions have no async methods before 5.1"
)


@needs_async
def test_asynchronous_methods(any_store):
    async def life():
        session = new_session()
        await session.aset("a", 1)
        await session.aupdate({"b": [1]})
        await session.asave()
        again = new_session(session.session_key)
        assert await again.aget("a") == 1 and await again.ahas_key("b")
        assert await again.aload() == {"a": 1, "b": [1]}
        await again.abind("anna")
        await again.aset_expiry(100)
        assert await again.aget_expiry_age() == 100
        assert not await again.aget_expire_at_browser_close()
        await again.asave()
        assert await again.aexists(again.session_key)
        await again.acycle_key()
        await again.asave()
        await again.acreate()
        key = again.session_key
        assert await again.aget("a") == 1 and await again.aexists(key)
        with pytest.raises(ValueError, match="lifetime"):
            await again.aset_expiry(10**9)
        await again.aflush()
        assert again.session_key is None
        await again.adelete(key)
        await again.aclear_expired()
        last = new_session(session.session_key)
        await last.aset("a", 2)
        if not any_store.stateless:
            await last.abind("anna")
            await last.asave()
            assert await last.aexists(last.session_key)
            await last.asign_out_everywhere()
        return last.is_empty()

    assert asyncio.run(life()) is not any_store.stateless


@needs_async
def test_it_ends_on_an_event_loop_too():
    session = new_session()
    session["a"] = 1
    session.save()

    async def late():
        found = later(new_session(session.session_key), settings.SESSION_COOKIE_AGE + 1)
        # The store has the time of the machine, and still has it.
        return await found.aget("a"), found.shared.expired

    assert asyncio.run(late()) == (None, True)
    assert not session.exists(session.session_key)
