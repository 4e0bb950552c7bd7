"""Clients that reset at every byte: of a request, and of its answer, for each way of answering;
and many of them. Afterwards the server has no connection, no task and no descriptor of theirs,
has logged nothing, and serves.

    GUAVA_CONNECTIONS   how many connections the crowd makes; 2000 unless it is set
"""

import asyncio
import logging
import os
import random
import socket
import struct

import guava_http
import pytest
from guava_http import FileBody, Response

CROWD = int(os.environ.get("GUAVA_CONNECTIONS", "2000"))
AT_ONCE = 2000  # of a server
RESET = struct.pack("ii", 1, 0)
GET = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n"
SIZED = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\na=b&c=d"
LAST = SIZED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
CHUNKED = (
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    b"3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n"
)


async def later(value):
    for _ in range(3):
        await asyncio.sleep(0)
    return value


async def pieces():
    for i in range(3):
        await asyncio.sleep(0)
        yield "x" * (30 * i)


async def events():
    for i in range(2):
        await asyncio.sleep(0)
        yield str(i)


@guava_http.stream_body
async def upload(request):
    n = 0
    async for chunk in request.stream():
        n += len(chunk)
    return str(n)


@guava_http.stream_body
async def echo(request):
    async def copy():
        async for chunk in request.stream():
            yield bytes(chunk)

    return copy()


HANDLERS = {
    "text": lambda request: "text",
    "looked at": lambda request: repr((request.POST, request.COOKIES, dict(request.HEADERS))),
    "response": lambda request: Response("x", headers={"X": "y"}),
    "later": lambda request: later("later"),
    "iterator": lambda request: iter(["a" * 50, "b" * 50]),
    "pieces": lambda request: pieces(),
    "events": lambda request: guava_http.EventStream(events()),
    "file": lambda request: FileBody(__file__, 0, 60),
    "upload": upload,
    "echo": echo,
}


def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def reset(client):
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.sock.close()


async def gone(wire, server):
    await wire.until(lambda: not server.connections and not server._core.tasks)


async def is_served(connect):
    client = await connect()
    await client.send(LAST)
    answer = await client.answer("POST")
    assert answer.status == 200
    assert await client.end() == b""
    client.close()


@pytest.fixture
def quiet(caplog):
    """Nothing is logged: that a client leaves is no error."""
    with caplog.at_level(logging.WARNING):
        yield
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in said] == []


@pytest.mark.parametrize("kind", HANDLERS)
@pytest.mark.parametrize("request_", [GET, SIZED, CHUNKED], ids=["get", "sized", "chunked"])
def test_at_every_byte_of_a_request(whole, quiet, kind, request_):
    async def scenario(server, connect):
        await is_served(connect)
        await gone(whole, server)
        before = descriptors()
        for n in range(len(request_) + 1):
            client = await connect()
            await client.send(request_[:n])
            await whole.turns(n % 4)
            reset(client)
        await gone(whole, server)
        # Transports close their sockets a turn later.
        await whole.until(lambda: descriptors() == before)
        await is_served(connect)

    whole.run(HANDLERS[kind], scenario)


@pytest.mark.parametrize("kind", HANDLERS)
def test_at_every_byte_of_an_answer(whole, quiet, kind):
    async def scenario(server, connect):
        client = await connect()
        await client.send(LAST)
        size = len(await client.end())
        client.close()
        await gone(whole, server)
        before = descriptors()
        for n in range(size):
            # No more than this many bytes are taken; of what else comes the kernel has some.
            client = await connect(1)
            await client.send(LAST)
            got = 0
            while got < n:
                got += len(await client.loop.sock_recv(client.sock, n - got))
            reset(client)
        await gone(whole, server)
        # Transports close their sockets a turn later.
        await whole.until(lambda: descriptors() == before)
        await is_served(connect)

    whole.run(HANDLERS[kind], scenario)


@pytest.mark.parametrize("kind", HANDLERS)
def test_half_closed_at_every_byte(whole, quiet, kind):
    """Who shuts down its half is answered if its request was whole, else not or with an error;
    the connection ends either way."""

    async def scenario(server, connect):
        for n in range(len(CHUNKED) + 1):
            client = await connect()
            await client.send(CHUNKED[:n])
            await whole.turns(n % 3)
            client.sock.shutdown(socket.SHUT_WR)
            data = await client.end()
            data = data.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
            if n == len(CHUNKED):
                assert data.startswith(b"HTTP/1.1 200 ")
            else:
                assert data == b"" or kind == "echo" or data.startswith(b"HTTP/1.1 4")
            client.close()
        await gone(whole, server)

    whole.run(HANDLERS[kind], scenario)


def test_a_crowd(whole, quiet):
    """Connections one after the other and beside each other, of which each does what it likes."""
    rng = random.Random(4)
    kinds = list(HANDLERS.values())

    class Application:
        def __call__(self, request):
            return kinds[int(request.path[1:])](request)

        def __guava_body__(self, request):
            return getattr(kinds[int(request.path[1:])], "__guava_body__", None)

    async def one(connect, complete):
        client = await connect()
        data = rng.choice([GET, SIZED, CHUNKED]).replace(b"/a", b"/%d" % rng.randrange(len(kinds)))
        how = rng.randrange(5)
        if how == 0:
            data = data[: rng.randrange(len(data))]
        await client.send(data)
        if how == 1:
            head = await client.head()
            while head.status == 100:
                head = await client.head()
            assert head.status == 200
            complete.append(head.status)
        await whole.turns(rng.randrange(4))
        if how == 2:
            client.close()
        elif how == 3:
            client.sock.shutdown(socket.SHUT_WR)
            await client.end()
            client.close()
        else:
            reset(client)

    async def scenario(server, connect):
        before = descriptors()
        complete = []
        for _ in range(AT_ONCE // 20):
            await asyncio.gather(*(one(connect, complete) for _ in range(20)))
        await gone(whole, server)
        # Transports close their sockets a turn later.
        await whole.until(lambda: descriptors() == before)
        assert server.accepted == AT_ONCE
        assert len(complete) > AT_ONCE // 20

    for _ in range(0, CROWD, AT_ONCE):
        whole.run(Application(), scenario)


def test_a_request_outlives_an_answer_that_breaks_off(wire):
    """Its bytes were the connection's, and the next client's are not to be found in it."""
    kept = []

    def broken():
        yield "x" * 70_000
        raise ZeroDivisionError

    def handler(request):
        if request.path == "/broken":
            kept.append(request)
            return broken()
        return ""

    async def scenario(server, connect):
        client = await connect()
        await client.send(
            b"POST /broken?1 HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 3\r\n\r\nabc"
        )
        await client.end()
        for _ in range(3):
            client = await connect()
            await client.send(
                b"POST /other?23 HTTP/1.1\r\nHost: b\r\nX: z\r\nContent-Length: 3\r\n\r\ndef"
            )
            assert (await client.answer()).status == 200
        request = kept[0]
        assert (request.url, request.host, request.body) == ("/broken?1", "a", b"abc")
        assert dict(request.HEADERS) == {"Host": "a", "X": "y", "Content-Length": "3"}

    wire.run(handler, scenario)
