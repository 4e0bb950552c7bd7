"""Content-Type, and other fields that have parameters: RFC 9110, 5.6.6 and 8.3.1; RFC 8187."""

import random

import pytest
from guava_http import ContentType, format_content_type, parse_content_type, parse_options_header


@pytest.mark.parametrize(
    ("value", "name", "params"),
    [
        (None, "", {}),
        ("", "", {}),
        ("text/html", "text/html", {}),
        ("Text/HTML ; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        ("a/b;c=d;e=f", "a/b", {"c": "d", "e": "f"}),
        ("a/b;c=d;c=e", "a/b", {"c": "d"}),
        ("a/b;;  ;c=d;", "a/b", {"c": "d"}),
        ("a/b; c = d ", "a/b", {"c": "d"}),
        ("a/b;c", "a/b", {}),
        ("a/b;=d", "a/b", {}),
        ("a/b;c d=e", "a/b", {}),
        ("a/b;c=", "a/b", {"c": ""}),
        ('a/b;c=""', "a/b", {"c": ""}),
        ('a/b;c="d;e=f";g=h', "a/b", {"c": "d;e=f", "g": "h"}),
        (r'a/b;c="d\"e\\f"', "a/b", {"c": r'd"e\f'}),
        ('a/b;c="d', "a/b", {"c": '"d'}),
        ("a/b;c=d=e", "a/b", {"c": "d=e"}),
        # what browsers have sent as names of files
        (r'form-data;filename="C:\x\y.txt"', "form-data", {"filename": r"C:\x\y.txt"}),
        ('form-data;filename="é"'.encode(), "form-data", {"filename": "é"}),
        ('form-data;filename="\u20ac"', "form-data", {"filename": "\u20ac"}),
        (b'form-data;filename="\xe9"', "form-data", {"filename": "é"}),
        ('form-data;filename="a\';b"', "form-data", {"filename": "a';b"}),
        # RFC 8187
        ("a;b*=UTF-8''%e2%82%ac%20x", "a", {"b": "\u20ac x"}),
        ("a;b*=utf-8'en'%C3%A9;b=e", "a", {"b": "é"}),
        ("a;b=e;b*=utf-8''%C3%A9", "a", {"b": "é"}),
        ("a;b*=iso-8859-1''%E9", "a", {"b": "é"}),
        ("a;b*=UTF-8''%FF;b=c", "a", {"b*": "UTF-8''%FF", "b": "c"}),
        ("a;b*=koi8-r''%C1", "a", {"b*": "koi8-r''%C1"}),
        ("a;b*=x", "a", {"b*": "x"}),
        ("a;b*=\"UTF-8''x\"", "a", {"b*": "UTF-8''x"}),
    ],
)
def test_parse_options_header(value, name, params):
    assert parse_options_header(value) == (name, params)


def test_parse_options_header_takes_text_only():
    with pytest.raises(TypeError):
        parse_options_header(5)
    with pytest.raises(ValueError):
        parse_options_header("\ud800")


def test_parse_content_type():
    found = parse_content_type('Text/HTML; charset="UTF-8"')
    assert found == ContentType("text/html", {"charset": "UTF-8"})
    assert found.charset == "utf-8"
    assert str(found) == "text/html; charset=UTF-8"
    assert parse_content_type("text/html").charset is None
    assert parse_content_type("text/html;charset=").charset is None


@pytest.mark.parametrize(
    "value", [None, "", "text", "text/", "/html", "a b/c", "a/b c", "a/b/c;d=e"]
)
def test_what_is_no_media_type_is_empty(value):
    assert parse_content_type(value) == ("", {})
    assert str(parse_content_type(value)) == ""


def test_format_content_type():
    assert format_content_type("text/html") == "text/html"
    assert format_content_type("a/b", {"c": "d", "e": 'f "g\\'}) == r'a/b; c=d; e="f \"g\\"'
    assert format_content_type("a/b", {"c": ""}) == 'a/b; c=""'
    for bad in ("", "text", "a/b\r\n", "a /b", "a/é"):
        with pytest.raises(ValueError, match="a media type"):
            format_content_type(bad)
    with pytest.raises(ValueError, match="name is a token"):
        format_content_type("a/b", {"c d": "e"})
    for bad in ("a\r\nb", "\x00", "\x7f", "\u20ac"):
        with pytest.raises(ValueError, match="without control characters"):
            format_content_type("a/b", {"c": bad})


def test_what_is_written_is_read():
    pick = random.Random(6)
    for _ in range(5000):
        value = "".join(pick.choices("ab;=\"\\ ,\t%'*", k=pick.randrange(10)))
        field = format_content_type("a/b", {"c": value, "d": "e"})
        assert parse_content_type(field) == ("a/b", {"c": value, "d": "e"})


def test_anything_is_read():
    pick = random.Random(7)
    for _ in range(20_000):
        text = "".join(pick.choices("ab/;=\"\\ ,'*%4\t\x00\xe9", k=pick.randrange(25)))
        name, params = parse_options_header(text)
        assert name == name.lower()
        assert all(isinstance(value, str) for value in params.values())
        assert parse_options_header(text.encode("latin-1")) == (name, params)
