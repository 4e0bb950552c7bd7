"""JSONSerializer: what comes back is what went in, or an error says which key is at fault."""

import datetime
import decimal
import enum
import fractions
import random
import uuid

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


UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
MORE = [
    datetime.datetime(2026, 11, 23, 2, 45, 1, 123456),
    datetime.datetime(1, 1, 1, tzinfo=UTC),
    datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=EAST),
    datetime.date(2024, 2, 29),
    datetime.time(23, 59, 59, 1),
    datetime.time(1, tzinfo=EAST),
    datetime.timedelta(days=-3, seconds=5, microseconds=7),
    datetime.timedelta.max,
    b"",
    bytes(range(256)),
    decimal.Decimal("1.10"),
    decimal.Decimal("-0E-10"),
    decimal.Decimal("1e400"),
    decimal.Decimal("Infinity"),
    uuid.UUID(int=0),
    uuid.UUID("12345678-1234-5678-1234-567812345678"),
]


@pytest.mark.parametrize("value", MORE, ids=repr)
def test_what_json_lacks(value):
    for record in ({"a": value}, {"a": [1, {"b": (value,)}], "c": value}):
        again = JSON.loads(JSON.dumps(record))
        assert repr(again) == repr(record).replace(f"({value!r},)", f"[{value!r}]")


@pytest.mark.parametrize(
    "value",
    [
        {"$date": "2026-11-23"},
        {"$date": 5},
        {"$dict": {"$dict": {}}},
        {"$": 1},
        {"$unknown": [{"$x": b"x"}]},
        {"$a": 1, "$b": 2},
        {"$bytes": "", "b": 1},
    ],
)
def test_dicts_that_look_like_ours(value):
    for record in ({"a": value}, value, {"a": [value, {"b": value}]}):
        assert JSON.loads(JSON.dumps(record)) == record


def random_value(chance, depth=0):
    kind = chance.randrange(10 if depth < 4 else 5)
    if kind < 3:
        return chance.choice(MORE)
    if kind < 5:
        return chance.choice([None, True, 0, -7, 0.5, "", "$", "text", "$date"])
    if kind < 7:
        return [random_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    keys = chance.sample(["a", "b", "$", "$date", "$dict", "$uuid", "c"], chance.randrange(4))
    return {key: random_value(chance, depth + 1) for key in keys}


@pytest.mark.parametrize("seed", range(4))
def test_random_records(seed):
    chance = random.Random(seed)
    for _ in range(300):
        record = {key: random_value(chance) for key in chance.sample("abc$", chance.randrange(4))}
        before = repr(record)
        again = JSON.loads(JSON.dumps(record))
        assert repr(again) == before == repr(record)


@pytest.mark.parametrize(
    "form",
    [
        b'{"a":{"$date":5}}',
        b'{"a":{"$date":"2026-13-01"}}',
        b'{"a":{"$bytes":"%"}}',
        b'{"a":[{"$uuid":"5"}]}',
        b'{"a":{"$decimal":"x"}}',
        b'{"a":{"$decimal":[1]}}',
        b'{"a":{"$timedelta":[1e400,0,0]}}',
        b'{"a":{"$timedelta":[999999999999,0,0]}}',
        b'{"a":{"$timedelta":[1,2,3,4,5,6,7,8]}}',
        b'{"a":{"$dict":5}}',
        b'{"a":{"$later":1}}',
    ],
)
def test_forms_that_are_not_ours(form):
    with pytest.raises(ValueError, match="a session holds"):
        JSON.loads(form)


def test_a_tuple_comes_back_as_a_list():
    assert JSON.loads(JSON.dumps({"a": (1, (2,))})) == {"a": [1, [2]]}


class Colour(enum.IntEnum):
    RED = 1


class Markup(str):
    pass


class Moment(datetime.datetime):
    """A subclass, which would come back as a datetime."""


def test_kinds_of_int_and_str():
    assert JSON.loads(JSON.dumps({"a": Colour.RED, "b": [Markup("<b>")]})) == {
        "a": 1,
        "b": ["<b>"],
    }


@pytest.mark.parametrize(
    "record, error, text",
    [
        ({"when": object()}, TypeError, r"session key 'when' is of type object"),
        ({"ok": 1, "raw": bytearray(b"x")}, TypeError, r"session key 'raw' is of type bytearray"),
        ({"price": fractions.Fraction(1)}, TypeError, r"'price' is of type Fraction"),
        ({"when": Moment(2026, 1, 1)}, TypeError, r"'when' is of type Moment"),
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
