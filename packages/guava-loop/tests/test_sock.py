"""The loop's sock_ methods, on our loop and, since the behaviour is asyncio's, on asyncio's too.
What is ours alone, that the kernel goes on watching between two calls, is in test_sock_guests.py.
"""

import asyncio
import gc
import inspect
import random
import socket
import ssl
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import guava_loop
import pytest

METHODS = ["sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"]
METHODS += ["sock_sendall", "sock_sendto"]
RECEIVING = METHODS[:4]


@pytest.fixture(params=[guava_loop.new_event_loop, asyncio.SelectorEventLoop])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = request.param()
    made.set_debug(False)  # which -X dev turns on
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    with left, right:
        yield left, right


@pytest.fixture(params=["stream", "tcp"])
def connected(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    if request.param == "stream":
        left, right = socket.socketpair()
    else:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            left = socket.create_connection(listener.getsockname())
            right, _ = listener.accept()
    left.setblocking(False)
    right.setblocking(False)
    with left, right:
        yield left, right


@pytest.fixture(params=["inet", "inet6", "unix"])
def datagrams(
    request: pytest.FixtureRequest, tmp_path: Any
) -> Iterator[tuple[socket.socket, socket.socket]]:
    if request.param == "inet6" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "unix": socket.AF_UNIX}
    with (
        socket.socket(family[request.param], socket.SOCK_DGRAM) as left,
        socket.socket(family[request.param], socket.SOCK_DGRAM) as right,
    ):
        for name, sock in (("left", left), ("right", right)):
            host = {"inet": "127.0.0.1", "inet6": "::1"}.get(request.param)
            sock.bind((host, 0) if host else str(tmp_path / name))
            sock.setblocking(False)
        yield left, right


def arguments(name: str, sock: socket.socket) -> tuple[Any, ...]:
    return {
        "sock_recv": (sock, 10),
        "sock_recv_into": (sock, bytearray(10)),
        "sock_recvfrom": (sock, 10),
        "sock_recvfrom_into": (sock, bytearray(10)),
        "sock_sendall": (sock, b"x"),
        "sock_sendto": (sock, b"x", ("127.0.0.1", 9)),
    }[name]


def run(loop: asyncio.AbstractEventLoop, coroutine: Any) -> Any:
    return loop.run_until_complete(asyncio.wait_for(coroutine, 20))


def fill(sock: socket.socket) -> int:
    """Sends until the kernel takes no more."""
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += sock.send(b"-" * 65536)
    return sent


# ---- what is received ---------------------------------------------------------------------------


def test_what_is_there_is_received_without_waiting(any_loop, connected):
    left, right = connected
    right.send(b"spam")

    async def main():
        assert await any_loop.sock_recv(left, 2) == b"sp"
        assert await any_loop.sock_recv(left, 0) == b""
        return await any_loop.sock_recv(left, 100_000)

    assert run(any_loop, main()) == b"am"


@pytest.mark.parametrize("size", [1, 1000, 65536, 65537, 1 << 20])
def test_what_comes_later_is_waited_for(any_loop, connected, size):
    left, right = connected
    any_loop.call_later(0.001, right.send, b"x" * 1000)

    async def main():
        return await any_loop.sock_recv(left, size)

    assert run(any_loop, main()) == b"x" * min(size, 1000)


def test_the_end_is_received(any_loop, connected):
    left, right = connected
    any_loop.call_later(0.001, right.close)

    async def main():
        first = await any_loop.sock_recv(left, 10)
        return first, await any_loop.sock_recv(left, 10)

    assert run(any_loop, main()) == (b"", b"")


@pytest.mark.parametrize("make", [bytearray, lambda n: memoryview(bytearray(n))])
def test_into_a_buffer(any_loop, connected, make):
    left, right = connected
    buffer = make(6)
    any_loop.call_later(0.001, right.send, b"spam")

    async def main():
        assert await any_loop.sock_recv_into(left, make(0)) == 0
        first = await any_loop.sock_recv_into(left, buffer)
        right.send(b"more than fits")
        return first, bytes(buffer[:4]), await any_loop.sock_recv_into(left, buffer)

    assert run(any_loop, main()) == (4, b"spam", 6)
    assert bytes(buffer) == b"more t"


def test_into_a_part_of_a_buffer_of_other_items(any_loop, pair):
    import array

    left, right = pair
    right.send(b"\x01\x02\x03\x04")
    numbers = array.array("H", [0, 0, 0])
    assert run(any_loop, any_loop.sock_recv_into(left, memoryview(numbers)[1:])) == 4
    assert numbers.tobytes() == b"\x00\x00\x01\x02\x03\x04"


