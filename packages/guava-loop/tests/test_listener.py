"""Listeners, through the table of guava_loop.h."""

import errno
import os
import random
import resource
import socket
import struct
from pathlib import Path
from typing import Any

import guava_loop
import pytest


def turns(loop: guava_loop.Loop, n: int = 3) -> None:
    """Let the loop make n turns."""
    for _ in range(n):
        loop.call_soon(loop.stop)
        loop.run_forever()


def read_all(sock: socket.socket) -> bytes:
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture(params=["tcp", "unix"])
def bound(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A bound socket, and a function that connects to it."""
    if request.param == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "s"))
    else:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
    address = sock.getsockname()
    clients: list[socket.socket] = []

    def connect() -> socket.socket:
        client = socket.socket(sock_family)
        client.settimeout(10)
        client.connect(address)
        clients.append(client)
        return client

    sock_family = sock.family
    yield sock, connect
    sock.close()
    for client in clients:
        client.close()


@pytest.fixture
def Accepted(Probe: Any) -> Any:
    class Accepted(Probe):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

        def data(self, data: bytes) -> None:
            super().data(data)
            self.write(data.upper())

        def eof(self) -> None:
            super().eof()
            self.close()

    made: list[Any] = []
    Accepted.made = made
    return Accepted


def test_listen(loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any) -> None:
    sock, connect = bound
    listener = stream_probe.listen(loop, sock.detach(), Accepted)
    clients = [connect() for _ in range(20)]
    for i, client in enumerate(clients):
        client.send(b"hello %d" % i)
    run_until(lambda: sum(bool(s.got) for s in Accepted.made) == 20)
    for i, client in enumerate(clients):
        assert client.recv(100) == b"HELLO %d" % i
        client.close()
    run_until(lambda: all(s.gone for s in Accepted.made))
    stream_probe.listener(listener, "close")
    with pytest.raises(OSError):
        connect()


def test_accepted_sockets_inherit_nodelay(
    loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any
) -> None:
    sock, connect = bound
    family = sock.family
    stream_probe.listen(loop, sock.detach(), Accepted)
    client = connect()
    run_until(lambda: len(Accepted.made) == 1)
    assert not os.get_blocking(Accepted.made[0].fileno())
    with socket.socket(fileno=os.dup(Accepted.made[0].fileno())) as accepted:
        if family == socket.AF_INET:  # a unix socket has no such option
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    client.close()


def test_listener_pause_and_resume(
    loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any
) -> None:
    sock, connect = bound
    listener = stream_probe.listen(loop, sock.detach(), Accepted)
    stream_probe.listener(listener, "pause")
    stream_probe.listener(listener, "pause")
    client = connect()  # into the kernel's queue
    client.send(b"early")
    turns(loop)
    assert Accepted.made == []
    assert stream_probe.listener(listener, "resume") == 0
    run_until(lambda: len(Accepted.made) == 1 and Accepted.made[0].got == b"early")


def test_listener_closed_inside_accept(
    loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any
) -> None:
    sock, connect = bound

    def accept() -> Any:
        stream_probe.listener(listener, "close")
        return Accepted()

    listener = stream_probe.listen(loop, sock.detach(), accept)
    clients = [connect() for _ in range(3)]
    clients[0].send(b"x")
    run_until(lambda: bool(Accepted.made and Accepted.made[0].got))
    turns(loop)
    assert len(Accepted.made) == 1


@pytest.mark.parametrize("how", ["none", "abort", "raise"])
def test_connections_that_are_not_taken(
    loop: Any, bound: Any, stream_probe: Any, how: str
) -> None:
    sock, connect = bound

    def accept() -> Any:
        if how == "raise":
            raise ZeroDivisionError
        return None if how == "none" else -errno.ECONNRESET

    stream_probe.listen(loop, sock.detach(), accept)
    client = connect()
    turns(loop, 5)
    try:
        assert client.recv(10) == b""
    except ConnectionResetError:
        pass
    assert [type(e["exception"]) for e in loop.errors] == (
        [ZeroDivisionError] if how == "raise" else []
    )
    loop.errors.clear()


def test_the_stream_is_usable_inside_accept(
    loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any
) -> None:
    class Greets(Accepted):  # type: ignore[misc,valid-type]
        def accepted(self) -> None:
            self.write(b"welcome")
            self.read_pause()
            self.read_resume()

    class Refuses(Accepted):  # type: ignore[misc,valid-type]
        def accepted(self) -> None:
            self.write(b"busy")
            self.close()

    kinds = [Greets, Refuses]
    sock, connect = bound
    stream_probe.listen(loop, sock.detach(), lambda: kinds.pop(0)())
    first, second = connect(), connect()
    run_until(lambda: len(Accepted.made) == 2 and Accepted.made[1].gone)
    assert first.recv(100) == b"welcome"
    assert read_all(second) == b"busy"
    first.send(b"x")
    run_until(lambda: Accepted.made[0].got == b"x")


def test_out_of_descriptors(
    loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any
) -> None:
    """The listener rests, says so once, and loses nobody (test_counts: it does not spin)."""
    sock, connect = bound
    stream_probe.listen(loop, sock.detach(), Accepted)
    clients = [connect() for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    held = []
    try:
        try:
            while True:
                held.append(os.dup(0))
        except OSError as error:
            assert error.errno == errno.EMFILE
        run_until(lambda: bool(loop.errors))
        loop.call_later(0.5, loop.stop)
        loop.run_forever()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)
    assert Accepted.made == []
    assert [error["exception"].errno for error in loop.errors] == [errno.EMFILE]
    loop.errors.clear()
    for client in clients:
        client.send(b"still here")
    run_until(lambda: sum(bool(s.got) for s in Accepted.made) == 3)


def test_listen_on_nonsense(loop: Any, Accepted: Any, stream_probe: Any) -> None:
    with open(__file__, "rb") as file, pytest.raises(OSError):
        stream_probe.listen(loop, file.fileno(), Accepted)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(OSError):
        stream_probe.listen(loop, sock.fileno(), Accepted)
    with pytest.raises(TypeError, match="Loop is needed, not object"):
        stream_probe.listen(object(), 0, Accepted)


# ---- many --------------------------------------------------------------------------------------


def test_a_thousand_connections(
    loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1000
    if hard != resource.RLIM_INFINITY and hard < 2 * wanted + 100:
        wanted = (hard - 100) // 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * wanted + 100), hard))
    try:
        sock, connect = bound
        stream_probe.listen(loop, sock.detach(), Accepted, 1024)
        clients = []
        for i in range(wanted):
            clients.append(connect())
            clients[-1].send(b"%d" % i)
            if i % 50 == 49:
                turns(loop)
        run_until(lambda: sum(bool(s.got) for s in Accepted.made) == wanted)
        for i, client in enumerate(clients):
            assert client.recv(100) == b"%d" % i
            client.close()
        run_until(lambda: all(s.gone for s in Accepted.made))
        assert len(Accepted.made) == wanted
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ends_at_random_moments(
    loop: Any, bound: Any, Accepted: Any, stream_probe: Any, run_until: Any
) -> None:
    """Both sides leave in the middle of things; each stream is told of its end once."""
    source = random.Random(3)

    class Restless(Accepted):  # type: ignore[misc,valid-type]
        def data(self, data: bytes) -> None:
            super().data(data * source.choice([1, 50]))
            match source.randrange(8):
                case 0:
                    self.abort(-errno.ECONNRESET)
                case 1:
                    self.close()
                case 2:
                    self.shutdown()
                case 3:
                    self.read_pause()
                    loop.call_later(0.001, self.read_resume)

        def drain(self) -> None:
            super().drain()
            if source.randrange(2):
                self.abort()

    sock, connect = bound
    stream_probe.listen(loop, sock.detach(), Restless)
    for _ in range(300):
        client = connect()
        turns(loop, 1)
        client.setblocking(False)
        for _ in range(source.randrange(6)):
            try:
                client.send(source.randbytes(source.choice([1, 1000, 60_000])))
                if source.randrange(2):
                    client.recv(source.choice([10, 100_000]))
            except OSError:
                pass
            if source.randrange(2):
                turns(loop, 1)
        if sock.family != socket.AF_UNIX and source.randrange(2):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    run_until(lambda: all(s.gone for s in Accepted.made))
    for stream in Accepted.made:
        assert sum(type(call) is tuple for call in stream.calls) == 1
