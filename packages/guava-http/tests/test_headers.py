"""Header fields: Headers of a response and RequestHeaders of a request."""

import copy
import pickle
from collections.abc import Mapping, MutableMapping

import pytest
from guava_http import Headers, Request, RequestHeaders

PAIRS = [("Accept", "text/html"), ("X-A", "1"), ("accept", "*/*"), ("x-b", "é")]


def view(pairs):
    return Request(HEADERS=pairs).HEADERS


@pytest.fixture(params=[Headers, view], ids=["Headers", "RequestHeaders"])
def make(request):
    return request.param


def test_names_are_the_same_in_upper_and_lower_case(make):
    headers = make(PAIRS)
    assert headers["x-a"] == headers["X-A"] == headers["X-a"] == "1"
    assert "X-B" in headers
    assert "x" not in headers
    assert "é" not in headers
    assert "\u20ac" not in headers
    assert 5 not in headers
    with pytest.raises(KeyError, match="X-None"):
        headers["X-None"]
    with pytest.raises(TypeError, match="must be a str, not int"):
        headers[5]


def test_values_of_one_name_are_joined(make):
    headers = make(PAIRS)
    assert headers["accept"] == "text/html, */*"
    assert headers.getlist("ACCEPT") == ["text/html", "*/*"]
    assert headers.getlist("none") == []
    assert headers.multi_items() == PAIRS


def test_cookies_are_joined_by_a_semicolon_and_set_cookies_are_not(make):
    pairs = [("Cookie", "a=1"), ("Cookie", "b=2"), ("Set-Cookie", "c"), ("Set-Cookie", "d")]
    headers = make(pairs)
    assert headers["cookie"] == "a=1; b=2"
    assert headers["set-cookie"] == "c"
    assert headers.getlist("set-cookie") == ["c", "d"]


def test_is_a_mapping(make):
    headers = make(PAIRS)
    assert isinstance(headers, Mapping)
    assert len(headers) == 3
    assert list(headers) == ["Accept", "X-A", "x-b"]
    assert dict(headers) == {"Accept": "text/html, */*", "X-A": "1", "x-b": "é"}
    assert list(headers.keys()) == list(headers)
    assert list(headers.values()) == ["text/html, */*", "1", "é"]
    assert list(headers.items()) == list(dict(headers).items())
    assert "x-A" in headers.keys()  # noqa: SIM118 (the view is what is tested)
    assert headers.get("X-A") == headers.get("x-a", "d") == "1"
    assert headers.get("none") is None
    assert headers.get("none", default=5) == 5
    assert not make([])
    with pytest.raises(TypeError):
        hash(headers)


def test_equality(make):
    headers = make(PAIRS)
    assert headers == make(PAIRS)
    assert headers == Headers(PAIRS)
    assert headers == {"ACCEPT": "text/html, */*", "x-a": "1", "X-B": "é"}
    assert headers == make([("accept", "text/html, */*"), ("x-b", "é"), ("x-A", "1")])
    assert headers != make(PAIRS[:3])
    assert headers != {"x-a": "1"}
    assert headers != 5
    cookies = [("Set-Cookie", "a"), ("Set-Cookie", "b")]
    assert make(cookies) != make(cookies[:1])
    with pytest.raises(TypeError):
        headers < headers  # noqa: B015


def test_repr_shows_all_pairs(make):
    assert repr(PAIRS) in repr(make(PAIRS))


def test_copy_is_a_headers(make):
    made = make(PAIRS).copy()
    assert type(made) is Headers
    made["x-a"] = "2"
    assert made.getlist("accept") == ["text/html", "*/*"]


def test_known_names_are_made_once(make):
    first, second = list(make([("Host", "a")])), list(make([("Host", "b")]))
    assert first[0] is second[0]


def test_view_reads_the_request_and_holds_it():
    request = Request(HEADERS={"a": "b"})
    headers = request.HEADERS
    assert type(headers) is type(request.headers) is RequestHeaders
    del request
    assert headers["A"] == "b"
    with pytest.raises(TypeError):
        RequestHeaders()
    with pytest.raises(TypeError):
        headers["a"] = "c"


# ---- Headers alone ---------------------------------------------------------------------------


def test_is_a_mutable_mapping():
    assert isinstance(Headers(), MutableMapping)


def test_setting_replaces_all_fields_of_a_name():
    headers = Headers(PAIRS)
    headers["ACCEPT"] = "x"
    assert headers.multi_items() == [("X-A", "1"), ("x-b", "é"), ("ACCEPT", "x")]


def test_add_keeps_them():
    headers = Headers()
    headers.add("A", "1")
    headers.add(name="a", value="2")
    assert headers.multi_items() == [("A", "1"), ("a", "2")]


