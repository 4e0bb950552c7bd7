"""The folder of a file store: found, made, checked and held open; and the key file in it.

Everything below the folder is reached through its file descriptor, so a folder that is moved or
replaced while the program runs cannot redirect it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

KEY_BYTES = 32
KEY_FILE = "key"

#: How every file is opened: not if it is a symbolic link, not for a child process, and without
#: waiting for the other end of a planted pipe.
OPEN_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def default_directory() -> Path:
    """A folder of this user's for the application in the current folder.

    ``$XDG_STATE_HOME/guava/sessions/<name>-<hash>``, with ``~/.local/state`` when the variable is
    not set. Name and hash are the current folder's, so that two applications of one user
    do not take each other's visitors for their own.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    here = os.getcwd()
    mark = hashlib.sha256(os.fsencode(here)).hexdigest()[:12]
    return base / "guava" / "sessions" / f"{os.path.basename(here) or 'root'}-{mark}"


def open_directory(path: Path) -> int:
    """A descriptor of the folder, which is made when it is not there.

    :raises PermissionError: when it is a link, a shared temporary folder, another user's, or open
        to others
    :raises OSError: when it cannot be made or opened
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | OPEN_FLAGS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST):
            raise _refusal(path, "it is not a directory; name the directory itself") from None
        raise
    try:
        _check_directory(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check_directory(path: Path, found: os.stat_result) -> None:
    for shared in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        try:
            temporary = os.stat(shared)
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == (temporary.st_dev, temporary.st_ino):
            raise _refusal(path, "it is a shared temporary directory; use one of your own")
    if found.st_uid != os.geteuid():
        raise _refusal(path, f"it belongs to user {found.st_uid}, not to {os.geteuid()}")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise _refusal(path, f"its mode {mode:04o} lets others in; run: chmod 700 {path}")


def _refusal(path: Path, why: str) -> PermissionError:
    return PermissionError(errno.EPERM, f"sessions are not kept here: {why}", str(path))


def is_private_file(found: os.stat_result) -> bool:
    """Whether it is a plain file that is ours and nobody else's."""
    return (
        stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    )


def load_key(directory: int, path: Path) -> bytes:
    """The key in the folder's key file, which the first of all processes makes.

    :raises PermissionError: when the file is not a private one of ours
    :raises ValueError: when it does not hold a key
    """
    for _ in range(2):
        try:
            fd = os.open(KEY_FILE, os.O_RDONLY | OPEN_FLAGS, dir_fd=directory)
            break
        except FileNotFoundError:
            _make_key(directory)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _refusal(path / KEY_FILE, "the key file is a link") from None
            raise
    else:
        raise FileNotFoundError(errno.ENOENT, "the key file is gone again", str(path / KEY_FILE))
    try:
        if not is_private_file(os.fstat(fd)):
            raise _refusal(path / KEY_FILE, "the key file is not a file of ours with mode 0600")
        key = os.read(fd, KEY_BYTES + 1)
    finally:
        os.close(fd)
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"{path / KEY_FILE} does not hold a key of {KEY_BYTES} bytes; delete it, and all "
            "sessions end"
        )
    return key


def _make_key(directory: int) -> None:
    """Make the key file, whole or not at all; whoever comes second leaves the first one's."""
    temporary = f".key.{secrets.token_hex(8)}"
    fd = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, 0o600, dir_fd=directory
    )
    try:
        try:
            write_all(fd, secrets.token_bytes(KEY_BYTES))
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            os.link(temporary, KEY_FILE, src_dir_fd=directory, dst_dir_fd=directory)
        except FileExistsError:
            pass
    finally:
        os.unlink(temporary, dir_fd=directory)


def write_all(fd: int, data: bytes) -> None:
    """Write all of data. Raises OSError when there is no room for it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
