"""What a handler may give besides text: tuples, what another thread makes; and where a redirect
may lead."""

import asyncio
import concurrent.futures
import threading

import pytest
from guava_http import EventStream, Response, is_safe_redirect

# ---- tuples ----


@pytest.mark.parametrize(
    ("given", "status", "body"),
    [
        (lambda: ("made", 201), 201, b"made"),
        (lambda: (b"made", 201, {"X-A": "b"}), 201, b"made"),
        (lambda: ({"a": 1}, 400), 400, b'{"a":1}'),
        (lambda: (None, 204), 204, b""),
        (lambda: (iter(["a", "b"]), 200), 200, b"ab"),
    ],
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_tuples(native, given, status, body, kind):
    async def later(request):
        await asyncio.sleep(0)
        return given()

    async def scenario(server, connect):
        answer = await (await connect()).get()
        assert (answer.status, answer.body) == (status, body)
        assert ("X-A" in answer) == (len(given()) == 3)

    native.run(later if kind == "async def" else lambda request: given(), scenario)


@pytest.mark.parametrize(
    "given",
    [(), ("a",), ("a", 1), ("a", "b"), ("a", 200, 5), ("a", 200, {}, 1), (Response(), 200)],
)
def test_tuples_that_are_none(native, given, caplog):
    async def scenario(server, connect):
        assert (await (await connect()).get()).status == 500

    native.run(lambda request: given, scenario)
    assert caplog.records[0].exc_info[0] in (TypeError, ValueError)


# ---- other threads ----


@pytest.mark.parametrize("given", ["text", Response("text", 201), {"a": 1}])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_future_of_another_thread(wire, given, when):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:

        def handler(request):
            go_on = threading.Event()
            future = pool.submit(lambda: go_on.wait(30) and given)
            if when == "before":
                go_on.set()
                future.result(30)
            else:
                asyncio.get_running_loop().call_soon(go_on.set)
            return future

        async def scenario(server, connect):
            client = await connect()
            for _ in range(2):
                answer = await client.get()
                assert answer.status == (201 if isinstance(given, Response) else 200)
                assert answer.body == (b'{"a":1}' if isinstance(given, dict) else b"text")

        wire.run(handler, scenario)


def test_a_future_that_fails(whole, caplog):
    def handler(request):
        future = concurrent.futures.Future()
        if request.path == "/cancelled":
            future.cancel()
        else:
            future.set_exception(RuntimeError("on a thread"))
        return future

    async def scenario(server, connect):
        client = await connect()
        assert (await client.get()).status == 500
        assert (await client.get("/cancelled")).status == 500

    whole.run(handler, scenario)
    assert "on a thread" in str(caplog.records[0].exc_info[1])


def test_a_client_that_leaves_before_the_thread_is_done(whole, caplog):
    given = concurrent.futures.Future()
    asked = []

    def handler(request):
        asked.append(request)
        return given

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: asked)
        client.reset()
        await whole.until(lambda: server.connections == 0)
        assert asked[0].disconnected
        threading.Thread(target=given.set_result, args=("late",)).start()
        await whole.until(given.done)

    whole.run(handler, scenario)
    assert caplog.records == []


# ---- 205 ----


@pytest.mark.parametrize("body", [None, "text", b"bytes", ["json"]])
def test_205_has_no_content(wire, body):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert (answer.status, answer["Content-Length"], answer.body) == (205, "0", b"")

    wire.run(lambda request: Response(body, 205), scenario)


# ---- redirects ----

SAFE = ["/", "/a/b?c=d#e", "a", "../a", "?a=b", "#c", "/a//b", "a:b/c"[0:1], "/?next=//evil"]
UNSAFE = [
    "",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "\x01//evil.example",
    "http:evil.example",
    "http:/evil.example",
    "http:///evil.example",
    "https://evil.example/",
    "https://site.example@evil.example/",
    "https://site.example:pw@evil.example/",
    "https://site.example.evil.example/",
    "https://site.example:444/",
    "https://site.example:99999999/",
    "https://[::1",
    "ftp://site.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "\u00a0//evil.example",
]