def test_a_buffer_may_change_its_size_while_it_is_waited_for(any_loop, pair):
    left, right = pair
    buffer = bytearray(1)

    async def main():
        task = any_loop.create_task(any_loop.sock_recv_into(left, buffer))
        await asyncio.sleep(0)
        buffer.extend(b"12345")
        right.send(b"spam")
        return await task

    assert run(any_loop, main()) == 4
    assert buffer == b"spam45"


# ---- what is sent -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
def test_all_is_sent(any_loop, connected, kind, size):
    left, right = connected
    data = random.Random(7).randbytes(size)

    async def receive():
        got = bytearray()
        while len(got) < size:
            got += await any_loop.sock_recv(right, 100_000)
        return bytes(got)

    async def main():
        got, sent = await asyncio.gather(
            receive(), any_loop.sock_sendall(left, kind(data)), return_exceptions=False
        )
        assert sent is None
        return got

    assert run(any_loop, main()) == data


def test_items_of_more_than_a_byte(any_loop, pair):
    """asyncio compares bytes with items there, and goes on with views; the bytes must arrive."""
    import array

    left, right = pair
    data = memoryview(array.array("B", b"spam")).cast("c")
    assert run(any_loop, any_loop.sock_sendall(left, data)) is None
    assert right.recv(10) == b"spam"


def test_a_buffer_that_is_sent_is_held_and_given_back(any_loop, pair):
    left, right = pair
    data = bytearray(3_000_000)

    async def main():
        task = any_loop.create_task(any_loop.sock_sendall(left, data))
        await asyncio.sleep(0)
        with pytest.raises(BufferError):
            data.append(1)
        left_over = len(data)
        while left_over:
            left_over -= len(await any_loop.sock_recv(right, 1 << 20))
        await task

    run(any_loop, main())
    data.append(1)


def test_both_directions_at_once(any_loop, connected):
    left, right = connected

    async def main():
        fill(left)
        receiving = any_loop.create_task(any_loop.sock_recv(left, 10))
        sending = any_loop.create_task(any_loop.sock_sendall(left, b"x" * 100_000))
        await asyncio.sleep(0.001)
        assert not receiving.done() and not sending.done()
        right.send(b"spam")
        assert await receiving == b"spam"
        assert not sending.done()
        while not sending.done():
            await any_loop.sock_recv(right, 1 << 20)
        await sending

    run(any_loop, main())


def test_many_messages_there_and_back(any_loop, connected):
    left, right = connected
    source = random.Random(3)
    messages = [source.randbytes(source.choice([1, 10, 5000, 70_000])) for _ in range(300)]

    async def echo():
        while data := await any_loop.sock_recv(right, 65536):
            await any_loop.sock_sendall(right, data)

    async def main():
        task = any_loop.create_task(echo())
        for message in messages:
            sending = any_loop.create_task(any_loop.sock_sendall(left, message))
            got = b""
            while len(got) < len(message):
                got += await any_loop.sock_recv(left, len(message) - len(got))
            await sending
            assert got == message
        left.shutdown(socket.SHUT_WR)
        await task

    run(any_loop, main())


# ---- datagrams ----------------------------------------------------------------------------------


def test_datagrams_there_and_back(any_loop, datagrams):
    left, right = datagrams
    buffer = bytearray(20)

    async def main():
        task = any_loop.create_task(any_loop.sock_recvfrom(right, 1000))
        await asyncio.sleep(0)
        assert await any_loop.sock_sendto(left, b"spam", right.getsockname()) == 4
        data, address = await task
        assert (data, address) == (b"spam", left.getsockname())
        assert await any_loop.sock_sendto(right, bytearray(b"eggs"), address) == 4
        count, address = await any_loop.sock_recvfrom_into(left, buffer)
        assert (count, buffer[:4], address) == (4, b"eggs", right.getsockname())
        later = any_loop.create_task(any_loop.sock_recvfrom_into(left, buffer, 3))
        await asyncio.sleep(0)
        assert await any_loop.sock_sendto(right, b"bacon", left.getsockname()) == 5
        assert (await later)[0] == 3 and buffer[:4] == b"bacs"
        assert await any_loop.sock_sendto(right, b"", left.getsockname()) == 0
        assert await any_loop.sock_recv(left, 10) == b""

    run(any_loop, main())


