"""Dispatch: who is called, with what, and what becomes of errors."""

import gc
import sys
import traceback
import weakref
from types import SimpleNamespace

import pytest
from guava_router import Dispatch, Handler, Mounts, Router


def request(path: str, method: str = "GET") -> SimpleNamespace:
    return SimpleNamespace(path=path, method=method)


def named(*args: str) -> Handler:
    return Handler(module="m", controller="C", action="a", args=args)


class Calls:
    """Two functions for Dispatch that keep what they were called with."""

    def __init__(self) -> None:
        self.otherwise_with: list[tuple] = []
        self.failed_with: list[tuple] = []

    def otherwise(self, req, router, answer):
        self.otherwise_with.append((req, router, answer))
        return "otherwise"

    def failed(self, req, error):
        self.failed_with.append((req, error))
        return "failed"


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_a_prepared_endpoint_is_called(calls: Calls) -> None:
    for n in range(4):
        handler = named(*"abcd"[:n])
        router = Router({"/x": handler})
        dispatch = Dispatch(Mounts(router), calls.otherwise, calls.failed)
        handler.endpoint.state = dispatch, router, lambda *args: args
        req = request("/x")
        assert dispatch(req) == (req, *"abcd"[:n])
    assert calls.otherwise_with == calls.failed_with == []


def test_otherwise(calls: Calls) -> None:
    handler, function = named(), lambda req: "function"
    router = Router({"/handler": handler, "/function": function})
    dispatch = Dispatch(Mounts(router), calls.otherwise, calls.failed)
    requests = [request(path) for path in ("/handler", "/function", "/nothing")]
    assert [dispatch(req) for req in requests] == ["otherwise"] * 3
    assert calls.otherwise_with == [
        (requests[0], router, handler),
        (requests[1], router, function),
        (requests[2], None, None),
    ]


@pytest.mark.parametrize("wrong", ["dispatch", "router", "short", "list", "text"])
def test_a_state_of_somebody_else_is_not_called(calls: Calls, wrong: str) -> None:
    handler = named()
    router = Router({"/x": handler})
    dispatch = Dispatch(Mounts(router), calls.otherwise, calls.failed)
    other = Dispatch(Mounts(), calls.otherwise, calls.failed)
    handler.endpoint.state = {
        "dispatch": (other, router, print),
        "router": (dispatch, Router(), print),
        "short": (dispatch, router),
        "list": [dispatch, router, print],
        "text": "state",
    }[wrong]
    assert dispatch(request("/x")) == "otherwise"
    del handler.endpoint.state
    assert dispatch(request("/x")) == "otherwise"


def test_options_and_too_many_arguments_are_for_otherwise(calls: Calls) -> None:
    for handler, method, expected in [
        (named(), "OPTIONS", "otherwise"),
        (named(), "CONNECT", "called"),
        (named(*"x" * 16), "GET", "called"),
        (named(*"x" * 17), "GET", "otherwise"),
    ]:
        router = Router({"/x": handler})
        dispatch = Dispatch(Mounts(router), calls.otherwise, calls.failed)
        handler.endpoint.state = dispatch, router, lambda *args: "called"
        assert dispatch(request("/x", method)) == expected


def test_errors_go_to_failed(calls: Calls) -> None:
    def fail(*args):
        raise ValueError("on purpose")

    class Failing(Router):
        def route(self, req):
            fail()

    handler = named()
    router = Router({"/x": handler, "/y": named()})
    dispatch = Dispatch(Mounts(router), fail, calls.failed)
    handler.endpoint.state = dispatch, router, fail
    in_route = Dispatch(Mounts(Failing()), calls.otherwise, calls.failed)
    for failing, path in [(dispatch, "/x"), (dispatch, "/y"), (in_route, "/x")]:
        req = request(path)
        assert failing(req) == "failed"
        given, error = calls.failed_with.pop()
        assert given is req
        assert type(error) is ValueError
        assert traceback.extract_tb(error.__traceback__)[-1].name == "fail"
    # A request without a path is an error too.
    assert dispatch(object()) == "failed"
    assert type(calls.failed_with.pop()[1]) is AttributeError


def test_what_ends_a_program_is_no_error(calls: Calls) -> None:
    def end(*args):
        raise KeyboardInterrupt

    dispatch = Dispatch(Mounts(), end, calls.failed)
    with pytest.raises(KeyboardInterrupt):
        dispatch(request("/"))
    assert calls.failed_with == []


def test_failed_may_raise() -> None:
    def fail(req, *args):
        raise LookupError(*args)

    with pytest.raises(LookupError):
        Dispatch(Mounts(), fail, fail)(request("/"))


def test_wrong_use(calls: Calls) -> None:
    with pytest.raises(TypeError):
        Dispatch([], calls.otherwise, calls.failed)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="callable"):
        Dispatch(Mounts(), None, calls.failed)  # type: ignore[arg-type]
    dispatch = Dispatch(Mounts(), calls.otherwise, calls.failed)
    for args, names in [((), {}), ((1, 2), {}), ((), {"req": 1}), ((1,), {"x": 1})]:
        with pytest.raises(TypeError, match="one request"):
            dispatch(*args, **names)


