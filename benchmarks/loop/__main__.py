"""python -m benchmarks.loop: run from the repository's root; benchmarks/README.md explains."""

import argparse
import fnmatch
import os
import shutil
import sys
import time
from pathlib import Path

from benchmarks.loop import counts, loops, measure
from benchmarks.loop.loops import CONTENDERS, GUAVA, UVLOOP, CannotRun, Contender
from benchmarks.loop.measure import DISTURBED, Failed, Sample
from benchmarks.loop.report import markdown, save
from benchmarks.loop.results import Results, below
from benchmarks.loop.rows import QUICK, ROWS, Row


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    keys = [contender.key for contender in CONTENDERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds through all (default 3)")
    parser.add_argument(
        "--seconds", type=float, default=0.6, help="length of one measurement (default 0.6)"
    )
    parser.add_argument(
        "--window",
        type=float,
        default=0.1,
        help="of which parts of it the best is taken, in seconds (default 0.1); on a machine that "
        "is never quiet, shorter ones find quiet moments",
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=1,
        help="how often a measurement that others disturb is repeated (default 1)",
    )
    parser.add_argument("--quick", action="store_true", help="one round of 20 rows: a try")
    parser.add_argument(
        "--rows", metavar="NAMES", help="some of them, comma-separated, with * and ?"
    )
    parser.add_argument(
        "--python-only",
        action="store_true",
        help="the rows inside one process: they need no C compiler",
    )
    parser.add_argument("--loops", metavar="NAMES", help=f"some of {', '.join(keys)}")
    parser.add_argument(
        "--counts",
        action="store_true",
        help="system calls and instructions a message, by strace and callgrind, instead of time",
    )
    parser.add_argument(
        "--profile", action="store_true", help="where the instructions of a message go"
    )
    parser.add_argument("--list", action="store_true", help="the names of the rows")
    parser.add_argument(
        "--save", metavar="FOLDER", type=Path, help="write loop.json, loop.md and loop.svg"
    )
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
        return any(fnmatch.fnmatch(row.key, one) for one in options.rows.split(","))
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


def patient(contender: Contender, row: Row, options: argparse.Namespace) -> Sample:
    """A sample; further ones while others disturb it, and then the quietest."""
    best = measure.sample(contender, row, options.seconds, options.window)
    for _ in range(options.patience):
        if best.foreign <= DISTURBED:
            break
        time.sleep(0.3)
        other = measure.sample(contender, row, options.seconds, options.window)
        best = min(best, other, key=lambda one: one.foreign)
    return best


def run(contender: Contender, row: Row, results: Results, options: argparse.Namespace) -> None:
    """One loop's turn in a round of a row."""
    if results.failed(contender, row):
        return
    try:
        if not offers(contender, row):
            raise Failed(f"has no {row.needs}()")
        sample = patient(contender, row, options)
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
    return [row["key"] for row in results.as_dict()["rows"] if below(row) and "reason" not in row]


def main() -> int:
    options = arguments()
    if options.list:
        print("\n".join(row.key for row in options.chosen))
        return 0
    missing = [name for name in ("taskset",) if not shutil.which(name)]
    if missing or not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        say(f"needs Linux, two cores, and {', '.join(missing) or 'taskset'}")
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
    unexplained = owed(results)
    if unexplained:
        say(f"below the goal, and no reason in reasons.toml: {', '.join(unexplained)}")
    broken = any(results.failed(GUAVA, row) for row in options.chosen)
    return 1 if unexplained or broken else 0


if __name__ == "__main__":
    sys.exit(main())
