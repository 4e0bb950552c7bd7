"""python -m benchmarks.loop: run from the repository's root; benchmarks/README.md explains."""

import argparse
import sys

from benchmarks.common import options as common
from benchmarks.common.errors import CannotRun, Failed
from benchmarks.common.options import say
from benchmarks.common.processes import lacking, quietest
from benchmarks.common.results import unexplained
from benchmarks.loop import counts, loops, measure
from benchmarks.loop.loops import CONTENDERS, GUAVA, UVLOOP, Contender
from benchmarks.loop.report import markdown, save
from benchmarks.loop.results import Results, below
from benchmarks.loop.rows import QUICK, ROWS, Row


def arguments() -> argparse.Namespace:
    keys = [contender.key for contender in CONTENDERS]
    parser = common.parser(
        "loop",
        __doc__,
        quick="one round of 20 rows: a try",
        seconds=0.6,
        patience=1,
        what="measurement",
    )
    common.add_rows(parser, "message")
    parser.add_argument(
        "--window",
        type=float,
        default=0.1,
        help="of which parts of it the best is taken, in seconds (default 0.1); on a machine that "
        "is never quiet, shorter ones find quiet moments",
    )
    parser.add_argument(
        "--python-only",
        action="store_true",
        help="the rows inside one process: they need no C compiler",
    )
    parser.add_argument("--loops", metavar="NAMES", help=f"some of {', '.join(keys)}")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.patience = 1, 0.3, 0
    wanted = options.loops.split(",") if options.loops else keys
    if set(wanted) - set(keys) or options.rounds < 1 or min(options.seconds, options.window) <= 0:
        parser.error(f"--loops takes some of {', '.join(keys)}; the others at least 1")
    options.contenders = [one for one in CONTENDERS if one.key in wanted]
    options.chosen = [row for row in ROWS if chosen(row, options)]
    if not options.chosen:
        parser.error("no such rows; --list lists them")
    return options


def chosen(row: Row, options: argparse.Namespace) -> bool:
    if options.python_only and not row.function:
        return False
    if options.rows:
        return common.chosen(row.key, options.rows)
    return not options.quick or row.key in QUICK


def prepare(options: argparse.Namespace, results: Results) -> list[Contender]:
    """Builds what is to be built; the loops that can run."""
    able = []
    for contender in options.contenders:
        try:
            results.versions[contender.key] = loops.version(contender)
            able.append(contender)
        except CannotRun as error:
            say(str(error))
            for row in results.rows:
                results.fail(contender, row, str(error))
    if all(row.function for row in results.rows):
        return able
    why = measure.build()
    for row in results.rows:
        if row.tls and why is not None:
            for contender in able:
                results.fail(contender, row, f"no TLS: {why}")
    return able


def run(contender: Contender, row: Row, results: Results, options: argparse.Namespace) -> None:
    """One loop's turn in a round of a row."""
    if results.failed(contender, row):
        return
    try:
        if not offers(contender, row):
            raise Failed(f"has no {row.needs}()")
        sample = quietest(
            lambda: measure.sample(contender, row, options.seconds, options.window),
            options.patience,
            pause=0.3,
        )
    except Failed as error:
        results.fail(contender, row, str(error))
        say(f"{row.key:26} {contender.key:11} failed: {error}")
    else:
        results.add(contender, row, sample)
        say(
            f"{row.key:26} {contender.key:11} {sample.rate:12,.0f} {row.unit:14}"
            f" {sample.cpu_us:8.2f} µs  others {sample.foreign:4.0%}"
        )


def offers(contender: Contender, row: Row) -> bool:
    # uvloop has the name, and raises NotImplementedError.
    return not (contender is UVLOOP and row.needs == "sendfile")


def owed(results: Results) -> list[str]:
    """The rows below the goal of which nobody has said why."""
    return unexplained(results.as_dict()["rows"], below)


def main() -> int:
    options = arguments()
    if options.list:
        print("\n".join(row.key for row in options.chosen))
        return 0
    missing = lacking("taskset")
    if missing:
        say(missing)
        return 2
    results = Results(options.chosen, options.rounds, options.seconds)
    able = prepare(options, results)
    if options.counts:
        print(counts.report(able, results), end="")
        return 0
    if options.profile:
        for row in options.chosen:
            for contender in able:
                print(counts.profile(contender, row))
        return 0
    for number in range(options.rounds):
        say(f"-- round {number + 1} of {options.rounds}")
        for row in options.chosen:
            # Who begins changes, so that no loop always has the same one before it.
            turn = number % len(able)
            for contender in able[turn:] + able[:turn]:
                run(contender, row, results, options)
    found = results.as_dict()
    print(markdown(found), end="")
    if options.save:
        save(found, options.save)
    owing = owed(results)
    if owing:
        say(f"below the goal, and no reason in reasons.toml: {', '.join(owing)}")
    broken = any(results.failed(GUAVA, row) for row in options.chosen)
    return 1 if owing or broken else 0


if __name__ == "__main__":
    sys.exit(main())
