"""Arguments by annotation: what a URL gives, what it cannot, and what is refused at start."""

import datetime
import sys
import uuid

import pytest
from guava_router import MVCRouter, RESTRouter, RouteError

HEAD = """
from __future__ import annotations
import datetime, enum, uuid
from typing import Annotated, Any, Literal, NewType, Optional, Union

class Color(enum.Enum):
    RED = "red"
    DEEP_BLUE = "deep-blue"

class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2

UserId = NewType("UserId", int)

class Slug:
    def convert(self, text):
        if not text.islower():
            raise ValueError(text)
        return ("slug", text)
    def format(self, value):
        return value[1]
"""
UUID = "12345678-1234-5678-1234-567812345678"
BIG = "9" * 4300


def mvc(program, annotation: str, head: str = HEAD, star: str = "") -> MVCRouter:
    source = head + f"\nclass ItemController:\n    def view(self, {star}x: {annotation}): ...\n"
    program({"app/__init__.py": "", "app/item.py": source})
    return MVCRouter("/", "app")


SUITS = [
    ("str", "10", "10"),
    ("Any", "10", "10"),
    ("object", "10", "10"),
    ("int", "10", 10),
    ("int", "-3", -3),
    ("int", "007", 7),
    ("int", "123456789012345678", 123456789012345678),
    ("int", "1234567890123456789", 1234567890123456789),
    ("int", "-" + "1" * 40, -int("1" * 40)),
    ("int", BIG, int(BIG)),
    ("UserId", "10", 10),
    ("float", "1.5", 1.5),
    ("float", "-2", -2.0),
    ("bool", "true", True),
    ("bool", "false", False),
    ("uuid.UUID", UUID, uuid.UUID(UUID)),
    ("uuid.UUID", UUID.upper(), uuid.UUID(UUID)),
    ("datetime.date", "2024-02-29", datetime.date(2024, 2, 29)),
    ("Optional[int]", "10", 10),
    ("int | None", "10", 10),
    ("Union[int, str]", "10", 10),
    ("Union[int, str]", "ten", "ten"),
    ("str | int", "10", 10),
    ("int | datetime.date", "2024-02-29", datetime.date(2024, 2, 29)),
    ("Literal['asc', 'desc']", "desc", "desc"),
    ("Literal[1, 2]", "2", 2),
    ("Annotated[int, 'a number']", "10", 10),
    ("Annotated[tuple, Slug()]", "abc", ("slug", "abc")),
]


@pytest.mark.parametrize(("annotation", "text", "value"), SUITS)
def test_what_suits_is_converted(program, request_to, annotation, text, value) -> None:
    handler = mvc(program, annotation).route(request_to(f"/item/view/{text}"))
    assert handler.args == (value,)
    assert type(handler.args[0]) is type(value)


@pytest.mark.parametrize(
    ("annotation", "texts"),
    [
        (
            "int",
            ["x", "1x", "+1", "--1", "-", "1.0", "1_0", " 1", "1 ", "\u0663", "1\n", "9" * 4301],
        ),
        (
            "float",
            ["x", ".5", "5.", "1e5", "nan", "inf", "1_0.0", "+1.0", "--1", "\u0663.0", " 1"],
        ),
        ("bool", ["True", "1", "yes", "TRUE"]),
        ("uuid.UUID", ["x", UUID[:-1], UUID + "0", "{" + UUID + "}", UUID.replace("-", "")]),
        (
            "datetime.date",
            ["2024-2-9", "2023-02-29", "20240229", "2024-W09-4", "2024-02-29T10", "0000-01-01"],
        ),
        ("int | None", ["None", "none", "x"]),
        ("int | uuid.UUID", ["x"]),
        ("Literal['asc', 'desc']", ["up", "ASC", "as"]),
        ("Literal[1, 2]", ["3", "01"]),
        ("Color", ["RED", "green", "deep_blue"]),
        ("Annotated[tuple, Slug()]", ["ABC"]),
    ],
)
def test_what_does_not_suit_is_not_found(program, request_to, annotation, texts) -> None:
    router = mvc(program, annotation)
    for text in texts:
        assert router.route(request_to(f"/item/view/{text}")) is None, text


def test_enums_by_value(program, request_to) -> None:
    router = mvc(program, "Color")
    color = sys.modules["app.item"].Color
    assert router.route(request_to("/item/view/red")).args == (color.RED,)
    assert router.route(request_to("/item/view/deep-blue")).args == (color.DEEP_BLUE,)


def test_enums_of_numbers(program, request_to) -> None:
    router = mvc(program, "Level")
    level = sys.modules["app.item"].Level
    assert router.route(request_to("/item/view/2")).args == (level.HIGH,)
    assert router.route(request_to("/item/view/3")) is None


def test_the_rest_of_a_path(program, request_to) -> None:
    router = mvc(program, "int", star="*")
    assert router.route(request_to("/item/view")).args == ()
    assert router.route(request_to("/item/view/1/2/3")).args == (1, 2, 3)
    assert router.route(request_to("/item/view/1/x/3")) is None


