"""anyio's own primitives: streams of every kind, processes, threads, signals, cancellation."""

import asyncio
import os
import signal
import socket
import ssl
import sys
import threading

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener, TLSStream

BIG = os.urandom(1 << 20) * 4


@pytest.fixture
def backend(factory):
    return {"backend": "asyncio", "backend_options": {"loop_factory": factory}}


async def echo(stream):
    async with stream:
        async for data in stream:
            await stream.send(data)
        await stream.send_eof()


async def told_back(stream, data):
    """Sends, ends, and reads what comes back at the same time."""
    parts = []

    async def send():
        await stream.send(data)
        await stream.send_eof()

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        async for part in stream:
            parts.append(part)
    return b"".join(parts)


def test_tcp(run):
    async def main():
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
                streams = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(5)]
                for stream in streams:
                    async with stream:
                        attribute = anyio.abc.SocketAttribute.remote_port
                        assert stream.extra(attribute) == port
                        assert await told_back(stream, BIG) == BIG
                group.cancel_scope.cancel()

    run(main)


def test_tcp_by_name_tries_every_address(run):
    """Happy eyeballs: localhost may be ::1 first, where nobody listens."""

    async def main():
        async with (
            await anyio.create_tcp_listener(
                local_host="127.0.0.1", family=socket.AF_INET
            ) as listener,
            anyio.create_task_group() as group,
        ):
            group.start_soon(listener.serve, echo)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            async with await anyio.connect_tcp("localhost", port) as stream:
                assert await told_back(stream, b"hello") == b"hello"
            group.cancel_scope.cancel()

    run(main)


def test_refused(run):
    async def main():
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
        with pytest.raises(OSError):
            await anyio.connect_tcp("127.0.0.1", port)

    run(main)


def test_unix_socket_and_descriptors(run, tmp_path):
    async def main():
        path = tmp_path / "socket"
        async with await anyio.create_unix_listener(path) as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)
                async with await anyio.connect_unix(path) as stream:
                    assert await told_back(stream, BIG) == BIG
                group.cancel_scope.cancel()

        async def take(stream):
            async with stream:
                data, (fd,) = await stream.receive_fds(10, 1)
                with os.fdopen(fd) as file:
                    await stream.send(data + file.read().encode())

        (tmp_path / "file").write_text("its text")
        async with await anyio.create_unix_listener(tmp_path / "other") as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, take)
                async with await anyio.connect_unix(tmp_path / "other") as stream:
                    with open(tmp_path / "file") as file:
                        await stream.send_fds(b"with ", [file])
                    assert await stream.receive() == b"with its text"
                group.cancel_scope.cancel()

    run(main)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_udp(run, host):
    family = socket.AF_INET if host == "127.0.0.1" else socket.AF_INET6

    async def main():
        async with await anyio.create_udp_socket(family, local_host=host) as server:
            address = server.extra(anyio.abc.SocketAttribute.local_address)

            async def answer():
                async for data, peer in server:
                    await server.sendto(data[::-1], *peer[:2])

            async with anyio.create_task_group() as group:
                group.start_soon(answer)
                async with await anyio.create_connected_udp_socket(*address[:2]) as client:
                    for number in range(100):
                        await client.send(b"datagram %d" % number)
                        assert await client.receive() == (b"datagram %d" % number)[::-1]
                group.cancel_scope.cancel()

    run(main)


def test_unix_datagrams(run, tmp_path):
    async def main():
        async with await anyio.create_unix_datagram_socket(local_path=tmp_path / "a") as first:
            async with await anyio.create_connected_unix_datagram_socket(
                tmp_path / "a", local_path=tmp_path / "b"
            ) as second:
                await second.send(b"there")
                assert await first.receive() == (b"there", str(tmp_path / "b"))
                await first.sendto(b"back", str(tmp_path / "b"))
                assert await second.receive() == b"back"

    run(main)


def test_tls(run, authority):
    async def main():
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = plain.extra(anyio.abc.SocketAttribute.local_port)
        listener = TLSListener(plain, authority.server())
        async with anyio.create_task_group() as group:

            async def serve(stream):
                async with stream:
                    async for data in stream:
                        await stream.send(data)

            group.start_soon(listener.serve, serve)
            async with await anyio.connect_tcp(
                "127.0.0.1",
                port,
                tls=True,
                ssl_context=authority.client(),
                tls_hostname="localhost",
            ) as stream:
                assert isinstance(stream, TLSStream)
                got = []
                async with anyio.create_task_group() as inner:
                    inner.start_soon(stream.send, BIG)
                    while sum(map(len, got)) < len(BIG):
                        got.append(await stream.receive())
                assert b"".join(got) == BIG
            with pytest.raises(ssl.SSLCertVerificationError):
                await anyio.connect_tcp("127.0.0.1", port, tls=True, tls_hostname="localhost")
            group.cancel_scope.cancel()
        await listener.aclose()

    run(main)


def test_closing_and_busy(run):
    async def main():
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
                stream = await anyio.connect_tcp("127.0.0.1", port)
                async with anyio.create_task_group() as inner:

                    async def receive():
                        with pytest.raises(anyio.ClosedResourceError):
                            await stream.receive()

                    inner.start_soon(receive)
                    await anyio.wait_all_tasks_blocked()
                    with pytest.raises(anyio.BusyResourceError):
                        await stream.receive()
                    await stream.aclose()
                with pytest.raises(anyio.ClosedResourceError):
                    await stream.send(b"late")
                group.cancel_scope.cancel()

    run(main)


