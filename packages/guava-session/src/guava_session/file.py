"""FileStore: one small file per session, for many processes of one machine at once.

A session's file is called after the SHA-256 of its id, so a listing of the folder reveals no
live id, and nothing that a browser sends can name another file. `seal` has the file's format.

Writers hold the lock (flock) of the session's folder and replace the file by renaming a finished
one over it, so readers need no lock and never see half a file, and a process that is killed at
any point leaves at most a temporary file, which the sweeper removes.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import directory as folder
from . import seal
from .directory import OPEN_FLAGS
from .keys import Keys
from .locks import HeldLock
from .serializer import JSON, Record, Serializer
from .session import log
from .store import DEFAULT_LIFETIME, SessionStore, merged

#: Files that every set() looks at for expiry: more than it adds, so the sweeper keeps up.
_STEPS_PER_SET = 2

#: touch() rewrites a file only when this part of its lifetime is gone.
_REFRESH = 0.1

_HEX = "0123456789abcdef"


#: The folder of the locks.
_LOCKS = "lock"


class FileStore(SessionStore):
    """Sessions in the files of one folder, which many processes may use at once.

    The folder belongs to this user alone (mode 0700, made if missing); a folder that others may
    enter is refused, and so is a shared temporary one. Files have mode 0600.

    A file that was damaged or planted counts as no session, with a line in the log
    ``guava.session``. Expired files are removed a few at a time, as new ones are written.

    :param directory: the folder, on a local file system; by default one of this user's for the
        application in the current folder, see `guava_session.directory.default_directory`
    :param lifetime: seconds that a session lives after it was last saved or touched
    :param key: at least 32 secret bytes that sign the files, or several of them: the first one
        signs, all are believed, see `Keys`. By default random ones, kept in the folder's file
        ``key``
    :param fsync: whether a session must survive a power cut the moment it was saved. It costs a
        disk's write per save. Without it a power cut loses the last seconds, but breaks nothing
    :param max_value_bytes: the largest session, serialized
    :param clock: seconds since 1970, as a callable
    :raises PermissionError: for a folder or key file that is not private
    :raises ValueError: for a key that is too short
    :raises OSError: when the folder cannot be made
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        type: builtins.type[SessionStore] | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        serializer: Serializer = JSON,
        key: bytes | Iterable[bytes] | Keys | None = None,
        fsync: bool = False,
        max_value_bytes: int = 1 << 20,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(lifetime=lifetime, serializer=serializer)
        path = folder.default_directory() if directory is None else Path(directory)
        #: The folder, as an absolute path.
        self.directory: Path = path.absolute()
        self._given_keys = () if key is None else Keys(key).secrets
        self._fsync = fsync
        self._max_value_bytes = max_value_bytes
        self._clock = clock
        self._sweeping = threading.Lock()
        self._walk: Iterator[tuple[str, str] | None] | None = None
        self._root = -1
        self._attach()

    def _attach(self) -> None:
        root = folder.open_directory(self.directory)
        try:
            self._keys = self._given_keys or (folder.load_key(root, self.directory),)
        except BaseException:
            os.close(root)
            raise
        if self._root < 0:
            self._root = root
            self._finalizer = weakref.finalize(self, os.close, root)
        else:
            # Under the old number, which other threads may be using at this moment.
            os.dup2(root, self._root, inheritable=False)
            os.close(root)

    def close(self) -> None:
        """Close the folder. The sessions stay."""
        with self._sweeping:
            self._walk = None
        self._root = -1
        self._finalizer()

    # The four.

    def set(self, sid: str, value: Mapping[str, Any]) -> None:
        """Keep value for sid, whole or not at all.

        :raises ValueError: for an id that does not have the shape of this store's ids, and for
            a value larger than max_value_bytes
        :raises TypeError: naming the key that the serializer cannot store
        :raises OSError: when it cannot be written; what was kept before is still there
        """
        if not self.is_id(sid):
            raise ValueError("not a session id: ids are made by generate_id()")
        name = _name(sid)
        payload = self._dump(value)
        with self._locked(name, create=True) as leaf:
            assert leaf is not None
            self._write(leaf, name, payload)
        self.sweep(_STEPS_PER_SET)

    def get(self, sid: str) -> Record | None:
        """What is kept for sid, or None.

        :raises OSError: when the disk cannot be read: that is no reason to log a visitor out
        """
        if not self.is_id(sid):
            return None
        name = _name(sid)
        payload = self._read(f"{_leaf(name)}/{name}", name, self._root)
        return None if payload is None else self._parse(name, payload)

    def delete(self, sid: str) -> None:
        """Forget sid, if it is there."""
        if self.is_id(sid):
            name = _name(sid)
            with self._locked(name) as leaf:
                if leaf is not None:
                    _remove(leaf, name)

    def clear(self, sid: str | None = None) -> None:
        """With a sid: empty that session, whose id stays valid. Without one: forget them all."""
        if sid is not None:
            self.merge(sid, {}, replace=True)
            return
        for first in _HEX:
            for second in _HEX:
                with self._locked(first + second) as leaf:
                    for name in [] if leaf is None else os.listdir(leaf):
                        assert leaf is not None
                        _remove(leaf, name)

    # Atomic versions of the rest.

    def merge(
        self,
        sid: str,
        changed: Mapping[str, Any],
        removed: Iterable[str] = (),
        *,
        replace: bool = False,
    ) -> bool:
        """Bring changes into what is kept now, atomically; whether sid was still there."""
        if not self.is_id(sid):
            return False
        name = _name(sid)
        with self._locked(name) as leaf:
            payload = None if leaf is None else self._read(name, name, leaf)
            record = None if payload is None else self._parse(name, payload)
            if leaf is None or record is None:
                return False
            record = merged(record, changed, removed, replace)
            self._write(leaf, name, self._dump(record))
        return True

    def take(self, sid: str) -> Record | None:
        """What is kept for sid, which is deleted, atomically; None when there is nothing."""
        if not self.is_id(sid):
            return None
        name = _name(sid)
        with self._locked(name) as leaf:
            if leaf is None:
                return None
            payload = self._read(name, name, leaf)
            _remove(leaf, name)
        return None if payload is None else self._parse(name, payload)

    def touch(self, sid: str) -> bool:
        """Let sid live for another lifetime from now; whether it was there.

        The file is written only when a tenth of the lifetime is gone.
        """
        if not self.is_id(sid):
            return False
        name = _name(sid)
        with self._locked(name) as leaf:
            if leaf is None:
                return False
            blob = self._read_file(name, name, leaf)
            content = None if blob is None else self._unseal(name, blob)
            if content is None:
                return False
            expires, payload = content
            if abs(self._expiry() - expires) > self.lifetime * 1000 * _REFRESH:
                self._write(leaf, name, payload)
        return True

    # One request at a time.

    def lock(self, sid: str, seconds: float) -> HeldLock | None:
        """Take the session's lock, if nobody has it; or None.

        It is free again when it is given back or its process ends, however long that takes. 4 096
        locks serve all sessions, so now and then two of them wait for each other.
        """
        path = f"{_LOCKS}/{_name(sid)[:3]}"
        flags = os.O_RDWR | os.O_CREAT | OPEN_FLAGS
        try:
            fd = os.open(path, flags, 0o600, dir_fd=self._root)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(_LOCKS, 0o700, dir_fd=self._root)
            fd = os.open(path, flags, 0o600, dir_fd=self._root)
        held = HeldLock(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.release()
            return None
        except BaseException:
            held.release()
            raise
        return held

    def unlock(self, sid: str, word: HeldLock) -> None:
        """Give the lock back."""
        word.release()

    # Removing what expired.

    def sweep(self, steps: int) -> int:
        """Look at the next `steps` files and remove the expired ones; how many were removed.

        set() does two steps, so it never needs to be called. It goes round the folders and comes
        back to where it left off; one step costs a few system calls.
        """
        if not self._sweeping.acquire(blocking=False):
            return 0  # another thread is at it
        removed = 0
        try:
            for _ in range(steps):
                if self._walk is None:
                    self._walk = self._files()
                found = next(self._walk)
                if found is not None and self._sweep_file(*found):
                    removed += 1
        except OSError:
            # The visitor whose request paid for this step is not to blame.
            log.exception("the sweeper of %s stopped", self.directory)
            self._walk = None
        finally:
            self._sweeping.release()
        return removed

    def _files(self) -> Iterator[tuple[str, str] | None]:
        """All files as (folder, name), round and round; None where a folder ends or is missing.

        It begins at a random folder, or many processes would all look at the same files.
        """
        for number in itertools.count(secrets.randbelow(256)):
            leaf = f"{_HEX[number >> 4 & 15]}/{_HEX[number & 15]}"
            try:
                fd = os.open(leaf, os.O_RDONLY | os.O_DIRECTORY | OPEN_FLAGS, dir_fd=self._root)
            except FileNotFoundError:
                yield None
                continue
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        yield leaf, entry.name
            finally:
                os.close(fd)
            yield None

    def _sweep_file(self, leaf_name: str, name: str) -> bool:
        if not self._is_garbage(f"{leaf_name}/{name}", self._root):
            return False
        # Whoever holds the lock may be replacing the file: then it is no garbage any more.
        with self._locked(leaf_name[0] + leaf_name[2], wait=False) as leaf:
            if leaf is None or not self._is_garbage(name, leaf):
                return False
            return _remove(leaf, name)

    def _is_garbage(self, path: str, dir_fd: int) -> bool:
        if os.path.basename(path).startswith("."):
            return True  # temporary, and its writer is dead if its folder's lock is free
        try:
            fd = os.open(path, os.O_RDONLY | OPEN_FLAGS, dir_fd=dir_fd)
        except OSError:
            return False  # gone meanwhile, or not ours to judge
        try:
            if not folder.is_private_file(os.fstat(fd)):
                return False
            head = os.read(fd, seal.HEAD_BYTES)
        finally:
            os.close(fd)
        if len(head) < seal.HEAD_BYTES:
            return True  # a power cut's
        expires = seal.peek(head)  # None: another version of this package may know it
        return expires is not None and expires <= self._now()

    # Files.

    @contextlib.contextmanager
    def _locked(
        self, name: str, *, create: bool = False, wait: bool = True
    ) -> Iterator[int | None]:
        """The folder of the file, locked; None when there is no such folder or no waiting."""
        leaf = self._open_leaf(name, create)
        if leaf is None:
            yield None
            return
        try:
            # Opened anew each time: threads and forked processes that shared a descriptor would
            # share its lock. Closing it unlocks.
            try:
                fcntl.flock(leaf, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield leaf
        finally:
            os.close(leaf)

    def _open_leaf(self, name: str, create: bool) -> int | None:
        flags = os.O_RDONLY | os.O_DIRECTORY | OPEN_FLAGS
        leaf = _leaf(name)
        for attempt in range(3):
            try:
                return os.open(leaf, flags, dir_fd=self._root)
            except FileNotFoundError:
                if not create:
                    return None
            try:
                for path in (name[0], leaf):
                    try:
                        os.mkdir(path, 0o700, dir_fd=self._root)
                    except FileExistsError:
                        pass
            except FileNotFoundError:
                if attempt:
                    raise
                # The whole folder was deleted under us, by a cleaner say: begin a new one.
                self._attach()
        raise FileNotFoundError(errno.ENOENT, "the folder is gone again", str(self.directory))

    def _read(self, path: str, name: str, dir_fd: int) -> bytes | None:
        blob = self._read_file(path, name, dir_fd)
        content = None if blob is None else self._unseal(name, blob)
        return None if content is None else content[1]

    def _read_file(self, path: str, name: str, dir_fd: int) -> bytes | None:
        try:
            fd = os.open(path, os.O_RDONLY | OPEN_FLAGS, dir_fd=dir_fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EACCES, errno.ENOTDIR, errno.ENXIO):
                _log_bad_file(name, "is not a file of ours")
                return None
            raise
        try:
            found = os.fstat(fd)
            if not folder.is_private_file(found):
                _log_bad_file(name, "is not a private file of ours")
                return None
            if found.st_size > seal.OVERHEAD + self._max_value_bytes:
                _log_bad_file(name, "is too large")
                return None
            return _read_all(fd, found.st_size)
        finally:
            os.close(fd)

    def _write(self, leaf: int, name: str, payload: bytes) -> None:
        # Not before the folder is open: one that had to be made again has another key.
        blob = seal.seal(self._keys[0], name, self._expiry(), payload)
        temporary = f".{secrets.token_hex(8)}"
        fd = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, 0o600, dir_fd=leaf
        )
        try:
            try:
                folder.write_all(fd, blob)
                if self._fsync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(temporary, name, src_dir_fd=leaf, dst_dir_fd=leaf)
        except BaseException:
            _remove(leaf, temporary)
            raise
        if self._fsync:
            os.fsync(leaf)

    # The format.

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _expiry(self) -> int:
        return int(min(self._now() + self.lifetime * 1000, seal.NEVER))

    def _dump(self, value: Mapping[str, Any]) -> bytes:
        payload = self.serializer.dumps(value)
        if len(payload) > self._max_value_bytes:
            raise ValueError(
                f"a session of {len(payload)} bytes is more than max_value_bytes "
                f"({self._max_value_bytes})"
            )
        return payload

    def _unseal(self, name: str, blob: bytes) -> tuple[int, bytes] | None:
        """Expiry and payload, if the file is whole, ours, and not expired."""
        try:
            expires, payload = seal.unseal(self._keys, name, blob)
        except seal.BadSealError as error:
            _log_bad_file(name, str(error))
            return None
        return (expires, payload) if expires > self._now() else None

    def _parse(self, name: str, payload: bytes) -> Record | None:
        try:
            return self.serializer.loads(payload)
        except ValueError as error:
            # Signed by us, so it was another serializer's.
            _log_bad_file(name, f"does not suit the serializer ({error})")
            return None


def _name(sid: str) -> str:
    return hashlib.sha256(sid.encode()).hexdigest()


def _leaf(name: str) -> str:
    return f"{name[0]}/{name[1]}"


def _log_bad_file(name: str, why: str) -> None:
    log.warning("the session file %s %s; it counts as no session", name, why)


def _read_all(fd: int, size: int) -> bytes:
    data = os.read(fd, size + 1)
    if len(data) == size:
        return data
    parts = [data]
    while data := os.read(fd, 65536):
        parts.append(data)
    return b"".join(parts)


def _remove(leaf: int, name: str) -> bool:
    try:
        os.unlink(name, dir_fd=leaf)
    except FileNotFoundError:
        return False
    return True
