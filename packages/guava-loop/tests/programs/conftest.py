"""Other people's programs on our loop, each test on asyncio's too, as the control.

They need what those programs are (the dependency group "programs"), so they are collected only
when they are asked for by name, as in pytest packages/guava-loop/tests/programs.
"""

import asyncio
import gc
import logging
import math
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import warnings
from asyncio import selector_events, sslproto, unix_events
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import guava_loop
import pytest

HERE = Path(__file__).parent

sys.path.append(str(HERE))  # children.py, which processes of the tests import

PYTHON_TRANSPORTS = (
    selector_events._SelectorTransport,
    sslproto.SSLProtocol,
    unix_events._UnixReadPipeTransport,
    unix_events._UnixWritePipeTransport,
)

Main = Callable[[], Coroutine[Any, Any, Any]]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    if any(path == HERE or HERE in path.parents for path in asked):
        return None
    return True


# ---- loops ------------------------------------------------------------------------------------


@pytest.fixture(params=["asyncio", "guava", "guava-debug"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which loop a test runs on. Debug mode goes other ways, so it is one more."""
    return request.param


@pytest.fixture
def factory(kind: str, native: None) -> Callable[[], asyncio.AbstractEventLoop]:
    made = asyncio.SelectorEventLoop if kind == "asyncio" else guava_loop.new_event_loop

    def factory() -> asyncio.AbstractEventLoop:
        loop = made()
        if kind == "guava-debug":
            loop.set_debug(True)
        # How slow a callback was is no concern of these tests.
        loop.slow_callback_duration = math.inf
        return loop

    return factory


@pytest.fixture
def native(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On our loop no transport of asyncio's Python is made: that would work, and be slow."""
    made: list[type[Any]] = []
    for theirs in PYTHON_TRANSPORTS if kind != "asyncio" else ():
        init = theirs.__init__

        def noted(self: Any, *args: Any, init: Any = init, **options: Any) -> None:
            made.append(type(self))
            init(self, *args, **options)

        monkeypatch.setattr(theirs, "__init__", noted)
    yield
    assert made == []


@pytest.fixture
def run(
    factory: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[Main], Any]]:
    """run(main): what main() returns, on the loop of the test, all within two minutes.

    Nothing may reach the loop's exception handler or asyncio's log meanwhile, and nothing may be
    left behind: no task, no transport, no socket. Messages for the exception handler that are to
    be expected are given as `told`; they need not come, as asyncio gives some in debug mode only.
    """

    def run(main: Main, told: tuple[str, ...] = ()) -> Any:
        errors: list[dict[str, Any]] = []

        async def within() -> Any:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: errors.append(context))
            async with asyncio.timeout(120):
                result = await main()
            await settled()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"
            return result

        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            with asyncio.Runner(loop_factory=factory) as runner:
                result = runner.run(within())
            gc.collect()
        assert [error for error in errors if error["message"] not in told] == []
        unclosed = [str(each.message) for each in warned if each.category is ResourceWarning]
        assert [message for message in unclosed if "unclosed" in message] == []
        return result

    yield run
    said = [each for each in caplog.records if each.name == "asyncio"]
    assert [each.getMessage() for each in said if each.levelno >= logging.WARNING] == []


async def settled() -> None:
    """Returns when other tasks have ended, or a second has gone by without that."""
    for _ in range(1000):
        if len(asyncio.all_tasks()) == 1:
            return
        await asyncio.sleep(0.001)


# ---- TLS --------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of the tests, with a certificate for this machine."""

    def __init__(self, folder: Path) -> None:
        import trustme

        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
        self.file = folder / "authority.pem"
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        authority.cert_pem.write_to_path(self.file)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self.certificate, append=True)
        issued.private_key_pem.write_to_path(self.key)
        self.key.chmod(0o600)

    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.file)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


# ---- servers in processes of their own --------------------------------------------------------


class Server:
    """A server in a process of its own, on a socket that listens before it starts."""

    def __init__(self, folder: Path, command: list[str], listening: socket.socket) -> None:
        self.port: int = listening.getsockname()[1]
        self.output = folder / f"output-{self.port}"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | {"PYTHONWARNINGS": "always::ResourceWarning"},
                pass_fds=[listening.fileno()],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # what it starts is ended with it
            )

    def until_said(self, what: str, times: int) -> None:
        """Waits until this stands in its output as often."""
        deadline = time.monotonic() + 60
        while self.output.read_text().count(what) < times:
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)

    def ended(self, sent: int = signal.SIGTERM) -> tuple[int, str]:
        """Sends the signal; what the process ended with, and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
        return self.process.wait(60), self.output.read_text()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """serve(module, *arguments): python -m module arguments; in these, {fd} is the socket's."""
    servers: list[Server] = []

    def serve(module: str, *arguments: str) -> Server:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            rest = [each.replace("{fd}", str(listening.fileno())) for each in arguments]
            servers.append(Server(tmp_path, [sys.executable, "-m", module, *rest], listening))
        return servers[-1]

    yield serve
    for server in servers:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