@pytest.mark.parametrize("location", SAFE)
def test_locations_that_stay(location):
    assert is_safe_redirect(location)


@pytest.mark.parametrize("location", UNSAFE)
def test_locations_that_lead_away(location):
    assert not is_safe_redirect(location, ["site.example"])


def test_hosts_that_are_named():
    hosts = ["site.example", "Other.example:8443"]
    for location in (
        "https://site.example/a",
        "HTTP://SITE.example",
        "https://other.example:8443/",
    ):
        assert is_safe_redirect(location, hosts)
        assert not is_safe_redirect(location)
    assert not is_safe_redirect("https://other.example/", hosts)


# ---- slow clients, and clients that leave ----

PIECE = "".join(f"{i:08}" for i in range(1250))  # 10 000 characters


def many():
    for _ in range(300):
        yield PIECE


async def many_later():
    for _ in range(300):
        yield PIECE
        await asyncio.sleep(0)


def made(path):
    body = {"str": PIECE * 300, "iterator": many(), "async": many_later()}[path.split("/")[1]]
    if path.endswith("events"):
        return EventStream(body)
    response = Response(body)
    response.compression = path.endswith("compressed")
    if path.endswith("trailers"):
        response.trailers = {"X-End": "yes"}
    return response


WAYS = [f"/{body}/{way}" for body in ("str", "iterator", "async") for way in ("plain", "trailers")]
WAYS += ["/str/compressed", "/iterator/compressed", "/async/compressed"]
WAYS += ["/iterator/events", "/async/events"]


@pytest.mark.parametrize("path", WAYS)
def test_a_slow_client_gets_all_of_it(whole, path):
    done = []

    def handler(request):
        response = made(request.path)
        response.background(done.append, 1)
        return response

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(
            f"GET {path} HTTP/1.1\r\nHost: a\r\n"
            f"Accept-Encoding: gzip\r\nTE: trailers\r\n\r\n".encode()
        )
        answer = await client.head()
        for _ in range(5):
            await client.exactly(1000)
            await asyncio.sleep(0.005)
        if "Content-Length" in answer:
            await client.exactly(int(answer["Content-Length"]) - 5000)
        else:
            end = b"0\r\nX-End: yes\r\n\r\n" if path.endswith("trailers") else b"0\r\n\r\n"
            last = b""
            while not last.endswith(end):
                last = last[-20:] + await client.exactly(1)
                last, client.rest = last + client.rest, b""
        # Nothing is lost and nothing is too much: the next answer is where it should be.
        await client.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert (await client.head()).status == 200
        rest = (await client.end()).replace(b"\n", b"")
        assert PIECE.encode() in rest
        assert rest.count(b"00001249") == 300
        await whole.until(lambda: len(done) == 2)

    whole.run(handler, scenario)


@pytest.mark.parametrize("path", WAYS)
def test_a_client_that_leaves_in_the_middle(whole, path, caplog):
    done = []

    def handler(request):
        response = made(request.path)
        response.background(done.append, 1)
        return response

    async def scenario(server, connect):
        for n in (0, 1, 500):
            before = len(done)
            client = await connect(4096)
            await client.send(
                f"GET {path} HTTP/1.1\r\nHost: a\r\n"
                f"Accept-Encoding: gzip\r\nTE: trailers\r\n\r\n".encode()
            )
            await client.exactly(n)
            if n == 0:
                await whole.turns()
            client.reset()
            await whole.until(lambda: server.connections == 0)
            await whole.until(lambda before=before, n=n: n == 0 or len(done) > before)
        assert (await (await connect()).get(path)).status == 200

    whole.run(handler, scenario)
    assert caplog.records == []
