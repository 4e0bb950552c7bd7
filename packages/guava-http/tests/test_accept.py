"""What a client prefers: Accept and its kin, RFC 9110, 12.5."""

import random

import pytest
from guava_http import best_encoding, best_language, best_match, parse_accept

# ---- the list --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("", []),
        (" , ,, ", []),
        ("text/html", [("text/html", {}, 1.0)]),
        ("Text/HTML;Level=One", [("text/html", {"level": "One"}, 1.0)]),
        ("a, b;q=0.5, c;q=0.7", [("a", {}, 1.0), ("c", {}, 0.7), ("b", {}, 0.5)]),
        ("a;q=0", [("a", {}, 0.0)]),
        ("a;q=1.000,b;q=0.001", [("a", {}, 1.0), ("b", {}, 0.001)]),
        ("*/*, a/*, a/b, a/b;c=d", ["a/b;c=d", "a/b", "a/*", "*/*"]),
        ("*, en-US", ["en-US", "*"]),
        ('a/b;c="x, y;q=0";q=0.5', [("a/b", {"c": "x, y;q=0"}, 0.5)]),
        (r'a/b;c="\"\\\x"', [("a/b", {"c": r'"\\x'}, 1.0)]),
        ("a/b;q=0.5;c=d", [("a/b", {}, 0.5)]),  # what follows the weight is no parameter
        ("a ; Q=0.5", [("a", {}, 0.5)]),
        ("gzip\t;\tq=0.5", [("gzip", {}, 0.5)]),
        (b"a/b;c=\xc3\xa9", [("a/b", {"c": "é"}, 1.0)]),
        ("a/b;c=\xe9", [("a/b", {"c": "é"}, 1.0)]),
    ],
)
def test_parse_accept(value, expected):
    found = parse_accept(value)
    if expected and isinstance(expected[0], str):
        found = [";".join([name, *(f"{k}={v}" for k, v in p.items())]) for name, p, _ in found]
    assert found == expected


@pytest.mark.parametrize(
    "element",
    [
        *("a b", "a/", "/b", "a/b/c", "*/b", "a;q=2", "a;q=1.001", "a;q=-1", "a;q=.5", "a;q="),
        *(
            "a;q=0.1234",
            "a;q=x",
            'a;q="1"',
            "a;q=1e0",
            "(a)",
            "\x00",
            "a;q=00",
            "=",
            ";",
        ),
    ],
)
def test_a_malformed_element_is_passed_over(element):
    names = [name for name, _, _ in parse_accept(f"x/y, {element}, z")]
    assert names == ["x/y", "z"]


def test_of_equals_the_first_comes_first():
    names = [f"n{i}" for i in range(500)]
    assert [name for name, _, _ in parse_accept(",".join(names))] == names


def test_errors():
    with pytest.raises(TypeError, match="must be a str, not int"):
        parse_accept(5)
    with pytest.raises(ValueError, match="latin-1"):
        parse_accept("\u20ac")
    for function in (best_match, best_language, best_encoding):
        with pytest.raises(TypeError, match="offers must be a sequence of str, not str"):
            function("a", "a")
        with pytest.raises(TypeError, match="an offer must be a str, not int"):
            function("a", [5])
        with pytest.raises(TypeError):
            function("a", 5)
        with pytest.raises(TypeError, match="offers"):
            function("a")
        assert function(accept="b", offers=(x for x in ["a", "b"])) == "b"


# ---- media types -----------------------------------------------------------------------------

# RFC 9110, 12.5.1, and its table.
EXAMPLE = (
    "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, "
    "text/plain;format=fixed;q=0.4, */*;q=0.5"
)


def test_the_weights_of_the_rfc():
    weights = {
        "text/plain;format=flowed": 1,
        "text/plain": 0.7,
        "text/html": 0.3,
        "image/jpeg": 0.5,
        "text/plain;format=fixed": 0.4,
        "text/html;level=3": 0.3,
    }
    for a, a_weight in weights.items():
        for b, b_weight in weights.items():
            assert best_match(EXAMPLE, [a, b]) == (a if a_weight >= b_weight else b)


