"""Response on its own: what it takes, what it refuses, how it is rendered."""

import datetime
import http
import json
import weakref

import pytest
from guava_http import URL, FileBody, Headers, Request, Response, http_date, status_phrase

EPOCH = b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"


def head(response):
    """The lines of the rendered head but for the date."""
    text = response.render(date=0)
    assert EPOCH in text or b"\r\ndate: mine" in text.lower()
    lines = text.partition(b"\r\n\r\n")[0].replace(EPOCH, b"").split(b"\r\n")
    return [line.decode("latin-1") for line in lines]


def test_defaults():
    response = Response()
    assert (response.status, response.body, response.reason) == (200, None, "OK")
    assert response.content_type is None
    assert response.headers == {}
    assert head(response) == ["HTTP/1.1 200 OK", "Content-Length: 0"]


def test_render_is_a_whole_message():
    response = Response("é", 404, {"X-A": "b"})
    assert response.render(date=0) == (
        b"HTTP/1.1 404 Not Found\r\n" + EPOCH + b"Content-Type: text/html; charset=utf-8\r\n"
        b"Content-Length: 2\r\nX-A: b\r\n\r\n\xc3\xa9"
    )
    assert Response(b"x" * 100_000).render().endswith(b"x" * 100_000)
    assert b"\r\nDate: " in response.render()


def test_render_wants_a_complete_body():
    for body in (iter(["x"]), ("x" for _ in range(3))):
        with pytest.raises(TypeError, match="complete"):
            Response(body).render()


@pytest.mark.parametrize("length", [0, 1, 9, 10, 99, 100, 101, 999, 1000, 12345, 100_000])
def test_content_length(length):
    assert f"Content-Length: {length}" in head(Response(b"x" * length))


@pytest.mark.parametrize("status", [101, 102, 204])
def test_no_length_where_there_is_no_body(status):
    assert "Content-Length: 0" not in head(Response(status=status))


# ---- bodies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kept", "content_type"),
    [
        (None, None, None),
        ("", "", "text/html; charset=utf-8"),
        ("é", "é", "text/html; charset=utf-8"),
        (b"x", b"x", "text/html; charset=utf-8"),
        (bytearray(b"x"), b"x", "text/html; charset=utf-8"),
        (memoryview(b"axb")[1:2], b"x", "text/html; charset=utf-8"),
        ({"a": 1}, b'{"a":1}', "application/json"),
        ([1, None], b"[1,null]", "application/json"),
    ],
)
def test_bodies(body, kept, content_type):
    response = Response(body)
    assert response.body == kept
    assert type(response.body) is type(kept)
    assert response.content_type == content_type
    other = Response("other")
    other.body = body
    assert (other.body, other.content_type) == (kept, content_type)


def test_bodies_in_pieces():
    class Async:
        def __aiter__(self):
            raise NotImplementedError

    class Sequence:
        def __getitem__(self, index):
            raise IndexError

        def __len__(self):
            return 0

    for body in (iter("x"), (x for x in "x"), {"a"}, ("a",), Async(), Sequence()):
        assert Response(body).body is body


@pytest.mark.parametrize("body", [5, 1.5, object(), int, len, True])
def test_wrong_bodies(body):
    with pytest.raises(TypeError, match="body must be None, str, bytes-like, a dict or a list"):
        Response(body)
    response = Response("before")
    with pytest.raises(TypeError, match=f"not {type(body).__name__}"):
        response.body = body
    assert response.body == "before"


def test_text_that_has_no_utf_8():
    with pytest.raises(ValueError):
        Response("\ud800")


def test_bytes_are_a_snapshot():
    buffer = bytearray(b"abc")
    response = Response(buffer)
    buffer[:] = b"xyz"
    assert response.body == b"abc"


