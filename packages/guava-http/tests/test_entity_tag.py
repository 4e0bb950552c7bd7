"""Entity tags and preconditions: RFC 9110, sections 8.8.3 and 13."""

import os

import pytest
from guava_http import (
    ETag,
    Headers,
    Request,
    RequestError,
    http_date,
    is_not_modified,
    make_etag,
    parse_etags,
)


# The table of RFC 9110, 8.8.3.2.
@pytest.mark.parametrize(
    ("a", "b", "strong", "weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_comparison(a, b, strong, weak):
    first, second = ETag.parse(a), ETag.parse(b)
    assert first.matches(second, strong=True) is strong
    assert first.matches(second) is weak
    assert is_not_modified({"If-None-Match": a}, b) is weak
    if strong:
        assert is_not_modified({"If-Match": a}, b) is False
    else:
        with pytest.raises(RequestError) as caught:
            is_not_modified({"If-Match": a}, b)
        assert caught.value.status == 412


@pytest.mark.parametrize("text", ['"xyzzy"', 'W/"xyzzy"', '""', '"a,b"', '"\xe9"', '"\\"'])
def test_a_tag(text):
    assert str(ETag.parse(text)) == text
    assert parse_etags(text) == [ETag.parse(text)]
    assert is_not_modified({"If-None-Match": text}, text) is True


@pytest.mark.parametrize(
    "text", ["", "*", "abc", '"', '"a', 'a"', 'w/"a"', '"a b"', '"a"b', "'a'", '"\x7f"']
)
def test_no_tag(text):
    with pytest.raises(ValueError):
        ETag.parse(text)
    with pytest.raises(ValueError, match="entity tag"):
        is_not_modified({}, text)


@pytest.mark.parametrize(
    ("field", "tags"),
    [
        # RFC 9110, 13.1.1 and 13.1.2
        ('"xyzzy"', ['"xyzzy"']),
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', ['"xyzzy"', '"r2d2xxxx"', '"c3piozzzz"']),
        ('W/"xyzzy", W/"r2d2xxxx"', ['W/"xyzzy"', 'W/"r2d2xxxx"']),
        ('"a","b,c"', ['"a"', '"b,c"']),
        (' , "a" ,, "b" ,', ['"a"', '"b"']),
        ('"a" "b"', ['"a"']),
        ('"a", b, "c"', ['"a"']),
        ('b, "c"', []),
        ("", []),
        ('*, "a"', []),
    ],
)
def test_lists(field, tags):
    assert [str(tag) for tag in parse_etags(field)] == tags
    for tag in ['"a"', '"b"', '"c"', '"xyzzy"', '"r2d2xxxx"', '"b,c"']:
        weak = {str(ETag(parsed.value)) for parsed in parse_etags(field)}
        assert is_not_modified({"If-None-Match": field}, tag) is (tag in weak)


def test_any():
    assert parse_etags("*") == "*"
    assert parse_etags(None) == []
    assert is_not_modified({"If-None-Match": "*"}, '"a"') is True
    assert is_not_modified({"If-Match": "*"}, '"a"') is False


NOW = 1_700_000_000
BEFORE, AT, AFTER = http_date(NOW - 1), http_date(NOW), http_date(NOW + 1)
MATCH, OTHER = '"a"', '"z"'


# RFC 9110, 13.2.2: what is asked, and what comes of it.
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"If-Modified-Since": BEFORE}, False),
        ({"If-Modified-Since": AT}, True),
        ({"If-Modified-Since": AFTER}, True),
        ({"If-Modified-Since": "yesterday"}, False),
        ({"If-Unmodified-Since": BEFORE}, 412),
        ({"If-Unmodified-Since": AT}, False),
        ({"If-Unmodified-Since": AFTER}, False),
        ({"If-Unmodified-Since": "yesterday"}, False),
        ({"If-Match": OTHER}, 412),
        ({"If-Match": MATCH}, False),
        # If-Match decides, If-Unmodified-Since is not looked at (step 2).
        ({"If-Match": MATCH, "If-Unmodified-Since": BEFORE}, False),
        ({"If-Match": OTHER, "If-Unmodified-Since": AFTER}, 412),
        # If-None-Match decides, If-Modified-Since is not looked at (step 4).
        ({"If-None-Match": OTHER, "If-Modified-Since": AFTER}, False),
        ({"If-None-Match": MATCH, "If-Modified-Since": BEFORE}, True),
        # The first two come before the others (step 3).
        ({"If-Match": OTHER, "If-None-Match": MATCH}, 412),
        ({"If-Match": MATCH, "If-None-Match": MATCH}, True),
        ({"If-Unmodified-Since": BEFORE, "If-None-Match": MATCH}, 412),
        ({"If-Unmodified-Since": AT, "If-Modified-Since": AT}, True),
    ],
)
def test_precedence(fields, expected):
    for headers in (fields, Headers(fields), Request(HEADERS=fields).headers):
        if expected == 412:
            with pytest.raises(RequestError) as caught:
                is_not_modified(headers, MATCH, NOW)
            assert caught.value.status == 412
        else:
            assert is_not_modified(headers, MATCH, NOW) is expected


def test_lines_of_one_name():
    lines = [("If-None-Match", OTHER), ("If-None-Match", MATCH)]
    assert is_not_modified(lines, MATCH) is True
    dates = [("If-Modified-Since", AFTER), ("If-Modified-Since", AFTER)]
    assert is_not_modified(dates, None, NOW) is False


def test_what_is_not_known_does_not_match():
    assert is_not_modified({"If-None-Match": MATCH}) is False
    assert is_not_modified({"If-Modified-Since": AFTER}) is False
    with pytest.raises(RequestError):
        is_not_modified({"If-Match": MATCH})


def test_make_etag(tmp_path):
    assert make_etag(b"abc") == make_etag("abc") == make_etag(memoryview(b"abc"))
    assert make_etag(b"abc") != make_etag(b"abd")
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    first = make_etag(os.stat(path))
    assert not ETag.parse(first).weak
    os.utime(path, ns=(0, 1))
    assert make_etag(os.stat(path)) != first


def test_values():
    assert str(ETag("abc", weak=True)) == 'W/"abc"'
    for value in ('a"b', "a b", "\n", "\u20ac"):
        with pytest.raises(ValueError):
            ETag(value)


def test_hostile_lists_take_linear_time():
    # Each of these is a megabyte; one that were read anew at every byte would never end.
    for piece in ('"', "W/", '"a",', ",", " ", 'W/"a" ', '"a'):
        field = piece * (1_000_000 // len(piece))
        parse_etags(field)
        assert is_not_modified({"If-None-Match": field.strip()}, '"zz"') is False
