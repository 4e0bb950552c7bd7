"""What cannot stand beside one another is refused when it is registered, with both places."""

import re
from collections.abc import Callable

import pytest
from guava_router import Match, RouteConflict, RouteError, Router


class Own:
    """A converter for texts that a function accepts."""

    def __init__(self, accepts: Callable[[str], bool] = str.isalpha) -> None:
        self.accepts = accepts

    def convert(self, text: str) -> str:
        if not self.accepts(text):
            raise ValueError(text)
        return text.upper()

    def format(self, value: str) -> str:
        return value.lower()


def refused(router: Router, pattern: str, **options: object) -> str:
    before = list(router.routes())
    with pytest.raises(RouteConflict) as caught:
        router.register(pattern, object(), **options)  # type: ignore[arg-type]
    assert list(router.routes()) == before
    assert len(re.findall(r"test_conflicts\.py:\d+", str(caught.value))) == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a", "/a"),
        ("/{a}", "/{b}"),
        ("/{a}", "/{b:str}"),
        ("/{a:int}/x", "/{b:int}/x"),
        ("/x/{a:path}", "/x/{b:path}"),
        ("/v{a:int}.{b}", "/v{c:int}.{d}"),
    ],
)
def test_the_same_up_to_names(one: str, other: str) -> None:
    message = refused(Router({one: 1}), other)
    assert "registered twice" in message
    assert repr(one) in message
    assert repr(other) in message


def test_methods_are_apart() -> None:
    router = Router()
    router.register("/a", 1, methods=["GET", "POST"])
    router.register("/a", 2, methods=["PUT"])
    router.register("/a", 3)
    assert "GET,POST" in refused(router, "/a", methods=["PATCH", "POST"])
    refused(router, "/a")
    found = {m: router.match(m, "/a") for m in ("GET", "POST", "PUT", "PATCH", "HEAD", "OPTIONS")}
    targets = [match.target for match in found.values() if isinstance(match, Match)]
    assert targets == [1, 1, 2, 3, 1, 3]


def test_hosts_are_apart() -> None:
    router = Router({"/a": 1})
    router.register("/a", 2, host="x.example")
    router.register("/a", 3, host="{any}.example")
    refused(router, "/a", host="X.example")
    refused(router, "/a", host="{other}.example")


def test_a_loose_slash_makes_two_paths_one() -> None:
    refused(Router({"/a": 1}, slash="loose"), "/a/")
    refused(Router({"/{a}/": 1}, slash="loose"), "/{b}")
    Router({"/a": 1, "/a/": 2}, slash="strict")
    Router({"/a": 1, "/a/": 2})


def test_names_are_apart() -> None:
    router = Router()
    router.register("/a", 1, name="a")
    assert "two routes are named 'a'" in refused(router, "/b", name="a")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/{a:low}", "/{b:high}"),
        ("/{a:low}", "/{b:int}"),
        ("/{a:date}", "/{b:low}"),
        ("/x/{a:low}/{b}", "/x/{c:high}/y"),
        ("/x/{a:low}/7", "/x/{c:high}/{d:int}"),
        ("/{a:low}.json", "/{b:high}.{c}"),
        ("/{a:low}/{rest:path}", "/{b:high}/x/y/z"),
        ("/{a:low}/v{b}", "/{b:high}/{c}w"),
    ],
)
def test_own_converters_of_equal_precedence(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        router = Router(converters={"low": Own(str.islower), "high": Own(str.isupper)})
        router.register(first, 1)
        assert "neither converter goes before the other" in refused(router, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/{a:low}", "/{b}"),
        ("/{a:low}", "/{b:path}"),
        ("/{a:low}/x", "/{b:high}/y"),
        ("/{a:low}/x", "/{b:high}/x/"),
        ("/{a:low}/{n:int}", "/{b:high}/x"),
        ("/{a:low}/{n:int}", "/{b:high}/{u:uuid}"),
        ("/{a:low}.json", "/{b:high}.xml"),
        ("/{a:low}/v{n}", "/{b:high}/w{n}"),
        ("/a{a:low}", "/b{b:high}"),
        ("/{a:low}/{b:low}", "/{a:low}/{b}"),
        ("/{a:int}", "/{b:float}"),
        ("/{a:int}", "/{b:date}"),
    ],
)
def test_what_can_be_told_apart(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        router = Router(converters={"low": Own(str.islower), "high": Own(str.isupper)})
        router.register(first, 1)
        router.register(second, 2)


def test_own_converters_of_equal_precedence_with_other_methods() -> None:
    router = Router(converters={"low": Own(str.islower), "high": Own(str.isupper)})
    router.register("/{a:low}", 1, methods=["GET"])
    router.register("/{a:high}", 2, methods=["POST"])
    refused(router, "/{x:high}", methods=["GET"])


def test_a_route_that_came_before_the_first_own_converter_counts() -> None:
    router = Router({"/x/{a:int}": 1})
    refused(router, "/x/{a:low}", converters={"low": Own()})


def test_a_parameter_in_host_and_path() -> None:
    with pytest.raises(RouteError, match="both have 'a'"):
        Router().register("/{a}", 1, host="{a}.example")