def test_file_body(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    body = FileBody(path)
    response = Response(body, content_type="text/plain")
    assert response.body is body
    assert response.content_type == "text/plain"
    assert Response(body).content_type == "application/octet-stream"


# ---- status and reason -----------------------------------------------------------------------


@pytest.mark.parametrize("status", list(http.HTTPStatus))
def test_phrases_are_those_of_the_standard_library(status):
    renamed = {  # RFC 9110 has new names, which the standard library takes up from 3.13 on
        413: "Content Too Large",
        414: "URI Too Long",
        416: "Range Not Satisfiable",
        422: "Unprocessable Content",
        418: "",
        510: "",
    }
    phrase = renamed.get(status.value, status.phrase)
    assert status_phrase(status) == phrase
    assert Response(status=status).reason == phrase
    assert head(Response(status=status))[0] == f"HTTP/1.1 {status.value} {phrase}"


def test_unregistered_status():
    for status in (199, 299, 399, 452, 499, 599):
        assert status_phrase(status) == ""
        assert head(Response(status=status))[0] == f"HTTP/1.1 {status} "
    assert status_phrase(0) == status_phrase(-1) == status_phrase(10**6) == ""


def test_reason():
    response = Response(status=404, reason="Nothing Héré")
    assert head(response)[0] == "HTTP/1.1 404 Nothing Héré"
    response.reason = None
    assert response.reason == "Not Found"
    for wrong in ("a\r\nb", "\n", "\0"):
        with pytest.raises(ValueError, match="control characters"):
            response.reason = wrong
    with pytest.raises(ValueError, match="latin-1"):
        response.reason = "\u20ac"
    with pytest.raises(TypeError):
        response.reason = 5


@pytest.mark.parametrize("status", [0, 99, 600, 1000, -200, 2**100, False])
def test_status_out_of_range(status):
    with pytest.raises(ValueError, match="100 to 599"):
        Response(status=status)
    response = Response()
    with pytest.raises(ValueError):
        response.status = status
    assert response.status == 200


@pytest.mark.parametrize("status", ["200", 200.0, None])
def test_status_of_another_type(status):
    with pytest.raises(TypeError, match="status must be an int"):
        Response(status=status)


def test_nothing_can_be_deleted():
    response = Response()
    for name in ("status", "body", "headers"):
        with pytest.raises(AttributeError, match=name):
            delattr(response, name)


# ---- fields ----------------------------------------------------------------------------------


def test_content_type_is_one_thing():
    response = Response("x", content_type="text/plain")
    assert response.headers["content-type"] == response.content_type == "text/plain"
    response.headers["Content-Type"] = "text/css"
    assert response.content_type == "text/css"
    response.content_type = "text/csv"
    assert response.headers.getlist("content-type") == ["text/csv"]
    assert head(response) == ["HTTP/1.1 200 OK", "Content-Length: 1", "Content-Type: text/csv"]
    response.content_type = None
    assert "content-type" not in response.headers
    assert response.content_type == "text/html; charset=utf-8"


def test_content_type_argument_goes_before_headers():
    response = Response("x", headers={"content-type": "text/css"}, content_type="text/csv")
    assert response.headers.multi_items() == [("Content-Type", "text/csv")]


def test_headers():
    source = Headers({"A": "1"})
    response = Response(headers=source)
    source["A"] = "2"
    assert response.headers == {"A": "1"}
    assert response.headers is response.headers
    response.headers = [("B", "1"), ("B", "2")]
    assert head(response)[2:] == ["B: 1", "B: 2"]
    response.headers = None
    assert response.headers == {}


def test_the_server_frames_the_body():
    fields = {"Content-Length": "1", "Transfer-Encoding": "chunked", "Connection": "keep-alive"}
    response = Response("x", headers={"A": "1", **fields, "B": "2"})
    assert head(response)[2:] == ["Content-Length: 1", "A: 1", "B: 2"]
    assert head(response) == head(response)
    response = Response("x", headers={"Connection": "Close", "A": "1"})
    assert head(response)[3:] == ["A: 1", "Connection: close"]
    answer_to_head = Response(headers={"Content-Length": "5"})
    assert head(answer_to_head)[1:] == ["Content-Length: 5"]
    with pytest.raises(ValueError, match="Content-Length is 2, the body has 1 bytes"):
        Response("x", headers={"Content-Length": "2"}).render()
    response = Response(status=101, headers={"Connection": "Upgrade", "Upgrade": "x"})
    assert head(response)[1:] == ["Connection: Upgrade", "Upgrade: x"]


def test_a_date_of_ones_own():
    response = Response(headers={"date": "mine"})
    assert response.render().count(b"ate: ") == 1


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b=c", "a\rb", "a\nb", "a\0b", "\x7f"])
def test_no_text_breaks_out(value):
    response = Response()
    with pytest.raises(ValueError):
        response.headers["X"] = value
    with pytest.raises(ValueError):
        response.content_type = value
    with pytest.raises(ValueError):
        Response(content_type=value)
    with pytest.raises(ValueError):
        Response(headers={"X": value})
    with pytest.raises(ValueError):
        Response.redirect(value)
    assert head(response) == ["HTTP/1.1 200 OK", "Content-Length: 0"]


# ---- class methods ---------------------------------------------------------------------------


def test_json():
    response = Response.json({"a": "é"}, 201, {"X": "y"})
    assert json.loads(response.body) == {"a": "é"}
    assert (response.status, response.headers["x"]) == (201, "y")
    assert response.content_type == "application/json"
    assert Response.json("x").body == b'"x"'
    assert Response.json(None).body == b"null"
    assert Response.json({}, headers={"Content-Type": "a/b+json"}).content_type == "a/b+json"
    with pytest.raises(TypeError):
        Response.json(object())


def test_text_and_html():
    assert Response.text("x").content_type == "text/plain; charset=utf-8"
    assert Response.html(html="x", status=404).content_type == "text/html; charset=utf-8"
    assert Response.html("x", status=404).status == 404


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("/a?b=c#d", "/a?b=c#d"),
        ("https://x.example:80/%20", "https://x.example:80/%20"),
        ("/é ü", "/%C3%A9%20%C3%BC"),
        ("/\\evil.example", "/%5Cevil.example"),
        ('/<">', "/%3C%22%3E"),
        ("", ""),
    ],
)
def test_redirect(location, sent):
    response = Response.redirect(location)
    assert (response.status, response.body) == (302, None)
    assert response.headers["Location"] == sent


