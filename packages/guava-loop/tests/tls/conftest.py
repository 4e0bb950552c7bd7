"""What the tests of TLS share: certificates, protocols that remember, and a peer whose every byte
the test decides on. All of it runs on asyncio's loop and on ours."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import guava_loop
import pytest

FACTORIES: dict[str, Callable[[], Any]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "guava": guava_loop.new_event_loop,
}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
SECONDS = 20.0  # after which a test that hangs fails


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the key and the certificate of localhost, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = subprocess.run(
        ["openssl", "req", "-x509", *curve, "-days", "2", *names, "-keyout", "-", "-out", "-"],
        check=True,
        capture_output=True,
    )
    file.write_bytes(made.stdout)
    return file


class Contexts:
    """Contexts for both ends, of one version of TLS."""

    def __init__(self, certificate: Path, version: ssl.TLSVersion) -> None:
        self.certificate = certificate
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(certificate)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.load_verify_locations(certificate)
        self.strange = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # does not know the certificate
        for context in (self.server, self.client, self.strange):
            context.minimum_version = context.maximum_version = version


@pytest.fixture(params=VERSIONS)
def contexts(request: pytest.FixtureRequest, certificate: Path) -> Contexts:
    return Contexts(certificate, VERSIONS[request.param])


@pytest.fixture
def newest(certificate: Path) -> Contexts:
    """For tests to which the version is all the same."""
    return Contexts(certificate, ssl.TLSVersion.TLSv1_3)


@pytest.fixture(params=FACTORIES)
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = FACTORIES[request.param]()
    errors: list[dict[str, Any]] = []
    made.set_exception_handler(lambda _, context: errors.append(context))
    made.errors = errors  # a test that expects some takes them
    made.ours = request.param == "guava"
    yield made
    if not made.is_closed():
        made.run_until_complete(asyncio.sleep(0))
        made.close()
    assert errors == []


@pytest.fixture
def run(loop: Any) -> Callable[..., Any]:
    """run(coroutine): its result; what hangs fails."""

    def run(coroutine: Any) -> Any:
        return loop.run_until_complete(asyncio.wait_for(coroutine, SECONDS))

    return run


class Recorder(asyncio.Protocol):
    """Remembers what it was told, in order, and lets a test wait for it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.got = bytearray()
        self.news = asyncio.Event()
        self.lost: asyncio.Future[BaseException | None]
        self.lost = asyncio.get_running_loop().create_future()

    def note(self, call: Any) -> None:
        self.calls.append(call)
        self.news.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes and data
        self.got += data
        self.news.set()

    def eof_received(self) -> bool | None:
        self.note("eof")
        return None

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.note("lost")
        self.lost.set_result(exc)

    async def until(self, true: Callable[[], Any]) -> None:
        while not true():
            self.news.clear()
            await self.news.wait()

    async def receive(self, n: int) -> bytes:
        """The next n bytes."""
        await self.until(lambda: len(self.got) >= n or self.lost.done())
        taken = bytes(self.got[:n])
        del self.got[:n]
        return taken


class BufferedRecorder(Recorder, asyncio.BufferedProtocol):
    """The same, with a buffer of its own."""

    size = 3000

    def get_buffer(self, sizehint: int) -> memoryview:
        assert sizehint >= -1
        self.buffer = bytearray(self.size)
        return memoryview(self.buffer)  # asyncio would fill a copy of a bytearray's end

    def buffer_updated(self, nbytes: int) -> None:
        assert 0 < nbytes <= self.size
        self.data_received(bytes(self.buffer[:nbytes]))


@pytest.fixture(params=[Recorder, BufferedRecorder], ids=["copied", "buffered"])
def recorder(request: pytest.FixtureRequest) -> type[Recorder]:
    return request.param  # type: ignore[no-any-return]


class Peer:
    """The far end of a connection: a socket and OpenSSL, and between them the test."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_side: bool) -> None:
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server_side,
            server_hostname=None if server_side else "localhost",
        )

    async def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        await self.loop.sock_sendall(self.sock, data)

    async def recv(self) -> bytes:
        """Bytes as they come, which OpenSSL gets, too."""
        data = await self.loop.sock_recv(self.sock, 1 << 16)
        self.incoming.write(data)
        if not data:
            self.incoming.write_eof()
        return data

    async def flush(self) -> None:
        if data := self.outgoing.read():
            await self.send(data)

    async def drive(self, call: Callable[[], Any]) -> Any:
        """Calls a function of the SSLObject until it need not wait for the peer."""
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                await self.flush()
                await self.recv()
            else:
                await self.flush()
                return result

    async def handshake(self) -> None:
        await self.drive(self.tls.do_handshake)

    def sealed(self, data: bytes) -> bytes:
        """The records of the data."""
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view) :]
        return self.outgoing.read()

    async def write(self, data: bytes) -> None:
        await self.send(self.sealed(data))

    async def read(self, n: int) -> bytes:
        """n bytes, or fewer before the end."""
        got = bytearray()
        while len(got) < n and (part := await self.read_some(n - len(got))):
            got += part
        return bytes(got)

    async def read_some(self, n: int = 1 << 16) -> bytes:
        return await self.drive(lambda: self.tls.read(n))  # type: ignore[no-any-return]

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


@asynccontextmanager
async def connected(
    contexts: Contexts,
    side: str,
    factory: Callable[[], Recorder] = Recorder,
    handshake: bool = True,
    **options: Any,
) -> AsyncIterator[tuple[Recorder, Peer]]:
    """A connection whose near end is the loop's transport: its protocol, and the peer."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    ours = contexts.server if side == "server" else contexts.client
    theirs = contexts.client if side == "server" else contexts.server
    peer = Peer(far, theirs, side != "server")
    if side == "server":
        made = loop.connect_accepted_socket(factory, near, ssl=ours, **options)
    else:
        made = loop.create_connection(
            factory, sock=near, ssl=ours, server_hostname="localhost", **options
        )
    if not handshake:
        task = asyncio.ensure_future(made)
        try:
            yield task, peer  # type: ignore[misc]
        finally:
            peer.close()
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                task.result()[0].abort()
        return
    (transport, protocol), _ = await asyncio.gather(made, peer.handshake())
    try:
        yield protocol, peer
    finally:
        transport.abort()
        peer.close()
        await protocol.lost


@pytest.fixture(params=["client", "server"])
def side(request: pytest.FixtureRequest) -> str:
    """Which end the loop's transport is."""
    return str(request.param)


@pytest.fixture(name="connected")
def connected_fixture() -> Any:
    return connected


@pytest.fixture(name="Recorder")
def recorder_class() -> type[Recorder]:
    return Recorder


@pytest.fixture(name="BufferedRecorder")
def buffered_class() -> type[BufferedRecorder]:
    return BufferedRecorder
