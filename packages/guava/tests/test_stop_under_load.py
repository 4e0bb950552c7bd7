"""serve() is told to stop while clients of all kinds are at work: what had arrived is answered
whole, who is idle is let go, and the process ends in time, with 0 and without a word."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LONG = 60.0  # seconds; nothing takes that long unless it hangs
LARGE = 200_000
GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = 8  # pieces of an answer, of which the last ones come after the signal

PROGRAM = """
import asyncio, ssl, sys
import guava
import guava.server
from guava_http import EventStream, stream_body

certificate, key, guava.server.GRACE = sys.argv[1], sys.argv[2], float(sys.argv[3])
go_on = None

def hello(req):
    return "hello"

async def large(req):
    for _ in range(3):
        await asyncio.sleep(0.001)
    return "x" * 200_000

async def slow(req):
    async def pieces():
        for i in range(8):
            yield "y" * 1000
            await asyncio.sleep(0.02)
    return pieces()

async def events(req):
    async def made():
        while True:
            yield "event"
            await asyncio.sleep(0.01)
    return EventStream(made())

async def endless(req):
    async def made():
        while True:
            yield "z" * 1000
            await asyncio.sleep(0.01)
    return made()

def upload(req):
    return str(len(req.body))

@stream_body
async def stream(req):
    n = 0
    async for chunk in req.stream():
        n += len(chunk)
    return str(n)

context = None
if certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
server = guava.server.Server(port=0, ssl=context)
server.add_router(guava.router.Router({
    "/hello": hello, "/large": large, "/slow": slow, "/events": events, "/endless": endless,
    "/upload": upload, "/stream": stream,
}))
server.serve(ready=lambda url: print(server.port, flush=True))
"""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    made, key = folder / "certificate.pem", folder / "key.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", key, "-out", made],
        check=True,
        capture_output=True,
        timeout=LONG,
    )
    return made, key


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., tuple[Any, int]]]:
    """program(certificate, key, grace=...): the process, and its port."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*pair: Path, grace: float = LONG) -> tuple[Any, int]:
        words = [str(word) for word in pair or ("", "")]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words, str(grace)],
            # In development mode asyncio tells on stderr of callbacks that take long.
            env=os.environ | {"PYTHONDEVMODE": "", "PYTHONASYNCIODEBUG": ""},
            stdout=subprocess.PIPE,
            stderr=(tmp_path / "errors").open("wb"),
        )
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
        assert (tmp_path / "errors").read_text() == ""


