"""What a run found: times, ratios, and the rows that owe a reason."""

from pathlib import Path
from typing import Any

from benchmarks.common import results as common
from benchmarks.router.contestants import CONTESTANTS, OURS, Contestant
from benchmarks.router.measure import Built
from benchmarks.router.tables import KINDS, Table

HERE = Path(__file__).parent
GOAL = 5.0
"""How many times the fastest router for Python takes what ours takes."""
FLAT = 1.5
"""How many times what it takes with the fewest routes it may take with the most."""
PYTHON = {one.key for one in CONTESTANTS if one.python}
COUNTED = 1000
"""Routes that a table must have for its memory to be told: pages are coarse."""


def name(kind: str, table: str) -> str:
    return kind if kind == "github" else f"{kind}-{table}"


class Results:
    def __init__(self, contestants: list[Contestant], rounds: int, seconds: float) -> None:
        self.contestants, self.rounds, self.seconds = contestants, rounds, seconds
        self.versions: dict[str, str] = {}
        self.tables: list[Table] = []
        self.built: dict[tuple[str, str], Built] = {}
        self.samples: dict[tuple[str, str, str], list[float]] = {}
        self.failures: dict[tuple[str, str, str], str] = {}

    def fail(self, contestant: Contestant, table: Table, kind: str, reason: str) -> None:
        self.failures.setdefault((contestant.key, table.key, kind), reason[:160])

    def failed(self, contestant: Contestant, table: Table, kind: str) -> bool:
        return (contestant.key, table.key, kind) in self.failures

    def figures(self, key: tuple[str, str, str]) -> dict[str, Any]:
        """The best of the rounds, and how far the worst is from it."""
        if key in self.failures:
            return {"failed": self.failures[key]}
        samples = self.samples.get(key)
        if not samples:
            return {"failed": "not measured"}
        return {"ns": min(samples), "spread": max(samples) / min(samples) - 1, "rounds": samples}

    def row(self, kind: str, table: Table) -> dict[str, Any]:
        found = {one.key: self.figures((one.key, table.key, kind)) for one in self.contestants}
        row: dict[str, Any] = {
            "key": name(kind, table.key),
            "kind": kind,
            "routes": len(table.routes),
            "contestants": found,
        }
        ours = found.get(OURS, {})
        if "ns" in ours:
            for figures in found.values():
                if "ns" in figures:
                    figures["times"] = figures["ns"] / ours["ns"]
            peers = {
                key: one["times"]
                for key, one in found.items()
                if key in PYTHON - {OURS} and "times" in one
            }
            if peers:
                fastest = min(peers, key=lambda key: peers[key])
                row |= {"fastest": fastest, "times": peers[fastest]}
        return row

    def as_dict(self) -> dict[str, Any]:
        rows = [
            self.row(kind, table)
            for kind in KINDS
            for table in self.tables
            if kind in table.requests
        ]
        flat = flatness(rows)
        why = reasons()
        common.explain(rows, below, why)
        common.explain(flat, steep, why)
        return {
            "machine": common.machine("one of them for the router that is asked"),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "goal": GOAL,
            "flat_goal": FLAT,
            "contestants": [
                {
                    "key": one.key,
                    "title": one.title,
                    "note": one.note,
                    "python": one.python,
                    "version": self.versions.get(one.key),
                }
                for one in self.contestants
            ],
            "rows": rows,
            "flat": flat,
            "tables": [self.table(table) for table in self.tables],
        }

    def table(self, table: Table) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in self.contestants:
            built = self.built.get((one.key, table.key))
            if built is None:
                found[one.key] = {"failed": self.failures.get((one.key, table.key, ""), "-")}
                continue
            found[one.key] = {"seconds": built.seconds}
            if len(table.routes) >= COUNTED:
                found[one.key]["memory"] = built.memory / len(table.routes)
        return {"key": table.key, "routes": len(table.routes), "contestants": found}


def flatness(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What ours takes with the most routes over what it takes with the fewest, by kind."""
    found = []
    for kind in KINDS:
        ours = [
            (row["routes"], row["contestants"][OURS]["ns"])
            for row in rows
            if row["kind"] == kind and "ns" in row["contestants"].get(OURS, {})
        ]
        if len(ours) > 1:
            found.append(
                {
                    "key": f"flat-{kind}",
                    "kind": kind,
                    "routes": [min(ours)[0], max(ours)[0]],
                    "times": max(ours)[1] / min(ours)[1],
                }
            )
    return found


def below(row: dict[str, Any]) -> bool:
    """Whether a row misses the goal; to one place, as it is printed."""
    return "times" in row and round(row["times"], 1) < GOAL


def steep(row: dict[str, Any]) -> bool:
    return bool(round(row["times"], 1) > FLAT)


def reasons() -> dict[str, str]:
    """Why rows miss the goal, as people have found out."""
    return common.reasons(HERE)
