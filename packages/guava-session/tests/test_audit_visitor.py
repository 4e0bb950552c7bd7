"""The audit's browser: cookies as RFC 6265bis has them, forms as HTML has them."""

import pytest
from guava_session.audit import Answer, Site, WSGITransport
from guava_session.audit.client import Client
from guava_session.audit.errors import Elsewhere
from guava_session.audit.form import find_form, find_forms, looks_like_token
from guava_session.audit.jar import Jar, SetCookie
from guava_session.audit.visitor import Visitor

URL = "https://shop.example/a/b"


def jar(*lines, url=URL):
    made = Jar()
    made.take(Answer(url, 200, [("Set-Cookie", line) for line in lines]))
    return made


@pytest.mark.parametrize(
    "line, url, sent",
    [
        ("id=1; Path=/", "https://shop.example/", "id=1"),
        ("id=1", "https://shop.example/a/c", "id=1"),
        ("id=1", "https://shop.example/", ""),  # the default path is the folder
        ("id=1; path=/a", "https://shop.example/ab", ""),
        ("id=1; path=/a/", "https://shop.example/a/b", "id=1"),
        ("id=1; Path=/; Secure", "http://shop.example/", ""),
        ("id=1; Path=/; Secure", "https://shop.example/", "id=1"),
        ("id=1; Path=/", "https://www.shop.example/", ""),
        ("id=1; Path=/; Domain=shop.example", "https://www.shop.example/", "id=1"),
        ("id=1; Path=/; Domain=.shop.example", "https://bookshop.example/", ""),
        ("id = 1 ; Path=/", "https://shop.example/", "id=1"),
        ("id=a=b; Path=/", "https://shop.example/", "id=a=b"),
        ("id=; Path=/", "https://shop.example/", "id="),
        ("id; Path=/", "https://shop.example/", ""),
        ("id=1; Path=/; Max-Age=0", "https://shop.example/", ""),
        ("id=1; Path=/; Max-Age=-5", "https://shop.example/", ""),
        ("id=1; Path=/; Max-Age=soon", "https://shop.example/", "id=1"),
        ("id=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://shop.example/", ""),
        ("id=1; Path=/; Expires=never", "https://shop.example/", "id=1"),
        # Max-Age counts more (section 5.7, step 3).
        (
            "id=1; Path=/; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "https://shop.example/",
            "id=1",
        ),
    ],
)
def test_which_cookies_are_sent(line, url, sent):
    assert jar(line).header(url) == sent


def test_what_is_too_long_is_dropped_as_browsers_do():
    assert jar("id=" + "x" * 4094).header(URL) == "id=" + "x" * 4094
    long = jar("id=1", "id=" + "x" * 4095)
    assert long.header(URL) == "id=1" and long.dropped[0].name == "id"


def test_a_cookie_is_replaced_and_deleted():
    made = jar("id=1; Path=/", "id=2; Path=/", "other=3; Path=/")
    assert made.get("id") == "2"
    assert sorted(made.names()) == ["id", "other"]
    made.take(Answer(URL, 200, [("set-cookie", "id=; Path=/; Max-Age=0")]))
    assert made.get("id") is None and made.header(URL) == "other=3"


def test_longer_paths_first():
    assert jar("id=1; Path=/", "id=2; Path=/a").header(URL) == "id=2; id=1"


def test_the_lifetime():
    assert SetCookie.parse("a=1; Max-Age=60", URL).lifetime == 60
    assert SetCookie.parse("a=1", URL).lifetime is None


PAGE = """
<form action=/search><input name=q></form>
<form method="POST" action="enter?x=1&amp;y=2">
  <input type="hidden" name="csrf" value="a&quot;b">
  <input type=HIDDEN name=empty>
  <input name="user"><input name="pass" type="password">
  <select name="lang"></select><textarea name="note"></textarea>
  <button type="button" name="help"></button><button name="go" value="in"></button>
  <input type=submit name=second>
</form>
<input type=hidden name=outside value=1>
"""


@pytest.mark.parametrize(
    "name, value, token",
    [
        ("csrfmiddlewaretoken", "x", True),
        ("__RequestVerificationToken", "", True),
        ("authenticity_token", "a", True),
        ("form_build_id", "form-yW0xV2mU3lHnZp1x", True),
        ("v", "9f86d081884c7d659a2feaa0c55ad015", True),
        ("action", "login", False),
        ("next", "/account/orders?page=2", False),
        ("submit", "Log in", False),
        ("step", "20261123120000000000", False),
        ("utf8", "✓", False),
    ],
)
def test_which_hidden_fields_are_tokens(name, value, token):
    assert looks_like_token(name, value) is token


def test_forms():
    form = find_form(PAGE, ["user", "pass"])
    assert (form.method, form.action) == ("POST", "enter?x=1&y=2")
    assert form.hidden == {"csrf": 'a"b', "empty": "", "go": "in"}
    names = ["csrf", "empty", "user", "pass", "lang", "note", "help", "go", "second"]
    assert list(form.fields) == names
    assert find_form(PAGE, ["nothing"]) is None
    assert len(find_forms(PAGE)) == 2


@pytest.mark.parametrize(
    "page", ["", "<form", "<form><form></form>", "</form><input name=a>", "\0"]
)
def test_pages_that_are_no_html(page):
    assert find_form(page, ["a"]) is None


def visitor(pages, allowed=()):
    """A visitor of a site of fixed answers, and what was asked."""
    asked = []

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        asked.append((environ["REQUEST_METHOD"], environ["HTTP_HOST"], path))
        status, headers, text = pages[path]
        start_response(status, headers)
        return [text]

    client = Client(WSGITransport(application), "http://shop.example/", allowed)
    return Visitor(Site("http://shop.example/"), client), asked


def test_redirects_become_get_as_in_browsers():
    pages = {
        "/see": ("303 See Other", [("Location", "/end")], b""),
        "/again": ("307 Temporary Redirect", [("Location", "end")], b""),
        "/end": ("200 OK", [], b"here"),
    }
    browser, asked = visitor(pages)
    assert browser.ask("/see", "POST", b"x").body == b"here"
    assert browser.ask("/again", "POST", b"x").body == b"here"
    assert [method for method, _, _ in asked] == ["POST", "GET", "POST", "POST"]


@pytest.mark.parametrize(
    "location", ["//elsewhere.example/", "https://shop.example/", "http://shop.example:81/"]
)
def test_another_origin_is_asked_only_if_it_was_named(location):
    pages = {"/": ("302 Found", [("Location", location)], b""), "/end": ("200 OK", [], b"")}
    browser, asked = visitor(pages)
    with pytest.raises(Elsewhere, match="--allow"):
        browser.ask("/")
    assert len(asked) == 1


def test_a_host_that_was_named():
    pages = {
        "/": ("302 Found", [("Location", "https://login.example/end")], b""),
        "/end": ("200 OK", [], b"in"),
    }
    browser, asked = visitor(pages, ["https://login.example/"])
    assert browser.ask("/").body == b"in"
    assert asked[1] == ("GET", "login.example", "/end")
