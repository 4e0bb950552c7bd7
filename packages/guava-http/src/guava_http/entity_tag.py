"""Entity tags (RFC 9110, 8.8.3): made, read and compared."""

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ETag", "make_etag", "parse_etags"]

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_BETWEEN: Final = re.compile(r"[ \t]*(?:,[ \t,]*|\Z)")
_START: Final = re.compile(r"[ \t,]*")


@dataclass(frozen=True, slots=True)
class ETag:
    """An entity tag.

    value: str, what stands between the quotes: visible ASCII or latin-1, no quote.
    weak: bool, what it stands for means the same, but need not be the same bytes.
    ValueError: a character that no tag has.

    >>> str(ETag("abc", weak=True))
    'W/"abc"'
    """

    value: str
    weak: bool = False

    def __post_init__(self) -> None:
        if not _TAG.fullmatch(f'"{self.value}"'):
            raise ValueError(f"an entity tag is visible and has no quote, found {self.value!r}")

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.value}"'

    def matches(self, other: "ETag", *, strong: bool = False) -> bool:
        """Whether both stand for the same (RFC 9110, 8.8.3.2): weakly, the values are the same;
        strongly, neither is weak either."""
        return self.value == other.value and not (strong and (self.weak or other.weak))

    @classmethod
    def parse(cls, text: str) -> "ETag":
        """One tag, quotes and all. ValueError: it is none."""
        found = _TAG.fullmatch(text)
        if found is None:
            raise ValueError(f"an entity tag is such as '\"abc\"' or 'W/\"abc\"', found {text!r}")
        return cls(found[2], found[1] is not None)


def parse_etags(value: str | None) -> list[ETag] | Literal["*"]:
    """The tags of an If-Match or If-None-Match field; "*" for any.

    What is malformed ends the list: tags before it count.

    >>> parse_etags('"a", W/"b"')
    [ETag(value='a', weak=False), ETag(value='b', weak=True)]
    """
    if value is None:
        return []
    if value.strip(" \t") == "*":
        return "*"
    tags: list[ETag] = []
    start = _START.match(value)
    at = 0 if start is None else start.end()
    while found := _TAG.match(value, at):
        tags.append(ETag(found[2], found[1] is not None))
        between = _BETWEEN.match(value, found.end())
        if between is None:
            break
        at = between.end()
    return tags


def make_etag(content: bytes | bytearray | memoryview | str | os.stat_result) -> str:
    """A strong entity tag, with its quotes.

    content: bytes or str (as UTF-8), by their hash; or what os.stat() gave of a file, by its
    inode, size and time of change, which is the tag that FileResponse makes.

    >>> make_etag(b"guava")
    '"f3212bc669c5576bde56817e20d9fd0c"'
    """
    if isinstance(content, os.stat_result):
        return f'"{content.st_ino:x}-{content.st_size:x}-{content.st_mtime_ns:x}"'
    data = content.encode() if isinstance(content, str) else content
    return f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'
