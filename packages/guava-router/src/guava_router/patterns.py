"""Paths as people write them, checked and cut into what the native tables take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .converters import Converter, Converters
from .errors import RouteError

Segments = tuple[str | None, ...]

LONGEST = 1024  # bytes of a pattern, so that the depth of a tree is bounded
MOST_PARAMETERS = 32  # those of the host included

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2: token
_HOST = re.compile(r"[a-z0-9._-]*")


def _check(what: str, path: object) -> str:
    if not isinstance(path, str):
        raise TypeError(f"{what} must be a str, not {path!r}")
    if not path.startswith("/"):
        raise RouteError(f"{what} must start with a slash: {path!r}; did you mean {'/' + path!r}?")
    for bad in "?#":
        if bad in path:
            raise RouteError(f"{what} is a path, without {bad!r}: {path!r}")
    if _CONTROL.search(path):
        raise RouteError(f"{what} must not have control characters: {path!r}")
    if not path.isascii():
        try:
            path.encode()
        except UnicodeEncodeError:
            raise RouteError(f"{what} has no UTF-8 form: {path!r}") from None
    if "//" in path:
        raise RouteError(f"{what} must not have two slashes in a row: {path!r}")
    if "/." in path and not {".", ".."}.isdisjoint(path.split("/")):
        raise RouteError(f"{what} must not have dot segments, clients resolve them: {path!r}")
    return path


def mount_point(path: object) -> str:
    """The mount point as it is kept: "/" or without a slash at its end."""
    path = _check("a mount point", path)
    if "{" in path or "}" in path:
        raise RouteError(f"a mount point has no parameters, so no braces: {path!r}")
    return path.rstrip("/") or "/"


class Parameter(NamedTuple):
    """A parameter of a pattern: {name} or {name:converter}."""

    name: str
    converter_name: str
    converter: Converter
    rank: int  # of the converter: the smaller is tried first

    def __str__(self) -> str:
        kind = "" if self.converter_name == "str" else f":{self.converter_name}"
        return f"{{{self.name}{kind}}}"


Pieces = tuple[str | Parameter, ...]


class Pattern(NamedTuple):
    """A pattern as it was written, its text and parameters in order, and its key in the tree."""

    text: str
    pieces: Pieces
    names: tuple[str, ...]
    key: bytes


def _pieces(
    what: str, text: str, converters: Converters, own: Mapping[str, Converter] | None
) -> Pieces:
    pieces: list[str | Parameter] = []
    at = 0
    for brace in _BRACES.finditer(text):
        inside = brace[1]
        if inside is None:
            raise RouteError(f"{what} has a brace without its other one: {text!r}")
        if brace.start() > at:
            pieces.append(text[at : brace.start()])
        at = brace.end()
        name, colon, kind = inside.partition(":")
        if not name.isidentifier():
            raise RouteError(
                f"{what}'s parameters are {{name}} or {{name:converter}}, "
                f"with names such as Python's, not {brace[0]!r}: {text!r}"
            )
        if any(isinstance(p, Parameter) and p.name == name for p in pieces):
            raise RouteError(f"{what} has two parameters {name!r}: {text!r}")
        if pieces and isinstance(pieces[-1], Parameter):
            raise RouteError(f"{what} needs text between two parameters: {text!r}")
        try:
            converter, rank = converters.find(kind if colon else "str", own)
        except RouteError as error:
            raise RouteError(f"{error}: {text!r}") from None
        pieces.append(Parameter(name, kind if colon else "str", converter, rank))
    if at < len(text):
        pieces.append(text[at:])
    return tuple(pieces)


def _key(what: str, text: str, pieces: Pieces) -> bytes:
    key = b"".join(
        piece.encode() if isinstance(piece, str) else bytes((1, piece.rank)) for piece in pieces
    )
    if len(key) > LONGEST:
        raise RouteError(f"{what} has at most {LONGEST} bytes: {text[:60]!r}...")
    return key


def pattern(
    path: object, converters: Converters, own: Mapping[str, Converter] | None = None
) -> Pattern:
    """A checked pattern. own: converters for it alone."""
    text = _check("a pattern", path)
    if "{" not in text and "}" not in text:
        return Pattern(text, (text,), (), _key("a pattern", text, (text,)))
    pieces = _pieces("a pattern", text, converters, own)
    names = tuple(piece.name for piece in pieces if isinstance(piece, Parameter))
    for piece in pieces[:-1]:
        if isinstance(piece, Parameter) and piece.converter_name == "path":
            raise RouteError(f"a path parameter takes all the rest, so it must be last: {text!r}")
    if len(names) > MOST_PARAMETERS:
        raise RouteError(f"a pattern has at most {MOST_PARAMETERS} parameters: {text!r}")
    return Pattern(text, pieces, names, _key("a pattern", text, pieces))


def host(text: object, converters: Converters, own: Mapping[str, Converter] | None) -> Pattern:
    """A checked pattern of a host: "api.example.com", "{tenant}.example.com"."""
    if not isinstance(text, str):
        raise TypeError(f"a host must be a str, not {text!r}")
    pieces = _pieces("a host", text, converters, own)
    lowered = tuple(p.lower() if isinstance(p, str) else p for p in pieces)
    written = "".join(map(str, lowered))
    for piece in lowered:
        if isinstance(piece, str):
            if not _HOST.fullmatch(piece):
                raise RouteError(
                    "a host has letters, digits, dots and dashes, and no port; a name that is "
                    f"not ASCII is written as xn--...: {text!r}"
                )
        elif piece.converter_name == "path":
            raise RouteError(f"a host has no path parameters: {text!r}")
    if not text or ".." in written or written.startswith(".") or written.endswith("."):
        raise RouteError(f"a host's labels must not be empty: {text!r}")
    names = tuple(piece.name for piece in lowered if isinstance(piece, Parameter))
    return Pattern(written, lowered, names, _key("a host", text, lowered))


def methods(given: object) -> tuple[str, ...] | None:
    """The methods of a route without doubles, in their order; None: any."""
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"methods must be an iterable of str such as ['GET'], not {given!r}")
    checked = tuple(dict.fromkeys(given))
    if not checked:
        raise RouteError("methods must not be empty; None stands for any method")
    for method in checked:
        if not isinstance(method, str):
            raise TypeError(f"a method must be a str, not {method!r}")
        if not _METHOD.fullmatch(method):
            raise RouteError(f"a method is a token (RFC 9110, section 9.1), not {method!r}")
        if method != method.upper():
            raise RouteError(
                f"methods are case-sensitive: did you mean {method.upper()!r}, not {method!r}?"
            )
    return checked


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
