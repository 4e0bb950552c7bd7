"""match(): what it answers, by method, slash and host; converters; what route() makes of it."""

from __future__ import annotations

import datetime
import sys
import uuid
from typing import Any

import pytest
from guava_router import (
    AllowedMethods,
    Answer,
    Converter,
    Handler,
    Match,
    MethodNotAllowed,
    MVCRouter,
    NotFound,
    RedirectHandler,
    RouteError,
    Router,
    StaticRouter,
)


def found(answer: Match | Answer) -> Match:
    assert isinstance(answer, Match), answer
    return answer


# ---- Match -----------------------------------------------------------------------------------


def test_a_match_tells_all_about_its_route() -> None:
    target = object()
    router = Router(mount_point="/shop")
    route = router.register("/{kind}/{id:int}", target, name="item", methods=["GET"])
    match = found(router.match("GET", "/shop/tea/7"))
    assert match.target is target
    assert match.params == {"kind": "tea", "id": 7}
    assert match.args == ("tea", 7)
    assert (match.name, match.pattern) == ("item", "/shop/{kind}/{id:int}")
    assert match.route == route
    assert repr(match).startswith("Match(<object object at ")
    match.params["id"] = 8
    assert match.params["id"] == 7


def test_a_match_of_ones_own() -> None:
    match = Match("target", {"a": 1, "b": [2]}, name="n", pattern="/{a}", route="route")
    assert (match.target, match.name, match.pattern, match.route) == (
        "target",
        "n",
        "/{a}",
        "route",
    )
    assert match.params == {"a": 1, "b": [2]}
    bare = Match(None)
    assert (bare.target, bare.params, bare.args, bare.name, bare.pattern) == (
        None,
        {},
        (),
        None,
        "",
    )
    for wrong in ({"params": 3}, {"pattern": None}, {"nothing": 1}):
        with pytest.raises(TypeError):
            Match(1, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [0, "", (), [], {}, False, object, len, 3.5, Ellipsis])
def test_any_object_is_a_target(target: object) -> None:
    router = Router({"/x": target, "/p/{a}": target})
    assert found(router.match("GET", "/x")).target is target
    assert found(router.match("GET", "/p/1")).target is target


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        (("GET",), {}),
        (("GET", b"/"), {}),
        ((None, "/"), {}),
        (("GET", "/", 3), {}),
        (("GET", "/", None, None), {}),
        (("GET", "/", None, "", 1), {}),
        (("GET", "/"), {"path": "/"}),
        (("GET", "/"), {"other": 1}),
    ],
)
def test_what_match_does_not_take(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"match\(\)"):
        Router({"/": 1}).match(*args, **kwargs)


def test_arguments_by_name() -> None:
    router = Router({"/": 1})
    assert found(router.match(path="/", method="GET", query="", host=None)).target == 1


@pytest.mark.parametrize("path", ["", "*", "a", "\ud800", "/\ud800", "/\0"])
def test_what_is_no_path_is_not_found(path: str) -> None:
    assert isinstance(Router({"/": 1, "/a": 2}).match("GET", path), NotFound)


# ---- methods ---------------------------------------------------------------------------------


def test_methods() -> None:
    router = Router()
    router.register("/a", "read", methods=["GET"])
    router.register("/a", "write", methods=("POST", "PUT"))
    router.register("/b", "any")
    router.register("/c", "own", methods=["HEAD", "OPTIONS"])
    assert found(router.match("GET", "/a")).target == "read"
    assert found(router.match("HEAD", "/a")).target == "read"
    assert found(router.match("PUT", "/a")).target == "write"
    refused = router.match("DELETE", "/a")
    assert isinstance(refused, MethodNotAllowed)
    assert refused.header("Allow") == "GET, HEAD, POST, PUT, OPTIONS"
    asked = router.match("OPTIONS", "/a")
    assert isinstance(asked, AllowedMethods)
    assert asked.allowed == refused.allowed
    assert found(router.match("BREW", "/b")).target == "any"
    assert found(router.match("OPTIONS", "/c")).target == "own"
    assert isinstance(router.match("GET", "/c"), MethodNotAllowed)
    assert isinstance(router.match("get", "/a"), MethodNotAllowed)


