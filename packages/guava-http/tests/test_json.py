"""JSON gives the same whichever library does it."""

import dataclasses
import datetime
import enum
import importlib.util
import json
import math
import sys
import uuid
from collections import OrderedDict, namedtuple
from pathlib import Path

import guava_http
import pytest

SOURCE = Path(guava_http.__file__).with_name("_json.py")
WITHOUT = {
    "standard library": {"orjson": None, "msgspec": None, "msgspec.json": None},
    "msgspec": {"orjson": None},
    "orjson": {},
}


@pytest.fixture(params=WITHOUT)
def library(request, monkeypatch):
    """guava_http._json as it is where only this library is installed."""
    name = request.param
    if name != "standard library" and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is optional and not installed here")
    for missing in WITHOUT[name]:
        monkeypatch.setitem(sys.modules, missing, None)
    spec = importlib.util.spec_from_file_location("json_under_test", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reader = getattr(module.loads, "__module__", None) or type(module.loads.__self__).__module__
    assert name == "standard library" or name in reader
    return module


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    pass


@dataclasses.dataclass
class Point:
    x: float
    _y: list


Pair = namedtuple("Pair", "a b")
UTC = datetime.UTC


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ({"a": [1, -2.5, "é"]}, '{"a":[1,-2.5,"é"]}'),
        ('"\\/\x1f\x7f\u2028<', '"\\"\\\\/\\u001f\x7f\u2028<"'),
        ((1, (2,)), "[1,[2]]"),
        (Pair(1, 2), "[1,2]"),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        ({1: 2, None: 3, False: 4, 1.5: 5}, '{"1":2,"null":3,"false":4,"1.5":5}'),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        ([math.nan, math.inf, {"a": -math.inf}, (0.5,)], '[null,null,{"a":null},[0.5]]'),
        ([Point(math.nan, []), 2**70], '[{"x":null,"_y":[]},1180591620717411303424]'),
        (Text("x"), '"x"'),
        (Number.ONE, "1"),
        (Colour.RED, '"red"'),
        (Point(1.5, [None]), '{"x":1.5,"_y":[null]}'),
        (datetime.datetime(2020, 1, 2, 3, 4, 5), '"2020-01-02T03:04:05"'),
        (datetime.datetime(2020, 1, 2, 3, 4, 5, 6, UTC), '"2020-01-02T03:04:05.000006+00:00"'),
        (datetime.date(2020, 1, 2), '"2020-01-02"'),
        (datetime.time(3, 4), '"03:04:00"'),
        (uuid.UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
    ],
)
def test_written(library, value, text):
    assert library.dumps(value) == text.encode()
    json.loads(library.dumps(value))


def test_lone_surrogates_are_escaped(library):
    assert library.dumps(["\ud800é"]) == b'["\\ud800\\u00e9"]'


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), {(1,): 2}, Point, 1j, Path("x")])
def test_not_written(library, value):
    with pytest.raises(TypeError):
        library.dumps({"a": value})


def test_a_circle_is_not_written(library):
    circle = []
    circle.append(circle)
    with pytest.raises((ValueError, RecursionError)):
        library.dumps(circle)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (' {"a" : [1, -2.5e1, "\\u00e9\\ud83c\\udf4e"]}\n', {"a": [1, -25.0, "é\U0001f34e"]}),
        ("[true,false,null]", [True, False, None]),
        ('{"a":1,"a":2}', {"a": 2}),
        ("-0", 0),
        ("9223372036854775807", 2**63 - 1),
        ('"\\\\ud800"', "\\ud800"),
        ("é".join('""'), "é"),
    ],
)
def test_read(library, text, value):
    assert library.loads(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1,]",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e400",
        b"01",
        b"1 2",
        b"'a'",
        b'"\t"',
        b'"\xff"',
        b'"\\ud800"',
        b'"\\udc00x"',
        b"\xef\xbb\xbf1",
        '"x"'.encode("utf-16"),
        b"[" * 100_000,
    ],
)
def test_not_read(library, text):
    with pytest.raises((ValueError, RecursionError)):
        library.loads(text)
    with pytest.raises((ValueError, RecursionError)):
        library.loads_exact(text)


@pytest.mark.parametrize(
    "number",
    [2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**40, 1234567890123456789],
)
def test_integers_of_any_size_through_a_request(number):
    request = guava_http.Request(body=b'{"id": %d}' % number)
    assert request.json() == {"id": number}
    assert type(request.json()["id"]) is int


def test_the_library_is_looked_for_when_it_is_needed():
    import subprocess

    code = (
        "import sys, guava_http; assert 'guava_http._json' not in sys.modules;"
        "guava_http.Response({}); assert 'guava_http._json' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
