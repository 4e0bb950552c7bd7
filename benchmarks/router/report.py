"""A run's results as JSON, as Markdown tables and as a picture."""

from pathlib import Path
from typing import Any

from benchmarks.common import results as common
from benchmarks.common.results import machine_line
from benchmarks.router.contestants import OURS
from benchmarks.router.picture import picture
from benchmarks.router.results import below, steep
from benchmarks.router.tables import KINDS


def markdown(results: dict[str, Any]) -> str:
    titles = {one["key"]: one["title"] for one in results["contestants"]}
    lines = [
        machine_line(results),
        f"{results['rounds']} rounds of {results['seconds']:g} s a figure, interleaved; the best "
        "of each.",
        "",
        *summary(results, titles),
    ]
    for kind, title in KINDS.items():
        rows = [row for row in results["rows"] if row["kind"] == kind]
        if rows:
            lines += ["", f"### {title[0].upper()}{title[1:]}: ns a match", ""]
            lines += compared(rows, titles)
    lines += ["", "### Time to build, ms", "", *built(results, titles, "seconds", 1000)]
    lines += ["", "### Memory for a route, bytes", "", *built(results, titles, "memory", 1)]
    lines += ["", "### Struck out", "", *struck_out(results, titles)]
    lines += ["", "### What was asked", "", "| router | version | asked |", "|---|---|---|"]
    lines += [
        f"| {one['title']} | {one['version'] or '-'} | {one['note']} |"
        for one in results["contestants"]
    ]
    return "\n".join(lines) + "\n"


def summary(results: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """The goals, and the reasons of the rows that miss them."""
    compared = [row for row in results["rows"] if "times" in row]
    kept = sum(not below(row) for row in compared)
    lines = [
        f"{kept} of {len(compared)} rows are {results['goal']:g} times as fast as the fastest "
        "router for Python, or more.",
    ]
    if compared:
        least = min(compared, key=lambda row: row["times"])
        lines.append(
            f"The least is {least['times']:.1f} times "
            f"({least['key']}: {titles[least['fastest']]})."
        )
    for row in results["flat"]:
        few, many = row["routes"]
        lines.append(
            f"{KINDS[row['kind']]}: {row['times']:.2f} times as long with {many:,} routes as with "
            f"{few:,}{'' if steep(row) else ', which counts as flat'}."
        )
    owing = [row for row in results["rows"] if below(row)]
    owing += [row for row in results["flat"] if steep(row)]
    if owing:
        lines += ["", "| misses its goal | times | why |", "|---|---:|---|"]
        lines += [
            f"| {row['key']} | {row['times']:.1f} | {row.get('reason', '-')} |" for row in owing
        ]
    return lines


def head(columns: list[str]) -> list[str]:
    return [f"| router | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]


def label(key: str, titles: dict[str, str]) -> str:
    return f"**{titles[key]}**" if key == OURS else titles[key]


def nanoseconds(figures: dict[str, Any]) -> str:
    """A time, how many times ours it is, and the spread."""
    if "ns" not in figures:
        return "-"
    times = f" ({figures['times']:,.1f}x)" if "times" in figures else ""
    return f"{figures['ns']:,.0f}{times} ±{figures['spread']:.0%}"


def compared(rows: list[dict[str, Any]], titles: dict[str, str]) -> list[str]:
    lines = head([f"{row['routes']:,} routes" for row in rows])
    for key in titles:
        cells = [nanoseconds(row["contestants"][key]) for row in rows]
        lines.append(f"| {label(key, titles)} | {' | '.join(cells)} |")
    return lines


def built(results: dict[str, Any], titles: dict[str, str], what: str, scale: float) -> list[str]:
    tables = [
        table
        for table in results["tables"]
        if any(what in one for one in table["contestants"].values())
    ]
    if not tables:
        return ["Not told for tables as small as these."]
    lines = head(
        ["GitHub" if one["key"] == "github" else f"{one['routes']:,} routes" for one in tables]
    )
    for key in titles:
        figures = [table["contestants"][key].get(what) for table in tables]
        cells = [
            "-" if one is None else f"{one * scale:,.{1 if one * scale < 10 else 0}f}"
            for one in figures
        ]
        lines.append(f"| {label(key, titles)} | {' | '.join(cells)} |")
    return lines


def struck_out(results: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """The reasons, each once for all the rows that it holds for."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in results["rows"]:
        for key, figures in row["contestants"].items():
            if "failed" in figures:
                found.setdefault((key, figures["failed"]), []).append(row["key"])
    if not found:
        return ["Nobody."]
    return [
        "| router | rows | why |",
        "|---|---|---|",
        *(
            f"| {titles[key]} | {', '.join(rows)} | {why.replace('|', '/')} |"
            for (key, why), rows in found.items()
        ),
    ]


def save(results: dict[str, Any], folder: Path) -> None:
    common.save("router", results, folder, markdown(results), picture(results))
