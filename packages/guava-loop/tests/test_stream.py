"""Streams, through the table of guava_loop.h."""

import errno
import os
import random
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any

import guava_loop
import pytest


def turns(loop: guava_loop.Loop, n: int = 3) -> None:
    """Let the loop make n turns."""
    for _ in range(n):
        loop.call_soon(loop.stop)
        loop.run_forever()


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Any:
    """Makes two connected sockets; the first is for the loop."""
    made: list[socket.socket] = []

    def make() -> tuple[socket.socket, socket.socket]:
        if request.param == "unix":
            ours, theirs = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                # What the kernel holds is bounded: left alone, some take megabytes at once.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
                theirs = socket.socket()
                theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
                theirs.connect(listener.getsockname())
                ours = listener.accept()[0]
        theirs.settimeout(10)
        made.extend([ours, theirs])
        return ours, theirs

    make.kind = request.param  # type: ignore[attr-defined]
    yield make
    for sock in made:
        sock.close()


@pytest.fixture
def opened(loop: guava_loop.Loop, pair: Any, Probe: Any) -> Any:
    """Makes (stream, the peer's socket)."""

    def make(ops: str = "all") -> tuple[Any, socket.socket]:
        ours, theirs = pair()
        stream = Probe()
        stream.open(loop, ours.detach(), ops)
        return stream, theirs

    make.kind = pair.kind  # type: ignore[attr-defined]
    return make


def read_all(sock: socket.socket) -> bytes:
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


# ---- reading -----------------------------------------------------------------------------------


