"""One server, one row, one figure: checking, loading, counting.

The CPU time is that of all processes of the server's session, from the scheduler's own account of
each of their threads, which counts nanoseconds; /proc/PID/stat shows the same time in hundredths
of a second.
"""

import contextlib
import http.client
import json
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.common import processes
from benchmarks.common.errors import Failed
from benchmarks.common.processes import (
    CLIENT_CORE,
    cores_busy,
    free_port,
    pinned,
    quietest,
    session,
    waited,
)
from benchmarks.http.contestants import BUILD, FILES, HERE, SERVERS, Contestant
from benchmarks.http.rows import Row

ROOT = HERE.parent.parent
ANSWER_LIMIT = 20.0  # seconds, for any one answer that is checked
LOAD_LIMIT = 60.0  # seconds beyond its own for a load to end


@dataclass(frozen=True)
class Sample:
    rate: float
    """Requests a second."""
    cpu_us: float
    """Microseconds of the server's CPU a request."""
    busy: float
    """How much of its core the server used: near 1, the server was the bottleneck."""
    foreign: float
    """How much of the two cores others took meanwhile."""
    p99_us: float
    memory: float = 0.0
    """Bytes that the server grew by for each idle connection."""


def raise_limit() -> None:
    """Connections are descriptors, on both sides; what is started from here inherits the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def serving(contestant: Contestant, row: Row) -> Iterator[tuple[int, int]]:
    """Runs a contestant; gives its session and its port. Ends it whatever happens."""
    port = free_port()
    own = {"BENCHMARK_APP": row.app, "BENCHMARK_FILES": str(FILES), "PYTHONPATH": str(ROOT)}
    command = contestant.command(port, row)
    with processes.serving(command, port, SERVERS, own | contestant.environment) as leader:
        yield leader, port


def check(port: int, row: Row) -> None:
    """Failed unless the row's request gets its answer, and pipelined ones get all of theirs."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_LIMIT) as connection:
            connection.sendall(row.request())
            response = http.client.HTTPResponse(connection)
            with contextlib.closing(response):
                response.begin()
                body = response.read()
            if response.status != 200:
                raise Failed(f"answers {response.status}")
            if not row.right(body):
                raise Failed(f"answers {len(body)} bytes, {body[:40]!r}")
            # wrk opens another connection without a word, and the row would measure that.
            if response.will_close:
                raise Failed("closes the connection after this answer")
        if row.depth > 1:
            pipelined(port, row)
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"gave no answer: {error!r}") from None


def pipelined(port: int, row: Row) -> None:
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(row.request() * row.depth)
        with contextlib.suppress(OSError):  # what came before is counted
            while received.count(row.answer) < row.depth and (part := connection.recv(65536)):
                received += part
    if received.count(row.answer) != row.depth:
        raise Failed(f"answers {received.count(row.answer)} of {row.depth} pipelined requests")


def load(port: int, row: Row, seconds: float) -> dict[str, float]:
    """Loads a server; wrk's summary. Failed when any request went wrong."""
    request = BUILD / f"request-{row.key}"
    request.write_bytes(row.request() * row.depth)
    command = [
        *(*pinned(CLIENT_CORE), "wrk", "--threads", "1", "--timeout", "10s"),
        *("--connections", str(row.connections), "--duration", f"{max(1, round(seconds))}s"),
        *("--script", str(HERE / "load.lua"), f"http://127.0.0.1:{port}/", "--", str(request)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + LOAD_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise Failed("the load did not end") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise Failed(f"wrk failed: {(done.stderr or done.stdout).strip()[:200]}")
    return checked(json.loads(lines[-1]), row)


def checked(summary: dict[str, float], row: Row) -> dict[str, float]:
    errors = {kind: count for kind, count in dict(summary.pop("errors")).items() if count}  # type: ignore[call-overload]
    if errors:
        what = ", ".join(f"{count} {kind} errors" for kind, count in errors.items())
        raise Failed(f"{what} in {summary['requests']} requests")
    if row.parts:
        summary["requests"] = summary["bytes"] / row.size
    if summary["requests"] == 0:
        raise Failed("no request was answered")
    return summary


def measure(leader: int, port: int, row: Row, seconds: float, patience: int) -> Sample:
    """A sample; up to `patience` further ones while others disturb it, and then the quietest."""
    one = idle_sample if row.idle else sample
    try:
        return quietest(lambda: one(leader, port, row, seconds), patience, pause=0.5)
    except Failed:
        if not session(leader):
            raise Failed("its process ended under load") from None
        raise


def sample(leader: int, port: int, row: Row, seconds: float) -> Sample:
    with Meter(leader) as meter:
        summary = load(port, row, seconds)
    return meter.sample(summary)


def idle_sample(leader: int, port: int, row: Row, seconds: float) -> Sample:
    """Requests at an even rate, beside connections that are open and silent."""
    request = BUILD / f"request-{row.key}"
    request.write_bytes(row.request())
    before = resident(leader)
    process = subprocess.Popen(
        [
            *(*pinned(CLIENT_CORE), str(BUILD / "idle"), str(port), str(row.idle)),
            *(str(row.rate), str(max(2, seconds)), str(request)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise Failed(process.communicate(timeout=LOAD_LIMIT)[1].strip() or "was not loaded")
        memory = (resident(leader) - before) / row.idle
        with Meter(leader) as meter:
            told, wrong = process.communicate("go\n", timeout=seconds + LOAD_LIMIT)
        if process.returncode != 0:
            raise Failed(wrong.strip() or "the load failed")
    except subprocess.TimeoutExpired:
        raise Failed("the load did not end") from None
    finally:
        process.kill()
        process.wait()
    return meter.sample(checked(json.loads(told), row), memory)


class Meter:
    """Reads the clocks at both ends of a block."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def read(self) -> tuple[float, float, float, float]:
        return cpu_seconds(self.leader), waited(), cores_busy(), time.monotonic()

    def __enter__(self) -> "Meter":
        self.before = self.read()
        return self

    def __exit__(self, *_: object) -> None:
        self.after = self.read()

    def sample(self, summary: dict[str, float], memory: float = 0.0) -> Sample:
        server, client, cores, elapsed = (
            after - before for after, before in zip(self.after, self.before, strict=True)
        )
        return Sample(
            rate=summary["requests"] / summary["seconds"],
            cpu_us=server / summary["requests"] * 1e6,
            busy=server / elapsed,
            foreign=max(0.0, (cores - server - client) / elapsed / 2),
            p99_us=summary["p99_us"],
            memory=memory,
        )


def cpu_seconds(leader: int) -> float:
    """User and system time of a session's threads. Those that end meanwhile are not in it."""
    total = 0
    for path in session(leader):
        for thread in path.glob("task/*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(thread.read_text().split()[0])
    return total / 1e9


def resident(leader: int) -> int:
    """Bytes of memory that a session's processes have written to."""
    total = 0
    for path in session(leader):
        with contextlib.suppress(OSError):
            for line in (path / "status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    total += int(line.split()[1]) * 1024
    return total
