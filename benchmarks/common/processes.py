"""Processes that are measured: on which cores, started and ended how, and who else was busy.

What is measured runs on core 0, and what loads it on core 1. A server is the leader of a session
of its own, so that all its processes are found for counting and for stopping.
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol, TypeVar

from benchmarks.common.errors import Failed

SERVER_CORE = "0"
CLIENT_CORE = "1"
START_LIMIT = 20.0  # seconds
STOP_LIMIT = 5.0  # seconds
DISTURBED = 0.1  # of the two cores, taken by others
TICK = os.sysconf("SC_CLK_TCK")  # clock ticks a second


def lacking(*programs: str) -> str | None:
    """What this machine has not, of two cores and programs; None if it has all."""
    missing = [name for name in programs if not shutil.which(name)]
    if missing or not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        return f"needs Linux, two cores, and {', '.join(missing or programs)}"
    return None


def pinned(core: str) -> list[str]:
    return ["taskset", "-c", core]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(
    command: Sequence[str], port: int, folder: Path, environment: dict[str, str]
) -> Iterator[int]:
    """Runs a server on its core until it listens; gives its session. Ends it whatever happens."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*pinned(SERVER_CORE), *command],
            env=os.environ | environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            await_port(process, port, log)
            yield process.pid
        finally:
            stop(process)


def await_port(process: "subprocess.Popen[bytes]", port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise Failed(f"ended at once: {lines[-1]}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise Failed(f"did not listen within {START_LIMIT:.0f} s")


def stop(process: "subprocess.Popen[bytes]") -> None:
    for name in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, name)
        deadline = time.monotonic() + STOP_LIMIT
        while time.monotonic() < deadline:
            process.poll()
            if not session(process.pid):
                return
            time.sleep(0.02)
    raise Failed(f"processes of session {process.pid} did not end")


def session(leader: int) -> dict[Path, list[str]]:
    """The folders in /proc of the living processes of a session; the fields of each one's stat
    that are behind the name."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name may hold anything, a closing parenthesis too.
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found[path] = fields
    return found


def waited(own: bool = False) -> float:
    """CPU time of the children that this process has waited for: the load's, among them. With its
    own, if wanted."""
    used = [resource.getrusage(resource.RUSAGE_CHILDREN)]
    if own:
        used.append(resource.getrusage(resource.RUSAGE_SELF))
    return sum(one.ru_utime + one.ru_stime for one in used)


def cores_busy() -> float:
    """The seconds in which the two cores did anything, or were taken away by the host."""
    total = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in (f"cpu{SERVER_CORE}", f"cpu{CLIENT_CORE}"):
            # user nice system idle iowait irq softirq steal
            total += sum(int(ticks[column]) for column in (0, 1, 2, 5, 6, 7))
    return total / TICK


class Disturbed(Protocol):
    @property
    def foreign(self) -> float:
        """How much of the two cores others took."""


Taken = TypeVar("Taken", bound=Disturbed)


def quietest(take: Callable[[], Taken], patience: int, pause: float) -> Taken:
    """A sample; up to `patience` further ones while others disturb it, and then the quietest."""
    best = take()
    for _ in range(patience):
        if best.foreign <= DISTURBED:
            break
        time.sleep(pause)
        best = min(best, take(), key=lambda one: one.foreign)
    return best