def test_bytes_come(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    peer.send(b"one")
    run_until(lambda: stream.got == b"one")
    peer.send(b"two")
    run_until(lambda: stream.got == b"onetwo")
    assert stream.is_own() and stream.loop() is loop
    assert stream.calls == [3, 3]


def test_more_bytes_than_the_buffer_holds(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    data = random.Random(1).randbytes(3_000_000)
    sender = threading.Thread(target=peer.sendall, args=(data,))
    sender.start()
    run_until(lambda: len(stream.got) == len(data))
    sender.join()
    assert stream.got == data
    assert max(stream.calls) <= 64 * 1024


def test_own_buffer(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    stream.buffer(7)
    peer.send(b"x" * 20)
    run_until(lambda: len(stream.got) == 20)
    assert stream.calls == [7, 7, 6]
    stream.buffer(0)  # alloc() gives NULL: the loop's own
    peer.send(b"y" * 20)
    run_until(lambda: len(stream.got) == 40)
    assert stream.calls[3:] == [20]


def test_pause_and_resume(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    assert stream.read_pause() == 0
    peer.send(b"later")
    turns(loop)
    assert stream.got == b""
    assert stream.read_resume() == 0
    run_until(lambda: stream.got == b"later")


def test_pause_inside_data(loop: Any, opened: Any) -> None:
    stream, peer = opened()
    stream.buffer(4)
    inner = type(stream).data

    def data(got: bytes) -> None:
        inner(stream, got)
        stream.read_pause()

    stream.data = data
    peer.send(b"aaaabbbbcc")
    turns(loop)
    assert stream.got == b"aaaa"
    stream.read_resume()
    turns(loop)
    assert stream.got == b"aaaabbbb"
    stream.read_resume()
    turns(loop)
    assert stream.got == b"aaaabbbbcc"


def test_eof_then_answer(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    peer.send(b"question")
    peer.shutdown(socket.SHUT_WR)
    run_until(lambda: "eof" in stream.calls)
    assert stream.got == b"question"
    turns(loop)
    assert stream.write(b"answer") == 0
    stream.close()
    run_until(lambda: stream.gone)
    assert read_all(peer) == b"answer"
    assert stream.calls == [8, "eof", ("closed", 0)]


def test_eof_without_a_callback_closes(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened("few")
    peer.close()
    run_until(lambda: stream.gone)
    assert stream.calls == [("closed", 0)]


def test_reset_by_the_peer(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    if opened.kind == "unix":
        stream.write(b"unread")  # a unix socket is reset by closing it with bytes unread
    else:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    run_until(lambda: stream.gone)
    assert stream.calls == [("closed", -errno.ECONNRESET)]


def test_reset_while_paused_is_found_on_resume(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    stream.read_pause()
    if opened.kind == "unix":
        stream.write(b"unread")
    else:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    turns(loop, 5)
    if not stream.gone:
        stream.read_resume()
    run_until(lambda: stream.gone)
    assert stream.calls == [("closed", -errno.ECONNRESET)]


# ---- writing -----------------------------------------------------------------------------------


def test_write_many_buffers(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    parts = [str(i).encode() for i in range(3000)]  # more than the kernel takes in one call
    parts[5:5] = [b""] * 100
    expected = b"".join(parts)
    result = stream.write(*parts)
    assert result in (0, 1)
    stream.close()
    run_until(lambda: stream.gone)
    assert read_all(peer) == expected


def test_write_nothing(loop: Any, opened: Any) -> None:
    stream, _ = opened()
    released: list[int] = []
    assert stream.write() == 0
    assert stream.write(b"", b"", release=lambda: released.append(1)) == 0
    assert released == [1]
    assert stream.queued() == 0


@pytest.mark.parametrize("borrow", [False, True])
def test_slow_reader(loop: Any, opened: Any, borrow: bool, run_until: Any, reader: Any) -> None:
    stream, peer = opened()
    source = random.Random(2)
    released: list[int] = []
    expected = b""
    queued = 0
    while queued < 2_000_000:
        part = source.randbytes(source.choice([1, 10, 1000, 100_000]))
        expected += part
        if borrow:
            stream.write(part[:3], part[3:], release=lambda: released.append(1))
        else:
            stream.write(part)
        queued = stream.queued()
    assert queued < len(expected)  # the kernel took the first
    read = reader(peer)
    stream.close()
    run_until(lambda: stream.gone)
    read.join()
    assert read.got == expected
    assert stream.queued() == 0
    # close() silences drain
    assert stream.calls == [("closed", 0)]
    if borrow:
        assert len(released) > 10


def test_watermarks(loop: Any, opened: Any, run_until: Any, reader: Any) -> None:
    stream, peer = opened()
    stream.watermarks(1000, 5000)
    while stream.write(b"x" * 100_000) == 0:
        pass
    assert stream.queued() > 5000
    assert stream.calls == []
    read = reader(peer)
    run_until(lambda: stream.calls == ["drain"])
    assert stream.queued() <= 1000
    run_until(lambda: stream.queued() == 0)
    stream.write(b"small")
    stream.close()
    run_until(lambda: stream.gone)
    read.join()
    assert stream.calls == ["drain", ("closed", 0)]


def test_write_inside_drain(loop: Any, opened: Any, run_until: Any, reader: Any) -> None:
    stream, peer = opened()
    left = 20
    sent = 0

    def more() -> None:
        nonlocal left, sent
        while left:
            left -= 1
            sent += 300_000
            stream.write(bytes([left]) * 300_000)
            if stream.queued() > 64 * 1024:
                return
        stream.close()

    stream.drain = more
    more()
    read = reader(peer)
    run_until(lambda: stream.gone)
    read.join()
    assert read.got == b"".join(bytes([i]) * 300_000 for i in range(19, -1, -1))


def test_write_inside_release(loop: Any, opened: Any, run_until: Any, reader: Any) -> None:
    stream, peer = opened()
    size = 4_000_000

    def released() -> None:
        stream.write(b"END")
        stream.close()

    assert stream.write(b"x" * size, release=released) == 1
    read = reader(peer)
    run_until(lambda: stream.gone)
    read.join()
    assert read.got == b"x" * size + b"END"


def test_write_after_the_end_is_refused_and_released(
    loop: Any, opened: Any, run_until: Any
) -> None:
    stream, peer = opened()
    released: list[int] = []

    def release() -> None:
        released.append(1)

    assert stream.shutdown() == 0
    assert stream.write(b"x", release=release) == -errno.EPIPE
    stream.close()
    assert stream.write(b"x", release=release) < 0
    run_until(lambda: stream.gone)
    assert stream.write(b"x", release=release) == -errno.ENOTCONN
    assert released == [1, 1, 1]
    assert stream.read_pause() < 0
    assert stream.read_resume() < 0
    assert stream.shutdown() < 0
    assert stream.sendfile(0, 0, 1, lambda error: None) == -errno.ENOTCONN
    assert stream.name(True) < 0
    assert stream.fileno() == -1
    stream.close()
    stream.abort(-errno.ECONNRESET)
    turns(loop)
    assert stream.calls == [("closed", 0)]
    assert read_all(peer) == b""


def test_write_to_a_dead_peer(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened("closed")
    stream.read_pause()
    peer.close()
    results = [stream.write(b"x" * 1000)]
    for _ in range(10):
        turns(loop)
        results.append(stream.write(b"x" * 1000))
    run_until(lambda: stream.gone)
    assert results[-1] < 0
    assert stream.calls[0] in [("closed", -errno.EPIPE), ("closed", -errno.ECONNRESET)]
    assert len(stream.calls) == 1


def test_shutdown_follows_the_queue(loop: Any, opened: Any, run_until: Any, reader: Any) -> None:
    stream, peer = opened()
    assert stream.write(b"x" * 4_000_000) == 1
    assert stream.shutdown() == 0
    assert stream.shutdown() == 0
    read = reader(peer)
    run_until(lambda: stream.queued() == 0)
    read.join()
    assert len(read.got) == 4_000_000
    peer.send(b"still reading")
    run_until(lambda: stream.got == b"still reading")
    peer.close()
    run_until(lambda: "eof" in stream.calls)
    stream.close()
    run_until(lambda: stream.gone)


# ---- the end -----------------------------------------------------------------------------------


def test_abort_with_a_reset(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    released: list[int] = []
    assert stream.write(b"x" * 4_000_000, release=lambda: released.append(1)) == 1
    stream.abort(-errno.ECONNRESET)
    assert stream.calls == [] and released == []  # nothing comes inside abort()
    run_until(lambda: stream.gone)
    assert released == [1]
    assert stream.calls == [("closed", -errno.ECONNRESET)]
    if opened.kind == "tcp":
        with pytest.raises(ConnectionResetError):
            read_all(peer)


@pytest.mark.parametrize("where", ["data", "eof", "drain"])
@pytest.mark.parametrize("how", ["close", "abort"])
def test_ended_inside_its_own_callback(
    loop: Any, opened: Any, where: str, how: str, run_until: Any, reader: Any
) -> None:
    stream, peer = opened()
    inner = getattr(type(stream), where)

    def callback(*args: Any) -> None:
        inner(stream, *args)
        getattr(stream, how)()

    setattr(stream, where, callback)
    stream.buffer(2)
    stream.watermarks(10, 10)
    while stream.write(b"x" * 100_000) == 0:
        pass
    read = reader(peer)
    peer.send(b"abcdef")
    if where == "drain":
        run_until(lambda: stream.gone)
    else:
        peer.shutdown(socket.SHUT_WR)
        run_until(lambda: stream.gone)
    read.join()
    assert stream.calls.count(("closed", 0)) == 1
    assert stream.calls[-1] == ("closed", 0)
    if where == "data":
        assert stream.got == b"ab"


@pytest.mark.parametrize("where", ["data", "eof", "drain", "closed"])
def test_a_callback_that_raises(
    loop: Any, opened: Any, where: str, run_until: Any, reader: Any
) -> None:
    stream, peer = opened()
    inner = getattr(type(stream), where)

    def callback(*args: Any) -> None:
        inner(stream, *args)
        raise ZeroDivisionError(where)

    setattr(stream, where, callback)
    stream.watermarks(10, 10)
    while where == "drain" and stream.write(b"x" * 100_000) == 0:
        pass
    read = reader(peer)
    peer.send(b"abcdef")
    peer.shutdown(socket.SHUT_WR)
    if where == "closed":
        run_until(lambda: "eof" in stream.calls)
        stream.close()
    run_until(lambda: stream.gone)
    read.join()
    assert stream.gone
    assert stream.calls[-1][1] == (0 if where == "closed" else -errno.ECONNABORTED)
    assert [str(error["exception"]) for error in loop.errors] == [where]
    loop.errors.clear()


def test_keyboard_interrupt_in_a_callback_leaves_the_loop(
    loop: Any, opened: Any, run_until: Any
) -> None:
    stream, peer = opened()

    def data(_: bytes) -> None:
        raise KeyboardInterrupt

    stream.data = data
    peer.send(b"x")
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    run_until(lambda: stream.gone)


def test_closing_the_loop_closes_streams(loop: Any, opened: Any, tmp_path: Path) -> None:
    streams = [opened()[0] for _ in range(5)]
    released: list[int] = []
    done: list[int] = []
    streams[0].write(b"x" * 4_000_000, release=lambda: released.append(1))
    streams[1].close()
    with open(__file__, "rb") as file:
        streams[2].write(b"x" * 4_000_000)
        streams[2].sendfile(file.fileno(), 0, 10, done.append)
        loop.close()
    assert released == [1]
    assert done == [-errno.ECANCELED]
    ends = [stream.calls for stream in streams]
    canceled = [("closed", -errno.ECANCELED)]
    assert ends == [canceled, [("closed", 0)], canceled, canceled, canceled]


def test_open_on_a_closed_loop(loop: Any, pair: Any, Probe: Any) -> None:
    ours, _ = pair()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        Probe().open(loop, ours.fileno())
    ours.getpeername()  # is still the caller's


def test_open_what_is_no_connected_socket(loop: Any, stream_probe: Any, Probe: Any) -> None:
    with open(__file__, "rb") as file, pytest.raises(OSError):
        Probe().open(loop, file.fileno())
    with socket.socket() as sock, pytest.raises(OSError) as caught:
        Probe().open(loop, sock.fileno())
    assert caught.value.errno == errno.ENOTCONN
    with pytest.raises(OSError):
        Probe().open(loop, 9999)


def test_names(loop: Any, opened: Any) -> None:
    stream, peer = opened()
    if opened.kind == "tcp":
        port = struct.pack("!H", peer.getsockname()[1])
        assert stream.name(True)[2:8] == port + socket.inet_aton("127.0.0.1")
        assert stream.name(False)[2:4] == struct.pack("!H", peer.getpeername()[1])
        sock = socket.socket(fileno=os.dup(stream.fileno()))
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()
    else:
        family = struct.unpack("=H", stream.name(True)[:2])[0]
        assert family == socket.AF_UNIX


def test_swapped_callbacks(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    peer.send(b"first")
    run_until(lambda: stream.got == b"first")
    stream.set_ops("few")
    peer.send(b"second")
    run_until(lambda: stream.got == b"firstsecond")
    peer.close()
    run_until(lambda: stream.gone)  # for "few" has no eof()
    assert "eof" not in stream.calls


def test_streams_are_freed(loop: Any, opened: Any, run_until: Any) -> None:
    stream, peer = opened()
    references = sys.getrefcount(stream)
    stream.close()
    run_until(lambda: stream.gone)
    assert sys.getrefcount(stream) == references - 1  # the loop's is gone
    assert peer.recv(1) == b""
