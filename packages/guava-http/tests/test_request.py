"""Request made by hand; what the server makes of one is in test_kept_request.py."""

import gc
import sys
import weakref

import pytest
from guava_http import QueryDict, Request, RequestError

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_defaults():
    request = Request()
    assert request.method == "GET"
    assert request.url == request.path == "/"
    assert request.raw_path == b"/"
    assert request.query_string == request.body == b""
    assert request.host == request.remote_addr == ""
    assert request.peer is None
    assert request.scheme == "http"
    assert request.http_version == "1.1"
    assert request.keep_alive is True
    assert request.disconnected is False
    assert request.GET == request.POST == request.HEADERS == request.COOKIES == {}


@pytest.mark.parametrize(
    ("url", "path", "raw_path", "query", "host"),
    [
        ("/a?b=c", "/a", b"/a", b"b=c", ""),
        ("/a%20b/%C3%A9", "/a b/é", b"/a%20b/%C3%A9", b"", ""),
        ("/%2f%2E", "//.", b"/%2f%2E", b"", ""),
        ("/%ff%zz", "/\ufffd%zz", b"/%ff%zz", b"", ""),
        ("/é ü?ö=1#x", "/é ü", b"/%C3%A9%20%C3%BC", b"%C3%B6=1", ""),
        ("/a?b?c#d?e", "/a", b"/a", b"b?c", ""),
        ("/#?", "/", b"/", b"", ""),
        ("//x/y", "//x/y", b"//x/y", b"", ""),
        ("/{x}|^", "/{x}|^", b"/{x}|^", b"", ""),
        ("*", "*", b"*", b"", ""),
        ("http://Ex.example:80/a?b", "/a", b"/a", b"b", "Ex.example:80"),
        ("HTTP://x.example", "/", b"/", b"", "x.example"),
        ("https://x.example?b", "/", b"/", b"b", "x.example"),
    ],
)
def test_url(url, path, raw_path, query, host):
    request = Request(url=url)
    assert request.path == path
    assert request.raw_path == raw_path
    assert request.query_string == query
    assert request.host == host
    assert request.scheme == ("https" if url.startswith("https") else "http")


def test_url_is_what_would_be_sent():
    assert Request(url="/a?b=c").url == "/a?b=c"
    assert Request(url="/é x?q=ü#frag").url == "/%C3%A9%20x?q=%C3%BC"
    assert Request("GET", "http://x.example/").url == "http://x.example/"


def test_path_and_get_make_the_url():
    request = Request(path="/a b/100%?", GET=[("x", "1 &"), ("x", "é")])
    assert request.path == "/a b/100%?"
    assert request.url == "/a%20b/100%25%3F?x=1%20%26&x=%C3%A9"
    assert Request(url=request.url).path == request.path
    assert Request(url=request.url).GET == request.GET


def test_what_is_given_goes_before_what_could_be_derived():
    request = Request(
        url="/a?b=c",
        path="/d",
        host="given.example",
        GET={"e": "f"},
        POST={"g": ["h", "i"]},
        COOKIES={"j": "k"},
        HEADERS={"Host": "field.example", "Cookie": "l=m"},
    )
    assert request.url == "/a?b=c"
    assert request.path == "/d"
    assert request.host == "given.example"
    assert request.GET == {"e": "f"}
    assert request.POST == {"g": "i"}
    assert request.POST.getlist("g") == ["h", "i"]
    assert request.COOKIES == {"j": "k"}
    assert request.HEADERS["host"] == "field.example"


def test_host():
    assert Request(HEADERS={"hOST": "x.example"}).host == "x.example"
    assert Request(host="x.example:1").HEADERS["Host"] == "x.example:1"
    absolute = Request(url="http://y.example/", HEADERS={"Host": "x.example"})
    assert absolute.host == "y.example"


def test_method():
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "QUERY", "get"):
        assert Request(method).method == method
    assert Request(method="DELETE").method is Request(method="DELETE").method


def test_names_of_one_thing():
    request = Request(url="/?a=1", HEADERS={"Cookie": "b=2"})
    assert request.query is request.GET
    assert request.cookies is request.COOKIES
    assert request.headers == request.HEADERS
    assert type(request.GET) is type(request.POST) is QueryDict


def test_what_was_read_is_kept():
    request = Request(url="/a%20b?x=y", host="h", body=b"1")
    for name in ("url", "path", "host", "GET", "POST", "COOKIES", "body"):
        assert getattr(request, name) is getattr(request, name)


def test_paths_that_are_remembered_are_not_mixed_up():
    paths = [
        f"/{letter * n}{number}" for number in range(40) for letter in "ab" for n in (0, 9, 99)
    ]
    for _ in range(2):
        assert [Request(url=path).path for path in paths] == paths
    assert Request(url="/a%41").path == "/aA"
    assert Request(url="/same/path").path is Request(url="/same/path").path


def test_attributes_cannot_be_set():
    request = Request()
    for name in ("method", "path", "GET", "HEADERS", "body"):
        with pytest.raises(AttributeError):
            setattr(request, name, "x")


def test_attributes_of_ones_own():
    request = Request()
    assert "user" not in vars(request)
    request.user = "me"
    request.params = {"id": "5"}
    assert request.user == "me"
    del request.user
    assert vars(request) == {"params": {"id": "5"}}
    assert not hasattr(request, "user")


# ---- bodies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4]])
def test_body(body):
    assert Request(body=body).body == b"abc"


def test_post_is_a_form():
    request = Request("POST", body=b"a=1&b=x+y&a=%C3%A9", HEADERS=FORM)
    assert request.POST == {"a": "é", "b": "x y"}
    assert request.POST.getlist("a") == ["1", "é"]


