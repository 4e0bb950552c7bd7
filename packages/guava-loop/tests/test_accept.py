"""Servers: how connections are accepted and given to protocols. On asyncio, too."""

import asyncio
import asyncio.constants
import contextvars
import errno
import gc
import os
import resource
import socket
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import guava_loop
import pytest
from transport_parts import LOOP_IDS, LOOPS, Keeper, received, until

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


def quiet() -> Any:
    """asyncio leaves the socket of a refused connection to the collector, which warns."""
    return warnings.catch_warnings(action="ignore", category=ResourceWarning)


def call(address: Any, n: int) -> list[socket.socket]:
    return [socket.create_connection(address) for _ in range(n)]


def test_many_at_once(run: Run) -> None:
    async def main() -> None:
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        peers = call(server.sockets[0].getsockname(), 70)
        for peer in peers:
            peer.send(b"x")
        await until(lambda: len(kept) == 70 and all(p.got == b"x" for p in kept))
        names = {p.transport.get_extra_info("peername") for p in kept}
        assert names == {peer.getsockname() for peer in peers}
        server.close()
        for peer in peers:
            peer.close()
        for protocol in kept:
            assert await protocol.lost is None

    assert run(main) == []


def test_sockets_are_made_ready(run: Run) -> None:
    async def main() -> None:
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        (peer,) = call(server.sockets[0].getsockname(), 1)
        await until(lambda: kept and kept[0].transport)
        sock = kept[0].transport.get_extra_info("socket")
        assert (sock.family, sock.type, sock.proto) == (
            socket.AF_INET,
            socket.SOCK_STREAM,
            socket.IPPROTO_TCP,
        )
        assert not os.get_inheritable(sock.fileno())
        assert not os.get_blocking(sock.fileno())
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert sock.getpeername() == peer.getsockname()
        kept[0].transport.close()
        assert await received(peer, 1) == b""
        peer.close()
        server.close()

    assert run(main) == []


@pytest.mark.parametrize("debug", [False, True])
def test_a_factory_that_fails(run: Run, debug: bool) -> None:
    """asyncio tells of it in debug mode only; the connection is closed, the next is served."""

    async def main() -> None:
        asyncio.get_running_loop().set_debug(debug)
        kept: list[Keeper] = []
        calls = []

        def factory() -> Keeper:
            calls.append(1)
            if len(calls) == 1:
                raise ZeroDivisionError
            kept.append(Keeper())
            return kept[-1]

        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        first, second = call(server.sockets[0].getsockname(), 2)
        await until(lambda: kept and kept[0].transport)
        gc.collect()
        if not debug:  # where asyncio's socket lives on in the error's traceback
            assert await received(first, 1) == b""
        second.close()
        await kept[0].lost
        first.close()
        server.close()

    with quiet():
        errors = run(main)
    assert [type(e["exception"]) for e in errors] == [ZeroDivisionError] * debug
    for error in errors:
        assert error["message"] == "Error on transport creation for incoming connection"


@pytest.mark.parametrize("factory", LOOPS, ids=LOOP_IDS)
@pytest.mark.parametrize("exc", [KeyboardInterrupt, SystemExit])
def test_a_factory_that_ends_the_program(factory: Any, exc: Any) -> None:
    def stop() -> Any:
        raise exc

    loop = factory()
    server = loop.run_until_complete(loop.create_server(stop, "127.0.0.1", 0))
    (peer,) = call(server.sockets[0].getsockname(), 1)
    with pytest.raises(exc), quiet():
        loop.run_forever()
    server.close()
    with quiet():
        loop.close()
        gc.collect()
    peer.close()


