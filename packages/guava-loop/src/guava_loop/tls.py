"""TLS: what `ssl=` and `start_tls()` make. The Python half of the native layer in `_core`."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import constants, sslproto
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from . import _core
from .transports import StreamTransport

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["SSLTransport"]


class SSLTransport(_core.SSLTransport):
    """The transport of a TLS connection: an `asyncio.Transport`, in C.

    It behaves as asyncio's own. Attributes may be set on it, and it may be weakly referenced.
    """

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    @property
    def _sslcontext(self) -> ssl.SSLContext | None:
        # aiohttp's tests look for it here, where uvloop has it, or in asyncio's protocol.
        return cast("ssl.SSLContext | None", self.get_extra_info("sslcontext"))


def _timeout(name: str, value: float | None, default: float) -> float:
    if value is None:
        return default
    if value <= 0:
        raise ValueError(f"{name} should be a positive number, got {value}")
    return value


def make_layer(
    loop: Loop,
    protocol: asyncio.BaseProtocol,
    sslcontext: ssl.SSLContext | None,
    waiter: asyncio.Future[None] | None,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    call_connection_made: bool = True,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> tuple[asyncio.Protocol | asyncio.BufferedProtocol, asyncio.Transport]:
    """A TLS layer that still needs a native transport below it.

    Args:
        loop: the loop of both.
        protocol: the user's.
        sslcontext: the context, or None for the default one of a client.
        waiter: a future for the end of the handshake, or None.
        server_side: whether this is the server.
        server_hostname: whose certificate is asked for, or None.
        call_connection_made: whether the protocol is to be told of the connection.
        ssl_handshake_timeout: in seconds; None: 60.
        ssl_shutdown_timeout: in seconds; None: 30.

    Returns:
        The protocol for the transport below, and the transport for the user. They are asyncio's
        own when the context makes SSL objects of a class that reads and writes in its own way.

    Raises:
        ValueError: a timeout is not positive, or the host name is none.
        ssl.SSLError: what `SSLContext.wrap_bio()` raises.
    """
    handshake = _timeout(
        "ssl_handshake_timeout", ssl_handshake_timeout, constants.SSL_HANDSHAKE_TIMEOUT
    )
    shutdown = _timeout(
        "ssl_shutdown_timeout", ssl_shutdown_timeout, constants.SSL_SHUTDOWN_TIMEOUT
    )
    context = sslcontext or sslproto._create_transport_context(server_side, server_hostname)
    hostname = server_hostname if server_hostname and not server_side else None
    try:
        transport = SSLTransport(
            loop,
            protocol,
            waiter,
            context,
            server_side,
            hostname,
            call_connection_made,
            handshake,
            shutdown,
        )
    except NotImplementedError:
        make: Any = sslproto.SSLProtocol  # which typeshed declares more narrowly than it is
        python: sslproto.SSLProtocol = make(
            loop,
            protocol,
            context,
            waiter,
            server_side,
            server_hostname,
            call_connection_made,
            handshake,
            shutdown,
        )
        return python, python._app_transport
    return transport._ssl_protocol, transport


def server_factory(
    loop: Loop,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    sslcontext: ssl.SSLContext,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> Callable[[], asyncio.BaseProtocol]:
    """What makes the protocol of the transport below, for each connection that a server accepts.

    Args:
        loop: the server's.
        protocol_factory: makes the user's protocols.
        sslcontext: the server's context.
        ssl_handshake_timeout: in seconds; None: 60.
        ssl_shutdown_timeout: in seconds; None: 30.
    """

    def make() -> asyncio.BaseProtocol:
        below, _ = make_layer(
            loop,
            protocol_factory(),
            sslcontext,
            None,
            server_side=True,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        return below

    return make


def _move_buffered(protocol: asyncio.BaseProtocol, below: asyncio.Protocol) -> None:
    # What a client has sent right behind its wish for TLS, a stream's reader may have taken for
    # text. asyncio does the same since 3.14.
    reader: Any = getattr(protocol, "_stream_reader", None)
    if isinstance(protocol, asyncio.StreamReaderProtocol) and reader and reader._buffer:
        below.data_received(bytes(reader._buffer))
        reader._buffer.clear()


async def start_tls(
    loop: Loop,
    transport: StreamTransport,
    protocol: asyncio.BaseProtocol,
    sslcontext: ssl.SSLContext,
    **options: Any,
) -> asyncio.Transport | None:
    """`loop.start_tls()` over a native transport.

    Args:
        loop: the loop of the transport.
        transport: whose connection becomes TLS.
        protocol: the user's.
        sslcontext: the context.
        **options: as of `loop.start_tls()`.

    Returns:
        The transport that takes the place of the one below; None when the connection was closed
        meanwhile.

    Raises:
        TypeError: `sslcontext` is no `ssl.SSLContext`.
        OSError: the handshake failed; `ssl.SSLError` and the errors of connections are OSErrors.
    """
    if not isinstance(sslcontext, ssl.SSLContext):
        raise TypeError(
            f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}"
        )
    waiter = loop.create_future()
    below, above = make_layer(
        loop, protocol, sslcontext, waiter, call_connection_made=False, **options
    )
    # Nothing may come before the layer knows its transport.
    transport.pause_reading()
    if options["server_side"] and isinstance(below, asyncio.Protocol):
        _move_buffered(protocol, below)
    transport.set_protocol(below)
    made = loop.call_soon(below.connection_made, transport)
    resumed = loop.call_soon(transport.resume_reading)
    try:
        await waiter
    except BaseException:
        transport.close()
        made.cancel()
        resumed.cancel()
        raise
    # None is asyncio's word for a connection that is over by now.
    return above if transport._protocol is not None else None
