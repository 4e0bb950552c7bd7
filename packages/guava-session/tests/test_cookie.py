"""SessionCookie and find_cookie(): what is sent, what is refused, what is found."""

import http.cookies

import pytest
from guava_session import SessionCookie, find_cookie


def test_the_usual_cookie():
    cookie = SessionCookie("guava_sid", "abc")
    assert cookie.header() == "guava_sid=abc; Path=/; HttpOnly; SameSite=Lax"
    assert str(cookie) == cookie.header()
    assert not cookie.deletes


def test_every_attribute():
    cookie = SessionCookie(
        "a", "b", max_age=60, path="/app", domain="example.org", secure=True, same_site="Strict"
    )
    assert cookie.header() == (
        "a=b; Max-Age=60; Domain=example.org; Path=/app; Secure; HttpOnly; SameSite=Strict"
    )
    bare = SessionCookie("a", "b", http_only=False, same_site=None)
    assert bare.header() == "a=b; Path=/"
    assert (
        SessionCookie("a", "b", secure=True, same_site="None").header().endswith("SameSite=None")
    )


def test_deletion_is_understood_by_old_and_new():
    cookie = SessionCookie("a", "", max_age=0)
    assert cookie.deletes
    assert cookie.header().startswith(
        "a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"
    )


def test_the_standard_library_reads_it():
    jar = http.cookies.SimpleCookie()
    jar.load(SessionCookie("guava_sid", "x-_9", max_age=5, secure=True).header())
    morsel = jar["guava_sid"]
    assert morsel.value == "x-_9"
    assert (morsel["max-age"], morsel["path"], morsel["samesite"]) == ("5", "/", "Lax")
    assert morsel["httponly"] and morsel["secure"]


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\t", " ", ";", ",", '"', "\\", "\x7f", "é"])
def test_nothing_can_be_smuggled_in(char):
    with pytest.raises(ValueError):
        SessionCookie("a", f"b{char}c")
    with pytest.raises(ValueError):
        SessionCookie(f"a{char}b", "c")
    with pytest.raises(ValueError):
        SessionCookie("a", "b", domain=f"example{char}.org")
    if char not in ' ,"\\':  # a path may have these
        with pytest.raises(ValueError):
            SessionCookie("a", "b", path=f"/a{char}")


def test_nothing_can_be_smuggled_in_at_the_end():
    for wrong in ({"value": "b\n"}, {"name": "a\n"}, {"domain": "a.b\n"}, {"path": "/\n"}):
        with pytest.raises(ValueError):
            SessionCookie(**{"name": "a", "value": "b", **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a=b"},
        {"path": "app"},
        {"path": ""},
        {"domain": ""},
        {"same_site": "lax"},
        {"same_site": "None"},
        {"name": "__Host-a"},
        {"name": "__Secure-a"},
        {"name": "__Host-a", "secure": True, "path": "/app"},
        {"name": "__Host-a", "secure": True, "domain": "example.org"},
    ],
)
def test_what_a_browser_would_drop_is_an_error(wrong):
    with pytest.raises(ValueError):
        SessionCookie(**{"name": "a", "value": "b", **wrong})


@pytest.mark.parametrize(
    "header, value",
    [
        (None, None),
        ("", None),
        ("sid", None),
        ("sid=", ""),
        ("sid=1", "1"),
        ("a=b; sid=1", "1"),
        ("a=b;sid=1;c=d", "1"),
        ("a=b ; \tsid\t = 1 ; c=d", "1"),
        ("sid=first; sid=second", "first"),
        ("asid=1; sidb=2", None),
        ("SID=1", None),
        ("a=sid=1", None),
        ("sid=a=b", "a=b"),
        (";;; sid=1", "1"),
        ('a="; sid=1; "', "1"),  # there is no quoting between cookies (RFC 6265, section 5.4)
        ("sid=é\ud800", "é\ud800"),
    ],
)
def test_find(header, value):
    assert find_cookie(header, "sid") == value


def test_find_has_limits():
    assert find_cookie("; ".join(f"c{n}=1" for n in range(99)) + "; sid=1", "sid") == "1"
    assert find_cookie("; ".join(f"c{n}=1" for n in range(100)) + "; sid=1", "sid") is None
    assert find_cookie("sid=1; a=" + "x" * 8183, "sid") == "1"
    assert find_cookie("sid=1; a=" + "x" * 8184, "sid") is None
