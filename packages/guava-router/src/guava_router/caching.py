"""What Cache-Control says of a file, by its name."""

from __future__ import annotations

import re
from collections.abc import Callable

IMMUTABLE = "public, max-age=31536000, immutable"
"""For a year, without asking again (RFC 8246)."""

CacheRule = Callable[[str], str | None]

# A digest in hexadecimal digits before the suffixes: app.3f2a9c1b.js, app-3f2a9c1b.js.map.
_DIGEST = re.compile(r"[.-]([0-9a-f]{8,64})(?:\.[0-9A-Za-z]{1,12}){1,2}\Z")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.")


def is_fingerprinted(name: str) -> bool:
    """Whether a file's name has a digest of its content, so that it will never change.

    The digest has 8 to 64 hexadecimal digits in small letters, with a letter and a digit among
    them (20240131 is a date), stands behind a dot or a dash and before one or two suffixes. The
    end of a UUID is none.
    """
    found = _DIGEST.search(name)
    if found is None or found[1].isdigit() or found[1].isalpha():
        return False
    return _UUID.search(name) is None


def by_fingerprint(path: str) -> str | None:
    """The rule of a StaticRouter that has no other: a year for fingerprinted names, else nothing
    (the client asks again, or guesses from the age of the file)."""
    return IMMUTABLE if is_fingerprinted(path[path.rfind("/") + 1 :]) else None


def rule(cache: str | CacheRule | None) -> CacheRule:
    """The argument of StaticRouter as a function of the path.

    Raises TypeError for anything else, ValueError for a str with control characters.
    """
    if cache is None:
        return lambda path: None
    if isinstance(cache, str):
        value = check(cache)
        return lambda path: value
    if not callable(cache):
        raise TypeError(f"cache is a str, a function of a path, or None, not {cache!r}")
    return cache


def check(value: str) -> str:
    """A field value as it is; ValueError if it would break the answer."""
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"Cache-Control is printable ASCII, not {value!r}")
    return value