def test_the_address_of_a_stream(any_loop, pair):
    left, right = pair
    right.send(b"spam")
    data, address = run(any_loop, any_loop.sock_recvfrom(left, 10))
    right.send(b"spam")
    assert (data, address) == left.recvfrom(10)


def test_a_datagram_to_a_name(any_loop):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as left,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as right,
    ):
        right.bind(("127.0.0.1", 0))
        left.setblocking(False)
        address = ("localhost", right.getsockname()[1])
        assert run(any_loop, any_loop.sock_sendto(left, b"x", address)) == 1
        assert right.recv(10) == b"x"


def test_addresses_that_are_none(any_loop):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for wrong in ("127.0.0.1", ("127.0.0.1",), ("127.0.0.1", 99999), None):
            with pytest.raises((TypeError, OverflowError)):
                run(any_loop, any_loop.sock_sendto(sock, b"x", wrong))
        with pytest.raises(ValueError, match="buffer"):
            run(any_loop, any_loop.sock_recvfrom_into(sock, bytearray(3), 4))


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_a_closed_socket(any_loop, name):
    sock = socket.socket()
    sock.setblocking(False)
    sock.close()
    coroutine = getattr(any_loop, name)(*arguments(name, sock))
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        run(any_loop, coroutine)
    assert type(caught.value) is OSError


@pytest.mark.parametrize("name", METHODS)
def test_a_socket_of_tls_is_refused(any_loop, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with context.wrap_socket(socket.socket(), do_handshake_on_connect=False) as sock:
        coroutine = getattr(any_loop, name)(*arguments(name, sock))
        with pytest.raises(TypeError, match="Socket cannot be of type SSLSocket"):
            run(any_loop, coroutine)


@pytest.mark.parametrize("name", METHODS)
def test_debug_mode_refuses_a_socket_that_blocks(any_loop, pair, name):
    left, _ = pair
    any_loop.set_debug(True)
    for timeout in (None, 1.0):
        left.settimeout(timeout)
        with pytest.raises(ValueError, match="the socket must be non-blocking"):
            run(any_loop, getattr(any_loop, name)(*arguments(name, left)))


@pytest.mark.parametrize("name", METHODS)
def test_wrong_arguments(any_loop, pair, name):
    left, _ = pair
    method = getattr(any_loop, name)
    with pytest.raises(TypeError):
        method()
    with pytest.raises(TypeError):
        method(*arguments(name, left), 1, 2)
    with pytest.raises(TypeError):
        method(*arguments(name, left), spam=1)
    for wrong in (None, 1.5, "spam"):
        with pytest.raises((TypeError, AttributeError)):
            run(any_loop, method(left, wrong, *arguments(name, left)[2:]))
    with pytest.raises((TypeError, AttributeError)):
        run(any_loop, method(None, *arguments(name, left)[1:]))


def test_sizes_that_are_none(any_loop, pair):
    left, _ = pair
    with pytest.raises(ValueError, match="negative buffersize in recv"):
        run(any_loop, any_loop.sock_recv(left, -1))
    with pytest.raises(OverflowError):
        run(any_loop, any_loop.sock_recv(left, 1 << 80))
    with pytest.raises((TypeError, BufferError)):
        run(any_loop, any_loop.sock_recv_into(left, b"read only"))
    released = memoryview(bytearray(3))
    released.release()
    with pytest.raises((TypeError, ValueError)):
        run(any_loop, any_loop.sock_recv_into(left, released))


def test_arguments_by_keyword(any_loop, pair):
    left, right = pair
    right.send(b"spameggs")
    assert run(any_loop, any_loop.sock_recv(sock=left, n=4)) == b"spam"
    assert run(any_loop, any_loop.sock_recv_into(left, buf=bytearray(4))) == 4
    assert run(any_loop, any_loop.sock_sendall(sock=left, data=b"x")) is None


def test_a_peer_that_resets(any_loop):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        left = socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
    left.setblocking(False)
    right.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    async def main():
        any_loop.call_later(0.001, right.close)
        with pytest.raises(ConnectionResetError):
            await any_loop.sock_recv(left, 10)
        assert await any_loop.sock_recv(left, 10) == b""
        with pytest.raises(BrokenPipeError):
            await any_loop.sock_sendall(left, b"x")

    with left:
        run(any_loop, main())


def test_a_peer_that_goes_while_much_is_sent(any_loop, pair):
    left, right = pair

    async def main():
        sending = any_loop.create_task(any_loop.sock_sendall(left, bytes(10_000_000)))
        await asyncio.sleep(0.001)
        right.close()
        with pytest.raises(OSError) as caught:
            await sending
        return type(caught.value)

    assert run(any_loop, main()) in (BrokenPipeError, ConnectionResetError)


def test_a_transports_socket_is_refused(any_loop):
    async def main():
        server = await any_loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as sock:
            sock.setblocking(False)
            transport, _ = await any_loop.create_connection(asyncio.Protocol, sock=sock)
            with pytest.raises(RuntimeError, match="is used by transport"):
                await any_loop.sock_recv(sock, 10)
            transport.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)  # for the server's end to see it

    run(any_loop, main())


