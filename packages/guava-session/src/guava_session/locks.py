"""Locks of sessions: in this process' memory, and on files."""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time


class Locks:
    """Words for names, each for some seconds. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}  # name: word, until when

    def take(self, name: str, seconds: float) -> str | None:
        """A word, if nobody has that name's lock; or None."""
        now = time.monotonic()
        with self._lock:
            held = self._held.get(name)
            if held is not None and held[1] > now:
                return None
            word = secrets.token_hex(8)
            self._held[name] = word, now + seconds
            return word

    def give(self, name: str, word: str) -> None:
        """Give it back, if the word is still the one that has it."""
        with self._lock:
            held = self._held.get(name)
            if held is not None and held[0] == word:
                del self._held[name]

    def __len__(self) -> int:
        """How many are held, or were and were never given back."""
        return len(self._held)


class HeldLock:
    """A locked file of a `FileStore`, which nobody else has until it is released or forgotten."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Give it back. Twice is no error."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                # Unlocked, and not only closed: a forked child may have it open as well.
                fcntl.flock(fd, fcntl.LOCK_UN)
            finally:
                os.close(fd)

    def __del__(self) -> None:
        self.release()
