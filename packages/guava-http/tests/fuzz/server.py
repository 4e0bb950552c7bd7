"""A whole server under random clients: one process, one thread, one loop, real sockets.

    python packages/guava-http/tests/fuzz/server.py [--seed N] [--rounds N] [--seconds N]
                                                    [--transport native|asyncio]

Each round a few connections follow scripts: requests out of a grammar and out of the corpus,
mutated or not, cut anywhere, with turns of the loop between the pieces; some stop to read, some
shut down their half, some reset. Handlers answer in every way there is: at once, later, in pieces,
wrongly, not at all reading their bodies. What must hold:

- nothing but well-formed answers comes, as many as handlers were called for, unless the client or
  the handler broke off;
- a connection whose client has shut down its half ends;
- a new client is served after each round;
- nothing is logged but what the handlers raise, and no connection, task or descriptor is left.

A failure names its seed and round; `--seed S --first R --rounds 1` runs that round alone: the
choices of a round depend on seed and round only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import random
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

import guava_http
import guava_loop

sys.path.insert(0, str(Path(__file__).parent.parent))
from corpus.corpus import HERE as CORPUS
from corpus.corpus import read_file

LONG = 30.0  # seconds; nothing takes that long unless it hangs
RESET = struct.pack("ii", 1, 0)
LIMITS = guava_http.Limits(
    head=600, fields=20, target=100, body=2000, chunk_extensions=64, trailers=64, pipelined=1500
)
stream_body: Any = getattr(guava_http, "stream_body", None)


class Planned(Exception):
    """What handlers raise on purpose."""


class Malformed(Exception):
    """What a client must never see."""


# ---- the application -------------------------------------------------------------------------


async def later(value: Any, turns: int = 2) -> Any:
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def later_raise() -> Any:
    await asyncio.sleep(0)
    raise Planned


def pieces(bad: bool = False) -> Any:
    yield "a" * 10
    yield b"b" * 3000
    if bad:
        raise Planned
    yield ""


async def pieces_later(bad: bool = False) -> Any:
    for i in range(4):
        await asyncio.sleep(0)
        yield "c" * i * 700
    if bad:
        raise Planned


def looks(request: Any) -> Any:
    seen = [request.GET, request.POST, request.COOKIES, dict(request.HEADERS), request.body]
    return repr(seen) + request.url + repr(request)


def cookies(request: Any) -> Any:
    answer = guava_http.Response("x", headers={"X": "y"})
    answer.set_cookie("a", "b", max_age=5)
    return answer


async def events() -> Any:
    for i in range(3):
        await asyncio.sleep(0)
        yield guava_http.ServerSentEvent("x" * i, id=str(i))


class Streams:
    """Readers of streamed bodies: to the end, by parts, half of it, not at all."""

    @staticmethod
    async def all(request: Any) -> Any:
        n = 0
        async for chunk in request.stream():
            n += len(chunk)
        return str(n)

    @staticmethod
    async def read(request: Any) -> Any:
        return str(len(await request.read()))

    @staticmethod
    async def echo(request: Any) -> Any:
        async def copy() -> Any:
            async for chunk in request.stream():
                yield bytes(chunk)

        return copy()

    @staticmethod
    async def some(request: Any) -> Any:
        async for _ in request.stream():
            break
        await asyncio.sleep(0)
        return "some"

    @staticmethod
    async def slow(request: Any) -> Any:
        async for _ in request.stream():
            for _ in range(3):
                await asyncio.sleep(0)
        return "slow"

    @staticmethod
    async def bad(request: Any) -> Any:
        async for _ in request.stream():
            raise Planned
        return ""

    @staticmethod
    async def none(request: Any) -> Any:
        return "none"

    @staticmethod
    async def parts(request: Any) -> Any:
        found = []
        async for part in request.parts():
            found.append(repr(part))
        return "".join(found)


HANDLERS: dict[str, Any] = {
    "text": lambda request: "text",
    "empty": lambda request: b"",
    "large": lambda request: "x" * 400_000,
    "json": lambda request: {"a": [1, 2]},
    "back": lambda request: request.json(),
    "looks": looks,
    "cookies": cookies,
    "later": lambda request: later("later"),
    "much-later": lambda request: later("x" * 5000, 9),
    "raise": lambda request: 1 / 0,
    "later-raise": lambda request: later_raise(),
    "wrong": lambda request: object(),
    "pieces": lambda request: pieces(),
    "bad-pieces": lambda request: pieces(True),
    "apieces": lambda request: pieces_later(),
    "bad-apieces": lambda request: pieces_later(True),
    "file": lambda request: guava_http.FileBody(__file__, 0, 5000),
    "204": lambda request: guava_http.Response(b"", 204),
    "304": lambda request: guava_http.Response(b"", 304),
    "redirect": lambda request: guava_http.Response.redirect("/text"),
    "events": lambda request: guava_http.EventStream(events()),
}
CUT = {"bad-pieces", "bad-apieces", "stream-echo"}  # whose answers may end early
if hasattr(guava_http, "FileResponse"):
    HANDLERS["ranges"] = lambda request: guava_http.FileResponse(__file__)
if hasattr(guava_http.Request, "form"):

    async def forms(request: Any) -> Any:
        form = request.form()
        form = await form if hasattr(form, "__await__") else form
        return repr(form) + repr(getattr(request, "files", None))

    HANDLERS["forms"] = forms
if stream_body is not None:
    for name, function in vars(Streams).items():
        if isinstance(function, staticmethod):
            HANDLERS[f"stream-{name}"] = stream_body(limit=4000)(function.__func__)


class Application:
    """Chooses the handler by the path and remembers who was called."""

    def __init__(self) -> None:
        self.calls: dict[int, list[tuple[str, str]]] = {}
        self.count = 0

    @staticmethod
    def handler(request: Any) -> tuple[str, Any]:
        names = list(HANDLERS)
        name = request.path.strip("/").partition("/")[0]
        if name not in HANDLERS:
            # A mutated path: any, but the same whenever asked.
            name = names[sum(name.encode("utf-8", "replace")) % len(names)]
        return name, HANDLERS[name]

    def __call__(self, request: Any) -> Any:
        name, function = self.handler(request)
        self.count += 1
        self.calls.setdefault(request.peer[1], []).append((request.method, name))
        return function(request)

    def __guava_body__(self, request: Any) -> Any:
        return getattr(self.handler(request)[1], "__guava_body__", None)


# ---- what clients send -------------------------------------------------------------------------

SEEDS = [case.data for path in sorted(CORPUS.glob("*.toml")) for case in read_file(path)]
SEEDS = [data for data in SEEDS if len(data) < 3000]
FIELDS = [
    *(
        b"Connection: close",
        b"Connection: keep-alive",
        b"Cookie: a=b; c=d",
        b"X: y",
        b"Accept: */*",
    ),
    *(b"Expect: 100-continue", b"Upgrade: h2c", b"Connection: Upgrade", b"Range: bytes=0-9,-3"),
    *(b"Range: bytes=9-", b'If-None-Match: "a", *', b"Accept-Encoding: gzip, br;q=0.5", b"X:"),
    *(b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", b'If-Range: W/"x"', b"TE: trailers"),
]
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: '
    b'form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n'
)
BODIES = [
    (b"application/x-www-form-urlencoded", b"a=b&c=%41&a=2"),
    (b"multipart/form-data; boundary=b", MULTIPART),
    (b"multipart/form-data; boundary=b", MULTIPART[:-9]),
    (b"application/json", b'{"a": [1]}'),
    (b"text/plain", b"x" * 1500),
    (b"text/plain", b"x" * 3000),
    (b"text/plain", b""),
]
ODD = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b"0",
    b"\xff",
    b"%",
    b",",
    b"-",
    b"9",
]


def chunked(rng: random.Random, body: bytes) -> bytes:
    made = []
    while body:
        n = rng.choice([1, 5, 100, 1000])
        extension = rng.choice([b"", b"", b"", b";a=b", b' ; a="b c"'])
        made.append(b"%x%b\r\n%b\r\n" % (len(body[:n]), extension, body[:n]))
        body = body[n:]
    trailer = rng.choice([b"", b"", b"X-Sum: 5\r\n", b"Content-Length: 5\r\n"])
    return b"".join([*made, b"0\r\n", trailer, b"\r\n"])


def request_of(rng: random.Random) -> bytes:
    name = rng.choice(list(HANDLERS)).encode()
    method = rng.choice([b"GET", b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS"])
    target = b"/" + name + rng.choice([b"", b"?a=b&c=%41", b"/x/y"])
    fields = [b"Host: a", *rng.choices(FIELDS, k=rng.choice([0, 0, 1, 2, 4]))]
    body = b""
    if method in (b"POST", b"PUT") or rng.random() < 0.1:
        kind, body = rng.choice(BODIES)
        fields.append(b"Content-Type: " + kind)
        if rng.random() < 0.5:
            fields.append(b"Transfer-Encoding: chunked")
            body = chunked(rng, body)
        else:
            fields.append(b"Content-Length: %d" % len(body))
    version = rng.choice([b"1.1"] * 8 + [b"1.0"])
    head = b"%b %b HTTP/%b\r\n%b\r\n\r\n" % (method, target, version, b"\r\n".join(fields))
    return head + body


def mutated(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        n = rng.choice([1, 1, 2, 5, 30])
        data = rng.choice(
            [
                data[:at] + rng.choice(ODD) + data[at:],
                data[:at] + rng.choice(ODD) + data[at + n :],
                data[:at] + data[at + n :],
                data[:at] + data[at : at + n] * rng.choice([2, 2, 20, 300]) + data[at + n :],
                data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
            ]
        )[:20_000]
    return data


def bytes_of(rng: random.Random) -> bytes:
    parts = []
    for _ in range(rng.choice([1, 1, 1, 2, 3, 12])):
        data = rng.choice(SEEDS) if rng.random() < 0.25 else request_of(rng)
        parts.append(mutated(rng, data) if rng.random() < 0.6 else data)
    return b"".join(parts)


# ---- what clients receive ----------------------------------------------------------------------


class Reader:
    """Answers in bytes, read with no mercy."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def line(self) -> bytes:
        end = self.data.find(b"\r\n", self.at)
        if end < 0:
            if len(self.data) - self.at > 5000:
                raise Malformed("a line without an end")
            raise EOFError
        line, self.at = self.data[self.at : end], end + 2
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise Malformed(f"in a line: {line!r}")
        return line

    def take(self, n: int) -> bytes:
        if len(self.data) - self.at < n:
            raise EOFError
        self.at += n
        return self.data[self.at - n : self.at]

    def answer(self, method: str) -> tuple[int, bool]:
        """Status, and whether another answer may follow; EOFError: it is not complete."""
        version, _, rest = self.line().partition(b" ")
        status, _, _ = rest.partition(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or not (
            len(status) == 3 and status.isdigit()
        ):
            raise Malformed(f"status line: {version!r} {rest!r}")
        code = int(status)
        fields: dict[bytes, list[bytes]] = {}
        while line := self.line():
            name, colon, value = line.partition(b":")
            if not colon or not name or name.strip() != name or b" " in name:
                raise Malformed(f"field: {line!r}")
            fields.setdefault(name.lower(), []).append(value.strip())
        for name in (b"content-length", b"transfer-encoding", b"date", b"connection"):
            if len(fields.get(name, [])) > 1:
                raise Malformed(f"{name!r} twice")
        if code < 200:
            if fields.keys() & {b"content-length", b"transfer-encoding"}:
                raise Malformed("an interim answer with a body")
            return self.answer(method)
        length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
        if length and coding:
            raise Malformed("length and coding")
        again = fields.get(b"connection") != [b"close"]
        if method == "HEAD" or code in (204, 304):
            if code == 204 and length:
                raise Malformed("204 with a length")
        elif coding:
            self.chunks()
        elif length:
            self.take(int(length[0]))
        else:  # as HTTP/1.0 gets it: up to the connection's end
            self.at, again = len(self.data), False
        return code, again

    def chunks(self) -> None:
        while size := int(self.line().partition(b";")[0], 16):
            self.take(size)
            if self.take(2) != b"\r\n":
                raise Malformed("a chunk's end")
        while self.line():
            pass


def check(data: bytes, calls: list[tuple[str, str]], broken: bool) -> None:
    """Judges all that one client has received."""
    reader = Reader(data)
    index, again, method, name = 0, True, "GET", ""
    try:
        while reader.at < len(data):
            if not again:
                raise Malformed(f"after the last answer: {data[reader.at :][:200]!r}")
            served = index < len(calls)
            method, name = calls[index] if served else ("GET", "")
            start = reader.at
            try:
                code, again = reader.answer(method)
            except EOFError:
                # A refusal of HEAD has a length and no body.
                if served or b"\r\n\r\n" not in data[start:]:
                    raise
                code, again = reader.answer("HEAD") if reader.at == start else (400, False)
            index += 1
            if not served:
                if code < 400:
                    raise Malformed(f"an answer that nobody gave: {code}")
                again = False  # which HTTP/1.0 is not told
    except EOFError:
        # An answer that breaks off takes those with it that the client had not read yet.
        if not broken and CUT.isdisjoint(name for _, name in calls[index:]):
            raise Malformed(f"the answer of {method} {name!r} is cut") from None
        return
    if not broken and index < len(calls) and CUT.isdisjoint(name for _, name in calls[index:]):
        raise Malformed(f"{len(calls)} requests, {index} answers")


# ---- a round -----------------------------------------------------------------------------------


class Client:
    def __init__(self, sock: socket.socket, rng: random.Random) -> None:
        self.sock = sock
        self.rng = rng
        self.port = sock.getsockname()[1]
        self.received = b""
        self.sent = b""
        self.broken = False  # by this side
        self.loop = asyncio.get_running_loop()

    async def turns(self, n: int) -> None:
        for _ in range(n):
            await asyncio.sleep(0)

    def drain(self) -> bool:
        """Takes what is there; False at the end."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            self.broken = True
            return False
        self.received += data
        return bool(data)

    async def send(self, data: bytes, reads: bool) -> bool:
        self.sent += data
        while data:
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                if not reads:
                    return True
                await self.turns(1)
            except OSError:  # the server has refused it, and reads no more
                return False
            if reads and not self.drain():
                return False
        return True

    async def script(self) -> None:
        rng = self.rng
        data = bytes_of(rng)
        reads = rng.random() < 0.8
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice([0, 0, 1, 3, 9])))
        if rng.random() < 0.1:
            cuts = list(range(1, min(len(data), 400)))
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data) + 1)]
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if not await self.send(data[start:end], reads):
                break
            await self.turns(rng.choice([0, 1, 1, 2, 5]))
        await self.turns(rng.choice([0, 0, 1, 2, 3, 5, 12]))
        how = rng.randrange(8)
        if how == 0:
            self.broken = True
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif how == 1:
            self.broken = True
        else:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(LONG):
                while self.drain():
                    await asyncio.sleep(0)
        self.sock.close()


async def connect(address: Any, small: bool) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    if small:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(sock, address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def served(address: Any) -> None:
    """A new client is."""
    sock = await connect(address, False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, b"GET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    data = b""
    async with asyncio.timeout(LONG):
        while part := await loop.sock_recv(sock, 4096):
            data += part
    sock.close()
    if not data.startswith(b"HTTP/1.1 200 OK\r\n") or not data.endswith(b"\r\n\r\ntext"):
        raise Malformed(f"a new client: {data!r}")


class Log(logging.Handler):
    """Keeps what is not planned."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # A body that turns out to be malformed is told to the handler that reads it.
        if isinstance(error, Planned | ZeroDivisionError | guava_http.RequestError):
            return
        if isinstance(error, TypeError) and "object" in str(error):
            return  # of the handler "wrong"
        if record.name == "asyncio" and str(record.msg).startswith("Executing "):
            return
        self.wrong.append(self.format(record))


async def settle(server: Any) -> None:
    async with asyncio.timeout(LONG):
        while server.connections or server._core.tasks:
            await asyncio.sleep(0)


async def run(options: argparse.Namespace, log: Log) -> dict[str, int]:
    application = Application()
    end = time.monotonic() + options.seconds
    round_ = options.first
    gc.collect()
    descriptors: int | None = None
    received = 0
    async with guava_http.Server(
        application, port=0, limits=LIMITS, transport=options.transport
    ) as server:
        address = server.sockets[0].getsockname()
        while round_ < options.first + options.rounds and time.monotonic() < end:
            rng = random.Random(f"{options.seed} {round_}")
            application.calls.clear()
            clients = []
            for _ in range(rng.choice([1, 1, 2, 4])):
                sock = await connect(address, rng.random() < 0.2)
                clients.append(Client(sock, random.Random(rng.random())))
            try:
                await asyncio.gather(*(client.script() for client in clients))
                await settle(server)
                for client in clients:
                    check(client.received, application.calls.get(client.port, []), client.broken)
                    received += len(client.received)
                await served(address)
                await settle(server)
                if log.wrong:
                    raise Malformed("logged: " + "\n".join(log.wrong))
                found = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
                descriptors = found if descriptors is None or round_ < 50 else descriptors
                if found > descriptors + 1:
                    raise Malformed(f"{found} descriptors are open, {descriptors} were")
            except BaseException:
                print(f"seed {options.seed}, round {round_}", file=sys.stderr)
                for client in clients:
                    print("sent:", client.sent[:4000], file=sys.stderr)
                    print("got: ", client.received[:2000], file=sys.stderr)
                    print("called:", application.calls.get(client.port), file=sys.stderr)
                raise
            round_ += 1
    return {"rounds": round_ - options.first, "calls": application.count, "received": received}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=0, help="the first round's number")
    parser.add_argument("--rounds", type=int, default=2**62)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--transport", choices=["native", "asyncio"], default="native")
    options = parser.parse_args()
    log = Log()
    logging.getLogger().addHandler(log)
    done = guava_loop.run(run(options, log))
    gc.collect()
    if log.wrong:
        print(f"seed {options.seed}, at the end: ", *log.wrong, file=sys.stderr)
        return 1
    print(" ".join(f"{key}={value}" for key, value in done.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
