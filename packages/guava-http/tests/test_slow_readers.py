"""Clients that have sent all they will, and read what they asked for later: nothing of it is lost,
and the connection ends when it is due. The sockets are so small that answers have to wait."""

import asyncio
import contextlib
import socket

import pytest
from guava_http import Timeouts

LONG = 30.0
LARGE = b"x" * 60_000  # more than the sockets hold, less than what stops the reading of requests
NEVER = Timeouts(head=None, body=None, body_rate=0, keep_alive=None, write=None)


def pieces(request):
    yield "first"
    raise RuntimeError


async def later_pieces(request):
    yield "first"
    await asyncio.sleep(0)
    raise RuntimeError


def handler(request):
    if request.path == "/pieces":
        return pieces(request)
    if request.path == "/later-pieces":
        return later_pieces(request)
    return LARGE if request.path == "/large" else "small"


def request_of(path: str, rest: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n{rest}\r\n".encode()


def receive_late(wire, data: bytes) -> bytes:
    """All that a client gets that sends this, shuts its half, and reads when nothing moves."""

    async def main() -> bytes:
        async with wire.server(handler, sockets=[], timeouts=NEVER) as server:
            ours, theirs = socket.socketpair()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            ours.setblocking(False)
            with contextlib.closing(ours):
                await server.adopt(theirs)
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(ours, data)
                ours.shutdown(socket.SHUT_WR)
                await wire.turns(50)
                found = b""
                async with asyncio.timeout(LONG):
                    while part := await loop.sock_recv(ours, 1000):
                        found += part
                        await wire.turns(1)
            return found

    with asyncio.Runner(loop_factory=wire.loop_factory) as runner:
        return runner.run(main())


def test_an_answer_is_read_to_its_end(whole, caplog):
    found = receive_late(whole, request_of("/large") + request_of("/small"))
    assert found.count(b"HTTP/1.1 200 OK") == 2
    assert LARGE in found and found.endswith(b"small")
    # asyncio's transports complain when they are closed while they resume their protocol.
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/pieces", "/later-pieces"])
def test_an_answer_that_breaks_off_leaves_those_in_front_of_it(whole, path, caplog):
    found = receive_late(whole, request_of("/large") + request_of(path))
    first, _, second = found.partition(LARGE)
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert second.endswith(b"\r\n5\r\nfirst\r\n")
    assert [record.exc_info[0] for record in caplog.records] == [RuntimeError]


@pytest.mark.parametrize(
    "head",
    [
        request_of("/body", "Content-Length: 5\r\n"),
        request_of("/body", "Transfer-Encoding: chunked\r\n") + b"5\r\n",
    ],
)
def test_a_body_that_stops_behind_an_answer_is_not_waited_for(whole, head):
    found = receive_late(whole, request_of("/large") * 2 + head + b"abc")
    assert found.count(b"HTTP/1.1 200 OK") == found.count(LARGE) == 2
    assert found.endswith(LARGE)
