"""Cookies: Cookie, what a response sets, what a request brings."""

import datetime
import http.cookies

import pytest
from guava_http import Cookie, Request, Response


def cookies(*fields):
    return Request(HEADERS=[("Cookie", field) for field in fields]).COOKIES


# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        (" a = 1 ;\tb=2;", {"a": "1", "b": "2"}),
        ("a=1; a=2", {"a": "1"}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a", {}),
        ("=1", {}),
        ("; ;;a=1", {"a": "1"}),
        ('a="x y"', {"a": "x y"}),
        ('a="x; b=2', {"a": '"x', "b": "2"}),
        ('a="', {"a": '"'}),
        ('a=""', {"a": ""}),
        (r'a="\"\\\054\x"', {"a": '"\\,x'}),
        (r'a="\303\251"', {"a": "é"}),
        (r'a="\400"', {"a": "400"}),
        (r'a="x\\"', {"a": "x\\"}),
        (r"a=\054", {"a": r"\054"}),
        ("a=%20+", {"a": "%20+"}),
        ("a[b]=1", {"a[b]": "1"}),
    ],
)
def test_cookie_field(field, expected):
    assert cookies(field) == expected
    assert Cookie.parse(field) == Cookie.parse(field.encode()) == expected


def test_parse_takes_what_servers_pass_on():
    assert Cookie.parse("a=é".encode().decode("latin-1")) == Cookie.parse("a=é") == {"a": "é"}
    assert Cookie.parse("a=\u20ac") == Cookie.parse("a=\u20ac".encode()) == {"a": "\u20ac"}
    assert Cookie("a").parse(b"b=c") == {"b": "c"}
    with pytest.raises(TypeError, match="a str or bytes, not list"):
        Cookie.parse([])


def test_utf_8_else_latin_1():
    assert cookies("a=é".encode().decode("latin-1")) == {"a": "é"}
    assert cookies("a=\xe9") == {"a": "é"}


def test_several_fields_are_one():
    assert cookies("a=1", "b=2; a=3") == {"a": "1", "b": "2"}


def test_at_most_a_hundred():
    field = "; ".join(f"c{i}=x" for i in range(150))
    assert list(cookies(field)) == [f"c{i}" for i in range(100)]
    assert len(cookies(field, "d=1")) == 100


def test_quoting_of_the_standard_library():
    jar = http.cookies.SimpleCookie()
    jar["a"] = 'x "y"; \\ é,'
    assert cookies(f"a={jar['a'].coded_value}") == {"a": 'x "y"; \\ é,'}


@pytest.mark.parametrize("piece", ["a=1;", '"', "\\", "=", ";", 'a="\\', "a=\\0"])
def test_any_rubbish_is_read(piece):
    assert isinstance(cookies(piece * 2000), dict)


# ---- Cookie ----------------------------------------------------------------------------------


def test_defaults():
    cookie = Cookie("sid", "x")
    assert (cookie.name, cookie.value, cookie.path, cookie.samesite) == ("sid", "x", "/", "Lax")
    assert (cookie.max_age, cookie.expires, cookie.domain) == (None, None, None)
    assert (cookie.secure, cookie.httponly, cookie.partitioned) == (False, False, False)
    assert cookie.render() == str(cookie) == "sid=x; Path=/; SameSite=Lax"
    assert repr(cookie) == "<Cookie sid=x; Path=/; SameSite=Lax>"
    assert str(Cookie("a")) == "a=; Path=/; SameSite=Lax"


def test_all_attributes():
    cookie = Cookie(
        "a",
        "b",
        max_age=datetime.timedelta(days=1, milliseconds=5),
        expires=784111777.9,
        path="/x",
        domain="example.com",
        secure=True,
        httponly=True,
        samesite="none",
        partitioned=True,
    )
    assert str(cookie) == (
        "a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=86400; Domain=example.com; Path=/x; "
        "Secure; HttpOnly; SameSite=None; Partitioned"
    )
    assert (cookie.max_age, cookie.expires) == (86400, 784111777)
    assert str(Cookie("a", path=None, samesite=None)) == "a="


@pytest.mark.parametrize(
    "when",
    [
        784111777,
        datetime.datetime(1994, 11, 6, 8, 49, 37),
        datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.UTC),
        datetime.datetime(
            1994, 11, 6, 10, 49, 37, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
        ),
    ],
)
def test_expires(when):
    assert "Expires=Sun, 06 Nov 1994 08:49:37 GMT" in str(Cookie("a", expires=when))


def test_is_a_value():
    assert Cookie("a", "b") == Cookie("a", "b", path="/")
    assert Cookie("a", "b") != Cookie("a", "c")
    assert Cookie("a", "b") != "a=b; Path=/; SameSite=Lax"
    assert len({Cookie("a", "b"), Cookie("a", "b"), Cookie("a", "c")}) == 2
    with pytest.raises(AttributeError):
        Cookie("a").value = "b"


