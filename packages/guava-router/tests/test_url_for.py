"""url_for(): the way back from a name and values to a path, against the way there."""

import datetime
import uuid
from typing import Any
from urllib.parse import unquote

import pytest
from guava_router import Match, Router, UnknownRoute


def table() -> Router:
    router = Router(mount_point="/m ü")
    router.register("/", 1, name="root")
    router.register("/users/{id:int}", 2, name="user")
    router.register("/f/{rest:path}", 3, name="file")
    router.register("/{name}.json", 4, name="json")
    router.register("/d/{day:date}/{u:uuid}/{x:float}", 5, name="all")
    router.register("/a b/é", 6, name="text")
    router.register("/t", 7, name="tenant", host="{tenant}.example.com")
    return router


@pytest.mark.parametrize(
    ("name", "params", "url"),
    [
        ("root", {}, "/"),
        ("user", {"id": -7}, "/users/-7"),
        ("file", {"rest": "a b/ü/c"}, "/f/a%20b/%C3%BC/c"),
        ("json", {"name": "a?b#c%d"}, "/a%3Fb%23c%25d.json"),
        ("json", {"name": "a:@!$&'()*+,;=~-._"}, "/a:@!$&'()*+,;=~-._.json"),
        ("json", {"name": 7}, "/7.json"),
        ("text", {}, "/a%20b/%C3%A9"),
    ],
)
def test_urls(name: str, params: dict[str, Any], url: str) -> None:
    assert table().url_for(name, **params) == "/m%20%C3%BC" + url


@pytest.mark.parametrize("x", [0.0, -0.25, 1e22, 1e-7, 123456789.125, 3])
def test_there_and_back(x: float) -> None:
    params = {"day": datetime.date(2024, 2, 29), "u": uuid.uuid4(), "x": x}
    url = table().url_for("all", **params)
    match = table().match("GET", unquote(url))
    assert isinstance(match, Match)
    assert match.params == params


def test_a_host() -> None:
    assert table().url_for("tenant", tenant="x") == "//x.example.com/m%20%C3%BC/t"
    for value in ("evil.example", "a b", "x:80", "@"):
        with pytest.raises(ValueError, match="'tenant' is part of a host's label"):
            table().url_for("tenant", tenant=value)


def test_a_query() -> None:
    url = table().url_for("root", query={"a": 1, "b": ["x y", "&"], "c": "é"})
    assert url == "/m%20%C3%BC/?a=1&b=x+y&b=%26&c=%C3%A9"
    assert table().url_for("root", query={}) == table().url_for("root")
    assert table().url_for("root", query=[("a", "1"), ("a", "2")]).endswith("?a=1&a=2")


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownRoute, match="no route is named 'usre'; did you mean 'user'"):
        table().url_for("usre")
    with pytest.raises(LookupError, match=r"no route is named 'zzz'$"):
        table().url_for("zzz")
    with pytest.raises(UnknownRoute):
        Router().url_for("x")


@pytest.mark.parametrize(
    ("name", "params", "error", "message"),
    [
        ("user", {}, TypeError, r"url_for\('user'\): the parameter 'id' is missing"),
        ("user", {"id": 1, "page": 2}, TypeError, r"has no parameter 'page' .*query="),
        ("root", {"x": 1}, TypeError, "it has none"),
        ("user", {"id": "7"}, TypeError, "'id': an int was expected, not '7'"),
        ("user", {"id": True}, TypeError, "an int was expected"),
        ("json", {"name": ""}, ValueError, "text without a slash"),
        ("json", {"name": "a/b"}, ValueError, "text without a slash"),
        ("json", {"name": None}, TypeError, "a str or an int was expected"),
        ("file", {"rest": "../x"}, ValueError, "dot segments"),
        ("file", {"rest": 7}, TypeError, "a str was expected"),
        ("all", {"day": "2024-01-01", "u": "", "x": 1}, TypeError, "a date was expected"),
    ],
)
def test_bad_values(
    name: str, params: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        table().url_for(name, **params)


@pytest.mark.parametrize("x", [float("nan"), float("inf")])
def test_numbers_that_have_no_digits(x: float) -> None:
    router = Router()
    router.register("/{x:float}", 1, name="x")
    with pytest.raises(ValueError, match="finite"):
        router.url_for("x", x=x)


@pytest.mark.parametrize("value", [".", ".."])
def test_dot_segments_are_no_values(value: str) -> None:
    router = Router()
    router.register("/{x}", 1, name="x")
    with pytest.raises(ValueError, match="dot segments"):
        router.url_for("x", x=value)


def test_a_path_that_would_name_a_host() -> None:
    router = Router()
    router.register("/{rest:path}", 1, name="rest")
    with pytest.raises(ValueError, match="names a host"):
        router.url_for("rest", rest="/evil.example")


def test_a_converter_whose_format_gives_no_text() -> None:
    class Wrong:
        def convert(self, text: str) -> str:
            return text

        def format(self, value: object) -> Any:
            return value

    router = Router(converters={"wrong": Wrong()})
    router.register("/{x:wrong}", 1, name="x")
    for value, error in ((3, TypeError), ("", ValueError), ("a/b", ValueError)):
        with pytest.raises(error, match=r"url_for\('x'\): 'x'"):
            router.url_for("x", x=value)


def test_a_name_is_text() -> None:
    with pytest.raises(TypeError, match="the name of '/' must be a str"):
        Router().register("/", 1, name=3)  # type: ignore[arg-type]
