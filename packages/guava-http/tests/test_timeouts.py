"""Clients that take their time. The limits are short here, and how long a test takes is not
looked at: each ends when the server has closed the connection."""

import asyncio
import os
import sys

import pytest
from guava_http import Timeouts

# A debug build, and code under sanitizers, is so slow that an honest client looks like a slow one.
SLOW = hasattr(sys, "gettotalrefcount") or "GUAVA_SANITIZED" in os.environ
SHORT = 1.0 if SLOW else 0.3
NONE = {"keep_alive": None, "head": None, "body": None, "write": None}


def timeouts(**given: float) -> Timeouts:
    return Timeouts(**{**NONE, **given})


def hello(request):
    return "hello"


def test_a_connection_that_sends_nothing(whole):
    async def scenario(server, connect):
        client = await connect()
        assert await client.end() == b""

    whole.run(hello, scenario, timeouts=timeouts(head=SHORT))


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n"])
def test_half_a_head(whole, before, data):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(before):
            await client.get()
        await client.send(data)
        answer = await client.answer()
        assert (answer.status, answer["Connection"]) == (408, "close")
        assert await client.end() == b""

    whole.run(hello, scenario, timeouts=timeouts(head=SHORT))


def test_a_head_that_drips(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        with pytest.raises(ConnectionError):
            while True:
                await client.send(b"y")
                await asyncio.sleep(0.02)
        await whole.until(lambda: server.connections == 0)

    whole.run(hello, scenario, timeouts=timeouts(head=SHORT))


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    ],
)
def test_half_a_body(whole, data):
    async def scenario(server, connect):
        client = await connect()
        await client.send(data)
        assert (await client.answer()).status == 408
        assert await client.end() == b""

    whole.run(hello, scenario, timeouts=timeouts(body=SHORT))


def test_a_body_that_goes_on_is_waited_for(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            await asyncio.sleep(SHORT / 10)
            await client.send(b"x")
        assert (await client.answer()).body == b"x" * 20

    whole.run(lambda request: request.body, scenario, timeouts=timeouts(body=SHORT))


def test_an_idle_connection(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.get()
        assert await client.end() == b""

    whole.run(hello, scenario, timeouts=timeouts(keep_alive=SHORT))


def test_a_connection_in_use_is_kept(whole):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(30):
            assert (await client.get()).status == 200
            await asyncio.sleep(SHORT / 10)
        assert server.accepted == 1

    whole.run(hello, scenario, timeouts=timeouts(keep_alive=SHORT, head=SHORT))


def test_a_handler_may_take_longer_than_everything(whole):
    async def handler(request):
        await asyncio.sleep(SHORT * 4)
        return "done"

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            assert (await client.get()).body == b"done"

    short = timeouts(keep_alive=SHORT, head=SHORT, body=SHORT, write=SHORT)
    whole.run(handler, scenario, timeouts=short)


def test_an_iterator_may_take_longer_than_everything(whole):
    async def handler(request):
        async def pieces():
            for i in range(3):
                yield str(i)
                await asyncio.sleep(SHORT * 2)

        return pieces()

    async def scenario(server, connect):
        client = await connect()
        assert (await client.get()).body == b"012"

    short = timeouts(keep_alive=SHORT, head=SHORT, body=SHORT, write=SHORT)
    whole.run(handler, scenario, timeouts=short)


async def endless():
    while True:
        yield b"x" * 10_000


def endless_plain():
    while True:
        yield b"x" * 10_000


@pytest.mark.parametrize(
    "body", [lambda: b"x" * 20_000_000, endless, endless_plain], ids=["bytes", "async", "plain"]
)
def test_a_client_that_takes_nothing_is_cut_off(whole, body):
    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: server.connections == 1)
        await whole.until(lambda: server.connections == 0)

    whole.run(lambda request: body(), scenario, timeouts=timeouts(write=SHORT))


def test_a_client_that_takes_nothing_of_a_file_is_cut_off(whole, tmp_path):
    from guava_http import FileBody

    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(50_000_000)

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: server.connections == 1)
        await whole.until(lambda: server.connections == 0)

    whole.run(lambda request: FileBody(path), scenario, timeouts=timeouts(write=SHORT))


def test_a_slow_reader_is_waited_for(whole):
    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.head()).status == 200
        # The kernel takes more only when a third of its buffer is free: some hundred KiB at once.
        for _ in range(10):
            await client.exactly(400_000)
            await asyncio.sleep(SHORT)
        await client.exactly(4_000_000)
        assert (await client.get()).status == 200

    whole.run(lambda request: b"x" * 8_000_000, scenario, timeouts=timeouts(write=SHORT * 5))


def test_thousands_of_timers_come_due(native):
    """More connections than slots of the wheel, each idle since another moment."""

    async def scenario(server, connect):
        clients = [await connect() for _ in range(400)]
        for client in clients:
            await client.get()
        assert server.connections == 400
        await native.until(lambda: server.connections == 0)

    native.run(hello, scenario, timeouts=timeouts(keep_alive=SHORT * 10))
