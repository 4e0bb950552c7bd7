"""ASGITransport: an audit of an ASGI application in its own tests, without a server.

It is separate from the other transports because only it needs an event loop: one in a thread of
its own for all requests, as with a server, so that what the application opens stays usable.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from .client import MAX_BODY, Answer, Request, origin_of
from .errors import Unreachable

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class ASGITransport:
    """Sends requests into an ASGI application (version 3); a context manager, which ends it.

        with ASGITransport(application) as transport:
            report = audit(site, transport)

    The application's lifespan begins with the block and ends with it, if it has one.

    :param application: what is tested
    :param timeout: seconds for an answer, and for the lifespan's begin and end
    """

    def __init__(self, application: Application, timeout: float = 60.0) -> None:
        self.application = application
        self.timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._lifespan: _Lifespan | None = None

    def __enter__(self) -> ASGITransport:
        self._thread.start()
        try:
            self._lifespan = self._run(self._begin())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._lifespan is not None:
                self._run(self._lifespan.end())
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(self.timeout)
        except TimeoutError:
            future.cancel()
            raise Unreachable(f"no answer within {self.timeout:g} seconds") from None

    async def _begin(self) -> _Lifespan:
        lifespan = _Lifespan(self.application)
        await lifespan.begin()
        return lifespan

    def __call__(self, request: Request) -> Answer:
        """:raises Unreachable: there was no answer"""
        answer = self._run(self._ask(request))
        assert isinstance(answer, Answer)
        return answer

    async def _ask(self, request: Request) -> Answer:
        scheme, host, port = origin_of(request.url)
        parts = urlsplit(request.url)
        headers = [("host", parts.netloc), *request.headers]
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": scheme,
            "path": unquote(parts.path or "/"),
            "raw_path": (parts.path or "/").encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers],
            "client": ("127.0.0.1", 50000),
            "server": (host, port),
        }
        body = iter([{"type": "http.request", "body": request.body, "more_body": False}])
        ended = asyncio.Event()
        sent: list[Message] = []

        async def receive() -> Message:
            for message in body:
                return message
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                ended.set()

        try:
            await self.application(scope, receive, send)
        except Exception:  # what a server makes of an application that raises
            if not sent:
                return Answer(request.url, 500, [], b"Internal Server Error")
        if not sent:
            return Answer(request.url, 500, [], b"no answer")
        fields = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in sent[0]["headers"]]
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(request.url, sent[0]["status"], fields, content[:MAX_BODY])


class _Lifespan:
    """The application's begin and end (ASGI's lifespan protocol 2.0)."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._to_application: asyncio.Queue[Message] = asyncio.Queue()
        self._from_application: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """:raises Unreachable: the application says that it cannot begin"""
        self._task = asyncio.create_task(self._serve())
        await self._to_application.put({"type": "lifespan.startup"})
        message = await self._from_application.get()
        if message is not None and message["type"] == "lifespan.startup.failed":
            raise Unreachable(f"the application does not start: {message.get('message', '')}")

    async def end(self) -> None:
        """Let it end, if it has a lifespan."""
        assert self._task is not None
        if not self._task.done():
            await self._to_application.put({"type": "lifespan.shutdown"})
            await self._from_application.get()
            await self._task

    async def _serve(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        try:
            await self._application(scope, self._to_application.get, self._from_application.put)
        except Exception:  # it knows no lifespan, and says so in this way
            pass
        await self._from_application.put(None)
