"""Datagram endpoints: the same on asyncio's loop and on ours, but for what is said to differ."""

import asyncio
import contextvars
import errno
import gc
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import guava_loop
import pytest
from guava_loop.transports import DatagramTransport

FACTORIES = {"asyncio": asyncio.SelectorEventLoop, "guava": guava_loop.new_event_loop}
EMPTY_IS_SENT = sys.version_info >= (3, 13)
# What one datagram counts for, beside its bytes, while it waits.
HEADER = 8 if sys.version_info >= (3, 13) else 0


@pytest.fixture(params=FACTORIES)
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = FACTORIES[request.param]()
    errors: list[dict[str, Any]] = []
    made.set_exception_handler(lambda _, context: errors.append(context))
    made.errors = errors
    made.ours = request.param == "guava"
    yield made
    if not made.is_closed():
        made.close()
    assert errors == []


class Recorder(asyncio.DatagramProtocol):
    """Keeps what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, Any]] = []
        self.errors: list[Exception] = []
        self.calls: list[Any] = []
        self.lost = asyncio.get_running_loop().create_future()
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.calls.append("made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append((data, addr))
        self.news.set()

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)
        self.news.set()

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")
        self.news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")
        self.lost.set_result(exc)

    async def until(self, true: Callable[[], Any]) -> None:
        while not true():
            self.news.clear()
            await self.news.wait()


async def endpoint(**kwargs: Any) -> tuple[Any, Recorder]:
    return await asyncio.get_running_loop().create_datagram_endpoint(Recorder, **kwargs)


async def pair() -> tuple[Any, Recorder, Any, Recorder]:
    """A server, and a client that is connected to it."""
    server, there = await endpoint(local_addr=("127.0.0.1", 0))
    client, here = await endpoint(remote_addr=server.get_extra_info("sockname"))
    return server, there, client, here


def test_the_transport_is_ours(loop):
    async def main():
        transport, _ = await endpoint(local_addr=("127.0.0.1", 0))
        assert isinstance(transport, DatagramTransport) is loop.ours
        assert isinstance(transport, asyncio.Transport)
        if loop.ours or sys.version_info >= (3, 12):
            assert isinstance(transport, asyncio.DatagramTransport)
        transport.close()

    loop.run_until_complete(main())


def test_there_and_back(loop):
    async def main():
        server, there, client, here = await pair()
        assert there.calls == here.calls == ["made"]
        assert there.transport is server
        for data in (b"bytes", bytearray(b"bytearray"), memoryview(b"memoryview")):
            client.sendto(data)
            await there.until(lambda: there.got)
            got, address = there.got.pop()
            assert got == data and type(got) is bytes
            assert address == client.get_extra_info("sockname")
            server.sendto(got + b"!", address)
            await here.until(lambda: here.got)
            assert here.got.pop() == (got + b"!", server.get_extra_info("sockname"))
        server.close()
        client.close()
        assert [await there.lost, await here.lost] == [None, None]

    loop.run_until_complete(main())


def test_the_largest_and_the_many(loop):
    async def main():
        server, there, client, _ = await pair()
        server.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        largest = os.urandom(65507)
        client.sendto(largest)
        await there.until(lambda: there.got)
        assert there.got.pop()[0] == largest
        many = [b"%d" % i for i in range(100)]
        for data in many:
            client.sendto(data)
        await there.until(lambda: len(there.got) == len(many))
        assert [data for data, _ in there.got] == many
        server.close()
        client.close()

    loop.run_until_complete(main())


SIZES = [1, 10_000, 10_000, 4096, 4095, 65_507, 9000, 65_000, 0, 5000, 0, 1, 20_000, 4096, 30_000]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_sizes_that_change(loop, family: int, tmp_path: Path):
    """Where the next one is received depends on the size of the last."""

    async def main():
        own = str(tmp_path / "own") if family == socket.AF_UNIX else ("127.0.0.1", 0)
        server, there = await endpoint(local_addr=own, family=family)
        sizes = SIZES if family == socket.AF_INET else [*SIZES, 66_000, 140_000, 66_000, 70_000]
        with socket.socket(family, socket.SOCK_DGRAM) as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            for size in sizes:
                sent = os.urandom(size)
                plain.sendto(sent, server.get_extra_info("sockname"))
                await there.until(lambda: there.got)
                data, _ = there.got.pop()
                assert type(data) is bytes and data == sent
                hash(data)
        server.close()

    loop.run_until_complete(main())


def test_ipv6(loop):
    async def main():
        try:
            server, there = await endpoint(local_addr=("::1", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        client, here = await endpoint(local_addr=("::1", 0))
        where = server.get_extra_info("sockname")
        for address in (where, where[:2], where[:3]):
            client.sendto(b"six", address)
            await there.until(lambda: there.got)
            assert there.got == [(b"six", client.get_extra_info("sockname"))]
            server.sendto(*there.got.pop())
            await here.until(lambda: here.got)
            assert here.got.pop() == (b"six", where)
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_many_peers_get_their_own(loop):
    """More of them than addresses are remembered."""

    async def main():
        server, there = await endpoint(local_addr=("127.0.0.1", 0))
        where = server.get_extra_info("sockname")
        clients = [await endpoint(remote_addr=where) for _ in range(150)]
        for round_ in range(2):
            for i, (client, _) in enumerate(clients):
                client.sendto(b"%d" % i)
            await there.until(lambda: len(there.got) == len(clients))
            for data, address in there.got:
                assert address == clients[int(data)][0].get_extra_info("sockname")
                server.sendto(data, address)
            there.got.clear()
            for i, (_, protocol) in enumerate(clients):
                await protocol.until(lambda it=protocol, n=round_: len(it.got) > n)
                assert protocol.got[-1] == (b"%d" % i, where)
        for client, _ in clients:
            client.close()
        server.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "", "127.1"])
def test_hosts(loop, host):
    """A numeric one is read in C, and all others by the socket module."""

    async def main():
        server, there = await endpoint(local_addr=("127.0.0.1", 0), family=socket.AF_INET)
        client, here = await endpoint(local_addr=("127.0.0.1", 0), family=socket.AF_INET)
        client.sendto(b"x", (host, server.get_extra_info("sockname")[1]))
        await there.until(lambda: there.got)
        assert not here.errors
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_addresses_that_change_are_not_remembered(loop):
    async def main():
        servers = [await endpoint(local_addr=("127.0.0.1", 0)) for _ in range(2)]
        client, here = await endpoint(local_addr=("127.0.0.1", 0))

        class Address(tuple):
            __slots__ = ()

        for server, there in servers:
            host, port = server.get_extra_info("sockname")
            for address in ((host, port), Address((host, port)), (host, [port][0])):
                client.sendto(b"x", address)
                await there.until(lambda there=there: there.got)
                there.got.clear()
        assert not here.errors
        for server, _ in servers:
            server.close()
        client.close()

    loop.run_until_complete(main())


def test_unix_sockets(loop, tmp_path: Path):
    async def main():
        here, there = str(tmp_path / "here"), str(tmp_path / "there")
        server, at_server = await endpoint(local_addr=there, family=socket.AF_UNIX)
        client, at_client = await endpoint(local_addr=here, family=socket.AF_UNIX)
        assert server.get_extra_info("sockname") == there
        nameless, _ = await endpoint(family=socket.AF_UNIX)
        assert nameless.get_extra_info("sockname") == ""
        client.sendto(b"x", there)
        await at_server.until(lambda: at_server.got)
        assert at_server.got.pop() == (b"x", here)
        server.sendto(b"y", here)
        await at_client.until(lambda: at_client.got)
        assert at_client.got == [(b"y", there)]
        nameless.sendto(b"z", there)
        await at_server.until(lambda: at_server.got)
        assert at_server.got == [(b"z", None)]
        client.sendto(b"x", str(tmp_path / "nowhere"))
        assert [type(error) for error in at_client.errors] == [FileNotFoundError]
        for transport in (server, client, nameless):
            transport.close()

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no files")
def test_unix_sockets_without_a_file(loop):
    async def main():
        name = b"\0guava-" + os.urandom(8)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(name)
        server, there = await endpoint(sock=sock)
        assert server.get_extra_info("sockname") == name
        server.sendto(b"to itself", name)
        await there.until(lambda: there.got)
        assert there.got == [(b"to itself", name)]
        server.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("size", [65536, 65537, 150_000])
def test_unix_datagrams_may_be_larger(loop, size: int):
    async def main():
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        right.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        transport, protocol = await endpoint(sock=left)
        sent = os.urandom(size)
        right.send(sent)
        await protocol.until(lambda: protocol.got)
        assert protocol.got == [(sent, None)]
        transport.close()
        right.close()

    loop.run_until_complete(main())


def test_an_empty_datagram(loop):
    """It is received by all, and sent since Python 3.13."""

    async def main():
        server, there, client, _ = await pair()
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        plain.sendto(b"", server.get_extra_info("sockname"))
        await there.until(lambda: there.got)
        assert there.got.pop()[0] == b""
        client.sendto(b"")
        client.sendto(b"end")
        await there.until(lambda: there.got and there.got[-1][0] == b"end")
        assert [data for data, _ in there.got] == ([b"", b"end"] if EMPTY_IS_SENT else [b"end"])
        plain.close()
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_what_is_no_data(loop):
    async def main():
        server, _, client, _ = await pair()
        for data in ("text", 1, None, [b"x"]):
            with pytest.raises(TypeError, match="data argument must be a bytes-like object"):
                client.sendto(data)
        with pytest.raises(TypeError):
            client.sendto()
        with pytest.raises(TypeError):
            client.sendto(b"x", None, None)
        with pytest.raises(TypeError):
            client.sendto(b"x", address=None)
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_by_keyword(loop):
    async def main():
        server, there, client, _ = await pair()
        client.sendto(data=b"x", addr=None)
        await there.until(lambda: there.got)
        server.sendto(addr=there.got[0][1], data=b"y")
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_another_address_than_the_peers(loop):
    async def main():
        server, there, client, _ = await pair()
        where = server.get_extra_info("sockname")
        with pytest.raises(ValueError, match="Invalid address: must be None or "):
            client.sendto(b"x", ("127.0.0.1", 1))
        client.sendto(b"x", where)
        client.sendto(b"x", (*where,))
        await there.until(lambda: len(there.got) == 2)
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_broadcast_endpoints_have_a_peer_without_a_connection(loop):
    async def main():
        server, there = await endpoint(local_addr=("127.0.0.1", 0))
        where = server.get_extra_info("sockname")
        client, _ = await endpoint(remote_addr=where, allow_broadcast=True)
        assert client.get_extra_info("peername") is None
        with pytest.raises(ValueError):
            client.sendto(b"x", ("127.0.0.1", 1))
        client.sendto(b"x")
        await there.until(lambda: there.got)
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_without_any_address_the_transport_fails(loop):
    async def main():
        transport, protocol = await endpoint(local_addr=("127.0.0.1", 0))
        transport.sendto(b"x")
        assert isinstance(await protocol.lost, TypeError)
        context = loop.errors.pop()
        assert context["message"] == "Fatal write error on datagram transport"
        assert context["transport"] is transport and context["protocol"] is protocol
        assert isinstance(context["exception"], TypeError)

    loop.run_until_complete(main())


def test_refused_by_the_peer(loop):
    async def main():
        server, _, client, here = await pair()
        server.abort()
        await asyncio.sleep(0)
        for count in (1, 2):
            client.sendto(b"x")
            await here.until(lambda count=count: len(here.errors) >= count)
        assert {type(error) for error in here.errors} == {ConnectionRefusedError}
        assert not client.is_closing()
        client.close()
        assert await here.lost is None

    loop.run_until_complete(main())


def test_an_error_does_not_stop_the_transport(loop):
    async def main():
        server, there, client, here = await pair()
        client.sendto(b"x" * 70_000)
        assert [error.errno for error in here.errors] == [errno.EMSGSIZE]
        client.sendto(b"x")
        await there.until(lambda: there.got)
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_what_error_received_raises_comes_back(loop):
    async def main():
        server, _, client, here = await pair()

        def error_received(exc):
            raise KeyError("mine")

        here.error_received = error_received
        with pytest.raises(KeyError, match="mine"):
            client.sendto(b"x" * 70_000)
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_what_datagram_received_raises_is_reported(loop):
    async def main():
        server, there, client, _ = await pair()
        received = there.datagram_received

        def datagram_received(data, addr):
            received(data, addr)
            raise ValueError(data)

        there.datagram_received = datagram_received
        for data in (b"1", b"2"):
            client.sendto(data)
        await there.until(lambda: len(there.got) == 2)
        while len(loop.errors) < 2:
            await asyncio.sleep(0)
        assert [str(context["exception"]) for context in loop.errors] == ["b'1'", "b'2'"]
        assert all("_read_ready()" in context["message"] for context in loop.errors)
        if loop.ours:
            assert loop.errors[0]["transport"] is server and loop.errors[0]["protocol"] is there
        loop.errors.clear()
        assert not server.is_closing()
        server.close()
        client.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("leaves", [KeyboardInterrupt, SystemExit])
def test_what_ends_programs_leaves_the_loop(loop, leaves: type[BaseException]):
    loop_errors: list[Any] = loop.errors

    async def start():
        return await pair()

    server, there, client, _ = loop.run_until_complete(start())

    def datagram_received(data, addr):
        there.got.append(data)
        raise leaves

    there.datagram_received = datagram_received
    client.sendto(b"1")
    client.sendto(b"2")
    with pytest.raises(leaves):
        loop.run_forever()
    assert there.got == [b"1"]
    with pytest.raises(leaves):
        loop.run_forever()
    assert there.got == [b"1", b"2"]  # it was left where it was
    server.close()
    client.close()
    loop.run_until_complete(asyncio.sleep(0))
    assert loop_errors == []


def fill(transport: Any, size: int = 100) -> int:
    """Send until one has to wait. How many were sent before."""
    count = 0
    while transport.get_write_buffer_size() == 0:
        transport.sendto(b"%0*d" % (size, count))
        count += 1
    return count - 1


async def full(tmp_path: Path) -> tuple[Any, Recorder, socket.socket, int]:
    """An endpoint whose peer takes no more; how many datagrams it has taken."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    peer.bind(str(tmp_path / "peer"))
    peer.setblocking(False)
    transport, protocol = await endpoint(
        local_addr=str(tmp_path / "own"), remote_addr=str(tmp_path / "peer"), family=socket.AF_UNIX
    )
    return transport, protocol, peer, fill(transport)


