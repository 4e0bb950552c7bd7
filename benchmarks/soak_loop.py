"""Connects, talks and breaks off at random, for minutes, over all that guava-loop has.

    python benchmarks/soak_loop.py [--seconds N] [--rounds N] [--clients N] [--seed N]

Clients and echo servers on one loop: TCP, unix sockets, TLS, TLS begun within a connection,
datagrams, pipes, bare sockets and, where there is `cat`, subprocesses. Each session says how it
and its server end it: in order, by closing while bytes are under way, by abort, reset, exception
or cancellation. What comes back must be what was sent, up to where the session broke; every
protocol must be told of its end once. After each round everything is closed, and counted:
descriptors must be as many as before, and memory must not grow in every round.

Exit code 1 on any fault. The tests run it for a few seconds.
"""

import argparse
import asyncio
import collections
import contextlib
import ctypes
import gc
import itertools
import os
import random
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import guava_loop

BLOB = random.Random(0).randbytes(1 << 22)
SIZES = (1, 100, 5_000, 70_000, 400_000, 2_000_000)  # bytes of a session
SIZE_WEIGHTS = (4, 8, 8, 6, 2, 1)
# What the server does, after half of the bytes: the first byte of a session.
ECHO, CLOSE, ABORT, RAISE = b"E", b"C", b"A", b"R"
PATIENCE = 60  # seconds until a session counts as stuck
ROOM = 256 * 1024  # bytes of resident memory by which a round may grow
BLOCKS = 200  # and of Python's memory blocks


# Before 3.11.5 asyncio.subprocess complains of a broken pipe that nobody has asked it about.
FORGOTTEN_STDIN = sys.version_info < (3, 11, 5)


class OnPurpose(Exception):
    """Raised in callbacks, by sessions that end so."""


class Soak:
    """What is counted, and what went wrong."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()
        self.faults: list[str] = []
        self.alive = 0  # protocols between connection_made() and connection_lost()

    def fault(self, what: str) -> None:
        if len(self.faults) < 20:
            print(f"FAULT: {what}", file=sys.stderr)
        self.faults.append(what)

    def failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OnPurpose):
            self.counts["exceptions on purpose"] += 1
        elif FORGOTTEN_STDIN and isinstance(error, BrokenPipeError) and "future" in context:
            self.counts["forgotten by asyncio"] += 1
        else:
            self.fault(f"{context['message']}: {error!r}")


class Told(asyncio.Protocol):
    """Counts its calls, of which some must come once and in order."""

    def __init__(self, soak: Soak) -> None:
        self.soak = soak
        self.state = "new"
        self.transport: Any = None
        self.lost = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.writable.set()

    def enter(self, state: str, *allowed: str) -> None:
        if self.state not in allowed:
            self.soak.fault(f"{type(self).__name__}: {state} after {self.state}")
        self.state = state

    def connection_made(self, transport: Any) -> None:
        self.enter("made", "new")
        self.soak.alive += 1
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.enter("lost", "made", "eof")
        self.soak.alive -= 1
        self.writable.set()
        if not self.lost.done():
            self.lost.set_result(exc)

    def eof_received(self) -> bool | None:
        self.enter("eof", "made")
        return None

    def pause_writing(self) -> None:
        if not self.writable.is_set():
            self.soak.fault("pause_writing() twice")
        self.writable.clear()

    def resume_writing(self) -> None:
        if self.writable.is_set():
            self.soak.fault("resume_writing() without a pause")
        self.writable.set()


# ---- servers ------------------------------------------------------------------------------------


class Echo(Told):
    """Sends back what comes, until its plan says otherwise."""

    def __init__(self, soak: Soak) -> None:
        super().__init__(soak)
        self.plan = b""
        self.until = 0

    def data_received(self, data: bytes) -> None:
        if not self.plan:
            self.plan, self.until = data[:1], struct.unpack("!I", data[1:5])[0]
            data = data[5:]
        self.transport.write(data)
        self.until -= len(data)
        if self.until > 0 or self.plan == ECHO:
            return
        plan, self.plan = self.plan, ECHO
        if plan == CLOSE:
            self.transport.close()
        elif plan == ABORT:
            self.transport.abort()
        elif plan == RAISE:
            raise OnPurpose

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.transport.resume_reading()


class BufferedEcho(Echo, asyncio.BufferedProtocol):
    """The same, received into a buffer of its own."""

    # A protocol that has both is taken for a BufferedProtocol.
    def __init__(self, soak: Soak) -> None:
        super().__init__(soak)
        self.buffer = bytearray(soak.chance.choice((100, 65536)))

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffer)  # with a bytearray asyncio's TLS loses bytes

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self.buffer)[:nbytes]))


class DatagramEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


async def upgrade(
    context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Begins TLS when asked to, and echoes."""
    try:
        await reader.readexactly(1)
        writer.write(b"!")
        await writer.start_tls(context)
        while data := await reader.read(70_000):
            writer.write(data)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass  # the client broke off
    finally:
        writer.close()