def test_deleting():
    headers = Headers(PAIRS)
    del headers["accept"]
    assert headers.multi_items() == [("X-A", "1"), ("x-b", "é")]
    with pytest.raises(KeyError):
        del headers["accept"]
    assert headers.pop("X-a") == "1"
    assert headers.pop("X-a", None) is None
    with pytest.raises(KeyError):
        headers.pop("X-a")
    assert headers.popitem() == ("x-b", "é")
    with pytest.raises(KeyError):
        headers.popitem()
    headers["a"] = "b"
    headers.clear()
    assert headers == {}


def test_setdefault_and_update():
    headers = Headers({"A": "1"})
    assert headers.setdefault("a", "2") == "1"
    assert headers.setdefault("b", " 2 ") == "2"
    headers.update({"a": "3"}, c="4")
    headers.update([("b", "5"), ("B", "6")])
    assert headers == {"a": "3", "b": "5, 6", "c": "4"}
    with pytest.raises(ValueError):
        headers.update([("a", "9"), ("d", "\n")])
    assert headers["a"] == "3"


def test_extend_keeps_what_is_there():
    headers = Headers({"A": "1"})
    headers.extend({"a": ["2", "3"], "b": "4"})
    headers.extend(headers)
    assert headers.multi_items() == [("A", "1"), ("a", "2"), ("a", "3"), ("b", "4")] * 2
    with pytest.raises(ValueError):
        headers.extend([("c", "5"), ("d", "\n")])
    with pytest.raises(TypeError):
        headers.extend(5)
    assert len(headers.multi_items()) == 8


def test_raw(make):
    assert make(PAIRS).raw == [(n.encode(), v.encode("latin-1")) for n, v in PAIRS]
    assert make([]).raw == []


def test_sources():
    for source in (PAIRS, Headers(PAIRS), view(PAIRS), iter(PAIRS)):
        assert Headers(source).multi_items() == PAIRS
    assert Headers({"A": ["1", "2"]}).multi_items() == [("A", "1"), ("A", "2")]
    assert Headers(None) == Headers() == {}
    for wrong in ("a: b", 5, ["ab"], [("a",)]):
        with pytest.raises(TypeError, match="headers must be a mapping or"):
            Headers(wrong)


@pytest.mark.parametrize(
    "made", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))]
)
def test_copies(make, made):
    copied = made(make(PAIRS))
    assert type(copied) is Headers
    assert copied.multi_items() == PAIRS


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "a\n", "a\r", "a\0", "é", " a", "a\t", "a(", '"']
)
def test_names_are_tokens(name):
    headers = Headers()
    with pytest.raises(ValueError, match="a field name"):
        headers[name] = "x"
    with pytest.raises(ValueError, match="a field name"):
        headers.add(name, "x")
    with pytest.raises(ValueError, match="a field name"):
        Headers({name: "x"})
    assert headers == {}


def test_every_byte_of_a_name():
    token = set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for code in range(256):
        if chr(code) in token:
            assert Headers({chr(code): "x"})[chr(code)] == "x"
        else:
            with pytest.raises(ValueError):
                Headers({chr(code): "x"})


def test_every_byte_of_a_value():
    for code in range(256):
        value = f"a{chr(code)}b"
        if (code in range(0x20) and code != 9) or code == 0x7F:
            with pytest.raises(ValueError, match="control characters"):
                Headers({"a": value})
        else:
            assert Headers({"a": value})["a"] == value


def test_values_are_latin_1_text():
    headers = Headers()
    with pytest.raises(ValueError, match="latin-1"):
        headers["a"] = "\u20ac"
    for wrong in (b"x", 5, None):
        with pytest.raises(TypeError, match="a field value must be a str"):
            headers["a"] = wrong
    headers["a"] = " \t x y\t "
    assert headers["a"] == "x y"


def test_many_fields():
    pairs = [(f"X-{i}", "v" * i) for i in range(300)]
    headers = Headers(pairs)
    for i in range(0, 300, 3):
        del headers[f"x-{i}"]
    assert headers.multi_items() == [pair for i, pair in enumerate(pairs) if i % 3]


def test_collector_that_changes_what_is_read():
    """Making the list may run the collector, and with it code that empties the headers."""
    import gc

    headers = Headers(PAIRS * 50)

    class Trap:
        def __del__(self):
            headers.clear()

    for read in (headers.multi_items, lambda: list(headers), lambda: headers == {"a": "b"}):
        trap = Trap()
        trap.me = trap
        del trap
        old = gc.get_threshold()
        gc.set_threshold(1)
        try:
            read()
        finally:
            gc.set_threshold(*old)
            gc.collect()
        assert headers == {}
        headers.update(PAIRS * 50)
