"""Flash messages: what one page leaves for the next one to show.

Each is a key of its own in the session's record, hidden from its mapping, so that the messages of
parallel requests do not replace each other.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from .serializer import Record
from .store import RESERVED

PREFIX = f"{RESERVED}.flash."


class Flash(NamedTuple):
    """A message for the visitor's next page."""

    category: str
    message: str


def make_key(now: float, count: int) -> str:
    """A key that sorts behind those of earlier messages: now in seconds, then count."""
    return f"{PREFIX}{int(now * 1e6):017}.{count:04}.{secrets.token_hex(4)}"


def split(record: Record) -> dict[str, list[str]]:
    """The messages of a record as {key: [category, text]}; they are taken out of it."""
    return {key: record.pop(key) for key in list(record) if key.startswith(PREFIX)}
