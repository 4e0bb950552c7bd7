"""Handlers that answer in every way there is, and remember what they gave, so that what a client
receives can be compared with it: at once, later, in pieces, from a thread, wrongly, not at all
reading their bodies."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import itertools
import os
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import guava_http

STREAM_LIMIT = 4000  # bytes of a body that is read while it comes
FILE = random.Random(5).randbytes(20_000)


class Planned(Exception):
    """What handlers raise on purpose."""


class Call:
    """One call of a handler and what it gave. `status` None: it has not said yet."""

    def __init__(self, number: int, request: guava_http.Request, name: str) -> None:
        self.number = number
        self.name = name
        self.method = request.method
        self.target = request.url
        self.keep_alive = request.keep_alive
        self.http10 = request.http_version == "1.0"
        self.streams = name in STREAMS
        self.received = None if self.streams else request.body
        self.status: int | None = None
        self.sent: list[bytes] = []  # pieces of the body
        self.whole = False  # no pieces are missing
        self.hints = 0
        self.work = 0  # what was to follow the answer and has

    def gives(self, status: int, *pieces: str | bytes) -> None:
        self.status, self.whole = status, True
        self.sent = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]

    def __repr__(self) -> str:
        return f"{self.number}:{self.method} {self.target} {self.name} {self.status}"


async def turns(n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


# ---- handlers of (request, call) that give what is to be answered ------------------------------


def text(request: Any, call: Call) -> Any:
    call.gives(200, f"text {call.number}")
    return f"text {call.number}"


def empty(request: Any, call: Call) -> Any:
    call.gives(200)
    return b""


def large(request: Any, call: Call) -> Any:
    body = f"{call.number} " + "x" * 400_000
    call.gives(200, body)
    return body


def json(request: Any, call: Call) -> Any:
    call.gives(200, b'{"call":%d}' % call.number)
    return {"call": call.number}


def back(request: Any, call: Call) -> Any:
    body = repr(request.json())
    call.gives(200, body)
    return body


def looks(request: Any, call: Call) -> Any:
    seen = [request.GET, request.POST, request.COOKIES, dict(request.HEADERS), request.body]
    body = repr(seen) + request.url + repr(request)
    call.gives(200, body.encode("utf-8", "replace"))
    return body.encode("utf-8", "replace")


def response(request: Any, call: Call) -> Any:
    call.gives(404, f"no {call.number}")
    answer = guava_http.Response(f"no {call.number}", 404, {"X-Call": str(call.number)})
    answer.set_cookie("a", "b", max_age=5)
    return answer


def pair(request: Any, call: Call) -> Any:
    call.gives(201, f"made {call.number}")
    return f"made {call.number}", 201, {"X-Call": str(call.number)}


async def later(request: Any, call: Call) -> Any:
    await turns(2)
    return text(request, call)


async def much_later(request: Any, call: Call) -> Any:
    await turns(9)
    body = f"{call.number} " + "x" * 5000
    call.gives(200, body)
    return body


def raises(request: Any, call: Call) -> Any:
    call.status = 500
    raise Planned


async def raises_later(request: Any, call: Call) -> Any:
    await turns(1)
    call.status = 500
    raise Planned


def wrong(request: Any, call: Call) -> Any:
    call.status = 500
    return object()


def pieces(request: Any, call: Call, bad: bool = False) -> Iterator[str | bytes]:
    call.status = 200
    for piece in (f"{call.number} ", b"b" * 3000):
        call.sent.append(piece.encode() if isinstance(piece, str) else piece)
        yield piece
    if bad:
        raise Planned
    call.whole = True
    yield ""


async def later_pieces(request: Any, call: Call, bad: bool = False) -> AsyncIterator[str]:
    call.status = 200
    for i in range(4):
        await turns(1)
        piece = f"{call.number}" * i * 700
        call.sent.append(piece.encode())
        yield piece
    if bad:
        raise Planned
    call.whole = True


def file(request: Any, call: Call) -> Any:
    call.gives(200, FILE[7:5007])
    return guava_http.FileBody(PATH, 7, 5000)


def ranges(request: Any, call: Call) -> Any:
    return guava_http.FileResponse(PATH)


def no_content(request: Any, call: Call) -> Any:
    call.gives(204)
    return guava_http.Response(b"", 204)


def not_modified(request: Any, call: Call) -> Any:
    call.gives(304)
    return guava_http.Response(b"", 304)


def redirect(request: Any, call: Call) -> Any:
    call.status = 302
    return guava_http.Response.redirect(f"/{call.number}")


def events(request: Any, call: Call) -> Any:
    async def make() -> AsyncIterator[guava_http.ServerSentEvent]:
        call.status = 200
        for i in range(3):
            await turns(1)
            call.sent.append(b"data: %d\n\n" % i)
            yield guava_http.ServerSentEvent(str(i))
        call.whole = True

    return guava_http.EventStream(make())


def hints(request: Any, call: Call) -> Any:
    call.hints = request.early_hints({"Link": "</a.css>; rel=preload"})
    call.hints += request.early_hints({"Link": "</b.css>; rel=preload"})
    return text(request, call)


def trailers(request: Any, call: Call) -> Any:
    call.gives(200, f"trailers {call.number}")
    answer = guava_http.Response(f"trailers {call.number}")
    answer.trailers = {"X-Sum": lambda: str(call.number)}
    return answer


def background(request: Any, call: Call) -> Any:
    async def work() -> None:
        await turns(1)
        call.work += 1

    call.gives(200, f"work {call.number}")
    answer = guava_http.Response(f"work {call.number}")
    answer.background(work)
    return answer


def compressed(request: Any, call: Call) -> Any:
    call.gives(200, f"{call.number} " * 2000)
    answer = guava_http.Response(f"{call.number} " * 2000)
    answer.compression = True
    return answer


def threaded(request: Any, call: Call) -> Any:
    call.gives(200, f"thread {call.number}")
    return THREADS.submit(lambda: f"thread {call.number}")


async def forms(request: Any, call: Call) -> Any:
    form = request.form()
    body = repr(form) + repr(request.files)
    call.gives(200, body)
    return body


class Echo(asyncio.Protocol):
    """What a connection goes on with: sends back what comes."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def server_closing(self) -> None:
        self.transport.close()


