"""Every way in which a connection ends, and what is done with transports after their end."""

import asyncio
import gc
import itertools
import os
import socket
import struct
import sys
import warnings
from collections.abc import Callable
from typing import Any

import guava_loop
import pytest


class Protocol(asyncio.Protocol):
    """Notes its calls; `then` are things to do in them."""

    def __init__(self, play: Any, **then: Callable[[Any], Any]) -> None:
        self.play = play
        self.then = then

    def called(self, name: str, *args: Any) -> Any:
        self.play.note(name, *args)
        if name in self.then:
            return self.then[name](self.transport)
        return None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.called("made")

    def data_received(self, data: bytes) -> None:
        self.called("data", bytes(data[:10]))

    def eof_received(self) -> Any:
        return self.called("eof")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.called("lost", type(exc).__name__)


class Buffered(asyncio.BufferedProtocol):
    """A protocol that is told in another way, and tells the first."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.buffer = bytearray(100)
        for name in ("connection_made", "connection_lost", "eof_received"):
            setattr(self, name, getattr(protocol, name))

    def get_buffer(self, sizehint: int) -> bytearray:
        self.protocol.called("get_buffer")
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.protocol.called("data", bytes(self.buffer[:nbytes]))


def reset(sock: socket.socket) -> None:
    """Closes it so that the peer is told of an error."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


ENDINGS: dict[str, Callable[[Any, socket.socket], Any]] = {
    "close": lambda transport, peer: transport.close(),
    "abort": lambda transport, peer: transport.abort(),
    "write_eof": lambda transport, peer: transport.write_eof(),
    "eof": lambda transport, peer: peer.shutdown(socket.SHUT_WR) if peer.fileno() >= 0 else None,
    "reset": lambda transport, peer: reset(peer) if peer.fileno() >= 0 else None,
    "exception": lambda transport, peer: peer.send(b"raise") if peer.fileno() >= 0 else None,
    "a write": lambda transport, peer: transport.write(b"x" * 10),
}


def fail(transport: Any) -> None:
    raise ValueError


def abort(transport: Any) -> None:
    try:
        transport.abort()
    except AttributeError:
        pass  # asyncio's, where connection_lost() was called after the last bytes of close()


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        return left, listener.accept()[0]


@pytest.mark.parametrize("pause", [False, True], ids=["reading", "paused"])
@pytest.mark.parametrize("queued", [False, True], ids=["idle", "queued"])
@pytest.mark.parametrize("turns", [0, 4], ids=["at once", "later"])
def test_connection_lost_once(alike: Any, pause: bool, queued: bool, turns: int) -> None:
    """By any two endings, one after the other."""

    async def scenario(play: Any) -> None:
        for first, second in itertools.product(ENDINGS, ENDINGS):
            if (turns == 0 or queued) and "reset" in (first, second):
                continue  # what was sent before it may be lost or not
            play.note("then", first, second)
            ours, theirs = pair()
            protocol = Protocol(play, data=fail)
            transport, _ = await play.loop.connect_accepted_socket(lambda p=protocol: p, ours)
            if pause:
                transport.pause_reading()
            if queued:
                transport.write(b"x" * 10_000_000)
            for how in (first, second):
                try:
                    ENDINGS[how](transport, theirs)
                except (RuntimeError, OSError) as error:
                    play.note("refused", type(error).__name__)
                await play.settle(turns)
            await play.settle()
            play.note("closing", transport.is_closing())
            abort(transport)
            theirs.close()
            await play.settle()
            play.note("fileno", ours.fileno())

    history = alike(scenario)
    for new, calls in itertools.groupby(history, key=lambda what: what[0] == "then"):
        told = [what[0] for what in calls]
        assert new or (told.count("lost") == 1 and told.count("made") == 1), told


CALLS: dict[str, Callable[[Any], Any]] = {
    "close": lambda transport: transport.close(),
    "abort": lambda transport: transport.abort(),
    "write": lambda transport: transport.write(b"answer"),
    "a large write": lambda transport: transport.write(b"x" * 1_000_000),
    "write_eof": lambda transport: transport.write_eof(),
    "pause_reading": lambda transport: transport.pause_reading(),
    "pause and resume": lambda transport: (transport.pause_reading(), transport.resume_reading()),
    "close and abort": lambda transport: (transport.close(), transport.abort()),
    "write and close": lambda transport: (transport.write(b"last"), transport.close()),
    "write_eof and close": lambda transport: (transport.write_eof(), transport.close()),
    "everything": lambda transport: (
        transport.is_closing(),
        transport.is_reading(),
        transport.get_write_buffer_size(),
        transport.get_write_buffer_limits(),
        transport.set_write_buffer_limits(10),
        transport.get_protocol(),
        transport.get_extra_info("socket").fileno(),
        transport.pause_reading(),
        repr(transport),
        transport.close(),
        transport.resume_reading(),
        transport.write(b""),
        transport.writelines([]),
        transport.abort(),
        repr(transport),
    ),
    "fail": fail,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["made", "get_buffer", "data", "eof", "lost"])
