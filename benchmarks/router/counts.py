"""What a match costs, counted: instructions, with callgrind.

Time lies on a busy machine; counts do not. Each router for Python is asked for a few requests and
for many, and calls getppid(2) before, between and after, where callgrind cuts its counts. The loop
that asks is in what is counted.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common.counts import CALLGRIND, functions, tools, total
from benchmarks.common.errors import CannotRun, Failed
from benchmarks.router.contestants import Contestant
from benchmarks.router.measure import Router, running
from benchmarks.router.tables import Table

FEW, MANY = 256, 2048
TOOL_LIMIT = 6000.0  # seconds for anything under callgrind


@contextmanager
def counted(contestant: Contestant, file: Path, folder: Path) -> Iterator[Router]:
    """A router under callgrind, which has built its table. The dumps lie in the folder."""
    tool = [*CALLGRIND, "--dump-before=getppid", f"--callgrind-out-file={folder / 'out'}"]
    with running(contestant, file, *tool, limit=TOOL_LIMIT) as router:
        router.ask("build", TOOL_LIMIT)
        router.check(TOOL_LIMIT)
        yield router


def dumps(contestant: Contestant, file: Path, kinds: list[str]) -> Iterator[tuple[str, str, str]]:
    """For each kind, what callgrind has written of few requests and of many."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with counted(contestant, file, folder) as router:
            for kind in kinds:
                router.ask(f"count {kind} {FEW} {MANY}", TOOL_LIMIT)
            for number, kind in enumerate(kinds):
                few, many = (folder / f"out.{3 * number + part}" for part in (2, 3))
                yield kind, few.read_text(errors="replace"), many.read_text(errors="replace")


@contextmanager
def written(table: Table) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "table.json")
        file.write_text(json.dumps({"routes": table.routes, "requests": table.requests}))
        yield file


def report(able: list[Contestant], tables: list[Table]) -> str:
    """Instructions a match of all that can be counted, as Markdown."""
    if "valgrind" not in tools():
        raise CannotRun("valgrind is not installed")
    # Else the hashes of strings, and with them the counts, are others each time.
    os.environ["PYTHONHASHSEED"] = "0"
    lines = []
    for table in tables:
        kinds = list(table.requests)
        lines += ["", f"| {table.key} | {' | '.join(kinds)} |", f"|---|{'---:|' * len(kinds)}"]
        with written(table) as file:
            for contestant in filter(lambda one: one.python, able):
                try:
                    found = [
                        f"{(total(many) - total(few)) / (MANY - FEW):,.0f}"
                        for _, few, many in dumps(contestant, file, kinds)
                    ]
                except Failed as error:
                    found = [str(error)]
                lines.append(f"| {contestant.title} | {' | '.join(found)} |")
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def profile(contestant: Contestant, table: Table, most: int = 30) -> str:
    """Where the instructions of a match go: each function alone."""
    os.environ["PYTHONHASHSEED"] = "0"
    lines = []
    with written(table) as file:
        for kind, few, many in dumps(contestant, file, list(table.requests)):
            alone = functions(many)
            alone.subtract(functions(few))
            of_all = sum(alone.values()) / (MANY - FEW)
            lines.append(f"{of_all:10.1f}  {contestant.key}, {kind}, {table.key}: in all")
            lines += [f"{n / (MANY - FEW):10.1f}  {name}" for name, n in alone.most_common(most)]
    return "\n".join(lines)
