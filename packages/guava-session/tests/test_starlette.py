"""ASGISessions in Starlette and FastAPI: request.session, WebSockets, their own test client."""

import pytest
from guava_session import ASGISessions, MemoryStore, Session, SessionManager, SessionStore

pytest.importorskip("starlette", reason="is tested with ASGISessions")
pytest.importorskip("httpx", reason="Starlette's test client needs it")
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient


class Awaited(SessionStore):
    """A store of async def, over one that is not."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    async def get(self, sid):
        return self.inner.get(sid)

    async def set(self, sid, value):
        self.inner.set(sid, value)

    async def delete(self, sid):
        self.inner.delete(sid)

    async def clear(self, sid=None):
        self.inner.clear(sid)


async def count(request):
    assert "session" in request.scope and isinstance(request.session, Session)
    request.session["n"] = request.session.get("n", 0) + 1
    return PlainTextResponse(str(request.session["n"]))


def count_on_a_thread(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return PlainTextResponse(str(request.session["n"]))


async def look(request):
    return PlainTextResponse(str(request.session.get("n")))


async def plain(request):
    return PlainTextResponse("plain")


async def nested(request):
    request.session.setdefault("cart", []).append(7)
    return PlainTextResponse(str(request.session["cart"]))


async def login(request):
    await request.session.abind("anna")
    return PlainTextResponse("in")


async def me(request):
    return PlainTextResponse(str(request.session.user_id))


async def logout(request):
    await request.session.adestroy()
    return PlainTextResponse("out")


async def everywhere(request):
    await request.session.asign_out_everywhere()
    return PlainTextResponse("out")


async def fail(request):
    request.session["n"] = 1000
    raise ZeroDivisionError


async def stream(request):
    async def parts():
        yield "one"
        request.session["n"] = 50
        yield "two"

    return StreamingResponse(parts())


async def background(request):
    def later():
        request.session["n"] = 70

    return PlainTextResponse("begun", background=BackgroundTask(later))


async def socket(websocket):
    websocket.session["n"] = websocket.session.get("n", 0) + 1
    await websocket.accept()
    await websocket.send_text(str(websocket.session["n"]))
    await websocket.close()


PAGES = [count, count_on_a_thread, look, plain, nested, login, me, logout, everywhere, fail]
PAGES += [stream, background]


@pytest.fixture(params=["plain", "awaited"])
def store(request):
    return MemoryStore() if request.param == "plain" else Awaited(MemoryStore())


@pytest.fixture
def manager(store):
    return SessionManager(store)


@pytest.fixture
def app(manager):
    routes = [Route(f"/{page.__name__}", page) for page in PAGES]
    routes += [WebSocketRoute("/socket", socket), Mount("/inner", Starlette(routes=[*routes]))]
    return Starlette(routes=routes, middleware=[Middleware(ASGISessions, manager=manager)])


@pytest.fixture
def client(app):
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_request_session(client):
    answer = client.get("/plain")
    assert "set-cookie" not in answer.headers and "vary" not in answer.headers
    answer = client.get("/count")
    assert answer.text == "1" and answer.headers["vary"] == "Cookie"
    assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
    answer = client.get("/inner/count")
    assert answer.text == "2" and "set-cookie" not in answer.headers
    assert client.get("/count_on_a_thread").text == "3"
    assert client.get("/nested").text == "[7]" and client.get("/nested").text == "[7, 7]"


def test_errors_save_nothing(client):
    client.get("/count")
    assert client.get("/fail").status_code == 500
    assert client.get("/look").text == "1"


def test_what_changes_after_the_head_is_saved(client):
    client.get("/count")
    assert client.get("/stream").text == "onetwo"
    assert client.get("/look").text == "50"
    client.get("/background")
    assert client.get("/look").text == "70"


def test_websockets(client):
    client.get("/count")
    with client.websocket_connect("/socket") as socket:
        assert socket.receive_text() == "2"
    assert client.get("/look").text == "2"


def test_logins(app, client):
    client.get("/count")
    before = client.cookies["guava_sid"]
    client.get("/login")
    assert client.cookies["guava_sid"] != before
    assert client.get("/me").text == "anna" and client.get("/look").text == "1"
    with TestClient(app) as other:
        other.get("/login")
        client.get("/everywhere")
        assert client.get("/me").text == other.get("/me").text == "None"
    client.get("/login")
    client.get("/logout")
    assert "guava_sid" not in client.cookies and client.get("/me").text == "None"


def test_https_makes_the_cookie_secure(app):
    with TestClient(app, base_url="https://testserver") as client:
        assert "; Secure" in client.get("/count").headers["set-cookie"]


def test_fastapi(manager):
    fastapi = pytest.importorskip("fastapi", reason="is tested with ASGISessions")
    app = fastapi.FastAPI()
    app.add_middleware(ASGISessions, manager=manager)

    def session(request: fastapi.Request) -> Session:
        return request.session

    # A dependency: what the pages of FastAPI get their session by, and sooner or later the user.
    found = fastapi.Depends(session)

    @app.get("/count")
    async def count(session=found):
        session["n"] = session.get("n", 0) + 1
        return session["n"]

    @app.get("/count_on_a_thread")
    def count_on_a_thread(session=found):
        session["n"] = session.get("n", 0) + 1
        return session["n"]

    @app.get("/refuse")
    async def refuse(session=found):
        session["n"] = 9
        raise fastapi.HTTPException(409, "refused")

    with TestClient(app) as client:
        assert [client.get("/count").json() for _ in range(2)] == [1, 2]
        assert client.get("/count_on_a_thread").json() == 3
        assert client.get("/refuse").status_code == 409
        assert client.get("/count").json() == 10  # an answer like any other
