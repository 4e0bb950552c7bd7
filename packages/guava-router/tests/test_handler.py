"""Handler and Endpoint: names, arguments, equality, what is refused."""

import pytest
from guava_router import Endpoint, Handler


def test_the_names_of_2014() -> None:
    handler = Handler(package=".", module="misc", controller="MiscController", action="about")
    assert (handler.package, handler.module, handler.action) == (".", "misc", "about")
    assert handler.controller == handler.cls == "MiscController"
    assert handler.args == ()


def test_cls_is_another_spelling_of_controller() -> None:
    one = Handler(package="a", module="m", cls="C", action="x", args=("1",))
    assert one == Handler(package="a", module="m", controller="C", action="x", args=("1",))
    assert one == Handler("a", "m", "C", "x", ["1"])
    assert one.cls == one.controller == "C"


def test_package_and_action_have_defaults() -> None:
    handler = Handler(module="m", controller="C")
    assert (handler.package, handler.action, handler.args) == (".", "index", ())


def test_a_class_names_itself() -> None:
    handler = Handler(controller=TestEquality, action="test_args_count")
    package, _, module = __name__.rpartition(".")
    assert handler.package == (package or ".")
    assert handler.module == module
    assert handler.controller == "TestEquality"
    assert handler.endpoint.target is TestEquality


class TestEquality:
    def test_args_count(self) -> None:
        base = Handler(".", "m", "C", "x", ("1",))
        assert base != Handler(".", "m", "C", "x", ("2",))
        assert base != Handler(".", "m", "C", "x")

    @pytest.mark.parametrize("at", range(4))
    def test_each_name_counts(self, at: int) -> None:
        names = ["p", "m", "C", "x"]
        other = [*names[:at], "other", *names[at + 1 :]]
        assert Handler(*names) != Handler(*other)  # type: ignore[arg-type]

    def test_equal_handlers_hash_equal(self) -> None:
        assert len({Handler(".", "m", "C"), Handler(".", "m", "C"), Handler(".", "m", "D")}) == 2

    def test_other_types_are_different(self) -> None:
        assert Handler(".", "m", "C") != (".", "m", "C", "index", ())


def test_repr_can_be_read_back() -> None:
    handler = Handler("blog", "post", "PostController", "view", ("10",))
    assert eval(repr(handler)) == handler


def test_it_is_immutable() -> None:
    handler = Handler(".", "m", "C")
    for name in ("package", "module", "controller", "cls", "action", "args", "endpoint", "other"):
        with pytest.raises(AttributeError):
            setattr(handler, name, "x")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "needs a module and a controller"),
        ({"module": "m"}, "needs a module and a controller"),
        ({"controller": "C"}, "needs a module and a controller"),
        ({"module": "", "controller": "C"}, "module must be a str that is not empty"),
        ({"module": "m", "controller": 3}, "controller must be a str"),
        ({"module": "m", "controller": "C", "package": b"."}, "package must be a str"),
        ({"module": "m", "controller": "C", "action": None}, "action must be a str"),
        ({"module": "m", "controller": "C", "cls": "C"}, "give one of them"),
        ({"module": "m", "controller": "C", "args": "10"}, "args must be a tuple"),
        ({"module": "m", "controller": "C", "args": 10}, "not iterable"),
        ({"module": "m", "controller": int}, "a class names its package"),
    ],
)
def test_what_is_no_handler(wrong: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Handler(**wrong)


def test_an_endpoint_is_shared_and_has_room_for_a_framework() -> None:
    endpoint = Endpoint("p", "m", "C", "x")
    one, two = endpoint.handler(), endpoint.handler(["1", "2"])
    assert one.endpoint is two.endpoint is endpoint
    assert (one.args, two.args) == ((), ("1", "2"))
    assert endpoint.state is None
    endpoint.state = {"prepared": True}
    assert two.endpoint.state == {"prepared": True}


def test_an_endpoint_begins_as_names_only() -> None:
    endpoint = Endpoint("p", "m", "C", "x")
    assert (endpoint.target, endpoint.function, endpoint.file) == (None, None, None)
    assert (endpoint.min_args, endpoint.max_args, endpoint.line) == (0, None, 0)
    assert endpoint.cls == endpoint.controller == "C"
    assert repr(endpoint) == "<Endpoint p/m:C.x>"
