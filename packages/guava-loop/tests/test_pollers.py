"""add_reader() and add_writer(): what a loop owes to descriptors that are not its own."""

import asyncio
import gc
import os
import pty
import socket
import subprocess
import sys
import textwrap
import warnings
import weakref
from collections.abc import Iterator

import guava_loop
import pytest


@pytest.fixture(params=[guava_loop.new_event_loop, asyncio.SelectorEventLoop])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = request.param()
    made.set_debug(False)  # which -X dev turns on
    yield made
    made.close()


@pytest.fixture
def ours() -> Iterator[guava_loop.Loop]:
    made = guava_loop.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    with left, right:
        yield left, right


def turns(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        loop.stop()
        loop.run_forever()


def test_a_reader_is_called_as_long_as_there_is_something(any_loop, pair):
    left, right = pair
    seen = []
    any_loop.add_reader(left, lambda *args: seen.append(args), 1, 2)
    turns(any_loop, 3)
    assert seen == []
    right.send(b"xy")
    turns(any_loop, 3)
    assert len(seen) in (2, 3) and seen[0] == (1, 2)
    left.recv(100)
    seen.clear()
    turns(any_loop, 3)
    assert seen == []
    assert any_loop.remove_reader(left) is True and any_loop.remove_reader(left) is False


def test_a_writer_is_called_as_long_as_there_is_room(any_loop, pair):
    left, _ = pair
    seen = []
    any_loop.add_writer(left.fileno(), seen.append, 1)
    turns(any_loop, 3)
    assert len(seen) in (2, 3)
    with pytest.raises(BlockingIOError):
        while True:
            left.send(b"x" * 65536)
    seen.clear()
    turns(any_loop, 3)
    assert len(seen) <= 1  # one may be queued already
    assert any_loop.remove_writer(left.fileno()) is True
    assert any_loop.remove_writer(left.fileno()) is False


def test_both_directions_at_once(any_loop, pair):
    left, right = pair
    seen = []
    any_loop.add_reader(left, seen.append, "r")
    any_loop.add_writer(left, seen.append, "w")
    right.send(b"x")
    turns(any_loop, 3)
    assert {"r", "w"} == set(seen)
    any_loop.remove_writer(left)
    turns(any_loop, 1)
    seen.clear()
    turns(any_loop, 3)
    assert set(seen) == {"r"}
    any_loop.add_writer(left, seen.append, "w")
    any_loop.remove_reader(left)
    turns(any_loop, 1)
    seen.clear()
    turns(any_loop, 3)
    assert set(seen) == {"w"}
    any_loop.remove_writer(left)


def test_the_second_callback_replaces_the_first(any_loop, pair):
    left, right = pair
    seen = []
    any_loop.add_reader(left, seen.append, 1)
    any_loop.add_reader(left, seen.append, 2)
    right.send(b"x")
    turns(any_loop, 3)
    assert set(seen) == {2}
    any_loop.remove_reader(left)


def test_a_reader_removes_itself_and_closes(any_loop):
    left, right = socket.socketpair()
    seen = []

    def read():
        seen.append(left.recv(10))
        any_loop.remove_reader(left)
        left.close()

    any_loop.add_reader(left, read)
    right.send(b"x")
    turns(any_loop, 3)
    right.close()
    assert seen == [b"x"]


def test_of_two_that_are_ready_the_first_removes_the_second(any_loop):
    """The second's event may be in the same answer of the kernel."""
    pairs = [socket.socketpair() for _ in range(2)]
    seen = []

    def read(index: int) -> None:
        seen.append(index)
        for left, _ in pairs:
            any_loop.remove_reader(left)
            left.close()

    for index, (left, right) in enumerate(pairs):
        any_loop.add_reader(left, read, index)
        right.send(b"x")
    turns(any_loop, 3)
    for _, right in pairs:
        right.close()
    assert len(seen) == 1


def test_a_number_that_comes_back_is_another_file(any_loop):
    """The kernel gives the lowest free number, so a new socket has that of the one before."""
    seen = []
    for round_ in range(20):
        left, right = socket.socketpair()
        number = left.fileno()
        any_loop.add_reader(left, seen.append, round_)
        right.send(b"x")
        turns(any_loop, 2)
        assert seen and seen[-1] == round_
        any_loop.remove_reader(left)
        left.close()
        again, other = socket.socketpair()
        assert number in (again.fileno(), other.fileno())
        any_loop.add_reader(again, seen.append, "again")
        other.send(b"x")
        turns(any_loop, 2)
        assert seen[-1] == "again"
        any_loop.remove_reader(again)
        for sock in (right, again, other):
            sock.close()


def test_the_peers_end_wakes_the_reader(any_loop, pair):
    left, right = pair
    seen = []
    any_loop.add_reader(left, lambda: seen.append(left.recv(10)))
    right.close()
    turns(any_loop, 2)
    any_loop.remove_reader(left)
    assert seen and set(seen) == {b""}


def test_an_error_wakes_both_and_goes_on(any_loop):
    """The writing end of a pipe without a reader: the kernel says only that there is an error."""
    reading, writing = os.pipe()
    seen = []
    any_loop.add_writer(writing, seen.append, "w")
    os.close(reading)
    turns(any_loop, 4)
    assert len(seen) >= 2
    any_loop.remove_writer(writing)
    os.close(writing)


def test_a_regular_file_is_refused(any_loop, tmp_path):
    with open(tmp_path / "file", "w+b") as file:
        with pytest.raises(PermissionError):
            any_loop.add_reader(file, print)


@pytest.mark.parametrize("wrong", [-1, "spam", None, 3.5])
def test_what_is_no_file(any_loop, wrong):
    with pytest.raises((ValueError, TypeError)):
        any_loop.add_reader(wrong, print)
    with pytest.raises((ValueError, TypeError)):
        any_loop.remove_writer(wrong)


def test_a_closed_number_is_refused(any_loop):
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(OSError):
        any_loop.add_reader(reading, print)


def test_a_descriptor_stays_as_blocking_as_it_was(ours):
    """libuv would make it non-blocking, and a terminal is shared with the shell."""
    master, slave = pty.openpty()
    reading, writing = os.pipe()
    for fd in (slave, reading):
        assert os.get_blocking(fd)
        ours.add_reader(fd, print)
        turns(ours, 1)
        assert os.get_blocking(fd)
        ours.remove_reader(fd)
    for fd in (master, slave, reading, writing):
        os.close(fd)


def test_a_descriptor_closed_under_the_loop_does_not_end_the_process():
    """libuv aborts when the kernel refuses a watcher: each way in which a user may cause that."""
    program = """
        import os, guava_loop
        def turn():
            loop.stop()
            loop.run_forever()
        def check(steps):
            global loop
            loop = guava_loop.new_event_loop()
            reading, writing = os.pipe()
            for step in steps:
                step(reading, writing)
            turn()
            turn()
            loop.remove_reader(reading)
            loop.remove_writer(reading)
            loop.remove_writer(writing)
            os.close(writing)
            loop.close()
        add = lambda r, w: loop.add_reader(r, print)
        more = lambda r, w: loop.add_writer(r, print)
        less = lambda r, w: loop.remove_reader(r)
        shut = lambda r, w: os.close(r)
        turned = lambda r, w: turn()
        check([add, shut])
        check([add, turned, shut])
        check([add, turned, shut, more])
        check([add, more, turned, shut, less])
        check([add, more, turned, less, shut])
        print("alive")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("alive\n", 0), done.stderr


def test_asyncio_finds_what_is_watched(ours, pair):
    import selectors

    left, _ = pair
    selector = ours._selector
    with pytest.raises(KeyError):
        selector.get_key(left)
    reader = ours._add_reader(left, print)
    key = selector.get_key(left)
    assert (key.fd, key.events) == (left.fileno(), selectors.EVENT_READ)
    assert key.data == (reader, None)
    writer = ours._add_writer(left.fileno(), print)
    key = selector.get_map()[left.fileno()]
    assert key.events == selectors.EVENT_READ | selectors.EVENT_WRITE
    assert key.data == (reader, writer)
    ours.remove_reader(left)
    assert reader.cancelled() and selector.get_key(left).data == (None, writer)
    ours.remove_writer(left)
    for refused in (
        lambda: selector.register(left, 1),
        lambda: selector.unregister(left),
        lambda: selector.select(),
    ):
        with pytest.raises(NotImplementedError):
            refused()


def test_many_descriptors(ours):
    pairs = [socket.socketpair() for _ in range(300)]
    seen = set()
    for index, (left, _) in enumerate(pairs):
        ours.add_reader(left, seen.add, index)
    for _, right in pairs:
        right.send(b"x")
    turns(ours, 4)
    assert seen == set(range(300))
    for left, right in pairs:
        ours.remove_reader(left)
        left.close()
        right.close()


def test_closing_the_loop_forgets_them(pair):
    loop = guava_loop.new_event_loop()
    loop.add_reader(pair[0], print)
    loop.add_writer(pair[1], print)
    loop.close()
    assert loop.remove_reader(pair[0]) is False


@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_a_closed_file_object_is_taken_away_by_its_identity(any_loop, kind):
    """anyio closes its sockets first."""
    left, right = socket.socketpair()
    left.setblocking(False)
    remove = getattr(any_loop, f"remove_{kind}")
    with right:
        getattr(any_loop, f"add_{kind}")(left, print)
        left.close()
        assert remove(left) is True
        with pytest.raises(ValueError):
            remove(left)


def test_a_file_object_lives_while_it_is_watched(any_loop):
    left, right = socket.socketpair()
    seen = any_loop.create_future()
    with right:
        fd = left.fileno()
        left.setblocking(False)
        any_loop.add_reader(left, lambda: seen.done() or seen.set_result(os.read(fd, 10)))
        alive = weakref.ref(left)
        del left
        gc.collect()
        assert alive() is not None
        right.send(b"heard")
        assert any_loop.run_until_complete(seen) == b"heard"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # nobody has closed it
            any_loop.remove_reader(fd)
            gc.collect()
        assert alive() is None