def test_a_state_that_is_replaced_while_it_runs(calls: Calls) -> None:
    handler = named("x")
    router = Router({"/x": handler})
    dispatch = Dispatch(Mounts(router), calls.otherwise, calls.failed)

    def run(req, arg):
        handler.endpoint.state = None
        gc.collect()
        return arg

    handler.endpoint.state = dispatch, router, run
    del run
    assert dispatch(request("/x")) == "x"


def test_it_leaves_nothing_behind(calls: Calls) -> None:
    class Token:
        pass

    token = Token()
    alive = weakref.ref(token)
    handler = named()
    router = Router({"/x": handler})
    dispatch = Dispatch(Mounts(router), calls.otherwise, calls.failed)
    handler.endpoint.state = dispatch, router, lambda req, token=token: "called"
    requests = [request("/x"), request("/nothing"), None]

    def all_of_them(dispatch: Dispatch = dispatch) -> None:
        for req in requests:
            dispatch(req)
        calls.otherwise_with.clear()
        calls.failed_with.clear()

    all_of_them()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(2000):
        all_of_them()
    assert sys.getallocatedblocks() - before < 50
    # The endpoint's state leads back to the endpoint.
    del token, handler, router, dispatch, all_of_them
    gc.collect()
    assert alive() is None


# ---- find() -------------------------------------------------------------------------------------


class Counting(SimpleNamespace):
    """A request that counts how often it is looked at."""

    looked = 0

    @property
    def path(self) -> str:
        self.looked += 1
        return "/a"


def test_what_was_found_is_not_asked_for_again(calls) -> None:
    router = Router({"/a": "target"})
    dispatch = Dispatch(Mounts(router), calls.otherwise, calls.failed)
    req = Counting(method="GET")
    assert dispatch.find(req) == (router, "target")
    assert req.looked == 1
    assert dispatch(req) == "otherwise"
    assert calls.otherwise_with == [(req, router, "target")]
    assert req.looked == 1
    assert vars(req).keys() == {"method", "looked"}
    # It is forgotten then.
    dispatch(req)
    assert req.looked == 2


def test_other_requests_meanwhile(calls) -> None:
    dispatch = Dispatch(Mounts(Router({"/a": 1, "/b": 2})), calls.otherwise, calls.failed)
    first, second = request("/a"), request("/b")
    dispatch.find(first)
    dispatch.find(second)
    dispatch(request("/b"))
    dispatch(second)
    dispatch(first)
    assert [answer for _, _, answer in calls.otherwise_with] == [2, 2, 1]
    assert dispatch.find(request("/c")) is None


def test_what_one_dispatch_found_is_not_anothers(calls) -> None:
    one = Dispatch(Mounts(Router({"/a": 1})), calls.otherwise, calls.failed)
    other = Dispatch(Mounts(Router({"/a": 2})), calls.otherwise, calls.failed)
    req = request("/a")
    one.find(req)
    other.find(request("/a"))
    other(req)
    assert calls.otherwise_with[-1][2] == 2


def test_a_route_of_ones_own_is_asked_again(calls) -> None:
    """It may look at what has come only later: the body."""

    class Custom(Router):
        def route(self, req):
            return getattr(req, "body", None)

    dispatch = Dispatch(Mounts(Custom(), Router({"/a": "later"})), calls.otherwise, calls.failed)
    req = request("/a")
    assert dispatch.find(req)[1] == "later"
    req.body = "the body"
    dispatch(req)
    assert calls.otherwise_with[-1][2] == "the body"


def test_requests_without_room_for_attributes(calls) -> None:
    class Slotted:
        __slots__ = ("method", "path")

    req = Slotted()
    req.method, req.path = "GET", "/a"
    dispatch = Dispatch(Mounts(Router({"/a": 1})), calls.otherwise, calls.failed)
    assert dispatch.find(req)[1] == 1
    dispatch(req)
    assert calls.otherwise_with[-1][2] == 1


def test_what_was_found_dies_with_its_request(calls) -> None:
    target = request("/target")
    dispatch = Dispatch(Mounts(Router({"/a": target})), calls.otherwise, calls.failed)
    dispatch(request("/a"))
    calls.otherwise_with.clear()
    before = sys.getrefcount(target)
    req = request("/a")
    dispatch.find(req)
    assert sys.getrefcount(target) == before + 1
    del req
    assert sys.getrefcount(target) == before


def test_errors_while_it_is_found(calls) -> None:
    dispatch = Dispatch(Mounts(Router({"/a": 1})), calls.otherwise, calls.failed)
    with pytest.raises(AttributeError, match="path"):
        dispatch.find(SimpleNamespace(method="GET"))

    class Refusing(SimpleNamespace):
        def __setattr__(self, name, value):
            raise ZeroDivisionError(name)

    with pytest.raises(ZeroDivisionError):
        dispatch.find(Refusing(method="GET", path="/a"))