def drain(peer: socket.socket) -> list[int]:
    got = []
    while True:
        try:
            got.append(int(peer.recv(1000)))
        except BlockingIOError:
            return got


def test_what_the_kernel_refuses_waits(loop, tmp_path: Path):
    async def main():
        transport, protocol, peer, sent = await full(tmp_path)
        assert transport.get_write_buffer_size() == 100 + HEADER
        data = bytearray(b"%0100d" % (sent + 1))
        transport.sendto(data)
        data[:] = bytes(100)  # it was copied
        assert transport.get_write_buffer_size() == 2 * (100 + HEADER)
        got = drain(peer)
        while len(got) < sent + 2:
            await asyncio.sleep(0)
            got += drain(peer)
        assert got == list(range(sent + 2))
        assert isinstance(transport, asyncio.Transport)
        if loop.ours or sys.version_info < (3, 13):  # there, asyncio forgets some of the headers
            assert transport.get_write_buffer_size() == 0
        assert protocol.calls == ["made"]
        transport.close()
        peer.close()

    loop.run_until_complete(main())


def test_limits(loop, tmp_path: Path):
    async def main():
        transport, protocol, peer, _ = await full(tmp_path)
        assert transport.get_write_buffer_limits() == (16384, 65536)
        transport.set_write_buffer_limits(high=100)
        assert transport.get_write_buffer_limits() == (25, 100)
        transport.set_write_buffer_limits(high=300, low=200)
        one = 100 + HEADER
        calls = protocol.calls
        if one > 100 and HEADER:
            assert calls == ["made", "pause"]  # the limit of 100 was passed
            drain(peer)
            await protocol.until(lambda: "resume" in calls)
            calls[:] = ["made"]
            fill(transport)
        while transport.get_write_buffer_size() + one <= 300:
            transport.sendto(b"1" * 100)
        assert calls == ["made"]
        transport.sendto(b"1" * 100)
        assert calls == ["made", "pause"]
        transport.sendto(b"1" * 100)
        assert calls == ["made", "pause"]
        while "resume" not in calls:
            drain(peer)
            await asyncio.sleep(0)
        assert calls == ["made", "pause", "resume"]
        for high, low in ((1, 2), (-1, None), (5, -1)):
            with pytest.raises(ValueError, match="must be >= low"):
                transport.set_write_buffer_limits(high, low)
        transport.close()
        peer.close()

    loop.run_until_complete(main())


