"""Several requests at once on one connection: the answers' order, and the bounds of what waits."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys

import guava_loop
import pytest
from guava_http import Response


def requests(n: int, path: str = "/{}") -> bytes:
    return b"".join(f"GET {path.format(i)} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for i in range(n))


def echo(request):
    return request.path


async def later(request):
    # The first of them takes longest: only the server keeps the order.
    await asyncio.sleep(0.02 if request.path == "/0" else 0)
    return request.path


def mixed(request):
    number = int(request.path[1:])
    if number % 4 == 0:
        return request.path
    if number % 4 == 1:
        return later(request)
    if number % 4 == 2:
        return iter(["/", request.path[1:]])
    return pieces(request)


async def pieces(request):
    for part in ("/", request.path[1:]):
        await asyncio.sleep(0)
        yield part


@pytest.mark.parametrize("handler", [echo, later, mixed])
def test_answers_come_in_the_order_of_the_requests(wire, handler):
    async def scenario(server, connect):
        client = await connect()
        await client.send(requests(20))
        for i in range(20):
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, f"/{i}".encode())

    wire.run(handler, scenario)


def test_bodies_between(wire):
    async def scenario(server, connect):
        client = await connect()
        data = b""
        for i in range(6):
            head = f"POST /{i} HTTP/1.1\r\nHost: a\r\n".encode()
            if i % 2:
                data += head + b"Content-Length: 3\r\n\r\nabc"
            else:
                data += head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            data += requests(1, f"/{i}.5")
        await client.send(data)
        for i in range(6):
            assert (await client.answer()).body == f"/{i} abc".encode()
            assert (await client.answer()).body == f"/{i}.5 ".encode()

    wire.run(lambda request: f"{request.path} {request.body.decode()}", scenario)


@pytest.mark.parametrize("handler", [echo, later])
def test_more_than_one_callback_answers(whole, handler):
    async def scenario(server, connect):
        client = await connect()
        n = 3000
        sending = asyncio.create_task(client.send(requests(n)))
        for i in range(n):
            assert (await client.answer()).body == f"/{i}".encode()
        await sending

    whole.run(handler, scenario)


def test_a_long_pipeline_lets_others_in(native):
    order = []

    def handler(request):
        order.append(request.path)
        return ""

    async def scenario(server, connect):
        first, second = await connect(), await connect()
        await native.turns(10)
        await first.send(requests(300, "/first"))
        await second.send(requests(1, "/second"))
        await second.answer()
        for _ in range(300):
            await first.answer()

    native.run(handler, scenario)
    assert order.count("/first") == 300
    assert order.index("/second") <= 128


def test_nothing_behind_connection_close_is_answered(wire):
    paths = []

    def handler(request):
        paths.append(request.path)
        return ""

    async def scenario(server, connect):
        client = await connect()
        await client.send(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
            b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        try:
            await client.send(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
        except ConnectionError:
            assert wire.step is not None  # split, the third may come after the close
        assert "Connection" not in await client.answer()
        assert (await client.answer())["Connection"] == "close"
        assert await client.end() == b""

    wire.run(handler, scenario)
    assert paths == ["/1", "/2"]


def test_nothing_behind_a_bad_request_is_answered(wire):
    async def scenario(server, connect):
        client = await connect()
        await client.send(requests(1))
        assert (await client.answer()).status == 200
        try:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n" + requests(1))
        except ConnectionError:
            assert wire.step is not None
        assert (await client.answer()).status == 400
        assert await client.end() == b""

    wire.run(echo, scenario)


def test_what_waits_behind_a_request_is_bounded(whole):
    release = asyncio.Event()

    async def handler(request):
        await release.wait()
        return request.path

    async def scenario(server, connect):
        client = await connect()
        n = 200_000  # about 8 MB: more than all the buffers on the way
        sending = asyncio.create_task(client.send(requests(n, "/")))
        await asyncio.sleep(0.2)
        assert not sending.done()
        release.set()
        for _ in range(1000):
            assert (await client.answer()).status == 200
        sending.cancel()
        client.close()

    whole.run(handler, scenario)


def test_a_client_that_reads_nothing_stops_its_own_requests(whole):
    body = "x" * 50_000
    count = 0

    def handler(request):
        nonlocal count
        count += 1
        return body

    async def scenario(server, connect):
        client = await connect(4096)
        n = 500  # 25 MB of answers, more than the kernel keeps
        await client.send(requests(n, "/"))
        await asyncio.sleep(0.2)
        assert count < n
        before = count
        await asyncio.sleep(0.05)
        assert count == before
        for _ in range(n):
            answer = await client.answer()
            assert len(answer.body) == len(body)
        assert count == n

    whole.run(handler, scenario)


WRITES = """
import os, sys
import guava_http

def serve(handler):
    def started(server):
        print(os.getpid(), server.port, flush=True)
    guava_http.serve(handler, port=0, started=started)

async def coroutine(request):
    return guava_http.Response("x", headers={"X-Name": "value"})

serve({"def": lambda request: "x", "async": coroutine}[sys.argv[1]])
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.skipif("GUAVA_SANITIZED" in os.environ, reason="the sanitizers write, too")
@pytest.mark.parametrize("kind", ["def", "async"])
def test_pipelined_answers_leave_in_one_write(tmp_path, kind):
    log = tmp_path / "log"
    command = ["strace", "-f", "-e", "trace=network,write,writev", "-o", str(log)]
    with subprocess.Popen(
        [*command, sys.executable, "-c", WRITES, kind], stdout=subprocess.PIPE, text=True
    ) as process:
        pid, port = map(int, process.stdout.readline().split())
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(requests(16))
            data = b""
            while data.count(b"HTTP/1.1 200 OK") < 16:
                data += sock.recv(1 << 16)
        os.kill(pid, signal.SIGTERM)  # strace does not pass it on
        process.wait(timeout=30)
    sent = [line for line in log.read_text().splitlines() if "HTTP/1.1 200 OK" in line]
    assert len(sent) == 1, sent


def test_a_response_is_not_changed_by_the_next_one(native):
    shared = Response("", headers={"X-Count": "0"})

    def handler(request):
        shared.headers["X-Count"] = request.path[1:]
        return shared

    async def scenario(server, connect):
        client = await connect()
        await client.send(requests(5))
        assert [(await client.answer())["X-Count"] for _ in range(5)] == list("01234")

    native.run(handler, scenario)


def test_the_loop_is_the_one_that_is_meant(native):
    async def scenario(server, connect):
        assert isinstance(asyncio.get_running_loop(), guava_loop.Loop)

    native.run(echo, scenario)
