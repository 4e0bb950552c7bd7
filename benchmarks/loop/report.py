"""A run's results as JSON, as Markdown tables and as a picture."""

from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.common import results as common
from benchmarks.common.results import disturbance, machine_line
from benchmarks.loop.loops import ASYNCIO, CONTENDERS, GUAVA, UVLOOP
from benchmarks.loop.picture import picture
from benchmarks.loop.results import below


def markdown(results: dict[str, Any]) -> str:
    figures = [one for row in results["rows"] for one in row["loops"].values()]
    versions = ", ".join(f"{key} {version}" for key, version in results["versions"].items())
    lines = [
        machine_line(results),
        f"{versions}.",
        f"{results['rounds']} rounds of {results['seconds']:g} s, interleaved; the best of each; "
        f"in the quietest rounds others took {disturbance(figures)} of the two cores.",
        "",
        summary(results),
    ]
    for group, rows in groupby(results["rows"], key=lambda row: row["group"]):
        lines += [
            "",
            f"### {group}",
            "",
            "| | unit | asyncio | uvloop | guava-loop | x uvloop | x asyncio "
            "| CPU µs each | x uvloop's | spread |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [line(row) for row in rows]
    missing = [row for row in results["rows"] if below(row)]
    if missing:
        lines += ["", f"### Below {results['goal']:g} times uvloop, and why", ""]
        lines += ["| row | x uvloop | CPU, x uvloop's | reason |", "|---|---:|---:|---|"]
        for row in missing:
            lines.append(
                f"| {row['group']}: {row['title']} | {times(row, UVLOOP.key)} "
                f"| {times(row, UVLOOP.key, 'cpu_')} | {row.get('reason', '-')} |"
            )
    failures = [
        f"- {row['group']}, {row['title']}: {loop}: {figures['failed']}"
        for row in results["rows"]
        for loop, figures in row["loops"].items()
        if "failed" in figures
    ]
    if failures:
        lines += ["", "### Not measured", "", *failures]
    return "\n".join(lines) + "\n"


def summary(results: dict[str, Any]) -> str:
    compared = [row for row in results["rows"] if f"times_{UVLOOP.key}" in row]
    if not compared:
        return "Nothing was compared with uvloop."
    reached = sum(not below(row) for row in compared)
    mean = 1.0
    for row in compared:
        mean *= row[f"times_{UVLOOP.key}"] ** (1 / len(compared))
    return (
        f"{reached} of {len(compared)} rows reach {results['goal']:g} times uvloop; "
        f"the geometric mean is {mean:.2f}."
    )


def times(row: dict[str, Any], peer: str, what: str = "") -> str:
    ratio = row.get(f"{what}times_{peer}")
    return "-" if ratio is None else f"{ratio:.2f}"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def line(row: dict[str, Any]) -> str:
    loops = row["loops"]
    rates = [
        "-" if "failed" in loops[one.key] else number(loops[one.key]["rate"]) for one in CONTENDERS
    ]
    ours = loops[GUAVA.key]
    spread = max((one["spread"] for one in loops.values() if "spread" in one), default=0.0)
    ratio = times(row, UVLOOP.key)
    return (
        f"| {row['title']} | {row['unit']} | {' | '.join(rates)} "
        f"| {ratio if below(row) or ratio == '-' else f'**{ratio}**'} "
        f"| {times(row, ASYNCIO.key)} "
        f"| {'-' if 'cpu_us' not in ours else format(ours['cpu_us'], '.2f')} "
        f"| {times(row, UVLOOP.key, 'cpu_')} | {spread:.0%} |"
    )


def save(results: dict[str, Any], folder: Path) -> None:
    common.save("loop", results, folder, markdown(results), picture(results))
