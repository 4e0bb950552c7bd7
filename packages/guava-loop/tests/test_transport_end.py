"""How a transport ends: close(), abort(), end of file, errors; and that its protocol is told once.
On asyncio, too."""

import asyncio
import contextlib
import errno
import gc
import socket
import struct
import warnings
from collections.abc import Callable, Coroutine, Iterator
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
    pair,
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


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextlib.contextmanager
def unclosed() -> Iterator[list[warnings.WarningMessage]]:
    """What is warned of as not closed within."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found: list[warnings.WarningMessage] = []
        yield found
        gc.collect()
        found += [w for w in caught if "unclosed transport" in str(w.message)]


def test_close_sends_what_was_written(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.set_write_buffer_limits(high=1 << 20)
        written = fill(transport)
        transport.close()
        assert transport.is_closing() and "lost" not in str(protocol.calls)
        transport.write(b"and this")  # asyncio's: as long as there is a queue, it takes more
        transport.close()
        got = await received(peer, written + 100)
        assert got == b"x" * written + b"and this"
        assert await protocol.lost is None
        assert protocol.calls == ["made", ("lost", None)]
        peer.close()

    assert run(main) == []


def test_close_is_scheduled_and_once(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol, peer = await connect()
        order: list[str] = []
        protocol.lost.add_done_callback(lambda _: None)
        protocol.connection_lost = lambda exc: order.append("lost")
        loop.call_soon(order.append, "before")
        transport.close()
        transport.close()
        transport.abort()
        loop.call_soon(order.append, "after")
        assert order == []
        await asyncio.sleep(0.01)
        assert order == ["before", "lost", "after"]
        peer.close()

    assert run(main) == []


def test_no_data_after_close(run: Run) -> None:
    class Closing(Keeper):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.close()

    async def main() -> None:
        _, protocol, peer = await connect(Closing)
        peer.setblocking(False)
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(peer, b"x" * 500_000)
        await protocol.lost
        assert protocol.calls == ["made", "data", ("lost", None)]
        peer.close()

    assert run(main) == []


def test_abort_drops_the_queue(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.write(b"sent")
        assert await received(peer, 4) == b"sent"
        written = fill(transport)
        transport.abort()
        assert transport.is_closing() and transport.get_write_buffer_size() == 0
        assert await protocol.lost is None
        peer.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert len(await received(peer, written)) < written
        peer.close()

    assert run(main) == []


def test_written_and_aborted(run: Run) -> None:
    """What the kernel takes has left before abort() is called."""

    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.write(b"last ")
        transport.write(b"words")
        transport.abort()
        assert await received(peer, 100) == b"last words"
        await protocol.lost
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_write_eof(run: Run, family: str) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect(family=family)
        written = fill(transport)
        transport.write_eof()
        transport.write_eof()
        with pytest.raises(RuntimeError, match=r"Cannot call write\(\) after write_eof\(\)"):
            transport.write(b"x")
        with pytest.raises(RuntimeError, match="after write_eof"):
            transport.writelines([b"x"])
        assert len(await received(peer, written + 100)) == written  # and the end
        peer.setblocking(True)
        peer.send(b"answer")
        await until(lambda: protocol.got == b"answer")
        peer.close()
        assert await protocol.lost is None

    assert run(main) == []


def test_write_eof_at_once(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.write(b"bye")
        transport.write_eof()
        assert await received(peer, 100) == b"bye"
        transport.close()
        transport.write_eof()
        await protocol.lost
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("factory", [Keeper, BufferedKeeper])
def test_half_close(run: Run, factory: Any) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect(type("P", (factory,), {"keep_open": True}))
        peer.send(b"question")
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: "eof" in protocol.calls)
        await asyncio.sleep(0.01)
        assert not transport.is_closing()
        transport.write(b"answer")
        transport.close()
        assert await received(peer, 100) == b"answer"
        assert await protocol.lost is None
        assert protocol.calls == ["made", "data", "eof", ("lost", None)]
        peer.close()

    assert run(main) == []


def test_end_of_file_closes(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        written = fill(transport)
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: "eof" in protocol.calls)
        assert transport.is_closing()
        assert len(await received(peer, written + 1)) == written  # what was written goes first
        assert await protocol.lost is None
        peer.close()

    assert run(main) == []


def test_end_of_file_while_paused(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.pause_reading()
        peer.send(b"x")
        peer.close()
        await asyncio.sleep(0.01)
        assert protocol.calls == ["made"]
        transport.resume_reading()
        assert await protocol.lost is None
        assert protocol.calls == ["made", "data", "eof", ("lost", None)]

    assert run(main) == []


@pytest.mark.parametrize("factory", [Keeper, BufferedKeeper])
def test_reset_while_reading(run: Run, factory: Any) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect(factory)
        reset(peer)
        exc = await protocol.lost
        assert type(exc) is ConnectionResetError and exc.errno == errno.ECONNRESET
        assert transport.is_closing()
        assert protocol.calls == ["made", ("lost", exc)]

    assert run(main) == []


def test_reset_while_writing(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.pause_reading()
        fill(transport)
        reset(peer)
        exc = await protocol.lost
        assert isinstance(exc, (ConnectionResetError, BrokenPipeError))
        assert transport.get_write_buffer_size() == 0

    assert run(main) == []


def test_writing_to_what_was_reset(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Never raises; warns from the fifth write on."""

    async def main() -> None:
        transport, protocol, peer = await connect()
        reset(peer)
        await protocol.lost
        for _ in range(10):
            transport.write(b"x")
        if isinstance(transport, StreamTransport):  # asyncio's raises, from 3.12 on
            transport.writelines([b"x"])
        assert transport.get_write_buffer_size() == 0
        transport.close()
        transport.abort()
        assert len(protocol.calls) == 2

    assert run(main) == []
    warned = [r for r in caplog.records if r.message == "socket.send() raised exception."]
    assert len(warned) in (6, 7)  # one write more, on ours
    assert all(r.levelname == "WARNING" and r.name == "asyncio" for r in warned)


