"""Pipes: the same on asyncio's loop and on ours, but for what is said to differ."""

import asyncio
import contextvars
import errno
import fcntl
import gc
import os
import socket
import stat
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import guava_loop
import pytest
from guava_loop.transports import ReadPipeTransport, WritePipeTransport

FACTORIES = {"asyncio": asyncio.SelectorEventLoop, "guava": guava_loop.new_event_loop}
LOST = "pipe closed by peer or os.write(pipe, data) raised exception."


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


class Recorder(asyncio.Protocol):
    """Keeps what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.calls: list[Any] = []
        self.lost = asyncio.get_running_loop().create_future()
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes and data
        self.got += data
        self.news.set()

    def eof_received(self) -> None:
        self.calls.append("eof")

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


async def reader(fd: int) -> tuple[Any, Recorder]:
    pipe = open(fd, "rb", 0)  # noqa: SIM115
    return await asyncio.get_running_loop().connect_read_pipe(Recorder, pipe)


async def writer(fd: int) -> tuple[Any, Recorder]:
    pipe = open(fd, "wb", 0)  # noqa: SIM115
    return await asyncio.get_running_loop().connect_write_pipe(Recorder, pipe)


def fill(transport: Any) -> int:
    """Write until some of it has to wait. How many bytes were written."""
    size = 0
    while transport.get_write_buffer_size() == 0:
        transport.write(b"x" * 1000)
        size += 1000
    return size


def drain(fd: int) -> int:
    """Read what there is. How many bytes."""
    os.set_blocking(fd, False)
    size = 0
    while True:
        try:
            part = os.read(fd, 1 << 20)
        except BlockingIOError:
            return size
        if not part:
            return size
        size += len(part)


# ---- reading -----------------------------------------------------------------------------------


def test_the_transports_are_ours(loop):
    async def main():
        r, w = os.pipe()
        reading, _ = await reader(r)
        writing, _ = await writer(w)
        assert isinstance(reading, asyncio.ReadTransport)
        assert isinstance(writing, asyncio.WriteTransport)
        assert isinstance(reading, ReadPipeTransport) is loop.ours
        assert isinstance(writing, WritePipeTransport) is loop.ours
        reading.close()
        writing.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("size", [1, 1024, 65536, 1_000_000])
def test_through_a_pipe(loop, size: int):
    async def main():
        r, w = os.pipe()
        reading, there = await reader(r)
        writing, here = await writer(w)
        sent = os.urandom(size)
        writing.write(sent)
        await there.until(lambda: len(there.got) == size)
        assert there.got == sent
        writing.close()
        assert await there.lost is None and await here.lost is None
        assert there.calls == ["made", "eof", "lost"]
        assert [call for call in here.calls if call in ("made", "lost")] == ["made", "lost"]
        assert reading.is_closing() and writing.is_closing()
        for fd in (r, w):
            with pytest.raises(OSError) as caught:
                os.fstat(fd)
            assert caught.value.errno == errno.EBADF

    loop.run_until_complete(main())


def test_what_was_written_before_the_end_is_read(loop):
    async def main():
        r, w = os.pipe()
        os.write(w, b"last words")
        os.close(w)
        _, there = await reader(r)
        assert await there.lost is None
        assert there.got == b"last words"

    loop.run_until_complete(main())


def test_pausing(loop):
    async def main():
        r, w = os.pipe()
        reading, there = await reader(r)
        assert reading.is_reading()
        reading.pause_reading()
        reading.pause_reading()
        assert not reading.is_reading()
        os.write(w, b"1")
        for _ in range(5):
            await asyncio.sleep(0)
        assert there.got == b""
        reading.resume_reading()
        reading.resume_reading()
        reading.pause_reading()
        reading.resume_reading()
        await there.until(lambda: there.got == b"1")
        # Before the loop polls again, and after it.
        for turns in (0, 0, 1, 0):
            reading.pause_reading()
            for _ in range(turns):
                await asyncio.sleep(0)
            os.write(w, b"2")
            reading.resume_reading()
            await there.until(lambda: there.got[-1:] == b"2")
            there.got.clear()
        reading.close()
        assert not reading.is_reading()
        reading.pause_reading()
        reading.resume_reading()
        os.close(w)
        assert await there.lost is None

    loop.run_until_complete(main())


def test_pause_and_close_in_a_callback(loop):
    async def main():
        r, w = os.pipe()
        reading, there = await reader(r)
        received = there.data_received

        def data_received(data):
            received(data)
            reading.pause_reading()

        there.data_received = data_received
        total = 0
        for _ in range(3):
            os.write(w, b"x" * 5000)
            total += 5000
            await there.until(lambda: len(there.got) == total)  # noqa: B023
            assert not reading.is_reading()
            reading.resume_reading()

        def close_now(data):
            received(data)
            reading.close()
            reading.close()

        there.data_received = close_now
        os.write(w, b"end")
        assert await there.lost is None
        assert there.calls == ["made", "lost"]
        os.close(w)

    loop.run_until_complete(main())


def test_paused_before_the_start(loop):
    async def main():
        r, w = os.pipe()
        os.write(w, b"x")

        class Paused(Recorder):
            def connection_made(self, transport):
                super().connection_made(transport)
                transport.pause_reading()

        pipe = open(r, "rb", 0)  # noqa: SIM115
        reading, there = await loop.connect_read_pipe(Paused, pipe)
        for _ in range(3):
            await asyncio.sleep(0)
        assert there.got == b""
        reading.resume_reading()
        await there.until(lambda: there.got)
        reading.close()
        os.close(w)

    loop.run_until_complete(main())


def test_what_data_received_raises_is_reported(loop):
    async def main():
        r, w = os.pipe()
        reading, there = await reader(r)

        def data_received(data):
            there.got += data
            there.news.set()
            raise ValueError("mine")

        there.data_received = data_received
        for count in (1, 2):
            os.write(w, b"x")
            await there.until(lambda count=count: len(there.got) == count)
        while len(loop.errors) < 2:
            await asyncio.sleep(0)
        assert [str(context["exception"]) for context in loop.errors] == ["mine", "mine"]
        assert all("_read_ready()" in context["message"] for context in loop.errors)
        loop.errors.clear()
        reading.close()
        os.close(w)
        assert await there.lost is None

    loop.run_until_complete(main())


@pytest.mark.parametrize("leaves", [KeyboardInterrupt, SystemExit])
def test_what_ends_programs_leaves_the_loop(loop, leaves: type[BaseException]):
    async def start():
        r, w = os.pipe()
        return *await reader(r), w

    reading, there, w = loop.run_until_complete(start())

    def data_received(data):
        raise leaves

    there.data_received = data_received
    os.write(w, b"x")
    with pytest.raises(leaves):
        loop.run_forever()
    reading.close()
    os.close(w)
    loop.run_until_complete(there.lost)


def test_a_read_that_fails(loop):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as server:
            left = socket.create_connection(server.getsockname())
            right, _ = server.accept()
        reading, there = await loop.connect_read_pipe(Recorder, left)
        right.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        right.close()  # by a reset
        assert isinstance(await there.lost, ConnectionResetError)
        assert there.calls == ["made", "lost"]
        context = loop.errors.pop()
        assert context["message"] == "Fatal read error on pipe transport"
        assert context["transport"] is reading and context["protocol"] is there

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/pts is Linux's")
def test_a_terminal_that_is_gone(loop):
    async def main():
        master, slave = os.openpty()
        reading, there = await reader(master)
        os.write(slave, b"hello")
        await there.until(lambda: there.got == b"hello")
        os.close(slave)
        assert (await there.lost).errno == errno.EIO
        assert there.calls == ["made", "lost"]
        del reading

    loop.run_until_complete(main())


# ---- writing -----------------------------------------------------------------------------------


def test_kinds_of_data(loop):
    async def main():
        r, w = os.pipe()
        writing, _ = await writer(w)
        for data in (b"1", bytearray(b"2"), memoryview(b"3"), b"", bytearray(), memoryview(b"")):
            writing.write(data)
        writing.writelines([b"4", bytearray(b"5"), memoryview(b"6")])
        assert os.read(r, 100) == b"123456"
        for wrong in ("text", 1, None, [b"x"]):
            with pytest.raises((AssertionError, TypeError)):
                writing.write(wrong)
        assert writing.can_write_eof() is True
        writing.close()
        os.close(r)

    loop.run_until_complete(main())


def test_order_is_kept_in_a_full_pipe(loop):
    async def main():
        r, w = os.pipe()
        reading, there = await reader(r)
        reading.pause_reading()
        writing, _ = await writer(w)
        sent = bytearray()
        for i in range(300):
            data = b"%d," % i * (i * 37 % 900 + 1)
            data = (bytes, bytearray, memoryview)[i % 3](data)
            writing.write(data)
            sent += data
            if isinstance(data, bytearray):
                data[:] = b"?" * len(data)  # it was copied, if it had to wait
        assert writing.get_write_buffer_size() > 0
        reading.resume_reading()
        await there.until(lambda: len(there.got) == len(sent))
        assert there.got == sent
        assert writing.get_write_buffer_size() == 0
        writing.close()
        await there.lost

    loop.run_until_complete(main())


def test_limits(loop):
    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)
        assert writing.get_write_buffer_limits() == (16384, 65536)
        writing.set_write_buffer_limits(high=10_000, low=5_000)
        fill(writing)
        writing.write(b"y" * (10_000 - writing.get_write_buffer_size()))
        assert here.calls == ["made"]
        writing.write(b"y")
        writing.write(b"y")
        assert here.calls == ["made", "pause"]
        drain(r)
        await here.until(lambda: "resume" in here.calls)
        assert here.calls == ["made", "pause", "resume"]
        writing.set_write_buffer_limits(high=0)
        assert writing.get_write_buffer_limits() == (0, 0)
        with pytest.raises(ValueError, match="must be >= low"):
            writing.set_write_buffer_limits(1, 2)
        writing.close()
        drain(r)
        assert await here.lost is None
        os.close(r)

    loop.run_until_complete(main())


def test_what_pause_writing_raises_is_reported(loop):
    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)

        def pause_writing():
            raise ValueError("mine")

        here.pause_writing = pause_writing
        writing.set_write_buffer_limits(high=10)
        fill(writing)
        context = loop.errors.pop()
        assert context["message"] == "protocol.pause_writing() failed"
        assert context["transport"] is writing and context["protocol"] is here
        writing.abort()
        assert await here.lost is None
        os.close(r)

    loop.run_until_complete(main())


def test_close_writes_what_waits(loop):
    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)
        size = fill(writing)
        writing.write(b"y" * 200_000)
        size += 200_000
        writing.write_eof()
        writing.close()
        assert writing.is_closing() and not here.lost.done()
        got = 0
        while not here.lost.done():
            got += drain(r)
            await asyncio.sleep(0)
        got += drain(r)
        assert got == size and here.lost.result() is None
        assert os.read(r, 1) == b""
        os.close(r)

    loop.run_until_complete(main())


def test_abort_drops_what_waits(loop):
    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)
        size = fill(writing) - writing.get_write_buffer_size()
        writing.close()
        writing.abort()
        assert not here.lost.done() and writing.get_write_buffer_size() == 0
        assert await here.lost is None
        assert here.calls.count("lost") == 1
        assert drain(r) == size
        os.close(r)

    loop.run_until_complete(main())


def test_the_reader_goes(loop):
    """It is noticed without a write."""

    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)
        os.close(r)
        assert await here.lost is None
        assert writing.is_closing()

    loop.run_until_complete(main())


def test_the_reader_goes_while_bytes_wait(loop):
    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)
        fill(writing)
        os.close(r)
        assert isinstance(await here.lost, BrokenPipeError)
        assert writing.get_write_buffer_size() == 0

    loop.run_until_complete(main())


def test_the_reader_goes_while_the_last_bytes_wait(loop):
    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)
        fill(writing)
        writing.write_eof()
        os.close(r)
        assert isinstance(await here.lost, BrokenPipeError)

    loop.run_until_complete(main())


def test_writing_to_a_broken_pipe(loop, caplog: pytest.LogCaptureFixture):
    async def main():
        r, w = os.pipe()
        writing, here = await writer(w)
        os.close(r)
        writing.write(b"x")
        assert writing.is_closing()
        for _ in range(3):
            writing.write(b"x")
        assert not caplog.records
        for _ in range(3):
            writing.write(b"x")
        assert isinstance(await here.lost, BrokenPipeError)
        for _ in range(3):
            writing.write(b"x")
            writing.write_eof() if loop.ours else None
            writing.close()
        assert here.calls == ["made", "lost"]

    with caplog.at_level("WARNING", "asyncio"):
        loop.run_until_complete(main())
    assert [record.getMessage() for record in caplog.records] == [LOST] * 5


def test_a_socket_whose_peer_talks_is_closed(loop):
    """asyncio takes whatever can be read from the other end for its end."""

    async def main():
        left, right = socket.socketpair()
        writing, here = await loop.connect_write_pipe(Recorder, left)
        writing.write(b"x")
        assert right.recv(10) == b"x"
        right.send(b"y")
        assert await here.lost is None
        right.close()
        assert writing.is_closing()

    loop.run_until_complete(main())


# ---- both --------------------------------------------------------------------------------------


def test_kinds_of_files(loop, tmp_path):
    async def main():
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reading, there = await reader(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))
        writing, _ = await writer(os.open(fifo, os.O_WRONLY))
        writing.write(b"fifo")
        await there.until(lambda: there.got == b"fifo")
        reading.close()
        writing.close()

        left, right = socket.socketpair()
        reading, there = await loop.connect_read_pipe(Recorder, left)
        writing, _ = await loop.connect_write_pipe(Recorder, right)
        writing.write(b"socket")
        await there.until(lambda: there.got == b"socket")
        writing.close()
        await there.lost

        master, slave = os.openpty()
        reading, there = await reader(os.dup(master))
        writing, here = await writer(slave)
        writing.write(b"terminal")
        await there.until(lambda: there.got == b"terminal")
        assert "lost" not in here.calls
        reading.close()
        writing.close()
        assert await here.lost is None
        os.close(master)

    loop.run_until_complete(main())


def test_a_terminal_read_and_written_by_one_descriptor(loop):
    async def main():
        master, slave = os.openpty()
        both = open(master, "rb+", 0)  # noqa: SIM115
        reading, there = await loop.connect_read_pipe(Recorder, both)
        writing, _ = await loop.connect_write_pipe(Recorder, both)
        os.write(slave, b"in")
        await there.until(lambda: there.got == b"in")
        writing.write(b"out\n")
        assert os.read(slave, 100) == b"out\n"
        reading.close()
        await there.lost
        writing.abort()
        await asyncio.sleep(0)
        os.close(slave)

    loop.run_until_complete(main())


# asyncio's own fails once more when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_no_pipe(loop):
    async def main():
        with tempfile.TemporaryFile() as file:
            with pytest.raises(ValueError, match=r"Pipe transport is for pipes/sockets only\."):
                await loop.connect_read_pipe(Recorder, file)
            with pytest.raises(ValueError, match="only for pipes, sockets and character devices"):
                await loop.connect_write_pipe(Recorder, file)
            assert not file.closed
        with pytest.raises(AttributeError):
            await loop.connect_read_pipe(Recorder, 1)

    loop.run_until_complete(main())


def test_descriptors_are_made_non_blocking(loop):
    async def main():
        r, w = os.pipe()
        reading, _ = await reader(r)
        writing, _ = await writer(w)
        assert not os.get_blocking(r) and not os.get_blocking(w)
        reading.close()
        writing.close()

    loop.run_until_complete(main())


def test_extra_info_and_protocols(loop):
    async def main():
        r, w = os.pipe()
        pipe = open(r, "rb", 0)  # noqa: SIM115
        reading, there = await loop.connect_read_pipe(Recorder, pipe)
        assert reading.get_extra_info("pipe") is pipe and reading._pipe is pipe
        assert reading.get_extra_info("spam", 1) == 1
        other = Recorder()
        assert reading.get_protocol() is there
        reading.set_protocol(other)
        os.write(w, b"x")
        await other.until(lambda: other.got)
        os.close(w)
        await other.lost
        assert there.calls == ["made"] and reading.get_protocol() is None

    loop.run_until_complete(main())


def test_repr(loop):
    async def main():
        r, w = os.pipe()
        reading, there = await reader(r)
        writing, here = await writer(w)
        name = type(reading).__name__
        assert repr(reading) == f"<{name} fd={r} polling>"
        reading.pause_reading()
        assert repr(reading) == f"<{name} fd={r} idle>"
        reading.close()
        assert repr(reading) == f"<{name} closing fd={r} idle>"
        await there.lost
        assert repr(reading) == f"<{name} closed fd={r} closed>"
        await here.lost
        r, w = os.pipe()
        writing, here = await writer(w)
        name = type(writing).__name__
        assert repr(writing) == f"<{name} fd={w} idle bufsize=0>"
        fill(writing)
        size = writing.get_write_buffer_size()
        assert repr(writing) == f"<{name} fd={w} polling bufsize={size}>"
        writing.abort()
        await here.lost
        assert repr(writing) == f"<{name} closed fd={w} closed>"
        os.close(r)

    loop.run_until_complete(main())


def test_context(loop):
    var = contextvars.ContextVar("var", default=0)

    async def main():
        var.set(1)
        r, w = os.pipe()
        reading, there = await reader(r)
        var.set(2)
        seen = []
        received = there.data_received

        def data_received(data):
            received(data)
            seen.append(var.get())
            var.set(var.get() + 10)

        there.data_received = data_received
        for count in (1, 2):
            os.write(w, b"x")
            await there.until(lambda count=count: len(there.got) == count)
        reading.pause_reading()
        reading.resume_reading()
        os.write(w, b"x")
        await there.until(lambda: len(there.got) == 3)
        assert seen == [1, 11, 2]
        reading.close()
        os.close(w)

    loop.run_until_complete(main())


def test_unclosed(loop):
    async def main():
        r, w = os.pipe()
        reading, there = await reader(r)
        reading.pause_reading()  # from now on the loop does not keep it
        gc.collect()  # what earlier tests have left
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del reading, there.transport
            gc.collect()
        assert [warning.category for warning in caught] == [ResourceWarning]
        assert str(caught[0].message).startswith("unclosed transport <")
        caught.clear()
        with pytest.raises(OSError):
            os.fstat(r)
        # The number is free, and may be watched as if nothing had been.
        r2, w2 = os.pipe()
        assert r2 == r
        again, there = await reader(r2)
        os.write(w2, b"x")
        await there.until(lambda: there.got)
        again.close()
        os.close(w)
        os.close(w2)

    loop.run_until_complete(main())


def test_the_loop_is_closed_with_live_ones(loop):
    async def main():
        r, w = os.pipe()
        reading, writing = (await reader(r))[0], (await writer(w))[0]
        fill(writing)
        return reading, writing

    reading, writing = loop.run_until_complete(main())
    loop.close()
    assert "open" in repr(reading) and "open" in repr(writing)
    for transport in (reading, writing):
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            getattr(transport, "abort", transport.close)()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del reading, writing, transport
        gc.collect()
    told = [str(warning.message) for warning in caught]
    assert sum(text.startswith("unclosed transport <") for text in told) == 2


def test_cancelled_while_it_connects(loop):
    async def main():
        r, w = os.pipe()
        task = loop.create_task(reader(r))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        with pytest.raises(OSError):
            os.fstat(r)
        os.close(w)

    loop.run_until_complete(main())


def test_closed_in_connection_made(loop):
    async def main():
        class Short(Recorder):
            def connection_made(self, transport):
                super().connection_made(transport)
                transport.close()

        r, w = os.pipe()
        # In debug mode asyncio's code logs the number of the pipe, which has none any more.
        loop.set_debug(False)
        _, there = await loop.connect_read_pipe(Short, open(r, "rb", 0))  # noqa: SIM115
        assert await there.lost is None
        assert there.calls == ["made", "lost"]
        os.close(w)

    loop.run_until_complete(main())


def test_streams(loop):
    async def main():
        r, w = os.pipe()
        stream = asyncio.StreamReader(limit=1000)
        reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream),
            open(r, "rb", 0),  # noqa: SIM115
        )
        writing, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin,
            open(w, "wb", 0),  # noqa: SIM115
        )
        out = asyncio.StreamWriter(writing, protocol, None, loop)

        async def produce():
            for i in range(2000):
                out.write(b"%0100d\n" % i)
                await out.drain()
            out.close()

        task = loop.create_task(produce())
        for i in range(2000):
            assert int(await stream.readline()) == i
        assert await stream.read() == b""
        await task
        assert reading.is_closing()

    loop.run_until_complete(main())


# ---- ours alone --------------------------------------------------------------------------------


def test_the_type_of_wrong_data():
    async def main():
        r, w = os.pipe()
        writing, _ = await writer(w)
        with pytest.raises(
            TypeError, match="data argument must be a bytes-like object, not 'str'"
        ):
            writing.write("text")
        with pytest.raises(TypeError, match="a guava_loop"):
            WritePipeTransport(object(), writing._pipe, Recorder())
        writing.close()
        os.close(r)

    guava_loop.run(main())


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="sizes of pipes are Linux's")
def test_pipes_of_users_keep_their_size():
    async def main():
        r, w = os.pipe()
        before = fcntl.fcntl(w, fcntl.F_GETPIPE_SZ)
        reading, there = await reader(r)
        writing, _ = await writer(w)
        writing.write(b"x" * 500_000)
        await there.until(lambda: len(there.got) == 500_000)
        assert fcntl.fcntl(w, fcntl.F_GETPIPE_SZ) == before
        assert stat.S_ISFIFO(os.fstat(w).st_mode)
        reading.close()
        writing.close()

    guava_loop.run(main())
