"""A stop loses no request that had arrived, ends in time whatever clients and handlers do, and
never breaks an answer off that it could have finished."""

import asyncio
import socket

import pytest
from guava_http import Server

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LONG = 30.0


def hello(request):
    return "hello"


def connect_now(server):
    """Connects without a turn of the loop, so that the server cannot have accepted."""
    sock = socket.socket(server.sockets[0].family)
    sock.settimeout(LONG)
    sock.connect(server.sockets[0].getsockname())
    sock.setblocking(False)
    return sock


def send_now(client, data):
    """Sends without a turn of the loop, so that the server cannot have read."""
    client.sock.setblocking(True)
    client.sock.sendall(data)
    client.sock.setblocking(False)


async def read_all(sock):
    """Everything up to the end; a reset raises."""
    parts = []
    async with asyncio.timeout(LONG):
        while data := await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
            parts.append(data)
    return b"".join(parts)


def test_a_request_that_waits_to_be_accepted_is_answered(whole):
    async def scenario(server, connect):
        socks = [connect_now(server) for _ in range(5)]
        for sock in socks:
            sock.setblocking(True)
            sock.sendall(REQUEST)
            sock.setblocking(False)
        assert server.accepted == 0
        await server.close()
        for sock in socks:
            data = await read_all(sock)
            assert data.startswith(b"HTTP/1.1 200")
            assert b"Connection: close" in data
            assert data.endswith(b"hello")
            sock.close()

    whole.run(hello, scenario)


def test_a_request_that_was_not_read_is_answered(whole):
    """On a connection that has had answers, and on one that has not."""

    async def scenario(server, connect):
        used, fresh, idle, silent = [await connect() for _ in range(4)]
        await used.get()
        await idle.get()
        await whole.until(lambda: server.connections == 4)
        send_now(used, REQUEST)
        send_now(fresh, REQUEST)
        await server.close()
        for client in (used, fresh):
            answer = await client.answer()
            assert (answer["Connection"], answer.body) == ("close", b"hello")
            assert await read_all(client.sock) == b""
        # Where nothing had come nothing is waited for.
        for client in (idle, silent):
            assert await read_all(client.sock) == b""

    whole.run(hello, scenario)


def test_requests_sent_ahead_reset_no_answer(whole):
    """The first is answered, those behind it cannot be: they are read and thrown away."""

    async def handler(request):
        await asyncio.sleep(0.05)
        return "x" * 500_000

    async def scenario(server, connect):
        client = await connect(4096)
        send_now(client, REQUEST * 200)
        await whole.until(lambda: server.stats().tasks == 1)
        closing = asyncio.create_task(server.close())
        await whole.turns()
        send_now(client, REQUEST * 200)
        answer = await client.answer()
        assert (answer["Connection"], answer.body) == ("close", b"x" * 500_000)
        assert await read_all(client.sock) == b""
        client.close()
        await closing

    whole.run(handler, scenario)


def test_a_request_that_is_half_there_is_waited_for(whole):
    async def scenario(server, connect):
        client = await connect()
        send_now(client, REQUEST[:20])
        closing = asyncio.create_task(server.close())
        await whole.turns(20)
        await client.send(REQUEST[20:])
        answer = await client.answer()
        assert (answer["Connection"], answer.body) == ("close", b"hello")
        await closing

    whole.run(hello, scenario)


async def ask(connect, counts, state):
    """Requests on one connection after the other, until the server stops. An answer is complete,
    or no byte of it has come; and what was sent before the stop is answered."""
    while not state["closing"]:
        try:
            client = await connect()
        except ConnectionError:
            assert state["closing"]
            return
        while True:
            try:
                await client.send(REQUEST)
            except ConnectionError:
                assert state["closing"]
                return
            in_time = not state["closing"]
            try:
                first = await asyncio.get_running_loop().sock_recv(client.sock, 1 << 16)
            except ConnectionResetError:
                first = b""
            if not first:
                assert not in_time, "a request was lost"
                counts["closed"] += 1
                return
            client.rest += first
            answer = await client.answer()  # an end or a reset within it fails
            assert answer.body == b"x" * 200_000
            counts["answered"] += 1
            if "Connection" in answer:
                assert await read_all(client.sock) == b""
                client.close()
                break


@pytest.mark.parametrize("turns", [0, 1, 7, 30])
def test_under_load_no_answer_is_broken_off(whole, turns):
    counts = {"answered": 0, "closed": 0}
    state = {"closing": False}

    async def handler(request):
        for _ in range(2):
            await asyncio.sleep(0.001)
        return "x" * 200_000

    async def scenario(server, connect):
        clients = [asyncio.create_task(ask(connect, counts, state)) for _ in range(20)]
        await whole.until(lambda: counts["answered"] > 40)
        await whole.turns(turns)
        state["closing"] = True
        await server.close(LONG)
        await asyncio.gather(*clients)
        assert server.connections == 0
        assert server.answered == counts["answered"]

    whole.run(handler, scenario)


# ---- what would never end ----


def test_streams_end_at_the_deadline(whole):
    ended = []

    async def pieces(name):
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.005)
        finally:
            ended.append(name)

    def plain(name):
        try:
            while True:
                yield b"x" * 10_000
        finally:
            ended.append(name)

    def handler(request):
        return {"/async": pieces, "/plain": plain}[request.path](request.path)

    async def scenario(server, connect):
        clients = []
        for path in ("/async", "/plain", "/async", "/plain"):
            clients.append(await connect())
            await clients[-1].send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
            assert (await clients[-1].head()).status == 200
        await server.close(0.2)
        assert server.connections == 0
        await whole.until(lambda: len(ended) == 4)
        for client in clients:
            # It was not the answer's end, and does not look so.
            with pytest.raises(ConnectionResetError):
                while await asyncio.get_running_loop().sock_recv(client.sock, 1 << 16):
                    pass

    whole.run(handler, scenario)


def test_clients_that_do_nothing_end_with_the_grace(whole):
    """Half a head, half a body, and one that takes nothing of its answer."""

    async def scenario(server, connect):
        clients = [await connect(4096) for _ in range(3)]
        await clients[0].send(REQUEST[:-2])
        await clients[1].send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        await clients[2].send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: server.connections == 3 and server.answered == 1)
        await server.close(0.2)
        assert server.connections == 0

    whole.run(lambda request: b"x" * 10_000_000 if request.path == "/large" else "", scenario)


def test_a_second_close_hurries_the_first(whole):
    async def handler(request):
        await asyncio.sleep(LONG)

    async def scenario(server, connect):
        client = await connect()
        await client.send(REQUEST)
        await whole.until(lambda: server.stats().tasks == 1)
        first = asyncio.create_task(server.close(None))
        await whole.turns(10)
        assert not first.done()
        await server.close(0)
        await first
        assert server.connections == 0

    whole.run(handler, scenario)


def test_a_close_that_is_cancelled_cuts_off(whole):
    async def handler(request):
        await asyncio.sleep(LONG)

    async def scenario(server, connect):
        client = await connect()
        await client.send(REQUEST)
        await whole.until(lambda: server.stats().tasks == 1)
        closing = asyncio.create_task(server.close(None))
        await whole.turns(10)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await whole.until(lambda: server.connections == 0)

    whole.run(handler, scenario)


def test_stats_of_a_server_that_never_ran():
    stats = Server(hello).stats()
    assert (stats.connections, stats.accepted, stats.answered, stats.full) == (0, 0, 0, 0)