def test_a_write_that_fails(run: Run) -> None:
    """The peer has closed, we have not read it yet: the second write is refused."""

    async def main() -> None:
        transport, protocol, peer = await connect()
        transport.pause_reading()
        peer.send(b"unread")
        reset(peer)
        await asyncio.sleep(0.01)
        transport.write(b"x" * 100_000)
        exc = await protocol.lost
        assert isinstance(exc, (ConnectionResetError, BrokenPipeError))
        assert transport.is_closing()
        assert len([c for c in protocol.calls if "lost" in str(c)]) == 1

    assert run(main) == []


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("method", "factory"),
    [
        ("data_received", Keeper),
        ("get_buffer", BufferedKeeper),
        ("buffer_updated", BufferedKeeper),
        ("eof_received", Keeper),
        ("eof_received", BufferedKeeper),
    ],
)
def test_errors_in_the_protocol(run: Run, method: str, factory: Any, debug: bool) -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        asyncio.get_running_loop().set_debug(debug)
        transport, protocol, peer = await connect(type("P", (factory,), {method: fail}))
        peer.send(b"x")
        peer.shutdown(socket.SHUT_WR)
        exc = await protocol.lost
        assert type(exc) is ZeroDivisionError
        main.about = (transport, protocol, exc)  # type: ignore[attr-defined]
        peer.close()

    (error,) = run(main)
    transport, protocol, exc = main.about  # type: ignore[attr-defined]
    assert error == {
        "message": f"Fatal error: protocol.{method}() call failed.",
        "exception": exc,
        "transport": transport,
        "protocol": protocol,
    }


def test_an_empty_buffer(run: Run) -> None:
    async def main() -> None:
        _, protocol, peer = await connect(
            type("P", (BufferedKeeper,), {"get_buffer": lambda *_: bytearray()})
        )
        peer.send(b"x")
        exc = await protocol.lost
        assert str(exc) == "get_buffer() returned an empty buffer"
        peer.close()

    (error,) = run(main)
    assert error["message"] == "Fatal error: protocol.get_buffer() call failed."


@pytest.mark.parametrize("what", [b"constant", 5, None])
def test_a_buffer_that_is_none(run: Run, what: Any) -> None:
    async def main() -> None:
        _, protocol, peer = await connect(
            type("P", (BufferedKeeper,), {"get_buffer": lambda *_: what})
        )
        peer.send(b"x")
        assert isinstance(await protocol.lost, (TypeError, BufferError))
        peer.close()

    assert len(run(main)) == 1


