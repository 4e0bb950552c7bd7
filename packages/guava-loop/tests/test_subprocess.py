"""Subprocesses: the same on asyncio's loop and on ours. CPython's own tests of them run in
conformance/; here is what our pipes add, and what went wrong elsewhere."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio import base_subprocess
from collections.abc import Iterator
from typing import Any

import guava_loop
import pytest
from guava_loop.transports import ReadPipeTransport, WritePipeTransport

FACTORIES = {"asyncio": asyncio.SelectorEventLoop, "guava": guava_loop.new_event_loop}
PIPE = subprocess.PIPE


@pytest.fixture(params=FACTORIES)
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = FACTORIES[request.param]()
    errors: list[dict[str, Any]] = []
    made.set_exception_handler(lambda _, context: errors.append(context))
    made.errors = errors
    made.ours = request.param == "guava"
    asyncio.set_event_loop(made)  # a child watcher of 3.11 may ask for it
    yield made
    asyncio.set_event_loop(None)
    made.close()
    assert errors == []


async def python(code: str, **kwargs: Any) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code, **kwargs)


def test_the_pipes_are_ours(loop):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        transport = process._transport
        kinds = [type(transport.get_pipe_transport(fd)) for fd in (0, 1, 2)]
        ours = [WritePipeTransport, ReadPipeTransport, ReadPipeTransport]
        assert (kinds == ours) is loop.ours
        assert await process.communicate(b"meow") == (b"meow", b"")
        assert process.returncode == 0

    loop.run_until_complete(main())


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_000])
def test_communicate(loop, size: int):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        sent = os.urandom(size)
        out, err = await process.communicate(sent)
        assert out == sent and err is None
        assert await process.wait() == 0

    loop.run_until_complete(main())


@pytest.mark.parametrize("size", [1, 1024, 100 * 1024, 1_000_000])
def test_there_and_back(loop, size: int):
    """The pipes of a busy subprocess grow; what goes through stays in order."""

    async def main():
        process = await asyncio.create_subprocess_exec(
            "cat", stdin=PIPE, stdout=PIPE, limit=1 << 20
        )
        for _ in range(5):
            sent = os.urandom(size)
            process.stdin.write(sent)
            assert await process.stdout.readexactly(size) == sent
        process.stdin.close()
        assert await process.stdout.read() == b""
        assert await process.wait() == 0

    loop.run_until_complete(main())


def test_both_outputs_at_once(loop):
    async def main():
        process = await python(
            "import sys\n"
            "for i in range(200):\n"
            "    sys.stdout.write('o' * 1000); sys.stderr.write('e' * 1000)\n",
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate()
        assert out == b"o" * 200_000 and err == b"e" * 200_000

    loop.run_until_complete(main())


def test_a_slow_reader_holds_the_writer_up(loop):
    async def main():
        process = await python(
            "import sys\nfor i in range(20000): print('%099d' % i)", stdout=PIPE
        )
        transport = process._transport.get_pipe_transport(1)
        while transport.is_reading():
            await asyncio.sleep(0.001)
        for i in range(20_000):
            assert int(await process.stdout.readline()) == i
        assert await process.stdout.read() == b""
        assert await process.wait() == 0

    loop.run_until_complete(main())


def test_a_reader_that_goes(loop):
    async def main():
        process = await python("import sys; sys.stdin.close()", stdin=PIPE)
        with pytest.raises(ConnectionError):
            while True:
                process.stdin.write(b"x" * 100_000)
                await process.stdin.drain()
        await process.wait()
        # It may be written to for ever, and raises nothing.
        for _ in range(3):
            process.stdin.write(b"x")

    loop.run_until_complete(main())


def test_communicate_with_one_that_does_not_read(loop):
    async def main():
        process = await python("print('done')", stdin=PIPE, stdout=PIPE)
        out, _ = await process.communicate(b"x" * 1_000_000)
        assert out == b"done\n" and process.returncode == 0

    loop.run_until_complete(main())


def test_output_after_the_end(loop):
    """A grandchild keeps the pipe open and writes when the child is gone."""

    async def main():
        process = await asyncio.create_subprocess_shell(
            "(sleep 0.05; echo late) & exit 3", stdout=PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 3 and out == b"late\n"

    loop.run_until_complete(main())


def test_signals_and_exit_codes(loop):
    async def main():
        for stop, code in (
            ("terminate", -signal.SIGTERM),
            ("kill", -signal.SIGKILL),
        ):
            process = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
            getattr(process, stop)()
            assert await process.wait() == code
        process = await asyncio.create_subprocess_shell("exit 7")
        assert await process.wait() == 7

    loop.run_until_complete(main())


def test_sigchld_stays_the_programs(loop):
    before = signal.getsignal(signal.SIGCHLD)

    async def main():
        process = await asyncio.create_subprocess_exec("true")
        await process.wait()
        assert signal.getsignal(signal.SIGCHLD) is before
        # And a process that is not ours is not waited for.
        foreign = subprocess.Popen(["true"])
        process = await asyncio.create_subprocess_exec("true")
        await process.wait()
        assert foreign.wait() == 0

    loop.run_until_complete(main())


def test_what_is_not_there(loop):
    async def main():
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                await asyncio.create_subprocess_exec("/no/such/program", stdin=PIPE, stdout=PIPE)
        after = len(os.listdir("/proc/self/fd")) if before else 0
        assert after <= before + 1

    loop.run_until_complete(main())


def test_many_at_once(loop):
    async def one(i: int) -> bytes:
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        out, _ = await process.communicate(b"%d" % i)
        return out

    async def main():
        outs = await asyncio.gather(*(one(i) for i in range(20)))
        assert outs == [b"%d" % i for i in range(20)]

    loop.run_until_complete(main())


def test_the_standard_streams_can_be_opened_by_name(loop):
    """They are pipes, where uvloop's are sockets, which have no name that can be opened."""

    async def main():
        process = await asyncio.create_subprocess_shell(
            "cat /dev/stdin > /dev/stdout; echo oops > /dev/stderr",
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        assert await process.communicate(b"by name") == (b"by name", b"oops\n")

    loop.run_until_complete(main())


def test_transports_end_in_order(loop):
    class Protocol(asyncio.SubprocessProtocol):
        def __init__(self) -> None:
            self.calls: list[Any] = []
            self.over = asyncio.get_running_loop().create_future()

        def connection_made(self, transport):
            self.calls.append("made")

        def pipe_data_received(self, fd, data):
            self.calls.append((fd, data))

        def pipe_connection_lost(self, fd, exc):
            self.calls.append((fd, exc))

        def process_exited(self):
            self.calls.append("exited")

        def connection_lost(self, exc):
            self.calls.append("lost")
            self.over.set_result(None)

    async def main():
        transport, protocol = await loop.subprocess_exec(
            Protocol, "echo", "-n", "word", stdin=None, stderr=None
        )
        await protocol.over
        calls = protocol.calls
        assert calls[0] == "made" and calls[-1] == "lost" and len(calls) == 5
        assert calls.index((1, b"word")) < calls.index((1, None))
        assert "exited" in calls and transport.get_returncode() == 0
        transport.close()

    loop.run_until_complete(main())


def test_a_subprocess_that_is_left(loop):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        process._transport.close()
        assert await process.wait() == -signal.SIGKILL

    loop.run_until_complete(main())


# ---- ours alone --------------------------------------------------------------------------------

needs_sizes = pytest.mark.skipif(sys.platform != "linux", reason="sizes of pipes are Linux's")


def size_of(transport: Any) -> int:
    import fcntl

    return fcntl.fcntl(transport.get_extra_info("pipe").fileno(), fcntl.F_GETPIPE_SZ)


@needs_sizes
@pytest.mark.parametrize("chosen", [None, 1 << 17])
def test_busy_pipes_grow_unless_their_size_was_chosen(chosen: int | None):
    async def main():
        more = {} if chosen is None else {"pipesize": chosen}
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE, **more)
        ends = [process._transport.get_pipe_transport(fd) for fd in (0, 1)]
        before = [size_of(end) for end in ends]
        process.stdin.write(b"x")
        await process.stdout.readexactly(1)
        assert [size_of(end) for end in ends] == before
        for _ in range(20):
            process.stdin.write(bytes(200_000))
            await process.stdout.readexactly(200_000)
        after = [size_of(end) for end in ends]
        if chosen is not None:
            assert after == before == [chosen] * 2
        elif before[0] == 65536:  # and no less, where a user has very many
            assert after[0] in (65536, 262144)
        process.stdin.close()
        await process.wait()

    guava_loop.run(main())


def test_names_of_asyncio_that_this_stands_on():
    assert issubclass(
        base_subprocess.ReadSubprocessPipeProto, base_subprocess.WriteSubprocessPipeProto
    )
