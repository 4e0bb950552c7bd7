"""The loop: a native core before the standard library's own loop, and the ways to get one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ._core import Core, _note_fork
from .selector import Selector
from .transports import DatagramTransport, StreamTransport, send_file

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

        def _check_closed(self) -> None: ...
        def _check_running(self) -> None: ...

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
        try:
            before = self._wake_on_signals()
        except ValueError:  # not on the main thread, or not in the main interpreter
            super().run_forever()
            return
        try:
            super().run_forever()
        finally:
            # Handlers added meanwhile need it as long as the loop lives.
            if not self._signal_handlers and not self.is_closed():
                signal.set_wakeup_fd(before)

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
        """Accepts natively, but for TLS."""
        if sslcontext is None:
            self._serve(protocol_factory, sock, None, server, *(args or (100,)))
        else:
            super()._start_serving(  # type: ignore[misc]
                protocol_factory, sock, sslcontext, server, *args
            )

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
