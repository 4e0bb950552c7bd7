"""The README's examples run, in order, and do what the text around them says."""

import asyncio
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest
from guava_session import SessionManager

TEXT = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def run(marker):
    """The names that the one block with this text defines."""
    (block,) = [block for block in BLOCKS if marker in block]
    namespace = {"__name__": "example"}
    exec(compile(block, "README.md", "exec"), namespace)
    return namespace


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_block_is_tested_here():
    assert len(BLOCKS) == 12


def test_the_wsgi_application():
    application = run("def application")["application"]

    def visit(cookie=None):
        answer = {}
        environ = {"wsgi.url_scheme": "http"}
        if cookie is not None:
            environ["HTTP_COOKIE"] = cookie
        body = application(environ, lambda status, headers: answer.update(headers))
        return b"".join(body), answer

    body, headers = visit()
    assert body == b"This is your visit number 1.\n"
    cookie, _, rest = headers["Set-Cookie"].partition("; ")
    assert cookie.startswith("guava_sid=") and rest == "Path=/; HttpOnly; SameSite=Lax"
    body, headers = visit(f"other=1; {cookie}")
    assert body == b"This is your visit number 2.\n"
    assert headers == {"Content-Type": "text/plain", "Vary": "Cookie"}
    assert visit("guava_sid=" + "A" * 43)[0] == b"This is your visit number 1.\n"


def test_the_wsgi_application_has_the_promised_length():
    (block,) = [block for block in BLOCKS if "def application" in block]
    assert len([line for line in block.splitlines() if line.strip()]) <= 15


def test_around_an_application():
    application, bodies, answer = run("WSGISessions(counting")["wsgi"], [], {}
    environ = {"wsgi.url_scheme": "http"}
    for _ in range(2):
        bodies.append(b"".join(application(environ, lambda status, fields: answer.update(fields))))
        environ["HTTP_COOKIE"] = answer["Set-Cookie"].partition(";")[0]
    assert bodies == [b"1\n", b"2\n"]


def test_flask():
    pytest.importorskip("flask", reason="Flask's face is tested with Flask")
    client = run("GuavaSessions(app")["app"].test_client()
    assert [client.get("/").text for _ in range(2)] == ["1\n", "2\n"]


def test_fastapi():
    pytest.importorskip("fastapi", reason="is tested with ASGISessions")
    pytest.importorskip("httpx", reason="FastAPI's test client needs it")
    from fastapi.testclient import TestClient

    with TestClient(run("from fastapi")["app"]) as client:
        assert [client.get("/").json() for _ in range(2)] == [1, 2]


def test_django():
    """The settings, in a project of their own: Django has one in a process."""
    pytest.importorskip("django", reason="Django's face is tested with Django")
    pytest.importorskip("redis", reason="the example's store needs it")
    project = """
import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
SECRET_KEY = "for a test"
settings.configure(**{name: value for name, value in globals().items() if name.isupper()})
django.setup()
WSGIHandler()  # starts what the settings name
"""
    (block,) = [block for block in BLOCKS if "SESSION_ENGINE" in block]
    code = [sys.executable, "-c", f"{block}\n{project}"]
    subprocess.run(code, check=True, timeout=60)


def test_login_and_logout():
    names = run("def login")
    manager = SessionManager(run("store = ")["store"])
    session = manager.open(None)
    session["cart"] = [1]
    before = manager.commit(session).value
    session = manager.open(before)
    names["login"](session, "anna")
    after = manager.commit(session).value
    assert manager.open(before).new
    session = manager.open(after)
    assert dict(session) == {"cart": [1]} and session.user_id == "anna"
    names["logout"](session)
    assert manager.commit(session).deletes and manager.open(after).new
    both = [manager.open(None), manager.open(None)]
    for session in both:
        names["login"](session, "anna")
    first, second = (manager.commit(session).value for session in both)
    names["change_password"](manager.open(first))
    assert manager.open(first).new and manager.open(second).expired


@pytest.mark.parametrize("block", [block for block in BLOCKS if ">>>" in block])
def test_the_dialogues(block):
    test = doctest.DocTestParser().get_doctest(block, {}, "README.md", "README.md", 0)
    output = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)
    assert test.examples


class FakeRedis:
    """The five calls of the README's store, as redis-py answers them."""

    def __init__(self):
        self.rows = {}

    def setex(self, name, seconds, value):
        assert seconds == 1209600
        self.rows[name] = value.encode()

    def get(self, name):
        return self.rows.get(name)

    def delete(self, name):
        self.rows.pop(name, None)

    def scan_iter(self, match):
        return [name for name in self.rows if name.startswith(match.rstrip("*"))]


def test_the_store_of_ones_own():
    redis = FakeRedis()
    store = run("class RedisSessionStore")["RedisSessionStore"](redis)
    manager = SessionManager(store)
    session = manager.open(None)
    session["cart"] = [1]
    sid = manager.commit(session).value
    one, two = manager.open(sid), manager.open(sid)
    one["cart"].append(2)
    two["user"] = "anna"
    manager.commit(one)
    manager.commit(two)
    assert dict(manager.open(sid)) == {"cart": [1, 2], "user": "anna"}
    store.clear(sid)
    assert not store.get(sid)
    store.clear()
    assert redis.rows == {}


def test_the_options_in_the_text_are_the_real_ones():
    for name in re.findall(r"`(\w+)=[^`]*`", TEXT.split("Its options:")[1].split(".\n\n")[0]):
        if name != "max_age":
            assert name in SessionManager.__init__.__kwdefaults__
    defaults = SessionManager.__init__.__kwdefaults__
    assert defaults["cookie_name"] == "guava_sid" and defaults["max_age"] is None


def test_the_tests_for_ones_own_store():
    suite = run("class TestMyStore")["TestMyStore"]
    names = [name for name in dir(suite) if name.startswith("test_")]
    assert len(names) > 10
    for name in names:
        if name != "test_another_process_sees_it":  # is skipped for a store in memory
            getattr(suite(), name)()


class FakeClient:
    """The four calls of the README's asynchronous store."""

    def __init__(self):
        self.rows = {}

    async def put(self, sid, value, lifetime):
        self.rows[sid] = dict(value)

    async def fetch(self, sid):
        return self.rows.get(sid)

    async def remove(self, sid):
        self.rows.pop(sid, None)

    async def remove_all(self):
        self.rows.clear()


def test_the_asynchronous_store_of_ones_own():
    store = run("class AsyncSessionStore")["AsyncSessionStore"](FakeClient())
    manager = SessionManager(store)

    async def visit(sid=None):
        session = manager.open(sid)
        await session.aload()
        session["n"] = session.get("n", 0) + 1
        cookie = await manager.acommit(session)
        return session["n"], sid if cookie is None else cookie.value

    n, sid = asyncio.run(visit())
    assert n == 1 and asyncio.run(visit(sid)) == (2, sid)
    assert manager.open(sid)["n"] == 2  # without a loop
    asyncio.run(store.clear())
    assert store.client.rows == {}