BAD = ["\r", "\n", "\0", "\x7f", ";", "\u20ac", "\xe9"]


@pytest.mark.parametrize("char", [*BAD, " ", ",", "=", "(", '"'])
def test_names(char):
    with pytest.raises(ValueError, match="a cookie's name"):
        Cookie(f"a{char}b", "x")
    with pytest.raises(ValueError, match="a cookie's name"):
        Cookie("")


@pytest.mark.parametrize("char", [*BAD, " ", ",", '"', "\\", "\t"])
def test_values(char):
    with pytest.raises(ValueError, match="a cookie's value"):
        Cookie("a", f"x{char}y")


def test_every_other_byte_goes_through_a_value():
    value = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '",;\\')
    assert cookies(str(Cookie("a", value)).partition(";")[0]) == {"a": value}
    assert str(Cookie("a", '"x"')).startswith('a="x";')


@pytest.mark.parametrize("char", BAD)
def test_path_and_domain(char):
    with pytest.raises(ValueError, match="a cookie's path"):
        Cookie("a", path=f"/{char}")
    with pytest.raises(ValueError, match="a cookie's domain"):
        Cookie("a", domain=f"x{char}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "x"}, "begins with"),
        ({"path": ""}, "a cookie's path"),
        ({"domain": ""}, "a cookie's domain"),
        ({"samesite": "x"}, "samesite"),
        ({"samesite": "None"}, "not secure"),
        ({"partitioned": True}, "not secure"),
        ({"expires": 1e30}, "years 1 to 9999"),
        ({"expires": 2**40}, "years 1 to 9999"),
        ({"expires": float("nan")}, "NaN"),
        ({"max_age": 2**64}, "out of range"),
        ({"value": "x" * 4096}, "4096"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Cookie("a", **arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("__Secure-a", {}),
        ("__Host-a", {}),
        ("__host-a", {"path": "/x", "secure": True}),
        ("__Host-a", {"domain": "x.example", "secure": True}),
        ("__Host-a", {"path": None, "secure": True}),
    ],
)
def test_prefixes(name, arguments):
    with pytest.raises(ValueError, match="browsers drop"):
        Cookie(name, "x", **arguments)
    assert str(Cookie(name, "x", secure=True)).startswith(name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": 5},
        {"value": 5},
        {"value": b"x"},
        {"max_age": "5"},
        {"max_age": 1.5},
        {"expires": "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"path": 5},
        {"domain": 5},
        {"samesite": True},
        {"other": 5},
    ],
)
def test_wrong_types(arguments):
    with pytest.raises(TypeError):
        Cookie(**{"name": "a", **arguments})


def test_positional_arguments():
    with pytest.raises(TypeError, match="at most 2 positional"):
        Cookie("a", "b", 5)
    with pytest.raises(TypeError, match="missing required argument 'name'"):
        Cookie()
    with pytest.raises(TypeError, match="multiple values for argument 'name'"):
        Cookie("a", name="b")


# ---- what a response sets --------------------------------------------------------------------


def set_cookies(response):
    return response.headers.getlist("set-cookie")


def test_set_cookie():
    response = Response()
    response.set_cookie("a", "1", max_age=60, httponly=True)
    response.set_cookie(name="b", value="2")
    assert set_cookies(response) == [
        "a=1; Max-Age=60; Path=/; HttpOnly; SameSite=Lax",
        "b=2; Path=/; SameSite=Lax",
    ]


def test_a_cookie_replaces_the_one_that_browsers_would():
    response = Response()
    response.set_cookie("a", "1")
    response.set_cookie("ab", "1")
    response.set_cookie("a", "2", path="/x")
    response.set_cookie("a", "3", domain="x.example")
    response.set_cookie("a", "4", secure=True)
    response.add_cookie(Cookie("a", "5", path="/x"))
    assert [cookie.partition(";")[0] for cookie in set_cookies(response)] == [
        "ab=1",
        "a=3",
        "a=4",
        "a=5",
    ]


def test_delete_cookie():
    response = Response()
    response.set_cookie("a", "1", path="/x")
    response.delete_cookie("a", path="/x")
    assert set_cookies(response) == [
        "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/x; SameSite=Lax"
    ]
    response.delete_cookie("__Host-a", secure=True)
    with pytest.raises(ValueError):
        response.delete_cookie("__Host-a")
    with pytest.raises(TypeError):
        response.delete_cookie("a", value="x")


def test_what_fails_sets_nothing():
    response = Response()
    for wrong in ("a\n", "a;b"):
        with pytest.raises(ValueError):
            response.set_cookie("a", wrong)
    with pytest.raises(TypeError, match="takes a Cookie, not str"):
        response.add_cookie("a=b")
    assert set_cookies(response) == []