def test_close_sends_what_waits(loop, tmp_path: Path):
    async def main():
        transport, protocol, peer, sent = await full(tmp_path)
        transport.close()
        transport.close()
        assert transport.is_closing() and "lost" not in protocol.calls
        got = drain(peer)
        assert await protocol.lost is None
        got += drain(peer)
        assert got == list(range(sent + 1))
        peer.close()

    loop.run_until_complete(main())


def test_abort_drops_what_waits(loop, tmp_path: Path):
    async def main():
        transport, protocol, peer, sent = await full(tmp_path)
        transport.close()
        transport.abort()
        transport.abort()
        assert "lost" not in protocol.calls
        assert await protocol.lost is None
        assert drain(peer) == list(range(sent))
        peer.close()

    loop.run_until_complete(main())


def test_an_error_of_one_that_waited(loop, tmp_path: Path):
    async def main():
        transport, protocol, peer, _ = await full(tmp_path)
        peer.close()
        await protocol.until(lambda: protocol.errors)
        assert [type(error) for error in protocol.errors] == [ConnectionRefusedError]
        transport.close()
        assert await protocol.lost is None

    loop.run_until_complete(main())


def test_after_close(loop, caplog: pytest.LogCaptureFixture):
    async def main():
        server, _, client, here = await pair()
        client.close()
        assert client.is_closing()
        await here.lost
        assert here.calls == ["made", "lost"]
        for _ in range(10):
            client.sendto(b"x")
        client.close()
        client.abort()
        client.pause_reading()
        client.resume_reading()
        await asyncio.sleep(0)
        assert here.calls == ["made", "lost"] and client.get_protocol() is None
        server.close()

    with caplog.at_level("WARNING", "asyncio"):
        loop.run_until_complete(main())
    assert {record.getMessage() for record in caplog.records} == {
        "socket.send() raised exception."
    }
    assert len(caplog.records) == 6  # of ten; the closing itself counts for one


