"""What a request costs, counted: instructions with callgrind, system calls with strace.

Time lies on a busy machine; counts do not. A server is run twice under the tool, for few requests
and for many, one after the other on one connection. The difference over the difference in number
is what one costs; start-up, the connection and the tool fall out. Programs that compile while they
run (Node), and Go's, are not for callgrind.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common.counts import CALLGRIND, STRACE, functions, listed, tools, total
from benchmarks.common.errors import Failed
from benchmarks.common.processes import free_port, stop
from benchmarks.http.contestants import FILES, SERVERS, Contestant, takes_part
from benchmarks.http.measure import ROOT
from benchmarks.http.results import Results
from benchmarks.http.rows import MIB, Row

FEW, MANY = 64, 1088
"""Requests; of large ones an eighth."""
TOOL_LIMIT = 120.0  # seconds for a server to listen, and for any one answer
NOT_FOR_CALLGRIND = {"go", "node", "granian", "robyn", "socketify"}

# Else the C library picks its memcpy by the processor, and the counts with it.
TUNABLES = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX2_Usable,-AVX512F,-AVX512VL,-ERMS,-FSRM"


def numbers(row: Row) -> tuple[int, int]:
    large = len(row.request()) > 32 * 1024 or len(row.answer) >= MIB
    few, many = (FEW // 8, MANY // 8) if large else (FEW, MANY)
    return max(few, row.depth), many


@contextlib.contextmanager
def running(contestant: Contestant, row: Row, tool: list[str]) -> Iterator[socket.socket]:
    """Runs a server under a tool; gives a connection. The tool has written all when it returns."""
    port = free_port()
    own = {
        **{"BENCHMARK_APP": row.app, "BENCHMARK_FILES": str(FILES), "PYTHONPATH": str(ROOT)},
        **{"PYTHONHASHSEED": "0", "GLIBC_TUNABLES": TUNABLES},
    }
    process = subprocess.Popen(
        [*tool, *contestant.command(port, row)],
        env=os.environ | own | contestant.environment,
        cwd=SERVERS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with connected(process, port) as connection:
            yield connection
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TOOL_LIMIT)
    finally:
        stop(process)


def connected(process: "subprocess.Popen[bytes]", port: int) -> socket.socket:
    end = time.monotonic() + TOOL_LIMIT
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=TOOL_LIMIT)
        time.sleep(0.1)
    raise Failed("did not listen")


def drive(connection: socket.socket, row: Row, requests: int) -> None:
    """Asks so often, and reads as many bytes as the first answer has each time."""
    batch = row.request() * row.depth
    length = 0
    for _ in range(requests // row.depth):
        connection.sendall(batch)
        received = 0
        if not length:
            length = first(connection, row)
            received = length if row.depth == 1 else length * row.depth
        while received < length * row.depth:
            part = len(connection.recv(MIB))
            if not part:
                raise Failed("closed the connection")
            received += part


def first(connection: socket.socket, row: Row) -> int:
    """Reads a whole batch; the length of one answer."""
    data = b""
    last = row.answer[-16:] or b"\r\n\r\n"
    while True:
        part = connection.recv(MIB)
        if not part:
            raise Failed("closed the connection")
        data += part
        body = data.partition(b"\r\n\r\n")[2]
        chunked = b"chunked" in data.partition(b"\r\n\r\n")[0].lower()
        if chunked and not body.endswith(b"0\r\n\r\n"):
            continue
        if data.count(row.answer[:64]) >= row.depth and (chunked or data.endswith(last)):
            if not data.startswith(b"HTTP/1.1 200"):
                raise Failed(f"answers {data[:20]!r}")
            if chunked or len(body) >= len(row.answer):
                return len(data) // row.depth


def callgrind(contestant: Contestant, row: Row, requests: int) -> list[str]:
    """The dumps of all the server's processes."""
    with tempfile.TemporaryDirectory() as folder:
        tool = [*CALLGRIND, f"--callgrind-out-file={folder}/out.%p"]
        with running(contestant, row, tool) as connection:
            drive(connection, row, requests)
        return [path.read_text(errors="replace") for path in Path(folder).iterdir()]


def instructions(contestant: Contestant, row: Row) -> float:
    """For each request."""
    few, many = numbers(row)
    found = []
    for requests in few, many:
        dumps = callgrind(contestant, row, requests)
        if not dumps:
            raise Failed("callgrind wrote nothing")
        found.append(sum(map(total, dumps)))
    return (found[1] - found[0]) / (many - few)


def system_calls(contestant: Contestant, row: Row) -> "Counter[str]":
    """By name, for all requests between few and many."""
    found = []
    for requests in numbers(row):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            with running(contestant, row, [*STRACE, "-o", str(log)]) as connection:
                drive(connection, row, requests)
            text = log.read_text(errors="replace")
        found.append(Counter(re.findall(r"^(?:\d+ +)?(\w+)\(", text, re.MULTILINE)))
    return Counter(
        {name: n - found[0][name] for name, n in found[1].items() if n > found[0][name]}
    )


def profile(contestant: Contestant, row: Row, most: int = 45) -> str:
    """Where the instructions of a request go: each function alone."""
    few, many = numbers(row)
    alone: Counter[str] = Counter()
    for requests, sign in ((many, 1), (few, -1)):
        for dump in callgrind(contestant, row, requests):
            for name, n in functions(dump).items():
                alone[name] += sign * n
    lines = [f"{sum(alone.values()) / (many - few):12.1f}  {row.key}, {contestant.key}: in all"]
    lines += [f"{n / (many - few):12.1f}  {name}" for name, n in alone.most_common(most)]
    return "\n".join(lines)


def report(able: list[Contestant], results: Results) -> str:
    """Both counts of all rows and contestants that can be counted, as Markdown."""
    able_to = tools()
    lines = ["| row | server | instructions | system calls | which |", "|---|---|---:|---:|---|"]
    for row in results.rows:
        for contestant in able:
            if row.idle or not takes_part(contestant, row) or results.failed(contestant, row):
                continue
            lines.append(f"| {row.key} | {contestant.key} | {counted(contestant, row, able_to)} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def counted(contestant: Contestant, row: Row, able_to: list[str]) -> str:
    few, many = numbers(row)
    found = {"instructions": "-", "calls": "-", "which": "-"}
    try:
        if "strace" in able_to:
            calls = system_calls(contestant, row)
            per = {name: n / (many - few) for name, n in calls.most_common()}
            found["calls"] = f"{sum(per.values()):.2f}"
            found["which"] = listed(per, least=0.02)
        if "valgrind" in able_to and contestant.key not in NOT_FOR_CALLGRIND:
            found["instructions"] = f"{instructions(contestant, row):,.0f}"
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        found["which"] = f"failed: {error}"
    return " | ".join(found.values())
