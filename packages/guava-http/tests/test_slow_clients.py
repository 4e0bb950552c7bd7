"""Slow clients are gone in time while others are served, and those who are merely not fast stay.
As in test_timeouts.py, how long a test takes is not looked at."""

import asyncio
import os
import socket
import sys
import time

import pytest
from guava_http import Limits, Timeouts

# A debug build, and code under sanitizers, is so slow that an honest client looks like a slow one.
SLOW = hasattr(sys, "gettotalrefcount") or "GUAVA_SANITIZED" in os.environ
SHORT = 1.0 if SLOW else 0.3
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX: y"
BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"


def timeouts(**given: float) -> Timeouts:
    none = {"keep_alive": None, "head": None, "body": None, "write": None}
    return Timeouts(**{**none, **given})


def hello(request):
    return "hello"


async def drip(client, data):
    """Sends a byte now and then for as long as the server takes them."""
    with pytest.raises(ConnectionError):
        while True:
            await client.send(data)
            await asyncio.sleep(0.02)


async def serve_others(connect, done):
    """Requests on a connection of their own, until the slow ones are gone."""
    client = await connect()
    n = 0
    while not done.is_set():
        assert (await client.get()).status == 200
        await asyncio.sleep(0.005)
        n += 1
    return n


KINDS = {
    "silent": (b"", None),
    "stalled head": (HEAD, None),
    "dripping head": (HEAD, b"y"),
    "stalled body": (BODY + b"y", None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_go_while_others_are_served(whole, kind):
    first, more = KINDS[kind]

    async def scenario(server, connect):
        done = asyncio.Event()
        others = asyncio.create_task(serve_others(connect, done))
        clients = [await connect() for _ in range(5)]
        for client in clients:
            await client.send(first)
        await whole.until(lambda: server.connections == 6)
        if more is not None:
            await asyncio.gather(*(drip(client, more) for client in clients))
        elif first:
            for client in clients:
                assert (await client.answer()).status == 408
                assert await client.end() == b""
                client.close()
        else:
            for client in clients:
                assert await client.end() == b""
        await whole.until(lambda: server.connections == 1)
        done.set()
        assert await others > 0
        stats = server.stats()
        assert (stats.timed_out, stats.accepted) == (5, 6)
        assert stats.refused == (5 if first else 0)

    whole.run(hello, scenario, timeouts=timeouts(head=SHORT, body=SHORT))


def test_slow_readers_go_while_others_are_served(whole):
    async def scenario(server, connect):
        done = asyncio.Event()
        others = asyncio.create_task(serve_others(connect, done))
        for _ in range(3):
            client = await connect(4096)
            await client.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: server.connections == 4)
        await whole.until(lambda: server.connections == 1)
        done.set()
        assert await others > 0
        assert server.stats().timed_out == 3

    def handler(request):
        return "x" * 20_000_000 if request.path == "/large" else "hello"

    whole.run(handler, scenario, timeouts=timeouts(write=SHORT))


def test_a_body_has_a_least_rate(native):
    """Averaged after five seconds: one that drips goes, one that is merely slow stays."""
    rate = 2000

    async def scenario(server, connect):
        done = asyncio.Event()
        dripping = [await connect() for _ in range(2)]
        await dripping[0].send(BODY)
        await dripping[1].send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"
        )
        slow = await connect()
        await slow.send(BODY)
        sent = 0

        async def go_on():
            nonlocal sent
            while not done.is_set():
                # Twice what is asked for, however late this comes; less than all of it.
                due = int((asyncio.get_running_loop().time() - begun) * rate * 2) + rate
                due = min(due, 99_000)
                await slow.send(b"y" * (due - sent))
                sent = due
                await asyncio.sleep(0.05)

        begun = asyncio.get_running_loop().time()
        going = asyncio.create_task(go_on())
        await asyncio.gather(*(drip(client, b"y") for client in dripping))
        assert server.connections >= 1
        done.set()
        await going
        await slow.send(b"y" * (100_000 - sent))
        assert (await slow.answer()).body == b"100000"
        assert server.stats().timed_out == 2

    native.run(
        lambda request: str(len(request.body)), scenario, timeouts=timeouts(body_rate=rate, head=1)
    )


def test_a_rate_of_nothing_is_no_rule(native):
    async def scenario(server, connect):
        client = await connect()
        await client.send(BODY + b"y" * 99_999)
        await asyncio.sleep(SHORT * 2)
        await client.send(b"y")
        assert (await client.answer()).status == 200

    native.run(hello, scenario, timeouts=timeouts(body_rate=0))


