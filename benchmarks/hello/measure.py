"""One server, one load, one figure: starting, pinning, loading, counting, stopping.

The server runs on core 0 and wrk on core 1, in a session of its own, so that all its processes are
found for counting and for stopping. Its CPU time is the user and system time of all of them, from
/proc, before and after the load.
"""

import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.hello.contestants import HERE, Contestant

SERVER_CORE = "0"
CLIENT_CORE = "1"
BODY = b"Hello, world!"
START_LIMIT = 20.0  # seconds
STOP_LIMIT = 5.0  # seconds
DISTURBED = 0.1  # of the two cores, taken by others
TICK = os.sysconf("SC_CLK_TCK")  # clock ticks a second


class Failed(Exception):
    """A server did not start, answered wrongly, or failed under load; the message says how."""


@dataclass(frozen=True)
class Mode:
    key: str
    title: str
    connections: int
    depth: int
    """Requests that wrk sends in one write."""


MODES = [
    Mode("c64", "64 connections", 64, 1),
    Mode("c400", "400 connections", 400, 1),
    Mode("p16", "64 connections, 16 pipelined requests", 64, 16),
]


@dataclass(frozen=True)
class Sample:
    requests_per_second: float
    cpu_us: float
    """Microseconds of the server's CPU per request."""
    busy: float
    """How much of its core the server used: near 1, the server was the bottleneck, not wrk."""
    foreign: float
    """How much of the two cores others took meanwhile."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(contestant: Contestant) -> Iterator[tuple[int, int]]:
    """Runs a contestant; gives its session and its port. Ends it whatever happens."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *contestant.command(port)],
            env=os.environ | contestant.environment,
            cwd=HERE / "servers",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            await_port(process, port, log)
            yield process.pid, port
        finally:
            stop(process)


def await_port(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
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


def stop(process: subprocess.Popen[bytes]) -> None:
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


def session(leader: int) -> list[list[str]]:
    """The fields of /proc/PID/stat after the name, of each living process of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name may hold anything, a closing parenthesis too.
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(fields)
    return found


def cpu_seconds(leader: int) -> float:
    """User and system time of a session, with that of the children it has waited for."""
    return sum(sum(map(int, fields[11:15])) for fields in session(leader)) / TICK


def answer(port: int) -> bytes:
    """The whole answer to wrk's request, the date blanked; Failed if it is not the right one."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"gave no answer: {error!r}") from None
    if response.status != 200 or body != BODY:
        raise Failed(f"answered {response.status} with {body[:60]!r}")
    head = "".join(f"{name}: {value}\r\n" for name, value in response.getheaders())
    return re.sub(r"(?im)^(date: ).*$", r"\1-\r", head).encode() + b"\r\n" + body


def pipelined(port: int, depth: int) -> None:
    """Failed unless as many requests, sent in one write, get as many right answers."""
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * depth)
            while received.count(BODY) < depth and (part := connection.recv(65536)):
                received += part
    except OSError:
        pass  # what came before is counted
    if received.count(BODY) != depth:
        raise Failed(f"answers {received.count(BODY)} of {depth} pipelined requests")


def wrk(port: int, mode: Mode, seconds: float) -> dict[str, float]:
    """Loads a server; wrk's own summary. Failed when any request went wrong."""
    command = [
        *("taskset", "-c", CLIENT_CORE, "wrk", "--threads", "1", "--timeout", "10s"),
        *("--connections", str(mode.connections), "--duration", f"{max(1, round(seconds))}s"),
        *("--script", str(HERE / "load.lua"), f"http://127.0.0.1:{port}/", "--", str(mode.depth)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise Failed(f"wrk failed: {(done.stderr or done.stdout).strip()[:200]}")
    summary = json.loads(lines[-1])
    errors = {kind: count for kind, count in summary["errors"].items() if count}
    if errors:
        what = ", ".join(f"{count} {kind} errors" for kind, count in errors.items())
        raise Failed(f"{what} in {summary['requests']} requests")
    if summary["requests"] == 0:
        raise Failed("no request was answered")
    return dict(summary)


def measure(leader: int, port: int, mode: Mode, seconds: float, patience: int) -> Sample:
    """A sample; up to `patience` further ones while others disturb it, and then the quietest."""
    if mode.depth > 1:
        pipelined(port, mode.depth)
    best = sample(leader, port, mode, seconds)
    while best.foreign > DISTURBED and patience > 0:
        time.sleep(1)
        best = min(best, sample(leader, port, mode, seconds), key=lambda one: one.foreign)
        patience -= 1
    return best


def sample(leader: int, port: int, mode: Mode, seconds: float) -> Sample:
    server, client, cores, start = cpu_seconds(leader), waited(), cores_busy(), time.monotonic()
    summary = wrk(port, mode, seconds)
    elapsed = time.monotonic() - start
    server, client, cores = cpu_seconds(leader) - server, waited() - client, cores_busy() - cores
    return Sample(
        requests_per_second=summary["requests"] / summary["seconds"],
        cpu_us=server / summary["requests"] * 1e6,
        busy=server / elapsed,
        foreign=max(0.0, (cores - server - client) / elapsed / 2),
    )


def waited() -> float:
    """CPU time of the children that this process has waited for: wrk's, among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cores_busy() -> float:
    """The seconds in which the two cores did anything, or were taken away by the host."""
    total = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in (f"cpu{SERVER_CORE}", f"cpu{CLIENT_CORE}"):
            # user nice system idle iowait irq softirq steal
            total += sum(int(ticks[column]) for column in (0, 1, 2, 5, 6, 7))
    return total / TICK
