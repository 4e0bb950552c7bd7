"""guava_session.django in a Django project: engine, logins, messages, CSRF, and its test client.

Django is configured once for the process, here.
"""

import asyncio
import datetime
import json
import subprocess
import sys
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

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "guava_session.django.SharedLogin",
    "django.contrib.messages.middleware.MessageMiddleware",
]
STORES = {}


class Urls:
    """A ROOT_URLCONF need not be a module."""

    urlpatterns = []


def make_store():
    return STORES["made"]


# Not "module": a worker of pytest-xdist that steals tests comes back to a module it has left.
@pytest.fixture(scope="session", autouse=True)
def project(tmp_path_factory):
    settings.configure(
        SECRET_KEY="for the tests of guava-session",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=Urls,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": tmp_path_factory.mktemp("django") / "db.sqlite3",
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
        ],
        MIDDLEWARE=MIDDLEWARE,
        MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
        # Hashing is not what is tested.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_ENGINE="guava_session.django",
        GUAVA_SESSION_STORE="memory://",
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    make_pages()
    yield
    from django.db import connections

    connections.close_all()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture(autouse=True)
def used(store):
    from django.test.utils import override_settings

    with override_settings(GUAVA_SESSION_STORE=store):
        yield


@pytest.fixture
def client():
    from django.test import Client

    return Client()


@pytest.fixture
def anna():
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.create_user("anna", password="secret")
    yield user
    user.delete()


def make_pages():
    from django.contrib import auth, messages
    from django.http import HttpResponse, HttpResponseServerError
    from django.middleware.csrf import get_token
    from django.urls import path
    from guava_session.django import sign_out_everywhere

    def count(request):
        request.session["n"] = request.session.get("n", 0) + 1
        return HttpResponse(str(request.session["n"]))

    def look(request):
        return HttpResponse(str(request.session.get("n")))

    def plain(request):
        return HttpResponse("plain")

    def nested(request):
        request.session.setdefault("cart", []).append(7)
        return HttpResponse(json.dumps(request.session["cart"]))

    def fail(request):
        request.session["n"] = 1000
        return HttpResponseServerError("failed")

    def parallel(request):
        """Another request of this session comes and goes while this one is answered."""
        request.session["one"] = 1
        other = SessionManager(settings.GUAVA_SESSION_STORE).open(request.session.session_key)
        if "out" in request.GET:
            other.destroy()
        else:
            other["two"] = 2
            other.save()
        return HttpResponse("both")

    def login(request):
        user = auth.authenticate(request, username="anna", password=request.POST["password"])
        if user is None:
            return HttpResponse("no", status=403)
        auth.login(request, user)
        return HttpResponse(user.username)

    def logout(request):
        auth.logout(request)
        return HttpResponse("out")

    def everywhere(request):
        sign_out_everywhere(request)
        return HttpResponse(str(request.user))

    def password(request):
        request.user.set_password("new")
        request.user.save()
        auth.update_session_auth_hash(request, request.user)
        return HttpResponse("changed")

    def me(request):
        return HttpResponse(f"{request.user} {request.session.user_id}")

    async def ame(request):
        return HttpResponse(str(await request.auser()))

    async def acount(request):
        await request.session.aset("n", await request.session.aget("n", 0) + 1)
        return HttpResponse(str(await request.session.aget("n")))

    def say(request):
        messages.success(request, "It is <done>.")
        return HttpResponse("said")

    def said(request):
        found = [
            (message.level_tag, message.message) for message in messages.get_messages(request)
        ]
        return HttpResponse(json.dumps(found))

    def form(request):
        return HttpResponse(get_token(request))

    async def alogin(request):
        user = await auth.aauthenticate(request, username="anna", password="secret")
        await auth.alogin(request, user)
        return HttpResponse(user.username)

    async def alogout(request):
        await auth.alogout(request)
        return HttpResponse("out")

    pages = [count, look, plain, nested, fail, parallel, login, logout, everywhere, password]
    pages += [me, ame, acount, say, said, form, alogin, alogout]
    Urls.urlpatterns = [path(page.__name__, page) for page in pages]


def new_session(key=None):
    from guava_session.django import SessionStore as Engine

    return Engine(key)


def cookie_of(client):
    found = client.cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else None


# The engine.


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


# Logins.


def sign_in(client):
    answer = client.post("/login", {"password": "secret"})
    assert answer.status_code == 200
    return cookie_of(client)


def test_login_and_logout(client, anna, store):
    client.get("/count")
    before = cookie_of(client)
    assert client.post("/login", {"password": "wrong"}).status_code == 403
    after = sign_in(client)
    assert after != before and store.get(before) is None
    assert client.get("/me").content == f"anna {anna.pk}".encode()
    assert client.get("/look").content == b"1"
    answer = client.get("/logout")
    assert answer.cookies["sessionid"]["max-age"] == 0
    assert store.get(after) is None
    client.cookies["sessionid"] = after
    assert client.get("/me").content == b"AnonymousUser None"


