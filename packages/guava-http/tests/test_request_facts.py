"""What a request's fields say, read for those who would else read the fields themselves."""

import gc
import random

import pytest
from guava_http import URL, Request, RequestError


def request(**fields):
    return Request(HEADERS={name.replace("_", "-"): value for name, value in fields.items()})


# ---- the body's type and length --------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "mimetype", "charset", "is_json"),
    [
        (None, "", "utf-8", False),
        ("", "", "utf-8", False),
        ("Text/HTML", "text/html", "utf-8", False),
        ("text/html; Charset=ISO-8859-1", "text/html", "iso-8859-1", False),
        ('text/html; x=";charset=a"; charset="KOI8-R"', "text/html", "koi8-r", False),
        ("text/html; charset=", "text/html", "utf-8", False),
        ('text/html; charset="a b"', "text/html", "utf-8", False),
        ("application/json", "application/json", "utf-8", True),
        ("Application/JSON ; charset=utf-8", "application/json", "utf-8", True),
        ("application/problem+json", "application/problem+json", "utf-8", True),
        ("application/+json", "application/+json", "utf-8", False),
        ("application/jsonx", "application/jsonx", "utf-8", False),
        ("text/x+json", "text/x+json", "utf-8", False),
        (";charset=x", "", "x", False),
    ],
)
def test_content_type(value, mimetype, charset, is_json):
    one = request() if value is None else request(Content_Type=value)
    assert (one.content_type, one.mimetype, one.charset, one.is_json) == (
        value,
        mimetype,
        charset,
        is_json,
    )


@pytest.mark.parametrize(
    ("value", "length"),
    [("0", 0), ("12", 12), ("0012", 12), ("999999999999999999", 10**18 - 1), ("", None)]
    + [(bad, None) for bad in ("-1", "+1", "1 2", "1,1", "x", "1" * 19, "\xb2")],
)
def test_content_length(value, length):
    assert request(Content_Length=value).content_length == length


def test_nothing_is_sent():
    one = Request()
    assert one.content_length is None
    assert one.content_type is None
    assert one.authorization is None
    assert one.user_agent == ""
    assert one.is_secure is False


def test_who_asks():
    one = request(User_Agent="curl/8", Authorization="Basic YTpi")
    assert one.user_agent == "curl/8"
    assert (one.authorization.username, one.authorization.password) == ("a", "b")
    assert Request(url="https://a/").is_secure is True


# ---- what is welcome -------------------------------------------------------------------------


def test_accepts():
    one = request(Accept="text/html;q=0.5, application/json, image/*;q=0.1")
    assert one.accepts("html", "json") == "json"
    assert one.accepts("text/html", "text/plain") == "text/html"
    assert one.accepts("image/png", "html") == "html"
    assert one.accepts("text") is None
    assert one.accepts() is None
    assert Request().accepts("html", "json") == "html"
    several = Request(HEADERS=[("Accept", "text/html;q=0.5"), ("Accept", "application/json")])
    assert several.accepts("html", "json") == "json"
    for short in ("html", "json", "text", "xml", "css", "csv", "events", "pdf"):
        assert request(Accept="*/*;q=0.1").accepts(short) == short
    with pytest.raises(TypeError, match="an offer must be a str, not int"):
        one.accepts(5)


def test_accepts_language():
    one = request(Accept_Language="de-CH, en;q=0.8")
    assert one.accepts_language("en", "de-CH") == "de-CH"
    assert one.accepts_language("fr") is None
    assert Request().accepts_language("fr", "en") == "fr"
    with pytest.raises(TypeError):
        one.accepts_language(None)


# ---- URL -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "expected"),
    [
        ("/", "Example.com", "http://example.com/"),
        ("/a?b=c", "h:8000", "http://h:8000/a?b=c"),
        ("/a", "h:80", "http://h/a"),
        ("/a?", "h", "http://h/a?"),
        ("//evil.example/x", "h", "http://h//evil.example/x"),
        ("/a|b?c|d", "[::1]:80", "http://[::1]/a%7Cb?c%7Cd"),
        ("/%c3%a9", "h", "http://h/%C3%A9"),
        ("https://x/y?z", None, "https://x/y?z"),
        ("*", "h", "http://h/"),
        ("/a?b", None, "/a?b"),
        ("//evil.example/x", None, "/.//evil.example/x"),
    ],
)
def test_url(url, host, expected):
    one = Request("OPTIONS", url, host=host)
    assert isinstance(one.URL, URL)
    assert str(one.URL) == expected
    assert one.URL is one.URL
    assert one.URL.path in (one.path, "/")


@pytest.mark.parametrize("host", ["300.1.1.1", "0x7f.1", "a%2Fb", "a:99999", ":80", "[::g]"])
def test_a_host_that_is_none(host):
    with pytest.raises(RequestError) as caught:
        Request(host=host).URL  # noqa: B018
    assert caught.value.status == 400


def test_random_targets():
    pick = random.Random(11)
    for _ in range(5000):
        target = "/" + "".join(pick.choices("/?a%2Fé|\\:@&=+.;", k=pick.randrange(12)))
        one = Request(url=target, host="h")
        assert one.URL.path == one.path
        assert one.URL.query == one.GET
        assert URL(str(one.URL)) == one.URL


def test_cycles_through_the_url_are_collected():
    class Noticed:
        alive = 0

        def __init__(self):
            Noticed.alive += 1

        def __del__(self):
            Noticed.alive -= 1

    one = Request(url="/a", host="h")
    one.keep = one.URL
    one.me = one
    one.noticed = Noticed()
    del one
    gc.collect()
    assert Noticed.alive == 0
