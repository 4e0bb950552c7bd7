"""Query strings, forms and percent-encoding: QueryDict and unquote()."""

import copy
import pickle
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

import pytest
from guava_http import QueryDict, Request, RequestError, unquote


def query(text):
    return Request(url="/?" + text).GET


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("a=1", [("a", "1")]),
        ("a=1&b=2", [("a", "1"), ("b", "2")]),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("=1", [("", "1")]),
        ("a=1=2", [("a", "1=2")]),
        ("&&a=1&&", [("a", "1")]),
        ("a=1;b=2", [("a", "1;b=2")]),
        ("a+b=c+d", [("a b", "c d")]),
        ("a%2Bb=%20", [("a+b", " ")]),
        ("%C3%A9=%e2%82%ac", [("é", "€")]),
        ("a=%", [("a", "%")]),
        ("a=%4", [("a", "%4")]),
        ("a=%zz%41", [("a", "%zzA")]),
        ("a=%ff", [("a", "\ufffd")]),
        ("a=%00", [("a", "\0")]),
        ("a=1?b", [("a", "1?b")]),
    ],
)
def test_pairs_of_a_query(text, pairs):
    assert query(text).multi_items() == pairs


def test_agrees_with_the_standard_library():
    pairs = [("é ü", "a+b&c=d;e"), ("", "x"), ("n", "%25"), ("n", ""), ("\U0001f34e", "/?#")]
    encoded = urlencode(pairs)
    assert sorted(query(encoded).multi_items()) == sorted(
        parse_qsl(encoded, keep_blank_values=True)
    )


def test_is_a_dict_of_the_last_values():
    found = query("type=draft&type=final&x=1")
    assert found == {"type": "final", "x": "1"}
    assert dict(found) == found
    assert found["type"] == "final"
    assert found.get("none") is None
    assert found.get("none", "d") == "d"
    assert list(found) == ["type", "x"]
    assert isinstance(found, dict)
    assert isinstance(found, Mapping)
    assert f"{found['x']}" == "1"
    with pytest.raises(KeyError):
        found["none"]


def test_getlist_has_all_values():
    found = query("a=1&b=2&a=3&a=")
    assert found.getlist("a") == ["1", "3", ""]
    assert found.getlist("b") == ["2"]
    assert found.getlist("c") == []
    found.getlist("a").append("9")
    assert found.getlist("a") == ["1", "3", ""]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.__setitem__("a", "2"),
        lambda d: d.__delitem__("a"),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.update(a="2"),
        lambda d: d.setdefault("b", "2"),
        lambda d: d.__ior__({"a": "2"}),
    ],
)
def test_is_read_only(change):
    found = query("a=1")
    with pytest.raises(TypeError, match="read-only"):
        change(found)
    assert found == {"a": "1"}


def test_copies_are_plain_dicts_to_change():
    found = query("a=1&a=2")
    for made in (dict(found), found.copy(), found | {}):
        assert type(made) is dict
        made["b"] = "3"
        assert made == {"a": "2", "b": "3"}
    assert found.getlist("a") == ["1", "2"]


@pytest.mark.parametrize(
    "made", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))]
)
def test_copies_of_its_own_kind(made):
    found = made(query("a=1&a=2&b=3"))
    assert type(found) is QueryDict
    assert found.getlist("a") == ["1", "2"]


@pytest.mark.parametrize(
    "source",
    [
        {"a": ["1", "2"], "b": "3"},
        [("a", "1"), ("a", "2"), ("b", "3")],
        (pair for pair in [("a", "1"), ["a", "2"], ("b", "3")]),
        QueryDict([("a", "1"), ("b", "3"), ("a", "2")]),
    ],
)
def test_sources(source):
    found = QueryDict(source)
    assert found == {"a": "2", "b": "3"}
    assert found.getlist("a") == ["1", "2"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a=1", "must be a mapping or"),
        (5, "must be a mapping or"),
        ([("a",)], "pairs, found"),
        (["ab"], "pairs, found"),
        ({"a": 1}, "a str for each name and value"),
        ({1: "a"}, "a str for each name and value"),
        ({"a": None}, "a str for each name and value"),
    ],
)
def test_wrong_sources(source, message):
    with pytest.raises(TypeError, match=message):
        QueryDict(source)


def test_an_error_of_the_source_comes_through():
    def pairs():
        yield ("a", "1")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        QueryDict(pairs())


def test_repr():
    assert repr(query("a=1&a=2")) == "QueryDict([('a', '1'), ('a', '2')])"


def test_limit_of_parameters():
    assert len(query("&".join(f"a{i}=" for i in range(1000)))) == 1000
    with pytest.raises(RequestError, match="1000") as caught:
        query("&".join("a" for _ in range(1001)))
    assert caught.value.status == 400


@pytest.mark.parametrize("plus", [False, True])
def test_unquote_every_byte(plus):
    for byte in range(256):
        for text in (f"x%{byte:02x}y", f"x%{byte:02X}y", f"%{byte:02X}"):
            assert unquote(text, plus=plus) == unquote_to_bytes(text).decode("utf-8", "replace")


def test_unquote():
    assert unquote("a+b") == "a+b"
    assert unquote("a+b", plus=True) == "a b"
    assert unquote("a%2Bb", plus=True) == "a+b"
    assert unquote(b"%41\xc3\xa9") == "Aé"
    assert unquote("é%20é") == "é é"
    assert unquote("%2541") == "%41"
    assert unquote("") == ""
    long = "é/" * 5000
    assert unquote(quote(long)) == long
    with pytest.raises(TypeError, match="str or bytes, not int"):
        unquote(5)
