"""One server, one load, one figure: checking, loading, counting.

The CPU time of a server is the user and system time of all its processes, from /proc, before and
after the load.
"""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.common import processes
from benchmarks.common.errors import Failed
from benchmarks.common.processes import (
    CLIENT_CORE,
    TICK,
    cores_busy,
    free_port,
    pinned,
    quietest,
    session,
    waited,
)
from benchmarks.hello.contestants import HERE, Contestant

BODY = b"Hello, world!"


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


@contextlib.contextmanager
def serving(contestant: Contestant) -> Iterator[tuple[int, int]]:
    """Runs a contestant; gives its session and its port. Ends it whatever happens."""
    port = free_port()
    command, folder = contestant.command(port), HERE / "servers"
    with processes.serving(command, port, folder, contestant.environment) as leader:
        yield leader, port


def cpu_seconds(leader: int) -> float:
    """User and system time of a session, with that of the children it has waited for."""
    return sum(sum(map(int, fields[11:15])) for fields in session(leader).values()) / TICK


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
        *(*pinned(CLIENT_CORE), "wrk", "--threads", "1", "--timeout", "10s"),
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
    return quietest(lambda: sample(leader, port, mode, seconds), patience, pause=1)


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
