"""The servers that are loaded: python -m benchmarks.loop.serve LOOP APP [options].

Prints a line of JSON: its process id, where it listens, and the port of its *mark*. Whatever
connects there and sends a byte makes it call getppid(2), where counts.py cuts its counts. It ends
by a signal.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO

from benchmarks.loop.loops import new_event_loop

BACKLOG = 4096
LIMIT = 256 * 1024  # bytes of a read
FILE = 1024 * 1024  # bytes of the file that is sent
PART = bytes(64 * 1024)

Options = argparse.Namespace


class Echo(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.buffer = bytearray(LIMIT)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        # A copy: the transport may keep what it is given, and the buffer is filled anew.
        self.transport.write(self.buffer[:nbytes])


class Sink(asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        pass


class Source(asyncio.Protocol):
    """Once asked, sends as long as it may."""

    transport: asyncio.Transport
    paused = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.resume_writing()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        while not self.paused:
            self.transport.write(PART)


class SendFile(asyncio.Protocol):
    """Answers whatever it is sent with a file."""

    transport: asyncio.Transport
    file: BinaryIO

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self.task = self.loop.create_task(self.send())

    async def send(self) -> None:
        await self.loop.sendfile(self.transport, self.file, 0, FILE)


class Mark(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        os.getppid()
        self.transport.write(data)  # type: ignore[attr-defined]


class DatagramEcho(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


def listen(options: Options) -> socket.socket:
    if options.wire == "unix":
        family, address = socket.AF_UNIX, options.path
    else:
        family, address = socket.AF_INET, ("127.0.0.1", 0)
    kind = socket.SOCK_DGRAM if options.wire == "udp" else socket.SOCK_STREAM
    listener = socket.socket(family, kind)
    listener.setblocking(False)
    listener.bind(address)
    if kind == socket.SOCK_STREAM:
        listener.listen(BACKLOG)
    return listener


def context(options: Options) -> ssl.SSLContext | None:
    if options.certificate is None:
        return None
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(options.certificate)
    return found


def protocol(factory: type[asyncio.BaseProtocol]) -> Callable[..., Awaitable[Any]]:
    async def serve(listener: socket.socket, options: Options) -> Any:
        loop = asyncio.get_running_loop()
        tls = context(options)
        if options.wire == "unix":
            return await loop.create_unix_server(factory, sock=listener, ssl=tls, backlog=BACKLOG)
        return await loop.create_server(factory, sock=listener, ssl=tls, backlog=BACKLOG)

    return serve


async def streams(listener: socket.socket, options: Options) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(LIMIT):
            writer.write(data)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(
        answer, sock=listener, ssl=context(options), limit=LIMIT, backlog=BACKLOG
    )


async def sockets(listener: socket.socket, options: Options) -> Any:
    loop = asyncio.get_running_loop()
    tasks = set()

    async def answer(connection: socket.socket) -> None:
        with connection:
            while data := await loop.sock_recv(connection, LIMIT):
                await loop.sock_sendall(connection, data)

    async def accept() -> None:
        while True:
            connection, _ = await loop.sock_accept(listener)
            if connection.family == socket.AF_INET:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tasks.add(loop.create_task(answer(connection)))

    return loop.create_task(accept())


async def datagrams(listener: socket.socket, options: Options) -> Any:
    loop = asyncio.get_running_loop()
    return await loop.create_datagram_endpoint(DatagramEcho, sock=listener)


async def send_file(listener: socket.socket, options: Options) -> Any:
    SendFile.file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server lives
    SendFile.file.write(bytes(FILE))
    SendFile.file.flush()
    return await protocol(SendFile)(listener, options)


APPS: dict[str, Callable[[socket.socket, Options], Awaitable[Any]]] = {
    "protocol": protocol(Echo),
    "buffered": protocol(BufferedEcho),
    "streams": streams,
    "sockets": sockets,
    "datagrams": datagrams,
    "sink": protocol(Sink),
    "source": protocol(Source),
    "file": send_file,
}


async def main(options: Options) -> None:
    if options.no_gc:
        gc.disable()
    listener = listen(options)
    kept = await APPS[options.app](listener, options)
    mark = await asyncio.get_running_loop().create_server(Mark, "127.0.0.1", 0)
    about = {
        "pid": os.getpid(),
        "address": listener.getsockname(),
        "mark": mark.sockets[0].getsockname()[1],
    }
    print(json.dumps(about), flush=True)
    await asyncio.Event().wait()
    del kept


def arguments() -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop.serve", description=__doc__)
    parser.add_argument("loop")
    parser.add_argument("app", choices=APPS)
    parser.add_argument("--wire", choices=["tcp", "unix", "udp"], default="tcp")
    parser.add_argument("--path", help="of a unix socket")
    parser.add_argument("--certificate", help="with its key, as PEM: TLS is spoken")
    parser.add_argument("--no-gc", action="store_true", help="for counts")
    return parser.parse_args()


if __name__ == "__main__":
    chosen = arguments()
    with asyncio.Runner(loop_factory=lambda: new_event_loop(chosen.loop)) as runner:
        runner.run(main(chosen))