class Client:
    """A connection, over TLS or not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: IncompleteReadError where it breaks off."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        if "content-length" in fields:
            body = await self.reader.readexactly(int(fields["content-length"]))
        else:
            body = b"".join([piece async for piece in self.chunks()])
        return int(head[0].split()[1]), fields, body

    async def chunks(self) -> Any:
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)

    async def end(self) -> bytes:
        """What comes until the server has closed, in good order."""
        return await self.reader.read()

    def close(self) -> None:
        self.writer.transport.abort()


class Load:
    """Clients of all kinds, and when the server is told to stop."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self.port = port
        self.context = context
        self.told = False
        self.answered = 0
        self.busy: list[asyncio.Event] = []
        self.clients: list[Client] = []

    async def connect(self) -> Client:
        streams = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
        self.clients.append(Client(*streams))
        return self.clients[-1]

    def at_work(self) -> asyncio.Event:
        """Set by a client once it is in the midst of what it does."""
        self.busy.append(asyncio.Event())
        return self.busy[-1]

    async def asking(self, path: bytes, size: int) -> None:
        """One request after the other. What was sent before the signal is answered; what is sent
        after it may be, or finds the connection closed: not a byte of an answer then."""
        ready = self.at_work()
        client = await self.connect()
        for n in range(1_000_000):
            in_time = not self.told
            try:
                await client.send(GET % path)
                first = await client.reader.read(1)
            except ConnectionError:
                first = b""
            if not first:
                assert not in_time, f"a request was lost, the {n}th"
                return
            client.reader._buffer[:0] = first  # type: ignore[attr-defined]
            status, fields, body = await client.answer()
            assert (status, len(body)) == (200, size)
            self.answered += 1
            if n == 2:
                ready.set()
            if fields.get("connection") == "close":
                assert self.told
                assert await client.end() == b""
                return

    async def receiving(self) -> None:
        """An answer that takes a while."""
        client = await self.connect()
        ready = self.at_work()
        await client.send(GET % b"/slow")
        await client.reader.readuntil(b"\r\n\r\n")
        ready.set()
        pieces = [piece async for piece in client.chunks()]
        assert b"".join(pieces) == b"y" * 1000 * SLOW
        assert await client.end() == b""

    async def listening(self) -> None:
        """Events, that end in good order when the server does."""
        client = await self.connect()
        ready = self.at_work()
        await client.send(GET % b"/events")
        await client.reader.readuntil(b"\r\n\r\n")
        async for piece in client.chunks():
            assert piece
            ready.set()
        assert self.told

    async def sending(self, path: bytes, stop: asyncio.Event) -> None:
        """A body of which half is sent after the signal."""
        client = await self.connect()
        ready = self.at_work()
        head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path, LARGE)
        await client.send(head + b"u" * (LARGE // 2))
        ready.set()
        await stop.wait()
        for _ in range(10):
            await client.send(b"u" * (LARGE // 20))
            await asyncio.sleep(0.005)
        status, _, body = await client.answer()
        assert (status, int(body)) == (200, LARGE)
        assert await client.end() == b""

    async def resting(self) -> None:
        """Idle between two requests."""
        client = await self.connect()
        ready = self.at_work()
        await client.send(GET % b"/hello")
        assert (await client.answer())[2] == b"hello"
        ready.set()
        assert await client.end() == b""
        assert self.told

    async def silent(self) -> None:
        """Has sent nothing yet."""
        client = await self.connect()
        self.at_work().set()
        assert await client.end() == b""
        assert self.told


async def run_load(
    process: Any, port: int, number: signal.Signals, context: ssl.SSLContext | None
) -> Load:
    load = Load(port, context)
    stop = asyncio.Event()
    async with asyncio.timeout(LONG), asyncio.TaskGroup() as group:
        kinds = [load.asking(b"/hello", 5) for _ in range(8)]
        kinds += [load.asking(b"/large", LARGE) for _ in range(4)]
        kinds += [load.receiving() for _ in range(3)] + [load.listening() for _ in range(2)]
        kinds += [load.sending(path, stop) for path in (b"/upload", b"/stream")]
        kinds += [load.resting() for _ in range(5)] + [load.silent() for _ in range(3)]
        for kind in kinds:
            group.create_task(kind)
        while len(load.busy) < len(kinds):
            await asyncio.sleep(0.001)
        for ready in load.busy:
            await ready.wait()
        load.told = True
        process.send_signal(number)
        stop.set()
    for client in load.clients:
        client.close()
    return load


def refuses(port: int) -> bool:
    with socket.socket() as sock, contextlib.suppress(ConnectionError):
        sock.settimeout(LONG)
        sock.connect(("127.0.0.1", port))
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_nothing_that_had_arrived_is_lost(program: Callable, number: signal.Signals) -> None:
    process, port = program()
    load = asyncio.run(run_load(process, port, number, None))
    assert process.wait(LONG) == 0
    assert load.answered > 12 * 3
    assert refuses(port)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_the_same_under_tls(program: Callable, certificate: tuple[Path, Path]) -> None:
    """Every connection ends with a close_notify: an end without one is an SSLError here."""
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    trusting.check_hostname = False
    process, port = program(*certificate)
    asyncio.run(run_load(process, port, signal.SIGTERM, trusting))
    assert process.wait(LONG) == 0


def read_some(sock: Any) -> None:
    """Its answer has begun."""
    while b"z" not in sock.recv(1 << 16):
        pass


def test_what_does_not_end_is_cut_off(program: Callable) -> None:
    """An answer without an end, one that nobody takes, and a body that does not come."""
    process, port = program(grace=0.3)
    socks = [socket.create_connection(("127.0.0.1", port), timeout=LONG) for _ in range(3)]
    socks[0].sendall(GET % b"/endless")
    read_some(socks[0])
    socks[1].sendall(GET % b"/large" * 40)
    socks[1].recv(1)
    socks[2].sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    with pytest.raises(ConnectionResetError):  # it was not the answer's end
        while socks[0].recv(1 << 16):
            pass
    for sock in socks:
        sock.close()


def test_a_second_signal_hurries(program: Callable) -> None:
    process, port = program()
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as sock:
        sock.sendall(GET % b"/endless")
        read_some(sock)
        process.send_signal(signal.SIGTERM)
        # The listener is closed when the first has arrived.
        while not refuses(port):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(LONG) == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_client_that_never_closes_its_half(
    program: Callable, certificate: tuple[Path, Path]
) -> None:
    """Under TLS the server says that it closes, and need not be answered."""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    context.check_hostname = False
    process, port = program(*certificate)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=LONG) as plain,
        context.wrap_socket(plain, suppress_ragged_eofs=False) as client,
    ):
        client.sendall(GET % b"/hello")
        data = b""
        while not data.endswith(b"hello"):
            data += client.recv(1 << 16)
        os.kill(process.pid, signal.SIGTERM)
        assert client.recv(1) == b""  # a close_notify: else it would raise
        assert process.wait(LONG) == 0
