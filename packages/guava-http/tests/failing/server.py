"""A server whose n-th allocation fails: `server.py native|asyncio SECONDS`.

Says where it listens. Then it is told by numbers of eight digits, one at a time: n makes the n-th
allocation from now on fail, and only that one; it answers "." when that is so. 0 waits until no
connection and no task is left, lets all allocations succeed, and says as one line of JSON what has
been logged meanwhile. The client is another process, so that its own allocations do not count.
"""

import _testcapi
import asyncio
import concurrent.futures
import gc
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

# JSON by the standard library: others do not bear it when an allocation fails.
sys.modules["orjson"] = sys.modules["msgspec"] = None

import guava_loop  # noqa: E402
from guava_http import (  # noqa: E402
    EventStream,
    FileBody,
    FileResponse,
    Response,
    Server,
    ServerSentEvent,
    Timeouts,
    Upgrade,
    stream_body,
)

HERE = Path(__file__)
TEXT = "".join(f"line {i} of a text that repeats itself\n" for i in range(400))
DEBUG = "GUAVA_DEBUG" in os.environ
PATIENCE = float(sys.argv[2])  # seconds until a connection that stays counts as leaked

said: list[list[str]] = []


def say(where, error):
    said.append([where, type(error).__name__, str(error)])


class Log(logging.Handler):
    def emit(self, record):
        error = record.exc_info[1] if record.exc_info else None
        say(record.name, error)
        if DEBUG:
            print(record.getMessage(), file=sys.stderr)

    def handleError(self, record):
        say("log", sys.exc_info()[1])


def unraisable(given):
    say("unraisable", given.exc_value if given.exc_value is not None else given.exc_type())


# ---- handlers ----------------------------------------------------------------------------------


class Planned(Exception):
    """What a handler raises on purpose."""


async def later(value):
    await asyncio.sleep(0)
    return value


async def pieces():
    for i in range(3):
        await asyncio.sleep(0)
        yield f"piece {i}\n" * 10


async def many():
    for _ in range(15):
        yield b"x" * 80_000


async def events():
    for i in range(3):
        await asyncio.sleep(0)
        yield ServerSentEvent(f"event {i}", id=str(i))


def with_attributes(body, **attributes):
    response = Response(body)
    for name, value in attributes.items():
        setattr(response, name, value)
    return response


def with_work(request):
    response = Response("work follows")
    response.background(later, 5)
    return response


def hinted(request):
    request.early_hints({"Link": "</style.css>; rel=preload"})
    return "hinted"


def of_thread(request):
    future = concurrent.futures.Future()
    future.set_result("of a thread")
    return future


def cookies(request):
    response = Response("cookies", headers={"X": "y"})
    response.set_cookie("a", request.COOKIES["c"], max_age=5)
    return response


def facts(request):
    seen = [request.GET["a"], request.COOKIES["c"], request.HEADERS["x"], request.peer[0]]
    return " ".join([*seen, request.method, request.url])


def raising(request):
    raise Planned


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"welcome\r\n")

    def data_received(self, data):
        self.transport.write(data.upper())


@stream_body
async def stream(request):
    n = 0
    async for chunk in request.stream():
        n += len(chunk)
    return str(n)


@stream_body
async def stream_read(request):
    return str(len(await request.read()))


@stream_body
async def stream_parts(request):
    found = []
    async for part in request.parts():
        found.append(f"{part.name} {len(await part.read(100_000))}")
    return " ".join(found)


HANDLERS = {
    "text": lambda request: "text",
    "async": lambda request: later("later"),
    "facts": facts,
    "json": lambda request: {"a": [1, 2]},
    "cookies": cookies,
    "tuple": lambda request: ("made", 201, {"X": "y"}),
    "large": lambda request: "x" * 400_000,
    "body": lambda request: str(len(request.body)),
    "form": lambda request: repr(dict(request.POST)),
    "multipart": lambda request: f"{request.POST['a']} {len(request.files['f'].read())}",
    "stream": stream,
    "stream-read": stream_read,
    "stream-parts": stream_parts,
    "iterator": lambda request: iter(["a" * 10, "b" * 10]),
    "pieces": lambda request: pieces(),
    "many": lambda request: many(),
    "file": lambda request: FileBody(HERE, 0, 1000),
    "file-large": lambda request: FileBody(sys.executable, 0, 700_000),
    "file-response": lambda request: FileResponse(HERE),
    "events": lambda request: EventStream(events()),
    "compressed": lambda request: with_attributes(TEXT, compression=True),
    "compressed-pieces": lambda request: with_attributes(pieces(), compression=True),
    "trailers": lambda request: with_attributes("body", trailers={"X-Sum": lambda: "5"}),
    "hints": hinted,
    "work": with_work,
    "future": of_thread,
    "upgrade": lambda request: Upgrade("echo", Echo),
    "raising": raising,
}


class Application:
    @staticmethod
    def handler(request):
        return HANDLERS[request.path.strip("/")]

    def __call__(self, request):
        return self.handler(request)(request)

    def __guava_body__(self, request):
        return getattr(self.handler(request), "__guava_body__", None)


# ---- what it is told ---------------------------------------------------------------------------


def surely(function, *args):
    """The allocation that fails may be one of this thread's own."""
    while True:
        try:
            return function(*args)
        except MemoryError:
            pass


def wait_for_quiet(server):
    until = time.monotonic() + PATIENCE
    while (server._core.connections or server._core.tasks) and time.monotonic() < until:
        time.sleep(0.0005)


def look(server):
    surely(wait_for_quiet, server)
    _testcapi.remove_mem_hooks()
    gc.collect()
    found = {"connections": server.connections, "tasks": server.stats().tasks, "said": said[:]}
    said.clear()
    return json.dumps(found).encode() + b"\n"


def control(server, stop):
    # Eight bytes of eight: nothing is allocated anew for fewer.
    while command := surely(os.read, 0, 8):
        n = surely(int, command)
        if n == 0:
            os.write(1, look(server))
        else:
            _testcapi.set_nomemory(n, n + 1)
            surely(os.write, 1, b".")
    stop()


async def main(transport):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    # A short time makes a fast tick, which looks for tasks that are not woken any more; no client
    # here keeps its connection.
    timeouts = Timeouts(keep_alive=0.5)
    server = Server(Application(), port=0, transport=transport, threads=2, timeouts=timeouts)
    async with server:
        os.write(1, b"%d\n" % server.port)
        gc.collect()
        gc.freeze()
        gc.disable()
        thread = threading.Thread(
            target=control, args=(server, lambda: loop.call_soon_threadsafe(stop.set))
        )
        thread.start()
        await stop.wait()
        thread.join()


logging.getLogger().addHandler(Log())
sys.unraisablehook = unraisable
guava_loop.run(main(sys.argv[1]))