def test_cancel_receive_and_go_on(run):
    """A receive() that is cancelled loses nothing."""

    async def main():
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    buffered = BufferedByteReceiveStream(stream)
                    for _ in range(20):
                        with anyio.move_on_after(0.002) as scope:
                            await buffered.receive_exactly(10)
                        assert scope.cancelled_caught
                        await stream.send(b"0123456789")
                        assert await buffered.receive_exactly(10) == b"0123456789"
                group.cancel_scope.cancel()

    run(main)


def test_back_pressure(run):
    async def main():
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            async with anyio.create_task_group() as group:

                async def never_read(stream):
                    async with stream:
                        await anyio.sleep_forever()

                group.start_soon(listener.serve, never_read)
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    with anyio.move_on_after(0.3) as scope:
                        while True:
                            await stream.send(bytes(1 << 20))
                    assert scope.cancelled_caught
                group.cancel_scope.cancel()

    run(main)


def test_task_groups_and_scopes(run):
    async def main():
        order = []

        async def fail():
            await anyio.sleep(0.001)
            raise ValueError("one")

        async def stay():
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.001)
                    order.append("cleaned up")

        with pytest.raises(ExceptionGroup) as error:
            async with anyio.create_task_group() as group:
                group.start_soon(stay)
                group.start_soon(fail)
        assert [str(each) for each in error.value.exceptions] == ["one"]
        assert order == ["cleaned up"]

        with pytest.raises(TimeoutError):
            with anyio.fail_after(0.01):
                await anyio.sleep_forever()

        async def started(value, *, task_status):
            task_status.started(value)

        async with anyio.create_task_group() as group:
            assert await group.start(started, "ready") == "ready"

    run(main)


def test_processes(run):
    program = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1]); sys.exit(3)"

    async def main():
        done = await anyio.run_process([sys.executable, "-c", program], input=BIG, check=False)
        assert (done.returncode, done.stdout) == (3, BIG[::-1])
        async with await anyio.open_process([sys.executable, "-c", program]) as process:
            await process.stdin.send(b"abc")
            await process.stdin.aclose()
            assert b"".join([part async for part in process.stdout]) == b"cba"
            assert await process.wait() == 3
        sleeping = "import time; print('up', flush=True); time.sleep(3600)"
        async with await anyio.open_process([sys.executable, "-c", sleeping]) as process:
            await process.stdout.receive()
            process.terminate()
            assert await process.wait() == -signal.SIGTERM

    run(main)


def test_threads(run):
    async def main():
        here = threading.get_ident()
        assert await anyio.to_thread.run_sync(threading.get_ident) != here

        def work(number):
            assert anyio.from_thread.run_sync(threading.get_ident) == here
            anyio.from_thread.run(anyio.sleep, 0.001)
            return number * number

        results = {}

        async def one(number):
            results[number] = await anyio.to_thread.run_sync(work, number)

        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(one, number)
        assert results == {number: number * number for number in range(50)}

    run(main)


def test_run(backend, kind):
    """The way to have anyio make the loop."""

    async def main():
        await anyio.sleep(0.001)
        return type(asyncio.get_running_loop()).__module__

    assert anyio.run(main, **backend).startswith("guava_loop") == kind.startswith("guava")


def test_portal(backend):
    """A loop of its own on another thread, which this one calls."""
    with anyio.from_thread.start_blocking_portal(**backend) as portal:
        assert portal.call(anyio.sleep, 0.001) is None
        assert portal.call(threading.get_ident) != threading.get_ident()
        futures = [portal.start_task_soon(anyio.sleep, 0.001 * number) for number in range(10)]
        assert [future.result() for future in futures] == [None] * 10


def test_signals(run):
    async def main():
        with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
                os.kill(os.getpid(), number)
                assert await signals.__anext__() == number

    run(main)


def test_wait_for_sockets(run):
    async def main():
        first, second = socket.socketpair()
        with first, second:
            first.setblocking(False)
            await anyio.wait_writable(first)
            with anyio.move_on_after(0.01) as scope:
                await anyio.wait_readable(first)
            assert scope.cancelled_caught
            second.send(b"x")
            await anyio.wait_readable(first)
            assert first.recv(1) == b"x"
            async with anyio.create_task_group() as group:

                async def wait():
                    with pytest.raises(anyio.ClosedResourceError):
                        await anyio.wait_readable(first)

                group.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                anyio.notify_closing(first)

    run(main)


def test_files(run, tmp_path):
    async def main():
        async with await anyio.open_file(tmp_path / "file", "wb") as file:
            await file.write(BIG)
        assert await anyio.Path(tmp_path / "file").read_bytes() == BIG

    run(main)


def test_unix_socket_closed_while_it_waits(run, tmp_path):
    """anyio closes the socket first and takes it from add_reader() after that."""

    async def main():
        async with await anyio.create_unix_listener(tmp_path / "socket") as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)
                stream = await anyio.connect_unix(tmp_path / "socket")
                async with anyio.create_task_group() as inner:

                    async def receive():
                        with pytest.raises(anyio.ClosedResourceError):
                            await stream.receive()

                    inner.start_soon(receive)
                    await anyio.wait_all_tasks_blocked()
                    await stream.aclose()
                group.cancel_scope.cancel()

    run(main)
