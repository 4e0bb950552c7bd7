"""Clients of every kind, many times, and a server for them: what soak.py measures beside plain
requests. Bodies that are read while they come, forms, events, files and ranges, compression,
clients that are slow, that stall, that reset at any byte. Each answer is looked at.

    python benchmarks/soak_clients.py --exchanges N [--only KIND]   prints bytes grown, as JSON
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "packages/guava-http/tests/gates"))
from memory import anonymous

AT_ONCE = 16
WARM = 2000  # exchanges of a kind before memory is looked at
PATIENCE = 60.0  # seconds until an exchange counts as stuck
BODY = random.Random(1).randbytes(70_000)
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: '
    b'form-data; name="f"; filename="x"\r\n\r\n' + BODY + b"\r\n--b--\r\n"
)
TEXT = "".join(f"line {i} of a text that repeats itself\n" for i in range(400))

SERVER = """
import asyncio, os, signal, sys, tempfile
import guava_http, guava_loop
from guava_http import *

TEXT = "".join(f"line {i} of a text that repeats itself\\n" for i in range(400))
file = tempfile.NamedTemporaryFile()
file.write(bytes(range(256)) * 2000)
file.flush()

@stream_body
async def stream(request):
    n = 0
    async for chunk in request.stream():
        n += len(chunk)
    return str(n)

@stream_body
def thread(request):
    return str(sum(len(chunk) for chunk in request.stream()))

@stream_body
async def echo(request):
    async def copy():
        async for chunk in request.stream():
            yield bytes(chunk)
    return copy()

@stream_body
async def parts(request):
    return str(len([await part.read(100_000) async for part in request.parts()]))

async def form(request):
    return str(len(request.files["f"].read()))

async def events(request):
    async def made():
        for i in range(20):
            await asyncio.sleep(0)
            yield ServerSentEvent("x" * i, id=str(i))
    return EventStream(made())

def compressed(request):
    response = Response(TEXT)
    response.compression = True
    return response

def pieces(request):
    async def made():
        for at in range(0, len(TEXT), 1000):
            yield TEXT[at : at + 1000]
            await asyncio.sleep(0)
    response = Response(made())
    response.compression = True
    return response

async def large(request):
    await asyncio.sleep(0)
    return b"x" * 500_000

HANDLERS = {
    "/stream": stream, "/thread": thread, "/echo": echo, "/parts": parts, "/form": form,
    "/events": events, "/compressed": compressed, "/pieces": pieces, "/large": large,
    "/file": lambda request: FileResponse(file.name),
}

class Application:
    def __call__(self, request):
        return HANDLERS[request.path](request)

    def __guava_body__(self, request):
        return getattr(HANDLERS[request.path], "__guava_body__", None)

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    timeouts = Timeouts(head=1, body=1, write=1, keep_alive=5)
    async with Server(Application(), port=0, timeouts=timeouts) as server:
        print(server.port, flush=True)
        await stop.wait()
        while server.connections or server.stats().tasks:
            await asyncio.sleep(0.01)

guava_loop.run(main())
"""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Exchange = Callable[["Clients"], Awaitable[None]]


class Clients:
    """What the exchanges share: where the server is, and their dice."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.rng = random.Random(seed)

    async def connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 18)

    async def answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Status and body of the next final answer."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        status = int(head[0].split()[1])
        if status < 200:
            return await self.answer(reader)
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        if "content-length" in fields:
            body = await reader.readexactly(int(fields["content-length"]))
        else:
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        return status, gzip.decompress(body) if "content-encoding" in fields else body

    async def ask(self, path: str, fields: str = "", body: bytes | None = None) -> Any:
        """One exchange on a connection of its own; a body goes in pieces, either framing."""
        reader, writer = await self.connect()
        try:
            chunked = self.rng.random() < 0.5
            if body is not None:
                fields += (
                    "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
                )
                fields += "\r\n"
            method = "GET" if body is None else "POST"
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
            for at in range(0, len(body or b""), 20_000):
                assert body is not None
                piece = body[at : at + 20_000]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await writer.drain()
            if body is not None and chunked:
                writer.write(b"0\r\n\r\n")
            return await self.answer(reader)
        finally:
            writer.transport.abort()


# ---- the kinds ---------------------------------------------------------------------------------


def sends(path: str, expected: bytes) -> Exchange:
    async def exchange(clients: Clients) -> None:
        assert await clients.ask(path, body=BODY) == (200, expected)

    return exchange