def test_a_head_has_its_time_from_its_first_byte_on(whole):
    """Not what is left of the time for being idle."""

    async def scenario(server, connect):
        client = await connect()
        await client.get()
        await asyncio.sleep(SHORT / 2)
        await client.send(REQUEST[:10])
        await asyncio.sleep(SHORT * 4)
        await client.send(REQUEST[10:])
        assert (await client.answer()).status == 200

    whole.run(hello, scenario, timeouts=timeouts(keep_alive=SHORT, head=SHORT * 100))


def test_the_head_of_a_new_connection_has_its_time_from_accept_on(whole):
    """A client that says its first byte late does not gain by it."""

    async def scenario(server, connect):
        client = await connect()
        await whole.until(lambda: server.connections == 1)
        await asyncio.sleep(SHORT / 2)
        await client.send(b"\r")
        await client.send(b"\nG")
        assert (await client.answer()).status == 408

    whole.run(hello, scenario, timeouts=timeouts(head=SHORT))


# ---- the whole request ----


def test_a_request_that_takes_too_long_to_come(whole):
    async def scenario(server, connect):
        clients = [await connect(), await connect()]
        for client, data in zip(clients, (HEAD, BODY), strict=True):
            await client.get()
            await client.send(data)
        await asyncio.gather(*(drip(client, b"y") for client in clients))
        assert server.stats().timed_out == 2

    whole.run(hello, scenario, timeouts=timeouts(request=SHORT))


def test_a_request_that_takes_too_long_to_be_answered(whole):
    ended = []

    async def endless():
        try:
            while True:
                yield "x"
                await asyncio.sleep(0.01)
        finally:
            ended.append(True)

    async def handler(request):
        if request.path == "/pieces":
            return endless()
        if request.path == "/later":
            await asyncio.sleep(SHORT * 4)
            ended.append(request.disconnected)
        return "hello"

    async def scenario(server, connect):
        for path in ("/later", "/pieces"):
            client = await connect()
            for _ in range(2):
                assert (await client.get()).status == 200
                await asyncio.sleep(SHORT * 1.5)  # no request runs meanwhile
            await client.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
            assert not (await client.end()).endswith(b"0\r\n\r\n")
        await whole.until(lambda: len(ended) == 2 and server.stats().disconnected == 2)
        assert server.stats().timed_out == 2

    whole.run(handler, scenario, timeouts=timeouts(request=SHORT))
    assert ended == [True, True]


# ---- writing ----


def test_an_answer_that_grows_is_no_sign_of_life(whole, tmp_path):
    """What counts is that the client takes something, not that the queue changes."""
    made = 0

    async def pieces():
        nonlocal made
        while True:
            made += 100
            yield "x" * 100
            await asyncio.sleep(0.005)

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(REQUEST)
        await whole.until(lambda: server.connections == 1)
        await whole.until(lambda: server.connections == 0)
        assert made < 64 * 1024, "it was cut off only when nothing more could be queued"

    with socket.socket(socket.AF_UNIX) as listening:
        # As little as there is between the two, so that they queue here.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        listening.bind(str(tmp_path / "socket"))
        whole.run(
            lambda request: pieces(),
            scenario,
            sockets=[listening.dup()],
            timeouts=timeouts(write=SHORT),
        )


def test_who_is_too_slow_to_take_an_answer_sees_a_reset(whole):
    """An end like any other could pass for the end of the answer."""

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        await whole.until(lambda: server.connections == 1)
        await whole.until(lambda: server.connections == 0)
        with pytest.raises(ConnectionResetError):
            while await asyncio.get_running_loop().sock_recv(client.sock, 1 << 20):
                pass

    whole.run(lambda request: b"x" * 20_000_000, scenario, timeouts=timeouts(write=SHORT))


# ---- requests on a connection ----


def test_requests_on_a_connection_are_counted(wire):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert "Connection" not in answer
        answer = await client.get()
        assert (answer["Connection"], answer.body) == ("close", b"hello")
        assert await client.end() == b""
        client = await connect()
        await client.send(REQUEST * 5)
        for i in range(3):
            assert ("Connection" in await client.answer()) == (i == 2)
        assert await client.end() == b""

    wire.run(hello, scenario, limits=Limits(requests=3), timeouts=Timeouts())


def test_a_loop_that_is_held_up_takes_no_time_from_clients(native):
    """The bytes of a client may have been there all the time."""

    def handler(request):
        if request.path == "/block":
            time.sleep(SHORT * 5)
        return "hello"

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD)
        await native.turns()
        blocking = await connect()
        await blocking.send(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
        # Sent after the loop has read the first half, and before it runs on.
        client.sock.setblocking(True)
        client.sock.sendall(b"\r\n\r\n")
        client.sock.setblocking(False)
        assert (await blocking.answer()).status == 200
        assert (await client.answer()).status == 200

    native.run(handler, scenario, timeouts=timeouts(head=SHORT))
