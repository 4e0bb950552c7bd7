"""What the tests of guava-loop share: loops, and C modules compiled against the public header."""

import asyncio
import gc
import importlib.util
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import guava_loop
import pytest

# A run in a shell's background is deaf to Ctrl-C, and so would be what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent

sys.path.append(str(HERE))  # transport_parts.py, which tests import


# What asyncio's own loop, which the tests run beside ours, cannot do before 3.11.4: its transports
# of datagrams know no pause_reading(), those of pipes no is_reading(), nor a pause at the start.
OLD_ASYNCIO = sys.version_info < (3, 11, 4)
NOT_ON_OLD_ASYNCIO = {
    "test_datagram.py::test_after_close[asyncio]",
    "test_datagram.py::test_pausing[asyncio]",
    "test_datagram.py::test_repr[asyncio]",
    "test_datagram.py::test_unclosed[asyncio]",
    "test_datagram.py::test_the_number_of_a_forgotten_one_is_used_again[asyncio]",
    "test_datagram.py::test_collected_on_another_thread[asyncio]",
    "test_pipe.py::test_pausing[asyncio]",
    "test_pipe.py::test_pause_and_close_in_a_callback[asyncio]",
    "test_pipe.py::test_paused_before_the_start[asyncio]",
    "test_subprocess.py::test_a_slow_reader_holds_the_writer_up[asyncio]",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if OLD_ASYNCIO and item.nodeid.rpartition("/")[2] in NOT_ON_OLD_ASYNCIO:
            item.add_marker(pytest.mark.skip(reason="asyncio's loop cannot before 3.11.4"))


def compile_module(source: Path, folder: Path) -> Path:
    """Compile a C extension module with the compiler of this Python and guava_loop.h, no more."""
    target = folder / (source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
    flags += ["-Wno-missing-field-initializers", "-D_GNU_SOURCE", "-fPIC"]
    flags += (
        ["-undefined", "dynamic_lookup", "-bundle"] if sys.platform == "darwin" else ["-shared"]
    )
    paths = [f"-I{sysconfig.get_path('include')}", f"-I{guava_loop.get_include()}"]
    subprocess.run([*compiler, *flags, *paths, "-o", target, source], check=True)
    return target


def import_file(path: Path) -> ModuleType:
    name = path.name.partition(".")[0]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def c_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the compiled modules, for subprocesses to import from."""
    folder = tmp_path_factory.mktemp("c_modules")
    for source in HERE.glob("*.c"):
        compile_module(source, folder)
    return folder


def built(folder: Path, name: str) -> ModuleType:
    return import_file(folder / (name + sysconfig.get_config_var("EXT_SUFFIX")))


@pytest.fixture(scope="session")
def stream_probe(c_modules: Path) -> ModuleType:
    return built(c_modules, "stream_probe")


@pytest.fixture(scope="session")
def loop_probe(c_modules: Path) -> ModuleType:
    return built(c_modules, "loop_probe")


@pytest.fixture(scope="session")
def echo_server(c_modules: Path) -> ModuleType:
    return built(c_modules, "echo_server")


@pytest.fixture
def loop() -> Iterator[guava_loop.Loop]:
    made = guava_loop.new_event_loop()
    errors: list[dict[str, object]] = []
    made.set_exception_handler(lambda _, context: errors.append(context))
    made.errors = errors  # what reached the exception handler; a test that expects some takes them
    yield made
    if not made.is_closed():
        made.close()
    assert errors == []


@pytest.fixture
def run_until(loop: guava_loop.Loop) -> Callable[[Callable[[], Any]], None]:
    """run_until(true): run the loop until true() holds; fail when it never does."""

    def run_until(true: Callable[[], Any], seconds: float = 20.0) -> None:
        deadline = loop.time() + seconds

        def look() -> None:
            if true() or loop.time() > deadline:
                loop.stop()
            else:
                loop.call_later(0.001, look)

        if not true():
            look()
            loop.run_forever()
        assert true()

    return run_until


@pytest.fixture
def Probe(stream_probe: ModuleType) -> type[Any]:
    """A stream that keeps all that it is told."""

    class Probe(stream_probe.Stream):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            self.got = b""
            self.calls: list[Any] = []

        def data(self, data: bytes) -> None:
            self.got += data
            self.calls.append(len(data))

        def eof(self) -> None:
            self.calls.append("eof")

        def drain(self) -> None:
            self.calls.append("drain")

        def closed(self, error: int) -> None:
            self.calls.append(("closed", error))

        @property
        def gone(self) -> bool:
            return bool(self.calls) and isinstance(self.calls[-1], tuple)

    return Probe


class Reader(threading.Thread):
    """Reads all that the loop sends, on a thread of its own."""

    def __init__(self, sock: socket.socket, size: int = 1 << 16) -> None:
        super().__init__(daemon=True)
        self.sock = sock
        self.size = size
        self.got = b""
        self.start()

    def run(self) -> None:
        parts = []
        try:
            while part := self.sock.recv(self.size):
                parts.append(part)
        except ConnectionResetError:
            pass  # some tests end so
        self.got = b"".join(parts)

    def all(self) -> bytes:
        self.join()
        return self.got


@pytest.fixture
def reader() -> type[Reader]:
    return Reader


# ---- steps -------------------------------------------------------------------------------------


@pytest.fixture
def run(loop: guava_loop.Loop, loop_probe: ModuleType) -> Callable[..., Any]:
    """run(coroutine): its result after step() and, if it was suspended, after its task."""

    def run(coroutine: Coroutine[Any, Any, Any], context: Any = None) -> Any:
        async def main() -> Any:
            # From a plain callback, as a stream's data() is: without a current task.
            over = loop.create_future()

            def call() -> None:
                try:
                    extra = () if context is None else (context,)
                    status, result = loop_probe.step(loop, coroutine, *extra)
                except BaseException as error:
                    over.set_result(error)
                else:
                    over.set_result((status, result))

            loop.call_soon(call)
            got = await over
            if isinstance(got, BaseException):
                raise got
            status, result = got
            run.suspended = status == 1  # type: ignore[attr-defined]
            return await result if status == 1 else result

        return loop.run_until_complete(main())

    return run


@pytest.fixture
def step(loop: guava_loop.Loop, loop_probe: ModuleType) -> Callable[..., tuple[int, Any]]:
    """loop_probe.step(coroutine, *context), called by a callback of the running loop."""

    def step(coroutine: Coroutine[Any, Any, Any], *context: Any) -> tuple[int, Any]:
        got: list[Any] = []

        def call() -> None:
            try:
                got.append(loop_probe.step(loop, coroutine, *context))
            except Exception as error:
                got.append(error)
            loop.stop()

        loop.call_soon(call)
        loop.run_forever()
        if isinstance(got[0], Exception):
            raise got[0]
        return got[0]

    return step


@pytest.fixture(params=["step", "task"])
def both(request: pytest.FixtureRequest, loop: guava_loop.Loop, run: Any) -> Callable[..., Any]:
    """Runs a coroutine by step(), and by loop.create_task() to show that asyncio agrees."""
    if request.param == "step":
        return run

    def as_task(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async def main() -> Any:
            return await loop.create_task(coroutine)

        return loop.run_until_complete(main())

    return as_task


# ---- the same on asyncio's loop and on ours -----------------------------------------------------

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "guava": guava_loop.new_event_loop,
}


class Play:
    """One loop, what happens on it, and errors that reach its exception handler, in order."""

    def __init__(self, name: str) -> None:
        self.ours = name == "guava"
        self.loop = LOOPS[name]()
        self.history: list[Any] = []
        self.loop.set_exception_handler(self._failed)

    def note(self, *what: Any) -> None:
        self.history.append(what)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # What follows names a function, or an object by its address.
        message = re.split(r"(?<=^Exception in callback)| <|: \(", context["message"])[0]
        keys = set(context) - {"source_traceback", "handle"}
        if message == "Exception in callback":
            keys -= {"transport", "protocol"}  # which ours adds, where asyncio has a handle only
        if message != "Task exception was never retrieved":  # asyncio has more tasks
            error = type(context.get("exception")).__name__
            self.note("error", message, sorted(keys), error)

    async def settle(self, rounds: int = 4) -> None:
        """Lets the loop ask the kernel several times, and call what is due."""
        left, right = socket.socketpair()
        with left, right:
            for _ in range(rounds):
                asked = self.loop.create_future()

                def answer(asked: asyncio.Future[None] = asked) -> None:
                    self.loop.remove_reader(right)
                    right.recv(1)
                    asked.set_result(None)

                self.loop.add_reader(right, answer)
                left.send(b"x")
                await asked
                await asyncio.sleep(0)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Runs it to its end, however often an exception leaves the loop meanwhile."""
        task = self.loop.create_task(coroutine)
        while not task.done():
            try:
                self.loop.run_until_complete(task)
            except BaseException as error:
                if not task.done():
                    self.note("left the loop", type(error).__name__)
        if task.cancelled():
            self.note("cancelled")
        elif (ended := task.exception()) is not None:
            if isinstance(ended, Exception):
                raise ended
            self.note("ended by", type(ended).__name__)

    def close(self) -> None:
        if not self.loop.is_closed():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                self.loop.close()
                gc.collect()


@pytest.fixture
def alike() -> Callable[..., list[Any]]:
    """alike(scenario): the history that `await scenario(play)` notes, on ours; that it is the same
    as on asyncio's loop is asserted, unless `alone` says that asyncio is not to be followed.
    `calls_only`: what came with the calls may differ."""

    def history(name: str, scenario: Callable[[Play], Coroutine[Any, Any, Any]]) -> list[Any]:
        play = Play(name)
        try:
            play.run(scenario(play))
        finally:
            play.close()
        return play.history

    def alike(
        scenario: Callable[[Play], Coroutine[Any, Any, Any]],
        *,
        alone: bool = False,
        calls_only: bool = False,
    ) -> list[Any]:
        gc.collect()
        gc.freeze()  # each play is followed by a collection
        ours = history("guava", scenario)
        theirs = history("asyncio", scenario) if not alone else ours
        gc.unfreeze()
        if calls_only:
            assert [what[0] for what in ours] == [what[0] for what in theirs]
        else:
            assert ours == theirs
        return ours

    return alike


@pytest.fixture(scope="session")
def tls_contexts(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for "localhost", and that of a client who trusts it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", *kind, *names, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))
