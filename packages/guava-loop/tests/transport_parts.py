"""What the tests of transports share: both loops, pairs of sockets, a protocol that keeps what it
is told."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import guava_loop

LOOPS = [asyncio.SelectorEventLoop, guava_loop.new_event_loop]
LOOP_IDS = ["asyncio", "guava"]
FAMILIES = ["tcp", "unix"]


class Keeper(asyncio.Protocol):
    """Keeps all calls, and the bytes apart."""

    keep_open = False

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.got = b""
        self.transport: Any = None
        self.lost: asyncio.Future[BaseException | None] = (
            asyncio.get_running_loop().create_future()
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.got += data
        self.calls.append("data")

    def eof_received(self) -> bool | None:
        self.calls.append("eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.calls.append(("lost", exc))
        self.lost.set_result(exc)

    def happened(self) -> list[Any]:
        """The calls without repetitions of data."""
        return [
            call
            for i, call in enumerate(self.calls)
            if call != "data" or self.calls[i - 1] != "data"
        ]


class BufferedKeeper(Keeper, asyncio.BufferedProtocol):
    size = 65536

    def __init__(self) -> None:
        super().__init__()
        self.buffer = bytearray(self.size)

    def get_buffer(self, sizehint: int) -> bytearray:
        assert sizehint == -1
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self.buffer[:nbytes]))


def pair(family: str) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets: the transport's, and the peer's, which blocks."""
    if family == "unix":
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # What the kernel holds is bounded: left alone, some take megabytes at once.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
            theirs = socket.socket()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
            theirs.connect(listener.getsockname())
            ours, _ = listener.accept()
    ours.setblocking(False)
    theirs.settimeout(20)
    return ours, theirs


async def connect(
    factory: Callable[[], Any] = Keeper, family: str = "tcp"
) -> tuple[Any, Any, socket.socket]:
    """The transport, its protocol, and the peer."""
    ours, theirs = pair(family)
    transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(factory, ours)
    return transport, protocol, theirs


async def until(true: Callable[[], Any]) -> None:
    """Lets the loop run until true() holds."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


async def received(sock: socket.socket, n: int) -> bytes:
    """n bytes, or all up to the end, without blocking the loop."""
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    parts = b""
    while len(parts) < n:
        part = await loop.sock_recv(sock, min(n - len(parts), 1 << 20))
        if not part:
            break
        parts += part
    return parts


def fill(transport: Any) -> int:
    """Writes until the kernel takes no more; how many bytes that were."""
    written = 0
    while transport.get_write_buffer_size() == 0:
        transport.write(b"x" * 65536)
        written += 65536
    return written
