"""What the tests of guava-loop share: loops, and C modules compiled against the public header."""

import importlib.util
import shlex
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import guava_loop
import pytest

HERE = Path(__file__).parent


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