def test_no_descriptors_left(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told once, and tried again after a pause; nobody is lost."""
    monkeypatch.setattr(asyncio.constants, "ACCEPT_RETRY_DELAY", 0.05)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main() -> None:
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, "127.0.0.1", 0)
        main.ours = isinstance(loop, guava_loop.Loop)  # type: ignore[attr-defined]
        peer = socket.socket()
        peer.setblocking(False)
        used = os.dup(0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, limits[1]))
        os.close(used)
        fill = [os.dup(0)]
        try:
            with pytest.raises(BlockingIOError):
                peer.connect(server.sockets[0].getsockname())
            await asyncio.sleep(0.02)
            assert not kept
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for fd in fill:
                os.close(fd)
        await until(lambda: kept and kept[0].transport)
        peer.close()
        await kept[0].lost
        server.close()

    try:
        errors = run(main)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    # asyncio tells as often as its backlog is long.
    error = errors[0]
    assert len(errors) == 1 or not main.ours  # type: ignore[attr-defined]
    assert error["message"] == "socket.accept() out of system resource"
    assert error["exception"].errno == errno.EMFILE
    assert isinstance(error["socket"], asyncio.trsock.TransportSocket)


def test_closed_by_its_own_factory(run: Run) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_debug(False)  # where a refusal is told of
        kept: list[Keeper] = []

        def factory() -> Keeper:
            server.close()
            kept.append(Keeper())
            return kept[-1]

        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        peers = call(server.sockets[0].getsockname(), 5)
        await until(lambda: kept)
        await asyncio.sleep(0.02)
        for protocol in kept:  # a server that is closed takes no transports, until 3.13
            if protocol.transport is not None:
                protocol.transport.close()
                await protocol.lost
        for peer in peers:
            peer.close()

    with quiet():
        assert run(main) == []


def test_wait_closed_waits_for_connections(run: Run) -> None:
    """Server._attach() and _detach() are called."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0)
        peers = call(server.sockets[0].getsockname(), 2)
        await until(lambda: len(kept) == 2 and all(p.transport for p in kept))

        def attached() -> int:
            return getattr(server, "_active_count", None) or len(getattr(server, "_clients", ()))

        assert attached() == 2
        if hasattr(server, "close_clients"):
            assert set(server._clients) == {p.transport for p in kept}
        server.close()
        for protocol in kept:
            protocol.transport.abort()
        await server.wait_closed()
        await until(lambda: attached() == 0)  # before 3.12.1, wait_closed() did not wait
        for peer in peers:
            peer.close()

    assert run(main) == []


def test_each_connection_has_its_own_context(run: Run) -> None:
    var = contextvars.ContextVar("var", default=0)

    async def main() -> None:
        var.set(1)
        seen: list[list[int]] = []
        kept: list[Keeper] = []

        class Noting(Keeper):
            def __init__(self) -> None:
                super().__init__()
                self.seen = [var.get()]
                seen.append(self.seen)
                var.set(var.get() + 1)

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                self.seen.append(var.get())

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                self.seen.append(var.get())
                var.set(var.get() + 10)

        def factory() -> Keeper:
            kept.append(Noting())
            return kept[-1]

        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        var.set(100)
        peers = call(server.sockets[0].getsockname(), 3)
        for round_ in (1, 2):
            for peer in peers:
                peer.send(b"x")
            await until(lambda: len(kept) == 3 and all(len(p.got) == round_ for p in kept))  # noqa: B023
        assert seen == [[1, 2, 2, 12]] * 3
        for peer in peers:
            peer.close()
        for protocol in kept:
            await protocol.lost
        server.close()

    assert run(main) == []


def test_start_serving_later(run: Run) -> None:
    async def main() -> None:
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        server = await asyncio.get_running_loop().create_server(
            factory, "127.0.0.1", 0, start_serving=False
        )
        sock = server.sockets[0]
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            call(sock.getsockname(), 1)
        await server.start_serving()
        (peer,) = call(sock.getsockname(), 1)
        await until(lambda: kept and kept[0].transport)
        peer.close()
        await kept[0].lost
        server.close()
        assert not server.is_serving()

    assert run(main) == []


def test_nothing_is_made_before_it_is_asked_for() -> None:
    """An accepted connection has no socket object, until somebody wants it."""

    async def main() -> None:
        kept: list[Keeper] = []

        def factory() -> Keeper:
            kept.append(Keeper())
            return kept[-1]

        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        (peer,) = call(server.sockets[0].getsockname(), 1)
        await until(lambda: kept and kept[0].transport)
        referents = gc.get_referents(kept[0].transport)
        assert not [r for r in referents if isinstance(r, (dict, socket.socket))]
        assert kept[0].transport.get_extra_info("socket").fileno() >= 0
        assert [r for r in gc.get_referents(kept[0].transport) if isinstance(r, socket.socket)]
        peer.close()
        await kept[0].lost
        server.close()

    guava_loop.run(main())
