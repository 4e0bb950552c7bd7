"""Exceptions out of every callback of a protocol: the same follows as on asyncio's loop."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest


class Odd(BaseException):
    """Neither an Exception nor one that ends programs."""


RAISED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("out of a callback"),
    "ConnectionResetError": ConnectionResetError,
    "CancelledError": asyncio.CancelledError,
    "Odd": Odd,
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": lambda: SystemExit(3),
}


def named(arg: Any) -> Any:
    """What a history keeps of an argument of a callback."""
    if arg is None or isinstance(arg, (int, str)):
        return arg
    if isinstance(arg, (bytes, bytearray, memoryview)):
        return bytes(arg)
    return type(arg).__name__ if isinstance(arg, BaseException) else "..."


def failing(base: type[Any], *names: str) -> type[Any]:
    """A protocol that notes its calls and raises in those that it is told to, once each."""

    def method(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any) -> Any:
            self.play.note(name, *(named(arg) for arg in args))
            if name == "connection_made":
                self.transport = args[0]
            if name in self.raises:
                raise self.raises.pop(name)()
            if name == "get_buffer":
                self.buffer = bytearray(64)
                return self.buffer
            return None

        return method

    def init(self: Any, play: Any, raises: dict[str, Any] | None = None) -> None:
        self.play = play
        self.raises = dict(raises or {})

    made = {"__init__": init, **{name: method(name) for name in names}}
    return type("Failing" + base.__name__, (base,), made)


BASE = ("connection_made", "connection_lost", "pause_writing", "resume_writing")
STREAM = failing(asyncio.Protocol, *BASE, "data_received", "eof_received")
BUFFERED = failing(asyncio.BufferedProtocol, *BASE, "get_buffer", "buffer_updated", "eof_received")
DATAGRAM = failing(asyncio.DatagramProtocol, *BASE, "datagram_received", "error_received")
SUBPROCESS = failing(
    asyncio.SubprocessProtocol,
    "connection_made",
    "connection_lost",
    "pipe_data_received",
    "pipe_connection_lost",
    "process_exited",
)


def every(*names: str) -> Any:
    pairs = [(name, what) for name in names for what in RAISED]
    return pytest.mark.parametrize(("name", "what"), pairs)


# ---- streams ------------------------------------------------------------------------------------


def drain(sock: socket.socket) -> int:
    """Takes all that is there."""
    total = 0
    try:
        while got := sock.recv(1 << 20):
            total += len(got)
    except (BlockingIOError, ConnectionResetError):
        pass
    return total


async def talk(play: Any, protocol: Any, ours: socket.socket, theirs: socket.socket) -> None:
    """A connection on which every callback of its protocol is called."""
    theirs.setblocking(False)
    transport, _ = await play.loop.connect_accepted_socket(lambda: protocol, ours)
    await play.settle()
    play.note("closing", transport.is_closing())
    transport.set_write_buffer_limits(high=1000, low=100)
    try:
        transport.write(b"x" * 2_000_000)
    except (KeyboardInterrupt, SystemExit) as error:
        # Out of pause_writing(): asyncio raises it here, too; ours out of run_forever() only.
        play.note("left the loop", type(error).__name__)
    await play.settle()
    for _ in range(20):
        drain(theirs)
        await play.settle(1)
    play.note("paused", transport.get_write_buffer_size() > 0)
    for data in (b"first", b"second"):
        try:
            theirs.send(data)
        except BrokenPipeError:
            play.note("the connection is gone")
        await play.settle()
    play.note("closing", transport.is_closing())
    theirs.shutdown(socket.SHUT_WR)
    await play.settle()
    play.note("closing", transport.is_closing())
    transport.write(b"late")
    transport.close()
    await play.settle()
    play.note("fileno", ours.fileno())
    assert transport.is_closing()


@pytest.mark.parametrize("protocol", [STREAM, BUFFERED])
def test_nothing_fails(alike: Any, protocol: Any) -> None:
    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await talk(play, protocol(play), ours, theirs)

    history = alike(scenario)
    called = {what[0] for what in history}
    assert called >= {*BASE, "eof_received"} and "error" not in called


# Where asyncio's transport goes on as if nothing had been called: it asserts at each further turn
# that there is something to write, and is told of the end again. Ours does neither.
UNLIKE = {
    (name, what)
    for name in ("resume_writing", "eof_received")
    for what in ("KeyboardInterrupt", "SystemExit")
}


@every(*BASE, "data_received", "eof_received")
def test_a_stream(alike: Any, name: str, what: str) -> None:
    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await talk(play, STREAM(play, {name: RAISED[what]}), ours, theirs)

    history = alike(scenario, alone=(name, what) in UNLIKE)
    assert [call for call, *_ in history].count("connection_lost") == 1
    assert any(call == name for call, *_ in history)


@every("get_buffer", "buffer_updated", "eof_received")
def test_a_buffered_stream(alike: Any, name: str, what: str) -> None:
    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await talk(play, BUFFERED(play, {name: RAISED[what]}), ours, theirs)

    history = alike(scenario, alone=(name, what) in UNLIKE)
    assert [call for call, *_ in history].count("connection_lost") == 1
    assert any(call == name for call, *_ in history)


NONSENSE: dict[str, Any] = {
    "empty": bytearray,
    "None": lambda: None,
    "read-only": lambda: bytes(10),
    "a number": lambda: 10,
    "a list": list,
    "a read-only view": lambda: memoryview(bytearray(10)).toreadonly(),
    "a view with gaps": lambda: memoryview(bytearray(10))[::2],
}


@pytest.mark.parametrize("what", NONSENSE)
def test_buffers_that_are_none(alike: Any, what: str) -> None:
    class Protocol(BUFFERED):  # type: ignore[misc, valid-type]
        def get_buffer(self, hint: int) -> Any:
            self.play.note("get_buffer", hint)
            return NONSENSE[what]()

    async def scenario(play: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await talk(play, Protocol(play), ours, theirs)

    # Where asyncio notices depends on what socket.recv_into() says to it.
    history = alike(scenario, calls_only=True)
    assert [call for call, *_ in history].count("connection_lost") == 1
    assert not any(call == "buffer_updated" for call, *_ in history)


# ---- servers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("what", RAISED)
def test_a_factory_of_a_server(alike: Any, what: str, debug: bool) -> None:
    """The connection is closed, and the next is served."""

    async def scenario(play: Any) -> None:
        play.loop.set_debug(debug)
        play.loop.slow_callback_duration = 1000
        fails = [True, False, True, False]

        def factory() -> Any:
            if fails.pop(0):
                raise RAISED[what]()
            return STREAM(play)

        server = await play.loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        while fails:
            with socket.socket() as client:
                client.setblocking(False)
                await play.loop.sock_connect(client, address)
                await play.settle()
                play.note("connected")
                client.send(b"hello")
                await play.settle()
            await play.settle()
        server.close()
        await play.settle()

    history = alike(scenario)
    assert [call for call, *_ in history].count("data_received") == 2


@pytest.mark.parametrize("what", RAISED)
def test_a_factory_of_a_client(alike: Any, what: str) -> None:
    async def scenario(play: Any) -> None:
        def factory() -> Any:
            raise RAISED[what]()

        async def connect(sock: socket.socket) -> None:
            try:
                await play.loop.create_connection(factory, sock=sock)
            except BaseException as error:
                play.note(type(error).__name__)
                raise

        ours, theirs = socket.socketpair()
        with ours, theirs:
            task = play.loop.create_task(connect(ours))
            await play.settle()
            play.note(task.done(), task.cancelled())
            if not task.cancelled():
                task.exception()
            play.note(ours.fileno() >= 0)

    assert alike(scenario)


# ---- the handler of errors, executors, futures --------------------------------------------------


@pytest.mark.parametrize("what", RAISED)
def test_the_exception_handler_itself(alike: Any, what: str, caplog: Any) -> None:
    async def scenario(play: Any) -> None:
        def fail(loop: Any, context: Any) -> None:
            play.note("handler", context["message"][:40])
            raise RAISED[what]()

        def raises() -> None:
            raise ZeroDivisionError

        play.loop.set_exception_handler(fail)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await talk(play, STREAM(play, {"data_received": RAISED["ValueError"]}), ours, theirs)
        caplog.clear()
        play.loop.call_soon(raises)
        await play.settle()
        play.note(*sorted(record.levelname for record in caplog.records))

    # Then asyncio forgets to close the transport.
    alone = what in ("KeyboardInterrupt", "SystemExit")
    assert any(call == "handler" for call, *_ in alike(scenario, alone=alone))


@pytest.mark.parametrize("what", RAISED)
def test_a_call_in_an_executor(alike: Any, what: str) -> None:
    async def scenario(play: Any) -> None:
        def work() -> None:
            raise RAISED[what]()

        async def wait() -> None:
            try:
                await play.loop.run_in_executor(None, work)
            except BaseException as error:
                play.note("raised", type(error).__name__)

        await asyncio.wait([play.loop.create_task(wait())])
        await play.loop.shutdown_default_executor()

    assert len(alike(scenario)) == 1


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("how", ["call_soon", "call_later", "call_soon_threadsafe", "future"])
def test_a_callback(alike: Any, how: str, what: str) -> None:
    async def scenario(play: Any) -> None:
        def fail(*_: Any) -> None:
            play.note("called")
            raise RAISED[what]()

        if how == "future":
            future = play.loop.create_future()
            future.add_done_callback(fail)
            future.set_result(None)
        elif how == "call_later":
            play.loop.call_later(0, fail)
        else:
            getattr(play.loop, how)(fail)
        play.loop.call_soon(play.note, "the next")
        await play.settle()

    history = alike(scenario)
    assert ("called",) in history and ("the next",) in history


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("how", ["reader", "writer"])
def test_a_descriptor(alike: Any, how: str, what: str) -> None:
    async def scenario(play: Any) -> None:
        left, right = socket.socketpair()
        calls = 0

        def fail() -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                getattr(play.loop, f"remove_{how}")(left)
            raise RAISED[what]()

        with left, right:
            right.send(b"x")
            getattr(play.loop, f"add_{how}")(left, fail)
            while calls < 3:
                await play.settle(1)
        play.note(calls)

    assert alike(scenario)[-1] == (3,)


# ---- datagrams ----------------------------------------------------------------------------------


@every("connection_made", "connection_lost", "datagram_received", "error_received")
def test_a_datagram_endpoint(alike: Any, name: str, what: str) -> None:
    async def scenario(play: Any) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            protocol = DATAGRAM(play, {name: RAISED[what]})
            transport, _ = await play.loop.create_datagram_endpoint(
                lambda: protocol, remote_addr=peer.getsockname()
            )
            ours = transport.get_extra_info("sockname")
            for data in (b"first", b"second"):
                peer.sendto(data, ours)
                await play.settle()
        for _ in range(2):
            transport.sendto(b"to nobody")
            await play.settle()
        play.note("closing", transport.is_closing())
        transport.close()
        await play.settle()
        play.note("fileno", transport.get_extra_info("socket").fileno())

    history = alike(scenario)
    assert [call for call, *_ in history].count("connection_lost") == 1
    assert any(call == name for call, *_ in history)


# ---- subprocesses -------------------------------------------------------------------------------

CHILD = "import os, sys; os.write(1, b'%d' % len(sys.stdin.buffer.read()))"


@pytest.mark.parametrize(
    "name",
    ["connection_made", "pipe_data_received", "pipe_connection_lost", "process_exited"],
)
@pytest.mark.parametrize("what", ["ValueError", "Odd", "KeyboardInterrupt"])
def test_a_subprocess(alike: Any, name: str, what: str) -> None:
    async def scenario(play: Any) -> None:
        over = play.loop.create_future()

        class Protocol(SUBPROCESS):  # type: ignore[misc, valid-type]
            def connection_lost(self, exc: BaseException | None) -> None:
                over.set_result(exc)

        protocol = Protocol(play, {name: RAISED[what]})
        transport, _ = await play.loop.subprocess_exec(
            lambda: protocol, sys.executable, "-S", "-c", CHILD, stderr=subprocess.DEVNULL
        )
        stdin = transport.get_pipe_transport(0)
        stdin.write(b"x" * 1000)
        stdin.close()
        await over
        play.note("return code", transport.get_returncode())
        # Which of several pipes ends first is the kernel's choice.
        play.history.sort(key=repr)

    assert any(call == name for call, *_ in alike(scenario))