def test_clear_signs_out_as_in_django(client, anna, store):
    sid = sign_in(client)
    session = client.session
    session.clear()
    assert session.modified and session.is_empty() and store.get(sid) is None
    assert client.get("/me").content == b"AnonymousUser None"


def test_the_test_clients_logins(client, anna):
    from django.test import AsyncClient, Client

    client.force_login(anna)
    assert client.get("/me").content == f"anna {anna.pk}".encode()
    client.logout()
    assert client.get("/me").content == b"AnonymousUser None"
    other = Client()
    assert other.login(username="anna", password="secret")
    assert other.get("/me").content == f"anna {anna.pk}".encode()
    session = other.session
    session["n"] = 41
    session.save()
    assert other.get("/count").content == b"42"

    async def asynchronously():
        client = AsyncClient()
        await asyncio.to_thread(client.force_login, anna)
        return (await client.get("/ame")).content

    assert asyncio.run(asynchronously()) == b"anna"


def test_another_framework_signs_in_and_out(client, anna, store):
    manager = SessionManager(store)
    session = manager.open(None)
    session.bind(anna.pk)
    session["_user_id"] = "a key of Flask-Login's"
    client.cookies["sessionid"] = manager.commit(session).value
    assert client.get("/me").content == f"anna {anna.pk}".encode()
    # Django's own keys are there now, and its password hash with them.
    assert client.session["_auth_user_id"] == str(anna.pk)
    answer = client.get("/me")
    assert answer.content == f"anna {anna.pk}".encode() and not answer.cookies
    anna.set_password("another")
    anna.save()
    assert client.get("/me").content == b"AnonymousUser None"

    sid = client.cookies["sessionid"] = SessionManager(store).commit(bound(store, anna.pk)).value
    assert client.get("/me").content.startswith(b"anna")
    manager.open(sid).destroy()
    assert client.get("/me").content == b"AnonymousUser None"


def bound(store, user_id):
    session = SessionManager(store).open(None)
    session.bind(user_id)
    return session


def test_djangos_login_is_everybodys(client, anna, store):
    sid = sign_in(client)
    assert SessionManager(store).open(sid).user_id == str(anna.pk)


def test_somebody_else_signs_in_elsewhere(client, anna, store):
    from django.contrib.auth import get_user_model

    bert = get_user_model().objects.create_user("bert")
    manager = SessionManager(store)
    session = manager.open(sign_in(client))
    session.bind(bert.pk)
    client.cookies["sessionid"] = manager.commit(session).value
    assert client.get("/me").content == f"bert {bert.pk}".encode()
    session = manager.open(cookie_of(client))
    session.bind("nobody whom Django knows")
    client.cookies["sessionid"] = manager.commit(session).value
    assert client.get("/me").content == b"AnonymousUser nobody whom Django knows"
    assert "_auth_user_id" not in client.session
    bert.is_active = False
    bert.save()
    client.cookies["sessionid"] = manager.commit(bound(store, bert.pk)).value
    assert client.get("/me").content == f"AnonymousUser {bert.pk}".encode()
    bert.delete()


def test_sign_out_everywhere(client, anna, store):
    from django.test import Client

    other = Client()
    sign_in(client), sign_in(other)
    assert client.get("/everywhere").content == b"AnonymousUser"
    assert other.get("/me").content == client.get("/me").content == b"AnonymousUser None"
    sign_in(client)
    SessionManager(store).sign_out_everywhere(anna.pk)
    assert client.get("/me").content == b"AnonymousUser None"


def test_a_new_password_ends_the_other_sessions(client, anna):
    from django.test import Client

    other = Client()
    before = sign_in(client)
    sign_in(other)
    client.get("/password")
    assert cookie_of(client) != before
    assert client.get("/me").content.startswith(b"anna")
    assert other.get("/me").content == b"AnonymousUser None"


def test_users_by_another_field(client, anna, store):
    from django.test.utils import override_settings

    with override_settings(GUAVA_SESSION_USER_ID="username"):
        sid = sign_in(client)
        assert SessionManager(store).open(sid).user_id == "anna"
        client.cookies["sessionid"] = SessionManager(store).commit(bound(store, "anna")).value
        assert client.get("/me").content == b"anna anna"


def test_without_shared_login_djangos_own_logins_are_bound(client, anna, store):
    from django.test.utils import override_settings

    with override_settings(MIDDLEWARE=[name for name in MIDDLEWARE if "guava" not in name]):
        sid = sign_in(client)
        assert client.get("/me").content == f"anna {anna.pk}".encode()
        SessionManager(store).sign_out_everywhere(anna.pk)
        assert client.get("/me").content == b"AnonymousUser None"
        assert store.get(sid) is None


# Django's other guests of a session.


def test_messages(client):
    client.get("/say")
    assert json.loads(client.get("/said").content) == [["success", "It is <done>."]]
    assert json.loads(client.get("/said").content) == []


