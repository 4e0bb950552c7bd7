"""The server: what is done once per start, in Python; what is done per request is native."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import functools
import logging
import os
import socket
import ssl as _ssl
import warnings
import weakref
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from typing import Any, Literal, TypeAlias

import guava_loop

from . import _core
from .binding import bind, cannot_listen, for_url
from .body import BodyPolicy
from .compression import Compression
from .hosts import host_names
from .limits import Limits, Timeouts
from .options import check_address, check_number, check_options, check_sockets
from .process import ignore_sigpipe, most_connections
from .pump import Streams
from .stats import ServerStats
from .threads import Threads, outcome, usual_number
from .upgrade import Upgrade

__all__ = ["Handler", "Result", "Server"]

_logger = logging.getLogger("guava_http")

_Body: TypeAlias = (
    str
    | bytes
    | dict[Any, Any]
    | list[Any]
    | _core.Response
    | _core.FileBody
    | Iterator[str | bytes]
    | AsyncIterator[str | bytes]
    | tuple[Any, int]
    | tuple[Any, int, Any]
    | Upgrade
)
Result: TypeAlias = _Body | Awaitable[_Body] | concurrent.futures.Future[_Body]
"""What a handler may give."""

Handler: TypeAlias = Callable[[_core.Request], Result]
"""A `def` or `async def` function of one request."""

_LIMITS = Limits()
_TIMEOUTS = Timeouts()

# Seconds that a client has to close its side of TLS; it need not (RFC 8446, 6.1). Without TLS a
# connection that lingers has as long.
_LINGER = 2.0


class Server:
    """An HTTP/1.1 server on the running asyncio loop.

    On a `guava_loop.Loop` it uses the loop's own streams. On any other asyncio loop, and with
    `ssl`, the same server runs over the loop's transports, which costs speed only.

    Args:
        handler: called with each `Request`; see `Handler` and `Result`. A plain function runs at
            once, between two reads, and so must not block; a coroutine may wait. Each call has
            its own copy of the context (`contextvars`) that start() was called in.
        host: the name or address to listen on; None is every address of the machine.
        port: the TCP port; 0 lets the system choose, see the attribute `port`.
        backlog: connections that may wait in the kernel to be accepted.
        limits: see `Limits`.
        timeouts: see `Timeouts`.
        sockets: bound sockets (TCP or unix) to listen on instead of host and port. The server
            owns and closes them.
        ssl: a context for TLS.
        compress: whether answers are compressed: True, or a `Compression` that says how. Each
            response has a say too, by its attribute `compression`.
        transport: "native" insists on a guava_loop.Loop's streams, "asyncio" on the loop's
            transports; "auto" takes what fits.
        threads: how many plain functions marked with `stream_body` run at the same time, each on
            a thread; None is the number of processors plus 4, 32 at most. They start when they
            are needed.
        body_policy: asked, once its head is there, about each request that has a body; None is
            what the handler's own `__guava_body__` says. See `BodyPolicy`.
        allowed_hosts: the names that are answered for, whatever the port: "example.com",
            ".example.com" for that and all names below it, "192.0.2.1", "[::1]". A request for
            another host, or for none, gets 421 and the connection's end. None is any host: then
            do not make links of `Request.host`, which the client chooses.

    Raises:
        TypeError: the handler is not callable, or an option has another type.
        ValueError: an option is out of its range, an allowed host is no name, a socket is closed
            or no stream socket, or `ssl` is a client's context. Messages name the option.
    """

    def __init__(
        self,
        handler: Handler,
        host: str | None = "127.0.0.1",
        port: int = 8000,
        *,
        backlog: int = 1024,
        limits: Limits = _LIMITS,
        timeouts: Timeouts = _TIMEOUTS,
        sockets: Sequence[socket.socket] | None = None,
        ssl: _ssl.SSLContext | None = None,
        transport: Literal["auto", "native", "asyncio"] = "auto",
        threads: int | None = None,
        compress: bool | Compression = False,
        body_policy: Callable[[_core.Request], BodyPolicy | None] | None = None,
        allowed_hosts: Iterable[str] | None = None,
    ) -> None:
        check_address(host, port, backlog)
        check_options(limits, timeouts, ssl, transport, compress, body_policy)
        given = check_sockets(sockets)
        if threads is None:
            threads = usual_number()
        check_number("threads", threads, 1, 1 << 16)
        self._threads = Threads(handler, threads)
        policy: Any = body_policy or getattr(handler, "__guava_body__", None)
        if isinstance(policy, BodyPolicy):
            if policy.thread and policy.stream:
                handler = self._threads
            policy = functools.partial(_same, policy)
        self._streams = Streams()
        self._core = _core.Server(
            handler,
            _log,
            self._streams.pump,
            _wrap,
            functools.partial(_throttle, weakref.ref(self)),
            limits=dataclasses.replace(
                limits, connections=limits.connections or most_connections()
            ),
            timeouts=timeouts,
            body_policy=policy,
            threaded=self._threads,
        )
        self._core.hosts = host_names(allowed_hosts)
        if compress:
            self._core.encode = Compression() if compress is True else compress
        self._host = host
        self._port = port
        self._backlog = backlog
        self._given = given
        self._ssl = ssl
        self._transport = transport
        self._sockets: list[socket.socket] = []
        self._asyncio_servers: list[asyncio.Server] = []
        self._native = False
        self._resting = False
        self._waking: asyncio.Task[None] | None = None
        self._state: Literal["new", "running", "closing", "closed"] = "new"
        self._closed: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        where = f" at {self.address}" if self._state == "running" else ""
        return f"<guava_http.Server, {self._state}{where}>"

    def __del__(self) -> None:
        if getattr(self, "_state", "new") in ("running", "closing"):
            warnings.warn(f"{self!r} was never closed", ResourceWarning, source=self, stacklevel=2)
            with contextlib.suppress(Exception):
                self._core.stop()
                self._close_sockets()

    # ---- where it listens ----------------------------------------------------------------------

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets, while the server runs."""
        return tuple(self._sockets)

    @property
    def port(self) -> int:
        """The TCP port: the one asked for, or once started the real one."""
        for sock in self._sockets:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                return int(sock.getsockname()[1])
        return self._port

    @property
    def address(self) -> str:
        """Where it can be reached, as "http://127.0.0.1:8000" or "unix:/run/app.sock"."""
        for sock in self._sockets:
            if sock.family == socket.AF_UNIX:
                return f"unix:{os.fsdecode(sock.getsockname())}"
        scheme = "http" if self._ssl is None else "https"
        host = self._sockets[0].getsockname()[0] if self._sockets else self._host
        return f"{scheme}://{for_url(host)}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._core.connections

    @property
    def accepted(self) -> int:
        """How many connections there have been."""
        return self._core.accepted

    @property
    def answered(self) -> int:
        """How many requests have been answered."""
        return self._core.answered

    def stats(self) -> ServerStats:
        """The counters as they are now."""
        core = self._core
        return ServerStats(
            connections=core.connections,
            tasks=core.tasks,
            accepted=core.accepted,
            answered=core.answered,
            refused=core.refused,
            timed_out=core.timed_out,
            evicted=core.evicted,
            disconnected=core.disconnected,
            full=core.full,
        )

    # ---- start and close -----------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to listen; connections are served from now on.

        Raises:
            OSError: host and port cannot be listened on; the message names both.
            RuntimeError: the server has been started before.
        """
        if self._state != "new":
            raise RuntimeError("a server starts once")
        loop = asyncio.get_running_loop()
        native = self._native = self._is_native(loop)
        ignore_sigpipe()
        self._sockets = (
            self._given if self._given is not None else await bind(self._host, self._port)
        )
        self._closed = loop.create_future()
        self._core.start(loop, native, self._ssl is not None)
        self._state = "running"
        try:
            for sock in self._sockets:
                await self._listen(loop, sock, native)
        except BaseException:
            self._finish()
            raise

    async def adopt(self, connection: socket.socket) -> None:
        """Serves a connection that is open already: one that another process has accepted, say,
        or one end of a `socket.socketpair()`. With `sockets=[]` a server has no others.

        Args:
            connection: a connected stream socket (TCP or unix). The server owns and closes it.

        Raises:
            RuntimeError: the server does not run.
            OSError: the connection has gone already.
        """
        if self._state != "running":
            raise RuntimeError("a server takes connections while it runs")
        connection.setblocking(False)
        if self._native:
            _adopt(self._core, connection)
        else:
            await self._open(connection)

    async def wait(self) -> None:
        """Waits until the server has been closed."""
        if self._closed is not None:
            await asyncio.shield(self._closed)

    async def serve_forever(self) -> None:
        """Starts, unless that is done, and serves until close() or until it is cancelled."""
        if self._state == "new":
            await self.start()
        try:
            await self.wait()
        finally:
            await self.close()

    async def close(self, grace: float | None = 10) -> None:
        """Stops listening, lets requests in work be answered, and closes all connections.

        A request that had arrived by then is answered, even if its connection still waited to be
        accepted; the answer says `Connection: close`. Connections on which none has arrived are
        closed at once. After `grace` seconds (None: however long it takes) those that are left
        are cut off, with a reset where an answer was on its way. May be called again, to wait for
        an earlier call or to shorten its grace.
        """
        if self._state == "new":
            self._state = "closed"
        if self._state == "closed":
            return
        assert self._closed is not None
        try:
            async with asyncio.timeout(grace):
                if self._state == "running":
                    self._state = "closing"
                    await self._begin_to_close()
                await asyncio.shield(self._closed)
        except TimeoutError:
            self._core.abort()
            await self._gone()
        except asyncio.CancelledError:
            self._core.abort()
            raise
        finally:
            self._finish()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _begin_to_close(self) -> None:
        self._core.drain()
        try:
            self._stop_accepting()
            await self._take_waiting()
        finally:
            self._close_sockets()
            self._core.close(self._emptied)
            self._streams.close()

    async def _take_waiting(self) -> None:
        """Accepts what waits in the kernel, where closing would reset it."""
        opening = []
        for sock in self._sockets:
            for _ in range(self._backlog + 1):
                try:
                    connection, _name = sock.accept()
                except OSError:
                    break  # there is none, mostly
                connection.setblocking(False)
                if self._native:
                    with contextlib.suppress(OSError):  # it has gone already
                        _adopt(self._core, connection)
                else:
                    opening.append(asyncio.ensure_future(self._open(connection)))
        if opening:
            _, late = await asyncio.wait(opening, timeout=1)
            for task in late:
                task.cancel()
        if not self._native:
            # asyncio opens what it has accepted in a few steps.
            for _ in range(4):
                await asyncio.sleep(0)

    def _tls(self) -> dict[str, Any]:
        """What asyncio is to know of TLS."""
        if self._ssl is None:
            return {}
        return {"ssl": self._ssl, "ssl_shutdown_timeout": _LINGER}

    async def _open(self, connection: socket.socket) -> None:
        factory = functools.partial(_core.Adapter, self._core)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(factory, connection, **self._tls())

    async def _gone(self) -> None:
        """Waits for connections that have been cut off; they end in the next turns."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._core.connections:
                    await asyncio.sleep(0)

    def _emptied(self) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def _finish(self) -> None:
        self._stop_listening()
        self._core.stop()
        self._threads.close()
        self._state = "closed"
        self._emptied()

    def _stop_listening(self) -> None:
        self._stop_accepting()
        self._close_sockets()

    def _stop_accepting(self) -> None:
        self._core.unlisten()
        if self._waking is not None:
            self._waking.cancel()
        self._rest()

    def _rest(self) -> None:
        for server in self._asyncio_servers:
            server.close()
        self._asyncio_servers = []

    def _throttle(self, resting: bool) -> None:
        """Accepts no more for now, or again. asyncio's servers cannot pause: new ones are made.
        They have copies of the sockets, in whose queues connections wait meanwhile."""
        self._resting = resting
        if resting:
            self._rest()
        elif self._state == "running" and (self._waking is None or self._waking.done()):
            self._waking = asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            if not self._resting:
                await self._listen(loop, sock, False)
        if self._resting or self._state != "running":
            self._rest()

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    # ---- sockets -------------------------------------------------------------------------------

    def _is_native(self, loop: asyncio.AbstractEventLoop) -> bool:
        native = isinstance(loop, guava_loop.Loop)
        if self._transport == "native" and not native:
            raise RuntimeError("transport='native' needs a running guava_loop.Loop")
        return native and self._ssl is None and self._transport != "asyncio"

    async def _listen(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, native: bool
    ) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            # Accepted sockets inherit it: no system call for each.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        if native:
            copy = os.dup(sock.fileno())
            try:
                self._core.listen(copy, self._backlog)
            except OSError as error:
                os.close(copy)
                raise cannot_listen(self._host, self._port, error) from None
            return
        # Both asyncio and uvloop close what they are given. They keep the factory, which so must
        # not keep this object: it is when nobody does that __del__ warns.
        copy_ = sock.dup()
        factory = functools.partial(_core.Adapter, self._core)
        if sock.family == socket.AF_UNIX:
            server = await loop.create_unix_server(
                factory, sock=copy_, backlog=self._backlog, **self._tls()
            )
        else:
            server = await loop.create_server(
                factory, sock=copy_, backlog=self._backlog, **self._tls()
            )
        self._asyncio_servers.append(server)


def _throttle(server: weakref.ref[Server], resting: bool) -> None:
    found = server()
    if found is not None:
        found._throttle(resting)


def _adopt(core: _core.Server, connection: socket.socket) -> None:
    fd = connection.detach()
    try:
        core.adopt(fd)
    except OSError:
        os.close(fd)
        raise


# ---- what the native half calls ----------------------------------------------------------------


def _same(policy: BodyPolicy, request: _core.Request) -> BodyPolicy:
    # What a policy that is the same for all requests says of one.
    return policy


def _log(request: _core.Request | None, error: BaseException) -> None:
    what = "a request" if request is None else f"{request.method} {request.path}"
    _logger.error("%s failed", what, exc_info=error)


async def _wrap(awaitable: Awaitable[_Body] | concurrent.futures.Future[_Body]) -> _Body:
    if isinstance(awaitable, concurrent.futures.Future):
        return await outcome(awaitable)
    return await awaitable
