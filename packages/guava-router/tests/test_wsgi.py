"""Router.as_wsgi(): every answer is carried out as PEP 3333 has it; a validator watches."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from guava_router import (
    Answer,
    Handler,
    Mounts,
    MVCRouter,
    RedirectHandler,
    Router,
    StaticHandler,
    StaticRouter,
    resolve,
)


class Client:
    """Asks a WSGI application as a careful server does."""

    def __init__(self, application: Any) -> None:
        self._application = validator(application)

    def __call__(self, method: str, path: str, **more: str) -> "Client":
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": "",
            **more,
        }
        setup_testing_defaults(environ)
        self.started: list[Any] = []
        written: list[bytes] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            self.started.append(status)
            self.headers = dict(headers)
            return written.append

        body = self._application(environ, start_response)
        try:
            self.body = b"".join([*body])
        finally:
            body.close()
        self.body = b"".join(written) + self.body
        self.status = int(self.started[-1][:3])
        self.environ = environ
        return self


def hello(environ: Any, start_response: Any) -> list[bytes]:
    _, params = environ["wsgiorg.routing_args"]
    where = f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}|{params}"
    body = where.encode("latin-1", "backslashreplace")
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


TEXT = [("Content-Type", "text/plain")]


@pytest.fixture
def router() -> Router:
    router = Router({"/": hello, "/old": RedirectHandler("/new", 301), "/gone": Answer(299, TEXT)})
    router.register("/users/{id:int}", hello, methods=["GET"])
    router.register("/users/{id:int}/posts/{slug}", hello)
    router.register("/admin/{rest:path}", hello)
    router.register("/tenants/{tenant}/app/{rest:path}", hello)
    router.register("/x-{rest:path}", hello)
    router.register("/here", hello, host="{tenant}.example.com")
    router.register("/number", 42)
    return router


@pytest.fixture
def client(router: Router) -> Client:
    return Client(router.as_wsgi())


def test_a_target_has_its_parameters(client: Client) -> None:
    assert client("GET", "/users/7/posts/ä b").body == b"|/users/7/posts/\xc3\xa4 b|" + (
        b"{'id': 7, 'slug': '\xe4 b'}"
    )
    match = client.environ["guava_router.match"]
    assert (match.pattern, match.target) == ("/users/{id:int}/posts/{slug}", hello)


def test_parameters_join_those_of_a_router_outside(client: Client) -> None:
    outer: Any = (("a",), {"lang": "en", "id": 0})
    client("GET", "/users/7", **{"wsgiorg.routing_args": outer})
    assert client.environ["wsgiorg.routing_args"] == (("a",), {"lang": "en", "id": 7})
    assert outer == (("a",), {"lang": "en", "id": 0})


@pytest.mark.parametrize(
    ("path", "script", "info"),
    [
        ("/admin/a/b", "/admin", "/a/b"),
        ("/admin/a/", "/admin", "/a/"),
        ("/admin//a", "/admin", "//a"),
        ("/tenants/ä/app/ü/x", "/tenants/ä/app", "/ü/x"),
        ("/x-a/b", "", "/x-a/b"),
        ("/users/7", "", "/users/7"),
        ("/", "", "/"),
    ],
)
def test_a_path_parameter_mounts(client: Client, path: str, script: str, info: str) -> None:
    client("GET", path)
    found = [client.environ[key] for key in ("SCRIPT_NAME", "PATH_INFO")]
    assert [text.encode("latin-1").decode() for text in found] == [script, info]


def test_a_mounted_router_mounts_again() -> None:
    inner = Router({"/here": hello})
    inner.register("/{year:int}/{rest:path}", hello)
    outer = Router()
    outer.register("/blogs/{blog}/{rest:path}", inner.as_wsgi())
    client = Client(outer.as_wsgi())
    client("GET", "/blogs/first/2024/a/b", SCRIPT_NAME="/app")
    assert client.environ["SCRIPT_NAME"] == "/app/blogs/first/2024"
    assert client.environ["PATH_INFO"] == "/a/b"
    params = client.environ["wsgiorg.routing_args"][1]
    assert params == {"blog": "first", "year": 2024, "rest": "a/b"}
    # What the inner router redirects to lies below the outer one.
    assert client("GET", "/blogs/first/here/", SCRIPT_NAME="/app").status == 308
    assert client.headers["Location"] == "/app/blogs/first/here"


@pytest.mark.parametrize(
    ("method", "path", "status", "headers"),
    [
        ("GET", "/nothing", 404, {}),
        ("GET", "/\udcff", 404, {}),
        ("POST", "/users/7", 405, {"Allow": "GET, HEAD, OPTIONS"}),
        ("OPTIONS", "/users/7", 204, {"Allow": "GET, HEAD, OPTIONS"}),
        ("GET", "/users/7/", 308, {"Location": "/users/7"}),
        ("GET", "/old", 301, {"Location": "/new"}),
        ("GET", "/gone", 299, {}),
        ("GET", "/users/x", 404, {}),
    ],
)
@pytest.mark.parametrize("head", [False, True])
def test_answers(router, method, path, status, headers, head) -> None:
    client = Client(router.as_wsgi())
    if head and method == "GET":
        method = "HEAD"
    # The validator wants text that is Latin-1: bytes that are no UTF-8 come in that shape.
    if path == "/\udcff":
        client(method, "/", PATH_INFO="/\xff")
    else:
        client(method, path)
    assert client.status == status
    for name, value in headers.items():
        assert client.headers[name] == value
    if status == 204:
        assert "Content-Length" not in client.headers
    elif method == "HEAD":
        assert client.body == b""
    else:
        assert client.headers["Content-Length"] == str(len(client.body))


def test_a_redirect_keeps_the_query_and_the_place_of_the_router(client: Client) -> None:
    client("GET", "/users/7/", QUERY_STRING="a=%20b", SCRIPT_NAME="/a b\xc3\xa4")
    assert client.headers["Location"] == "/a%20b%C3%A4/users/7?a=%20b"
    # One that was registered says where it goes by itself.
    assert client("GET", "/old", SCRIPT_NAME="/app").headers["Location"] == "/new"


def test_hosts(client: Client) -> None:
    assert client("GET", "/here").status == 404
    client("GET", "/here", HTTP_HOST="shop.example.com:8000")
    assert client.environ["wsgiorg.routing_args"][1] == {"tenant": "shop"}
    del client.environ["HTTP_HOST"]
    client("GET", "/here", SERVER_NAME="a.example.com")
    assert client.status in (200, 404)  # setup_testing_defaults() names a host


def test_an_empty_path_is_that_of_the_root(client: Client) -> None:
    client("GET", "/", PATH_INFO="", SCRIPT_NAME="/app")
    assert client.status == 200


class Body:
    """A body that tells what became of it."""

    def __init__(self, *items: bytes) -> None:
        self.items = iter(items)
        self.taken = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        item = next(self.items)
        self.taken += 1
        return item

    def close(self) -> None:
        self.closed += 1


PLAIN = [("Content-Type", "text/plain"), ("Content-Length", "6")]


def test_head_takes_no_body_and_closes_it() -> None:
    bodies: list[Body] = []

    def listed(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        bodies.append(Body(b"abc", b"def"))
        return bodies[-1]

    client = Client(Router({"/": listed}).as_wsgi())
    assert client("HEAD", "/").body == b""
    assert client.headers["Content-Length"] == "6"
    assert (bodies[0].closed, bodies[0].taken) == (1, 0)
    assert client("GET", "/").body == b"abcdef"
    assert (bodies[1].closed, bodies[1].taken) == (1, 2)


def test_head_of_a_generator_and_of_write() -> None:
    ended: list[str] = []

    def generated(environ: Any, start_response: Any) -> Any:
        try:
            start_response("200 OK", PLAIN)
            yield b"abc"
            yield b"def"
        finally:
            ended.append("generated")

    def writing(environ: Any, start_response: Any) -> Any:
        write = start_response("201 Created", PLAIN)
        write(b"abc")
        write(b"def")
        return []

    client = Client(Router({"/generated": generated, "/writing": writing}).as_wsgi())
    assert (client("HEAD", "/generated").status, client.body) == (200, b"")
    assert ended == ["generated"]
    assert (client("HEAD", "/writing").status, client.body) == (201, b"")
    assert client("GET", "/writing").body == b"abcdef"


def test_an_error_of_a_target_passes_and_the_body_is_closed() -> None:
    class Failing(Body):
        def __next__(self) -> bytes:
            raise LookupError("no more")

    body = Failing()

    def failing(environ: Any, start_response: Any) -> Any:
        return body

    with pytest.raises(LookupError):
        Client(Router({"/": failing}).as_wsgi())("HEAD", "/")
    assert body.closed == 1


def test_what_no_route_has_goes_on(router: Router) -> None:
    def fallback(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fallback " + environ["PATH_INFO"].encode()]

    client = Client(router.as_wsgi(otherwise=fallback))
    assert client("GET", "/elsewhere").body == b"fallback /elsewhere"
    assert "guava_router.match" not in client.environ
    assert client("POST", "/users/7").status == 405
    assert client("GET", "/users/7").status == 200


def test_a_target_that_is_no_application(router: Router) -> None:
    router.register("/handler", Handler(module="m", controller="C", action="a"))
    client = Client(router.as_wsgi())
    with pytest.raises(TypeError, match=r"GET /number leads to 42 .*test_wsgi\.py:\d+.*WSGI"):
        client("GET", "/number")
    with pytest.raises(TypeError, match=r"a Handler names an action: say what runs it"):
        client("GET", "/handler")


def test_handlers_by_an_application_of_ones_own(program: Callable[..., Path]) -> None:
    program(
        {
            "pages/__init__.py": "",
            "pages/post.py": """
                class PostController:
                    def view(self, id: int): return f"post {id + 1}"
            """,
        }
    )

    def run(match: Any) -> Any:
        def application(environ: Any, start_response: Any) -> list[bytes]:
            handler = match.target
            controller = resolve(handler).target()
            body = getattr(controller, handler.action)(*handler.args).encode()
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [body]

        return application

    router = MVCRouter("/", "pages")
    assert Client(router.as_wsgi(application=run))("GET", "/post/view/6").body == b"post 7"
    assert Client(Mounts(router).as_wsgi(application=run))("GET", "/post/view/x").status == 404


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.css").write_bytes(b"a {}" * 50_000)
    return tmp_path


def test_files(files: Path) -> None:
    router = Router({"/file": StaticHandler(files / "a.css"), "/none": StaticHandler("no/file")})
    client = Client(Mounts(StaticRouter("/static", files), router).as_wsgi())
    for path in ("/file", "/static/a.css"):
        assert client("GET", path).body == b"a {}" * 50_000
        assert client.headers["Content-Type"].startswith("text/css")
        tag = client.headers["ETag"]
        assert client("HEAD", path).body == b""
        assert client.headers["Content-Length"] == "200000"
        assert client("GET", path, HTTP_IF_NONE_MATCH=tag).status == 304
        assert client("POST", path).status == 405
        assert client("OPTIONS", path).status == 204
    assert client("GET", "/none").status == 404
    assert client("GET", "/static/../a.css").status == 404
