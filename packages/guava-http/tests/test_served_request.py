"""Request as the server makes it: slices of what was read, one object for one after the other."""

import gc
import weakref

import pytest
from guava_http import Request, Response

HEAD = (
    '{method} {target} HTTP/1.1\r\nHost: h.example:81\r\nCookie: a=1; b="x\\054y"\r\n'
    "X-One: 1\r\nx-one:  2 \r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
)
FORM = "application/x-www-form-urlencoded"


def message(method="GET", target="/a%20b/%C3%A9?q=1&q=2+3&r", kind="text/plain", body=b""):
    head = HEAD.format(method=method, target=target, kind=kind, length=len(body))
    return head.encode() + body


def everything(request):
    return {
        "method": request.method,
        "url": request.url,
        "path": request.path,
        "raw_path": request.raw_path,
        "query_string": request.query_string,
        "host": request.host,
        "scheme": request.scheme,
        "GET": request.GET.multi_items(),
        "POST": request.POST.multi_items(),
        "HEADERS": request.HEADERS.multi_items(),
        "X-One": request.HEADERS["X-ONE"],
        "COOKIES": request.COOKIES,
        "body": request.body,
        "http_version": request.http_version,
        "keep_alive": request.keep_alive,
        "disconnected": request.disconnected,
    }


@pytest.mark.parametrize(
    ("method", "kind", "body"),
    [
        ("GET", "text/plain", b""),
        ("POST", FORM, b"f=1&f=2&g=%C3%A9"),
        ("PUT", "application/json", b'{"a": 1}'),
        ("PATCH", "text/plain", b"x" * 3000),
    ],
)
def test_has_what_was_sent(wire, method, kind, body):
    found = []

    def handler(request):
        found.append(everything(request))
        return "ok"

    async def scenario(server, connect):
        client = await connect()
        for _ in range(3):
            await client.send(message(method=method, kind=kind, body=body))
            assert (await client.answer()).body == b"ok"

    wire.run(handler, scenario)
    by_hand = Request(  # which is other code up to the head
        method,
        "/a%20b/%C3%A9?q=1&q=2+3&r",
        body=body,
        HEADERS=[
            ("Host", "h.example:81"),
            ("Cookie", 'a=1; b="x\\054y"'),
            ("X-One", "1"),
            ("x-one", "2"),
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
        ],
    )
    assert found == [everything(by_hand)] * 3
    assert found[0]["COOKIES"] == {"a": "1", "b": "x,y"}
    assert found[0]["host"] == "h.example:81"


