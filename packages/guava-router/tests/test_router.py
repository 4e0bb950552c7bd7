"""Router: patterns, mount points, subclasses, listings, and what is refused at once."""

import gc
import weakref

import pytest
from guava_router import (
    Handler,
    HandlerNotFound,
    RedirectHandler,
    RouteConflict,
    RouteError,
    Router,
    StaticHandler,
)

ABOUT = Handler(package=".", module="misc", controller="MiscController", action="about")


def test_the_custom_router_of_2014(request_to) -> None:
    router = Router({"/about": ABOUT})
    assert router.route(request_to("/about")) is ABOUT
    assert router.route(request_to("/about", "POST")) is ABOUT
    assert router.route(request_to("/other")) is None


class MySpecialRouter(Router):
    """As in the README of 2014: it does not call its base's __init__."""

    def __init__(self) -> None:
        self.register(
            "/hello",
            Handler(package=".", module="misc", controller="MiscController", action="hello"),
        )

    def route(self, req):
        if req.path == "/me" and req.GET["name"] == "rock":
            return Handler(package=".", module="me", controller="MeController", action="show")
        return None


def test_a_subclass_that_does_not_call_its_base(request_to) -> None:
    router = MySpecialRouter()
    assert router.mount_point == "/"
    assert router.session_store is None
    me = router.route(request_to("/me", GET={"name": "rock"}))
    assert (me.module, me.controller, me.action) == ("me", "MeController", "show")
    assert router.route(request_to("/me", GET={"name": "paper"})) is None
    assert [route.pattern for route in router.routes()] == ["/hello"]
    assert Router.route(router, request_to("/hello")).action == "hello"


def test_a_pattern_is_exact(request_to) -> None:
    router = Router({"/a": len, "/b/": repr, "/": str, "/a/b c/ä": id}, slash="strict")
    found = {
        path: router.route(request_to(path))
        for path in ("/a", "/a/", "/b", "/b/", "/", "//", "/A", "/a/b c/ä")
    }
    assert found == {
        "/a": len,
        "/a/": None,
        "/b": None,
        "/b/": repr,
        "/": str,
        "//": None,
        "/A": None,
        "/a/b c/ä": id,
    }


def test_registering_later_counts(request_to) -> None:
    router = Router()
    assert router.route(request_to("/late")) is None
    router.register("/late", ABOUT)
    assert router.route(request_to("/late")) is ABOUT


@pytest.mark.parametrize("mount_point", ["/shop", "/shop/"])
def test_a_mount_point_ends_at_a_slash(request_to, mount_point: str) -> None:
    router = Router({"/": len, "/cart": repr}, mount_point=mount_point)
    assert router.mount_point == "/shop"
    assert router.route(request_to("/shop")) is len
    assert router.route(request_to("/shop/")) is len
    assert router.route(request_to("/shop/cart")) is repr
    for path in ("/shopping", "/shopcart", "/cart", "/", "/sho", "/shop//", "/SHOP"):
        assert router.route(request_to(path)) is None, path


def test_relative() -> None:
    router = Router(mount_point="/a/b")
    assert router.relative("/a/b") == router.relative("/a/b/") == "/"
    assert router.relative("/a/b/c/") == "/c/"
    for path in ("/a", "/a/bc", "", "a/b", "/\ud800"):
        assert router.relative(path) is None
    assert Router().relative("/x") == "/x"
    with pytest.raises(TypeError):
        router.relative(3)  # type: ignore[arg-type]


def test_every_kind_of_handler_is_given_back(request_to) -> None:
    handlers = {
        "/handler": ABOUT,
        "/redirect": RedirectHandler("/about"),
        "/file": StaticHandler("report.pdf"),
        "/function": test_relative,
        "/class": MySpecialRouter,
    }
    router = Router(handlers)
    assert {path: router.route(request_to(path)) for path in handlers} == handlers


def test_a_handler_keeps_its_own_arguments(request_to) -> None:
    handler = Handler(".", "m", "C", "x", ("1", "2"))
    assert Router({"/x": handler}).route(request_to("/x")).args == ("1", "2")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("about", "must start with a slash: 'about'; did you mean '/about'"),
        ("", "must start with a slash"),
        ("/a?b=c", "without '\\?'"),
        ("/a#b", "without '#'"),
        ("/a//b", "two slashes"),
        ("/a/../b", "dot segments"),
        ("/.", "dot segments"),
        ("/a\n", "control characters"),
        ("/\ud800", "no UTF-8 form"),
        ("/users/{id", "a brace without its other one"),
    ],
)
def test_bad_patterns(pattern: str, message: str) -> None:
    with pytest.raises(RouteError, match=message):
        Router({pattern: ABOUT})


@pytest.mark.parametrize("mount_point", ["", "shop", "/a//b", "/a/./b", "/a?b", "/a b\0"])
def test_bad_mount_points(mount_point: str) -> None:
    with pytest.raises(RouteError, match="a mount point"):
        Router(mount_point=mount_point)


def test_a_mount_point_is_no_class_attribute() -> None:
    with pytest.raises(TypeError, match="Here: mount_point belongs to a router"):
        type("Here", (Router,), {"mount_point": "/here"})


@pytest.mark.parametrize("path", [None, 3, b"/a"])
def test_paths_are_str(path: object) -> None:
    with pytest.raises(TypeError, match="must be a str"):
        Router(mount_point=path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a str"):
        Router().register(path, ABOUT)  # type: ignore[arg-type]


def test_none_is_no_target() -> None:
    with pytest.raises(TypeError, match=r"the target of '/x' must not be None"):
        Router({"/x": None})


def test_a_pattern_taken_twice_names_both_places() -> None:
    router = Router()
    router.register("/a", ABOUT)
    with pytest.raises(RouteConflict) as caught:
        router.register("/a", ABOUT)
    assert str(caught.value).count("test_router.py:") == 2


def test_a_request_that_is_none(request_to) -> None:
    router = Router({"/a": ABOUT})
    with pytest.raises(AttributeError):
        router.route(object())
    with pytest.raises(TypeError, match=r"request.path must be a str, not bytes"):
        router.route(request_to(b"/a"))
    for path in ("", "*", "a", "/\ud800"):
        assert router.route(request_to(path)) is None


def test_the_listing_can_be_printed() -> None:
    router = Router({"/about": ABOUT, "/old": RedirectHandler("/new", 301)}, mount_point="/m")
    routes = router.routes()
    assert [(r.method, r.pattern) for r in routes] == [(None, "/m/about"), (None, "/m/old")]
    lines = str(routes).splitlines()
    assert len(lines) == 2
    assert lines[0].split()[:3] == ["*", "/m/about", "misc.MiscController.about"]
    assert "test_router.py:" in lines[0]
    assert "RedirectHandler('/new', 301)" in lines[1]


def test_check_finds_handlers_that_name_nothing() -> None:
    router = Router({"/x": Handler(module="no_such_module_here", controller="C")})
    with pytest.raises(HandlerNotFound, match="no_such_module_here") as caught:
        router.check()
    assert "test_router.py:" in caught.value.__notes__[0]


def test_the_session_store_is_only_kept() -> None:
    store = object()
    assert Router(session_store=store).session_store is store


def test_routers_can_be_collected() -> None:
    class Cycle(Router):
        pass

    router = Cycle()
    router.register("/self", router.routes)
    gone = weakref.ref(router)
    del router
    gc.collect()
    assert gone() is None
