"""Where a server listens: from a host and a port to bound sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import Any

__all__ = ["bind", "cannot_listen", "for_url"]


async def bind(host: str | None, port: int) -> list[socket.socket]:
    """Sockets bound to all addresses of the host; port 0 lets the system choose one for all.

    Raises:
        OSError: it cannot be listened there; the message names both.
    """
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    asked = port
    for info in dict.fromkeys(await _resolve(host, port)):
        try:
            sockets.append(_bound_socket(info, port))
        except OSError as error:
            # "localhost" is often said to have an IPv6 address where there is no IPv6.
            missing = error
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                sockets = _close_all(sockets)
                break
        else:
            # With port 0 every address gets the port that the first one got.
            port = port or sockets[-1].getsockname()[1]
    if not sockets and missing is not None:
        raise cannot_listen(host, asked, missing) from None
    return sockets


def cannot_listen(host: str | None, port: int, error: OSError) -> OSError:
    """The same error with a message that says where."""
    reason = os.strerror(error.errno or 0).lower()
    return OSError(error.errno, f"cannot listen on {_where(host, port)}: {reason}")


async def _resolve(host: str | None, port: int) -> list[Any]:
    flags = socket.AI_PASSIVE
    # A numeric address needs no name server, and so no thread to wait for one.
    with contextlib.suppress(socket.gaierror):
        return socket.getaddrinfo(
            host,
            port,
            type=socket.SOCK_STREAM,
            flags=flags | socket.AI_NUMERICHOST,
        )
    try:
        return await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=flags
        )
    except socket.gaierror as error:
        raise OSError(
            errno.EADDRNOTAVAIL, f"cannot listen on {_where(host, port)}: {error.strerror}"
        ) from None


def _where(host: str | None, port: int) -> str:
    return f"{for_url(host)}:{port}"


def _bound_socket(info: Any, port: int) -> socket.socket:
    family, kind, proto, _, name = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((name[0], port, *name[2:]))
    except OSError:
        sock.close()
        raise
    return sock


def _close_all(sockets: list[socket.socket]) -> list[socket.socket]:
    for sock in sockets:
        sock.close()
    return []


def for_url(host: str | None) -> str:
    """A host as it stands in a URL; "*" for all addresses."""
    if host is None:
        return "*"
    return f"[{host}]" if ":" in host else host
