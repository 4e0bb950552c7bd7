"""The built-in web server with routers on it."""

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import guava_http
import guava_loop
from guava_http import Request

from . import _pages, _reload
from ._dispatch import Dispatcher
from .router import Router, StaticRouter

__all__ = ["Server", "start_static_server"]

#: Seconds that a running request has to end after the server was told to stop.
GRACE = 10.0

#: The same, when it starts anew after a change.
RELOAD_GRACE = 1.0


class Server:
    """Routers behind a web server.

        server = guava.server.Server(ip="127.0.0.1", port=8000)
        server.add_router(guava.router.MVCRouter(mount_point="/", package="controllers"))
        server.serve()

    Args:
        ip: the address, or a host name, to listen on; "0.0.0.0" and "::" are all of the machine.
        port: 0 to 65535; 0 takes a free one, which `port` says after the start.
        backlog: how many connections may wait to be accepted.
        auto_reload: start the program anew when one of its sources changes. For development; with
            the extra ``guava[reload]`` changes are noticed at once, else within half a second.
        debug: show tracebacks in error pages, and run the event loop in its debug mode. What a
            traceback shows is not for strangers.
        workers: the number of processes; only 1 is built so far.
        limits: how much a client may send, and how many there may be; see ``guava_http.Limits``.
        timeouts: how long a client may take; see ``guava_http.Timeouts``.
        compress: whether answers are compressed for the clients that ask for it: True, or a
            ``guava_http.Compression`` that says how.
        threads: how many plain functions that read a body as it comes run at the same time; None
            is the number of processors plus 4.
        ssl: a context for TLS; the address is then https.
        allowed_hosts: the names that are answered for, ``".example.com"`` with all below it;
            other hosts get 421. None is any: then the client chooses ``req.host``.

    Raises:
        NotImplementedError: more than one worker is asked for.
        ValueError: port or backlog is out of range.
    """

    def __init__(
        self,
        ip: str = "127.0.0.1",
        port: int = 8000,
        backlog: int = 1024,
        auto_reload: bool = False,
        debug: bool = False,
        workers: int = 1,
        *,
        limits: guava_http.Limits | None = None,
        timeouts: guava_http.Timeouts | None = None,
        compress: bool | guava_http.Compression = False,
        threads: int | None = None,
        ssl: SSLContext | None = None,
        allowed_hosts: Iterable[str] | None = None,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"a port is a number from 0 to 65535, not {port!r}")
        if backlog < 1:
            raise ValueError(f"backlog must be at least 1, not {backlog!r}")
        if workers != 1:
            raise NotImplementedError(
                f"workers={workers!r}: Guava runs in one process so far; start one server per "
                "core, on ports of their own, and put a proxy in front"
            )
        self.ip = ip
        self.backlog = backlog
        self.auto_reload = auto_reload
        self.debug = debug
        self.workers = workers
        self.limits = guava_http.Limits() if limits is None else limits
        self.timeouts = guava_http.Timeouts() if timeouts is None else timeouts
        self.compress = compress
        self.threads = threads
        self.ssl = ssl
        self.allowed_hosts = allowed_hosts
        self._port = port
        self._dispatcher = Dispatcher(self._error_page)
        self._http: guava_http.Server | None = None

    # ---- routers -----------------------------------------------------------------------------

    @property
    def routers(self) -> tuple[Router, ...]:
        """The routers, in the order in which they were added."""
        return self._dispatcher.routers

    def add_router(self, *routers: Router) -> None:
        """Adds routers. Of several that fit a path, the one with the longest mount point answers;
        routers of your own, with a method ``route``, are asked before all others.

        Raises:
            TypeError: one of them is no router.
            ValueError: its mount point is taken by a router of the same kind.
        """
        self._dispatcher.add(*routers)

    def route(self, req: Request) -> Any:
        """What is in charge of a request: a `Handler`, or what else a router answers with (see
        guava.handler); None when there is nothing."""
        return self._dispatcher.route(req)

    def url_for(self, name: str, /, query: Any = None, **params: Any) -> str:
        """The path of a route of any of the routers, by its name; see `Controller.url_for`.

        Raises:
            LookupError: no route has this name, or the routes of several routers have.
            TypeError: a parameter is missing, is not the route's, or has the wrong type.
            ValueError: a value cannot stand in a path.
        """
        return self._dispatcher.url_for(name, query, params)

    # ---- answers -----------------------------------------------------------------------------

    @property
    def handle(self) -> Callable[[Request], Any]:
        """The function that answers a request, for tests and for other servers: what it returns is
        what a handler of ``guava_http.serve`` may return, an awaitable among others."""
        return self._dispatcher.handle

    def error_page(
        self, req: Request, status: int, text: str | None, error: Exception | None
    ) -> "guava_http.Response | str":
        """What a visitor sees of an error. Override it to give your site pages of its own.

        Args:
            req: the request.
            status: 400 to 599; a page that is returned as text is sent with it.
            text: a sentence for the visitor, or None; plain text, so escape it.
            error: what was raised, in debug mode only.

        Returns:
            A ``Response``, or the page as ``str``.
        """
        return _pages.error_page(req, status, text, error)

    def _error_page(
        self, req: Request, status: int, text: str | None, error: Exception | None
    ) -> guava_http.Response:
        page = self.error_page(req, status, text, error if self.debug else None)
        if not isinstance(page, guava_http.Response):
            page = guava_http.Response(page, status=status)
        return page

    # ---- running -----------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port; the real one, once the server has started."""
        return self._port

    @property
    def url(self) -> str:
        """Where the first page is, as a browser takes it."""
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{'http' if self.ssl is None else 'https'}://{host}:{self._port}/"

    async def start(self) -> None:
        """Begins to listen, on the running event loop. For programs that have a loop already;
        all others call `serve`.

        Raises:
            LookupError: a registered handler leads nowhere; says where it was registered.
            OSError: the address is in use, or not ours.
            RuntimeError: it has started already.
        """
        if self._http is not None:
            raise RuntimeError("the server has started already")
        self._dispatcher.check()
        await self._start([listen(self.ip, self._port, self.backlog)])

    async def _start(self, sockets: list[socket.socket]) -> None:
        self._port = sockets[0].getsockname()[1]
        self._http = guava_http.Server(
            self.handle,
            sockets=sockets,
            backlog=self.backlog,
            limits=self.limits,
            timeouts=self.timeouts,
            compress=self.compress,
            threads=self.threads,
            ssl=self.ssl,
            body_policy=self._dispatcher.body_policy,
            allowed_hosts=self.allowed_hosts,
        )
        await self._http.start()

    async def close(self, grace: float = GRACE) -> None:
        """Stops listening, gives running requests `grace` seconds to end, and closes all
        connections. May be called again, to shorten the grace of an earlier call."""
        if self._http is not None:
            await self._http.close(grace)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def serve(self, ready: Callable[[str], object] | None = None) -> None:
        """Serves until the process gets SIGINT (Ctrl-C) or SIGTERM. What has begun is then
        answered, for at most ten seconds; a second signal ends at once.

        Args:
            ready: called with the server's URL when connections are accepted.

        Raises:
            LookupError: a registered handler leads nowhere; says where it was registered.
            SystemExit: the address cannot be listened on; its one line says which and why.
        """
        self._dispatcher.check()
        if self.auto_reload and _reload.is_child():
            sockets = _reload.inherited_sockets()
        else:
            try:
                sockets = [listen(self.ip, self._port, self.backlog)]
            except OSError as error:
                raise SystemExit(f"guava: {error.strerror}") from None
            if self.auto_reload:
                raise SystemExit(_reload.keep(sockets))
        again = guava_loop.run(self._serve(sockets, ready), debug=self.debug or None)
        if again:
            raise SystemExit(_reload.AGAIN)

    async def _serve(
        self, sockets: list[socket.socket], ready: Callable[[str], object] | None
    ) -> bool:
        loop = asyncio.get_running_loop()
        stop, hurry = asyncio.Event(), asyncio.Event()

        def end() -> None:
            (hurry if stop.is_set() else stop).set()

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, end)
        await self._start(sockets)
        if ready is not None:
            ready(self.url)
        watcher = None
        if self.auto_reload:
            watcher = _reload.Watcher(lambda: loop.call_soon_threadsafe(stop.set))
            watcher.start()
        try:
            await stop.wait()
            waiting = [
                asyncio.create_task(self.close(GRACE if watcher is None else RELOAD_GRACE)),
                asyncio.create_task(hurry.wait()),
            ]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            waiting[1].cancel()
        finally:
            if watcher is not None:
                watcher.stop()
            await self.close(0)
        return watcher is not None and watcher.again


