"""Patterns with parameters, arguments by annotation, and addresses by name, over the wire."""

import json
from collections.abc import Callable

import guava
import pytest
from guava.handler import Handler
from guava.request import Request

POST = """
import datetime, uuid

class PostController(Controller):
    def index(self, page: int = 1):
        return repr(page)

    def view(self, number: int):
        return repr(number)

    async def later(self, number: int, day: datetime.date = None):
        return repr((number, day))

    def all(self, *numbers: float):
        return repr(numbers)

    def before(self):
        return self.redirect(self.url_for("post.view", number=7, query={"a": "b c"}))

    async def link(self):
        return self.url_for("post.later", number=1)

    def away(self):
        return self.url_for("about", page="us")

    def nowhere(self):
        try:
            return self.url_for("post.vew")
        except LookupError as error:
            return str(error)
"""


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/post", "1"),
        ("/post/index/2", "2"),
        ("/post/view/10", "10"),
        ("/post/view/-10", "-10"),
        ("/post/later/3", "(3, None)"),
        ("/post/later/3/2024-02-29", "(3, datetime.date(2024, 2, 29))"),
        ("/post/all/1/2.5", "(1.0, 2.5)"),
        ("/post/link", "/post/later/1"),
    ],
)
def test_arguments_are_converted(serve: Callable, path: str, text: str) -> None:
    answer = serve(post=POST).ask(path)
    assert (answer.status, answer.text) == (200, text)


@pytest.mark.parametrize(
    "path", ["/post/view/ten", "/post/view/1.5", "/post/later/3/yesterday", "/post/all/1/x"]
)
def test_what_does_not_suit_is_not_found(serve: Callable, path: str) -> None:
    client = serve(post=POST)
    assert client.ask(path).status == 404
    assert client.ask(path, "POST", b"body").status == 404


def test_addresses_by_name(site: Callable, run: Callable) -> None:
    server = guava.server.Server(port=0)
    table = guava.router.Router()
    table.register("/about/{page}", lambda req, page: page, name="about")
    server.add_router(guava.router.MVCRouter("/blog", package=site(post=POST)), table)
    client = run(server)
    assert client.ask("/blog/post/before").headers["Location"] == "/blog/post/view/7?a=b+c"
    assert client.ask("/blog/post/away").text == "/about/us"
    assert client.ask("/blog/post/nowhere").text.endswith("did you mean 'post.view'?")
    assert server.url_for("post.view", number=3) == "/blog/post/view/3"
    assert server.url_for("about", page="a b") == "/about/a%20b"
    with pytest.raises(LookupError, match="no route is named 'x'"):
        server.url_for("x")


def test_ones_own_router_goes_before_others(site: Callable, run: Callable) -> None:
    server = guava.server.Server(port=0)
    for mount in ("/one", "/two"):
        server.add_router(guava.router.MVCRouter(mount, package=site(post=POST)))
    client = run(server)
    assert client.ask("/one/post/link").text == "/one/post/later/1"
    assert client.ask("/two/post/link").text == "/two/post/later/1"
    with pytest.raises(LookupError, match=r"/one> and of .* at /two>"):
        server.url_for("post.link")


def test_a_session_does_not_take_the_addresses_away(site: Callable, run: Callable) -> None:
    source = """
        class CartController(Controller):
            def index(self):
                self.SESSION["n"] = 1
                return self.url_for("cart.index")
    """
    server = guava.server.Server(port=0)
    store = guava.session.SessionStore(type=guava.session.Mem)
    server.add_router(guava.router.MVCRouter("/", site(cart=source), session_store=store))
    assert run(server).ask("/cart").text == "/cart"


# ---- what is registered -------------------------------------------------------------------------


def plain(req: Request, number: int, name: str) -> dict[str, object]:
    return {"method": req.method, "number": number, "name": name}


async def waiting(req: Request, rest: str) -> str:
    return rest


@pytest.fixture
def table() -> guava.router.Router:
    router = guava.router.Router()
    router.register("/plain/{number:int}/{name}", plain, methods=["GET", "POST"])
    router.register("/waiting/{rest:path}", waiting)
    router.register("/folder/", lambda req: "folder")
    return router


def test_functions_get_the_parameters(table: guava.router.Router, run: Callable) -> None:
    server = guava.server.Server(port=0)
    server.add_router(table)
    client = run(server)
    answer = client.ask("/plain/10/rosa")
    assert json.loads(answer.text) == {"method": "GET", "number": 10, "name": "rosa"}
    assert json.loads(client.post("/plain/10/rosa", "a=1").text)["method"] == "POST"
    assert client.ask("/waiting/a/b%20c").text == "a/b c"
    assert client.ask("/plain/ten/rosa").status == 404
    assert client.ask("/plain/ten/rosa", "POST", b"x").status == 404