def test_calls_in_callbacks(alike: Any, name: str, call: str) -> None:
    async def scenario(play: Any) -> None:
        for buffered in (True,) if name == "get_buffer" else (False, True):
            ours, theirs = socket.socketpair()
            with theirs:
                theirs.setblocking(False)
                told = Protocol(play, **{name: CALLS[call]})
                protocol = Buffered(told) if buffered else told
                transport, _ = await play.loop.connect_accepted_socket(lambda p=protocol: p, ours)
                await play.settle()
                for data in (b"first", b"second"):
                    try:
                        theirs.send(data)
                    except BrokenPipeError:
                        play.note("the peer is gone")
                    await play.settle()
                theirs.shutdown(socket.SHUT_WR)
                await play.settle()
                got = 0
                for _ in range(10):
                    try:
                        got += len(theirs.recv(1 << 20))
                    except (BlockingIOError, ConnectionResetError):
                        pass
                    await play.settle(1)
                play.note("sent", got)
                play.note("closing", transport.is_closing())
                told.then.clear()
                abort(transport)
                await play.settle()

    # asyncio receives after get_buffer() even if that has closed the transport or paused it.
    # Before 3.11.7 it read on when it was paused by connection_made().
    old = (name, call) == ("made", "pause_reading") and sys.version_info < (3, 11, 7)
    history = alike(scenario, alone=name == "get_buffer" or old)
    ended = [what[0] for what in history].count("lost")
    assert ended == (1 if name == "get_buffer" else 2)


def test_another_protocol_in_a_callback(alike: Any) -> None:
    """What comes after set_protocol() goes to the other one, of the other kind."""

    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()

        def swap(transport: Any) -> None:
            play.note("from", type(transport.get_protocol()).__name__)
            other = Protocol(play, data=swap)
            other.transport = transport
            transport.set_protocol(
                Buffered(other) if isinstance(transport.get_protocol(), Protocol) else other
            )
            gc.collect()

        with theirs:
            transport, _ = await play.loop.connect_accepted_socket(
                lambda: Protocol(play, data=swap), ours
            )
            for number in range(6):
                theirs.send(b"%d" % number)
                await play.settle()
            transport.close()
            await play.settle()

    history = alike(scenario)
    assert [what[1] for what in history if what[0] == "from"] == ["Protocol", "Buffered"] * 3


def use(transport: Any) -> list[Any]:
    """Everything that a transport can be asked for; what is raised is told."""
    told: list[Any] = []
    for call in (
        lambda: transport.write(b"x"),
        lambda: transport.write(b""),
        lambda: transport.writelines([b"x", b"y"]),
        lambda: transport.pause_reading(),
        lambda: transport.resume_reading(),
        lambda: transport.is_reading(),
        lambda: transport.is_closing(),
        lambda: transport.can_write_eof(),
        lambda: transport.get_write_buffer_size(),
        lambda: transport.get_write_buffer_limits(),
        lambda: transport.set_write_buffer_limits(high=20, low=10),
        lambda: transport.get_extra_info("nothing", 5),
        lambda: transport.get_extra_info("socket").fileno(),
        lambda: transport.get_extra_info("socket").getsockname(),
        lambda: transport.set_protocol(transport.get_protocol()),
        lambda: transport.close(),
        lambda: transport.write_eof(),
    ):
        try:
            told.append(call())
        except Exception as error:
            told.append(type(error).__name__)
    return told


@pytest.mark.parametrize("how", ["close", "abort", "reset"])
def test_use_after_the_end(alike: Any, how: str) -> None:
    async def scenario(play: Any) -> None:
        ours, theirs = pair()
        transport, _ = await play.loop.connect_accepted_socket(lambda: Protocol(play), ours)
        ENDINGS[how](transport, theirs)
        await play.settle()
        play.note("used", *use(transport))
        await play.settle()
        assert repr(transport)
        theirs.close()

    # asyncio's writelines() fails then since 3.12, and leaves its bytes in the buffer.
    history = alike(scenario, calls_only=True)
    assert [what[0] for what in history].count("lost") == 1
    used = next(what for what in history if what[0] == "used")
    assert {what for what in used[1:] if isinstance(what, str)} == {"OSError"}, used


