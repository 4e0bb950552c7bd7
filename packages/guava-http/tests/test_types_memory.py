"""The types when memory runs out, and what they leave behind: each in a process of its own."""

import subprocess
import sys
import textwrap

import pytest

COMMON = """
import gc, io, sys, weakref
if hasattr(sys, "gettotalrefcount"):
    # They are built without the debug build's counting, so what they drop looks like a leak.
    sys.modules["orjson"] = sys.modules["msgspec"] = None
from guava_http import *

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PAIRS = [("A", "1"), ("a", "2"), ("Cookie", 'b="x\\\\054y"; c=2'), ("Host", "x.example")]
KEPT = {}

def make_request():
    return Request(
        "POST", "http://h.example/%C3%A9?q=1&q=2&r=%20", body=bytearray(b"f=1&f=2&g=+"),
        HEADERS={**FORM, "Cookie": 'b="x\\\\054y"; c=2', "A": ["1", "2"]},
    )

def read_request():
    request = make_request()
    return [
        request.method, request.url, request.path, request.host, request.GET, request.POST,
        request.COOKIES, request.body, request.query_string, request.raw_path, repr(request),
        request.remote_addr, request.peer, dict(request.HEADERS), request.HEADERS.getlist("a"),
        request.HEADERS.multi_items(), request.HEADERS == {"a": "b"}, request.HEADERS["cookie"],
        repr(request.HEADERS), request.HEADERS.copy(), request.GET.getlist("q"),
        request.GET.multi_items(), repr(request.GET),
    ]

def attributes():
    request = Request()
    request.user = "me"
    return request

def given():
    return Request(path="/\xe9", GET={"a": ["1", "2"]}, POST=[("c", "d")], COOKIES={"e": "f"},
                   host="h.example")

def json():
    return (Request(body=b'{"a": [1]}').json(), Response({"a": [1.5, "\xe9"]}).body,
            Response.json([1]))

def bad_json():
    try:
        Request(body=b"{").json()
    except RequestError as error:
        assert error.status == 400
    try:
        Response.json(object())
    except TypeError:
        pass

def headers():
    headers = Headers(PAIRS)
    for i in range(40):
        headers[f"X-{i}"] = "v" * i
    headers.add("x-5", "w")
    headers.update({"x-6": ["1", "2"]}, y="z")
    return (headers.pop("x-7"), headers.popitem(), headers.setdefault("z", "1"), list(headers),
            headers["x-5"], headers == Headers(PAIRS), repr(headers), headers.copy())

def response():
    response = Response("\xe9", 404, {"A": "b", "Content-Length": "2"}, content_type="text/x",
                        reason="r")
    response.set_cookie("a", "b", max_age=5, expires=0, httponly=True)
    response.set_cookie("a", "c")
    response.delete_cookie("d")
    response.add_cookie(Cookie("e", "f" * 600, domain="h.example"))
    return response.render(date=0), response.content_type, response.reason, repr(response)

def makers():
    return (Response.text("x"), Response.html("x", 404, {"A": "b"}),
            Response.redirect("/\xe9"), Response(memoryview(b"x")), Response(headers=PAIRS))

class Derived(Response):
    pass

def derived():
    return Derived("x", status=404), Derived.redirect("/")

def cookie():
    cookie = Cookie("a", "b", max_age=5, expires=1.5, domain="h.example", samesite="Strict")
    return (str(cookie), repr(cookie), hash(cookie), cookie == Cookie("a"),
            Cookie.parse('a=b; c="\\\\054"'), Cookie.parse(b"a=b"), Cookie.parse("a=\u20ac"))

def query():
    query = QueryDict([("a", "1"), ("a", "2"), ("b", "3")])
    return query.copy(), query.getlist("a"), query.__reduce__(), query | {}

def helpers():
    return http_date(0), status_phrase(404), unquote("%41" * 200, plus=True), unquote(b"%zz")

OPTIONS = 'a/b; C="x\\\\"; d*=UTF-8' + "''%C3%A9; e*=x; f=\xe9"

def preferences():
    accept = 'text/html;level="1";q=0.5, */*;q=0.1, json, de-CH, gzip;q=0, (x)'
    return (parse_accept(accept), best_match(accept, ["text/html", "a/b"]), best_match(None, []),
            best_language(accept, ["de", "en"], "x"), best_encoding(accept, ("gzip", "br")),
            best_encoding("identity;q=0", []),
            parse_options_header(OPTIONS),
            parse_options_header("a;b=\u20ac"))

def dates():
    return (parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), parse_date(b"Sun Nov  6 08:49:37 1994"),
            quote("\xe9 /" * 100), quote(b"\\xff%", safe="%"), QueryDict.parse("a=1&a=%20&b"),
            QueryDict.parse(b"a=1"))

def facts():
    request = Request(
        "POST", "/a?b=c", host="h.example",
        HEADERS={"Content-Type": "application/x+json; charset=UTF-8", "Content-Length": "5",
                 "Accept": "text/html, application/json", "Accept-Language": "de-CH",
                 "User-Agent": "me"},
    )
    return (request.content_type, request.mimetype, request.charset, request.content_length,
            request.is_json, request.is_secure, request.user_agent,
            request.accepts("json", "html"), request.accepts("x/y"), request.accepts(),
            request.accepts_language("en", "de"), request.HEADERS.raw,
            request.HEADERS.__copy__(), request.HEADERS.__reduce__())

def copies():
    headers = Headers(PAIRS)
    headers.extend(PAIRS)
    cookie = Cookie("a", "b", max_age=5, expires=6, domain="x.example", secure=True)
    return headers.raw, cookie.__getnewargs_ex__()

def in_python():
    request = Request(url="/a?b=c", host="h.example", HEADERS={"Authorization": "Basic YTpi"})
    for call in (lambda: URL("http:"), lambda: Cookie.from_header("x"),
                 lambda: Request(host="300.1.1.1").URL):
        try:
            call()
        except ValueError:
            continue
        raise AssertionError("no error")
    return (request.authorization, request.URL, request.URL, secure_filename("../con"),
            Cookie.from_header("a=b; Expires=06 Nov 1994 08:49:37; Path=/"))

def urls():
    url = URL("http://u:p@H.example:81/a%2fb/c|?d=e&d=f#g")
    return (str(url), repr(url), url.human(), url.query, url.join("../x?y"), url / "z", hash(url),
            url.with_query(a=[1, 2], b="c"), url.update_query(d=3), url.origin, url.parts)

def file_body():
    with FileBody(sys.executable, 1, 2) as body:
        return body.fileno(), repr(body), body.length

WRONG = (
    lambda: Request(method=5), lambda: Request(url="x"), lambda: Request(HEADERS={"a": "\\n"}),
    lambda: Request(GET=5), lambda: Request(body="x"), lambda: Response(5),
    lambda: Response(status=5), lambda: Response(headers=[("a",)]), lambda: Cookie("a", "\\n"),
    lambda: Cookie("a", expires="x"), lambda: Headers({"": "x"}), lambda: QueryDict({"a": 1}),
    lambda: Headers()["x"], lambda: FileBody("/none"), lambda: FileBody("/dev/null"),
    lambda: Response.redirect("\\n"), lambda: Response.redirect("/", 200),
    lambda: unquote(5), lambda: http_date("x"), lambda: Response(nonsense=1),
    lambda: Request().GET.pop("a"),
    lambda: parse_date("x"), lambda: parse_date(5), lambda: parse_accept("\u20ac"),
    lambda: best_match("a", "b"), lambda: best_language("a", [5]), lambda: best_encoding("a", 5),
    lambda: Request().accepts(5), lambda: quote(5),
    lambda: quote("a", safe="\xe9"), lambda: QueryDict.parse(5),
    lambda: QueryDict.parse("a&" * 1001),
    lambda: Cookie("a", domain="x:1"), lambda: Headers().extend(5),
    lambda: parse_options_header(5), lambda: Cookie("a", path="/" * 2000),
    lambda: Cookie("__Http-a"), lambda: quote("\\ud800"),
)

def wrong():
    for call in WRONG:
        try:
            call()
        except (TypeError, ValueError, KeyError, OSError):
            continue
        raise AssertionError("no error")

HEAD = b"POST / HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
CHUNKS = b"3;x=y\\r\\nhel\\r\\n2\\r\\nlo\\r\\n0\\r\\nX: y\\r\\n\\r\\n"

SMALL = Limits(body=4)

def parsing():
    parser = RequestParser()
    made = [parser.feed(HEAD + CHUNKS[:5]), parser.feed(CHUNKS[5:] + HEAD[:9]), parser.unused,
            parser.next_request(), parser.request, parser.state, parser.pending, parser.error]
    try:
        parser.feed_eof()
    except RequestError:
        made.append(parser.error)
    parser = RequestParser(SMALL)
    try:
        for at in range(0, len(HEAD + CHUNKS), 7):
            parser.feed((HEAD + CHUNKS)[at : at + 7])
    except RequestError as error:
        assert error.status == 413
    else:
        raise AssertionError("no error")
    parser = RequestParser()
    parser.feed(HEAD + CHUNKS + b"rest")
    assert parser.take_over() == b"rest"

def cycles():
    request = make_request()
    request.me = [request, request.HEADERS]
    made = []
    made.append(Response(iter(made)))

OPERATIONS = [read_request, attributes, given, json, bad_json, headers, response, makers, derived,
              cookie, query, helpers, file_body, wrong, cycles, preferences, dates, facts, copies,
              urls, in_python, parsing]
"""

