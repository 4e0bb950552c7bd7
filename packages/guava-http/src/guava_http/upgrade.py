"""A connection that goes on in another protocol."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping

from . import _core

__all__ = ["Upgrade"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?")


class Upgrade:
    """What a handler gives so that the connection goes on in another protocol: 101 (RFC 9110,
    section 7.8).

    The protocol gets a transport with asyncio's methods `write`, `close`, `abort`, `write_eof`,
    `pause_reading`, `resume_reading` and `is_closing`, and what the client has sent behind its
    request. The server's limits and time-outs end here; the connection still counts among
    `Limits.connections`. When the server closes, it calls `protocol.server_closing()`, if there is
    one, waits for the connection's end and cuts it off after the grace.

    Args:
        protocol: the name of the protocol, as the client must have asked for it in its `Upgrade`
            field: "websocket", say.
        factory: makes the `asyncio.Protocol`, when the answer is sent.
        headers: further fields of the answer.

    Raises:
        TypeError: factory is not callable.
        ValueError: the name is not a token, or a field cannot be sent.
    """

    __slots__ = ("_factory", "_fields", "_protocol")

    def __init__(
        self,
        protocol: str,
        factory: Callable[[], asyncio.BaseProtocol],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not _TOKEN.fullmatch(protocol):
            raise ValueError(f"{protocol!r} is no name of a protocol")
        if not callable(factory):
            raise TypeError(f"factory must be callable, {type(factory).__name__} is not")
        fields = _core.Headers(headers or {})
        for name in ("Connection", "Upgrade", "Content-Length", "Transfer-Encoding"):
            if name in fields:
                raise ValueError(f"{name} is the server's to send")
        self._protocol = protocol
        self._factory = factory
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items())

    def __repr__(self) -> str:
        return f"<Upgrade to {self._protocol}>"

    def __guava_upgrade__(self, request: _core.Request) -> tuple[bytes, asyncio.BaseProtocol]:
        asked = _tokens(request.HEADERS.get("Upgrade", ""))
        options = _tokens(request.HEADERS.get("Connection", ""))
        # An HTTP/1.0 request has not asked, whatever it says (RFC 9110, 7.8).
        old = request.http_version == "1.0"
        if old or self._protocol.lower() not in asked or "upgrade" not in options:
            raise _core.RequestError(400, f"The client must ask for {self._protocol}.")
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
            f"Upgrade: {self._protocol}\r\n{self._fields}\r\n"
        )
        return head.encode("latin-1"), self._factory()


def _tokens(value: str) -> set[str]:
    return {part.strip(" \t").lower() for part in value.split(",")}