@pytest.mark.parametrize(
    ("accept", "offers", "expected"),
    [
        (None, ["a/b", "c/d"], "a/b"),
        ("", ["a/b", "c/d"], "a/b"),
        ("nonsense nonsense", ["a/b"], "a/b"),
        (None, [], None),
        ("*/*", [], None),
        ("*/*", ["a/b", "c/d"], "a/b"),
        ("c/d, */*", ["a/b", "c/d"], "c/d"),
        ("c/d, */*;q=0.5", ["a/b", "c/d"], "c/d"),
        ("a/*, c/d", ["a/b", "c/d"], "a/b"),
        ("A/B", ["a/b"], "a/b"),
        ("a/b", ["A/B;x=y"], "A/B;x=y"),
        ("a/b;x=y", ["a/b"], None),
        ("a/b;X=Y", ["a/b;z=1;x=y"], "a/b;z=1;x=y"),
        ("a/b;q=0, */*", ["a/b", "c/d"], "c/d"),
        ("a/b;q=0", ["a/b"], None),
        ("a/*;q=0, */*", ["a/b"], None),
        ("text/*", ["textual/a"], None),
        # character sets
        ("utf-8, iso-8859-1;q=0.5", ["ISO-8859-1", "UTF-8"], "UTF-8"),
        ("koi8-r, *;q=0.1", ["utf-8"], "utf-8"),
        ("koi8-r", ["utf-8"], None),
        # browsers
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            ["application/json", "text/html"],
            "text/html",
        ),
    ],
)
def test_best_match(accept, offers, expected):
    assert best_match(accept, offers) == expected
    sentinel = object()
    assert best_match(accept, offers, sentinel) == (sentinel if expected is None else expected)


def test_the_offer_itself_comes_back():
    offer = "".join(["a", "/", "b"])
    assert best_match("a/b", [offer]) is offer


# ---- languages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "offers", "expected"),
    [
        (None, ["en", "de"], "en"),
        ("de", ["en", "de-CH"], "de-CH"),
        ("de-CH", ["en", "de"], "de"),
        ("de-CH, en;q=0.9", ["de", "en"], "en"),  # en fits, de only would do
        ("de-CH,de;q=0.9,en;q=0.8", ["en", "de"], "de"),
        ("en, de", ["de", "en"], "en"),
        ("zh-Hant-TW", ["zh", "zh-Hant"], "zh"),
        ("DE", ["de"], "de"),
        ("d", ["de"], None),
        ("de", ["deu"], None),
        ("de;q=0, *", ["de", "en"], "en"),
        ("de;q=0, de-CH", ["de"], None),
        ("*;q=0.9, de-CH;q=0.1", ["en", "de"], "en"),
        ("*;q=0.1, de-CH", ["en", "de"], "de"),
        ("fr", ["en", "de"], None),
        ("*", ["en", "de"], "en"),
    ],
)
def test_best_language(accept, offers, expected):
    assert best_language(accept, offers) == expected
    assert best_language(accept, offers, "x") == ("x" if expected is None else expected)


# ---- codings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "offers", "expected"),
    [
        (None, ["gzip"], "identity"),
        ("", ["gzip"], "identity"),
        ("gzip, deflate, br, zstd", ["zstd", "br", "gzip"], "zstd"),
        ("gzip, deflate, br", ["zstd", "br", "gzip"], "br"),
        ("gzip;q=1.0, br;q=0.5", ["br", "gzip"], "gzip"),
        ("GZIP", ["gzip"], "gzip"),
        ("x-gzip", ["gzip"], "gzip"),
        ("deflate", ["gzip"], "identity"),
        ("*", ["br", "gzip"], "br"),
        ("br;q=0, *", ["br", "gzip"], "gzip"),
        ("gzip;q=0", ["gzip"], "identity"),
        ("gzip;q=0.5, identity", ["gzip"], "identity"),
        ("gzip;q=0.5, identity;q=0.5", ["gzip"], "gzip"),
        ("gzip;q=0.5, *;q=1", ["br"], "br"),
        ("identity;q=0", ["gzip"], None),
        ("identity;q=0, gzip", ["gzip"], "gzip"),
        ("*;q=0", ["gzip"], None),
        ("*;q=0, identity", ["gzip"], "identity"),
        ("gzip, *;q=0", ["gzip"], "gzip"),
        ("gzip", [], "identity"),
    ],
)
def test_best_encoding(accept, offers, expected):
    assert best_encoding(accept, offers) == expected


# ---- whatever comes --------------------------------------------------------------------------


def test_random_fields_keep_their_properties():
    pick = random.Random(12)
    pieces = [
        "a",
        "/",
        "*",
        "*/*",
        "text/html",
        "gzip",
        ",",
        ";",
        "q",
        "=",
        "0",
        ".",
        "5",
        "1",
        '"',
    ]
    pieces += ["\\", " ", "\t", "q=0.5", ";q=0", "-", "de", "\xff", "level", "\x00", "identity"]
    offers = ["text/html", "gzip", "de-CH", "a/a", "br"]
    for _ in range(20_000):
        text = "".join(pick.choices(pieces, k=pick.randrange(30)))
        listed = parse_accept(text)
        weights = [weight for _, _, weight in listed]
        assert weights == sorted(weights, reverse=True)
        assert all(0 <= weight <= 1 for weight in weights)
        assert parse_accept(text.encode("latin-1")) == listed
        best = best_match(text, offers)
        assert best in offers if not listed else best is None or max(weights) > 0
        assert best_language(text, offers) in [None, *offers]
        chosen = best_encoding(text, offers)
        assert chosen in [None, "identity", *offers]
        if best is not None:  # leaving out what was not chosen changes nothing
            assert best_match(text, [best]) == best