def test_methods_that_are_not_interned() -> None:
    router = Router()
    router.register("/a", 1, methods=["PROPFIND"])
    router.register("/b", 2, methods=["GET"])
    method = "".join(["PROP", "FIND"])
    assert found(router.match(method, "/a")).target == 1
    assert found(router.match("".join(["HE", "AD"]), "/b")).target == 2
    assert isinstance(router.match("".join(["OPT", "IONS"]), "/b"), AllowedMethods)


def test_a_method_that_a_better_pattern_lacks_is_looked_for_in_the_next() -> None:
    router = Router()
    router.register("/users/me", 1, methods=["GET"])
    router.register("/users/{id}", 2, methods=["DELETE"])
    assert found(router.match("DELETE", "/users/me")).params == {"id": "me"}


@pytest.mark.parametrize(
    ("methods", "error", "message"),
    [
        ("GET", TypeError, "an iterable of str such as"),
        (7, TypeError, "an iterable of str"),
        ([7], TypeError, "a method must be a str"),
        ([], RouteError, "must not be empty"),
        (["get"], RouteError, "did you mean 'GET'"),
        (["GET /"], RouteError, "a method is a token"),
        ([""], RouteError, "a method is a token"),
    ],
)
def test_bad_methods(methods: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Router().register("/", 1, methods=methods)


# ---- slashes ---------------------------------------------------------------------------------


def test_a_slash_more_or_less_is_redirected() -> None:
    router = Router({"/a": 1, "/b/": 2, "/u/{id:int}": 3, "/": 0}, mount_point="/m")
    for path, location in {"/m/a/": "/m/a", "/m/b": "/m/b/", "/m/u/7/": "/m/u/7"}.items():
        answer = router.match("POST", path)
        assert isinstance(answer, RedirectHandler)
        assert (answer.location, answer.status) == (location, 308)
    for path in ("/m/u/x/", "/m/a//", "/m//", "/m/c/", "/m/u/"):
        assert isinstance(router.match("GET", path), NotFound), path
    with_query = router.match("GET", "/m/a/", query="x=1&y=%20")
    assert isinstance(with_query, RedirectHandler)
    assert with_query.location == "/m/a?x=1&y=%20"


def test_a_redirect_quotes_and_never_leaves_the_site() -> None:
    router = Router({"/x/{a}": 1, "/{a}": 2, "/y/{a}/": 3})
    answer = router.match("GET", "/x/a b?c#d%é/")
    assert isinstance(answer, RedirectHandler)
    assert answer.location == "/x/a%20b%3Fc%23d%25%C3%A9"
    for path in ("//evil.example/", "//evil.example", "/y//evil.example"):
        assert not isinstance(router.match("GET", path), RedirectHandler), path
    backslash = router.match("GET", "/\\evil.example/")
    assert isinstance(backslash, RedirectHandler)
    assert backslash.location == "/%5Cevil.example"


def test_a_redirect_to_what_does_not_take_the_method() -> None:
    router = Router()
    router.register("/a", 1, methods=["GET"])
    assert isinstance(router.match("GET", "/a/"), RedirectHandler)
    assert isinstance(router.match("PUT", "/a/"), MethodNotAllowed)
    assert isinstance(router.match("OPTIONS", "/a/"), AllowedMethods)


def test_long_paths_are_redirected_too() -> None:
    router = Router({"/{a}/": 1})
    answer = router.match("GET", "/" + "x" * 5000)
    assert isinstance(answer, RedirectHandler)
    assert answer.location == "/" + "x" * 5000 + "/"


def test_strict_and_loose_slashes() -> None:
    strict = Router({"/a": 1, "/b/": 2}, slash="strict")
    assert [type(strict.match("GET", p)) for p in ("/a/", "/b")] == [NotFound, NotFound]
    loose = Router({"/a": 1, "/b/{x}/": 2}, slash="loose")
    assert found(loose.match("GET", "/a/")).target == 1
    assert found(loose.match("GET", "/b/7")).params == {"x": "7"}
    assert isinstance(loose.match("GET", "/a//"), NotFound)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_status_of_redirects(status: int) -> None:
    answer = Router({"/a": 1}, redirect_status=status).match("GET", "/a/")
    assert isinstance(answer, RedirectHandler)
    assert answer.status == status


def test_bad_policies() -> None:
    with pytest.raises(RouteError, match="slash must be 'redirect', 'strict' or 'loose'"):
        Router(slash="append")  # type: ignore[arg-type]
    with pytest.raises(RouteError, match="redirect_status must be 301, 302, 307 or 308"):
        Router(redirect_status=303)


# ---- hosts -----------------------------------------------------------------------------------


def test_hosts() -> None:
    router = Router({"/a": "plain", "/only": "only"})
    router.register("/a", "api", host="api.example.com")
    router.register("/a", "tenant", host="{tenant}.example.com")
    router.register("/{id:int}", "number", host="{n:int}.example.com")
    for host in ("api.example.com", "API.Example.COM", "api.example.com:8000", "api.example.com."):
        assert found(router.match("GET", "/a", host)).target == "api", host
    assert found(router.match("GET", "/a", "x.example.com")).params == {"tenant": "x"}
    assert found(router.match("GET", "/7", "8.example.com")).params == {"n": 8, "id": 7}
    assert found(router.match("GET", "/a", "8.example.com")).params == {"tenant": "8"}
    for other in ("example.com", "a.b.example.com", "", "x" * 300, "[::1]:80", "é", "\ud800"):
        assert found(router.match("GET", "/a", other)).target == "plain", other
    assert found(router.match("GET", "/a")).target == "plain"
    assert found(router.match("GET", "/only", "api.example.com")).target == "only"
    assert isinstance(router.match("GET", "/x", "api.example.com"), NotFound)


def test_a_router_for_one_host() -> None:
    router = Router({"/a": 1}, host="api.example.com")
    assert isinstance(router.match("GET", "/a"), NotFound)
    assert isinstance(router.match("GET", "/a", "www.example.com"), NotFound)
    assert found(router.match("GET", "/a", "api.example.com")).route.host == "api.example.com"


def test_405_of_a_host_counts_what_all_hosts_have() -> None:
    router = Router()
    router.register("/a", 1, methods=["GET"])
    router.register("/a", 2, methods=["POST"], host="x.example")
    refused = router.match("PUT", "/a", "x.example")
    assert isinstance(refused, MethodNotAllowed)
    assert refused.allowed == ("GET", "HEAD", "POST", "OPTIONS")


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", ".a", "a.", "a b", "a:80", "ü.example", "{x:path}.b", "{x", "a/b"]
)
def test_bad_hosts(host: str) -> None:
    with pytest.raises(RouteError):
        Router().register("/", 1, host=host)
    with pytest.raises(RouteError):
        Router(host=host)


def test_the_host_of_a_request_is_read_only_if_a_route_has_one(request_to) -> None:
    router = Router({"/a": 1})
    assert router.route(request_to("/a")) == 1
    router.register("/a", 2, host="x.example")
    assert router.route(request_to("/a", host="x.example")) == 2
    assert router.route(request_to("/a", host=None)) == 1
    with pytest.raises(AttributeError):
        router.route(request_to("/a"))
    with pytest.raises(TypeError, match="a host must be a str"):
        router.route(request_to("/a", host=b"x"))


# ---- converters ------------------------------------------------------------------------------

UUID = "12345678-1234-5678-9abc-123456789ABC"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "0", 0),
        ("int", "-5", -5),
        ("int", "-0", 0),
        ("int", "007", 7),
        ("int", "9" * 18, 10**18 - 1),
        ("int", "9" * 40, 10**40 - 1),
        ("int", "-" + "9" * 40, 1 - 10**40),
        ("int", "9" * 4300, 10**4300 - 1),
        ("int", "9" * 4301, None),
        ("int", "+5", None),
        ("int", "-", None),
        ("int", "--5", None),
        ("int", "1_000", None),
        ("int", " 5", None),
        ("int", "5 ", None),
        ("int", "0x10", None),
        ("int", "٣", None),
        ("int", "1.0", None),
        ("float", "1", 1.0),
        ("float", "-0.25", -0.25),
        ("float", "1" * 400, float("inf")),
        ("float", "1.", None),
        ("float", ".5", None),
        ("float", "1e5", None),
        ("float", "nan", None),
        ("float", "inf", None),
        ("float", "1.2.3", None),
        ("uuid", UUID, uuid.UUID(UUID)),
        ("uuid", UUID.replace("-", ""), None),
        ("uuid", "{" + UUID + "}", None),
        ("uuid", UUID[:-1] + "g", None),
        ("uuid", UUID + "0", None),
        ("date", "2024-02-29", datetime.date(2024, 2, 29)),
        ("date", "2000-02-29", datetime.date(2000, 2, 29)),
        ("date", "1900-02-29", None),
        ("date", "2023-02-29", None),
        ("date", "0001-01-01", datetime.date(1, 1, 1)),
        ("date", "0000-01-01", None),
        ("date", "2024-13-01", None),
        ("date", "2024-04-31", None),
        ("date", "2024-00-10", None),
        ("date", "2024-01-00", None),
        ("date", "20240229", None),
        ("date", "2024-2-29", None),
        ("str", "é", "é"),
        ("str", "a", "a"),
        ("path", "a//b/", "a//b/"),
        ("path", "/", "/"),
    ],
)
def test_converters(kind: str, text: str, value: object) -> None:
    match = Router({f"/x/{{v:{kind}}}": 1}, slash="strict").match("GET", f"/x/{text}")
    if value is None:
        assert isinstance(match, NotFound)
    else:
        got = found(match).params["v"]
        assert got == value
        assert type(got) is type(value)


