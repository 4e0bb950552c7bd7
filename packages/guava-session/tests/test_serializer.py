"""JSONSerializer: what comes back is what went in, or an error says which key is at fault."""

import decimal
import enum

import pytest
from guava_session import JSONSerializer, MemoryStore, Serializer

JSON = JSONSerializer()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**100,
        0.1,
        -0.0,
        1e300,
        5e-324,
        "",
        "text",
        "ü日本😀",
        '\0\n"\\/\u2028',
        "\ud800 alone",
        [],
        {},
        [1, [2, [3]]],
        {"a": {"b": [None, {"c": ""}]}},
    ],
)
def test_round_trip(value):
    record = {"key": value, "ключ": 1}
    again = JSON.loads(JSON.dumps(record))
    assert again == record
    assert repr(again) == repr(record)  # 1, True and 1.0 are equal, but not the same


def test_a_tuple_comes_back_as_a_list():
    assert JSON.loads(JSON.dumps({"a": (1, (2,))})) == {"a": [1, [2]]}


class Colour(enum.IntEnum):
    RED = 1


class Markup(str):
    pass


def test_kinds_of_int_and_str():
    assert JSON.loads(JSON.dumps({"a": Colour.RED, "b": [Markup("<b>")]})) == {
        "a": 1,
        "b": ["<b>"],
    }


@pytest.mark.parametrize(
    "record, error, text",
    [
        ({"when": object()}, TypeError, r"session key 'when' is of type object"),
        ({"ok": 1, "raw": b"x"}, TypeError, r"session key 'raw' is of type bytes"),
        ({"price": decimal.Decimal(1)}, TypeError, r"'price' is of type Decimal"),
        ({"tags": {"a"}}, TypeError, r"'tags' is of type set"),
        ({"cart": [1, {"price": 1j}]}, TypeError, r"'cart\[1\].price' is of type complex"),
        ({"votes": {10: 1}}, TypeError, r"'votes' holds a dict with the key 10"),
        ({"a": [{None: 1}]}, TypeError, r"'a\[0\]' holds a dict with the key None"),
        ({10: 1}, TypeError, r"keys are str, not int: 10"),
        ({"n": float("nan")}, ValueError, r"session key 'n' holds nan"),
        ({"a": {"b": [float("-inf")]}}, ValueError, r"'a.b\[0\]' holds -inf"),
    ],
)
def test_what_cannot_be_stored_is_named(record, error, text):
    with pytest.raises(error, match=text):
        JSON.dumps(record)


def test_what_contains_itself():
    ring = [1]
    ring.append({"again": ring})
    with pytest.raises(ValueError, match=r"'ring\[1\].again' contains itself"):
        JSON.dumps({"ring": ring})
    twice = [1]
    assert JSON.loads(JSON.dumps({"a": [twice, twice]})) == {"a": [[1], [1]]}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"1", b"null", b'"a"', b"{} {}", b'{"a":1}x', b"\xff", b"{'a':1}", b"{}\0"],
)
def test_what_is_not_a_session(data):
    with pytest.raises(ValueError):
        JSON.loads(data)


def test_blanks_around_it_are_no_matter():
    assert JSON.loads(b' {"a": 1}\n') == {"a": 1}


def test_a_serializer_is_an_object_with_two_methods():
    class Reversed:
        def dumps(self, record):
            return JSON.dumps(record)[::-1]

        def loads(self, data):
            return JSON.loads(data[::-1])

    assert isinstance(Reversed(), Serializer) and isinstance(JSON, Serializer)
    store = MemoryStore(serializer=Reversed())
    store.set("a", {"b": [1]})
    assert store.get("a") == {"b": [1]}