def test_each_argument_by_its_own_annotation(program, request_to) -> None:
    source = """
        class ItemController:
            def view(self, a: int, b, c: "float" = None, *d: bool, **e: set): ...
        """
    program({"app/__init__.py": "", "app/item.py": source})
    router = MVCRouter("/", "app")
    assert router.route(request_to("/item/view/1/2")).args == (1, "2")
    assert router.route(request_to("/item/view/1/2/3")).args == (1, "2", 3.0)
    args = router.route(request_to("/item/view/1/2/3/true/false")).args
    assert args == (1, "2", 3.0, True, False)
    assert router.route(request_to("/item/view/x/2")) is None
    assert router.route(request_to("/item/view/1/2/3/true/x")) is None
    assert [route.pattern for route in router.routes()] == [
        "/item/view/{a:int}/{b}/{c:float?}/{d:bool...}"
    ]


def test_plain_texts_have_no_converters(program, request_to) -> None:
    handler = mvc(program, "str").route(request_to("/item/view/10"))
    assert handler.endpoint.converters is None


def test_a_decorated_action_keeps_its_annotations(program, request_to) -> None:
    source = """
        from __future__ import annotations
        import functools
        from elsewhere import traced

        class ItemController:
            Number = int

            @traced
            def view(self, x: Number): ...
        """
    elsewhere = """
        import functools

        def traced(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper
        """
    program({"app/__init__.py": "", "app/item.py": source, "elsewhere.py": elsewhere})
    router = MVCRouter("/", "app")
    assert router.route(request_to("/item/view/10")).args == (10,)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` is a statement since Python 3.12")
def test_type_aliases(program, request_to) -> None:
    router = mvc(program, "Number", head="type Number = int | bool")
    assert router.route(request_to("/item/view/true")).args == (True,)
    assert router.route(request_to("/item/view/no")) is None


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ("list", "a URL cannot give a list; it can give str, int"),
        ("list[int]", r"cannot give a list\[int\]"),
        ("dict | int", "cannot give a dict"),
        ("None", "cannot give a None"),
        ("datetime.datetime", "cannot give a datetime.datetime"),
        ("Missing", "'Missing' cannot be found at run time .NameError"),
        ("Literal[b'x']", "neither a text nor an int"),
        ("Literal[True]", "neither a text nor an int"),
        ("Literal[1, '1']", "the same text"),
        ("Annotated[tuple, Slug]", r"give an instance of it, Slug\(\)"),
    ],
)
def test_what_no_url_can_give_is_an_error_at_start(program, annotation, says) -> None:
    with pytest.raises(RouteError, match=says) as caught:
        mvc(program, annotation)
    lines = HEAD.count("\n") + 3
    assert f"item.py:{lines}: app.item.ItemController.view: the annotation of x: " in str(
        caught.value
    )


def test_a_converter_that_fails_otherwise_is_heard(program, request_to) -> None:
    head = """
from typing import Annotated
class Broken:
    def convert(self, text): raise ZeroDivisionError(text)
    def format(self, value): return value
"""
    router = mvc(program, "Annotated[int, Broken()]", head)
    with pytest.raises(ZeroDivisionError, match="10"):
        router.route(request_to("/item/view/10"))


def test_fewer_digits_if_the_program_says_so(program, request_to, monkeypatch) -> None:
    router = mvc(program, "int")
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(700)
    try:
        assert router.route(request_to("/item/view/" + "1" * 700)) is not None
        assert router.route(request_to("/item/view/" + "1" * 701)) is None
    finally:
        sys.set_int_max_str_digits(before)


# ---- REST -------------------------------------------------------------------------------------

USERS = """
    import uuid

    class UsersController:
        def get_all(self): ...
        def get_one(self, user_id: int): ...
        def delete_one(self, user_id: int): ...
    """
FRIENDS = """
    import uuid

    class FriendsController:
        def get_all(self, user_id: int): ...
        def get_one(self, user_id: int, friend: uuid.UUID): ...
        def update_one(self, user_id: int, friend: str): ...
    """


@pytest.fixture
def api(program) -> RESTRouter:
    files = {"api/users/__init__.py": USERS, "api/users/friends.py": FRIENDS}
    program({"api/__init__.py": "", **files})
    return RESTRouter("/", "api")


def test_ids_of_resources(api, request_to) -> None:
    assert api.route(request_to("/users/10")).args == (10,)
    assert api.route(request_to("/users/10/friends")).args == (10,)
    assert api.route(request_to(f"/users/10/friends/{UUID}")).args == (10, uuid.UUID(UUID))
    assert api.route(request_to("/users/10/friends/x", "PUT")).args == (10, "x")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "OPTIONS", "BREW"])
def test_a_bad_id_is_not_found_by_any_method(api, request_to, method) -> None:
    assert api.route(request_to("/users/me", method)) is None
    assert api.route(request_to("/users/me/friends", method)) is None


def test_a_bad_id_of_one_method_only(api, request_to) -> None:
    assert api.route(request_to("/users/10/friends/x", "GET")) is None
    assert api.route(request_to("/users/10/friends/x", "HEAD")) is None
    assert api.route(request_to("/users/10/friends/x", "POST")).allowed == (
        "GET",
        "HEAD",
        "PUT",
        "OPTIONS",
    )


def test_the_methods_of_a_good_id(api, request_to) -> None:
    answer = api.route(request_to("/users/10", "PUT"))
    assert answer.status == 405
    assert answer.allowed == ("GET", "HEAD", "DELETE", "OPTIONS")
    assert api.route(request_to("/users/10", "OPTIONS")).status == 204
