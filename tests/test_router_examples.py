"""examples/router under the servers that people have, and inside of their frameworks."""

import asyncio
import contextlib
import http.client
import importlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from guava_router import Router

EXAMPLES = Path(__file__).parent.parent / "examples" / "router"
NAMES = ("wsgi_app", "asgi_app", "in_flask", "in_starlette")

Answer = tuple[int, dict[str, str], str]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports an example by its name; none of them stays behind."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def imported(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield imported
    for name in NAMES:
        sys.modules.pop(name, None)


def ask(port: int, method: str, path: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read().decode()
    finally:
        connection.close()


def check_books(port: int, prefix: str = "") -> None:
    """What both applications have."""
    status, headers, _ = ask(port, "GET", f"{prefix}/books/1/?a=b")
    assert (status, headers["location"]) == (308, f"{prefix}/books/1?a=b")
    status, headers, text = ask(port, "GET", f"{prefix}/books/1")
    assert (status, json.loads(text)) == (200, {"title": "Walden"})
    assert headers["content-type"] == "application/json"
    assert ask(port, "HEAD", f"{prefix}/books/1")[::2] == (200, "")
    assert ask(port, "GET", f"{prefix}/books/3")[0] == 404
    assert ask(port, "GET", f"{prefix}/books/one")[0] == 404
    status, headers, _ = ask(port, "DELETE", f"{prefix}/books/1")
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    status, headers, text = ask(port, "OPTIONS", f"{prefix}/books")
    assert (status, headers["allow"], text) == (204, "GET, HEAD, OPTIONS", "")
    status, _, text = ask(port, "GET", f"{prefix}/books")
    assert json.loads(text) == {"Walden": "/books/1", "Emma": "/books/2"}


def check_notes(port: int, prefix: str = "") -> None:
    status, _, text = ask(port, "GET", f"{prefix}/notes/caf%C3%A9/x")
    assert status == 200
    assert json.loads(text)["mounted at"] == f"{prefix}/notes"


# ---- WSGI -------------------------------------------------------------------------------------


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def wsgiref_port(example: Any) -> Iterator[Any]:
    servers = []

    def serve(application: Any) -> int:
        server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return server.server_port

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join(timeout=60)
        server.server_close()


def test_wsgi_under_wsgiref(example: Any, wsgiref_port: Any) -> None:
    port = wsgiref_port(example("wsgi_app").application)
    check_books(port)
    check_notes(port)


def test_wsgi_under_waitress(example: Any) -> None:
    waitress = pytest.importorskip("waitress", reason="waitress is a guest")
    server = waitress.create_server(example("wsgi_app").application, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        check_books(server.effective_port)
        check_notes(server.effective_port)
    finally:
        server.close()
        thread.join(timeout=60)


@pytest.fixture
def served() -> Iterator[Any]:
    """Runs a server's command line on a socket that it inherits; gives its port."""
    processes = []

    def serve(module: str, *arguments: str) -> int:
        pytest.importorskip(module, reason=f"{module} is a guest")
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            fd, port = listener.fileno(), listener.getsockname()[1]
            command = [word.replace("FD", str(fd)) for word in arguments]
            process = subprocess.Popen(
                [sys.executable, "-m", module, *command],
                cwd=EXAMPLES,
                pass_fds=[fd],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        processes.append(process)
        return port

    yield serve
    for process in processes:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_wsgi_under_gunicorn(served: Any) -> None:
    port = served(
        "gunicorn", "--bind", "fd://FD", "--log-level", "critical", "wsgi_app:application"
    )
    check_books(port)
    check_notes(port)


def test_in_flask(example: Any, wsgiref_port: Any) -> None:
    pytest.importorskip("flask", reason="Flask is a guest")
    port = wsgiref_port(example("in_flask").app)
    assert ask(port, "GET", "/")[2] == "the home page is Flask's"
    check_books(port, "/api")
    check_notes(port, "/api")
    assert ask(port, "GET", "/nothing")[0] == 404


# ---- ASGI -------------------------------------------------------------------------------------

SERVERS = {
    "uvicorn": ("--fd", "FD", "--log-level", "critical", "--lifespan", "on"),
    "hypercorn": ("--bind", "fd://FD", "--log-level", "critical"),
}


@pytest.mark.parametrize("server", SERVERS)
def test_asgi(served: Any, server: str) -> None:
    port = served(server, *SERVERS[server], "asgi_app:application")
    check_books(port)
    check_notes(port)
    # The mounted application has had its start-up before the first request.
    assert json.loads(ask(port, "GET", "/notes/x")[2])["events"] == ["lifespan.startup"]


@pytest.mark.parametrize("server", SERVERS)
def test_in_starlette(served: Any, server: str) -> None:
    pytest.importorskip("starlette", reason="Starlette is a guest")
    port = served(server, *SERVERS[server], "in_starlette:app")
    assert ask(port, "GET", "/")[2] == "the home page is Starlette's"
    check_books(port, "/api")
    check_notes(port, "/api")


def test_in_fastapi(example: Any) -> None:
    fastapi = pytest.importorskip("fastapi", reason="FastAPI is a guest")
    app = fastapi.FastAPI()
    app.mount("/v1/api", example("asgi_app").application)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    for path in ("/v1/api/books/1", "/v1/api/books/1/"):
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"a")],
        }
        asyncio.run(app(scope, receive, send))
    assert [m.get("status") for m in sent] == [200, None, 308, None]
    assert dict(sent[2]["headers"])[b"location"] == b"/v1/api/books/1"


