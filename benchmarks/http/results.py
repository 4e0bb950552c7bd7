"""What was measured, and what follows from it: ratios, goals kept and missed, who is ahead."""

import re
from pathlib import Path
from typing import Any

from benchmarks.common import results as common
from benchmarks.http.contestants import CONTESTANTS, Contestant, takes_part
from benchmarks.http.measure import Sample
from benchmarks.http.rows import OURS, Goal, Row, group

HERE = Path(__file__).parent
NOISE = 0.03
"""How much better a peer's figure must be to be called ahead: rounds differ by as much."""


class Results:
    """Samples and failures of every contestant in every row."""

    def __init__(self, rows: list[Row], contestants: list[Contestant], seconds: float) -> None:
        self.rows, self.contestants, self.seconds = rows, contestants, seconds
        self.rounds = 0
        self.versions: dict[str, str] = {}
        self.samples: dict[tuple[str, str], list[Sample]] = {}
        self.failures: dict[tuple[str, str], str] = {}

    def add(self, contestant: Contestant, row: Row, sample: Sample) -> None:
        self.samples.setdefault((contestant.key, row.key), []).append(sample)

    def fail(self, contestant: Contestant, row: Row, reason: str) -> None:
        # Where something lies on this machine is nobody's concern.
        text = re.sub(r"\s*\(?/[\w.+/-]+\)?", "", reason)[:160]
        self.failures.setdefault((contestant.key, row.key), text)

    def failed(self, contestant: Contestant, row: Row) -> bool:
        return (contestant.key, row.key) in self.failures

    def figures(self, key: tuple[str, str]) -> dict[str, Any]:
        """The best of the rounds, for all alike: other work on the machine can only take from
        throughput and add to CPU time."""
        if key in self.failures:
            return {"failed": self.failures[key]}
        samples = self.samples.get(key)
        if not samples:
            return {"failed": "not measured"}
        return {
            "rate": max(s.rate for s in samples),
            "cpu_us": min(s.cpu_us for s in samples),
            "p99_us": min(s.p99_us for s in samples),
            "memory": min(s.memory for s in samples),
            "busy": max(s.busy for s in samples),
            "foreign": min(s.foreign for s in samples),
            "rounds": [vars(s) for s in samples],
        }

    def row(self, row: Row) -> dict[str, Any]:
        found = {
            one.key: self.figures((one.key, row.key))
            for one in CONTESTANTS
            if takes_part(one, row) and one in self.contestants
        }
        base = found.get("limit", found.get("nginx", {}))
        for figures in found.values():
            if "cpu_us" in figures and "cpu_us" in base:
                figures["cpu_ratio"] = figures["cpu_us"] / base["cpu_us"]
                figures["rate_ratio"] = figures["rate"] / base["rate"]
        return {
            "key": row.key,
            "group": group(row),
            "title": row.title,
            "size": row.size,
            "idle": row.idle,
            "base": "limit" if "limit" in found else "nginx",
            "contestants": found,
            "goals": [result for goal in row.goals if (result := judged(goal, found))],
            "ahead": ahead(found, paced=row.rate > 0),
        }

    def as_dict(self) -> dict[str, Any]:
        rows = [self.row(row) for row in self.rows]
        common.explain(rows, missed, reasons())
        return {
            "machine": common.machine("2 cores: one for the server, one for its load"),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "contestants": [
                {
                    "key": one.key,
                    "title": one.title,
                    "note": one.note,
                    "version": self.versions.get(one.key),
                }
                for one in self.contestants
            ],
            "rows": rows,
        }


def judged(goal: Goal, found: dict[str, Any]) -> dict[str, Any] | None:
    """A goal, what was reached of it, and whether that is enough, to two places as printed."""
    name = "cpu_us" if goal.figure == "cpu" else "rate"
    ours, peer = found.get(goal.ours, {}), found.get(goal.peer, {})
    if name not in ours or name not in peer:
        return None
    times = round(ours[name] / peer[name], 2)
    kept = times <= goal.times if goal.figure == "cpu" else times >= goal.times
    return {"goal": goal.text(), "times": times, "kept": kept}


def ahead(found: dict[str, Any], paced: bool) -> list[str]:
    """The peers whose requests/s or CPU time is better than that of the best of ours. Where the
    load sets the pace, the memory of a connection counts instead of the former."""
    measured = {key: figures for key, figures in found.items() if "rate" in figures}
    ours = [figures for key, figures in measured.items() if key in OURS]
    if not ours:
        return []
    cpu, rate = min(one["cpu_us"] for one in ours), max(one["rate"] for one in ours)
    memory = min(one["memory"] for one in ours)
    return [
        key
        for key, figures in measured.items()
        if key not in (*OURS, "limit")
        and (
            figures["cpu_us"] < cpu * (1 - NOISE)
            or (figures["rate"] > rate * (1 + NOISE) and not paced)
            or (figures["memory"] < memory * (1 - NOISE) and paced)
        )
    ]


def missed(row: dict[str, Any]) -> bool:
    """Whether a row owes a reason."""
    return bool(row["ahead"]) or not all(goal["kept"] for goal in row["goals"])


def reasons() -> dict[str, str]:
    """Why rows are not where they should be, as people have found out."""
    return common.reasons(HERE)
