"""open_beneath: both ways of it, with everything that tries to get out of the directory."""

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guava_router import open_beneath
from guava_router._core import _open_walking

Open = Callable[..., int]


@pytest.fixture(params=[open_beneath, _open_walking], ids=["kernel", "walking"])
def opener(request: pytest.FixtureRequest) -> Open:
    return request.param


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "root-sibling").mkdir()
    (tmp_path / "root-sibling" / "secret").write_text("outside")
    inside = tmp_path / "root"
    (inside / "sub" / "deeper").mkdir(parents=True)
    (inside / "a.txt").write_text("a")
    (inside / "sub" / "b.txt").write_text("b")
    (inside / "sub" / "deeper" / "ä.txt").write_text("c")
    (inside / "in").symlink_to("sub/b.txt")
    (inside / "in-dir").symlink_to("sub")
    (inside / "out").symlink_to("../secret")
    (inside / "out-dir").symlink_to("..")
    (inside / "absolute").symlink_to("/etc/passwd")
    (inside / "loop").symlink_to("loop")
    (inside / "magic").symlink_to("/proc/self/root")
    fd = os.open(inside, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def content(fd: int) -> bytes:
    with open(fd, "rb") as file:
        return file.read()


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a.txt", b"a"), ("sub/b.txt", b"b"), ("sub/deeper/ä.txt", b"c")],
)
def test_what_is_inside(opener: Open, root: int, path: str, expected: bytes) -> None:
    assert content(opener(root, path)) == expected


@pytest.mark.parametrize("path", [".", "sub", "sub/deeper"])
def test_directories(opener: Open, root: int, path: str) -> None:
    fd = opener(root, path)
    assert stat.S_ISDIR(os.fstat(fd).st_mode)
    assert "secret" not in os.listdir(fd)
    os.close(fd)


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../secret",
        "../root-sibling/secret",
        "sub/../../secret",
        "sub/deeper/../../../secret",
        "/etc/passwd",
        "//etc/passwd",
        "out",
        "out-dir",
        "out-dir/secret",
        "absolute",
        "loop",
        "magic/etc/passwd",
        "",
        "no-such-file",
        "a.txt/b",
        "x" * 300,
        "sub/" + "x" * 300,
        "sub/" * 2000 + "b.txt",
    ],
)
def test_what_is_not(opener: Open, root: int, path: str, follow: bool) -> None:
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError) as caught:
        opener(root, path, follow)
    assert caught.value.errno in {
        errno.EXDEV,
        errno.ELOOP,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
    }
    assert caught.value.filename == path
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("path", ["in", "in-dir/b.txt"])
def test_links_inside_are_refused_unless_asked_for(opener: Open, root: int, path: str) -> None:
    with pytest.raises(OSError):
        opener(root, path)
    if opener is open_beneath and has_openat2(root):
        assert content(opener(root, path, True)) == b"b"


def has_openat2(root: int) -> bool:
    """A kernel without it refuses links even if they may be followed."""
    try:
        os.close(open_beneath(root, "in", True))
    except OSError as error:
        assert error.errno in (errno.ELOOP, errno.ENOTDIR)
        return False
    return True


def test_nothing_blocks(opener: Open, root: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root" / "fifo")
    fd = opener(root, "fifo")
    assert stat.S_ISFIFO(os.fstat(fd).st_mode)
    os.close(fd)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "root" / "s"))
        with pytest.raises(OSError) as caught:
            opener(root, "s")
    assert caught.value.errno == errno.ENXIO


def test_descriptors_are_not_inherited(opener: Open, root: int) -> None:
    fd = opener(root, "a.txt")
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a\0b",), ValueError),
        (("\udcff",), UnicodeEncodeError),
        ((b"a.txt",), TypeError),
        ((), TypeError),
    ],
)
def test_what_is_no_path(opener: Open, root: int, arguments: tuple, error: type) -> None:
    with pytest.raises(error):
        opener(root, *arguments)


def test_a_directory_that_is_none(opener: Open, tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        opener(-1, "a.txt")
    assert caught.value.errno == errno.EBADF
    file = tmp_path / "f"
    file.write_text("")
    fd = os.open(file, os.O_RDONLY)
    try:
        with pytest.raises(NotADirectoryError):
            opener(fd, "a.txt")
    finally:
        os.close(fd)


def test_a_link_that_is_put_in_place_meanwhile(opener: Open, root: int, tmp_path: Path) -> None:
    """The directory is exchanged for a link out of it while its file is opened over and over."""
    import threading

    inside, away, done = tmp_path / "root" / "swap", tmp_path / "root" / "away", threading.Event()
    inside.mkdir()
    (inside / "secret").write_text("inside")

    def swap() -> None:
        while not done.is_set():
            inside.rename(away)
            inside.symlink_to("..")
            inside.unlink()
            away.rename(inside)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for _ in range(3000):
            try:
                seen.add(content(opener(root, "swap/secret")))
            except OSError:
                pass
    finally:
        done.set()
        thread.join()
    assert seen <= {b"inside"}
