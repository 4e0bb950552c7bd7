"""What the tests of guava-loop share: C modules compiled against the published header, and loops."""

import importlib.util
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import guava_loop

HERE = Path(__file__).parent


def compile_module(source: Path, folder: Path) -> Path:
    """Compile a C extension module with the compiler of this Python and guava_loop.h, no more."""
    target = folder / (source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
    flags += ["-Wno-missing-field-initializers", "-D_GNU_SOURCE", "-fPIC"]
    flags += ["-undefined", "dynamic_lookup", "-bundle"] if sys.platform == "darwin" else ["-shared"]
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
