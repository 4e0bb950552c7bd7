"""Options that the benchmarks have in common."""

import argparse
import fnmatch
import sys
from pathlib import Path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parser(
    name: str,
    about: str | None,
    *,
    quick: str,
    seconds: float,
    what: str,
    patience: int | None = None,
) -> argparse.ArgumentParser:
    """A parser of `python -m benchmarks.NAME`. `what` is what lasts `seconds`, and is repeated
    when others disturb it, unless `patience` is None."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    made.add_argument("--rounds", type=int, default=3, help="rounds through all (default 3)")
    made.add_argument(
        "--seconds",
        type=type(seconds),
        default=seconds,
        help=f"length of one {what}, in seconds (default {seconds})",
    )
    if patience is not None:
        made.add_argument(
            "--patience",
            type=int,
            default=patience,
            help=f"how often a {what} that others disturb is repeated (default {patience})",
        )
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument(
        "--save",
        metavar="FOLDER",
        type=Path,
        help=f"write {name}.json, {name}.md and {name}.svg",
    )
    return made


def add_rows(made: argparse.ArgumentParser, unit: str | None = None) -> None:
    """Options that choose rows; with a unit, those that count what one of it costs, too."""
    made.add_argument(
        "--rows", metavar="NAMES", help="some of them, comma-separated, with * and ?"
    )
    made.add_argument("--list", action="store_true", help="the names of the rows")
    if unit is not None:
        made.add_argument(
            "--counts",
            action="store_true",
            help=f"system calls and instructions a {unit}, by strace and callgrind, instead of "
            "time",
        )
        made.add_argument(
            "--profile", action="store_true", help=f"where the instructions of a {unit} go"
        )


def chosen(key: str, names: str) -> bool:
    """Whether one of some comma-separated names, with * and ?, is this one."""
    return any(fnmatch.fnmatch(key, name) for name in names.split(","))
