"""python -m benchmarks.session: run from the repository's root; benchmarks/README.md explains."""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.common import options as common
from benchmarks.common import results
from benchmarks.common.errors import CannotRun
from benchmarks.common.options import say
from benchmarks.session import memory, requests, stores
from benchmarks.session.report import markdown, picture
from benchmarks.session.servers import redis

HERE = Path(__file__).parent
Repeat = Callable[[int], None]
LIMITS = {*stores.KEYS.values(), *memory.KEYS.values(), "a dict"}
"""Who is no peer: our own, and what has no expiry, no limits and no changes of its own."""
WITHIN = 2.0
"""How many times what a dict with copies takes our memory store may take."""


def arguments() -> argparse.Namespace:
    parser = common.parser(
        "session", __doc__, quick="one round: a try", seconds=0.2, what="measurement"
    )
    parser.add_argument(
        "--only", metavar="NAMES", help="some rows, comma-separated, with * and ?: flask-*"
    )
    parser.add_argument(
        "--sessions",
        type=int,
        default=1_000_000,
        help="how many sessions' memory is measured (default 1000000)",
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.02
        options.sessions = min(options.sessions, 10_000)
    if options.rounds < 1 or options.seconds <= 0 or options.sessions < 1:
        parser.error("at least one round and one session, and more than no time, please")
    options.wanted = options.only.split(",") if options.only else ["*"]
    return options


def measured(repeat: Repeat, seconds: float) -> float:
    """Nanoseconds of one, over about so long."""
    times = 1
    while True:
        began = time.perf_counter_ns()
        repeat(times)
        spent = time.perf_counter_ns() - began
        if spent >= seconds * 5e8:
            return spent / times
        times = max(times * 2, int(times * seconds * 7e8 / max(spent, 1)))


class Run:
    """The rows, and how they come about."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rows: list[dict[str, Any]] = []

    def wants(self, key: str) -> bool:
        return any(fnmatch(key, pattern) for pattern in self.options.wanted)

    def row(
        self, key: str, title: str, ours: str, repeats: dict[str, Repeat], failed: dict[str, str]
    ) -> None:
        """Measures all in turns; who begins changes from round to round."""
        samples: dict[str, list[float]] = {name: [] for name in repeats}
        names = list(repeats)
        for number in range(self.options.rounds):
            turn = number % len(names) if names else 0
            for name in names[turn:] + names[:turn]:
                samples[name].append(measured(repeats[name], self.options.seconds))
        best = {name: min(found) for name, found in samples.items()}
        self.add(key, title, ours, "ns", best, failed)

    def add(
        self,
        key: str,
        title: str,
        ours: str,
        unit: str,
        best: dict[str, float],
        failed: dict[str, str],
    ) -> None:
        row: dict[str, Any] = {"key": key, "title": title, "ours": ours, "unit": unit}
        found: dict[str, Any] = {name: {"failed": why} for name, why in failed.items()}
        for name, value in best.items():
            found[name] = {"best": value, "limit": name in LIMITS}
            if ours in best:
                found[name]["times"] = value / best[ours]
            say(f"{key:18} {name:44} {value:14,.1f} {unit}")
        row["contestants"] = found
        self.rows.append(row)

    def stores(self, stack: contextlib.ExitStack, folder: Path) -> None:
        operations, failed = {}, {}
        wanted = [name for name in ("get", "set", "touch") if self.wants(name)]
        for key, title in stores.KEYS.items() if wanted else ():
            try:
                operations[title] = stores.operations(stores.make(key, stack, folder))
            except CannotRun as error:
                failed[title] = str(error)
        for name in wanted:
            repeats = {title: found[name] for title, found in operations.items()}
            self.row(name, f"{name} of a store", stores.KEYS["memory"], repeats, failed)

    def requests(self, folder: Path, port: int | None) -> None:
        loop = asyncio.new_event_loop()
        try:
            for group, makers in requests.groups(folder, port, loop).items():
                keys = [f"{group}-{what}" for what in ("read", "write")]
                if not any(map(self.wants, keys)):
                    continue
                drivers: dict[str, requests.Driver] = {}
                failed: dict[str, str] = {}
                for name, make in makers.items():
                    try:
                        drivers[name] = make()
                    except ImportError as error:
                        failed[name] = str(error)
                        continue
                    drivers[name]("/fill", 1)
                for what, key in zip(("/read", "/write"), keys, strict=True):
                    if self.wants(key):
                        repeats = {
                            name: lambda times, drive=drive, what=what: drive(what, times)
                            for name, drive in drivers.items()
                        }
                        title = f"{group}: a request that {what[1:]}s"
                        self.row(key, title, "guava", repeats, failed)
        finally:
            loop.close()

    def memory(self) -> None:
        if not self.wants("memory"):
            return
        found: dict[str, Any] = {}
        for key, title in memory.KEYS.items():
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.session.memory",
                    key,
                    str(self.options.sessions),
                ],
                check=True,
                capture_output=True,
                text=True,
                timeout=600,
            )
            found[title] = json.loads(done.stdout)
        title = f"memory of a session, with {self.options.sessions:,}"
        ours = memory.KEYS["memory"]
        self.add("memory", title, ours, "bytes", {k: v["bytes"] for k, v in found.items()}, {})
        pauses = {name: one["pause_ms"] * 1e6 for name, one in found.items()}
        self.add("collection", f"a full collection then ({title})", ours, "ns", pauses, {})


def behind(row: dict[str, Any]) -> bool:
    """Whether a peer is ahead, or the memory store is not near a dict; to one place."""
    if row["key"] in ("get", "set"):
        limit = row["contestants"].get(stores.KEYS["dict-copied"], {})
        return "times" in limit and round(limit["times"], 1) < 1 / WITHIN
    peers = [one for one in row["contestants"].values() if "times" in one and not one["limit"]]
    return any(round(one["times"], 1) < 1 for one in peers)


def main() -> int:
    options = arguments()
    run = Run(options)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = None
        try:
            port = redis(stack, folder)
        except CannotRun as error:
            say(f"without Redis: {error}")
        run.stores(stack, folder)
        run.requests(folder, port)
    run.memory()
    results.explain(run.rows, behind, results.reasons(HERE))
    found = {
        "machine": results.machine("all of them, one busy"),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "rows": run.rows,
        "notes": [
            "All keep the same session of nine values (benchmarks/session/record.py).",
            "A request that reads looks at one value; one that writes changes one.",
            "A dict has no expiry, no limit, and no atomic changes.",
        ],
    }
    print(markdown(found), end="")
    if options.save:
        results.save("session", found, options.save, markdown(found), picture(found))
    owing = results.unexplained(run.rows, behind)
    if owing:
        say(f"a goal missed, and no reason in reasons.toml: {', '.join(owing)}")
    return 1 if owing else 0


if __name__ == "__main__":
    sys.exit(main())
