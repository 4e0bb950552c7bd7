"""Fields behind the body (RFC 9110, 6.5). The native half imports this when a response first has
some."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ._core import Headers, Request

__all__ = ["checked", "prepared"]

# What frames, routes, or modifies a message, says how to read its content, authenticates, or
# answers a condition is needed before the body (RFC 9110, 6.5.1).
_REFUSED = frozenset(
    {
        "accept-encoding",
        "age",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-location",
        "content-range",
        "content-type",
        "cookie",
        "date",
        "expect",
        "expires",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "location",
        "max-forwards",
        "pragma",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "retry-after",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "via",
        "warning",
        "www-authenticate",
    }
)

_Value: TypeAlias = str | Callable[[], str]
_Trailers: TypeAlias = dict[str, _Value] | Callable[[], Any]


def checked(trailers: Any) -> _Trailers:
    """Trailers as they were set; ValueError or TypeError says what cannot be sent."""
    if isinstance(trailers, Mapping):
        for name, value in trailers.items():
            _field(name, value if not callable(value) else "")
        return dict(trailers)
    if callable(trailers):
        return trailers  # type: ignore[no-any-return]
    raise TypeError(f"trailers must be a mapping or a function, not {type(trailers).__name__}")


def prepared(
    request: Request, trailers: _Trailers, fields: bytes
) -> tuple[bytes, Callable[[], bytes]] | None:
    """The fields of the head with the announcement, and what renders the trailers; None when the
    client has not said that it wants them."""
    if not _wanted(request.headers.get("TE", "")):
        return None
    render = functools.partial(_render, trailers)
    if callable(trailers) or not trailers:
        return fields, render
    return fields + f"Trailer: {', '.join(trailers)}\r\n".encode("ascii"), render


def _wanted(te: str) -> bool:
    return any(part.strip(" \t").lower() == "trailers" for part in te.split(","))


def _render(trailers: _Trailers) -> bytes:
    found = trailers() if callable(trailers) else trailers
    if not isinstance(found, Mapping):
        raise TypeError(f"the trailers' function gave {type(found).__name__}, not a mapping")
    lines = []
    for name, value in found.items():
        text = value() if callable(value) else value
        _field(name, text)
        lines.append(f"{name}: {text}\r\n".encode("latin-1"))
    return b"".join(lines)


def _field(name: Any, value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    Headers({name: value})
    if name.lower() in _REFUSED:
        raise ValueError(f"{name} has to come before the body and is no trailer's name")
