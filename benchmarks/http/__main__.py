"""python -m benchmarks.http: run from the repository's root; benchmarks/README.md explains."""

import argparse
import signal
import sys
import time
from itertools import groupby

from benchmarks.common import options as common
from benchmarks.common.errors import CannotRun, Failed
from benchmarks.common.options import say
from benchmarks.common.processes import lacking
from benchmarks.common.results import unexplained
from benchmarks.http import counts
from benchmarks.http.contestants import CONTESTANTS, Contestant, build_load, takes_part
from benchmarks.http.measure import check, load, measure, raise_limit, serving
from benchmarks.http.report import markdown, save
from benchmarks.http.results import Results, missed
from benchmarks.http.rows import OURS, ROWS, Row

IDLE_ROUNDS = 2
"""To open ten thousand connections takes longer than to measure them."""
QUICK = ("hello", "hello-pipelined", "json", "upload-64k", "static-100k")


def arguments() -> argparse.Namespace:
    keys = [contestant.key for contestant in CONTESTANTS]
    parser = common.parser(
        "http",
        __doc__,
        quick="one round of five rows: a try",
        seconds=1,
        patience=1,
        what="load",
    )
    common.add_rows(parser, "request")
    parser.add_argument(
        "--minutes",
        type=float,
        default=14,
        help="after which what is left of the later rounds is left out (default 14)",
    )
    parser.add_argument(
        "--only", metavar="NAMES", help=f"some of them, comma-separated: {', '.join(keys)}"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.patience = 1, 0
    wanted = options.only.split(",") if options.only else keys
    if set(wanted) - set(keys) or options.rounds < 1 or options.seconds < 1:
        parser.error(f"--only takes some of {', '.join(keys)}; the others at least 1")
    options.contestants = [one for one in CONTESTANTS if one.key in wanted]
    options.chosen = [row for row in ROWS if chosen(row, options)]
    if not options.chosen:
        parser.error("no such rows; --list lists them")
    return options


def chosen(row: Row, options: argparse.Namespace) -> bool:
    if options.rows:
        return common.chosen(row.key, options.rows)
    return not options.quick or row.key in QUICK


def prepare(results: Results) -> list[Contestant]:
    """Builds what is to be built; those that can run."""
    able = []
    build_load()
    for contestant in results.contestants:
        try:
            results.versions[contestant.key] = contestant.version()
            contestant.build()
            able.append(contestant)
        except CannotRun as error:
            say(f"{contestant.key}: {error}")
            for row in results.rows:
                results.fail(contestant, row, str(error))
    for contestant in able:
        for row in results.rows:
            if row.app in contestant.without:
                results.fail(contestant, row, contestant.without[row.app])
    return able


def servings(contestant: Contestant, rows: list[Row]) -> list[list[Row]]:
    """Rows that one process serves: neighbours of the same app. The limit serves a fixed answer,
    and the memory of connections is that of a fresh process."""
    return [
        list(some)
        for _, some in groupby(
            rows, key=lambda row: (row.app, row.idle, row.key if contestant.key == "limit" else "")
        )
    ]


def run(
    contestant: Contestant, rows: list[Row], results: Results, options: argparse.Namespace
) -> None:
    """One contestant's turn in a round: the rows of one app."""
    rows = [row for row in rows if not results.failed(contestant, row)]
    if not rows:
        return
    try:
        with serving(contestant, rows[0]) as (leader, port):
            if contestant.warm:
                load(port, rows[0], 1)
            for row in rows:
                try:
                    if not results.samples.get((contestant.key, row.key)):
                        check(port, row)
                    sample = measure(leader, port, row, options.seconds, options.patience)
                except Failed as error:
                    results.fail(contestant, row, str(error))
                    say(f"{row.key:16} {contestant.key:12} failed: {error}")
                    continue
                results.add(contestant, row, sample)
                say(
                    f"{row.key:16} {contestant.key:12} {sample.rate:11,.0f}/s"
                    f" {sample.cpu_us:11.2f} µs  core {sample.busy:4.0%}"
                    f"  others {sample.foreign:4.0%}"
                    + (f"  {sample.memory:,.0f} bytes a connection" if row.idle else "")
                )
    except Failed as error:
        for row in rows:
            results.fail(contestant, row, str(error))
        say(f"{rows[0].key:16} {contestant.key:12} failed: {error}")


def turns(rows: list[Row]) -> list[list[Row]]:
    """Rows that belong together, whoever serves them: they are taken in turn, so that whom a row
    compares is measured within a short time."""
    return [list(some) for _, some in groupby(rows, key=lambda row: (row.app, row.idle))]


def main() -> int:
    options = arguments()
    if options.list:
        print("\n".join(row.key for row in options.chosen))
        return 0
    needed = ["taskset", "cc", "pkg-config"]
    if not all(row.idle for row in options.chosen) and not (options.counts or options.profile):
        needed.append("wrk")
    missing = lacking(*needed)
    if missing:
        say(missing)
        return 2
    # Whoever ends the run ends its servers, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    raise_limit()
    end = time.monotonic() + 60 * options.minutes
    results = Results(options.chosen, options.contestants, options.seconds)
    able = prepare(results)
    if options.counts:
        print(counts.report(able, results), end="")
        return 0
    if options.profile:
        for row in options.chosen:
            for contestant in able:
                if takes_part(contestant, row) and not row.idle:
                    print(counts.profile(contestant, row), end="\n\n")
        return 0
    for number in range(options.rounds):
        say(f"-- round {number + 1} of {options.rounds}")
        results.rounds = number + 1
        for rows in turns(options.chosen):
            if rows[0].idle and number >= IDLE_ROUNDS:
                continue
            # Who begins changes, so that nobody always has the same one before it.
            first = number % len(able) if able else 0
            for contestant in able[first:] + able[:first]:
                if number > 0 and (contestant.slow or time.monotonic() > end):
                    continue
                for some in servings(contestant, [r for r in rows if takes_part(contestant, r)]):
                    run(contestant, some, results, options)
    found = results.as_dict()
    print(markdown(found), end="")
    if options.save:
        save(found, options.save)
    owing = unexplained(found["rows"], missed)
    if owing:
        say(f"a goal missed or a peer ahead, and no reason given: {', '.join(owing)}")
    broken = [
        f"{one.key} {row.key}: {results.failures[one.key, row.key]}"
        for one in able
        for row in options.chosen
        if one.key in OURS and results.failed(one, row) and row.app not in one.without
    ]
    for line in broken:
        say(f"failed: {line}")
    return 1 if owing or broken else 0


if __name__ == "__main__":
    sys.exit(main())
