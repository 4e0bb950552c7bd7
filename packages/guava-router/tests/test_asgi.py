"""Router.as_asgi(): every answer is carried out, for requests, websockets and the lifespan."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from guava_router import Mounts, RedirectHandler, Router, StaticHandler, StaticRouter

Sent = list[dict[str, Any]]


def scope_of(kind: str, path: str, **more: Any) -> dict[str, Any]:
    scope = {
        "type": kind,
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"example.com")],
        **more,
    }
    if kind == "http":
        scope.setdefault("method", "GET")
    return scope


def run(application: Any, scope: dict[str, Any], *received: dict[str, Any]) -> Sent:
    """Everything that the application sends."""
    sent: Sent = []
    messages = iter(received)

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent


def ask(
    application: Any, method: str, path: str, **more: Any
) -> tuple[int, dict[str, str], bytes]:
    """The status, headers and body of an answer."""
    first, *rest = run(application, scope_of("http", path, method=method, **more))
    assert first["type"] == "http.response.start"
    assert all(isinstance(text, bytes) and text == text.lower() for text, _ in first["headers"])
    headers = {name.decode(): value.decode() for name, value in first["headers"]}
    assert [message.get("more_body", False) for message in rest] == [True] * (len(rest) - 1) + [
        False
    ]
    return first["status"], headers, b"".join(message.get("body", b"") for message in rest)


async def show(scope: Any, receive: Any, send: Any) -> None:
    assert scope["guava_router.match"].target is show
    body = f"{scope['root_path']}|{scope['path']}|{scope['path_params']}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


@pytest.fixture
def router() -> Router:
    router = Router({"/": show, "/old": RedirectHandler("/new", 301)})
    router.register("/users/{id:int}", show, methods=["GET"])
    router.register("/admin/{rest:path}", show)
    router.register("/here", show, host="{tenant}.example.com")
    router.register("/number", 42)
    return router


def test_a_target_has_its_parameters(router: Router) -> None:
    outer = scope_of("http", "/users/7", path_params={"lang": "en", "id": "x"})
    sent = run(router.as_asgi(), outer)
    assert sent[1]["body"] + sent[2]["body"] == b"|/users/7|{'lang': 'en', 'id': 7}"
    assert outer["path_params"] == {"lang": "en", "id": "x"}
    assert "guava_router.match" not in outer


@pytest.mark.parametrize(
    ("path", "root", "seen"),
    [
        ("/admin/a/b", "", "/admin|/admin/a/b|{'rest': 'a/b'}"),
        ("/app/admin/ä/", "/app", "/app/admin|/app/admin/ä/|{'rest': 'ä/'}"),
        ("/admin/x", "/app", "/app/admin|/admin/x|{'rest': 'x'}"),  # a server of the old kind
        ("/app/users/7", "/app/", "/app/|/app/users/7|{'id': 7}"),
        ("/app", "/app", "/app|/app|{}"),
        ("", "", "||{}"),
    ],
)
def test_the_path_below_the_root(router: Router, path: str, root: str, seen: str) -> None:
    status, _, body = ask(router.as_asgi(), "GET", path, root_path=root)
    assert (status, body.decode()) == (200, seen)


def test_a_mounted_router_mounts_again() -> None:
    inner = Router({"/here": show})
    inner.register("/{year:int}/{rest:path}", show)
    outer = Router()
    outer.register("/blogs/{blog}/{rest:path}", inner.as_asgi())
    application = outer.as_asgi()
    _, _, body = ask(application, "GET", "/app/blogs/b/2024/a/b", root_path="/app")
    params = {"blog": "b", "rest": "a/b", "year": 2024}
    assert body.decode() == f"/app/blogs/b/2024|/app/blogs/b/2024/a/b|{params}"
    status, headers, _ = ask(application, "GET", "/blogs/b/here/", query_string=b"q=1")
    assert (status, headers["location"]) == (308, "/blogs/b/here?q=1")


@pytest.mark.parametrize(
    ("method", "path", "status", "name", "value"),
    [
        ("GET", "/nothing", 404, "content-length", "14"),
        ("HEAD", "/nothing", 404, "content-length", "14"),
        ("GET", "/\udcff", 404, "content-length", "14"),
        ("POST", "/users/7", 405, "allow", "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/users/7", 204, "allow", "GET, HEAD, OPTIONS"),
        ("GET", "/users/7/", 308, "location", "/a%20b/users/7"),
        ("GET", "/old", 301, "location", "/new"),
    ],
)
def test_answers(
    router: Router, method: str, path: str, status: int, name: str, value: str
) -> None:
    found, headers, body = ask(router.as_asgi(), method, path, root_path="/a b")
    assert (found, headers[name]) == (status, value)
    if method == "HEAD":
        assert body == b""
    elif status != 204:
        assert headers["content-length"] == str(len(body))
    else:
        assert "content-length" not in headers


def test_hosts(router: Router) -> None:
    application = router.as_asgi()
    assert ask(application, "GET", "/here")[0] == 404
    _, _, body = ask(application, "GET", "/here", headers=[(b"host", b"shop.example.com:80")])
    assert body == b"|/here|{'tenant': 'shop'}"
    assert ask(application, "GET", "/here", headers=[])[0] == 404


def test_head_has_no_body(router: Router) -> None:
    status, headers, body = ask(router.as_asgi(), "HEAD", "/users/7")
    assert (status, headers["content-length"], body) == (200, "19", b"")


@pytest.mark.parametrize("kind", ["pathsend", "zerocopysend"])
def test_head_has_no_body_of_an_extension_either(kind: str) -> None:
    async def sending(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": f"http.response.{kind}", "path": "a.css", "file": 3})

    application = Router({"/": sending}).as_asgi()
    assert (
        run(application, scope_of("http", "/", method="HEAD"))[1]["type"] == "http.response.body"
    )
    assert run(application, scope_of("http", "/"))[1]["type"] == f"http.response.{kind}"


def test_what_no_route_has_goes_on(router: Router) -> None:
    seen = []

    async def fallback(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], scope["path"], "path_params" in scope))

    application = router.as_asgi(otherwise=fallback)
    run(application, scope_of("http", "/elsewhere"))
    run(application, scope_of("websocket", "/elsewhere"))
    assert ask(application, "POST", "/users/7")[0] == 405
    assert seen == [("http", "/elsewhere", False), ("websocket", "/elsewhere", False)]


def test_a_target_that_is_no_application(router: Router) -> None:
    with pytest.raises(TypeError, match=r"GET /number leads to 42 .*test_asgi\.py:\d+.*ASGI"):
        ask(router.as_asgi(), "GET", "/number")


def test_an_application_for_each_match(router: Router) -> None:
    def made(match: Any) -> Any:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(match.target).encode()})

        return application

    assert ask(router.as_asgi(application=made), "GET", "/number") == (200, {}, b"42")


def test_an_unknown_kind_of_scope(router: Router) -> None:
    with pytest.raises(ValueError, match="'carrier-pigeon'"):
        run(router.as_asgi(), {"type": "carrier-pigeon"})


# ---- websockets -------------------------------------------------------------------------------

CONNECT = {"type": "websocket.connect"}


def test_a_websocket_is_matched_as_a_get() -> None:
    async def accept(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == CONNECT
        assert scope["path_params"] == {"room": "blue"}
        await send({"type": "websocket.accept"})

    router = Router()
    router.register("/rooms/{room}", accept, methods=["GET"])
    sent = run(router.as_asgi(), scope_of("websocket", "/rooms/blue"), CONNECT)
    assert sent == [{"type": "websocket.accept"}]


@pytest.mark.parametrize("path", ["/nothing", "/old", "/users/7/", "/file"])
def test_a_websocket_that_nothing_answers_is_refused(router: Router, path: str) -> None:
    router.register("/file", StaticHandler(__file__))
    sent = run(router.as_asgi(), scope_of("websocket", path), CONNECT)
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_a_websocket_is_refused_with_a_whole_answer_where_the_server_can(router: Router) -> None:
    scope = scope_of("websocket", "/users/7/", extensions={"websocket.http.response": {}})
    start, body = run(router.as_asgi(), scope, CONNECT)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 308)
    assert dict(start["headers"])[b"location"] == b"/users/7"
    assert body["type"] == "websocket.http.response.body"


# ---- the lifespan -----------------------------------------------------------------------------

STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
Application = Callable[[Any, Any, Any], Awaitable[None]]


def living(name: str, log: list[str], **failing: bool) -> Application:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        assert await receive() == STARTUP
        log.append(f"{name} starts")
        scope["state"][name] = True
        if failing.get("startup"):
            await send({"type": "lifespan.startup.failed", "message": f"{name} is broken"})
            return
        await send({"type": "lifespan.startup.complete"})
        assert await receive() == SHUTDOWN
        log.append(f"{name} ends")
        if failing.get("raising"):
            raise OSError(f"{name} broke")
        await send({"type": "lifespan.shutdown.complete"})

    return application


def live(*applications: Any, otherwise: Any = None) -> tuple[Sent, dict[str, bool]]:
    router = Router()
    for i, application in enumerate(applications):
        router.register(f"/app{i}/{{rest:path}}", application)
    state: dict[str, bool] = {}
    application = router.as_asgi(otherwise=otherwise)
    return run(application, {"type": "lifespan", "state": state}, STARTUP, SHUTDOWN), state


def test_a_router_without_applications_starts_and_ends(router: Router) -> None:
    sent = run(Router({"/": show}).as_asgi(), {"type": "lifespan"}, STARTUP, SHUTDOWN)
    assert sent == [
        {"type": "lifespan.startup.complete"},
        {"type": "lifespan.shutdown.complete"},
    ]


def test_mounted_applications_live_inside_of_one_another() -> None:
    log: list[str] = []
    a, b = living("a", log), living("b", log)
    sent, state = live(a, b, a, otherwise=living("c", log))
    assert log == ["a starts", "b starts", "c starts", "c ends", "b ends", "a ends"]
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert state == {"a": True, "b": True, "c": True}


def test_an_application_without_a_lifespan_is_passed_over() -> None:
    log: list[str] = []

    async def raising(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("method")

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    sent, _ = live(raising, living("a", log), answering, silent, hasty, living("b", log))
    assert log == ["a starts", "b starts", "b ends", "a ends"]
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_failed_start_ends_what_was_started() -> None:
    log: list[str] = []
    sent, _ = live(living("a", log), living("b", log, startup=True), living("c", log))
    assert log == ["a starts", "b starts", "a ends"]
    assert sent == [{"type": "lifespan.startup.failed", "message": "b is broken"}]


def test_a_failed_end_is_told_and_the_others_end() -> None:
    log: list[str] = []
    sent, _ = live(living("a", log), living("b", log, raising=True))
    assert log == ["a starts", "b starts", "b ends", "a ends"]
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.failed"]
    assert "OSError: b broke" in sent[1]["message"]


def test_routers_in_routers_pass_it_on() -> None:
    log: list[str] = []
    inner = Router()
    inner.register("/deep/{rest:path}", living("deep", log))
    sent, _ = live(inner.as_asgi(), living("b", log))
    assert log == ["deep starts", "b starts", "b ends", "deep ends"]
    assert len(sent) == 2


# ---- files ------------------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_bytes(b"a {}" * 50_000)
    router = Router(
        {"/file": StaticHandler(tmp_path / "a.css"), "/none": StaticHandler("no/file")}
    )
    application = Mounts(StaticRouter("/static", tmp_path), router).as_asgi()
    for path in ("/file", "/static/a.css"):
        status, headers, body = ask(application, "GET", path)
        assert (status, body) == (200, b"a {}" * 50_000)
        assert headers["content-type"].startswith("text/css")
        tag = [(b"if-none-match", headers["etag"].encode())]
        status, headers, body = ask(application, "HEAD", path)
        assert (status, headers["content-length"], body) == (200, "200000", b"")
        assert ask(application, "GET", path, headers=tag)[0] == 304
        assert ask(application, "POST", path)[0] == 405
        assert ask(application, "OPTIONS", path)[0] == 204
    assert ask(application, "GET", "/none")[0] == 404