@pytest.mark.parametrize("in_sessions", [False, True])
def test_csrf(anna, in_sessions):
    from django.test import Client
    from django.test.utils import override_settings

    with override_settings(CSRF_USE_SESSIONS=in_sessions):
        client = Client(enforce_csrf_checks=True)
        assert client.post("/login", {"password": "secret"}).status_code == 403
        token = client.get("/form").content.decode()
        assert ("csrftoken" in client.cookies) is not in_sessions
        form = {"password": "secret", "csrfmiddlewaretoken": token}
        assert client.post("/login", form).status_code == 200
        assert client.get("/me").content.startswith(b"anna")
        assert client.post("/login", form).status_code == 403  # the login made another secret


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


@needs_async
def test_asynchronous_views(anna):
    from django.test import AsyncClient

    async def visit():
        client = AsyncClient()
        texts = [(await client.get("/acount")).content for _ in range(2)]
        texts += [(await client.get("/alogin")).content, (await client.get("/ame")).content]
        await client.get("/alogout")
        return [*texts, (await client.get("/ame")).content]

    assert asyncio.run(visit()) == [b"1", b"2", b"anna", b"anna", b"AnonymousUser"]


# The settings.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "GUAVA_SESSION_STORE is missing"),
        (5, "not int"),
        ("ftp://user:password@host", "begins with 'ftp://'"),
        ("file://relative", "file:///folder"),
        ("nowhere.at.all", "No module named 'nowhere'"),
        ("json.dumps_", "does not define"),
        ("datetime.datetime.now", "datetime"),
        (MemoryStore(lifetime=60), "forgets a session after 60: give it lifetime="),
        (SessionManager(MemoryStore(), lock=True), "leave out lock=True"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(value, text):
    from django.core.exceptions import ImproperlyConfigured
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings

    with override_settings(GUAVA_SESSION_STORE=value):
        with pytest.raises(ImproperlyConfigured) as caught:
            WSGIHandler()
        assert text in str(caught.value) and "password" not in str(caught.value)


def test_an_asynchronous_store_is_refused():
    from django.core.exceptions import ImproperlyConfigured
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings

    class Asynchronous(SessionStore):
        async def get(self, sid): ...

        async def set(self, sid, value): ...

        async def delete(self, sid): ...

        async def clear(self, sid=None): ...

    with override_settings(GUAVA_SESSION_STORE=Asynchronous()):
        with pytest.raises(ImproperlyConfigured, match="is async def"):
            WSGIHandler()


def test_stores_by_url_and_by_path(tmp_path, monkeypatch):
    from django.test.utils import override_settings
    from guava_session.django import find_manager

    module = type(sys)("places_of_sessions")
    module.store, module.make = MemoryStore(), lambda: SQLiteStore(tmp_path / "c.db")
    module.manager = SessionManager(module.store, idle_timeout=60)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for value, kind in [
        ("memory://", MemoryStore),
        (f"file://{tmp_path}/sessions", FileStore),
        (f"sqlite://{tmp_path}/sessions.db", SQLiteStore),
        ("places_of_sessions.store", MemoryStore),
        ("places_of_sessions.make", SQLiteStore),
    ]:
        with override_settings(GUAVA_SESSION_STORE=value, SESSION_COOKIE_AGE=3600):
            manager = find_manager()
            assert find_manager() is manager and type(manager.store) is kind
            if "://" in value:
                assert manager.store.lifetime == 3600
            manager.store.close()
    for value, package, kind in [
        ("redis://127.0.0.1:1/0", "redis", "RedisStore"),
        ("memcached://127.0.0.1:1", "pymemcache", "MemcachedStore"),
    ]:
        # They connect when they are used.
        pytest.importorskip(package, reason="the store needs it")
        with override_settings(GUAVA_SESSION_STORE=value):
            assert type(find_manager().store).__name__ == kind
    with override_settings(GUAVA_SESSION_STORE="places_of_sessions.manager"):
        assert find_manager() is module.manager


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.db"}, "SharedLogin needs"),
        ({"GUAVA_SESSION_USER_ID": "nothing"}, "GUAVA_SESSION_USER_ID"),
        ({"GUAVA_SESSION_USER_ID": "first_name"}, "is not unique"),
    ],
)
def test_shared_login_says_what_it_needs(client, changes, text):
    from django.core.exceptions import ImproperlyConfigured
    from django.test.utils import override_settings

    with override_settings(**changes), pytest.raises(ImproperlyConfigured, match=text):
        client.get("/plain")


def test_the_settings_may_import_it_and_auth_need_not_be_installed(tmp_path):
    code = """
import sys
from django.conf import settings
import guava_session.django
assert not settings.configured
settings.configure(
    SESSION_ENGINE="guava_session.django", GUAVA_SESSION_STORE="memory://",
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=sys.modules["__main__"], ALLOWED_HOSTS=["*"], SECRET_KEY="x",
)
import django
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import path

def page(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return HttpResponse(str(request.session["n"]))

urlpatterns = [path("", page)]
client = Client()
print(client.get("/").content, client.get("/").content)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "b'1' b'2'\n", done.stderr


def test_without_django_it_says_what_to_install():
    code = """
import sys
sys.modules["django"] = None
try:
    import guava_session.django
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install guava-session[django]" in done.stdout