def listen(ip: str, port: int, backlog: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        OSError: with a `strerror` that names address and port.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            ip, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, f"{ip} is no address: {error.strerror}") from None
    try:
        if os.name == "posix":
            # Connections of a server that has just ended do not keep the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            text = f"port {port} of {ip} is in use; choose another one"
        elif error.errno == errno.EACCES:
            text = f"port {port} of {ip} needs more rights than this process has"
        else:
            text = f"cannot listen on port {port} of {ip}: {error.strerror}"
        raise OSError(error.errno, text) from None
    return sock


def start_static_server(
    port: int = 8000,
    ip: str = "127.0.0.1",
    path: str | os.PathLike[str] = ".",
    allow_index: bool = True,
) -> None:
    """Serves a folder, as ``python -m http.server`` does, and prints its address.

    Args:
        port: 0 takes a free one.
        ip: the address to listen on; the default lets only this machine in.
        path: the folder.
        allow_index: list folders that have no index.html.

    Raises:
        SystemExit: the address cannot be listened on; its one line says which and why.
    """
    server = Server(ip=ip, port=port)
    server.add_router(StaticRouter(mount_point="/", directory=path, allow_index=allow_index))
    folder = os.path.abspath(path)
    server.serve(ready=lambda url: print(f"{folder} is at {url}", flush=True))
