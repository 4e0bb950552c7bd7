"""Sites on disk, servers in a thread, and a client that shows what came over the wire."""

import asyncio
import http.client
import itertools
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from textwrap import dedent

import guava
import guava_loop
import pytest

# A run in a shell's background is deaf to Ctrl-C, and so would be what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = itertools.count()


@dataclass
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """Asks a server; with `cookies`, as one browser does that keeps them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        headers = dict(headers or {})
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            headers.setdefault("Cookie", "; ".join(pairs))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return answer

    def post(self, path: str, form: str) -> Answer:
        return self.ask(path, "POST", form, {"Content-Type": "application/x-www-form-urlencoded"})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """site(index="source", ...): a package with these modules, importable under the name that
    comes back."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def make(**modules: str) -> str:
        name = f"site{next(_numbers)}"
        for path, source in {"__init__": "", **modules}.items():
            file = tmp_path / name / f"{path}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text("from guava.controller import Controller\n" + dedent(source))
        made.append(name)
        return name

    yield make
    for name in list(sys.modules):
        if name.partition(".")[0] in made:
            del sys.modules[name]


@pytest.fixture
def run() -> Iterator[Callable[[guava.server.Server], Client]]:
    """run(server): starts it in a thread of its own; gives a client."""
    with_threads: list[Callable[[], None]] = []

    def start(server: guava.server.Server) -> Client:
        started = threading.Event()
        problem: list[BaseException] = []
        state: dict[str, object] = {}

        async def main() -> None:
            stop = asyncio.Event()
            state.update(loop=asyncio.get_running_loop(), stop=stop)
            async with server:
                started.set()
                await stop.wait()

        def target() -> None:
            try:
                guava_loop.run(main())
            except BaseException as error:
                problem.append(error)
            finally:
                started.set()

        thread = threading.Thread(target=target)
        thread.start()

        def end() -> None:
            loop, stop = state["loop"], state["stop"]
            if thread.is_alive():
                loop.call_soon_threadsafe(stop.set)  # type: ignore[attr-defined]
            thread.join(20)
            assert not thread.is_alive()
            assert not problem, problem

        assert started.wait(20)
        with_threads.append(end)
        if problem:
            raise problem[0]
        return Client(server.port)

    yield start
    for end in with_threads:
        end()


@pytest.fixture
def serve(
    site: Callable[..., str], run: Callable[[guava.server.Server], Client]
) -> Callable[..., Client]:
    """serve(index="source", ...): these controllers behind a server; gives a client. Options for
    the router and the server go by store= and server=."""

    def start(
        store: object = None, server: dict[str, object] | None = None, **modules: str
    ) -> Client:
        it = guava.server.Server(port=0, **(server or {}))  # type: ignore[arg-type]
        it.add_router(guava.router.MVCRouter("/", package=site(**modules), session_store=store))  # type: ignore[arg-type]
        return run(it)

    return start


@pytest.fixture(autouse=True)
def no_talk_of_slowness() -> Iterator[None]:
    """asyncio's debug mode logs what takes long. On a busy machine anything may, and tests that
    look at the log would fail for it."""

    def wanted(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Executing ")

    logger = logging.getLogger("asyncio")
    logger.addFilter(wanted)
    yield
    logger.removeFilter(wanted)
