"""Mounts: who is asked, in which order, for which paths."""

import gc
import sys

import pytest
from guava_router import (
    Handler,
    HandlerNotFound,
    Mounts,
    MVCRouter,
    RESTRouter,
    RouteConflict,
    RouteError,
    Router,
    StaticRouter,
)

POST = "class PostController:\n    def index(self): ...\n    def view(self, post_id): ...\n"
USERS = "class UsersController:\n    def get_all(self): ...\n    def delete_one(self, n): ...\n"


def named(name: str) -> Handler:
    return Handler(module="m", controller="C", action=name)


class Custom(Router):
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, answers=None, mount_point="/"):
        super().__init__(mount_point=mount_point)
        self.answers = answers or {}
        self.asked = []

    def route(self, req):
        self.asked.append(req.path)
        return self.answers.get(req.path)


def test_the_longest_mount_point_wins(request_to) -> None:
    root, a, ab = (Router(mount_point=p) for p in ("/", "/a", "/a/b"))
    for router in (root, a, ab):
        router.register("/x", named(router.mount_point))
        router.register("/", named(router.mount_point))
    mounts = Mounts(root, ab, a)
    for path, router in [
        ("/", root),
        ("/x", root),
        ("/a", a),
        ("/a/", a),
        ("/a/x", a),
        ("/a/b", ab),
        ("/a/b/", ab),
        ("/a/b/x", ab),
    ]:
        found = mounts.route(request_to(path))
        assert found is not None, path
        assert found[0] is router, path
        assert found[1].action == router.mount_point


def test_a_mount_point_ends_at_a_slash(request_to) -> None:
    mounts = Mounts(
        Router({"/staticfoo": named("root")}),
        Router({"/foo": named("static")}, mount_point="/static"),
    )
    assert mounts.route(request_to("/staticfoo"))[1].action == "root"
    assert mounts.route(request_to("/static/foo"))[1].action == "static"
    assert mounts.route(request_to("/static-foo")) is None


def test_shorter_mount_points_are_not_asked_afterwards(request_to) -> None:
    mounts = Mounts(Router({"/a/x": named("root")}), Router({"/y": named("a")}, mount_point="/a"))
    assert mounts.route(request_to("/a/y")) is not None
    assert mounts.route(request_to("/a/x")) is None


def test_nobody_answers(request_to) -> None:
    assert Mounts().route(request_to("/")) is None
    assert Mounts(Router()).route(request_to("/")) is None
    assert Mounts(Router(mount_point="/a")).route(request_to("/b")) is None
    for path in ("", "*", "a", "/\ud800"):
        assert Mounts(Custom({path: 1})).route(request_to(path)) is None


def test_custom_routers_are_asked_first_in_their_order(request_to) -> None:
    table = Router({"/x": named("table"), "/y": named("table")})
    one = Custom({"/x": named("one")})
    two = Custom({"/x": named("two"), "/z": named("two")})
    mounts = Mounts(table, one, two)
    assert mounts.route(request_to("/x")) == (one, named("one"))
    assert mounts.route(request_to("/z")) == (two, named("two"))
    assert mounts.route(request_to("/y")) == (table, named("table"))
    assert (one.asked, two.asked) == (["/x", "/z", "/y"], ["/z", "/y"])


def test_a_custom_router_is_asked_below_its_mount_point_only(request_to) -> None:
    custom = Custom({"/a/x": named("custom")}, mount_point="/a")
    mounts = Mounts(Router({"/a/y": named("root")}), custom)
    assert mounts.route(request_to("/a/x")) == (custom, named("custom"))
    assert mounts.route(request_to("/b")) is None
    assert mounts.route(request_to("/ab")) is None
    assert custom.asked == ["/a/x"]
    assert mounts.route(request_to("/a/y")) is not None, "it does not own what is below it"


class Special(Router):
    """As in the README of 2014."""

    def __init__(self):
        self.register("/hello", named("hello"))
        self.register("/both", named("registered"))

    def route(self, req):
        return named("routed") if req.path in ("/me", "/both") else None


def test_what_a_custom_router_registered_counts_after_its_route(request_to) -> None:
    special = Special()
    mounts = Mounts(special)
    for path, action in [("/me", "routed"), ("/hello", "hello"), ("/both", "routed")]:
        assert mounts.route(request_to(path)) == (special, named(action))
    assert mounts.route(request_to("/other")) is None


def test_tables_go_before_conventions(program, request_to) -> None:
    program({"app/__init__.py": "", "app/post.py": POST})
    mvc = MVCRouter(package="app")
    table = Router({"/post": named("override")})
    for routers in [(mvc, table), (table, mvc)]:
        mounts = Mounts(*routers)
        assert mounts.route(request_to("/post")) == (table, named("override"))
        assert mounts.route(request_to("/post/view/1"))[0] is mvc


def test_a_whole_application(program, request_to, tmp_path) -> None:
    program(
        {
            "app/__init__.py": "",
            "app/post.py": POST,
            "api/__init__.py": "",
            "api/users.py": USERS,
            "files/a.css": "a {}",
        }
    )
    mvc = MVCRouter(package="app")
    rest = RESTRouter("/api", "api")
    static = StaticRouter("/static", tmp_path / "files")
    mounts = Mounts(mvc, rest, static)
    router, handler = mounts.route(request_to("/post/view/10"))
    assert (router, handler.args) == (mvc, ("10",))
    router, handler = mounts.route(request_to("/api/users/10", "DELETE"))
    assert (router, handler.action) == (rest, "delete_one")
    router, handler = mounts.route(request_to("/static/a.css"))
    assert router is static
    with handler.open() as file:
        assert file.read() == b"a {}"
    assert mounts.route(request_to("/static/b.css")) is None
    assert mounts.routers == (mvc, rest, static)
    assert [r.pattern for r in mounts.routes()] == [
        "/post",
        "/post/view/{post_id}",
        "/api/users",
        "/api/users/{n}",
        "/static/{path...}",
    ]


