"""Files in the ordered queue of a stream."""

import errno
import os
import random
import socket
from pathlib import Path
from typing import Any

import pytest

SIZE = 5_000_000


@pytest.fixture(scope="module")
def content() -> bytes:
    return random.Random(4).randbytes(SIZE)


@pytest.fixture
def file(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "file"
    path.write_bytes(content)
    with path.open("rb") as opened:
        yield opened


@pytest.fixture(params=["tcp", "unix"])
def opened(request: Any, loop: Any, stream_probe: Any) -> Any:
    """(stream, the peer's socket); stream.ends holds what closed() was told."""

    class Stream(stream_probe.Stream):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            self.ends: list[int] = []

        def closed(self, error: int) -> None:
            self.ends.append(error)

    if request.param == "unix":
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.create_connection(listener.getsockname())
            ours = listener.accept()[0]
    theirs.settimeout(10)
    stream = Stream()
    stream.open(loop, ours.detach())
    with theirs:
        yield stream, theirs


@pytest.fixture
def finish(run_until: Any) -> Any:
    """finish(stream, reader): close in order; what the peer got."""

    def finish(stream: Any, read: Any) -> bytes:
        stream.close()
        run_until(lambda: stream.ends == [0])
        return read.all()  # type: ignore[no-any-return]

    return finish


def test_a_small_file_goes_at_once(
    loop: Any, opened: Any, file: Any, content: bytes, run_until: Any
) -> None:
    stream, peer = opened
    done: list[int] = []
    assert stream.sendfile(file.fileno(), 10, 1000, done.append) == 0
    assert done == []  # never inside sendfile()
    assert peer.recv(2000) == content[10:1010]
    run_until(lambda: done == [0])
    assert file.tell() == 0  # the file's own position stays


def test_a_large_file(
    loop: Any, opened: Any, file: Any, content: bytes, run_until: Any, reader: Any, finish: Any
) -> None:
    stream, peer = opened
    done: list[int] = []
    assert stream.sendfile(file.fileno(), 0, SIZE, done.append) == 0
    assert stream.queued() == 0  # files are not counted
    read = reader(peer)
    run_until(lambda: done == [0])
    assert finish(stream, read) == content


def test_files_and_bytes_keep_their_order(
    loop: Any, opened: Any, file: Any, content: bytes, reader: Any, finish: Any
) -> None:
    stream, peer = opened
    source = random.Random(5)
    done: list[int] = []
    released: list[int] = []
    expected = []
    for i in range(60):
        kind = source.randrange(3)
        size = source.choice([1, 100, 50_000, 400_000])
        start = source.randrange(SIZE - size)
        part = content[start : start + size]
        expected.append(part)
        if kind == 0:
            stream.write(part)
        elif kind == 1:
            stream.write(part[:5], part[5:], release=lambda i=i: released.append(i))
        else:
            assert stream.sendfile(file.fileno(), start, size, lambda _, i=i: done.append(i)) == 0
    read = reader(peer)
    assert finish(stream, read) == b"".join(expected)
    assert done == sorted(done) and len(done) > 5
    assert released == sorted(released) and len(released) > 5


def test_slow_reader(
    loop: Any, opened: Any, file: Any, content: bytes, reader: Any, finish: Any
) -> None:
    stream, peer = opened
    stream.write(b"head")
    stream.sendfile(file.fileno(), 0, SIZE, lambda error: None)
    stream.write(b"tail")
    read = reader(peer, 4096)
    assert finish(stream, read) == b"head" + content + b"tail"


def test_others_are_served_meanwhile(
    loop: Any, opened: Any, file: Any, reader: Any, finish: Any
) -> None:
    stream, peer = opened
    peer.setblocking(True)
    done: list[int] = []
    stream.sendfile(file.fileno(), 0, SIZE, done.append)
    stream.sendfile(file.fileno(), 0, SIZE, done.append)
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1
        if len(done) < 2:
            loop.call_soon(count)
        else:
            loop.stop()

    read = reader(peer)
    loop.call_soon(count)
    loop.run_forever()
    # At most a megabyte in one turn, so no fewer turns than megabytes.
    assert counted >= 2 * SIZE // 2**20
    finish(stream, read)


def test_an_empty_range(
    loop: Any, opened: Any, file: Any, run_until: Any, reader: Any, finish: Any
) -> None:
    stream, peer = opened
    done: list[int] = []
    assert stream.sendfile(file.fileno(), SIZE + 5, 0, done.append) == 0
    run_until(lambda: done == [0])
    assert finish(stream, reader(peer)) == b""


@pytest.mark.parametrize("behind", [False, True])
def test_a_file_that_ends_early(
    loop: Any,
    opened: Any,
    file: Any,
    content: bytes,
    behind: bool,
    run_until: Any,
    reader: Any,
    finish: Any,
) -> None:
    """-ENODATA, and the stream goes on."""
    stream, peer = opened
    done: list[int] = []
    before = 4_000_000 if behind else 0
    stream.write(b"x" * before)
    assert stream.sendfile(file.fileno(), SIZE - 100, 200, done.append) == 0
    stream.write(b"more")
    read = reader(peer)
    run_until(lambda: done == [-errno.ENODATA])
    assert finish(stream, read) == b"x" * before + content[-100:] + b"more"


def test_what_is_no_file(
    loop: Any, opened: Any, file: Any, run_until: Any, reader: Any, finish: Any
) -> None:
    stream, peer = opened
    done: list[int] = []
    ignored: list[int] = []
    assert stream.sendfile(-1, 0, 1, ignored.append) == -errno.EINVAL
    assert stream.sendfile(file.fileno(), -1, 1, ignored.append) == -errno.EINVAL
    assert stream.sendfile(file.fileno(), 0, -1, ignored.append) == -errno.EINVAL
    closed = os.dup(0)
    os.close(closed)
    assert stream.sendfile(closed, 0, 10, done.append) == 0
    folder = os.open("/", os.O_RDONLY)
    assert stream.sendfile(folder, 0, 10, done.append) == 0
    run_until(lambda: len(done) == 2)
    os.close(folder)
    assert done == [-errno.EBADF, -errno.EISDIR]
    stream.write(b"still whole")
    assert finish(stream, reader(peer)) == b"still whole"
    assert ignored == []


def test_files_the_kernel_cannot_send_by_itself(
    loop: Any, opened: Any, run_until: Any, reader: Any, finish: Any
) -> None:
    """/proc has files without pages; their bytes are copied."""
    stream, peer = opened
    if not os.path.exists("/proc/self/limits"):
        pytest.skip("this system has no /proc")
    expected = Path("/proc/self/limits").read_bytes()
    done: list[int] = []
    fd = os.open("/proc/self/limits", os.O_RDONLY)
    assert stream.sendfile(fd, 0, len(expected), done.append) == 0
    run_until(lambda: done == [0])
    os.close(fd)
    assert finish(stream, reader(peer)) == expected


def test_shutdown_follows_the_file(
    loop: Any, opened: Any, file: Any, content: bytes, run_until: Any, reader: Any
) -> None:
    stream, peer = opened
    done: list[int] = []
    stream.sendfile(file.fileno(), 0, SIZE, done.append)
    assert stream.shutdown() == 0
    assert stream.sendfile(file.fileno(), 0, 1, done.append) == -errno.EPIPE
    read = reader(peer)
    run_until(lambda: done == [0])
    read.join()
    assert read.got == content
    stream.close()
    run_until(lambda: stream.ends == [0])


@pytest.mark.parametrize("error", [0, -errno.ECONNRESET])
def test_aborted_in_the_middle(
    loop: Any, opened: Any, file: Any, error: int, run_until: Any
) -> None:
    stream, _ = opened
    done: list[Any] = []
    order: list[str] = []
    stream.closed = lambda error: (order.append("closed"), stream.ends.append(error))
    small = stream.sendfile(file.fileno(), 0, 10, lambda e: (order.append("a"), done.append(e)))
    assert small == 0
    stream.sendfile(file.fileno(), 0, SIZE, lambda e: (order.append("b"), done.append(e)))
    stream.sendfile(file.fileno(), 0, SIZE, lambda e: (order.append("c"), done.append(e)))
    stream.abort(error)
    assert order == []  # nothing comes inside abort()
    run_until(lambda: stream.ends == [error])
    canceled = error or -errno.ECANCELED
    assert done == [0, canceled, canceled]
    assert order == ["a", "b", "c", "closed"]


def test_the_peer_leaves_in_the_middle(loop: Any, opened: Any, file: Any, run_until: Any) -> None:
    stream, peer = opened
    done: list[int] = []
    stream.sendfile(file.fileno(), 0, SIZE, done.append)
    assert len(peer.recv(1000)) > 0
    peer.close()
    run_until(lambda: len(done) == 1)
    assert done[0] in (-errno.EPIPE, -errno.ECONNRESET)
    if not stream.ends:
        stream.abort()
        run_until(lambda: len(stream.ends) == 1)


def test_done_that_sends_the_next(
    loop: Any, opened: Any, file: Any, content: bytes, run_until: Any, reader: Any
) -> None:
    """As a server does that has one buffer of ranges."""
    stream, peer = opened
    step = 123_456
    sent = 0

    def following(error: int) -> None:
        nonlocal sent
        assert error == 0
        size = min(step, SIZE - sent)
        if size == 0:
            stream.close()
            return
        assert stream.sendfile(file.fileno(), sent, size, following) == 0
        sent += size

    following(0)
    read = reader(peer)
    run_until(lambda: stream.ends == [0])
    read.join()
    assert read.got == content