# ---- sessions -----------------------------------------------------------------------------------


class Client(Told):
    """Sends a part of BLOB, and compares what comes back with it."""

    def __init__(self, soak: Soak, start: int, size: int) -> None:
        super().__init__(soak)
        self.start, self.size, self.got = start, size, 0
        self.fail_at = -1
        self.news = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        here = self.start + self.got
        if data != BLOB[here : here + len(data)]:
            self.soak.fault(
                f"{len(data)} bytes at {self.got} of {self.size} are not what was sent"
            )
        self.got += len(data)
        self.soak.counts["bytes"] += len(data)
        self.news.set()
        if 0 <= self.fail_at < self.got:
            self.fail_at = -1
            raise OnPurpose

    def eof_received(self) -> None:
        super().eof_received()
        self.news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.news.set()

    async def until(self, count: int) -> None:
        """Waits for so many bytes, or the end."""
        while self.got < count and self.state == "made":
            self.news.clear()
            await self.news.wait()


Connect = Callable[[Callable[[], Client]], Awaitable[tuple[Any, Client]]]


async def send(soak: Soak, client: Client) -> None:
    sent = 0
    patient = soak.chance.random() < 0.8  # else all of it is queued
    while sent < client.size and client.state == "made":
        count = min(client.size - sent, soak.chance.choice((1, 1000, 20_000, 300_000)))
        here = client.start + sent
        data = BLOB[here : here + count]
        how = soak.chance.randrange(4)
        if how == 0:
            client.transport.writelines([data[: count // 2], b"", data[count // 2 :]])
        elif how == 1:
            client.transport.write(bytearray(data))
        else:
            client.transport.write(data)
        sent += count
        if patient:
            await client.writable.wait()
        elif soak.chance.random() < 0.3:
            await asyncio.sleep(0)


async def stream_session(soak: Soak, connect: Connect, can_half_close: bool) -> None:
    chance = soak.chance
    size = chance.choices(SIZES, SIZE_WEIGHTS)[0]
    start = chance.randrange(len(BLOB) - size)
    plan = chance.choices((ECHO, CLOSE, ABORT, RAISE), (12, 1, 1, 1))[0]
    endings = ["close", "close early", "abort", "raise", "reset", "cancel"]
    ending = chance.choices(endings, (8, 1, 1, 1, 1, 1))[0]
    transport, client = await connect(lambda: Client(soak, start, size))
    early = chance.randrange(size + 1)
    if ending == "raise":
        client.fail_at = early
    if chance.random() < 0.2:
        transport.set_write_buffer_limits(high=chance.choice((0, 1000)))
    transport.write(plan + struct.pack("!I", size // 2))
    sending = asyncio.ensure_future(send(soak, client))
    if chance.random() < 0.1:
        transport.pause_reading()
        await asyncio.sleep(0.005)
        transport.resume_reading()
    if ending in ("close", "raise"):
        await client.until(size)
        whole = client.got == size
        if plan == ECHO and ending == "close" and not whole:
            soak.fault(f"{client.got} of {size} bytes came back")
        if whole and can_half_close and chance.random() < 0.3:
            soak.counts["half-closed"] += 1
            await sending
            if not transport.is_closing():
                transport.write_eof()
                await client.lost
    else:
        await client.until(early)
    if ending == "cancel":
        sending.cancel()
    if ending == "reset":
        with contextlib.suppress(OSError, AttributeError):  # it may be closed by now, or None
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
    if ending in ("abort", "reset"):
        transport.abort()
    else:
        transport.close()
    if client.got < size:
        transport.abort()  # what the server does not take would wait for ever
    await client.lost
    with contextlib.suppress(asyncio.CancelledError):
        await sending
    soak.counts[ending] += 1


async def upgraded_session(soak: Soak, port: int, context: ssl.SSLContext) -> None:
    size = soak.chance.choices(SIZES, SIZE_WEIGHTS)[0]
    start = soak.chance.randrange(len(BLOB) - size)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"?")
        if soak.chance.random() < 0.1:
            return  # while the server begins
        await reader.readexactly(1)
        await writer.start_tls(context, server_hostname="localhost")
        writer.write(BLOB[start : start + size])
        if soak.chance.random() < 0.1:
            writer.transport.abort()
            return
        if await reader.readexactly(size) != BLOB[start : start + size]:
            soak.fault("another text came back by TLS begun within a connection")
        soak.counts["bytes"] += size
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


async def datagram_session(soak: Soak, address: Any) -> None:
    loop = asyncio.get_running_loop()
    transport, told = await loop.create_datagram_endpoint(Datagrams, remote_addr=address)
    for _ in range(soak.chance.randrange(1, 20)):
        start = soak.chance.randrange(1 << 20)
        data = BLOB[start : start + soak.chance.randrange(1, 8000)]
        transport.sendto(data)
        if soak.chance.random() < 0.05:
            break
        try:
            if await asyncio.wait_for(told.got.get(), 2) != data:
                soak.fault("another datagram came back")
        except TimeoutError:
            soak.counts["datagrams dropped"] += 1
            break
        soak.counts["datagrams"] += 1
    if soak.chance.random() < 0.3:
        transport.abort()
    else:
        transport.close()
    await told.lost


async def pipe_session(soak: Soak) -> None:
    loop = asyncio.get_running_loop()
    size = soak.chance.choices(SIZES, SIZE_WEIGHTS)[0]
    start = soak.chance.randrange(len(BLOB) - size)
    reading, writing = os.pipe()
    source, client = await loop.connect_read_pipe(
        lambda: Client(soak, start, size),
        open(reading, "rb", 0),  # noqa: SIM115 (the transport closes it)
    )
    target, sender = await loop.connect_write_pipe(
        lambda: Told(soak),
        open(writing, "wb", 0),  # noqa: SIM115
    )
    breaks = soak.chance.choices(("", "read", "write"), (8, 1, 1))[0]
    target.write(BLOB[start : start + size])
    if breaks:
        await client.until(soak.chance.randrange(size + 1))
        (source.close if breaks == "read" else target.abort)()
    else:
        target.close()
    await sender.lost
    await client.lost
    if not breaks and client.got != size:
        soak.fault(f"{client.got} of {size} bytes came through a pipe")


async def socket_session(soak: Soak) -> None:
    loop = asyncio.get_running_loop()
    size = soak.chance.choices(SIZES, SIZE_WEIGHTS)[0]
    start = soak.chance.randrange(len(BLOB) - size)
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        waiting = asyncio.ensure_future(loop.sock_recv(right, 10))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        sending = asyncio.ensure_future(loop.sock_sendall(left, BLOB[start : start + size]))
        if soak.chance.random() < 0.1:
            await loop.sock_recv(right, 1)
            sending.cancel()
            await asyncio.wait([sending])
            return
        got = 0
        while got < size:
            data = await loop.sock_recv(right, 50_000)
            if data != BLOB[start + got : start + got + len(data)]:
                soak.fault("other bytes came through a bare socket")
            got += len(data)
        await sending
        soak.counts["bytes"] += got


async def process_session(soak: Soak) -> None:
    size = soak.chance.choice((1, 1000, 200_000))
    process = await asyncio.create_subprocess_exec(
        "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    if soak.chance.random() < 0.2:
        process.kill()
    out, _ = await process.communicate(BLOB[:size])
    if process.returncode == 0 and out != BLOB[:size]:
        soak.fault("cat gave something else")


# ---- rounds -------------------------------------------------------------------------------------


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext] | None:
    """A server's context and a client's; None where there is no openssl to make a certificate."""
    if shutil.which("openssl") is None:
        return None
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", *kind, *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))


@contextlib.asynccontextmanager
async def servers(
    soak: Soak, folder: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext] | None
) -> AsyncIterator[dict[str, tuple[float, Callable[[], Awaitable[None]]]]]:
    """The sessions that can be had, and how often."""
    loop: Any = asyncio.get_running_loop()

    def echo() -> Echo:
        return soak.chance.choice((Echo, BufferedEcho))(soak)

    def port(server: asyncio.Server) -> int:
        return int(server.sockets[0].getsockname()[1])

    path = str(folder / "socket")
    tcp = await loop.create_server(echo, "127.0.0.1", 0)
    unix = await loop.create_unix_server(echo, path)
    opened = [tcp, unix]
    datagrams, _ = await loop.create_datagram_endpoint(DatagramEcho, local_addr=("127.0.0.1", 0))
    where = datagrams.get_extra_info("sockname")

    def over_tcp(make: Callable[[], Client]) -> Any:
        return loop.create_connection(make, "127.0.0.1", port(tcp))

    def over_unix(make: Callable[[], Client]) -> Any:
        return loop.create_unix_connection(make, path)

    kinds: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
        "tcp": (8, lambda: stream_session(soak, over_tcp, True)),
        "unix": (6, lambda: stream_session(soak, over_unix, True)),
        "datagrams": (3, lambda: datagram_session(soak, where)),
        "pipes": (2, lambda: pipe_session(soak)),
        "sockets": (2, lambda: socket_session(soak)),
    }
    if shutil.which("cat") is not None:
        kinds["processes"] = (0.2, lambda: process_session(soak))
    if tls is not None:
        secure = await loop.create_server(echo, "127.0.0.1", 0, ssl=tls[0])
        upgrading = await asyncio.start_server(
            lambda reader, writer: upgrade(tls[0], reader, writer), "127.0.0.1", 0
        )
        opened += [secure, upgrading]

        def over_tls(make: Callable[[], Client]) -> Any:
            names = {"ssl": tls[1], "server_hostname": "localhost"}
            return loop.create_connection(make, "127.0.0.1", port(secure), **names)

        kinds["tls"] = (4, lambda: stream_session(soak, over_tls, False))
        kinds["upgraded"] = (1, lambda: upgraded_session(soak, port(upgrading), tls[1]))
    try:
        yield kinds
    finally:
        datagrams.close()
        for server in opened:
            server.close()
            await server.wait_closed()


async def one_round(
    soak: Soak, folder: Path, tls: Any, seconds: float, clients: int, only: list[str]
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(soak.failed)
    end = loop.time() + seconds

    async def work(kinds: dict[str, tuple[float, Callable[[], Awaitable[None]]]]) -> None:
        names = only or list(kinds)
        weights = [kinds[name][0] for name in names]
        while loop.time() < end:
            kind = soak.chance.choices(names, weights)[0]
            soak.counts[kind] += 1
            try:
                await asyncio.wait_for(kinds[kind][1](), PATIENCE)
            except TimeoutError:
                soak.fault(f"a session stuck: {kind}")
                return
            except OSError as error:
                if kind not in ("tls", "upgraded"):  # their handshakes may be broken off
                    soak.fault(f"{kind}: {error!r}")
            except Exception as error:
                if not isinstance(error, asyncio.IncompleteReadError):
                    soak.fault(f"{kind}: {error!r}")

    async with servers(soak, folder, tls) as kinds:
        await asyncio.gather(*(work(kinds) for _ in range(clients)))
        for _ in range(1000):
            if not soak.alive:
                break
            await asyncio.sleep(0.01)
        else:
            soak.fault(f"{soak.alive} protocols were not told of their end")


def measured() -> dict[str, int]:
    """Descriptors, bytes of resident memory (0 where /proc is not), Python's memory blocks."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # elsewhere than with glibc
        ctypes.CDLL(None).malloc_trim(0)  # what is free, but not given back, is no leak
    found = {"descriptors": len(os.listdir("/dev/fd")), "memory": 0}
    with contextlib.suppress(FileNotFoundError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        found["memory"] = pages * os.sysconf("SC_PAGE_SIZE")
    return {**found, "blocks": sys.getallocatedblocks()}


def grown(soak: Soak, rounds: list[dict[str, int]]) -> None:
    """A leak is what grows in every round but the first, which fills what is kept."""
    last = rounds[-1]
    if last["descriptors"] != rounds[0]["descriptors"]:
        soak.fault(f"descriptors: {[found['descriptors'] for found in rounds]}")
    limits = {"blocks": BLOCKS}
    if "GUAVA_SANITIZED" not in os.environ:  # the sanitizer keeps freed memory
        limits["memory"] = ROOM
    for what, room in limits.items():
        sizes = [found[what] for found in rounds[1:]]
        steps = [after - before for before, after in itertools.pairwise(sizes)]
        if len(steps) >= 3 and min(steps) > room:
            soak.fault(f"{what} grew in every round: {sizes}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="in all (default: 120)")
    parser.add_argument("--rounds", type=int, default=6, help="at least 5 for leaks to be found")
    parser.add_argument("--clients", type=int, default=24, help="sessions at a time")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", action="append", default=[], help="a kind of session")
    parser.add_argument("--asyncio", action="store_true", help="on asyncio's loop instead")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}")
    soak = Soak(seed)
    factory: Any = asyncio.new_event_loop if options.asyncio else guava_loop.new_event_loop
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        tls = certificates(Path(name))
        for number in range(options.rounds):
            folder = Path(name) / str(number)
            folder.mkdir()
            seconds = options.seconds / options.rounds
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(one_round(soak, folder, tls, seconds, options.clients, options.only))
            rounds.append(measured())
            print(
                f"round {number + 1}: {rounds[-1]}, {soak.counts['bytes'] >> 20} MiB", flush=True
            )
    grown(soak, rounds)
    print(", ".join(f"{what} {count}" for what, count in sorted(soak.counts.items())))
    print(f"{len(soak.faults)} faults")
    return int(bool(soak.faults))


if __name__ == "__main__":
    sys.exit(main())