def test_close_in_a_callback(loop):
    async def main():
        server, there, client, _ = await pair()
        received = there.datagram_received

        def datagram_received(data, addr):
            received(data, addr)
            server.close()

        there.datagram_received = datagram_received
        for i in range(10):
            client.sendto(b"%d" % i)
        assert await there.lost is None
        assert [data for data, _ in there.got] == [b"0"]
        client.close()

    loop.run_until_complete(main())


def test_pausing(loop):
    async def main():
        server, there, client, here = await pair()
        received = there.datagram_received

        def datagram_received(data, addr):
            received(data, addr)
            server.pause_reading()

        there.datagram_received = datagram_received
        for i in range(3):
            client.sendto(b"%d" % i)
        for i in range(3):
            await there.until(lambda i=i: len(there.got) > i)
            assert not server.is_reading()
            client.sendto(b"more")
            server.sendto(b"writing goes on", client.get_extra_info("sockname"))
            await here.until(lambda i=i: len(here.got) > i)
            assert len(there.got) == i + 1
            server.resume_reading()
            assert server.is_reading()
        server.close()
        assert not server.is_reading()
        client.close()

    loop.run_until_complete(main())


def test_another_protocol(loop):
    async def main():
        server, there, client, _ = await pair()
        other = Recorder()
        received = there.datagram_received

        def datagram_received(data, addr):
            received(data, addr)
            server.set_protocol(other)

        there.datagram_received = datagram_received
        client.sendto(b"1")
        client.sendto(b"2")
        await other.until(lambda: other.got)
        assert [there.got[0][0], other.got[0][0]] == [b"1", b"2"]
        assert server.get_protocol() is other
        server.close()
        await other.lost
        assert "lost" not in there.calls
        client.close()

    loop.run_until_complete(main())


