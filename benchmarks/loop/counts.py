"""What a message costs, counted: system calls with strace, instructions with callgrind.

Time lies on a busy machine; counts do not. Rows inside one process make a few operations and then
many, and call getppid(2) before, between and after; servers are loaded with a few messages and
then many by one connection, and are told to call it through their mark. The difference over the
difference in number is what one costs; start-up, connections and the tool fall out.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common.counts import CALLGRIND, STRACE, functions, listed, tools, total
from benchmarks.common.errors import Failed
from benchmarks.loop import measure
from benchmarks.loop.loops import CONTENDERS, Contender
from benchmarks.loop.measure import ROOT
from benchmarks.loop.results import Results
from benchmarks.loop.rows import Row

FEW, MANY = 200, 1200
TOOL_LIMIT = 300.0  # seconds
MARKED = (*CALLGRIND, "--dump-before=getppid")


def drive(contender: Contender, row: Row, tool: list[str]) -> None:
    """Marks, few, marks, many, marks."""
    environment = {"PYTHONHASHSEED": "0"}
    if row.function:
        command = [*tool, *measure.python("inside"), contender.key, row.function]
        done = subprocess.run(
            [*command, "--count", str(FEW), str(MANY)],
            cwd=ROOT,
            capture_output=True,
            env=os.environ | environment,
            timeout=TOOL_LIMIT,
        )
        if done.returncode != 0:
            raise Failed(measure.last_line(0, done.stderr))
        return
    with measure.serving(contender, row, "env", "PYTHONHASHSEED=0", *tool, quiet=True) as about:
        with socket.create_connection(("127.0.0.1", about["mark"]), TOOL_LIMIT) as mark:
            for number in FEW, FEW, MANY:  # the first one warms up, and is before the first mark
                load = [*row.load, "--calm", "--patience", str(TOOL_LIMIT)]
                measure.loaded(about, *load, "--count", str(number), limit=TOOL_LIMIT)
                mark.sendall(b"m")
                mark.recv(1)


def system_calls(contender: Contender, row: Row) -> Counter[str]:
    """By name, for each message, times MANY - FEW."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        drive(contender, row, [*STRACE, "-o", str(log)])
        parts: list[Counter[str]] = [Counter()]
        for line in log.read_text(errors="replace").splitlines():
            found = re.match(r"(?:\d+ +)?(?:<\.\.\. )?(\w+)(\(| resumed)", line)
            if found is None or found[2] == " resumed":
                continue
            if found[1] == "getppid":
                parts.append(Counter())
            else:
                parts[-1][found[1]] += 1
    few, many = parts[1], parts[2]
    return Counter({name: many[name] - few[name] for name in many if many[name] > few[name]})


def instructions(contender: Contender, row: Row) -> float:
    """For each message."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        drive(contender, row, [*MARKED, f"--callgrind-out-file={out}"])
        few, many = (total(Path(f"{out}.{number}").read_text()) for number in (2, 3))
    return (many - few) / (MANY - FEW)


def profile(contender: Contender, row: Row, most: int = 45) -> str:
    """Where the instructions of a message go: each function alone."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        drive(contender, row, [*MARKED, f"--callgrind-out-file={out}"])
        alone = functions(Path(f"{out}.3").read_text())
    text = f"{row.key}, {contender.key}: {sum(alone.values()) / MANY:.0f} instructions\n"
    return text + "".join(f"{n / MANY:10.1f}  {name}\n" for name, n in alone.most_common(most))


def countable(row: Row) -> bool:
    """One at a time: many connections share their turns as it happens."""
    return not row.memory and not row.idle and "32" not in row.load and "--resume" not in row.load


def report(able: list[Contender], results: Results) -> str:
    """Both counts of all rows that can be counted, as Markdown."""
    able_to = tools()
    lines = [
        "| row | loop | instructions | system calls | which |",
        "|---|---|---:|---:|---|",
    ]
    for row in filter(countable, results.rows):
        for contender in (one for one in CONTENDERS if one in able):
            if results.failed(contender, row):
                continue
            lines.append(f"| {row.key} | {contender.key} | {counted(contender, row, able_to)} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def counted(contender: Contender, row: Row, able_to: list[str]) -> str:
    parts: dict[str, Any] = {}
    try:
        if "valgrind" in able_to:
            parts["instructions"] = f"{instructions(contender, row):,.0f}"
        if "strace" in able_to:
            calls = system_calls(contender, row)
            per = {name: n / (MANY - FEW) for name, n in calls.most_common()}
            parts["calls"] = f"{sum(per.values()):.2f}"
            parts["which"] = listed(per, least=0.004)
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        parts["which"] = f"failed: {error}"
    return " | ".join(str(parts.get(name, "-")) for name in ("instructions", "calls", "which"))
