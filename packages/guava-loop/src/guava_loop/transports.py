"""The transports that the loop makes: the Python half of what is native in `_core`.

Programs do not make them: `create_connection()`, `create_server()` and their kin do, and hand them
to a protocol.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import constants, exceptions
from io import UnsupportedOperation
from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    from typing import Protocol

    class _File(Protocol):
        def fileno(self) -> int: ...


__all__ = ["DatagramTransport", "ReadPipeTransport", "StreamTransport", "WritePipeTransport"]

# More than any file holds: send until its end.
_UNTIL_THE_END = (1 << 63) - 1


class StreamTransport(_core.StreamTransport):
    """The transport of a TCP or unix socket: an `asyncio.Transport`, in C.

    It behaves as asyncio's own. Attributes may be set on it, and it may be weakly referenced.
    """

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE


class DatagramTransport(_core.DatagramTransport, asyncio.Transport):
    """What `create_datagram_endpoint()` makes: an `asyncio.DatagramTransport`, in C.

    Like asyncio's own it is an `asyncio.Transport`, too, of which it has pause_reading(),
    resume_reading() and is_reading().
    """


class ReadPipeTransport(_core.ReadPipeTransport):
    """What `connect_read_pipe()` makes, also for subprocesses: an asyncio.ReadTransport, in C."""


class WritePipeTransport(_core.WritePipeTransport):
    """What `connect_write_pipe()` makes, also for subprocesses: an asyncio.WriteTransport, in C.

    write() raises TypeError for what is no bytes, bytearray or memoryview; there, asyncio's has an
    assertion.
    """


async def send_file(
    transport: StreamTransport, file: _File, offset: int, count: int | None
) -> int:
    """What `loop.sendfile()` does natively, with asyncio's errors.

    Args:
        transport: where to.
        file: a regular file, opened in binary mode.
        offset: of the first byte to send, in bytes.
        count: how many bytes; None: all up to the end of the file.

    Returns:
        How many bytes were sent; the file's position is behind them.

    Raises:
        asyncio.SendfileNotAvailableError: the kernel cannot send from this file, and nothing was
            sent.
        OSError: the connection broke.
    """
    try:
        fd = file.fileno()
    except (AttributeError, UnsupportedOperation):
        raise exceptions.SendfileNotAvailableError("not a regular file") from None
    try:
        size = os.fstat(fd).st_size
    except OSError:
        raise exceptions.SendfileNotAvailableError("not a regular file") from None
    if not (count if count else size):
        return 0
    resume = transport.is_reading()
    transport.pause_reading()
    sent = 0
    try:
        waiting = transport._send_file(fd, offset, min(count or _UNTIL_THE_END, _UNTIL_THE_END))
        try:
            sent, error = await waiting
        except asyncio.CancelledError:
            sent = transport._stop_file()
            raise
        if error is not None:
            if transport.is_closing():
                raise ConnectionError("Connection is closed by peer") from error
            if sent == 0 and not isinstance(error, ConnectionError):
                raise exceptions.SendfileNotAvailableError("os.sendfile call failed") from error
            raise error
        return sent
    finally:
        if sent > 0:
            os.lseek(fd, offset + sent, os.SEEK_SET)
        if resume:
            transport.resume_reading()
