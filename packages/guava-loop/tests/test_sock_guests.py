"""Between two calls of the sock_ methods the kernel goes on watching a socket, though its user may
close it at any time without a word. Nothing may hang, spin, or reach the wrong file by that. The
behaviour is asyncio's, which watches anew for each call, and so most of it is tested there too."""

import asyncio
import gc
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import guava_loop
import pytest


@pytest.fixture(params=[guava_loop.new_event_loop, asyncio.SelectorEventLoop])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = request.param()
    made.set_debug(False)  # which -X dev turns on
    yield made
    made.close()


@pytest.fixture
def loop() -> Iterator[guava_loop.Loop]:
    made = guava_loop.new_event_loop()
    yield made
    made.close()


def run(loop: asyncio.AbstractEventLoop, coroutine: Any) -> Any:
    return loop.run_until_complete(asyncio.wait_for(coroutine, 20))


def new_pair() -> tuple[socket.socket, socket.socket]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    return left, right


def pair_at(number: int) -> tuple[socket.socket, socket.socket]:
    """A pair whose first has the number, which is free."""
    left, right = new_pair()
    if right.fileno() == number:
        left, right = right, left
    if left.fileno() != number:
        os.dup2(left.fileno(), number)
        left.close()
        left = socket.socket(fileno=number)
        left.setblocking(False)
    return left, right


async def talk(loop: asyncio.AbstractEventLoop, left: socket.socket, right: socket.socket) -> None:
    """Waits for a message, so that the socket is watched, and for one more."""
    for message in (b"one", b"two"):
        loop.call_later(0.001, right.send, message)
        assert await loop.sock_recv(left, 10) == message


@pytest.mark.parametrize("later", [False, True])
def test_a_number_that_comes_back_is_another_socket(any_loop, later):
    """In the same turn, and in a later one."""

    async def main():
        left, right = new_pair()
        for _ in range(20):
            await talk(any_loop, left, right)
            number = left.fileno()
            left.close()
            right.close()
            if later:
                await asyncio.sleep(0.001)
            left, right = pair_at(number)
        left.close()
        right.close()

    run(any_loop, main())


def test_a_number_that_comes_back_after_a_sender(any_loop):
    async def main():
        for _ in range(5):
            left, right = new_pair()
            with pytest.raises(BlockingIOError):
                while True:
                    left.send(b"x" * 65536)
            any_loop.call_later(0.001, right.recv, 1 << 22)
            await any_loop.sock_sendall(left, b"y" * 65536)
            number = left.fileno()
            left.close()
            right.close()
            left, right = pair_at(number)
            await talk(any_loop, left, right)
            left.close()
            right.close()

    run(any_loop, main())


@pytest.mark.parametrize("what", ["reader", "transport", "server", "pipe", "datagram"])
def test_a_number_that_comes_back_as_something_else(any_loop, what):
    async def main():
        left, right = new_pair()
        await talk(any_loop, left, right)
        number = left.fileno()
        left.close()
        right.close()
        got = any_loop.create_future()
        if what == "reader":
            left, right = pair_at(number)
            any_loop.add_reader(left, lambda: got.done() or got.set_result(left.recv(10)))
            right.send(b"spam")
            assert await got == b"spam"
            assert any_loop.remove_reader(left) is True
            right.close()
        elif what == "transport":
            left, right = pair_at(number)
            reader, writer = await asyncio.open_unix_connection(sock=left)
            right.send(b"spam")
            assert await reader.read(10) == b"spam"
            writer.close()
            await writer.wait_closed()
            right.close()
        elif what == "server":
            with socket.socket() as listener:
                assert listener.fileno() == number
                listener.bind(("127.0.0.1", 0))

                async def serve(reader, writer):
                    writer.write(b"spam")
                    writer.close()

                server = await asyncio.start_server(serve, sock=listener)
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                assert await reader.read(10) == b"spam"
                writer.close()
                server.close()
        elif what == "pipe":
            reading, writing = os.pipe()
            assert number in (reading, writing)
            reader = asyncio.StreamReader()
            file = open(reading, "rb", 0)  # noqa: SIM115 - the transport closes it
            transport, _ = await any_loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), file
            )
            os.write(writing, b"spam")
            assert await reader.read(10) == b"spam"
            transport.close()
            os.close(writing)
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            assert sock.fileno() == number
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0))

            class Protocol(asyncio.DatagramProtocol):
                def datagram_received(self, data, address):
                    got.set_result(data)

            transport, _ = await any_loop.create_datagram_endpoint(Protocol, sock=sock)
            transport.sendto(b"spam", sock.getsockname())
            assert await got == b"spam"
            transport.close()
        await asyncio.sleep(0)

    run(any_loop, main())


def test_a_transport_and_then_the_socket_again(any_loop):
    """A guest's number goes to a transport and comes back."""

    async def main():
        left, right = new_pair()
        await talk(any_loop, left, right)
        _, writer = await asyncio.open_unix_connection(sock=left)
        number = left.fileno()
        writer.close()
        await writer.wait_closed()
        right.close()
        left, right = pair_at(number)
        await talk(any_loop, left, right)
        left.close()
        right.close()

    run(any_loop, main())


def test_a_reader_between_two_calls(any_loop):
    left, right = new_pair()

    async def main():
        for _ in range(3):
            await talk(any_loop, left, right)
            calls = []
            any_loop.add_reader(left, calls.append, 1)
            right.send(b"x")
            await asyncio.sleep(0.01)
            # As long as there is something, and not only once.
            assert len(calls) >= 2
            any_loop.remove_reader(left)
            assert left.recv(10) == b"x"

    with left, right:
        run(any_loop, main())


