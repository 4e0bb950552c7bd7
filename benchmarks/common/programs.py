"""What is installed, in which version; and what must be compiled first."""

import importlib.metadata
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.common.errors import CannotRun

BUILD_LIMIT = 300.0  # seconds


def distribution(*names: str) -> Callable[[], str]:
    """Tells the versions of Python's packages; raises CannotRun when one is missing."""

    def version() -> str:
        try:
            found = [f"{name} {importlib.metadata.version(name)}" for name in names]
        except importlib.metadata.PackageNotFoundError as error:
            raise CannotRun(f"{error.name} is not installed") from None
        return ", ".join(found)

    return version


def program(name: str, *arguments: str) -> Callable[[], str]:
    """Tells the version of a program, which is the first line of what it prints."""
    return lambda: output([name, *arguments]).splitlines()[0]


def output(command: Sequence[str], **options: object) -> str:
    """What a short command prints; CannotRun with its complaint when it fails."""
    if shutil.which(command[0]) is None:
        raise CannotRun(f"{command[0]} is not installed")
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command, capture_output=True, text=True, timeout=BUILD_LIMIT, **options
        )
    except subprocess.TimeoutExpired:
        late = f"{shlex.join(command[:2])}: nothing came of it in {BUILD_LIMIT:g} seconds"
        raise CannotRun(late) from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it failed"]
        raise CannotRun(f"{shlex.join(command[:2])}: {lines[-1]}")
    return str(done.stdout).strip()


def compiled(program: Path, sources: Sequence[Path], *flags: str, optimize: str = "-O3") -> None:
    """Makes a program of C sources."""
    program.parent.mkdir(exist_ok=True)
    # Another run may be at it: what it runs is not to be written over.
    fresh = program.with_suffix(f".{os.getpid()}")
    output(["cc", "-std=gnu11", optimize, "-o", str(fresh), *map(str, sources), *flags])
    fresh.replace(program)


def compiled_go(program: Path, source: Path, **environment: str) -> None:
    """Makes a program of a Go source or of a folder of them."""
    program.parent.mkdir(exist_ok=True)
    fresh = program.with_suffix(f".{os.getpid()}")
    # Go builds a folder by its name in Go's own tree only, but the one that it is in always.
    output(
        ["go", "build", "-o", str(fresh), "." if source.is_dir() else source.name],
        cwd=source if source.is_dir() else source.parent,
        env=os.environ | {"GO111MODULE": "off"} | environment,
    )
    fresh.replace(program)


def limit_flags() -> list[str]:
    """What a C server on libuv and http-parser is linked with."""
    return [*output(["pkg-config", "--cflags", "--libs", "libuv"]).split(), "-lhttp_parser"]


def libuv_version() -> str:
    return f"libuv {output(['pkg-config', '--modversion', 'libuv'])}"