@pytest.mark.parametrize("data", [None, "text", 5, [b"x"], object(), 1.5, {}])
def test_what_is_no_data(alike: Any, data: Any) -> None:
    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            transport, _ = await play.loop.connect_accepted_socket(lambda: Protocol(play), ours)
            for closed in (False, True):
                with pytest.raises(TypeError):
                    transport.write(data)
                with pytest.raises(TypeError):
                    transport.writelines([b"x", data])
                play.note(closed, transport.is_closing())
                transport.close()
            await play.settle()
            play.note("sent", theirs.recv(10))

    assert alike(scenario)[-1] == ("sent", b"")


def test_views_of_other_shapes(alike: Any) -> None:
    """A view of numbers is sent as the bytes it has, and may change after write()."""

    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            transport, _ = await play.loop.connect_accepted_socket(lambda: Protocol(play), ours)
            store = bytearray(range(64))
            transport.write(memoryview(store).cast("I"))
            transport.write(memoryview(store).cast("B", (8, 8)))
            await play.settle()
            play.note("sent", theirs.recv(200))
            large = bytearray(b"a" * 3_000_000)
            transport.write(large)
            large[:] = b"b" * len(large)
            large.clear()  # nothing holds its memory
            theirs.setblocking(False)
            got = b""
            while len(got) < 3_000_000:
                try:
                    got += theirs.recv(1 << 20)
                except BlockingIOError:
                    await play.settle(1)
            play.note("sent", set(got))
            transport.close()
            await play.settle()

    # Since 3.12 asyncio holds the memory of what waits, and sends what it is changed to.
    history = alike(scenario, alone=sys.version_info >= (3, 12))
    assert history[-2] == ("sent", {ord("a")})


# ---- garbage, and loops that are closed ---------------------------------------------------------


@pytest.mark.parametrize("pause", [False, True], ids=["reading", "paused"])
def test_the_loop_is_closed_first(alike: Any, pause: bool) -> None:
    """Transports that live on are harmless, and their descriptors go with them."""
    kept: list[Any] = []
    peers: list[Any] = []

    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()
        transport, _ = await play.loop.connect_accepted_socket(lambda: Protocol(play), ours)
        if pause:
            transport.pause_reading()
        transport.write(b"x" * 1_000_000)
        kept.append(transport)
        peers.append(theirs)

    assert alike(scenario) == [("made",)]
    for transport, peer in zip(kept, peers, strict=True):
        assert repr(transport)
        for call in (transport.close, transport.abort, transport.resume_reading):
            try:
                call()
            except (RuntimeError, AttributeError):
                pass  # the loop is closed
        peer.setblocking(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        call = transport = None
        kept.clear()
        gc.collect()
    for peer in peers:
        while peer.recv(1 << 20):
            pass  # up to the end, or it would raise BlockingIOError
        peer.close()


def descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


@pytest.mark.parametrize("kind", ["stream", "datagram", "read pipe", "write pipe", "server"])
def test_forgotten(kind: str) -> None:
    """What nobody has closed when its loop is gone warns, and gives its descriptor back."""
    gc.collect()
    before = descriptors()
    others: list[int] = []

    async def main(loop: Any) -> None:
        if kind == "stream":
            left, right = socket.socketpair()
            others.append(right.detach())
            transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, left)
            transport.pause_reading()
        elif kind == "datagram":
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
            )
        elif kind == "server":
            server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
            with socket.create_connection(server.sockets[0].getsockname()):
                await asyncio.sleep(0)
        else:
            reading, writing = os.pipe()
            if kind == "read pipe":
                file, other = open(reading, "rb", 0), writing  # noqa: SIM115
                transport, _ = await loop.connect_read_pipe(asyncio.Protocol, file)
                transport.pause_reading()
            else:
                file, other = open(writing, "wb", 0), reading  # noqa: SIM115
                await loop.connect_write_pipe(asyncio.BaseProtocol, file)
            others.append(other)

    loop = guava_loop.new_event_loop()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop.run_until_complete(main(loop))
        loop.close()
        del loop
        gc.collect()
    for other in others:
        os.close(other)
    assert kind == "server" or any(w.category is ResourceWarning for w in caught)
    assert descriptors() == before


def test_forgotten_while_the_loop_runs() -> None:
    """A paused and idle transport that nobody keeps is closed, and its peer sees the end."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        right.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, left)
        transport.pause_reading()
        del left
        with pytest.warns(ResourceWarning, match="unclosed transport <StreamTransport"):
            del transport
            gc.collect()
        assert await loop.sock_recv(right, 1) == b""
        right.close()

    guava_loop.run(main())
