"""The loop: a native core before the standard library's own loop, and the ways to get one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from asyncio import constants
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ._core import Core, _note_fork
from .selector import Selector
from .stats import Stats, read
from .transports import (
    DatagramTransport,
    ReadPipeTransport,
    StreamTransport,
    WritePipeTransport,
    send_file,
)
from .watch import Blocked, Watch

if TYPE_CHECKING:
    import ssl

_T = TypeVar("_T")

_DATAGRAM_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


class Loop(Core, asyncio.SelectorEventLoop):
    """An asyncio event loop on libuv.

    Callbacks, timers and polling are native (`_core.Core`); everything else is inherited from
    `asyncio.SelectorEventLoop` and behaves as its documentation says.

    Raises:
        OSError: no descriptors are left for the loop's own use (it needs about six).
    """

    if TYPE_CHECKING:  # inherited, and not in typeshed
        _csock: socket.socket
        _signal_handlers: dict[int, asyncio.Handle]

        _internal_fds: int

        def _check_closed(self) -> None: ...
        def _check_running(self) -> None: ...

    _watched: Watch | None = None

    def __init__(self) -> None:
        selector = Selector()
        selector.attach(self)
        try:
            super().__init__(selector)
        except BaseException:
            self._close_native()
            raise

    def run_forever(self) -> None:
        """Runs until stop() is called, as asyncio's.

        On the main thread, signals wake the loop while it runs: libuv goes on waiting when a
        signal interrupts it, and Ctrl-C would not be noticed until something else happened.
        """
        # 3.13 checks it too late: there, the loop that runs would forget that it does.
        self._check_closed()
        self._check_running()
        before = None
        try:
            if self._watched is not None:
                self._watched._begin(self)
            # Not on the main thread, or not in the main interpreter.
            with contextlib.suppress(ValueError):
                before = self._wake_on_signals()
            super().run_forever()
        finally:
            # Handlers added meanwhile need it as long as the loop lives.
            if before is not None and not self._signal_handlers and not self.is_closed():
                self._wake_as_before(before)
            if self._watched is not None:
                self._watched._pause()

    def _wake_as_before(self, before: int) -> None:
        found = signal.set_wakeup_fd(-1)
        if found == self._csock.fileno():
            # It is another loop's, mostly, which may have been closed meanwhile.
            with contextlib.suppress(OSError, ValueError):
                signal.set_wakeup_fd(before)
        elif found != -1:
            signal.set_wakeup_fd(found, warn_on_full_buffer=False)

    def remove_signal_handler(self, sig: int) -> bool:
        """As asyncio's, which takes the wake-up away with the last handler."""
        removed = super().remove_signal_handler(sig)
        if removed and self.is_running():
            self._wake_on_signals()
        return removed

    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None = None,
        server: asyncio.Server | None = None,
        *args: Any,
    ) -> None:
        """Accepts natively: without a Task for each connection."""
        if sslcontext is not None:
            if self.get_debug():  # asyncio tells of failed handshakes then
                super()._start_serving(  # type: ignore[misc]
                    protocol_factory, sock, sslcontext, server, *args
                )
                return
            from . import tls

            protocol_factory = tls.server_factory(self, protocol_factory, sslcontext, *args[1:])
        self._serve(protocol_factory, sock, None, server, *(args or (100,)))

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext | None,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: asyncio.Server | None = None,
        ssl_handshake_timeout: float = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float = constants.SSL_SHUTDOWN_TIMEOUT,
    ) -> asyncio.Transport:
        """asyncio's hook of `ssl=`."""
        from . import tls

        self._ensure_fd_no_transport(rawsock)
        below, above = tls.make_layer(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side=server_side,
            server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        self._make_socket_transport(rawsock, below, extra=extra, server=server)
        return above

    async def start_tls(
        self,
        transport: asyncio.BaseTransport,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> asyncio.Transport | None:
        """As asyncio's: natively over a native stream transport."""
        options: dict[str, Any] = {
            "server_side": server_side,
            "server_hostname": server_hostname,
            "ssl_handshake_timeout": ssl_handshake_timeout,
            "ssl_shutdown_timeout": ssl_shutdown_timeout,
        }
        if not isinstance(transport, StreamTransport):
            return await super().start_tls(transport, protocol, sslcontext, **options)
        from . import tls

        return await tls.start_tls(self, transport, protocol, sslcontext, **options)

    async def _sendfile_native(
        self, transp: Any, file: Any, offset: int, count: int | None
    ) -> int:
        """asyncio's hook of sendfile()."""
        if isinstance(transp, StreamTransport):
            return await send_file(transp, file, offset, count)
        sent: int = await super()._sendfile_native(  # type: ignore[misc]
            transp, file, offset, count
        )
        return sent

    def stats(self) -> Stats:
        """The loop's counts at this moment: turns, callbacks, timers, sockets, lag.

        From any thread, whether the loop runs or not, and after it was closed. Counting costs a
        turn some twenty instructions and no system call; asking costs a walk over what is open.
        """
        return read(self._stats(), self.is_running(), self._internal_fds)

    def watch(
        self,
        limit: float = 0.1,
        *,
        dump_after: float | None = None,
        report: Callable[[Blocked], object] | None = None,
        dump_held: bool = True,
    ) -> Watch:
        """Names the callbacks that keep the loop from everything else.

        Meant for production: while it is on, each callback costs two readings of the clock, and a
        thread looks at the loop a few times in each `limit`, unless the loop sleeps.

        Args:
            limit: seconds. What takes longer is told of when it is over, with the line at which it
                was when the limit had passed.
            dump_after: seconds, not below `limit`: what takes longer is told of with its stack
                while it is still at it. None: not before it is over.
            report: called with each `Blocked`. On the loop's thread, unless the callback is not
                over; then on the watching thread. None: the logger "guava_loop" gets a warning,
                or an error for what is not over.
            dump_held: code that keeps the interpreter (a long call into C) lets no thread look.
                Past some 1.5 times `dump_after`, faulthandler writes the stacks of all threads
                to stderr then. It has one timer for the process: pass False if you use
                `faulthandler.dump_traceback_later()` yourself.

        Returns:
            The watch: `stop()` ends it, or the end of a `with`. Closing the loop does, too.

        Raises:
            RuntimeError: the loop is watched already, or closed.
            TypeError: a limit is no number, or `report` cannot be called.
            ValueError: a limit is not above 0 or infinite, or `dump_after` is below `limit`.
        """
        self._check_closed()
        if self._watched is not None and self._watched.active:
            raise RuntimeError("this event loop is watched already")
        self._watched = Watch(self, limit, dump_after, report, dump_held)
        if self.is_running():
            self._watched._begin(self)
        return self._watched

    def close(self) -> None:
        """Closes the loop: streams first, then what asyncio holds, then libuv.

        Raises:
            RuntimeError: the loop is running.
        """
        self._close_streams()
        try:
            super().close()
        finally:
            if not self.is_running():
                self._close_native()
                if self._watched is not None:
                    self._watched.stop()
                    self._watched = None

    def _make_datagram_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.DatagramTransport:
        self._ensure_fd_no_transport(sock)
        # A subclass may send and receive in its own way (through a proxy, say), and the addresses
        # of other families are known to the socket module only.
        if type(sock) is socket.socket and sock.family in _DATAGRAM_FAMILIES:
            return DatagramTransport(self, sock, protocol, address, waiter, extra)
        made = super()._make_datagram_transport  # type: ignore[misc]  # not in typeshed
        return made(sock, protocol, address, waiter, extra)  # type: ignore[no-any-return]

    def _make_read_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.Protocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.ReadTransport:
        return ReadPipeTransport(self, pipe, protocol, waiter, extra)

    def _make_write_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.WriteTransport:
        return WritePipeTransport(self, pipe, protocol, waiter, extra)

    def _wake_on_signals(self) -> int:
        # The far end is asyncio's own: it reads the signal numbers and calls the handlers.
        return signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)


def new_event_loop() -> Loop:
    """A new loop. Pass this function where a `loop_factory` is asked for."""
    return Loop()


def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """Runs a coroutine in a new loop and closes the loop, as `asyncio.run()`.

    Args:
        main: the coroutine.
        debug: asyncio's debug mode; None leaves it as PYTHONASYNCIODEBUG and `-X dev` say.

    Returns:
        What the coroutine returns.

    Raises:
        RuntimeError: a loop runs on this thread already.
        TypeError: `main` is no coroutine.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("guava_loop.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


def get_include() -> str:
    """The folder that holds guava_loop.h, for the compiler of an extension module."""
    return str(Path(__file__).with_name("include"))
