"""What a Server is given, looked at when it is made: there the traceback still shows whose line is
wrong, while a start may lie in another module and an answer in another hour."""

from __future__ import annotations

import socket
import ssl as _ssl
from collections.abc import Sequence
from typing import Any

from .compression import Compression
from .limits import Limits, Timeouts

__all__ = ["check_address", "check_number", "check_options", "check_sockets"]


def check_number(name: str, value: Any, least: int, most: int) -> None:
    """Raises TypeError or ValueError, with the name, unless the value is an int of this range."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {value}")


def check_address(host: Any, port: Any, backlog: Any) -> None:
    if host is not None and not isinstance(host, str):
        raise TypeError(f"host must be a str or None, not {type(host).__name__}")
    if host == "":
        raise ValueError("host must be a name or an address, not ''; None is every address")
    check_number("port", port, 0, 65535)
    check_number("backlog", backlog, 1, (1 << 31) - 1)


def check_options(
    limits: Any, timeouts: Any, ssl: Any, transport: Any, compress: Any, body_policy: Any
) -> None:
    """Those that are no address.

    Raises:
        TypeError: an option of another type than it must have.
        ValueError: options that do not fit each other, or a context for clients.
    """
    for name, value, kind in (
        ("limits", limits, Limits),
        ("timeouts", timeouts, Timeouts),
    ):
        if not isinstance(value, kind):
            raise TypeError(
                f"{name} must be a guava_http.{kind.__name__}, not {type(value).__name__}"
            )
    if transport not in ("auto", "native", "asyncio"):
        raise ValueError(f"transport must be auto, native or asyncio, not {transport!r}")
    if ssl is not None:
        if not isinstance(ssl, _ssl.SSLContext):
            raise TypeError(f"ssl must be an ssl.SSLContext or None, not {type(ssl).__name__}")
        if ssl.protocol == _ssl.PROTOCOL_TLS_CLIENT:
            raise ValueError(
                "ssl is a client's context: a server's is made by "
                "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)"
            )
        if transport == "native":
            raise ValueError("TLS needs the loop's transports: leave transport='native' out")
    if not isinstance(compress, bool | Compression):
        raise TypeError(
            f"compress must be a bool or a guava_http.Compression, not {type(compress).__name__}"
        )
    if body_policy is not None and not callable(body_policy):
        raise TypeError(
            f"body_policy must be a function of a request, not {type(body_policy).__name__}"
        )


def check_sockets(sockets: Any) -> list[socket.socket] | None:
    """The sockets to listen on as a list; None where none are given.

    Raises:
        TypeError: something that is no socket.
        ValueError: a socket that no stream comes from, or that is closed.
    """
    if sockets is None:
        return None
    if isinstance(sockets, socket.socket) or not isinstance(sockets, Sequence):
        raise TypeError(f"sockets must be a list of sockets, not {type(sockets).__name__}")
    for sock in sockets:
        if not isinstance(sock, socket.socket):
            raise TypeError(f"sockets must be a list of sockets, found {type(sock).__name__}")
        if sock.fileno() < 0:
            raise ValueError("a socket to listen on is closed")
        if sock.type != socket.SOCK_STREAM:
            raise ValueError(f"a socket to listen on must be of SOCK_STREAM, not {sock.type.name}")
    return list(sockets)
