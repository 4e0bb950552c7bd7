"""What a run found: as JSON, as Markdown tables, and as a picture."""

from pathlib import Path
from typing import Any

from benchmarks.common import results as common
from benchmarks.common.results import disturbance, machine, machine_line
from benchmarks.hello.contestants import LIMIT, Contestant
from benchmarks.hello.measure import MODES, Mode, Sample


class Results:
    """Samples and failures of every contestant in every mode."""

    def __init__(self, contestants: list[Contestant], rounds: int, seconds: float) -> None:
        self.contestants = contestants
        self.rounds = rounds
        self.seconds = seconds
        self.versions: dict[str, str] = {}
        self.samples: dict[tuple[str, str], list[Sample]] = {}
        self.failures: dict[tuple[str, str], str] = {}

    def add(self, contestant: Contestant, mode: Mode, sample: Sample) -> None:
        self.samples.setdefault((contestant.key, mode.key), []).append(sample)

    def fail(self, contestant: Contestant, reason: str, modes: list[Mode] = MODES) -> None:
        for mode in modes:
            self.failures.setdefault((contestant.key, mode.key), reason)

    def failed(self, contestant: Contestant, mode: Mode) -> bool:
        return (contestant.key, mode.key) in self.failures

    def figures(self, contestant: Contestant, mode: Mode) -> dict[str, Any]:
        """The row of one contestant in one mode.

        The best of the rounds, for the limit as for all: other work on the machine can only take
        from throughput and add to CPU per request.
        """
        key = (contestant.key, mode.key)
        if key in self.failures:
            return {"failed": self.failures[key]}
        samples = self.samples.get(key)
        if not samples:
            return {"failed": "not measured"}
        found: dict[str, Any] = {
            "requests_per_second": max(s.requests_per_second for s in samples),
            "cpu_us": min(s.cpu_us for s in samples),
            "busy": max(s.busy for s in samples),
            "foreign": min(s.foreign for s in samples),
            "rounds": [vars(s) for s in samples],
        }
        limit = self.samples.get((LIMIT, mode.key))
        if limit and (LIMIT, mode.key) not in self.failures:
            best = max(s.requests_per_second for s in limit)
            found["throughput_ratio"] = found["requests_per_second"] / best
            found["cpu_ratio"] = found["cpu_us"] / min(s.cpu_us for s in limit)
        return found

    def as_dict(self) -> dict[str, Any]:
        return {
            "machine": machine("2 shared virtual cores: one for the server, one for wrk"),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "contestants": [
                {
                    "key": contestant.key,
                    "title": contestant.title.replace("`", ""),
                    "note": contestant.note,
                    "version": self.versions.get(contestant.key),
                    "modes": {mode.key: self.figures(contestant, mode) for mode in MODES},
                }
                for contestant in self.contestants
            ],
        }


def markdown(results: dict[str, Any]) -> str:
    figures = [one for row in results["contestants"] for one in row["modes"].values()]
    lines = [
        machine_line(results),
        f"{results['rounds']} rounds of {results['seconds']:g} s a mode, interleaved; in the "
        f"quietest rounds others took {disturbance(figures)} of the two cores.",
    ]
    for mode in MODES:
        lines += [
            "",
            f"### {mode.title}",
            "",
            "| server | requests/s | of the limit | CPU µs/request | times the limit's |",
            "|---|---:|---:|---:|---:|",
        ]
        rows = [(row, row["modes"][mode.key]) for row in results["contestants"]]
        rows.sort(key=lambda pair: -pair[1].get("requests_per_second", 0))
        lines += [line(row, figures) for row, figures in rows]
    lines += ["", "### How each was run", "", "| server | version | run as |", "|---|---|---|"]
    for row in results["contestants"]:
        lines.append(f"| {row['title']} | {row['version'] or '-'} | {row['note']} |")
    return "\n".join(lines) + "\n"


def line(row: dict[str, Any], figures: dict[str, Any]) -> str:
    if "failed" in figures:
        return f"| {row['title']} | - | - | - | {figures['failed']} |"
    share, times = figures.get("throughput_ratio"), figures.get("cpu_ratio")
    return (
        f"| {row['title']} | {figures['requests_per_second']:,.0f} | "
        f"{'-' if share is None else f'{share:.0%}'} | {figures['cpu_us']:.2f} | "
        f"{'-' if times is None else f'{times:.2f}'} |"
    )


def picture(results: dict[str, Any], path: Path) -> None:
    """Bars of requests a second, a panel for each mode, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    # The same results give the same file, and its text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "guava", "svg.fonttype": "none"})
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(MODES), figsize=(15, 5.2), layout="constrained")
    for panel, mode in zip(panels, MODES, strict=True):
        rows = [
            (row, row["modes"][mode.key])
            for row in results["contestants"]
            if "failed" not in row["modes"][mode.key]
        ]
        rows.sort(key=lambda pair: pair[1]["requests_per_second"])
        values = [figures["requests_per_second"] for _, figures in rows]
        bars = panel.barh(
            [row["title"] for row, _ in rows],
            values,
            color=[colour(row["key"]) for row, _ in rows],
        )
        panel.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3, fontsize=8)
        panel.set_title(mode.title, fontsize=11)
        panel.margins(x=0.2)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.set_xticks([])
        panel.tick_params(axis="y", length=0, labelsize=9)
    figure.suptitle("Hello, world: requests a second, server on one core", fontsize=13)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def colour(key: str) -> str:
    if key == LIMIT:
        return "#9aa0a6"
    return "#2e8b57" if key.startswith("guava") else "#b8c7d9"


def save(results: dict[str, Any], folder: Path) -> None:
    # matplotlib writes the picture into a file.
    path = folder / "hello.svg"
    folder.mkdir(parents=True, exist_ok=True)
    picture(results, path)
    common.save("hello", results, folder, markdown(results), path.read_text())