def test_redirect_to_a_url():
    here = Request(url="/a?page=2", host="h.example").URL
    for url, sent in [
        (here.update_query(page=3), "http://h.example/a?page=3"),
        (URL("/é"), "/%C3%A9"),
        (URL("https://me:secret@x.example/"), "https://me:secret@x.example/"),
    ]:
        assert Response.redirect(url, 303).headers["Location"] == sent


def test_redirect_status():
    for status in (301, 302, 303, 307, 308):
        assert Response.redirect("/", status).status == status
    for status in (200, 299, 300, 304, 305, 306, 309, 400, 2**70, "302"):
        with pytest.raises(ValueError, match="redirect"):
            Response.redirect("/", status)
    with pytest.raises(TypeError, match="location must be a str or a URL, not bytes"):
        Response.redirect(b"/")


def test_class_methods_make_subclasses():
    class Mine(Response):
        pass

    for response in (Mine.json({}), Mine.text("x"), Mine.html("x"), Mine.redirect("/")):
        assert type(response) is Mine


# ---- the object ------------------------------------------------------------------------------


def test_subclass():
    class Mine(Response):
        def __init__(self, text):
            super().__init__(text, 203)
            self.extra = 5

    assert (Mine("x").status, Mine("x").body, Mine("x").extra) == (203, "x", 5)
    for wrong in ({"status": 1}, {"body": 5}, {"nonsense": 1}):
        with pytest.raises((TypeError, ValueError)):
            type("Plain", (Response,), {})(**wrong)


def test_arguments():
    with pytest.raises(TypeError, match="at most 3 positional"):
        Response("x", 200, {}, "text/plain")
    with pytest.raises(TypeError, match="unexpected keyword argument 'code'"):
        Response("x", code=200)
    with pytest.raises(TypeError, match="multiple values for argument 'body'"):
        Response("x", body="y")


def test_init_again():
    response = Response("x", 404, reason="y")
    response.__init__("z")
    assert (response.body, response.status) == ("z", 200)


def test_cycles_are_collected():
    import gc

    class Body(list):
        pass

    body = iter(made := Body())
    made.append(Response(body))
    gone = weakref.ref(made)
    del made, body
    gc.collect()
    assert gone() is None


def test_repr():
    assert repr(Response("x", 404)) == "<guava_http.Response 404, body str>"


# ---- http_date -------------------------------------------------------------------------------


def test_http_date_agrees_with_the_standard_library():
    from email.utils import formatdate

    moments = [0, 1, 784111777, 951782400, 951868800, 1709164800, 2**31, 4102444800, -1, -(2**31)]
    moments += list(range(-(10**9), 4 * 10**9, 86400 * 37 + 4321))
    for moment in moments:
        assert http_date(moment) == formatdate(moment, usegmt=True)


def test_http_date():
    assert http_date(784111777.999) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert http_date(-0.5) == "Wed, 31 Dec 1969 23:59:59 GMT"
    assert http_date(datetime.datetime(1, 1, 1)) == "Mon, 01 Jan 0001 00:00:00 GMT"
    assert http_date(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT"
    assert len(http_date()) == len(http_date(None)) == 29
    for wrong in (253402300800, -62135596801, 2**80, -(2**80), 1e300, float("nan")):
        with pytest.raises((ValueError, OverflowError)):
            http_date(wrong)
    with pytest.raises(TypeError):
        http_date("now")


@pytest.mark.parametrize(
    "lengths", [["1", "2"], ["2", "1"], ["a"], [""], ["1, 1"], ["-1"], ["+1"]]
)
def test_there_is_one_length(lengths):
    response = Response("x", headers=[("Content-Length", length) for length in lengths])
    with pytest.raises(ValueError, match="one Content-Length"):
        response.render()


def test_a_length_that_is_written_twice():
    response = Response(
        "x", headers=[("A", "1"), ("Content-Length", "1"), ("content-length", "1")]
    )
    assert response.render().lower().count(b"content-length: 1\r\n") == 1