def test_a_writer_beside_a_receiver(any_loop):
    left, right = new_pair()

    async def main():
        await talk(any_loop, left, right)
        calls = []
        any_loop.add_writer(left, calls.append, 1)
        await talk(any_loop, left, right)
        assert len(calls) >= 2
        any_loop.remove_writer(left)
        await asyncio.sleep(0)
        calls.clear()
        await talk(any_loop, left, right)
        assert calls == []

    with left, right:
        run(any_loop, main())


def test_a_socket_that_is_closed_while_it_is_waited_for(loop):
    """asyncio's own polling is confused by that for good."""

    async def main():
        left, right = new_pair()
        await talk(loop, left, right)
        task = loop.create_task(loop.sock_recv(left, 10))
        await asyncio.sleep(0)
        number = left.fileno()
        left.close()
        right.close()
        other, far = pair_at(number)
        far.send(b"for the other")
        assert await loop.sock_recv(other, 100) == b"for the other"
        loop.call_later(0.001, far.send, b"again")
        assert await loop.sock_recv(other, 100) == b"again"
        task.cancel()
        await asyncio.wait([task])
        await talk(loop, other, far)
        other.close()
        far.close()

    run(loop, main())


def test_a_sender_whose_socket_is_closed_does_not_write_to_the_next(loop):
    async def main():
        left, right = new_pair()
        task = loop.create_task(loop.sock_sendall(left, b"secret" * 500_000))
        await asyncio.sleep(0.001)
        number = left.fileno()
        left.close()
        other, far = pair_at(number)
        reading = loop.create_task(loop.sock_recv(other, 10))
        await asyncio.sleep(0.01)
        far.send(b"x")
        assert await reading == b"x"
        with pytest.raises(BlockingIOError):
            far.recv(10)
        task.cancel()
        await asyncio.wait([task])
        for sock in (right, other, far):
            sock.close()

    run(loop, main())


def test_a_socket_that_lives_on_elsewhere_does_not_keep_the_loop_awake(any_loop):
    """epoll goes on to tell of a closed descriptor whose file is open elsewhere."""

    async def main():
        left, right = new_pair()
        await talk(any_loop, left, right)
        with socket.socket(fileno=os.dup(left.fileno())) as elsewhere:
            left.close()
            right.send(b"for somebody else")
            before = time.process_time()
            await asyncio.sleep(0.3)
            # A loop that spins takes all of it.
            assert time.process_time() - before < 0.15
            assert elsewhere.recv(100) == b"for somebody else"
            right.send(b"more")
            await asyncio.sleep(0.01)
        right.close()

    run(any_loop, main())


def test_a_peer_that_talks_while_nobody_listens(any_loop):
    left, right = new_pair()

    async def main():
        await talk(any_loop, left, right)
        for _ in range(50):
            right.send(b"x")
            await asyncio.sleep(0.001)
        assert await any_loop.sock_recv(left, 100) == b"x" * 50
        await talk(any_loop, left, right)

    with left, right:
        run(any_loop, main())


def test_a_socket_that_is_detached_and_wrapped_again(any_loop):
    async def main():
        left, right = new_pair()
        for _ in range(5):
            await talk(any_loop, left, right)
            left = socket.socket(fileno=left.detach())
        left.close()
        right.close()

    run(any_loop, main())


def test_sockets_that_are_dropped(any_loop):
    """The finalizer closes them, and says so."""

    async def main():
        for _ in range(20):
            left, right = new_pair()
            await talk(any_loop, left, right)
            with pytest.warns(ResourceWarning):
                del left
                gc.collect()
            right.close()

    gc.freeze()  # what other tests have is no concern of the collections here
    try:
        run(any_loop, main())
    finally:
        gc.unfreeze()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_the_child_of_a_fork_goes_on_with_it():
    loop = guava_loop.new_event_loop()
    left, right = new_pair()
    run(loop, talk(loop, left, right))
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            run(loop, talk(loop, left, right))
            before = time.process_time()
            right.send(b"x")
            run(loop, asyncio.sleep(0.1))
            status = 0 if time.process_time() - before < 0.08 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert left.recv(10) == b"x"
    run(loop, talk(loop, left, right))
    loop.close()
    left.close()
    right.close()


def test_the_selector_tells_only_of_what_is_waited_for():
    loop = guava_loop.new_event_loop()
    left, right = new_pair()

    async def main():
        await talk(loop, left, right)
        assert left.fileno() not in loop._selector.get_map()
        task = loop.create_task(loop.sock_recv(left, 10))
        await asyncio.sleep(0)
        assert left.fileno() in loop._selector.get_map()
        task.cancel()

    with left, right:
        run(loop, main())
    loop.close()


def test_many_sockets_come_and_go():
    loop = guava_loop.new_event_loop()

    async def client(address):
        for _ in range(10):
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, address)
                for size in (1, 1000, 100_000):
                    sending = loop.create_task(loop.sock_sendall(sock, b"x" * size))
                    while size:
                        size -= len(await loop.sock_recv(sock, size))
                    await sending

    async def echo(sock):
        with sock:
            while data := await loop.sock_recv(sock, 50_000):
                await loop.sock_sendall(sock, data)

    async def main():
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(100)
            listener.setblocking(False)

            async def serve():
                while True:
                    sock, _ = await loop.sock_accept(listener)
                    echoes.append(loop.create_task(echo(sock)))

            echoes: list[asyncio.Task[None]] = []
            server = loop.create_task(serve())
            await asyncio.gather(*(client(listener.getsockname()) for _ in range(20)))
            await asyncio.gather(*echoes)
            assert len(echoes) == 200
            server.cancel()

    run(loop, main())
    loop.close()