def test_extra_info(loop):
    async def main():
        server, _, client, _ = await pair()
        sock = client.get_extra_info("socket")
        assert sock.fileno() == client.get_extra_info("socket").fileno() > 0
        assert sock.type == socket.SOCK_DGRAM and sock.gettimeout() == 0
        assert client.get_extra_info("sockname") == sock.getsockname()
        assert client.get_extra_info("peername") == server.get_extra_info("sockname")
        assert server.get_extra_info("peername") is None
        assert client.get_extra_info("spam", "default") == "default"
        with pytest.raises(RuntimeError, match="is used by transport"):
            loop.add_reader(sock.fileno(), print)
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_repr(loop):
    async def main():
        server, there = await endpoint(local_addr=("127.0.0.1", 0))
        fd = server.get_extra_info("socket").fileno()
        name = type(server).__name__
        assert repr(server) == f"<{name} fd={fd} read=polling write=<idle, bufsize=0>>"
        server.pause_reading()
        assert repr(server) == f"<{name} fd={fd} read=idle write=<idle, bufsize=0>>"
        server.close()
        assert repr(server) == f"<{name} closing fd={fd} read=idle write=<idle, bufsize=0>>"
        await there.lost
        assert repr(server) == f"<{name} closed fd={fd}>"

    loop.run_until_complete(main())