# ---- cancelling ---------------------------------------------------------------------------------


def test_a_receiver_that_is_cancelled_takes_nothing(any_loop, connected):
    left, right = connected

    async def main():
        for _ in range(3):
            task = any_loop.create_task(any_loop.sock_recv(left, 10))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        task = any_loop.create_task(any_loop.sock_recv(left, 10))
        await asyncio.sleep(0)
        right.send(b"spam")
        task.cancel()
        await asyncio.sleep(0.001)
        assert task.cancelled()
        return await any_loop.sock_recv(left, 10)

    assert run(any_loop, main()) == b"spam"


def test_a_sender_that_is_cancelled(any_loop, pair):
    left, right = pair

    async def main():
        already = fill(left)
        task = any_loop.create_task(any_loop.sock_sendall(left, bytes(100)))
        await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        got = 0
        while got < already:
            got += len(await any_loop.sock_recv(right, 1 << 20))
        await asyncio.sleep(0.001)
        with pytest.raises(BlockingIOError):
            right.recv(10)

    run(any_loop, main())


def test_a_timeout(any_loop, pair):
    left, right = pair

    async def main():
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await any_loop.sock_recv(left, 10)
        right.send(b"spam")
        return await any_loop.sock_recv(left, 10)

    assert run(any_loop, main()) == b"spam"


def test_of_two_receivers_the_later_replaces(any_loop, pair):
    left, right = pair

    async def main():
        first = any_loop.create_task(any_loop.sock_recv(left, 1))
        await asyncio.sleep(0)
        second = any_loop.create_task(any_loop.sock_recv(left, 1))
        await asyncio.sleep(0)
        right.send(b"ab")
        assert await second == b"a"
        await asyncio.sleep(0.001)
        assert not first.done()
        third = any_loop.create_task(any_loop.sock_recv(left, 1))
        assert await third == b"b"
        fourth = any_loop.create_task(any_loop.sock_recv(left, 1))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0.001)
        right.send(b"c")
        return await fourth

    assert run(any_loop, main()) == b"c"


def test_a_reader_takes_the_place_of_a_receiver(any_loop, pair):
    left, right = pair
    seen = []

    async def main():
        waiting = any_loop.create_task(any_loop.sock_recv(left, 1))
        await asyncio.sleep(0)
        any_loop.add_reader(left, lambda: seen.append(left.recv(10)))
        right.send(b"a")
        await asyncio.sleep(0.01)
        assert seen == [b"a"] and not waiting.done()
        right.send(b"b")
        await asyncio.sleep(0.01)
        assert seen == [b"a", b"b"]
        assert any_loop.remove_reader(left) is True
        assert any_loop.remove_reader(left) is False
        waiting.cancel()
        right.send(b"c")
        return await any_loop.sock_recv(left, 10)

    assert run(any_loop, main()) == b"c"


# ---- it is a coroutine --------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_what_is_returned_is_a_coroutine(any_loop, pair, name):
    left, _ = pair
    coroutine = getattr(any_loop, name)(*arguments(name, left))
    assert asyncio.iscoroutine(coroutine) and inspect.isawaitable(coroutine)
    assert coroutine.__name__ == name and coroutine.__qualname__.endswith("." + name)
    assert name in repr(coroutine)
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


@pytest.mark.parametrize("name", METHODS)
def test_one_that_is_never_awaited_says_so(any_loop, pair, name):
    left, _ = pair
    given = arguments(name, left)
    gc.collect()  # of what others have left
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(any_loop, name)(*given)
        gc.collect()
    (warning,) = [each for each in caught if each.category is RuntimeWarning]
    assert str(warning.message).endswith(f".{name}' was never awaited")


