"""The Set-Cookie field both ways: what browsers drop is an error, what they read is read."""

import copy
import datetime
import pickle
import random

import pytest
from guava_http import Cookie, parse_date

# ---- what browsers would drop ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("__Http-a", {"secure": True}),
        ("__Http-a", {"httponly": True}),
        ("__http-a", {}),
        ("__Host-Http-a", {"secure": True}),
        ("__Host-Http-a", {"secure": True, "httponly": True, "path": "/x"}),
        ("__Host-Http-a", {"secure": True, "httponly": True, "domain": "x.example"}),
    ],
)
def test_http_prefixes(name, arguments):
    with pytest.raises(ValueError, match="browsers drop"):
        Cookie(name, "x", **arguments)
    assert Cookie(name, "x", secure=True, httponly=True).httponly


@pytest.mark.parametrize(
    "domain", ["http://x", "x.example:80", "x y", "x/y", "[::1]", "x,y", "bücher"]
)
def test_a_domain_is_a_name(domain):
    with pytest.raises(ValueError, match="a cookie's domain"):
        Cookie("a", domain=domain)


def test_domains():
    for domain in (
        "example.com",
        ".example.com",
        "a_b.example",
        "127.0.0.1",
        "xn--bcher-kva.example",
    ):
        assert f"; Domain={domain};" in str(Cookie("a", domain=domain))


def test_long_attributes():
    assert len(Cookie("a", path="/" * 1024).path) == 1024
    with pytest.raises(ValueError, match="1024"):
        Cookie("a", path="/" * 1025)
    with pytest.raises(ValueError, match="1024"):
        Cookie("a", domain="x" * 1025)


# ---- copies ----------------------------------------------------------------------------------

FULL = Cookie(
    "__Secure-a",
    "b",
    max_age=5,
    expires=784111777,
    path="/x",
    domain="x.example",
    secure=True,
    httponly=True,
    samesite="None",
    partitioned=True,
)
BARE = Cookie("a", path=None, samesite=None)


@pytest.mark.parametrize(
    "made", [copy.copy, copy.deepcopy, lambda cookie: pickle.loads(pickle.dumps(cookie))]
)
@pytest.mark.parametrize("cookie", [FULL, BARE], ids=["full", "bare"])
def test_copies(made, cookie):
    assert made(cookie) == cookie
    assert str(made(cookie)) == str(cookie)
    assert type(made(cookie)) is Cookie


# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "cookie"),
    [
        ("a=b", Cookie("a", "b", path=None, samesite=None)),
        ("a=", Cookie("a", path=None, samesite=None)),
        (" a\t=\tb ", Cookie("a", "b", path=None, samesite=None)),
        ("a=b=c", Cookie("a", "b=c", path=None, samesite=None)),
        ('a="b"', Cookie("a", '"b"', path=None, samesite=None)),
        ("a=b; Path=/x; Path=/y", Cookie("a", "b", path="/y", samesite=None)),
        ("a=b; Path=x", Cookie("a", "b", path=None, samesite=None)),
        (
            "a=b;secure;HTTPONLY",
            Cookie("a", "b", path=None, samesite=None, secure=True, httponly=True),
        ),
        ("a=b; Domain=.X.example", Cookie("a", "b", path=None, samesite=None, domain="x.example")),
        ("a=b; Domain=", Cookie("a", "b", path=None, samesite=None)),
        ("a=b; SameSite=strict", Cookie("a", "b", path=None, samesite="Strict")),
        ("a=b; SameSite=x; Unknown; y=z; ;=", Cookie("a", "b", path=None, samesite=None)),
        ("a=b; Max-Age=-1", Cookie("a", "b", path=None, samesite=None, max_age=-1)),
        ("a=b; Max-Age=1.5; max-age=", Cookie("a", "b", path=None, samesite=None)),
    ],
)
def test_from_header(header, cookie):
    assert Cookie.from_header(header) == cookie


@pytest.mark.parametrize("cookie", [FULL, BARE, Cookie("a", "b", max_age=-5)])
def test_what_is_sent_is_read(cookie):
    assert Cookie.from_header(str(cookie)) == cookie


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "6 nov 1994 8:49:37",
        "1994 november 6, 08:49:37",
        "08:49:37 06 Nov 94",
    ],
)
def test_dates_of_browsers(date):
    assert Cookie.from_header(f"a=b; Expires={date}").expires == 784111777


@pytest.mark.parametrize(
    "date",
    [
        *("", "x", "06 Nov 1994", "08:49:37", "32 Nov 1994 08:49:37", "31 Nov 1994 08:49:37"),
        *(
            "6 Nov 1600 08:49:37",
            "6 Nov 1994 24:00:00",
            "6 Nov 1994 08:60:00",
            "0 Nov 1994 08:49:37",
        ),
        *("6 Nov 1994 08:49:60", "6 Foo 1994 08:49:37", "6 Nov 94000 08:49:37"),
    ],
)
def test_dates_that_are_none(date):
    assert Cookie.from_header(f"a=b; Expires={date}").expires is None


def test_years_of_two_digits():
    for year, full in (("69", 2069), ("70", 1970), ("99", 1999), ("00", 2000)):
        expires = Cookie.from_header(f"a=b; Expires=01 Jan {year} 00:00:00").expires
        assert datetime.datetime.fromtimestamp(expires, datetime.UTC).year == full


@pytest.mark.parametrize(
    "header",
    ["", "a", ";", "=b", "a b=c", "a=b c", "a=b,c", "a=é", "__Host-a=b", "a=b; SameSite=None"],
)
def test_what_sets_no_cookie(header):
    with pytest.raises(ValueError):
        Cookie.from_header(header)


def test_from_header_takes_text():
    with pytest.raises(TypeError, match="takes a str, not bytes"):
        Cookie.from_header(b"a=b")


def test_random_headers():
    pick = random.Random(13)
    pieces = [
        "a",
        "=",
        ";",
        " ",
        "b",
        "Path=/",
        "expires=",
        "Max-Age",
        "5",
        "secure",
        "Domain=x",
        "é",
    ]
    pieces += [
        "06 Nov 1994 08:49:37",
        ",",
        '"',
        "\x00",
        "\n",
        "SameSite=Lax",
        "__Host-",
        "99999999999",
    ]
    good = 0
    for _ in range(20_000):
        header = "".join(pick.choices(pieces, k=pick.randrange(12)))
        try:
            cookie = Cookie.from_header(header)
        except ValueError:
            continue
        good += 1
        assert Cookie.from_header(str(cookie)) == cookie
        assert not any(c in str(cookie) for c in "\r\n\0")
        if cookie.expires is not None:
            text = str(cookie).partition("Expires=")[2].partition(";")[0]
            assert parse_date(text).timestamp() == cookie.expires
    assert good > 500