def test_context(loop):
    """datagram_received() runs in one copy of the context in which the transport was made."""
    var = contextvars.ContextVar("var", default=0)

    async def main():
        var.set(1)
        server, there, client, _ = await pair()
        var.set(2)
        seen = []
        received = there.datagram_received

        def datagram_received(data, addr):
            received(data, addr)
            seen.append(var.get())
            var.set(var.get() + 10)

        there.datagram_received = datagram_received
        for i in range(3):
            client.sendto(b"x")
            await there.until(lambda i=i: len(there.got) > i)
        assert seen == [1, 11, 21] and var.get() == 2
        server.close()
        client.close()

    loop.run_until_complete(main())


def test_unclosed(loop):
    async def main():
        transport, protocol = await endpoint(local_addr=("127.0.0.1", 0))
        transport.pause_reading()  # from now on the loop does not keep it
        fd = transport.get_extra_info("socket").fileno()
        sock = transport.get_extra_info("socket")
        gc.collect()  # what earlier tests have left
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del transport, protocol.transport
            gc.collect()
        assert f"fd={fd}" in str(caught[0].message)
        assert caught[0].category is ResourceWarning
        assert str(caught[0].message).startswith("unclosed transport <")
        caught.clear()  # what is in there is kept
        assert sock.fileno() == -1
        # The number is free, and may be watched as if nothing had been.
        sender, _ = await endpoint(local_addr=("127.0.0.1", 0))
        again, there = await endpoint(local_addr=("127.0.0.1", 0))
        sender.sendto(b"x", again.get_extra_info("sockname"))
        await there.until(lambda: there.got)
        sender.close()
        again.close()

    loop.run_until_complete(main())


