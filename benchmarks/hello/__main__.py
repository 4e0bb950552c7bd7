"""python -m benchmarks.hello: run from the repository's root; benchmarks/README.md explains."""

import argparse
import sys

from benchmarks.common import options as common
from benchmarks.common.errors import CannotRun, Failed
from benchmarks.common.options import say
from benchmarks.common.processes import lacking
from benchmarks.hello.contestants import CONTESTANTS, LIMIT, Contestant
from benchmarks.hello.measure import MODES, answer, measure, serving, wrk
from benchmarks.hello.report import Results, markdown, save


def arguments() -> argparse.Namespace:
    keys = [contestant.key for contestant in CONTESTANTS]
    parser = common.parser(
        "hello", __doc__, quick="one round of one second", seconds=3, patience=2, what="load"
    )
    parser.add_argument(
        "--only", metavar="NAMES", help=f"some of them, comma-separated: {', '.join(keys)}"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.patience = 1, 1, 0
    wanted = options.only.split(",") if options.only else keys
    unknown = set(wanted) - set(keys)
    if unknown or options.rounds < 1 or options.seconds < 1:
        parser.error(f"no contestant {', '.join(unknown)}" if unknown else "at least 1, please")
    options.contestants = [c for c in CONTESTANTS if c.key in {LIMIT, *wanted}]
    return options


def prepare(results: Results) -> list[Contestant]:
    """Builds what is to be built; those that can run."""
    able = []
    for contestant in results.contestants:
        try:
            results.versions[contestant.key] = contestant.version()
            contestant.build()
        except CannotRun as error:
            say(f"{contestant.key}: {error}")
            results.fail(contestant, str(error))
        else:
            able.append(contestant)
    return able


def run(
    contestant: Contestant, results: Results, expected: bytes | None, patience: int
) -> bytes | None:
    """One contestant's turn in a round, in every mode; its answer."""
    try:
        with serving(contestant) as (leader, port):
            given = answer(port)
            if contestant.same_answer and expected is not None and given != expected:
                raise Failed(f"answers {given!r}, and the limit {expected!r}")
            wrk(port, MODES[0], 1)  # to warm up
            for mode in MODES:
                if results.failed(contestant, mode):
                    continue
                try:
                    sample = measure(leader, port, mode, results.seconds, patience)
                except Failed as error:
                    results.fail(contestant, str(error), [mode])
                    say(f"{contestant.key:15} {mode.key:5} failed: {error}")
                    continue
                results.add(contestant, mode, sample)
                say(
                    f"{contestant.key:15} {mode.key:5} {sample.requests_per_second:11,.0f}/s"
                    f" {sample.cpu_us:8.2f} µs  core {sample.busy:4.0%}"
                    f"  others {sample.foreign:4.0%}"
                )
            return given
    except Failed as error:
        results.fail(contestant, str(error))
        say(f"{contestant.key:15} failed: {error}")
        return None


def main() -> int:
    options = arguments()
    missing = lacking("wrk", "taskset", "cc", "pkg-config")
    if missing:
        say(missing)
        return 2
    results = Results(options.contestants, options.rounds, options.seconds)
    able = prepare(results)
    expected: bytes | None = None
    for number in range(options.rounds):
        say(f"-- round {number + 1} of {options.rounds}")
        for contestant in able:
            given = run(contestant, results, expected, options.patience)
            expected = given if contestant.key == LIMIT else expected
    found = results.as_dict()
    print(markdown(found), end="")
    if options.save:
        save(found, options.save)
    return 0 if all((c.key, m.key) not in results.failures for c in able for m in MODES) else 1


if __name__ == "__main__":
    sys.exit(main())
