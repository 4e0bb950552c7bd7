"""One row on one loop: loading, counting. Each measurement is of a fresh process."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.errors import CannotRun, Failed
from benchmarks.common.processes import CLIENT_CORE, SERVER_CORE, cores_busy, pinned, waited
from benchmarks.common.programs import compiled, output
from benchmarks.loop.loops import Contender
from benchmarks.loop.rows import Row

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILD = HERE / "build"
LOAD = BUILD / "load"
CERTIFICATE = BUILD / "certificate.pem"

START_LIMIT = 60.0  # seconds


@dataclass(frozen=True)
class Sample:
    """What one process did in one round."""

    rate: float
    """Of the best window: units a second; bytes, if it is memory."""
    cpu_us: float
    """Microseconds of CPU a unit, over all windows."""
    foreign: float
    """How much of the two cores others took meanwhile."""


def build() -> str | None:
    """Compiles the load and makes a certificate; why there is no TLS, if there is none."""
    sources = [HERE / "load.c", HERE / "wire.c"]
    try:
        compiled(LOAD, sources, "-DWITH_TLS", "-lssl", "-lcrypto", optimize="-O2")
        if not CERTIFICATE.exists():
            certificate()
    except CannotRun as error:
        compiled(LOAD, sources, optimize="-O2")
        return str(error)
    return None


def certificate() -> None:
    with tempfile.TemporaryDirectory() as folder:
        key, cert = Path(folder, "key"), Path(folder, "cert")
        parts = [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ]
        output(parts)
        CERTIFICATE.write_text(key.read_text() + cert.read_text())


def python(module: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.loop.{module}"]


@contextlib.contextmanager
def serving(
    contender: Contender, row: Row, *tool: str, quiet: bool = False
) -> Iterator[dict[str, Any]]:
    """Runs a row's server; gives what it tells of itself. Ends it whatever happens."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        options = ["--path", str(Path(folder, "socket"))]
        if quiet:
            options.append("--no-gc")
        if row.tls:
            options += ["--certificate", str(CERTIFICATE)]
        process = subprocess.Popen(
            [*tool, *python("serve"), contender.key, *row.serve, *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                process.wait(START_LIMIT)
                raise Failed(last_line(log.seek(0), log.read()))
            yield json.loads(line)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def last_line(_: int, text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines() or ["it ended"]
    return lines[-1][:200]


def load_command(about: dict[str, Any], *options: str) -> list[str]:
    """The load, on its core, for a server that has told where it listens."""
    address = about["address"]
    where = (
        ["--host", address]
        if isinstance(address, str)
        else ["--host", address[0], "--port", str(address[1])]
    )
    return [*pinned(CLIENT_CORE), str(LOAD), *options, *where]


def loaded(about: dict[str, Any], *options: str, limit: float) -> dict[str, Any]:
    try:
        done = subprocess.run(
            load_command(about, *options), capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise Failed("the load did not end") from None
    if done.returncode != 0:
        raise Failed(last_line(0, done.stderr.encode()))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def idle(about: dict[str, Any], connections: int) -> Iterator[None]:
    """Holds so many connections open."""
    if not connections:
        yield
        return
    process = subprocess.Popen(
        load_command(about, "idle", "--calm", "--connections", str(connections)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise Failed(f"{connections} connections cannot be held")
        yield
    finally:
        process.kill()
        process.communicate()


def sample(contender: Contender, row: Row, seconds: float, window: float) -> Sample:
    """Failed when it goes wrong."""
    busy, children, start = cores_busy(), waited(own=True), time.monotonic()
    if row.function:
        windows = run_inside(contender, row, seconds, window)
    elif row.memory:
        windows = [(1.0, run_memory(contender, row), 0.0)]
    else:
        windows = run_load(contender, row, seconds, window)
    elapsed = time.monotonic() - start
    others = (cores_busy() - busy) - (waited(own=True) - children)
    windows = [(time, count * row.scale, cpu) for time, count, cpu in windows]
    if not any(count for _, count, _ in windows):
        raise Failed("nothing was done")
    return Sample(
        rate=max(count / time for time, count, _ in windows),
        cpu_us=sum(cpu for *_, cpu in windows) / sum(count for _, count, _ in windows) * 1e6,
        foreign=max(0.0, others / elapsed / 2),
    )


Windows = list[tuple[float, float, float]]


def run_inside(contender: Contender, row: Row, seconds: float, window: float) -> Windows:
    options = ["--seconds", str(seconds), "--window", str(min(window, seconds))]
    options += ["--peer-core", str(CLIENT_CORE)]
    try:
        done = subprocess.run(
            [
                *pinned(SERVER_CORE),
                *python("inside"),
                *(contender.key, row.function, *options),
            ],
            cwd=ROOT,
            capture_output=True,
            timeout=seconds + START_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise Failed("it did not end") from None
    if done.returncode != 0:
        raise Failed(last_line(0, done.stderr))
    return [(time, n, cpu) for time, n, cpu in json.loads(done.stdout)["windows"]]


def run_load(contender: Contender, row: Row, seconds: float, window: float) -> Windows:
    count = max(1, round(seconds / window))
    options = ["--windows", str(count), "--window", f"{min(window, seconds):.3f}"]
    with serving(contender, row, *pinned(SERVER_CORE)) as about, idle(about, row.idle):
        settle(about["pid"])
        options += ["--pid", str(about["pid"])]
        found = loaded(about, *row.load, *options, limit=seconds + START_LIMIT)
        if "--resume" in row.load and found["resumed"] < found["opened"] / 2:
            raise Failed("sessions are not resumed")
        return [(time, n, cpu) for time, n, cpu in found["windows"]]


def run_memory(contender: Contender, row: Row) -> float:
    """Bytes of the server's memory for each connection: its resident set, before and after."""
    with serving(contender, row, *pinned(SERVER_CORE)) as about:
        # What the first connections bring along is not theirs.
        with idle(about, 16):
            settle(about["pid"])
            before = resident(about["pid"])
            with idle(about, row.idle):
                settle(about["pid"])
                return (resident(about["pid"]) - before) / row.idle


def settle(pid: int) -> None:
    """Waits until a process does nothing for a while: the last connection may wait to be taken."""
    clock = (~pid << 3) | 2  # CPUCLOCK_SCHED of a process, as clock_getcpuclockid(3) makes it
    end = time.monotonic() + START_LIMIT
    used = -1.0
    while time.monotonic() < end and time.clock_gettime(clock) - used > 0.0005:
        used = time.clock_gettime(clock)
        time.sleep(0.03)


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
