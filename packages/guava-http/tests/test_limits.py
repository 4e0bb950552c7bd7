"""Requests that are too large or cannot be read: the status code, and an end that is heard."""

import asyncio
import socket
import struct

import pytest
from guava_http import Limits

OK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LIMITS = Limits(head=600, fields=5, target=100, body=20)


def hello(request):
    return "hello"


def request(fields: str = "", line: str = "GET / HTTP/1.1", body: str = "") -> bytes:
    return f"{line}\r\nHost: a\r\n{fields}\r\n{body}".encode("latin-1")


BAD = [
    (request(line="GET /" + "a" * 100 + " HTTP/1.1"), 414),
    (request(line="GET /" + "a" * 500 + " HTTP/1.1"), 414),
    (request("X: " + "a" * 600 + "\r\n"), 431),
    (request("X: y\r\n" * 5), 431),
    (request("Content-Length: 21\r\n"), 413),
    (request("Content-Length: 21\r\n", body="x" * 21), 413),
    (request("Transfer-Encoding: chunked\r\n", body="15\r\n"), 413),
    (request("Transfer-Encoding: chunked\r\n", body="5\r\nhello\r\n10\r\n"), 413),
    (request("Transfer-Encoding: chunked\r\n", body="5\r\nhello0"), 400),
    (request("Transfer-Encoding: gzip\r\n"), 501),
    (request("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400),
    (request("Host: a\r\n"), 400),
    (request("X : y\r\n"), 400),
    (request("X: y\r\n z\r\n"), 400),
    (request(line="GET / HTTP/2.0"), 505),
    (request(line="GET / HTTP/1.7"), 505),
    (request(line="BREW / HTTP/1.1"), 501),
    (request(line="CONNECT a:1 HTTP/1.1"), 501),
    (request(line="TRACE / HTTP/1.1"), 405),
    (request(line="TRACE /a HTTP/1.0"), 405),
    (request(line="GET /a#b HTTP/1.1"), 400),
    (request("Expect: tea\r\n"), 417),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03", 400),
    (b"\r\n\r\n\r\n", 400),
]


@pytest.mark.parametrize(("data", "status"), BAD)
def test_bad_requests(wire, data, status):
    asked = []

    def handler(request):
        asked.append(request.path)
        return "hello"

    async def scenario(server, connect):
        client = await connect()
        await client.send(OK)
        assert (await client.answer()).status == 200
        try:
            await client.send(data)
        except ConnectionError:
            assert wire.step is not None  # it was refused before its end
        answer = await client.answer()
        assert answer.status == status
        assert answer["Connection"] == "close"
        assert answer["Content-Type"].startswith("text/plain")
        assert answer.body.startswith(str(status).encode())
        assert await client.end() == b""
        # Nobody else is disturbed.
        assert (await (await connect()).get()).status == 200

    wire.run(handler, scenario, limits=LIMITS)
    assert asked == ["/", "/"]


def test_up_to_the_limits_all_is_well(wire):
    async def scenario(server, connect):
        client = await connect()
        await client.send(request(line="GET /" + "a" * 99 + " HTTP/1.1"))
        assert (await client.answer()).status == 200
        await client.send(request("X: y\r\n" * 4))
        assert (await client.answer()).status == 200
        await client.send(request("Content-Length: 20\r\n", body="x" * 20))
        assert (await client.answer()).status == 200
        await client.send(
            request("Transfer-Encoding: chunked\r\n", body="14\r\n" + "x" * 20 + "\r\n0\r\n\r\n")
        )
        assert (await client.answer()).status == 200

    wire.run(hello, scenario, limits=LIMITS)


def test_the_refusal_of_a_head_request_has_no_body(wire):
    async def scenario(server, connect):
        client = await connect()
        await client.send(request("Host: b\r\n", line="HEAD / HTTP/1.1"))
        answer = await client.answer("HEAD")
        assert answer.status == 400
        assert await client.end() == b""

    wire.run(hello, scenario)


def test_the_answer_reaches_a_client_that_goes_on_sending(whole):
    """A close with unread bytes would reset the connection, and the answer with it."""

    async def scenario(server, connect):
        client = await connect()
        await client.send(request("Content-Length: 50000\r\n", body="x" * 50_000))
        assert (await client.answer()).status == 413
        assert await client.end() == b""

    whole.run(hello, scenario, limits=LIMITS)


def test_a_client_that_never_stops_sending_is_cut_off(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.send(request("Content-Length: 100000000\r\n"))
        with pytest.raises(ConnectionError):
            while True:
                await client.send(b"x" * 10_000)
        await whole.until(lambda: server.connections == 0)

    whole.run(hello, scenario, limits=LIMITS)


def test_large_limits(whole):
    """Beyond http-parser's own default, which is one for the process."""

    async def scenario(server, connect):
        client = await connect()
        await client.send(request("X: " + "a" * 300_000 + "\r\n"))
        assert (await client.answer()).body == b"300000"

    whole.run(
        lambda request: str(len(request.HEADERS["X"])), scenario, limits=Limits(head=400_000)
    )


def test_many_fields(whole):
    async def scenario(server, connect):
        client = await connect()
        fields = "".join(f"X-{i}: {i}\r\n" for i in range(2999))
        await client.send(request(fields))
        assert (await client.answer()).body == b"2998"

    whole.run(
        lambda request: request.HEADERS["X-2998"],
        scenario,
        limits=Limits(head=1 << 20, fields=3000),
    )


def test_clients_that_reset_at_any_byte(whole):
    data = (
        b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
        b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + b"x" * 20 +
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n"
        b"GET /d HTTP/1.1\r\nHost: a\r\n\r\n"
    )  # fmt: skip

    async def handler(request):
        if request.path == "/c":
            await asyncio.sleep(0)
        if request.path == "/d":
            return pieces()
        return "x" * 10_000

    async def pieces():
        for _ in range(5):
            await asyncio.sleep(0)
            yield "x" * 30_000

    async def scenario(server, connect):
        for n in range(len(data) + 1):
            client = await connect()
            await client.send(data[:n])
            await whole.turns(n % 5)
            client.reset()
        # One that was reset before it was accepted is accepted nevertheless.
        await whole.until(lambda: server.accepted == len(data) + 1)
        await whole.until(lambda: server.connections == 0)
        client = await connect()
        assert (await client.get()).status == 200

    whole.run(handler, scenario)


def test_a_reset_is_not_an_error_to_report(whole, caplog):
    async def scenario(server, connect):
        for _ in range(20):
            client = await connect()
            await client.send(OK * 3)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        await whole.until(lambda: server.connections == 0 and server.accepted == 20)

    whole.run(lambda request: "x" * 100_000, scenario)
    assert caplog.records == []


def test_trace_says_what_is_allowed(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"TRACE / HTTP/1.1\r\nHost: a\r\nCookie: k7Qx\r\n\r\n")
        answer = await client.answer()
        assert answer.status == 405 and "GET" in answer["Allow"] and "TRACE" not in answer["Allow"]
        assert b"k7Qx" not in answer.body

    whole.run(lambda request: "hello", scenario)