def test_url_has_a_question_mark_only_if_it_was_sent(whole):
    kept = []

    async def handler(request):
        kept.append(request)  # which gives it memory of its own
        return str(request.URL)

    async def scenario(server, connect):
        client = await connect()
        for target in ("/", "/a", "/a?", "/a?b", "http://h", "http://h?", "http://h/a", "*"):
            await client.send(f"OPTIONS {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            answer = await client.answer()
            expected = {"*": "http://h/", "http://h": "http://h/", "http://h?": "http://h/?"}
            url = "http://h" + target if target.startswith("/") else target
            assert answer.body.decode() == expected.get(target, url)

    whole.run(handler, scenario)
    assert [request.URL.raw_query for request in kept] == [""] * 3 + ["b"] + [""] * 4
    assert [str(request.URL).endswith("?") for request in kept] == [
        target in (2, 5) for target in range(8)
    ]


def test_absolute_target(whole):
    async def handler(request):
        return [request.host, request.path, request.url, request.HEADERS["host"]]

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET http://other.example?x HTTP/1.1\r\nHost: h.example\r\n\r\n")
        return (await client.answer()).body

    assert whole.run(handler, scenario) == (
        b'["other.example","/","http://other.example?x","h.example"]'
    )


def test_the_next_request_finds_nothing_of_the_last(native):
    seen = set()

    def handler(request):
        assert vars(request) == {}
        seen.add(id(request))
        request.user = "me"
        return everything(request)["path"] + request.body.decode()

    async def scenario(server, connect):
        client = await connect()
        for number in range(20):
            body = b"" if number % 2 else b"body"
            await client.send(message(target=f"/{number}?n={number}", body=body))
            assert (await client.answer()).body == f"/{number}".encode() + body

    native.run(handler, scenario)
    assert len(seen) == 1  # it is one object


def test_a_weak_reference_never_sees_another_request(native):
    seen = []

    def handler(request):
        assert all(reference() is None for reference, _ in seen)
        seen.append((weakref.ref(request), request.path))
        return "ok"

    async def scenario(server, connect):
        client = await connect()
        for number in range(5):
            assert (await client.get(f"/{number}")).body == b"ok"

    native.run(handler, scenario)
    assert [path for _, path in seen] == [f"/{number}" for number in range(5)]


@pytest.mark.parametrize("part", ["request", "HEADERS", "GET", "POST", "COOKIES", "body", "path"])
def test_what_is_kept_stays(whole, part):
    kept = []

    def handler(request):
        kept.append(request if part == "request" else getattr(request, part))
        return "ok"

    async def scenario(server, connect):
        client = await connect()
        for number in range(5):
            target = f"/{number}?n={number}"
            await client.send(message("POST", target, FORM, f"n={number}".encode()))
            assert (await client.answer()).status == 200

    whole.run(handler, scenario)
    gc.collect()
    for number, value in enumerate(kept):
        if part == "request":
            assert everything(value)["GET"] == everything(value)["POST"] == [("n", str(number))]
            assert (value.url, value.host) == (f"/{number}?n={number}", "h.example:81")
            assert value.remote_addr in ("127.0.0.1", "")
        elif part == "HEADERS":
            assert value["x-one"] == "1, 2"
        elif part == "COOKIES":
            assert value == {"a": "1", "b": "x,y"}
        elif part == "body":
            assert value == f"n={number}".encode()
        elif part == "path":
            assert value == f"/{number}"
        else:
            assert value == {"n": str(number)}


def test_peer(whole):
    def handler(request):
        assert request.peer is request.peer
        assert request.peer[0] == request.remote_addr
        return Response(request.remote_addr + " " + str(request.peer[1]))

    async def scenario(server, connect):
        client = await connect()
        address, port = client.sock.getsockname()
        assert (await client.get()).body == f"{address} {port}".encode()

    whole.run(handler, scenario)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [("application/json", b"{", 400), (FORM, b"a&" * 1001, 413), (FORM, b"a&" * 1000, 200)],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_the_clients_fault_is_answered_as_such(whole, kind, body, status, is_async, caplog):
    def read(request):
        return {"n": len(request.POST) if kind == FORM else request.json()}

    async def handler(request):
        return read(request)

    async def scenario(server, connect):
        client = await connect()
        await client.send(message("POST", "/", kind, body))
        answer = await client.answer()
        assert answer.status == status
        assert (await client.get("/?again")).status in (200, 400)

    whole.run(handler if is_async else read, scenario)
    assert not [record for record in caplog.records if record.exc_info]


def test_cookies_and_fields_of_a_response(whole):
    response = Response("x", headers={"X-A": "1", "Content-Length": "1", "Connection": "close"})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")

    async def scenario(server, connect):
        for _ in range(2):  # the same response again
            client = await connect()
            answer = await client.get()
            assert (answer["X-A"], answer["Content-Length"], answer.body) == ("1", "1", b"x")
            assert answer["Connection"] == "close"
            cookies = [value for name, value in answer.fields if name == "Set-Cookie"]
            assert cookies == ["a=1; Path=/; SameSite=Lax", "b=2; Path=/; SameSite=Lax"]
            assert await client.end() == b""

    whole.run(lambda request: response, scenario)
