"""python -m benchmarks.router: run from the repository's root; benchmarks/README.md explains."""

import argparse
import contextlib
import json
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.common import options as common
from benchmarks.common.errors import CannotRun, Failed
from benchmarks.common.options import say
from benchmarks.common.processes import lacking
from benchmarks.common.results import unexplained
from benchmarks.router import counts
from benchmarks.router.contestants import CONTESTANTS, OURS, Contestant
from benchmarks.router.measure import Router, running
from benchmarks.router.report import markdown, save
from benchmarks.router.results import Results, below, steep
from benchmarks.router.tables import SIZES, Table, table

QUICK = ("10", "1000", "github")


def arguments() -> argparse.Namespace:
    keys = [contestant.key for contestant in CONTESTANTS]
    tables = [*map(str, SIZES), "github"]
    parser = common.parser(
        "router",
        __doc__,
        quick="one round of three tables: a try",
        seconds=0.2,
        what="measurement",
    )
    parser.add_argument(
        "--bound",
        type=float,
        default=60,
        help="seconds after which a table that is not built is struck out (default 60)",
    )
    parser.add_argument(
        "--tables", metavar="NAMES", help=f"some of them, comma-separated: {', '.join(tables)}"
    )
    parser.add_argument(
        "--only", metavar="NAMES", help=f"some of them, comma-separated: {', '.join(keys)}"
    )
    parser.add_argument(
        "--counts",
        action="store_true",
        help="instructions a match of the routers for Python, by callgrind, instead of time",
    )
    parser.add_argument(
        "--profile", action="store_true", help="where the instructions of a match go"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.05
    wanted = options.only.split(",") if options.only else keys
    names = options.tables.split(",") if options.tables else QUICK if options.quick else tables
    if set(wanted) - set(keys) or set(names) - set(tables):
        parser.error(f"--only takes some of {', '.join(keys)}; --tables of {', '.join(tables)}")
    if options.rounds < 1 or min(options.seconds, options.bound) <= 0:
        parser.error("at least one round, and more than no time, please")
    options.contestants = [one for one in CONTESTANTS if one.key in wanted]
    options.chosen = [name for name in tables if name in names]
    return options


def prepare(results: Results) -> list[Contestant]:
    """Builds what is to be built; those that can run."""
    able = []
    for contestant in results.contestants:
        try:
            results.versions[contestant.key] = contestant.version()
            contestant.build()
            able.append(contestant)
        except CannotRun as error:
            say(f"{contestant.key}: {error}")
            for one in results.tables:
                strike_out(results, contestant, one, str(error))
    return able


def strike_out(results: Results, contestant: Contestant, table: Table, reason: str) -> None:
    for kind in ("", *table.requests):
        results.fail(contestant, table, kind, reason)
    say(f"{table.key:>7} {contestant.key:12} {reason}")


def start(
    contestant: Contestant, table: Table, file: Path, results: Results, bound: float
) -> tuple[contextlib.ExitStack, Router] | None:
    """A router that has built a table, and answers rightly; None if it does not."""
    stack = contextlib.ExitStack()
    try:
        router = stack.enter_context(running(contestant, file))
        built = results.built[contestant.key, table.key] = router.build(bound)
        router.check()
    except Failed as error:
        stack.close()
        strike_out(results, contestant, table, str(error))
        return None
    for kind, reason in router.without.items():
        results.fail(contestant, table, kind, reason)
    say(
        f"{table.key:>7} {contestant.key:12} built in {built.seconds * 1000:,.1f} ms,"
        f" {built.memory / len(table.routes):,.0f} bytes a route"
    )
    return stack, router


def run(
    table: Table, able: list[Contestant], results: Results, options: argparse.Namespace
) -> None:
    """All rounds of a table. All its routers are there meanwhile, and take turns."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        file = Path(folder, "table.json")
        file.write_text(json.dumps({"routes": table.routes, "requests": table.requests}))
        routers: dict[str, Router] = {}
        for contestant in able:
            started = start(contestant, table, file, results, options.bound)
            if started is not None:
                stack.enter_context(started[0])
                routers[contestant.key] = started[1]
        for number in range(options.rounds):
            for kind in table.requests:
                # Who begins changes, so that nobody always has the same one before it.
                turn = number % max(1, len(able))
                for contestant in able[turn:] + able[:turn]:
                    if contestant.key in routers:
                        measure(contestant, routers, table, kind, results, options.seconds)


def measure(
    contestant: Contestant,
    routers: dict[str, Router],
    table: Table,
    kind: str,
    results: Results,
    seconds: float,
) -> None:
    if results.failed(contestant, table, kind):
        return
    try:
        ns = routers[contestant.key].measure(kind, seconds)
    except Failed as error:
        del routers[contestant.key]
        strike_out(results, contestant, table, str(error))
    else:
        results.samples.setdefault((contestant.key, table.key, kind), []).append(ns)
        say(f"{table.key:>7} {contestant.key:12} {kind:7} {ns:14,.1f} ns")


def main() -> int:
    options = arguments()
    missing = lacking("taskset")
    if missing:
        say(missing)
        return 2
    # Whoever ends the run ends its routers, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    results = Results(options.contestants, options.rounds, options.seconds)
    results.tables = [table(key) for key in options.chosen]
    able = prepare(results)
    if options.counts:
        print(counts.report(able, results.tables), end="")
        return 0
    if options.profile:
        for one in results.tables:
            for contestant in able:
                if contestant.python:
                    print(counts.profile(contestant, one), end="\n\n")
        return 0
    for one in results.tables:
        run(one, able, results, options)
    found = results.as_dict()
    print(markdown(found), end="")
    if options.save:
        save(found, options.save)
    owing = unexplained(found["rows"], below) + unexplained(found["flat"], steep)
    if owing:
        say(f"a goal missed, and no reason in reasons.toml: {', '.join(owing)}")
    broken = any(key == OURS for key, _, _ in results.failures)
    return 1 if owing or broken else 0


if __name__ == "__main__":
    sys.exit(main())
