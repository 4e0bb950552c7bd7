"""loop.sendfile() over transports, on asyncio, too."""

import asyncio
import contextlib
import io
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import guava_loop
import pytest
from transport_parts import FAMILIES, LOOP_IDS, LOOPS, Keeper, connect, fill, received, until

Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], list[dict[str, Any]]]
CONTENT = bytes(range(251)) * 8000  # two megabytes that do not repeat in steps of a power of two


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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


async def send(*args: Any, **kwargs: Any) -> int:
    return await asyncio.get_running_loop().sendfile(*args, **kwargs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, None), (1000, None), (0, 5000), (1_999_999, 100_000_000), (3, 1), (5_000_000, None)],
)
def test_parts_of_a_file(
    run: Run, path: Path, family: str, offset: int, count: int | None
) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect(family=family)
        wanted = CONTENT[offset:][:count]
        with path.open("rb") as file:
            reading = asyncio.ensure_future(received(peer, len(wanted)))
            assert await send(transport, file, offset, count) == len(wanted)
            if wanted:
                assert file.tell() == offset + len(wanted)
            assert await reading == wanted
        assert transport.is_reading()
        transport.write(b"behind")
        assert await received(peer, 6) == b"behind"
        peer.setblocking(True)
        peer.send(b"and back")
        await until(lambda: protocol.got == b"and back")
        transport.close()
        peer.close()

    assert run(main) == []


def test_an_empty_file(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        (tmp_path / "empty").touch()
        with (tmp_path / "empty").open("rb") as file:
            assert await send(transport, file) == 0
        transport.close()
        peer.close()

    assert run(main) == []


def test_behind_what_was_written(run: Run, path: Path) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        written = fill(transport)
        with path.open("rb") as file:
            sending = asyncio.ensure_future(send(transport, file))
            got = await received(peer, written + len(CONTENT))
            assert await sending == len(CONTENT)
        assert got == b"x" * written + CONTENT
        transport.close()
        peer.close()

    assert run(main) == []


def test_head_and_file(run: Run, path: Path) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        transport.write(b"head:")
        with path.open("rb") as file:
            await send(transport, file, 0, 1000)
        transport.close()
        assert await received(peer, 9999) == b"head:" + CONTENT[:1000]
        peer.close()

    assert run(main) == []


def test_nothing_else_meanwhile(run: Run, path: Path) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        with path.open("rb") as file:
            # The kernel's buffers do not hold all of it.
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            sending = asyncio.ensure_future(send(transport, file))
            while transport.is_reading():
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="unable to write; sendfile is in progress"):
                transport.write(b"x")
            with pytest.raises(RuntimeError, match="sendfile is in progress"):
                transport.writelines([b"x"])
            with pytest.raises((RuntimeError, KeyError)):  # asyncio's, of a table
                await send(transport, file)
            peer.send(b"x")
            await asyncio.sleep(0.01)
            assert protocol.got == b""
            assert await received(peer, len(CONTENT)) == CONTENT
            await sending
            await until(lambda: protocol.got == b"x")
        transport.close()
        peer.close()

    run(main)


def test_paused_stays_paused(run: Run, path: Path) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        transport.pause_reading()
        with path.open("rb") as file:
            await send(transport, file, 0, 100)
        assert not transport.is_reading()
        transport.close()
        peer.close()

    assert run(main) == []


def test_cancelled(path: Path) -> None:
    """The file is let go of at once; its position is where the sending ended. (asyncio leaves it
    where it was.)"""

    async def main() -> None:
        transport, _, peer = await connect()
        with path.open("rb") as file:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
            )
            sending = asyncio.ensure_future(send(transport, file))
            await asyncio.sleep(0.02)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            sent = file.tell()
        assert 0 < sent < len(CONTENT)
        assert transport.is_reading()
        transport.write(b"end")
        assert await received(peer, sent + 3) == CONTENT[:sent] + b"end"
        transport.close()
        peer.close()

    guava_loop.run(main())


def test_the_peer_goes(run: Run, path: Path) -> None:
    async def main() -> None:
        transport, protocol, peer = await connect()
        with path.open("rb") as file:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
            )
            sending = asyncio.ensure_future(send(transport, file))
            await received(peer, 1000)
            peer.close()
            with pytest.raises(ConnectionError):
                await sending
            assert 1000 <= file.tell() < len(CONTENT)
        await protocol.lost
        assert len([c for c in protocol.calls if "lost" in str(c)]) == 1

    run(main)


def test_aborted(path: Path) -> None:
    """On asyncio the sending goes on with a socket that is closed."""

    async def main() -> None:
        transport, protocol, peer = await connect()
        with path.open("rb") as file:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
            )
            sending = asyncio.ensure_future(send(transport, file))
            await asyncio.sleep(0.02)
            transport.abort()
            with pytest.raises(ConnectionError):
                await sending
        assert await protocol.lost is None
        peer.close()

    guava_loop.run(main())


def test_what_is_no_file(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        with pytest.raises(asyncio.SendfileNotAvailableError, match="not a regular file"):
            await send(transport, io.BytesIO(b"bytes"), fallback=False)
        assert await send(transport, io.BytesIO(b"bytes")) == 5
        assert await received(peer, 5) == b"bytes"
        assert transport.is_reading()
        transport.close()
        with pytest.raises(RuntimeError, match="Transport is closing"):
            await send(transport, io.BytesIO(b"bytes"))
        peer.close()

    assert run(main) == []


def test_a_pipe_is_read_by_hand(run: Run) -> None:
    async def main() -> None:
        transport, _, peer = await connect()
        ours, theirs = os.pipe()
        os.write(theirs, b"through a pipe")
        os.close(theirs)
        with open(ours, "rb", buffering=0) as file, contextlib.suppress(OSError):
            await send(transport, file, 0, 100)
            assert await received(peer, 14) == b"through a pipe"
        transport.close()
        peer.close()

    run(main)


def test_two_at_once_on_two_transports(run: Run, path: Path) -> None:
    async def main() -> None:
        async def one() -> None:
            transport, _, peer = await connect(Keeper)
            with path.open("rb") as file:
                reading = asyncio.ensure_future(received(peer, len(CONTENT)))
                assert await send(transport, file) == len(CONTENT)
                assert await reading == CONTENT
            transport.close()
            peer.close()

        await asyncio.gather(one(), one(), one())

    assert run(main) == []