def test_its_steps_by_hand(any_loop, pair):
    left, right = pair

    async def main():
        coroutine = any_loop.sock_recv(left, 10)
        with pytest.raises(TypeError, match="non-None value"):
            coroutine.send(1)
        future = coroutine.send(None)
        assert asyncio.isfuture(future) and future.get_loop() is any_loop
        right.send(b"spam")
        await asyncio.wait([asyncio.ensure_future(_wait_for(future))])
        with pytest.raises(StopIteration) as caught:
            coroutine.send(None)
        return caught.value.value

    async def _wait_for(future):
        while not future.done():
            await asyncio.sleep(0)

    assert run(any_loop, main()) == b"spam"


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(
    "throw",
    [
        lambda coroutine: coroutine.throw(ValueError("spam")),
        lambda coroutine: coroutine.throw(ValueError),
        pytest.param(
            lambda coroutine: coroutine.throw(ValueError, ValueError("spam"), None),
            marks=pytest.mark.filterwarnings("ignore::DeprecationWarning"),
        ),
    ],
)
def test_what_is_thrown_in_comes_out(any_loop, pair, started, throw: Callable[[Any], Any]):
    left, _ = pair

    async def main():
        coroutine = any_loop.sock_recv(left, 10)
        if started:
            coroutine.send(None)
        with pytest.raises(ValueError):
            throw(coroutine)
        with pytest.raises(RuntimeError):
            coroutine.throw(ValueError)

    run(any_loop, main())


def test_one_that_is_closed_takes_nothing():
    """asyncio's own goes on and takes what comes, for nobody."""
    loop = guava_loop.new_event_loop()
    left, right = socket.socketpair()
    left.setblocking(False)

    async def main():
        coroutine = loop.sock_recv(left, 10)
        coroutine.send(None)
        coroutine.close()
        right.send(b"spam")
        await asyncio.sleep(0.001)
        return await loop.sock_recv(left, 10)

    with left, right:
        assert run(loop, main()) == b"spam"
    loop.close()


def test_a_task_that_waits_describes_itself(any_loop, pair):
    left, right = pair

    async def main():
        task = any_loop.create_task(any_loop.sock_recv(left, 10), name="spam")
        await asyncio.sleep(0)
        text = repr(task)
        right.send(b"x")
        await task
        return text

    text = run(any_loop, main())
    assert "spam" in text and "sock_recv" in text


def test_a_subclass_and_its_methods(any_loop):
    """What is not exactly a socket.socket may do what it likes."""

    class Socket(socket.socket):
        def recv(self, *args: Any) -> bytes:
            return super().recv(*args).upper()

        def send(self, data: Any, *args: Any) -> int:
            return super().send(bytes(data).lower(), *args)

    plain, other = socket.socketpair()
    mine = Socket(fileno=plain.detach())
    mine.setblocking(False)

    async def main():
        any_loop.call_later(0.001, other.send, b"spam")
        got = await any_loop.sock_recv(mine, 10)
        await any_loop.sock_sendall(mine, b"EGGS")
        return got, other.recv(10)

    with mine, other:
        assert run(any_loop, main()) == (b"SPAM", b"eggs")


def test_a_socket_that_blocks_does_not_block_the_loop():
    """asyncio's loop stands still; ours waits."""
    loop = guava_loop.new_event_loop()
    loop.set_debug(False)  # which -X dev turns on, and which refuses it
    left, right = socket.socketpair()

    async def main():
        loop.call_later(0.001, right.send, b"spam")
        got = await loop.sock_recv(left, 10)
        await loop.sock_sendall(left, b"eggs")
        return got

    with left, right:
        assert run(loop, main()) == b"spam"
        assert right.recv(10) == b"eggs"
        assert left.getblocking()
    loop.close()


def test_the_loop_closes_while_one_waits(any_loop, pair):
    left, _ = pair
    task = any_loop.create_task(any_loop.sock_recv(left, 10))
    any_loop.call_later(0.001, any_loop.stop)
    any_loop.run_forever()
    any_loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Task was destroyed but it is pending"
        task._log_destroy_pending = False
        del task
        gc.collect()


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="Linux has such sockets")
def test_addresses_of_a_family_that_is_left_to_asyncio(any_loop):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.setblocking(False)
        sock.bind((0, 0))

        async def main():
            # RTM_GETLINK, dumped.
            request = (20).to_bytes(4, sys.byteorder) + (18).to_bytes(2, sys.byteorder)
            request += (0x301).to_bytes(2, sys.byteorder) + bytes(12)
            await any_loop.sock_sendto(sock, request, (0, 0))
            data, address = await any_loop.sock_recvfrom(sock, 65536)
            assert len(data) > 0
            return address

        assert run(any_loop, main()) == (0, 0)
