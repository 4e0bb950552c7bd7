"""The tables of the README, row for row, through `Server.route` and over the wire."""

import json
from collections.abc import Callable
from pathlib import Path

import guava
import pytest
from guava.request import Request

SHOW = """
class {name}(Controller):
    def _show(self, *args):
        return {{"controller": type(self).__name__, "args": args, "GET": dict(self.GET)}}
"""


def actions(name: str, **signatures: str) -> str:
    source = SHOW.format(name=name)
    for action, parameters in signatures.items():
        source += f"""
    def {action}(self{"".join(f", {p}" for p in parameters.split())}):
        return {{"action": "{action}", **self._show({parameters.replace(" ", ", ")})}}
"""
    return source


MVC = {
    "index": actions("IndexController", index=""),
    "post": actions("PostController", index="", new="", view="id", move="id other", edit="id"),
}
REST = {
    "users": actions(
        "UsersController",
        get_all="",
        get_one="id",
        delete_one="id",
        create_one="",
        update_one="id",
    ),
    "posts": actions("PostsController", get_all=""),
}

# url, module, controller, action, args, GET
MVC_TABLE = [
    ("/", "index", "IndexController", "index", (), {}),
    ("/post", "post", "PostController", "index", (), {}),
    ("/post/new", "post", "PostController", "new", (), {}),
    ("/post/view/10", "post", "PostController", "view", ("10",), {}),
    ("/post/move/10/20", "post", "PostController", "move", ("10", "20"), {}),
    ("/post/edit/10?type=draft", "post", "PostController", "edit", ("10",), {"type": "draft"}),
]
# method, url, action, args
REST_TABLE = [
    ("GET", "/users", "get_all", ()),
    ("GET", "/users/", "get_all", ()),
    ("GET", "/users/10", "get_one", ("10",)),
    ("DELETE", "/users/10", "delete_one", ("10",)),
    ("POST", "/users", "create_one", ()),
    ("POST", "/users/", "create_one", ()),
    ("PUT", "/users/10", "update_one", ("10",)),
]


@pytest.mark.parametrize(("url", "module", "controller", "action", "args", "GET"), MVC_TABLE)
def test_mvc_route(
    site: Callable[..., str], url: str, module: str, controller: str, action: str, args, GET
) -> None:
    package = site(**MVC)
    server = guava.server.Server()
    server.add_router(guava.router.MVCRouter(mount_point="/", package=package))
    req = Request(method="GET", url=url)
    handler = server.route(req)
    assert isinstance(handler, guava.handler.Handler)
    assert handler.package == package
    assert (handler.module, handler.action, handler.args) == (module, action, args)
    assert handler.controller == handler.cls == controller
    assert req.GET == GET


def test_mvc_over_the_wire(serve: Callable) -> None:
    client = serve(**MVC)
    for url, _, controller, action, args, GET in MVC_TABLE:
        shown = json.loads(client.ask(url).body)
        assert shown == {
            "action": action,
            "controller": controller,
            "args": list(args),
            "GET": GET,
        }


@pytest.mark.parametrize(
    "url",
    [
        "/nowhere",
        "/post/nowhere",
        "/post/view",
        "/post/view/1/2",
        "/post/_show",
        "/post/write/x",
        "/post/redirect/x",
        "/post/set_header/a/b",
        "/post/before_action",
        "/post/req",
        "/post/__init__",
        "/post/__class__",
        "/__init__",
        "/os/getcwd",
        "/../index",
        "/post/../index",
        "/guava",
    ],
)
def test_what_has_no_address(serve: Callable, url: str) -> None:
    answer = serve(**MVC).ask(url)
    assert answer.status == 404
    assert "text/html" in answer.headers["Content-Type"]
    assert "There is no page at this address." in answer.text


@pytest.fixture
def rest(site: Callable[..., str]) -> guava.server.Server:
    server = guava.server.Server(port=0)
    server.add_router(guava.router.RESTRouter(mount_point="/", package=site(**REST)))
    return server


@pytest.mark.parametrize(("method", "url", "action", "args"), REST_TABLE)
def test_rest_route(rest: guava.server.Server, method: str, url: str, action: str, args) -> None:
    handler = rest.route(Request(method=method, url=url))
    assert isinstance(handler, guava.handler.Handler)
    assert (handler.cls, handler.action) == ("UsersController", action)
    assert handler.args == args


def test_rest_over_the_wire(rest: guava.server.Server, run: Callable) -> None:
    client = run(rest)
    for method, url, action, args in REST_TABLE:
        shown = json.loads(client.ask(url, method).body)
        assert (shown["action"], shown["args"]) == (action, list(args))


def test_rest_head_options_and_405(rest: guava.server.Server, run: Callable) -> None:
    client = run(rest)
    answer = client.ask("/users/10", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
    answer = client.ask("/posts", "OPTIONS")
    assert (answer.status, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    answer = client.ask("/posts", "POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.ask("/posts/10").status == 404
    assert client.ask("/nowhere").status == 404


def test_mount_points(site: Callable[..., str], run: Callable, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("a file")
    server = guava.server.Server(port=0)
    server.add_router(
        guava.router.MVCRouter("/", package=site(**MVC)),
        guava.router.RESTRouter("/api", package=site(**REST)),
        guava.router.StaticRouter("/static", directory=tmp_path / "files"),
        guava.router.Router({"/about": lambda req: "about"}, mount_point="/site"),
    )
    assert len(server.routers) == 4
    client = run(server)
    assert json.loads(client.ask("/").body)["controller"] == "IndexController"
    assert json.loads(client.ask("/api/users/10").body)["action"] == "get_one"
    assert client.ask("/static/a.txt").text == "a file"
    assert client.ask("/site/about").text == "about"
    for path in ("/staticfoo", "/apifoo", "/api", "/static/b.txt", "/site", "/about"):
        assert client.ask(path).status == 404, path


def test_two_servers_with_the_same_router(serve: Callable, site: Callable, run: Callable) -> None:
    router = guava.router.MVCRouter("/", package=site(**MVC))
    clients = []
    for _ in range(2):
        server = guava.server.Server(port=0)
        server.add_router(router)
        clients.append(run(server))
    assert [client.ask("/post").status for client in clients] == [200, 200]