def test_the_buffer_is_let_go_of(run: Run) -> None:
    """A bytearray can be resized as soon as buffer_updated() is called."""

    class Resizing(BufferedKeeper):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.buffer.clear()
            self.buffer.extend(bytes(10 + nbytes))

    async def main() -> None:
        transport, protocol, peer = await connect(Resizing)
        for i in range(3):
            peer.send(b"x" * 5)
            await until(lambda: len(protocol.got) == 5 * (i + 1))  # noqa: B023
        protocol.buffer.clear()
        protocol.buffer.extend(b"12345")
        transport.close()
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("when", ["get_buffer", "buffer_updated"])
def test_closed_in_a_callback(run: Run, when: str) -> None:
    async def main() -> None:
        class Closing(BufferedKeeper):
            def get_buffer(self, sizehint: int) -> bytearray:
                if when == "get_buffer":
                    self.transport.abort()
                return self.buffer

            def buffer_updated(self, nbytes: int) -> None:
                super().buffer_updated(nbytes)
                self.transport.abort()

        _, protocol, peer = await connect(Closing)
        peer.send(b"x")
        assert await protocol.lost is None
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("exc", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("method", ["data_received", "eof_received", "connection_lost"])
@pytest.mark.parametrize("factory", LOOPS, ids=LOOP_IDS)
def test_what_ends_programs(factory: Any, method: str, exc: Any) -> None:
    def stop(*args: Any) -> None:
        raise exc

    loop = factory()
    ours, theirs = pair("unix")
    transport, _ = loop.run_until_complete(
        loop.connect_accepted_socket(type("P", (asyncio.Protocol,), {method: stop}), ours)
    )
    theirs.send(b"x")
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(exc):
        loop.run_forever()
    transport.abort()
    with contextlib.suppress(exc):
        loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    theirs.close()


def test_connection_lost_may_fail(run: Run) -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        transport, _, peer = await connect(type("P", (Keeper,), {"connection_lost": fail}))
        sock = transport.get_extra_info("socket")
        transport.close()
        await until(lambda: sock.fileno() == -1)
        peer.close()

    (error,) = run(main)
    assert isinstance(error["exception"], ZeroDivisionError)


def test_the_socket_lives_through_connection_lost(run: Run) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        sock = transport.get_extra_info("socket")
        seen: list[int] = []
        protocol.connection_lost = lambda exc: seen.append(sock.fileno())
        transport.close()
        await until(lambda: seen)
        assert seen[0] >= 0
        await asyncio.sleep(0)
        assert sock.fileno() == -1
        peer.close()

    assert run(main) == []


@pytest.mark.parametrize("factory", LOOPS, ids=LOOP_IDS)
@pytest.mark.parametrize("paused", [False, True])
def test_a_loop_that_is_closed_too_early(factory: Any, paused: bool) -> None:
    """connection_lost() is not called, the socket is closed, and a warning tells."""
    with unclosed() as found:
        loop = factory()
        ours, theirs = pair("tcp")
        calls: list[Any] = []
        transport, _ = loop.run_until_complete(
            loop.connect_accepted_socket(
                type("P", (asyncio.Protocol,), {"connection_lost": calls.append}), ours
            )
        )
        if paused:
            transport.pause_reading()
        loop.close()
        transport.write(b"x")
        del transport
        ours = None  # type: ignore[assignment]
        gc.collect()
        assert theirs.recv(10) in (b"", b"x")
        theirs.close()
    assert calls == [] and found


@pytest.mark.parametrize("factory", LOOPS, ids=LOOP_IDS)
def test_a_paused_transport_that_nobody_keeps(factory: Any) -> None:
    async def main() -> bytes:
        transport, _, peer = await connect(asyncio.Protocol)
        transport.pause_reading()
        await asyncio.sleep(0)
        del transport, _
        gc.collect()
        return await received(peer, 10)

    with unclosed() as found, asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(main()) == b""
    assert len(found) == 1


@pytest.mark.parametrize("factory", LOOPS, ids=LOOP_IDS)
def test_a_reading_transport_that_only_the_loop_keeps(factory: Any) -> None:
    async def main() -> None:
        done = asyncio.get_running_loop().create_future()

        class Once(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                done.set_result(data)

        async def make() -> socket.socket:
            ours, theirs = pair("tcp")
            await asyncio.get_running_loop().connect_accepted_socket(Once, ours)
            return theirs

        peer = await make()
        gc.collect()
        peer.send(b"still there")
        assert await done == b"still there"
        peer.close()
        await asyncio.sleep(0.01)

    with unclosed() as found, asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
    assert found == []


def test_a_dropped_loop_is_collected() -> None:
    """A cycle through the native stream is one that the collector sees."""
    import weakref

    loop = guava_loop.new_event_loop()
    ours, theirs = pair("unix")
    loop.run_until_complete(loop.connect_accepted_socket(asyncio.Protocol, ours))
    ref = weakref.ref(loop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del loop, ours
        gc.collect()
        gc.collect()
    assert ref() is None
    assert theirs.recv(1) == b""
    theirs.close()


def test_contexts(run: Run) -> None:
    """The protocol is called in a copy of the context in which the transport was made."""
    import contextvars

    var = contextvars.ContextVar("var", default="nothing")

    async def main() -> None:
        seen: list[str] = []

        class Noting(Keeper):
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                seen.append(var.get())
                var.set("made")

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                seen.append(var.get())
                var.set("data")

        var.set("creation")
        ours, peer = pair("tcp")
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_accepted_socket(Noting, ours)
        var.set("later")
        for i in range(2):
            peer.send(b"x")
            await until(lambda: len(protocol.got) == i + 1)  # noqa: B023
        assert seen == ["creation", "creation", "data"]
        assert var.get() == "later"
        transport.close()
        peer.close()

    assert run(main) == []