def test_other_answers(table: guava.router.Router, run: Callable) -> None:
    server = guava.server.Server(port=0)
    table.register("/old/{anything}", guava.handler.RedirectHandler("/new"))
    table.register("/text/{anything}", "a text")
    table.register("/text", "a text")
    server.add_router(table)
    client = run(server)
    answer = client.ask("/plain/10/rosa", "DELETE", b"x")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    answer = client.ask("/plain/10/rosa", "OPTIONS")
    assert (answer.status, answer.headers["Allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    answer = client.ask("/plain/10/rosa", "HEAD")
    assert (answer.status, answer.text) == (200, "")
    answer = client.ask("/folder")
    assert (answer.status, answer.headers["Location"]) == (308, "/folder/")
    assert client.ask("/old/thing").headers["Location"] == "/new"
    # A target that a server cannot call is the programmer's mistake.
    assert client.ask("/text/x").status == client.ask("/text").status == 500


def test_actions_get_the_parameters(site: Callable, run: Callable) -> None:
    package = site(post=POST)
    server = guava.server.Server(port=0)
    table = guava.router.Router()
    view = Handler(package=package, module="post", controller="PostController", action="view")
    table.register("/p/{number:int}", view, name="short")
    later = Handler(package=package, module="post", controller="PostController", action="later")
    table.register("/later/{number:int}/{day:date}", later)
    server.add_router(table)
    client = run(server)
    assert client.ask("/p/10").text == "10"
    assert client.ask("/later/10/2024-02-29").text == "(10, datetime.date(2024, 2, 29))"
    assert client.ask("/p/ten").status == 404


def test_a_pattern_with_too_few_parameters_is_an_error_at_start(site: Callable) -> None:
    table = guava.router.Router()
    package = site(post=POST)
    view = Handler(package=package, module="post", controller="PostController", action="view")
    table.register("/p", view)
    server = guava.server.Server(port=0)
    server.add_router(table)
    with pytest.raises(LookupError, match="does not take 0 arguments") as caught:
        server._dispatcher.check()
    assert "test_patterns.py" in caught.value.__notes__[0]


def test_resources(site: Callable, run: Callable) -> None:
    api = site(
        users="""
            from guava.router import collection, member

            class UsersController(Controller):
                def get_one(self, number: int):
                    return repr(number)

                @collection
                def search(self):
                    return self.GET["q"]

                @member(methods=["PUT"])
                async def avatar(self, number: int):
                    return f"{number} {self.req.body.decode()}"
        """,
        profile="""
            class ProfileController(Controller):
                singular = True

                def get_one(self):
                    return self.url_for("users.avatar", number=3)
        """,
    )
    server = guava.server.Server(port=0)
    server.add_router(guava.router.RESTRouter("/api", package=api))
    client = run(server)
    assert client.ask("/api/users/10").text == "10"
    assert client.ask("/api/users/search?q=rosa").text == "rosa"
    assert client.ask("/api/users/10/avatar", "PUT", b"picture").text == "10 picture"
    assert client.ask("/api/profile").text == "/api/users/3/avatar"
    answer = client.ask("/api/users/10/avatar", "POST", b"x")
    assert (answer.status, answer.headers["Allow"]) == (405, "PUT, OPTIONS")
    assert client.ask("/api/users/ten", "DELETE").status == 404


# ---- bodies -------------------------------------------------------------------------------------


def test_a_request_with_a_body_is_routed_once(site: Callable, run: Callable) -> None:
    asked: list[str] = []

    class Watching:
        def convert(self, text: str) -> str:
            asked.append(text)
            return text

        def format(self, value: str) -> str:
            return value

    table = guava.router.Router(converters={"watched": Watching()})
    table.register("/up/{name:watched}", lambda req, name: f"{name} {len(req.body)}")
    server = guava.server.Server(port=0)
    server.add_router(table)
    client = run(server)
    for size in (1, 300_000):
        asked.clear()
        assert client.ask("/up/load", "POST", b"x" * size).text == f"load {size}"
        assert asked == ["load"]


def test_a_router_of_ones_own_may_look_at_the_body(site: Callable, run: Callable) -> None:
    class Looking(guava.router.Router):
        def route(self, req: Request) -> object:
            return (lambda req: "good") if req.POST.get("a") == "1" else None

    server = guava.server.Server(port=0)
    server.add_router(Looking(), guava.router.Router({"/": lambda req: "other"}))
    client = run(server)
    assert client.post("/", "a=1").text == "good"
    assert client.post("/", "a=2").text == "other"


@pytest.mark.parametrize("pattern", ["/a/{req}", "/a/{req:int}", "/a/{req:path}"])
def test_a_parameter_with_the_requests_name_is_refused(pattern) -> None:
    def show(req):
        return "x"

    server = guava.server.Server(port=0)
    router = guava.router.Router()
    router.register(pattern, show)
    server.add_router(router)
    with pytest.raises(
        TypeError, match=r"its parameter 'req' is called as the argument of .*show"
    ):
        server._dispatcher.check()


def test_other_names_are_everybodys(serve: Callable, run: Callable) -> None:
    server = guava.server.Server(port=0)
    router = guava.router.Router()
    router.register("/a/{req}", lambda request, req: f"{req} of {request.method}")
    router.register("/b/{request}", lambda req, /, request: request)
    router.register("/c/{self}", Methods().show)
    server.add_router(router)
    client = run(server)
    assert client.ask("/a/1").text == "1 of GET"
    assert client.ask("/b/2").text == "2"


class Methods:
    def show(this, req, **parameters):
        return str(parameters)