def test_a_number_that_this_interpreter_does_not_read(request_to) -> None:
    router = Router({"/{v:int}": 1})
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(1000)
    try:
        assert isinstance(router.match("GET", "/" + "9" * 1001), NotFound)
        assert router.route(request_to("/" + "9" * 1001)) is None
    finally:
        sys.set_int_max_str_digits(before)


class Colour:
    """#rrggbb without the #."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def convert(self, text: str) -> tuple[int, ...]:
        self.asked.append(text)
        if len(text) != 6:
            raise ValueError("six digits were expected")
        return tuple(bytes.fromhex(text))

    def format(self, value: tuple[int, ...]) -> str:
        return bytes(value).hex()


def test_own_converters() -> None:
    colour = Colour()
    assert isinstance(colour, Converter)
    router = Router({"/c/{v:colour}": 1, "/c/{name}": 2}, converters={"colour": colour})
    assert found(router.match("GET", "/c/ff8000")).params == {"v": (255, 128, 0)}
    assert found(router.match("GET", "/c/red")).params == {"name": "red"}
    assert colour.asked == ["ff8000", "red"]
    router.register("/d/{v:shade}.png", 3, converters={"shade": colour})
    assert found(router.match("GET", "/d/000000.png")).args == ((0, 0, 0),)
    with pytest.raises(RouteError, match="there is no converter 'shade'; there are uuid"):
        router.register("/e/{v:shade}", 4)


def test_a_converter_that_fails_otherwise_is_heard() -> None:
    class Broken(Colour):
        def convert(self, text: str) -> tuple[int, ...]:
            raise ZeroDivisionError(text)

    router = Router({"/{v:broken}": 1}, converters={"broken": Broken()})
    with pytest.raises(ZeroDivisionError):
        router.match("GET", "/x")


@pytest.mark.parametrize(
    ("converters", "error", "message"),
    [
        ({"int": Colour()}, RouteError, "built-in"),
        ({"a-b": Colour()}, RouteError, "an identifier"),
        ({"x": object()}, TypeError, r"an object with convert\(text\)"),
        ({"x": Colour}, TypeError, r"an object with convert\(text\)"),
    ],
)
def test_bad_converters(converters: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Router(converters=converters)
    with pytest.raises(error, match=message):
        Router().register("/", 1, converters=converters)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("/{id", "a brace without its other one"),
        ("/id}", "a brace without its other one"),
        ("/{{id}}", "a brace without its other one"),
        ("/{}", "with names such as Python's"),
        ("/{7}", "with names such as Python's"),
        ("/{a b}", "with names such as Python's"),
        ("/{a:}", "there is no converter ''"),
        ("/{a:number}", "there is no converter 'number'"),
        ("/{a}/{a}", "two parameters 'a'"),
        ("/{a}{b}", "text between two parameters"),
        ("/{a:path}/b", "must be last"),
        ("/{a:path}.gz", "must be last"),
        ("".join(f"/{{p{i}}}" for i in range(33)), "at most 32 parameters"),
        ("/" + "x" * 1024, "at most 1024 bytes"),
    ],
)
def test_bad_patterns(pattern: str, message: str) -> None:
    with pytest.raises(RouteError, match=message):
        Router({pattern: 1})


# ---- route() ---------------------------------------------------------------------------------


def test_route_with_parameters(request_to) -> None:
    handler = Handler(".", "m", "C", "x", ("own",))
    router = Router({"/h/{id:int}/{rest:path}": handler, "/f/{id:int}": len, "/h": handler})
    got = router.route(request_to("/h/7/a/b"))
    assert got == Handler(".", "m", "C", "x", ("own", 7, "a/b"))
    assert got.endpoint is handler.endpoint
    assert router.route(request_to("/h")) is handler
    match = router.route(request_to("/f/7"))
    assert isinstance(match, Match)
    assert (match.target, match.params) == (len, {"id": 7})
    assert router.route(request_to("/f/x")) is None
    assert isinstance(router.route(request_to("/h/")), RedirectHandler)


# ---- other kinds of routers ------------------------------------------------------------------


def test_a_router_that_routes_by_itself(request_to) -> None:
    class Own(Router):
        def route(self, req: Any) -> Any:
            return {"/target": len, "/answer": RedirectHandler("/")}.get(req.path)

    router = Own({"/registered/{id:int}": 1})
    assert found(router.match("GET", "/target")).target is len
    assert isinstance(router.match("GET", "/answer"), RedirectHandler)
    assert found(router.match("GET", "/registered/7")).params == {"id": 7}
    assert isinstance(router.match("GET", "/nothing"), NotFound)


def test_a_static_router(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("a")
    router = StaticRouter(directory=tmp_path)
    assert found(router.match("GET", "/static/a.txt")).target is not None
    assert isinstance(router.match("GET", "/static/b.txt"), NotFound)
    assert isinstance(router.match("POST", "/static/a.txt"), MethodNotAllowed)


def test_registered_patterns_and_a_convention(program, request_to) -> None:
    program(
        {
            "controllers/__init__.py": "",
            "controllers/post.py": "class PostController:\n    def new(self): ...\n"
            "    def view(self, id): ...\n",
        }
    )
    router = MVCRouter(package="controllers")
    router.register("/post/{id:int}", len)
    router.register("/post/{word}", repr, methods=["PUT"])
    assert router.route(request_to("/post/new", "PUT")).action == "new"
    assert router.route(request_to("/post/7")).params == {"id": 7}
    assert router.route(request_to("/post/view/7")).args == ("7",)
    assert isinstance(router.route(request_to("/post/other")), MethodNotAllowed)
    assert router.route(request_to("/nothing")) is None
    assert found(router.match("GET", "/post/new")).target.action == "new"
    assert found(router.match("GET", "/post/7")).params == {"id": 7}
    assert isinstance(router.match("GET", "/nothing"), NotFound)