@pytest.mark.parametrize("server", SERVERS)
def test_a_websocket(served: Any, server: str) -> None:
    """Spoken by hand, RFC 6455: one handshake, one frame each way."""
    if server == "uvicorn":
        pytest.importorskip("wsproto", reason="uvicorn speaks websockets by wsproto, a guest")
    port = served(server, *SERVERS[server], "asgi_app:application")
    with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
        client.sendall(
            b"GET /rooms/blue HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        stream = client.makefile("rb")
        assert b" 101 " in stream.readline()
        while stream.readline().strip():
            pass
        client.sendall(b"\x81\x82\0\0\0\0hi")
        assert stream.read(10) == b"\x81\x08blue: hi"
    assert ask(port, "GET", "/rooms/blue")[0] == 426
    with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
        client.sendall(
            b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert re.match(rb"HTTP/1\.1 (403|404) ", client.makefile("rb").readline())


def test_their_routes_can_be_looked_at() -> None:
    for module in ("wsgi_app", "asgi_app"):
        for arguments, words in [
            ([], "/books/{id:int}"),
            (["--tree"], "/{id:int}"),
            (["--explain", "GET", "/books/2"], "id=2"),
        ]:
            done = subprocess.run(
                [sys.executable, "-m", "guava_router", f"{module}:router", *arguments],
                cwd=EXAMPLES,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert words in done.stdout


# ---- the other way round: their applications below a router -----------------------------------


def test_flask_below_a_router(wsgiref_port: Any) -> None:
    flask = pytest.importorskip("flask", reason="Flask is a guest")
    app = flask.Flask("below")

    @app.get("/hello/<name>")
    def hello(name: str) -> dict[str, str]:
        return {"url": flask.url_for("hello", name=name)}

    router = Router()
    router.register("/shops/{shop}/{rest:path}", app)
    port = wsgiref_port(router.as_wsgi())
    status, _, text = ask(port, "GET", "/shops/caf%C3%A9/hello/you")
    assert (status, json.loads(text)) == (200, {"url": "/shops/café/hello/you"})
    assert ask(port, "GET", "/shops/a/none")[0] == 404


def test_starlette_below_a_router() -> None:
    pytest.importorskip("starlette", reason="Starlette is a guest")
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    log: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        log.append("starts")
        yield {"database": "open"}
        log.append("ends")

    async def hello(request: Any) -> Any:
        url = str(request.url_for("hello", name="me"))
        return JSONResponse([url, request.path_params, request.state.database])

    app = Starlette(routes=[Route("/hello/{name}", hello, name="hello")], lifespan=lifespan)
    router = Router()
    router.register("/shops/{shop}/{rest:path}", app)
    application = router.as_asgi()
    state: dict[str, str] = {}
    sent: list[Any] = []

    async def drive() -> None:
        started, ended = asyncio.Event(), asyncio.Event()
        received = [{"type": "lifespan.startup"}]

        async def receive() -> Any:
            if received:
                return received.pop()
            started.set()
            await ended.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            sent.append(message)

        life = asyncio.ensure_future(
            application({"type": "lifespan", "state": state}, receive, send)
        )
        await asyncio.wait_for(started.wait(), 120)
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/shops/x/hello/you",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"example.com")],
            "scheme": "http",
            "server": ("example.com", 80),
            "state": dict(state),
        }
        await application(scope, receive, send)
        ended.set()
        await asyncio.wait_for(life, 120)

    asyncio.run(drive())
    assert log == ["starts", "ends"]
    assert [m["type"].partition(".")[0] for m in sent] == ["lifespan", "http", "http", "lifespan"]
    url, params, database = json.loads(sent[2]["body"])
    assert url == "http://example.com/shops/x/hello/me"
    assert params == {"shop": "x", "rest": "hello/you", "name": "you"}
    assert database == "open"