def upgrade(request: Any, call: Call) -> Any:
    call.status = 101
    return guava_http.Upgrade("echo", Echo)


# ---- handlers that read their bodies while they come -------------------------------------------


async def stream_all(request: Any, call: Call) -> Any:
    n = 0
    async for chunk in request.stream():
        n += len(chunk)
    call.gives(200, str(n))
    return str(n)


async def stream_read(request: Any, call: Call) -> Any:
    body = await request.read()
    call.gives(200, body)
    return body


async def stream_echo(request: Any, call: Call) -> Any:
    async def copy() -> AsyncIterator[bytes]:
        call.status = 200
        async for chunk in request.stream():
            call.sent.append(bytes(chunk))
            yield bytes(chunk)
        call.whole = True

    return copy()


async def stream_some(request: Any, call: Call) -> Any:
    async for _ in request.stream():
        break
    await turns(1)
    return text(request, call)


async def stream_slow(request: Any, call: Call) -> Any:
    async for _ in request.stream():
        await turns(3)
    return text(request, call)


async def stream_bad(request: Any, call: Call) -> Any:
    async for _ in request.stream():
        call.status = 500
        raise Planned
    return text(request, call)


async def stream_none(request: Any, call: Call) -> Any:
    return text(request, call)


async def stream_parts(request: Any, call: Call) -> Any:
    found = []
    async for part in request.parts():
        found.append(repr(part))
    call.gives(200, "".join(found))
    return "".join(found)


def stream_thread(request: Any, call: Call) -> Any:
    n = sum(len(chunk) for chunk in request.stream())
    call.gives(200, str(n))
    return str(n)


STREAMS: dict[str, Callable[[Any, Call], Any]] = {
    "stream-all": stream_all,
    "stream-read": stream_read,
    "stream-echo": stream_echo,
    "stream-some": stream_some,
    "stream-slow": stream_slow,
    "stream-bad": stream_bad,
    "stream-none": stream_none,
    "stream-parts": stream_parts,
    "stream-thread": stream_thread,
}
HANDLERS: dict[str, Callable[[Any, Call], Any]] = {
    "text": text,
    "empty": empty,
    "large": large,
    "json": json,
    "back": back,
    "looks": looks,
    "response": response,
    "pair": pair,
    "later": later,
    "much-later": much_later,
    "raises": raises,
    "raises-later": raises_later,
    "wrong": wrong,
    "pieces": pieces,
    "bad-pieces": lambda request, call: pieces(request, call, True),
    "later-pieces": later_pieces,
    "bad-later-pieces": lambda request, call: later_pieces(request, call, True),
    "file": file,
    "ranges": ranges,
    "204": no_content,
    "304": not_modified,
    "redirect": redirect,
    "events": events,
    "hints": hints,
    "trailers": trailers,
    "background": background,
    "compressed": compressed,
    "threaded": threaded,
    "forms": forms,
    "upgrade": upgrade,
    **STREAMS,
}
NAMES = list(HANDLERS)
WAITING = guava_http.BodyPolicy(stream=True, limit=STREAM_LIMIT)
BLOCKING = guava_http.BodyPolicy(stream=True, limit=STREAM_LIMIT, thread=True)
THREADS = concurrent.futures.ThreadPoolExecutor(2)
_FD, PATH = tempfile.mkstemp()


def make_file() -> None:
    with os.fdopen(_FD, "wb") as out:
        out.write(FILE)
    os.utime(PATH, (1e9, 1e9))


def name_of(path: str) -> str:
    name = path.strip("/").partition("/")[0]
    if name in HANDLERS:
        return name
    # A mutated path: any, but the same whenever asked.
    return NAMES[sum(name.encode("utf-8", "replace")) % len(NAMES)]


class Application:
    """Chooses the handler by the path and remembers, for each client, what it was called for."""

    def __init__(self) -> None:
        self.calls: dict[Any, list[Call]] = {}
        self.numbers = itertools.count(1)
        self.number = 0

    def __call__(self, request: Any) -> Any:
        name = name_of(request.path)
        self.number = next(self.numbers)
        call = Call(self.number, request, name)
        self.calls.setdefault(request.peer, []).append(call)
        try:
            given = HANDLERS[name](request, call)
        except guava_http.RequestError as error:
            call.status = error.status
            raise
        return self.watched(given, call) if inspect.iscoroutine(given) else given

    @staticmethod
    async def watched(given: Any, call: Call) -> Any:
        try:
            return await given
        except guava_http.RequestError as error:
            call.status = error.status
            raise
        except guava_http.ClientDisconnected:
            call.status = 400
            raise

    def __guava_body__(self, request: Any) -> Any:
        name = name_of(request.path)
        return BLOCKING if name == "stream-thread" else WAITING if name in STREAMS else None
