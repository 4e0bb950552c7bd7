"""FileBody: a range of a file, and who owns the descriptor."""

import os

import pytest
from guava_http import FileBody


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", [str, os.fsencode, lambda p: p])
def test_a_path(path, kind):
    with FileBody(kind(path)) as body:
        assert (body.offset, body.length, body.closed) == (0, 10, False)
        assert os.pread(body.fileno(), 20, 0) == b"0123456789"
        assert not os.get_inheritable(body.fileno())


@pytest.mark.parametrize(
    ("arguments", "offset", "length"),
    [((3,), 3, 7), ((3, 4), 3, 4), ((0, None), 0, 10), ((10,), 10, 0), ((2, 0), 2, 0)],
)
def test_a_range(path, arguments, offset, length):
    body = FileBody(path, *arguments)
    assert (body.offset, body.length) == (offset, length)


@pytest.mark.parametrize("arguments", [(-1,), (0, -1), (11,), (5, 6), (0, 11), (2**63 - 1, 1)])
def test_a_range_that_is_not_there(path, arguments):
    with pytest.raises(ValueError):
        FileBody(path, *arguments)


def test_arguments(path):
    with pytest.raises(OverflowError):
        FileBody(path, 2**63)
    with pytest.raises(TypeError):
        FileBody(path, "0")
    with pytest.raises(TypeError, match="a path, a file descriptor or an open file"):
        FileBody(None)
    with pytest.raises(FileNotFoundError, match="none"):
        FileBody(path.with_name("none"))
    with pytest.raises(ValueError, match="null"):
        FileBody("a\0b")


def test_closing(path):
    body = FileBody(path)
    fd = body.fileno()
    body.close()
    body.close()
    assert body.closed
    assert not is_open(fd)
    with pytest.raises(ValueError, match="closed"):
        body.fileno()


def test_freeing_closes(path):
    body = FileBody(path)
    fd = body.fileno()
    del body
    assert not is_open(fd)


def test_a_descriptor_is_duplicated(path):
    with path.open("rb") as file:
        for given in (file, file.fileno()):
            body = FileBody(given)
            assert body.fileno() != file.fileno()
            body.close()
            assert is_open(file.fileno())


def test_a_descriptor_is_taken_over(path):
    fd = os.open(path, os.O_RDONLY)
    body = FileBody(fd, 1, 5, own=True)
    assert body.fileno() == fd
    del body
    assert not is_open(fd)


def test_what_fails_takes_nothing(path):
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(ValueError):
        FileBody(fd, 11, own=True)
    assert is_open(fd)
    os.close(fd)
    with pytest.raises(TypeError, match="own=True"):
        FileBody(path, own=True)


def test_only_regular_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for other in (tmp_path, tmp_path / "fifo", "/dev/null"):
        with pytest.raises(ValueError, match="regular file"):
            FileBody(other)


def test_nothing_stays_open(path):
    before = len(os.listdir("/dev/fd"))
    for _ in range(50):
        with pytest.raises(ValueError):
            FileBody(path, 11)
        FileBody(path)
    assert len(os.listdir("/dev/fd")) == before