LEAKS = """
# A leak is at least one for each round; what caches take grows with nothing.
ROUNDS, LEAK = 2000, 1000
for operation in OPERATIONS:
    for _ in range(500):
        operation()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(ROUNDS):
        operation()
    gc.collect()
    grown = sys.getallocatedblocks() - before
    assert grown < LEAK, (operation.__name__, grown)
    if hasattr(sys, "gettotalrefcount"):
        before = sys.gettotalrefcount()
        for _ in range(ROUNDS):
            operation()
        gc.collect()
        grown = sys.gettotalrefcount() - before
        assert grown < LEAK, (operation.__name__, grown)
"""

NO_MEMORY = """
import _testcapi

# The libraries of JSON, and functions that are made by Python code, crash by themselves.
OPERATIONS.remove(json)
OPERATIONS.remove(bad_json)
OPERATIONS.remove(urls)
OPERATIONS.remove(in_python)
if hasattr(sys, "gettotalrefcount"):
    # A debug build ends itself where CPython loses the exception that is spoken of below.
    OPERATIONS.remove(wrong)

gc.disable()
failures = 0

def fails(operation, start):
    # Only one allocation fails. A library in between may turn it into an error of its own; an
    # answer of NULL without any error is a SystemError, and that must not be.
    global failures
    _testcapi.set_nomemory(start, start + 1)
    try:
        operation()
    except MemoryError:
        failures += 1
        return True
    except SystemError as error:
        # CPython itself loses the exception where it cannot make a frame for the traceback.
        text = str(error)
        if text == "error return without exception set" or text.startswith("<function "):
            return True
        raise
    except Exception:
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False

for operation in OPERATIONS:
    operation()
    passed = 0
    for start in range(1, 5000):
        # An allocation may be one that can be done without, so one success is not the end.
        passed = 0 if fails(operation, start) else passed + 1
        if passed == 20:
            break
    assert passed == 20, operation.__name__
    operation()
assert failures > 300, failures
print(failures)
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(COMMON) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_left_behind():
    run(LEAKS)


def test_allocations_that_fail():
    pytest.importorskip("_testcapi", reason="not part of this build of Python")
    run(NO_MEMORY)
