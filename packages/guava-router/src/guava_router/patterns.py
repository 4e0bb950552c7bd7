"""Paths as people write them, checked and cut into the segments that a Table takes."""

from __future__ import annotations

from .errors import RouteError

Segments = tuple[str | None, ...]


def _check(what: str, path: object) -> str:
    if not isinstance(path, str):
        raise TypeError(f"{what} must be a str, not {path!r}")
    if not path.startswith("/"):
        raise RouteError(f"{what} must start with a slash: {path!r}; did you mean {'/' + path!r}?")
    for bad in "?#":
        if bad in path:
            raise RouteError(f"{what} is a path, without {bad!r}: {path!r}")
    if any(ord(c) < 32 or ord(c) == 127 for c in path):
        raise RouteError(f"{what} must not have control characters: {path!r}")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise RouteError(f"{what} has no UTF-8 form: {path!r}") from None
    segments = path.split("/")[1:]
    if "" in segments[:-1]:
        raise RouteError(f"{what} must not have two slashes in a row: {path!r}")
    if "." in segments or ".." in segments:
        raise RouteError(f"{what} must not have dot segments, clients resolve them: {path!r}")
    return path


def mount_point(path: object) -> str:
    """The mount point as it is kept: "/" or without a slash at its end."""
    path = _check("a mount point", path)
    return path.rstrip("/") or "/"


def pattern(path: object) -> str:
    """A checked pattern. Braces are kept for parameters."""
    path = _check("a pattern", path)
    if "{" in path or "}" in path:
        raise RouteError(f"a pattern is a plain path; braces are kept for parameters: {path!r}")
    return path


def mount_segments(path: str) -> tuple[str, ...]:
    """ "/" -> (), "/a/b" -> ("a", "b")."""
    return () if path == "/" else tuple(path[1:].split("/"))


def pattern_segments(path: str, loose_slash: bool) -> tuple[str, ...]:
    """The segments behind the first slash. With loose_slash a slash at the end does not count."""
    segments = tuple(path[1:].split("/"))
    return segments[:-1] if loose_slash and segments[-1] == "" else segments


def join(mount: str, path: str) -> str:
    """The whole path of what lies at `path` under a mount point."""
    return path if mount == "/" else mount + path
