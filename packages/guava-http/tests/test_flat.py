"""Memory stays as it is: each kind of request, many times, in a process of its own. A debug build
of Python counts references, too.

GUAVA_REPEAT=100000 makes so many requests of each kind, instead of 3 500.
"""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, concurrent.futures, gc, socket, struct, sys
if hasattr(sys, "gettotalrefcount"):
    # They are built without the debug build's counting, so what they drop looks like a leak.
    sys.modules["orjson"] = sys.modules["msgspec"] = None
import guava_http, guava_loop
from guava_http import EventStream, FileBody, FileMissing, FileResponse, Request, RequestError
from guava_http import Response, Server, body_limit, stream_body

kind, transport, repeat = sys.argv[1:]
ROUNDS = 7
WARM, ROUND = 300, int(repeat) // ROUNDS

def count():
    gc.collect()
    return sys.getallocatedblocks(), getattr(sys, "gettotalrefcount", int)()

async def later(value):
    await asyncio.sleep(0)
    return value

async def now(value):
    return value

async def pieces():
    for part in ("a", "b"):
        await asyncio.sleep(0)
        yield part

def raising():
    raise ValueError("no")
    yield

kept = []

def keep(request):
    kept[:] = [request, request.HEADERS, request.GET, request.body]
    return ""

def extended(body, **attributes):
    response = Response(body)
    for name, value in attributes.items():
        setattr(response, name, value)
    return response

def worked(work):
    response = Response("x")
    response.background(work, response)
    return response

def hinted(request):
    request.early_hints({"Link": "<a>"})
    return iter(["x"])

def of_thread():
    future = concurrent.futures.Future()
    future.set_result("x")
    return future

@stream_body
async def streamed(request):
    return str([chunk async for chunk in request.stream()])

@stream_body
async def read(request):
    return await request.read()

@stream_body
async def unread(request):
    return "x"

@stream_body(limit=2)
async def too_large(request):
    return await request.read()

@stream_body
async def given_up(request):
    async for chunk in request.stream():
        raise ValueError("no")

@stream_body
def threaded(request):
    return str(list(request.stream()))

@stream_body
async def parts(request):
    return str([(part.name, await part.read(100)) async for part in request.parts()])

@stream_body
async def skipped(request):
    async for part in request.parts():
        break
    return "x"

@stream_body
async def spooled(request):
    return str((await request.parts().form()).files["f"].size)

def missing(request):
    return FileResponse("/nowhere")

handlers = {
    "streamed": streamed,
    "read": read,
    "unread": unread,
    "too large": too_large,
    "given up": given_up,
    "threaded": threaded,
    "parts": parts,
    "parts skipped": skipped,
    "form spooled": spooled,
    "form": lambda request: str((request.POST, request.files["f"].read())),
    "form kept": keep,
    "bad form": lambda request: request.form(),
    "ranges": lambda request: FileResponse(sys.executable),
    "missing": missing,
    "text": lambda request: "text",
    "bytes": lambda request: b"x" * 100,
    "large": lambda request: "x" * 200_000,
    "json": lambda request: {"a": [1, 2]},
    "response": lambda request: Response("x", headers={"X": "y"}),
    "used": lambda request: repr((request.GET, dict(request.HEADERS), request.COOKIES,
                                  request.peer, request.body, request.url)),
    "kept": keep,
    "async": lambda request: now("x"),
    "later": lambda request: later("x"),
    "iterator": lambda request: iter(["a", "b"]),
    "pieces": lambda request: pieces(),
    "tuple": lambda request: ("x", 201, {"X": "y"}),
    "future": lambda request: of_thread(),
    "events": lambda request: EventStream(pieces()),
    "compressed": lambda request: extended("x" * 2000, compression=True),
    "compressed pieces": lambda request: extended(pieces(), compression=True),
    "trailers": lambda request: extended("x", trailers={"X": lambda: "0"}),
    "bad trailers": lambda request: extended("x", trailers={"X": "\\n"}),
    "background": lambda request: worked(later),
    "hints": hinted,
    "file": lambda request: FileBody(sys.executable, length=20_000),
    "raises": lambda request: 1 / 0,
    "raises later": lambda request: later(1).missing,
    "raises in pieces": lambda request: raising(),
    "wrong": lambda request: object(),
    "their fault": lambda request: request.json(),
}

def discard(record):
    return False

import logging
logging.getLogger("guava_http").addFilter(discard)

REQUEST = (b"POST /a?b=c HTTP/1.1\\r\\nHost: a\\r\\nCookie: d=e\\r\\n"
           b"TE: trailers\\r\\nAccept-Encoding: gzip\\r\\n"
           b"Content-Length: 3\\r\\n\\r\\nabc")
CHUNKED = (b"POST /a HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
           b"3\\r\\nabc\\r\\n0\\r\\n\\r\\n")

