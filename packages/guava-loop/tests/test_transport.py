"""What a stream's transport offers to programs. Each test runs on asyncio, too: it says what is
right."""

import array
import asyncio
import socket
import struct
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import guava_loop
import pytest
from guava_loop.transports import StreamTransport
from transport_parts import (
    FAMILIES,
    LOOP_IDS,
    LOOPS,
    BufferedKeeper,
    Keeper,
    connect,
    fill,
    received,
    until,
)

Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], list[dict[str, Any]]]


@pytest.fixture(params=LOOPS, ids=LOOP_IDS)
def run(request: pytest.FixtureRequest) -> Run:
    """run(main): what reached the exception handler."""

    def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> list[dict[str, Any]]:
        errors: list[dict[str, Any]] = []

        async def outer() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, c: errors.append(c))
            async with asyncio.timeout(30):
                await main()

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(outer())
        return errors

    return run


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("factory", [Keeper, BufferedKeeper])
@pytest.mark.parametrize("size", [1, 1000, 70_000, 3_000_000])
def test_bytes_both_ways(run: Run, factory: Any, family: str, size: int) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect(factory, family)
        sent = bytes(range(256)) * (size // 256 + 1)
        transport.write(sent)
        assert await received(peer, len(sent)) == sent
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(peer, sent)
        await until(lambda: len(protocol.got) == len(sent))
        assert protocol.got == sent
        peer.close()
        assert await protocol.lost is None
        assert protocol.happened()[:1] == ["made"]
        assert protocol.happened()[-2:] == ["eof", ("lost", None)]

    assert run(main) == []


def test_the_order_of_the_start(run: Run) -> None:
    """connection_made() is scheduled; the waiter's turn comes after it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        order = []

        class Noted(Keeper):
            def connection_made(self, transport: Any) -> None:
                order.append("made")
                assert transport.is_reading()

            def data_received(self, data: bytes) -> None:
                order.append("data")

        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.send(b"early")
        loop.call_soon(order.append, "before")
        connecting = asyncio.ensure_future(loop.connect_accepted_socket(Noted, ours))
        await asyncio.sleep(0)
        assert "made" not in order
        transport, _ = await connecting
        await until(lambda: "data" in order)
        assert order == ["before", "made", "data"]
        transport.close()
        theirs.close()

    assert run(main) == []


def test_an_error_in_connection_made(run: Run) -> None:
    class Failing(Keeper):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            raise ZeroDivisionError

    async def main() -> None:
        transport, protocol, peer = await connect(Failing)
        peer.send(b"x")
        await until(lambda: protocol.got)  # reading starts in spite of it
        transport.close()
        await protocol.lost
        peer.close()

    errors = run(main)
    assert [type(e["exception"]) for e in errors] == [ZeroDivisionError]
    assert "connection_made" in errors[0]["message"]


@pytest.mark.parametrize("data", [b"bytes", bytearray(b"array"), memoryview(b"view")])
def test_what_can_be_written(run: Run, data: Any) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        transport.write(data)
        transport.write(data[:0])
        transport.writelines([data, data[:2]])
        transport.writelines([])
        wanted = bytes(data) * 2 + bytes(data[:2])
        assert await received(peer, len(wanted)) == wanted
        transport.close()
        peer.close()

    assert run(main) == []


def test_a_view_of_other_items(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        numbers = array.array("i", [1, 2, 3])
        transport.write(memoryview(numbers))
        assert await received(peer, 12) == struct.pack("3i", 1, 2, 3)
        transport.close()
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("data", ["text", 5, None, [b"x"]])
def test_what_cannot_be_written(run: Run, data: Any) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        with pytest.raises(TypeError, match=r"must be a bytes-like object, not '\w+'"):
            transport.write(data)
        with pytest.raises(TypeError):
            transport.writelines([data])
        assert not transport.is_closing()
        transport.close()
        peer.close()

    assert run(main) == []


def test_what_is_written_may_change_afterwards() -> None:
    """asyncio copies so until 3.11; later ones send what the array holds by then."""

    async def main() -> None:
        transport, _, peer = await connect()
        written = fill(transport)
        array, several = bytearray(b"a" * 1000), [bytearray(b"b" * 1000), b"c" * 1000]
        transport.write(array)
        transport.writelines(several)
        array[:] = b"-" * 1000
        several[0][:] = b"-" * 1000  # type: ignore[index]
        several.clear()
        got = await received(peer, written + 3000)
        assert got == b"x" * written + b"a" * 1000 + b"b" * 1000 + b"c" * 1000
        transport.close()
        peer.close()

    guava_loop.run(main())


def test_many_lines(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        lines = [b"%d\n" % i for i in range(1000)]
        transport.writelines(lines)
        assert await received(peer, sum(map(len, lines))) == b"".join(lines)
        transport.close()
        peer.close()

    assert run(main) == []


def test_the_order_of_small_and_large(run: Run) -> None:
    """Whatever is kept back for a common send keeps its place."""

    async def main() -> None:
        transport, _, peer = await connect()
        wanted = b""
        for i in range(300):
            part = bytes([i % 256]) * (i * i % 997 + 1)
            kind = i % 5
            if kind == 0:
                transport.write(bytearray(part))
            elif kind == 1:
                transport.writelines([part, part])
                wanted += part
            elif kind == 2:
                part *= 60
                transport.write(part)
            else:
                transport.write(part)
            wanted += part
            if i % 50 == 49:
                await asyncio.sleep(0)
        assert await received(peer, len(wanted)) == wanted
        transport.close()
        peer.close()

    assert run(main) == []


def test_two_transports_in_turns(run: Run) -> None:
    async def main() -> None:
        one, _, peer1 = await connect()
        two, _, peer2 = await connect(family="unix")
        for i in range(100):
            one.write(b"%d," % i)
            two.write(b"%d;" % i)
        assert await received(peer1, 290) == b"".join(b"%d," % i for i in range(100))
        assert await received(peer2, 290) == b"".join(b"%d;" % i for i in range(100))
        for transport, peer in ((one, peer1), (two, peer2)):
            transport.close()
            peer.close()

    assert run(main) == []


def test_written_before_the_loop_runs_on(run: Run) -> None:
    """What is written in a callback is sent when it returns, whatever comes after."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, _, peer = await connect()
        seen = []

        def write() -> None:
            transport.write(b"one")
            transport.write(b"two")

        def look() -> None:
            seen.append(peer.recv(100))

        loop.call_soon(write)
        loop.call_soon(look)
        await until(lambda: seen)
        assert seen == [b"onetwo"]
        transport.close()
        peer.close()

    assert run(main) == []


def test_flow_control(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        assert transport.get_write_buffer_limits() == (16384, 65536)
        transport.set_write_buffer_limits(high=100_000, low=50_000)
        assert transport.get_write_buffer_limits() == (50_000, 100_000)
        written = fill(transport)
        while "pause" not in protocol.calls:
            size = transport.get_write_buffer_size()
            transport.write(b"y" * 10_000)
            written += 10_000
            assert transport.get_write_buffer_size() == size + 10_000
        assert transport.get_write_buffer_size() > 100_000
        transport.write(b"z" * 10_000)
        written += 10_000
        assert protocol.calls.count("pause") == 1
        while "resume" not in protocol.calls:
            written -= len(await received(peer, 65536))
        assert transport.get_write_buffer_size() <= 50_000
        await received(peer, written)
        await until(lambda: transport.get_write_buffer_size() == 0)
        assert [c for c in protocol.calls if c in ("pause", "resume")] == ["pause", "resume"]
        transport.close()
        peer.close()

    assert run(main) == []


def test_limits(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        for arguments, limits in [
            ({}, (16384, 65536)),
            ({"high": 1000}, (250, 1000)),
            ({"low": 1000}, (1000, 4000)),
            ({"high": 0}, (0, 0)),
            ({"high": 7, "low": 7}, (7, 7)),
        ]:
            transport.set_write_buffer_limits(**arguments)
            assert transport.get_write_buffer_limits() == limits
        for wrong in ({"high": 1, "low": 2}, {"high": -1}, {"low": -1}):
            with pytest.raises(ValueError, match=r"^high .* must be >= low .* must be >= 0$"):
                transport.set_write_buffer_limits(**wrong)
        transport.set_write_buffer_limits()
        fill(transport)
        assert "pause" not in protocol.calls
        transport.set_write_buffer_limits(high=0)  # looks at once
        assert protocol.calls[-1] == "pause"
        transport.abort()
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("method", ["pause_writing", "resume_writing"])
def test_an_error_in_flow_control(run: Run, method: str) -> None:
    def fail(self: Any) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        transport, protocol, peer = await connect(type("P", (Keeper,), {method: fail}))
        transport.set_write_buffer_limits(high=0)
        written = fill(transport)
        assert await received(peer, written) == b"x" * written
        await until(lambda: transport.get_write_buffer_size() == 0)
        assert not transport.is_closing()
        main.about = (transport, protocol)  # type: ignore[attr-defined]
        transport.close()
        peer.close()

    (error,) = run(main)
    transport, protocol = main.about  # type: ignore[attr-defined]
    assert error["message"] == f"protocol.{method}() failed"
    assert isinstance(error["exception"], ZeroDivisionError)
    assert error["transport"] is transport and error["protocol"] is protocol


def test_pause_and_resume_reading(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        assert transport.is_reading()
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        peer.send(b"waits")
        await asyncio.sleep(0.02)
        assert protocol.got == b""
        transport.resume_reading()
        transport.resume_reading()
        assert transport.is_reading()
        await until(lambda: protocol.got == b"waits")
        transport.close()
        assert not transport.is_reading()
        transport.pause_reading()
        transport.resume_reading()
        await protocol.lost
        transport.pause_reading()
        transport.resume_reading()
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("factory", [Keeper, BufferedKeeper])
def test_paused_in_data_received(run: Run, factory: Any) -> None:
    class Pausing(factory):  # type: ignore[misc]
        size = 100

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()

    async def main() -> None:
        transport, protocol, peer = await connect(Pausing)
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(peer, b"x" * 300_000)
        while len(protocol.got) < 300_000:
            before = len(protocol.calls)
            transport.resume_reading()
            await until(lambda: len(protocol.calls) > before)  # noqa: B023
            assert len(protocol.calls) == before + 1
            if factory is BufferedKeeper and len(protocol.got) > 1000:
                break
        transport.close()
        peer.close()

    assert run(main) == []


def test_paused_before_the_start() -> None:
    """asyncio reads nevertheless, until 3.11.3."""

    class Paused(Keeper):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.pause_reading()

    async def main() -> None:
        transport, protocol, peer = await connect(Paused)
        peer.send(b"x")
        await asyncio.sleep(0.01)
        assert protocol.got == b""
        transport.resume_reading()
        await until(lambda: protocol.got)
        transport.close()
        peer.close()

    guava_loop.run(main())


def test_set_protocol(run: Run) -> None:
    async def main() -> None:
        transport, first, peer = await connect(Keeper)
        second, third = BufferedKeeper(), Keeper()
        assert transport.get_protocol() is first
        for protocol in (second, third):
            transport.set_protocol(protocol)
            assert transport.get_protocol() is protocol
            peer.send(b"x")
            await until(lambda: protocol.got == b"x")  # noqa: B023
        assert first.calls == ["made"] and second.calls == ["data"]
        peer.close()
        await third.lost
        assert third.calls == ["data", "eof", ("lost", None)]

    assert run(main) == []


def test_another_protocol_within_data_received(run: Run) -> None:
    """What is left over goes to the new one."""

    class First(BufferedKeeper):
        size = 10

        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.transport.set_protocol(self.second)

    async def main() -> None:
        transport, first, peer = await connect(First)
        first.second = Keeper()
        peer.send(b"0123456789" + b"x" * 1000)
        await until(lambda: len(first.second.got) == 1000)
        assert first.got == b"0123456789"
        transport.close()
        peer.close()

    assert run(main) == []


def test_methods_are_looked_up_at_each_call(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        got: list[bytes] = []
        protocol.data_received = got.append
        peer.send(b"x")
        await until(lambda: got == [b"x"])
        transport.close()
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_extra_info(run: Run, family: str) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect(family=family)
        sock = transport.get_extra_info("socket")
        assert isinstance(sock, asyncio.trsock.TransportSocket)
        assert transport.get_extra_info("socket") is sock
        assert sock.fileno() >= 0
        assert transport.get_extra_info("peername") == peer.getsockname()
        assert transport.get_extra_info(name="sockname") == peer.getpeername()
        assert transport.get_extra_info("nothing") is None
        assert transport.get_extra_info("nothing", 5) == 5
        assert transport.get_extra_info("nothing", default=6) == 6
        with pytest.raises(TypeError):
            transport.get_extra_info()
        peername = peer.getsockname()
        transport.close()
        await protocol.lost
        assert sock.fileno() == -1
        assert transport.get_extra_info("peername") == peername
        peer.close()

    assert run(main) == []


def test_addresses_of_a_server(run: Run) -> None:
    """Asked for the first time when the connection is gone, and when it is reset."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        peers = [socket.create_connection(address) for _ in range(3)]
        await until(lambda: len(kept) == 3 and all(p.transport for p in kept))
        names = [peer.getsockname() for peer in peers]
        for peer in peers:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        for protocol in kept:
            await protocol.lost
        found = {p.transport.get_extra_info("peername") for p in kept}
        assert found == set(names)
        assert {p.transport.get_extra_info("sockname") for p in kept} == {address}
        server.close()

    assert run(main) == []


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_addresses_of_ipv6(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(Keeper, "::1", 0)
        except OSError:
            pytest.skip("this machine has no ::1")
        address = server.sockets[0].getsockname()
        transport, protocol = await loop.create_connection(Keeper, *address[:2])
        assert transport.get_extra_info("peername") == address
        assert transport.get_extra_info("sockname")[0] == "::1"
        assert len(transport.get_extra_info("sockname")) == 4
        transport.close()
        await protocol.lost
        server.close()

    assert run(main) == []


def test_unix_server(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        path = str(tmp_path / "s")
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        server = await loop.create_unix_server(factory, path)
        transport, protocol = await loop.create_unix_connection(Keeper, path)
        assert transport.get_extra_info("peername") == path
        await until(lambda: kept and kept[0].transport)
        assert kept[0].transport.get_extra_info("sockname") == path
        assert kept[0].transport.get_extra_info("peername") == ""
        transport.write(b"hello")
        await until(lambda: kept[0].got == b"hello")
        kept[0].transport.close()
        await protocol.lost
        assert kept[0].transport.get_extra_info("sockname") == path
        server.close()

    assert run(main) == []


def test_what_a_transport_is(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        assert isinstance(transport, asyncio.Transport)
        assert transport.can_write_eof() is True
        text = repr(transport)
        assert text.startswith(f"<{type(transport).__name__} fd=")
        assert text.endswith("read=polling write=<idle, bufsize=0>>")
        transport.pause_reading()
        fill(transport)
        assert "read=idle write=<polling, bufsize=" in repr(transport)
        transport.note = 1
        assert transport.note == 1
        assert weakref.ref(transport)() is transport
        transport.abort()
        assert " closing fd=" in repr(transport)
        await asyncio.sleep(0.01)
        assert " closed fd=" in repr(transport)
        peer.close()

    assert run(main) == []


def test_a_program_cannot_make_one() -> None:
    with pytest.raises(TypeError):
        StreamTransport()


def test_the_descriptor_is_the_transports(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol, peer = await connect()
        fd = transport.get_extra_info("socket").fileno()
        for method in (loop.add_reader, loop.add_writer):
            with pytest.raises(RuntimeError, match=f"File descriptor {fd} is used by transport"):
                method(fd, print)
        for remove in (loop.remove_reader, loop.remove_writer):
            with pytest.raises(RuntimeError, match="is used by transport"):
                remove(fd)
        with pytest.raises(ValueError, match="Invalid file object"):
            loop.add_reader(object(), print)  # type: ignore[arg-type]
        transport.close()
        await protocol.lost
        peer.close()

    assert run(main) == []


def test_from_raw_sockets_to_a_transport(run: Run) -> None:
    """What watched the descriptor before is out of the way."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = socket.socketpair()
        ours.setblocking(False)
        loop.call_later(0.005, peer.send, b"raw")
        assert await loop.sock_recv(ours, 3) == b"raw"
        transport, protocol = await loop.connect_accepted_socket(Keeper, ours)
        peer.send(b"x")
        await until(lambda: protocol.got == b"x")
        transport.close()
        await protocol.lost
        peer.close()

    assert run(main) == []


def test_a_socket_that_connects_first(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, listener.getsockname())
            peer, _ = listener.accept()
        transport, protocol = await loop.create_connection(Keeper, sock=sock)
        assert transport.get_extra_info("socket")._sock is sock
        transport.write(b"x")
        assert await received(peer, 1) == b"x"
        transport.close()
        await protocol.lost
        assert sock.fileno() == -1
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("what", ["write", "writelines"])
def test_a_thread_that_writes(run: Run, what: str) -> None:
    """It may not; but what it writes does not wait for the loop to wake."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, _, peer = await connect()
        argument: Any = b"x" if what == "write" else [b"x"]

        def work() -> bytes:
            for _ in range(50):
                getattr(transport, what)(argument)
            return peer.recv(1, socket.MSG_PEEK)

        assert await loop.run_in_executor(None, work) == b"x"
        assert await received(peer, 50) == b"x" * 50
        transport.close()
        peer.close()

    assert run(main) == []


def test_a_callback_that_stops_the_loop_and_writes() -> None:
    """What it wrote has left when run_forever() returns, and so has what is written then."""
    loop = guava_loop.new_event_loop()
    ours, peer = socket.socketpair()
    transport, _ = loop.run_until_complete(loop.connect_accepted_socket(asyncio.Protocol, ours))

    def last() -> None:
        loop.stop()
        transport.write(b"one")
        transport.write(b"two")

    loop.call_soon(last)
    loop.run_forever()
    assert peer.recv(100) == b"onetwo"
    transport.write(b"three")
    assert peer.recv(100) == b"three"
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    peer.close()
