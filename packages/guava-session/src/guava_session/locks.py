"""Locks of sessions in this process' memory."""

from __future__ import annotations

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