def test_the_number_of_a_forgotten_one_is_used_again(loop):
    """In the same turn of the loop in which it was paused and collected."""

    async def main():
        transport, protocol = await endpoint(local_addr=("127.0.0.1", 0))
        fd = transport.get_extra_info("socket").fileno()
        for _ in range(3):
            await asyncio.sleep(0)
        spare = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        spare.bind(("127.0.0.1", 0))
        spare.setblocking(False)
        transport.pause_reading()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del transport, protocol.transport
            gc.collect()
        os.dup2(spare.fileno(), fd)
        seen = asyncio.Event()
        loop.add_reader(fd, seen.set)
        spare.sendto(b"x", spare.getsockname())
        await seen.wait()
        loop.remove_reader(fd)
        os.close(fd)
        spare.close()

    loop.run_until_complete(main())


def test_collected_on_another_thread(loop):
    """While the loop sleeps, or does other things: a finalizer leaves the poll alone."""

    async def main():
        held, fds = [], set()
        for _ in range(20):
            transport, protocol = await endpoint(local_addr=("127.0.0.1", 0))
            transport.pause_reading()
            fds.add(transport.get_extra_info("socket").fileno())
            del protocol.transport
            held.append(transport)
        del transport
        thread = threading.Thread(target=lambda: [held.pop() for _ in range(20)] and gc.collect())
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.001)
        assert held == []
        again = [await pair() for _ in range(10)]
        assert fds & {server.get_extra_info("socket").fileno() for server, *_ in again}
        for server, there, client, _ in again:
            client.sendto(b"x")
            await there.until(lambda there=there: there.got)
            server.close()
            client.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        loop.run_until_complete(main())


def test_the_loop_is_closed_with_a_live_one(loop):
    async def main():
        transport, protocol = await endpoint(local_addr=("127.0.0.1", 0))
        return transport, protocol, transport.get_extra_info("socket")

    transport, protocol, sock = loop.run_until_complete(main())
    loop.close()
    assert sock.fileno() != -1 and protocol.calls == ["made"]
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        transport.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del transport, protocol
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert sock.fileno() == -1


def test_a_factory_that_fails_and_a_waiter_that_is_cancelled(loop):
    async def main():
        task = loop.create_task(endpoint(local_addr=("127.0.0.1", 0)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.run_until_complete(main())
        gc.collect()


def test_sockets_of_another_kind_are_asyncios(loop):
    """A subclass of socket may do what it likes, and so is asked."""

    class Loud(socket.socket):
        def sendto(self, data, address):
            return super().sendto(data.upper(), address)

        def recvfrom(self, size):
            data, address = super().recvfrom(size)
            return data * 2, address

    async def main():
        sock = Loud(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        transport, protocol = await endpoint(sock=sock)
        assert not isinstance(transport, DatagramTransport)
        transport.sendto(b"hi", sock.getsockname())
        await protocol.until(lambda: protocol.got)
        assert protocol.got == [(b"HIHI", sock.getsockname())]
        transport.close()

    loop.run_until_complete(main())


# ---- ours alone --------------------------------------------------------------------------------


def test_what_the_type_wants():
    loop = guava_loop.new_event_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other = asyncio.SelectorEventLoop()
    with pytest.raises(TypeError, match=r"guava_loop\.Loop"):
        DatagramTransport(other, sock, asyncio.DatagramProtocol())
    with pytest.raises(TypeError):
        DatagramTransport(loop, sock)
    with pytest.raises(TypeError):
        DatagramTransport(loop, None, asyncio.DatagramProtocol())
    with pytest.raises(AttributeError):
        DatagramTransport(loop, sock, object())
    transport = DatagramTransport(loop, sock, asyncio.DatagramProtocol(), extra={"mine": 1})
    assert transport.get_extra_info("mine") == 1
    transport.__init__(1, 2, 3)  # all was done by __new__
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    other.close()
    loop.close()
    assert sock.fileno() == -1


def test_one_tuple_for_a_peer():
    async def main():
        server, there, client, _ = await pair()
        for _ in range(5):
            client.sendto(b"x")
        await there.until(lambda: len(there.got) == 5)
        assert len({id(address) for _, address in there.got}) == 1
        server.close()
        client.close()

    guava_loop.run(main())
