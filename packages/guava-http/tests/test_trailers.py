"""Fields behind the body: when they are sent, and what may be one."""

import asyncio

import pytest
from guava_http import Response

TE = "TE: trailers\r\n"


async def both(client, fields=TE):
    """Head, chunks and the trailers of the next answer."""
    await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    answer = await client.head()
    body = b""
    while size := int(await client.line(), 16):
        body += await client.exactly(size)
        await client.line()
    trailers = []
    while line := await client.line():
        trailers.append(line)
    return answer, body, trailers


async def later():
    yield "a"
    await asyncio.sleep(0)
    yield "b"


BODIES = {
    "str": lambda: "ab",
    "bytes": lambda: b"ab",
    "json": lambda: [1],
    "iterator": lambda: iter(["a", "b"]),
    "async": later,
    "empty": lambda: iter([]),
}


@pytest.mark.parametrize("kind", list(BODIES))
def test_trailers(wire, kind):
    def handler(request):
        response = Response(BODIES[kind]())
        response.trailers = {"X-Sum": "5", "Server-Timing": lambda: "db;dur=1"}
        return response

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer, body, trailers = await both(client)
            assert answer["Trailer"] == "X-Sum, Server-Timing"
            assert body == {"json": b"[1]", "empty": b""}.get(kind, b"ab")
            assert trailers == ["X-Sum: 5", "Server-Timing: db;dur=1"]
        for te in ("", "TE: gzip\r\n", "TE: trailersx\r\n"):
            answer = await client.get("/", te)
            assert "Trailer" not in answer
            assert answer.body == {"json": b"[1]", "empty": b""}.get(kind, b"ab")

    wire.run(handler, scenario)


def test_a_function_knows_what_was_sent(wire):
    def handler(request):
        sent = []

        def pieces():
            for piece in ("a", "bc"):
                sent.append(piece)
                yield piece

        response = Response(pieces(), headers={"Trailer": "X-Length"})
        response.trailers = lambda: {"X-Length": str(len("".join(sent)))}
        return response

    async def scenario(server, connect):
        answer, body, trailers = await both(await connect(), "TE: gzip, Trailers\r\n")
        assert (answer["Trailer"], body, trailers) == ("X-Length", b"abc", ["X-Length: 3"])

    wire.run(handler, scenario)


def test_where_no_trailers_can_be(wire):
    def handler(request):
        response = Response("ab", int(request.path[1:]))
        if request.path == "/202":
            response.headers["Content-Length"] = "2"
        response.trailers = {"X-Sum": "5"}
        return response

    async def scenario(server, connect):
        client = await connect()
        for path in ("/204", "/304", "/205", "/202"):
            answer = await client.get(path, TE)
            assert "Trailer" not in answer
            assert "Transfer-Encoding" not in answer
        await client.send(f"HEAD /200 HTTP/1.1\r\nHost: a\r\n{TE}\r\n".encode())
        assert "Trailer" not in await client.answer("HEAD")
        await client.send(f"GET /200 HTTP/1.0\r\n{TE}\r\n".encode())
        assert (await client.end()).endswith(b"\r\n\r\nab")

    wire.run(handler, scenario)


@pytest.mark.parametrize(
    "name",
    ["Content-Length", "transfer-encoding", "Host", "Set-Cookie", "Trailer", "Content-Type"],
)
def test_names_that_are_refused(name):
    response = Response("a")
    with pytest.raises(ValueError, match="before the body"):
        response.trailers = {name: "1"}
    assert response.trailers is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ValueError, {"a b": "c"}),
        (ValueError, {"": "c"}),
        (ValueError, {"A": "b\r\nC: d"}),
        (ValueError, {"A": "b\0"}),
        (ValueError, {"A\r\n": "b"}),
        (TypeError, {"A": 5}),
        (TypeError, {"A": ["b"]}),
        (TypeError, {5: "b"}),
        (TypeError, 5),
        (TypeError, "A: b"),
    ],
)
def test_what_is_no_trailer(kind, value):
    with pytest.raises(kind):
        Response("a").trailers = value


def test_none_takes_them_back():
    response = Response("a")
    response.trailers = {"A": "b"}
    assert response.trailers == {"A": "b"}
    response.trailers = None
    assert response.trailers is None


@pytest.mark.parametrize(
    "trailers",
    [lambda: {"A": "b\r\nC: d"}, lambda: 5, lambda: {"Host": "a"}, {"A": lambda: 5}, {"A": dict}],
)
def test_a_function_that_gives_what_is_none(whole, trailers, caplog):
    def handler(request):
        response = Response("ab")
        response.trailers = trailers
        return response

    async def scenario(server, connect):
        client = await connect()
        await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{TE}\r\n".encode())
        assert not (await client.end()).endswith(b"\r\n\r\n")
        assert "Trailer" not in await (await connect()).get()

    whole.run(handler, scenario)
    assert len(caplog.records) == 1
