"""Long uploads in flat memory, to a server in a process of its own.

`GUAVA_UPLOAD_MB=10240 pytest -k uploads` sends 10 GiB of each kind; without it 96 MiB.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import pytest

MEBIBYTE = 1 << 20
SIZE = int(os.environ.get("GUAVA_UPLOAD_MB", "96")) * MEBIBYTE
# What may come on top while a body is on its way: buffers of both sides, and what malloc keeps.
GROWTH = 8 * MEBIBYTE
SANITIZED = "GUAVA_SANITIZED" in os.environ

SERVER = """
import asyncio, sys
import guava_http, guava_loop
from guava_http import Response, stream_body

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

most = 0

def look():
    global most
    most = max(most, resident())

@stream_body
async def counts(request):
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        look()
    return str(size)

@stream_body
def blocks(request):
    size = 0
    for chunk in request.stream():
        size += len(chunk)
        look()
    return str(size)

@stream_body
async def echoes(request):
    async def watched():
        async for chunk in request.stream():
            look()
            yield chunk
    return Response(watched())

@stream_body
async def parts(request):
    size = 0
    async for part in request.parts():
        async for chunk in part:
            size += len(chunk)
            look()
    return str(size)

handlers = {"counts": counts, "blocks": blocks, "echoes": echoes, "parts": parts}

async def main():
    server = guava_http.Server(handlers[sys.argv[1]], port=0)
    async with server:
        print(server.port, flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            global most
            before, most = most, resident()
            print(before, most, flush=True)

factory = guava_loop.run if sys.argv[2] == "native" else asyncio.run
factory(main())
"""


@contextlib.contextmanager
def serving(kind, loop):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, kind, loop],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def memory(process):
    """The most of it since it was last asked for, and what it is now."""
    process.stdin.write("\n")
    process.stdin.flush()
    return map(int, process.stdout.readline().split())


def frame(size, chunked, kind):
    """A request's head, and how its body goes out."""
    piece = b"x" * MEBIBYTE
    head = b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    before = after = b""
    if kind == "parts":
        head += b"Content-Type: multipart/form-data; boundary=b\r\n"
        before = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        after = b"\r\n--b--\r\n"
    if chunked:
        yield head + b"Transfer-Encoding: chunked\r\n\r\n"
        if before:
            yield b"%x\r\n%s\r\n" % (len(before), before)
        for _ in range(size // MEBIBYTE):
            yield b"%x\r\n%s\r\n" % (MEBIBYTE, piece)
        if after:
            yield b"%x\r\n%s\r\n" % (len(after), after)
        yield b"0\r\n\r\n"
        return
    yield head + b"Content-Length: %d\r\n\r\n" % (len(before) + size + len(after)) + before
    for _ in range(size // MEBIBYTE):
        yield piece
    yield after


def upload(port, size, chunked, kind):
    """The end of the answer, and its length."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:

        def send():
            for data in frame(size, chunked, kind):
                sock.sendall(data)

        sending = threading.Thread(target=send)
        sending.start()
        got, end = 0, b""
        while data := sock.recv(1 << 18):
            got += len(data)
            end = (end + data)[-100:]
        sending.join(60)
        assert not sending.is_alive()
        return end, got


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
@pytest.mark.parametrize(
    ("kind", "loop"),
    [
        ("counts", "native"),
        ("counts", "asyncio"),
        ("blocks", "native"),
        ("echoes", "native"),
        ("echoes", "asyncio"),
        ("parts", "native"),
    ],
)
def test_uploads(kind, loop, chunked):
    # Under a sanitizer freed memory stays for long, and all takes ten times as long.
    size = 8 * MEBIBYTE if SANITIZED else SIZE
    with serving(kind, loop) as (process, port):
        upload(port, 4 * MEBIBYTE, chunked, kind)
        _, before = memory(process)
        end, got = upload(port, size, chunked, kind)
        if kind == "echoes":
            assert got > size and end.endswith(b"\r\n0\r\n\r\n")
        else:
            assert end.endswith(b"\r\n\r\n%d" % size)
        most, _ = memory(process)
        assert SANITIZED or most < before + GROWTH