@pytest.mark.parametrize(
    ("content_type", "is_form"),
    [
        ("application/x-www-form-urlencoded", True),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", True),
        ("application/x-www-form-urlencoded ;charset=utf-8", True),
        ("application/x-www-form-urlencodedx", False),
        ("application/json", False),
        ("multipart/mixed; boundary=x", False),
        ("", False),
    ],
)
def test_post_looks_at_the_content_type(content_type, is_form):
    request = Request(body=b"a=1", HEADERS={"Content-Type": content_type})
    expected = {"a": "1"} if is_form else {}
    assert expected == request.POST


def test_post_without_a_content_type_is_empty():
    assert Request(body=b"a=1").POST == {}


def test_too_many_form_fields():
    request = Request(body=b"a&" * 1001, HEADERS=FORM)
    with pytest.raises(RequestError) as caught:
        _ = request.POST
    assert caught.value.status == 413


def test_json():
    assert Request(body=b'{"a": [1, 2.5, null, "\\u00e9"]}').json() == {"a": [1, 2.5, None, "é"]}
    for wrong in (b"", b"{", b"NaN", b"\xff", b"[" * 100_000):
        with pytest.raises(RequestError, match="not JSON") as caught:
            Request(body=wrong).json()
        assert caught.value.status == 400
        assert isinstance(caught.value, ValueError)
        assert caught.value.__cause__ is not None


# ---- wrong arguments -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": b"GET"}, "method must be a str, not bytes"),
        ({"url": b"/"}, "url must be a str, not bytes"),
        ({"path": 5}, "path must be a str, not int"),
        ({"host": b"x"}, "host must be a str, not bytes"),
        ({"body": "x"}, r"body must be bytes-like, not str: encode it, body=text.encode\(\)"),
        ({"body": {}}, "body must be bytes-like, not dict"),
        ({"HEADERS": "a: b"}, "headers must be a mapping or"),
        ({"HEADERS": {"a": 5}}, "a field value must be a str, not int"),
        ({"HEADERS": {b"a": "b"}}, "a field name must be a str, not bytes"),
        ({"GET": "a=b"}, "GET must be a mapping or"),
        ({"GET": {"a": 5}}, "GET must have a str"),
        ({"POST": {"a": 5}}, "POST must have a str"),
        ({"COOKIES": {"a": 5}}, "COOKIES must have a str"),
        ({"nonsense": 1}, "unexpected keyword argument 'nonsense'"),
    ],
)
def test_wrong_types_say_what_to_give(arguments, message):
    with pytest.raises(TypeError, match=message):
        Request(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": ""}, "method must be a token"),
        ({"method": "G T"}, "method must be a token"),
        ({"method": "GET\r\n"}, "method must be a token"),
        ({"url": ""}, "url must begin with"),
        ({"url": "a"}, "url must begin with"),
        ({"url": "*x"}, "url must begin with"),
        ({"url": "ftp://x/"}, "url must begin with"),
        ({"url": "http://"}, "url must begin with"),
        ({"path": "a"}, "path must begin with"),
        ({"path": ""}, "path must begin with"),
        ({"host": "a b"}, "host must be such as"),
        ({"host": "a\r\nb: c"}, "host must be such as"),
        ({"HEADERS": {"a": "x\r\nb: c"}}, "control characters"),
        ({"HEADERS": {"a:": "x"}}, "a field name"),
    ],
)
def test_wrong_values(arguments, message):
    with pytest.raises(ValueError, match=message):
        Request(**arguments)


def test_control_characters_in_a_url_are_encoded():
    assert Request(url="/a\r\nb\0").raw_path == b"/a%0D%0Ab%00"


def test_none_is_as_if_not_given():
    names = ("method", "url", "path", "host", "body", "HEADERS", "GET", "POST", "COOKIES")
    assert repr(Request(**dict.fromkeys(names))) == "<Request GET '/'>"


# ---- the object ------------------------------------------------------------------------------


def test_repr():
    assert repr(Request("POST", "/a?b=c")) == "<Request POST '/a?b=c'>"


def test_subclass():
    class Mine(Request):
        def __init__(self, *args, user=None, **kwargs):
            self.user = user
            super().__init__(*args, **kwargs)

        @property
        def shout(self):
            return self.path.upper()

    request = Mine("PUT", "/a", user="me")
    assert (request.user, request.shout, request.method) == ("me", "/A", "PUT")


def test_is_made_once():
    request = Request(url="/a", HEADERS={"a": "b"})
    headers = request.HEADERS
    with pytest.raises(RuntimeError, match="made once"):
        request.__init__(url="/b")
    assert (request.path, headers["a"]) == ("/a", "b")


def test_without_init_it_is_empty():
    request = Request.__new__(Request)
    assert (request.method, request.path, request.body) == ("GET", "/", b"")
    assert request.HEADERS == {}


def test_weak_references():
    request = Request()
    reference = weakref.ref(request)
    assert reference() is request
    del request
    assert reference() is None


def test_cycles_are_collected():
    class Mark:
        pass

    mark = Mark()
    gone = weakref.ref(mark)
    request = Request(url="/?a=1", COOKIES={"a": "b"})
    request.me = request
    request.headers_view = request.HEADERS
    request.COOKIES["me"] = request
    request.mark = mark
    del request, mark
    gc.collect()
    assert gone() is None


def test_nothing_is_left_behind():
    request = Request(url="/a?b=c", body=b"x", host="h")
    before = sys.getrefcount(request)
    for _ in range(10):
        _ = request.HEADERS["host"], request.GET, request.path, request.COOKIES
    assert sys.getrefcount(request) == before
