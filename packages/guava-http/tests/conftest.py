"""`wire`: a server and clients on one loop, for tests that speak bytes.

Each test that takes it runs on guava-loop's own streams, on guava-loop through the adapter, on
asyncio and (where it is installed) on uvloop; and each of these twice, with the input sent whole
and sent byte by byte. Server and client take turns on one loop, so what arrives as one read is the
test's choice and not the kernel's.
"""

import asyncio
import importlib.util
import logging
import os
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import guava_loop
import pytest
from guava_http import Server

# A run in a shell's background is deaf to Ctrl-C, and so would be what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SPLIT = 1500  # bytes that are sent one by one; what is behind them goes in one piece
LONG = 30.0  # seconds that nothing here takes unless it hangs


def make_uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


FACTORIES = {
    "native": guava_loop.new_event_loop,
    "adapter": guava_loop.new_event_loop,
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": make_uvloop,
}
HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
MODES = [
    "native",
    "adapter",
    "asyncio",
    pytest.param(
        "uvloop", marks=pytest.mark.skipif(not HAS_UVLOOP, reason="uvloop is not installed")
    ),
]


@dataclass
class Answer:
    """A response as it came."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    version: str = "HTTP/1.1"

    def __getitem__(self, name: str) -> str:
        found = [value for key, value in self.fields if key.lower() == name.lower()]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    def __contains__(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.fields)


class Client:
    """A connection that is driven by hand."""

    def __init__(self, sock: socket.socket, step: int | None) -> None:
        self.sock = sock
        self.step = step
        self.loop = asyncio.get_running_loop()
        self.rest = b""

    async def send(self, data: bytes) -> None:
        if self.step is None:
            await self.loop.sock_sendall(self.sock, data)
            return
        for i in range(0, min(len(data), SPLIT), self.step):
            await self.loop.sock_sendall(self.sock, data[i : min(i + self.step, SPLIT)])
            await turns()
        if data[SPLIT:]:
            await self.loop.sock_sendall(self.sock, data[SPLIT:])

    async def receive(self) -> bytes:
        """What comes next; b"" at the end, and at a reset."""
        async with asyncio.timeout(LONG):
            try:
                return await self.loop.sock_recv(self.sock, 1 << 16)
            except ConnectionResetError:
                return b""

    async def line(self) -> str:
        while b"\r\n" not in self.rest:
            data = await self.receive()
            assert data, f"the connection ended behind {self.rest!r}"
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line.decode("latin-1")

    async def exactly(self, n: int) -> bytes:
        parts = [self.rest]
        got = len(self.rest)
        while got < n:
            data = await self.receive()
            assert data, f"the connection ended {n - got} bytes early"
            parts.append(data)
            got += len(data)
        joined = b"".join(parts)
        self.rest = joined[n:]
        return joined[:n]

    async def head(self) -> Answer:
        version, status, reason = (await self.line()).split(" ", 2)
        fields = []
        while line := await self.line():
            name, colon, value = line.partition(":")
            assert colon and name == name.strip()
            fields.append((name, value.strip()))
        return Answer(int(status), reason, fields, version=version)

    async def answer(self, method: str = "GET") -> Answer:
        """The next response, complete; `method` is that of its request."""
        answer = await self.head()
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return answer
        if "Transfer-Encoding" in answer:
            assert "Content-Length" not in answer
            while size := int(await self.line(), 16):
                answer.chunks.append(await self.exactly(size))
                assert await self.line() == ""
            assert await self.line() == ""
            answer.body = b"".join(answer.chunks)
        elif "Content-Length" in answer:
            answer.body = await self.exactly(int(answer["Content-Length"]))
        else:
            answer.body = await self.end()
        return answer

    async def end(self) -> bytes:
        """Everything up to the end of the connection."""
        parts = [self.rest]
        self.rest = b""
        while data := await self.receive():
            parts.append(data)
        return b"".join(parts)

    async def get(self, path: str = "/", fields: str = "") -> Answer:
        await self.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n".encode())
        return await self.answer()

    def reset(self) -> None:
        """Closes the connection with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


async def turns(n: int = 3) -> None:
    """Lets the loop read and answer what has been sent."""
    for _ in range(n):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Waits until something has become true."""
    async with asyncio.timeout(LONG):
        while not condition():
            await asyncio.sleep(0.001)


Connect = Callable[[], Awaitable[Client]]
Scenario = Callable[[Server, Connect], Awaitable[Any]]


class Wire:
    def __init__(self, mode: str, step: int | None) -> None:
        self.mode = mode
        self.step = step
        self.until = until
        self.turns = turns
        self.has_uvloop = HAS_UVLOOP

    def loop_factory(self) -> asyncio.AbstractEventLoop:
        return FACTORIES[self.mode]()

    def run(self, handler: Any, scenario: Scenario, **options: Any) -> Any:
        """Runs scenario(server, connect) against a server of `handler`."""
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(self._run(handler, scenario, options))

    def ask(self, handler: Any, *requests: tuple[str, Any], **options: Any) -> list[Answer]:
        """Sends requests (method, fields) on one connection; gives the answers."""

        async def scenario(server: Server, connect: Connect) -> list[Answer]:
            client = await connect()
            answers = []
            for method, fields in requests:
                lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
                await client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
                answers.append(await client.answer(method))
            return answers

        answered: list[Answer] = self.run(handler, scenario, **options)
        return answered

    def server(self, handler: Any, **options: Any) -> Server:
        options.setdefault("port", 0)
        if self.mode == "adapter":
            options.setdefault("transport", "asyncio")
        return Server(handler, **options)

    async def _run(self, handler: Any, scenario: Scenario, options: dict[str, Any]) -> Any:
        clients: list[Client] = []
        server = self.server(handler, **options)
        await server.start()

        async def connect(size: int | None = None) -> Client:
            name = server.sockets[0].getsockname()
            sock = socket.socket(server.sockets[0].family, socket.SOCK_STREAM)
            sock.setblocking(False)
            if size is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            await asyncio.get_running_loop().sock_connect(sock, name)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            clients.append(Client(sock, self.step))
            return clients[-1]

        try:
            async with asyncio.timeout(LONG):
                return await scenario(server, connect)
        finally:
            for client in clients:
                client.close()
            await server.close(LONG)
            assert server.connections == 0


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[None, 1], ids=["whole", "bytes"])
def wire(mode: str, request: pytest.FixtureRequest) -> Wire:
    return Wire(mode, request.param)


@pytest.fixture
def whole(mode: str) -> Wire:
    """The same for what takes too long byte by byte, or does not depend on it."""
    return Wire(mode, None)


@pytest.fixture
def native() -> Wire:
    """For what depends on neither loop nor split."""
    return Wire("native", None)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file of a thousand bytes, made long ago."""
    return _made(tmp_path / "small.txt", b"0123456789" * 100)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of a megabyte, beyond every buffer."""
    return _made(tmp_path / "large.bin", bytes(range(256)) * 4096)


def _made(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def tls_client() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.fixture(autouse=True)
def no_talk_of_slowness() -> Iterator[None]:
    """asyncio's debug mode logs what takes long. On a busy machine anything may, and tests that
    look at the log would fail for it."""

    def wanted(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Executing ")

    logger = logging.getLogger("asyncio")
    logger.addFilter(wanted)
    yield
    logger.removeFilter(wanted)
