"""Random inputs for what Python joins to core/: one text or some bytes in, checks of what comes.

    python packages/guava-http/tests/fuzz/glue.py TARGET [--seed N] [--seconds N] [--runs N]
                                                  [--again FILE]

Inputs start from corpus/TARGET and are mutated with the words of http.dict; one that reaches a
line of guava_http's Python that no other has reached is kept as one more to start from. What is
asserted stands in targets.py. An input that was not taken well lies in fuzz-TARGET-SEED in the
working directory.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import guava_http
import targets

HERE = Path(__file__).parent
PACKAGE = str(Path(guava_http.__file__).parent)
MOST = 9000  # bytes of an input
ODD = b'\0\t\n\r "#%&+,-./0:;<=?@A[\\]_a{|}~\x7f\x80\xff'


def words() -> list[bytes]:
    found = []
    for line in (HERE / "http.dict").read_text("ascii").splitlines():
        if line.startswith('"'):
            found.append(ast.literal_eval("b" + line))
    return found


class Coverage:
    """Counts the lines of guava_http that have been reached."""

    def __init__(self) -> None:
        self.lines: set[tuple[CodeType, int]] = set()
        self.ours: dict[CodeType, bool] = {}

    def call(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if code not in self.ours:
            self.ours[code] = code.co_filename.startswith(PACKAGE)
        return self.line if self.ours[code] else None

    def line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.lines.add((frame.f_code, frame.f_lineno))
        return self.line


class Mutator:
    def __init__(self, seed: int, inputs: list[bytes]) -> None:
        self.rng = random.Random(seed)
        self.inputs = inputs
        self.words = words()

    def next(self, run: int) -> bytes:
        if run < len(self.inputs):
            return self.inputs[run]
        data = self.rng.choice(self.inputs)
        for _ in range(self.rng.choice([1, 1, 2, 3, 5])):
            data = self.mutate(data)[:MOST]
        return data

    def mutate(self, data: bytes) -> bytes:
        rng = self.rng
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice([0, 1, 1, 2, 5, 40]))
        odd = bytes([rng.choice(ODD)])
        other = rng.choice(self.inputs)
        cut = rng.randrange(len(other) + 1)
        kind = rng.randrange(8)
        if kind == 0:
            return data[:at] + bytes([rng.randrange(256)]) + data[end:]
        if kind == 1:
            return data[:at] + odd + data[at:]
        if kind == 2:
            return data[:at] + odd + data[end:]
        if kind == 3:
            return data[:at] + data[end:]
        if kind == 4:
            return data[:at] + rng.choice(self.words) + data[end:]
        if kind == 5:
            return data[:at] + rng.choice(self.words) + data[at:]
        if kind == 6:
            return data[:at] + other[cut:]
        return data[:at] + data[at:end] * rng.choice([2, 3, 20, 90]) + data[end:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=sorted(targets.TARGETS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--runs", type=int, default=2**62)
    parser.add_argument("--again", type=Path, help="run this one input instead")
    options = parser.parse_args()
    target = targets.TARGETS[options.target]
    if options.again:
        target(options.again.read_bytes())
        return 0
    folder = HERE / "corpus" / options.target
    inputs = [path.read_bytes() for path in sorted(folder.iterdir())]
    inputs += targets.more_inputs(options.target)
    mutator, coverage = Mutator(options.seed, inputs), Coverage()
    end = time.monotonic() + options.seconds
    run = 0
    while run < options.runs and time.monotonic() < end:
        data = mutator.next(run)
        known = len(coverage.lines)
        sys.settrace(coverage.call)
        try:
            target(data)
        except BaseException:
            sys.settrace(None)
            path = Path.cwd() / f"fuzz-{options.target}-{options.seed}"
            path.write_bytes(data)
            print(f"{path}: {data[:2000]!r}", file=sys.stderr)
            raise
        finally:
            sys.settrace(None)
        if len(coverage.lines) > known and run >= len(inputs):
            mutator.inputs.append(data)
        run += 1
    print(f"{run} runs, {len(coverage.lines)} lines, {len(mutator.inputs)} inputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