if kind in ("parts", "parts skipped", "form spooled", "form", "form kept", "bad form"):
    FORM = (b'--x\\r\\nContent-Disposition: form-data; name="t"\\r\\n\\r\\nHello\\r\\n'
            b'--x\\r\\nContent-Disposition: form-data; name="f"; filename="a"\\r\\n\\r\\n'
            b'12345\\r\\n--x--\\r\\n')
    if kind == "bad form":
        FORM = FORM[:-9] + b"123456789"
    TYPE = b"Content-Type: multipart/form-data; boundary=x\\r\\n"
    REQUEST = (b"POST /a HTTP/1.1\\r\\nHost: a\\r\\n" + TYPE +
               b"Content-Length: %d\\r\\n\\r\\n" % len(FORM) + FORM)
    CHUNKED = (b"POST /a HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n" + TYPE +
               b"\\r\\n%x\\r\\n" % len(FORM) + FORM + b"\\r\\n0\\r\\n\\r\\n")
if kind == "ranges":
    REQUEST = b"GET / HTTP/1.1\\r\\nHost: a\\r\\nRange: bytes=0-9,1000-1100\\r\\n\\r\\n"
    CHUNKED = b"GET / HTTP/1.1\\r\\nHost: a\\r\\nRange: bytes=7-2000\\r\\n\\r\\n"

async def receive(loop, sock):
    data = b""
    while True:
        head, end, rest = data.partition(b"\\r\\n\\r\\n")
        if end:
            length = head.lower().partition(b"content-length: ")[2].partition(b"\\r\\n")[0]
            if length and len(rest) >= int(length):
                return
            if not length and rest.endswith(b"0\\r\\n\\r\\n"):
                return
        part = await loop.sock_recv(sock, 1 << 18)
        assert part
        data += part

async def connected(loop, address):
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock

async def requests(loop, address, n):
    sock = await connected(loop, address)
    for i in range(n):
        if kind == "too large" and i:  # the answer ends the connection
            sock.close()
            sock = await connected(loop, address)
        if i % 3 == 0:
            await loop.sock_sendall(sock, REQUEST)
        elif i % 3 == 1:
            await loop.sock_sendall(sock, CHUNKED)
        else:
            await loop.sock_sendall(sock, REQUEST[:30])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await loop.sock_sendall(sock, REQUEST[30:-2])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await loop.sock_sendall(sock, REQUEST[-2:])
        await receive(loop, sock)
    sock.close()

ENDS = [REQUEST, REQUEST[:20], REQUEST[:-1], CHUNKED[:-4], b"x y z\\r\\n\\r\\n", REQUEST * 3,
        b"GET / HTTP/1.0\\r\\n\\r\\n", CHUNKED.replace(b"3\\r", b"z\\r"), b""]

async def connections(loop, address, n):
    for i in range(n):
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, ENDS[i % len(ENDS)])
        for _ in range(i % 5):
            await asyncio.sleep(0)
        if i % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

async def main():
    handler = handlers.get(kind, later)
    if kind == "connections":
        handler = lambda request: later("x" * 10_000)
    loop = asyncio.get_running_loop()
    counts = []
    async with Server(handler, port=0, transport=transport) as server:
        address = server.sockets[0].getsockname()
        drive = connections if kind == "connections" else requests
        for n in [WARM * 3 if drive is connections else WARM] + [ROUND] * ROUNDS:
            await drive(loop, address, n)
            while server.connections or server._core.tasks:
                await asyncio.sleep(0)
            for _ in range(3):
                await asyncio.sleep(0)
            counts.append(count())
    return counts

async def starts():
    counts = []
    for n in [200] + [200] * ROUNDS:
        for _ in range(n):
            async with Server(lambda request: "", port=0, transport=transport):
                await asyncio.sleep(0)
        await asyncio.sleep(1.1)  # loops keep cancelled timers until they would have come
        counts.append(count())
    return counts

counts = guava_loop.run(starts() if kind == "starts" else main())
print(counts)
# What is lost with each operation, with every third request or every ninth connection, is lost in
# every round; what the interpreter itself keeps grows ever more slowly.
room = {"starts": 100, "connections": ROUND // 12}.get(kind, ROUND // 5)
for blocks_or_references in zip(*counts):
    growth = [after - before for before, after in
              zip(blocks_or_references[1:], blocks_or_references[2:])]
    assert min(growth) < room, counts
"""

KINDS = [
    *("text", "bytes", "large", "json", "response", "used", "kept", "async", "later", "iterator"),
    *("pieces", "file", "raises", "raises later", "raises in pieces", "wrong", "their fault"),
    *("tuple", "future", "events", "compressed", "compressed pieces", "trailers", "bad trailers"),
    *("background", "hints", "connections", "starts"),
    *("streamed", "read", "unread", "too large", "given up", "threaded", "parts"),
    *("parts skipped", "form spooled", "form", "form kept", "bad form", "ranges", "missing"),
]


REPEAT = os.environ.get("GUAVA_REPEAT", "3500")


@pytest.mark.skipif("GUAVA_SANITIZED" in os.environ, reason="the sanitizer keeps freed memory")
@pytest.mark.parametrize("transport", ["native", "asyncio"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_grows(kind, transport):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, transport, REPEAT],
        capture_output=True,
        text=True,
        timeout=120 + int(REPEAT) / 50,
    )
    assert done.returncode == 0, done.stderr
