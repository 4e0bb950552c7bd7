"""python -m benchmarks.hello: run from the repository's root; benchmarks/README.md explains."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from benchmarks.hello.contestants import CONTESTANTS, LIMIT, CannotRun, Contestant
from benchmarks.hello.measure import MODES, Failed, answer, measure, serving, wrk
from benchmarks.hello.report import Results, markdown, save


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    keys = [contestant.key for contestant in CONTESTANTS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hello", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds through all (default 3)")
    parser.add_argument(
        "--seconds", type=int, default=3, help="length of one load, in seconds (default 3)"
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=2,
        help="how often a load that others disturb is repeated (default 2)",
    )
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument(
        "--only", metavar="NAMES", help=f"some of them, comma-separated: {', '.join(keys)}"
    )
    parser.add_argument(
        "--save", metavar="FOLDER", type=Path, help="write hello.json, hello.md and hello.svg"
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
    missing = [name for name in ("wrk", "taskset", "cc", "pkg-config") if not shutil.which(name)]
    if missing or len(os.sched_getaffinity(0)) < 2:
        say(f"needs two cores, and {', '.join(missing) or 'wrk'}")
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
