"""sock_connect(), on asyncio's loop and on ours."""

import asyncio
import contextlib
import errno
import socket
import sys
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


def run(loop: asyncio.AbstractEventLoop, coroutine: Any) -> Any:
    return loop.run_until_complete(asyncio.wait_for(coroutine, 20))


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.setblocking(False)
        yield sock


@contextlib.contextmanager
def full() -> Iterator[socket.socket]:
    """A listener that takes no more connections, for now."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        while True:
            one = stack.enter_context(socket.socket())
            one.settimeout(0.05)
            try:
                one.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_it_connects(any_loop, client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert run(any_loop, any_loop.sock_connect(client, listener.getsockname())) is None
        peer, name = listener.accept()
        with peer:
            assert name == client.getsockname()
            run(any_loop, any_loop.sock_sendall(client, b"spam"))
            assert peer.recv(10) == b"spam"
            peer.send(b"eggs")
            assert run(any_loop, any_loop.sock_recv(client, 10)) == b"eggs"


def test_a_refusal_names_the_address(any_loop, client):
    address = ("127.0.0.1", unused_port())
    with pytest.raises(ConnectionRefusedError) as caught:
        run(any_loop, any_loop.sock_connect(client, address))
    assert caught.value.errno == errno.ECONNREFUSED
    assert caught.value.strerror == f"Connect call failed {address}"


def test_names_are_resolved(any_loop, client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        run(any_loop, any_loop.sock_connect(client, ("localhost", port)))
        assert client.getpeername() == ("127.0.0.1", port)


@pytest.mark.skipif(not socket.has_ipv6, reason="Python was built without IPv6")
@pytest.mark.parametrize("rest", [(), (0, 0)])
def test_ipv6(any_loop, rest):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("the machine has no IPv6")
    with listener, socket.socket(socket.AF_INET6) as sock:
        sock.setblocking(False)
        port = listener.getsockname()[1]
        run(any_loop, any_loop.sock_connect(sock, ("::1", port, *rest)))
        assert sock.getpeername() == ("::1", port, 0, 0)
    with socket.socket(socket.AF_INET6) as sock:
        sock.setblocking(False)
        with pytest.raises(ConnectionRefusedError) as caught:
            run(any_loop, any_loop.sock_connect(sock, ("::1", port, *rest)))
        assert caught.value.strerror == f"Connect call failed {('::1', port, 0, 0)}"


def test_unix_sockets(any_loop, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        with pytest.raises(FileNotFoundError) as caught:
            run(any_loop, any_loop.sock_connect(sock, path))
        assert caught.value.strerror == "No such file or directory"
        listener.bind(path)
        listener.listen()
        run(any_loop, any_loop.sock_connect(sock, path))
        assert sock.getpeername() == path


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses")
def test_it_waits(any_loop, client):
    with full() as listener:

        async def main() -> None:
            waiting = asyncio.ensure_future(any_loop.sock_connect(client, listener.getsockname()))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            # There is room again, and the kernel tries once a second.
            listener.accept()[0].close()
            listener.accept()[0].close()
            await waiting
            client.getpeername()

        run(any_loop, main())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses")
def test_one_that_waits_is_cancelled(any_loop, client):
    with full() as listener:

        async def main() -> None:
            waiting = asyncio.ensure_future(any_loop.sock_connect(client, listener.getsockname()))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert not any_loop.remove_writer(client)

        run(any_loop, main())


@pytest.mark.parametrize("wrong", [("127.0.0.1",), 7, None])
def test_what_is_no_address(any_loop, client, wrong):
    with pytest.raises((TypeError, ValueError, IndexError)):
        run(any_loop, any_loop.sock_connect(client, wrong))


def test_debug_mode_refuses_sockets_that_block(any_loop, client):
    any_loop.set_debug(True)
    client.setblocking(True)
    with pytest.raises(ValueError, match="the socket must be non-blocking"):
        run(any_loop, any_loop.sock_connect(client, ("127.0.0.1", 9)))


def test_hooks_of_audits_are_told(any_loop, client):
    told = []
    listening = True

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if listening and event == "socket.connect":
            told.append(args)

    sys.addaudithook(hook)  # for good, for there is no way back
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            run(any_loop, any_loop.sock_connect(client, address))
    finally:
        listening = False
    assert told == [(client, address)]
