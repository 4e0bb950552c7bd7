"""GUAVA_SESSION_STORE and the other settings: what they take, and what is said of wrong ones."""

import subprocess
import sys
import threading

import pytest
from guava_session import FileStore, MemoryStore, SessionManager, SessionStore, SQLiteStore

pytest.importorskip("django", reason="Django's face is tested with Django")


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


def test_first_requests_at_once_find_one_store(monkeypatch):
    from django.test.utils import override_settings
    from guava_session.django import find_manager

    makers, both = [], threading.Barrier(2, timeout=60)

    def make():
        makers.append(threading.current_thread())
        return MemoryStore()

    def find():
        both.wait()
        found.append(find_manager())

    module = type(sys)("places_of_sessions")
    module.make, found = make, []
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with override_settings(GUAVA_SESSION_STORE="places_of_sessions.make"):
        threads = [threading.Thread(target=find) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(makers) == 1 and found[0] is found[1]


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
from django.conf import settings  # noqa: E402
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