def sends_form(path: str, expected: bytes) -> Exchange:
    async def exchange(clients: Clients) -> None:
        fields = "Content-Type: multipart/form-data; boundary=b\r\n"
        assert await clients.ask(path, fields, FORM) == (200, expected)

    return exchange


def gets(path: str, fields: str, right: Callable[[int, bytes], bool]) -> Exchange:
    async def exchange(clients: Clients) -> None:
        status, body = await clients.ask(path, fields)
        assert right(status, body), (path, status, len(body))

    return exchange


async def ranges(clients: Clients) -> None:
    first, last = sorted(clients.rng.sample(range(512_000), 2))
    status, body = await clients.ask("/file", f"Range: bytes={first}-{last}\r\n")
    assert (status, len(body), body[0]) == (206, last - first + 1, first % 256)


async def slow_reader(clients: Clients) -> None:
    """Takes an answer in small bites."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", clients.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await clients.answer(reader) == (200, b"x" * 500_000)
    writer.transport.abort()


async def drips(clients: Clients) -> None:
    """Sends byte after byte and stops somewhere: a 408, or the end."""
    data = b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nxxx"
    reader, writer = await clients.connect()
    for at in range(clients.rng.randrange(1, len(data))):
        writer.write(data[at : at + 1])
        await asyncio.sleep(0)
    with contextlib.suppress(ConnectionError):
        answer = await reader.read()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
    writer.transport.abort()


async def resets(clients: Clients) -> None:
    """Breaks off in the middle of what it sends, or of what it gets."""
    rng = clients.rng
    path = rng.choice(["stream", "thread", "echo", "parts", "form", "events", "large", "file"])
    head = f"POST /{path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(FORM)}\r\n"
    data = f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode() + FORM
    reader, writer = await clients.connect()
    with contextlib.suppress(ConnectionError):
        if rng.random() < 0.5:
            writer.write(data[: rng.randrange(len(data))])
            await writer.drain()
        else:
            writer.write(data)
            await reader.read(rng.randrange(1, 100_000))
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


SIZE = str(len(BODY)).encode()
GZIP = "Accept-Encoding: gzip\r\n"
KINDS: dict[str, Exchange] = {
    "a streamed body": sends("/stream", SIZE),
    "on a thread": sends("/thread", SIZE),
    "a body sent back": sends("/echo", BODY),
    "parts": sends_form("/parts", b"2"),
    "a form": sends_form("/form", SIZE),
    "events": gets("/events", "", lambda status, body: body.count(b"id: ") == 20),
    "a file": gets("/file", "", lambda status, body: len(body) == 512_000),
    "a range": ranges,
    "compressed": gets("/compressed", GZIP, lambda status, body: body.decode() == TEXT),
    "compressed pieces": gets("/pieces", GZIP, lambda status, body: body.decode() == TEXT),
    "a slow reader": slow_reader,
    "drips and stalls": drips,
    "resets": resets,
}
# What waits for a timeout of the server's, and would take long.
RARE = {"drips and stalls": 20, "a slow reader": 10}


# ---- measuring ---------------------------------------------------------------------------------


async def repeat(clients: Clients, exchange: Exchange, times: int) -> None:
    left = iter(range(times))

    async def one_by_one() -> None:
        for _ in left:
            async with asyncio.timeout(PATIENCE):
                await exchange(clients)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_by_one())


def grown(exchanges: int, only: str | None = None, seed: int = 0) -> dict[str, int]:
    """By how many bytes the server's memory grew over so many exchanges of each kind."""
    found = {}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            clients = Clients(int(server.stdout.readline()), seed)
            for name, exchange in KINDS.items():
                if only not in (None, name):
                    continue
                rare = RARE.get(name, 1)
                asyncio.run(repeat(clients, exchange, min(WARM, exchanges) // rare + 1))
                before = anonymous(server.pid)
                asyncio.run(repeat(clients, exchange, exchanges // rare + 1))
                found[name] = anonymous(server.pid) - before
            server.terminate()
            # It ends when no connection and no task is left.
            if server.wait(PATIENCE) != 0:
                raise SystemExit(f"the server ended with {server.returncode}")
        finally:
            server.kill()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exchanges", type=int, default=20_000, help="of each kind")
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(grown(options.exchanges, options.only, options.seed), indent=2))


if __name__ == "__main__":
    main()