def test_a_package_with_a_router_of_its_own_is_not_in_the_one_around(program, request_to) -> None:
    program(
        {
            "app/__init__.py": "",
            "app/post.py": POST,
            "app/api/__init__.py": "",
            "app/api/users.py": USERS,
            "app/api2/__init__.py": "",
            "app/api2/users.py": USERS,
        }
    )
    alone = MVCRouter(package="app")
    assert alone.route(request_to("/api/users/delete_one/1")) is not None
    mvc = MVCRouter(package="app")
    mounts = Mounts(mvc, RESTRouter("/rest", "app.api"))
    assert mounts.route(request_to("/api/users/delete_one/1")) is None
    assert mounts.route(request_to("/api2/users/delete_one/1")) is not None
    assert mounts.route(request_to("/rest/users")) is not None
    assert mounts.route(request_to("/post")) is not None


def test_two_conventions_for_one_url(program) -> None:
    program(
        {
            "one/__init__.py": "",
            "one/post.py": POST,
            "two/__init__.py": "",
            "two/post.py": POST,
        }
    )
    with pytest.raises(RouteConflict) as caught:
        Mounts(MVCRouter(package="one"), MVCRouter(package="two"))
    message = str(caught.value)
    assert "two routers for /post:" in message
    assert "one/post.py:2" in message
    assert "two/post.py:2" in message
    Mounts(MVCRouter(package="one"), MVCRouter("/two", "two"))


def test_what_cannot_be_mounted(request_to) -> None:
    router = Router({"/x": named("x")})
    mounts = Mounts(router)
    with pytest.raises(RouteError, match="is mounted already"):
        mounts.add(router)
    with pytest.raises(TypeError, match="a Router was expected, not None"):
        mounts.add(Router(), None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a Router was expected"):
        Mounts(Router)  # type: ignore[arg-type]
    assert mounts.routers == (router,)
    assert mounts.route(request_to("/x")) == (router, named("x"))


def test_adding_and_registering_later(request_to) -> None:
    mounts = Mounts()
    router = Router()
    mounts.add(router)
    assert mounts.route(request_to("/x")) is None
    router.register("/x", named("x"))
    assert mounts.route(request_to("/x")) == (router, named("x"))
    mounts.add(Router({"/x": named("later")}))
    assert mounts.route(request_to("/x"))[0] is router


def test_check_asks_every_router() -> None:
    mounts = Mounts(Router(), Router({"/x": Handler(module="no_such_module_x", controller="C")}))
    with pytest.raises(HandlerNotFound):
        mounts.check()


class Failing(Router):
    def route(self, req):
        raise ZeroDivisionError


def test_errors_of_a_router_come_out(request_to) -> None:
    with pytest.raises(ZeroDivisionError):
        Mounts(Failing()).route(request_to("/"))
    with pytest.raises(AttributeError):
        Mounts(Router()).route(object())
    with pytest.raises(TypeError, match=r"request.path must be a str"):
        Mounts(Router()).route(request_to(None))


def test_a_method_is_read_only_if_a_route_needs_it(program, request_to) -> None:
    class PathOnly:
        path = "/x"

    assert Mounts(Router({"/x": len})).route(PathOnly()) is not None
    program({"api/__init__.py": "", "api/users.py": USERS})
    rest = Mounts(RESTRouter(package="api"))
    PathOnly.path = "/users"
    with pytest.raises(AttributeError, match="method"):
        rest.route(PathOnly())
    with pytest.raises(TypeError, match=r"request.method must be a str"):
        rest.route(request_to("/users", b"GET"))


def test_a_router_that_mounts_another_while_it_is_asked(request_to) -> None:
    mounts = Mounts()

    class Growing(Router):
        def route(self, req):
            mounts.add(Router({f"/{len(mounts.routers)}": named("grown")}))
            self.register(f"/r{len(mounts.routers)}", named("registered"))
            gc.collect()
            return None

    mounts.add(Growing())
    for _ in range(5):
        path = f"/{len(mounts.routers)}"
        assert mounts.route(request_to(path)) is None, "the plan was made before"
        assert mounts.route(request_to(path)) is not None


def test_a_request_that_registers_while_its_method_is_read(program) -> None:
    program({"api/__init__.py": "", "api/users.py": USERS})
    router = RESTRouter(package="api")
    mounts = Mounts(router)

    class Meddling:
        path = "/users"
        n = 0

        @property
        def method(self):
            Meddling.n += 1
            router.register(f"/new{Meddling.n}", len)
            gc.collect()
            return "".join(["G", "ET"])

    for _ in range(10):
        assert mounts.route(Meddling())[1].action == "get_all"


def test_routing_leaves_nothing_behind(program, request_to) -> None:
    program(
        {"app/__init__.py": "", "app/post.py": POST, "api/__init__.py": "", "api/users.py": USERS}
    )
    mounts = Mounts(MVCRouter(package="app"), RESTRouter("/api", "api"), Special())
    requests = [
        request_to(path, method)
        for path in ("/", "/post", "/post/view/ä", "/api/users/1", "/hello", "/nothing", "/\ud800")
        for method in ("GET", "DELETE", "BREW")
    ]

    def all_of_them() -> None:
        for request in requests:
            mounts.route(request)

    all_of_them()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(200):
        all_of_them()
    assert sys.getallocatedblocks() - before < 50
