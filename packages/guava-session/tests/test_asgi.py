"""ASGISessions: a session for each request and WebSocket of an ASGI application."""

import asyncio
import threading

import pytest
from guava_session import ASGISessions, FileStore, MemoryStore, SessionManager


class Remote(MemoryStore):
    """A store that notes on which thread it was used."""

    remote = True

    def __init__(self):
        super().__init__()
        self.threads = []

    def __getattribute__(self, name):
        if name in ("get", "set", "merge", "take", "delete", "touch"):
            self.threads.append((name, threading.current_thread() is threading.main_thread()))
        return super().__getattribute__(name)


@pytest.fixture(params=["memory", "file", "remote"])
def store(request, tmp_path):
    make = {
        "memory": MemoryStore,
        "file": lambda: FileStore(tmp_path / "sessions"),
        "remote": Remote,
    }
    with make[request.param]() as store:
        yield store


@pytest.fixture
def manager(store):
    return SessionManager(store)


class Browser:
    def __init__(self, app, manager):
        self.app = ASGISessions(app, manager)
        self.cookie = None

    def get(self, path="/", kind="http", scheme="http"):
        headers = [(b"host", b"h")]
        if self.cookie:
            # As HTTP/2 may have it.
            headers += [(b"cookie", b"other=1"), (b"cookie", self.cookie)]
        scope = {"type": kind, "path": path, "scheme": scheme, "headers": headers}
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        assert "session" not in scope
        fields = dict(sent[0]["headers"])
        cookie = fields.get(b"set-cookie")
        if cookie is not None:
            self.cookie = None if b"Max-Age=0" in cookie else cookie.partition(b";")[0]
        return fields, b"".join(message.get("body", b"") for message in sent)


async def app(scope, receive, send):
    session = scope["session"]
    if scope["path"] == "/count":
        session["n"] = session.get("n", 0) + 1
    elif scope["path"] == "/login":
        await session.abind("anna")
    elif scope["path"] == "/out":
        await session.adestroy()
    elif scope["path"] == "/fail":
        session["n"] = 1000
        raise ZeroDivisionError
    text = str(session.get("n")) if scope["path"] != "/plain" else "plain"
    start = "http.response.start" if scope["type"] == "http" else "websocket.accept"
    await send({"type": start, "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/late":
        session["n"] = 7
    if scope["type"] == "http":
        await send({"type": "http.response.body", "body": text.encode()})


def test_a_visit(manager):
    browser = Browser(app, manager)
    assert browser.get("/plain")[0] == {b"content-type": b"text/plain"}
    fields, _ = browser.get("/")
    assert fields[b"vary"] == b"Cookie" and b"set-cookie" not in fields
    fields, body = browser.get("/count")
    assert body == b"1" and fields[b"cache-control"] == b"private"
    assert fields[b"set-cookie"].endswith(b"; Path=/; HttpOnly; SameSite=Lax")
    before = browser.cookie
    fields, body = browser.get("/count")
    assert body == b"2" and b"set-cookie" not in fields
    browser.get("/login")
    assert browser.cookie not in (before, None)
    assert browser.get("/")[1] == b"2"
    browser.get("/late")
    assert browser.get("/")[1] == b"7"
    browser.get("/out")
    assert browser.cookie is None and browser.get("/")[1] == b"None"


def test_an_application_that_fails_saves_nothing(manager):
    browser = Browser(app, manager)
    browser.get("/count")
    with pytest.raises(ZeroDivisionError):
        browser.get("/fail")
    assert browser.get("/")[1] == b"1"


def test_a_websocket_has_it_too(manager):
    browser = Browser(app, manager)
    fields, _ = browser.get("/count", kind="websocket", scheme="wss")
    assert b"; Secure;" in fields[b"set-cookie"]
    assert browser.get("/")[1] == b"1"


def test_other_scopes_are_left_alone(manager):
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope)

    scope = {"type": "lifespan"}
    asyncio.run(ASGISessions(lifespan, manager)(scope, None, None))
    assert seen[0] is scope


def test_what_comes_too_late_is_told(manager, caplog):
    browser = Browser(app, manager)
    browser.get("/late")
    assert browser.cookie is None
    assert "a session was begun after the response had started" in caplog.text


def test_a_remote_store_is_not_asked_on_the_loops_thread():
    store = Remote()
    browser = Browser(app, SessionManager(store))
    browser.get("/plain")
    assert store.threads == []
    for path in ("/count", "/count", "/late", "/"):
        browser.get(path)
    assert {name for name, _ in store.threads} >= {"get", "set", "merge"}
    assert not [name for name, on_the_loop in store.threads if on_the_loop]
