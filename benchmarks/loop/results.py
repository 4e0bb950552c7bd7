"""What a run found: samples, ratios, and the rows that owe a reason."""

from pathlib import Path
from typing import Any

from benchmarks.common import results as common
from benchmarks.loop.loops import ASYNCIO, CONTENDERS, GUAVA, UVLOOP, Contender
from benchmarks.loop.measure import Sample
from benchmarks.loop.rows import GOAL, Row

HERE = Path(__file__).parent


class Results:
    """Samples and failures of every loop in every row."""

    def __init__(self, rows: list[Row], rounds: int, seconds: float) -> None:
        self.rows, self.rounds, self.seconds = rows, rounds, seconds
        self.versions: dict[str, str] = {}
        self.samples: dict[tuple[str, str], list[Sample]] = {}
        self.failures: dict[tuple[str, str], str] = {}

    def add(self, contender: Contender, row: Row, sample: Sample) -> None:
        self.samples.setdefault((contender.key, row.key), []).append(sample)

    def fail(self, contender: Contender, row: Row, reason: str) -> None:
        self.failures.setdefault((contender.key, row.key), reason)

    def failed(self, contender: Contender, row: Row) -> bool:
        return (contender.key, row.key) in self.failures

    def figures(self, contender: Contender, row: Row) -> dict[str, Any]:
        """The best of the rounds, for all alike: other work on the machine can only take from it.

        The spread is how far the other rounds are from the best, at most.
        """
        key = (contender.key, row.key)
        if key in self.failures:
            return {"failed": self.failures[key]}
        samples = self.samples.get(key)
        if not samples:
            return {"failed": "not measured"}
        rates = [sample.rate for sample in samples]
        least, most = min(rates), max(rates)
        found: dict[str, Any] = {
            "rate": least if row.memory else most,
            "spread": 1 - least / most if most else 0.0,
            "foreign": min(sample.foreign for sample in samples),
            "rounds": [vars(sample) for sample in samples],
        }
        if not row.memory:
            found["cpu_us"] = min(sample.cpu_us for sample in samples)
        return found

    def row(self, row: Row) -> dict[str, Any]:
        loops = {contender.key: self.figures(contender, row) for contender in CONTENDERS}
        found: dict[str, Any] = {
            "key": row.key,
            "group": row.group,
            "title": row.title,
            "unit": row.unit,
            "loops": loops,
        }
        ours = loops[GUAVA.key]
        for peer in (UVLOOP, ASYNCIO):
            theirs = loops[peer.key]
            if "failed" in ours or "failed" in theirs:
                continue
            ratio = ours["rate"] / theirs["rate"] if theirs["rate"] else 0.0
            found[f"times_{peer.key}"] = 1 / ratio if row.memory and ratio else ratio
            if "cpu_us" in ours:
                found[f"cpu_times_{peer.key}"] = theirs["cpu_us"] / max(ours["cpu_us"], 1e-9)
        return found

    def as_dict(self) -> dict[str, Any]:
        rows = [self.row(row) for row in self.rows]
        common.explain(rows, below, reasons())
        return {
            "machine": common.machine("2 cores: one for the loop, one for its peer"),
            "versions": self.versions,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "goal": GOAL,
            "rows": rows,
        }


def below(row: dict[str, Any]) -> bool:
    """Whether a row misses the goal; to two places, as it is printed."""
    return f"times_{UVLOOP.key}" in row and round(row[f"times_{UVLOOP.key}"], 2) < GOAL


def reasons() -> dict[str, str]:
    """Why rows are below the goal, as people have found out."""
    return common.reasons(HERE)
