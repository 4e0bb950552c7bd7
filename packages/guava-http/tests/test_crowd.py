"""Many connections: idle ones make room, at the limit accepting rests, and nothing spins when the
process is out of descriptors."""

import asyncio
import json
import os
import socket
import subprocess
import sys

import pytest
from guava_http import Limits

LONG = 30.0


def hello(request):
    return "hello"


def test_the_oldest_idle_connection_makes_room(whole):
    async def scenario(server, connect):
        clients = []
        for _ in range(9):
            clients.append(await connect())
            await clients[-1].get()
        assert server.stats().evicted == 0
        clients += [await connect(), await connect()]
        for client in clients[9:]:
            assert (await client.get()).status == 200
        for client in clients[:2]:
            assert await client.end() == b""
        await whole.until(lambda: server.connections == 9)
        for client in clients[2:]:
            assert (await client.get()).status == 200
        assert server.stats().evicted == 2

    whole.run(hello, scenario, limits=Limits(connections=10))


def test_who_is_at_work_does_not_make_room(whole):
    """Nor who has sent half a request, nor who has sent nothing yet."""
    go_on = asyncio.Event()

    async def handler(request):
        if request.path == "/wait":
            await go_on.wait()
        return "hello"

    async def scenario(server, connect):
        waiting = [await connect() for _ in range(5)]
        for client in waiting:
            await client.get()
            await client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        half = [await connect() for _ in range(3)]
        for client in half:
            await client.get()
            await client.send(b"GET / HTTP/1.1\r\n")
        silent = await connect()
        await whole.until(lambda: server.connections == 9 and server.stats().tasks == 5)
        assert (await (await connect()).get()).status == 200
        go_on.set()
        for client in waiting:
            assert (await client.answer()).status == 200
        for client in half:
            await client.send(b"Host: a\r\n\r\n")
            assert (await client.answer()).status == 200
        assert (await silent.get()).status == 200
        assert server.stats().evicted == 0

    whole.run(handler, scenario, limits=Limits(connections=10))


def test_at_the_limit_clients_wait_in_the_kernel(whole):
    go_on = asyncio.Event()

    async def handler(request):
        await go_on.wait()
        return "hello"

    async def scenario(server, connect):
        clients = []
        for i in range(3):
            clients.append(await connect())
            await clients[-1].send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await whole.until(lambda i=i: server.stats().tasks == i + 1)
        for _ in range(2):
            clients.append(await connect())
            await clients[-1].send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.turns(50)
        assert (server.connections, server.accepted, server.stats().full) == (3, 3, 1)
        go_on.set()
        for client in clients[:3]:
            assert (await client.answer()).status == 200
            client.close()
        for client in clients[3:]:
            assert (await client.answer()).status == 200
        assert server.accepted == 5
        # And again.
        for client in clients[3:]:
            client.close()
        await whole.until(lambda: server.connections == 0)
        assert (await (await connect()).get()).status == 200

    whole.run(handler, scenario, limits=Limits(connections=3))


def test_it_can_be_closed_at_the_limit(whole):
    async def scenario(server, connect):
        client = await connect()
        await whole.until(lambda: server.connections == 1)
        waiting = await connect()
        await waiting.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.turns(20)
        assert server.connections == 1
        await server.close()
        assert await client.end() == b""
        answer = await waiting.answer()
        assert (answer["Connection"], answer.body) == ("close", b"hello")

    whole.run(hello, scenario, limits=Limits(connections=1))


# ---- without descriptors ----

# Says where it listens; /turns says how often its loop has turned. Its first client comes before
# the descriptors run out.
PROGRAM = """
import asyncio, json, logging, resource, sys
import guava_loop
from guava_http import Limits, Server
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
logging.disable()

async def main():
    loop = asyncio.get_running_loop()
    def handler(request):
        return {"turns": loop.stats().turns, "connections": server.connections}
    server = Server(handler, port=0, limits=Limits(connections=1000))
    async with server:
        print(server.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

guava_loop.run(main())
"""


def ask(sock):
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    data = b""
    while b"}" not in data:
        received = sock.recv(4096)
        assert received, data
        data += received
    return json.loads(data.partition(b"\r\n\r\n")[2])


@pytest.mark.skipif("GUAVA_SANITIZED" in os.environ, reason="the sanitizers need descriptors")
def test_without_descriptors_it_rests_and_recovers():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        clients = []
        try:
            assert server.stdin is not None and server.stdout is not None
            where = ("127.0.0.1", int(server.stdout.readline()))
            first = socket.create_connection(where, timeout=LONG)
            clients.append(first)
            ask(first)
            clients += [socket.create_connection(where, timeout=LONG) for _ in range(200)]
            while ask(first)["connections"] < 40:
                pass
            before = ask(first)["turns"]
            # It is asked ten times a second, and looks itself as often whether there is room: a
            # listener that spins turns some ten thousand times.
            n = 10
            for _ in range(n):
                server.poll()
                first.settimeout(LONG)
                ask(first)
                with socket.socket() as idle:
                    idle.settimeout(0.1)
                    idle.bind(("127.0.0.1", 0))
                    idle.listen()
                    with pytest.raises(TimeoutError):
                        idle.accept()
            turns = ask(first)["turns"] - before
            assert turns < 40 * n
            # Those who waited are served as soon as others go.
            last = clients.pop()
            for client in clients[1:]:
                client.close()
            assert ask(last)["connections"] >= 2
        finally:
            for client in clients:
                client.close()
            server.stdin.close()
            server.wait(LONG)
