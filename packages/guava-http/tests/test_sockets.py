"""Sockets that others have made, and clients that fill what lies between."""

import asyncio
import socket
import subprocess
import sys

import pytest
from guava_http import Limits

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LONG = 30.0


def hello(request):
    return "hello"


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("family", ["tcp", "tcp6", "unix"])
def test_sockets_that_are_bound_or_listen_already(whole, tmp_path, family, listening):
    """As a service manager hands them over: by their number alone."""
    kind = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6, "unix": socket.AF_UNIX}[family]
    where = {"tcp": ("127.0.0.1", 0), "tcp6": ("::1", 0), "unix": str(tmp_path / "s")}[family]
    original = socket.socket(kind)
    try:
        original.bind(where)
    except OSError:
        original.close()
        pytest.skip("this machine has no IPv6")
    if listening:
        original.listen(5)
        waiting = socket.socket(kind)
        waiting.settimeout(LONG)
        waiting.connect(original.getsockname())
        waiting.sendall(REQUEST)
    inherited = socket.socket(fileno=original.detach())

    async def scenario(server, connect):
        assert (await (await connect()).get()).body == b"hello"
        if listening:  # who came before the server did is served, too
            await whole.until(lambda: server.answered == 2)
            assert waiting.recv(4096).endswith(b"hello")
            waiting.close()
        if family == "unix":
            assert server.address == f"unix:{where}"

    whole.run(hello, scenario, sockets=[inherited])
    assert inherited.fileno() == -1


@pytest.mark.parametrize("named", [False, True])
def test_connections_that_are_open_already(whole, tmp_path, named):
    """Without a listener: ends of socket pairs, here of a client that has a name and of one that
    has none."""
    path = str(tmp_path / "client")

    async def main():
        server = whole.server(lambda request: repr(request.peer), sockets=[])
        with socket.socket() as sock, pytest.raises(RuntimeError):
            await server.adopt(sock)
        async with server:
            ours, theirs = socket.socketpair()
            if named:
                ours.bind(path)
            ours.setblocking(False)
            await server.adopt(theirs)
            loop = asyncio.get_running_loop()
            for _ in range(2):
                await loop.sock_sendall(ours, REQUEST)
                async with asyncio.timeout(LONG):
                    answer = await loop.sock_recv(ours, 4096)
                assert answer.endswith(repr(path if named else "").encode())
            assert (server.connections, server.accepted) == (1, 1)
            ours.close()
            await whole.until(lambda: server.connections == 0)

    with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
        runner.run(main())


def test_a_client_that_sends_requests_for_ever_and_reads_nothing(whole):
    """It is not read from any more: what waits in memory has its bound, the rest is with it."""

    async def scenario(server, connect):
        client = await connect(4096)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent = still = 0
        while still < 200:
            try:
                sent += client.sock.send(REQUEST * 100)
                still = 0
            except BlockingIOError:
                still += 1
                await whole.turns(1)
        answered = server.answered
        await whole.turns(200)
        assert server.answered == answered
        assert answered < sent // len(REQUEST), "nothing was left waiting"
        # Others are served, and it goes on as soon as the client reads.
        assert (await (await connect()).get()).status == 200
        for _ in range(answered + 5):
            assert (await client.answer()).body == b"x" * 10_000
        await whole.until(lambda: server.answered > answered + 5)

    whole.run(lambda request: b"x" * 10_000, scenario, limits=Limits(pipelined=1000))


# SIGPIPE as a parent leaves it that restores the signals, or a program that embeds Python.
PROGRAM = """
import asyncio, signal, sys
import guava_loop
from guava_http import Server
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

async def main():
    async def pieces():
        while True:
            yield b"x" * 100_000
            await asyncio.sleep(0)

    async with Server(lambda r: pieces() if r.path == "/pieces" else "hello", port=0) as server:
        print(server.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        while server.stats().disconnected < 5:
            await asyncio.sleep(0.01)

guava_loop.run(main())
"""


def test_clients_that_leave_do_not_end_the_process():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            where = ("127.0.0.1", int(server.stdout.readline()))
            for _ in range(5):
                with socket.create_connection(where, timeout=LONG) as client:
                    client.sendall(b"GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert client.recv(4096)
                with socket.create_connection(where, timeout=LONG) as client:
                    client.sendall(REQUEST)
                    assert client.recv(4096).startswith(b"HTTP/1.1 200")
        finally:
            _, errors = server.communicate(timeout=LONG)
    assert (server.returncode, errors) == (0, "")
