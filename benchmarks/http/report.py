"""A run's results as JSON, as Markdown tables and as a picture."""

from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.common import results as common
from benchmarks.common.results import disturbance, machine_line
from benchmarks.http.picture import picture
from benchmarks.http.results import missed


def markdown(results: dict[str, Any]) -> str:
    figures = [one for row in results["rows"] for one in row["contestants"].values()]
    titles = {one["key"]: one["title"] for one in results["contestants"]}
    lines = [
        machine_line(results),
        f"{results['rounds']} rounds of {results['seconds']:g} s, interleaved; the best of each; "
        f"in the quietest rounds others took {disturbance(figures)} of the two cores.",
        "",
        *summary(results, titles),
    ]
    for name, rows in groupby(results["rows"], key=lambda row: row["group"]):
        lines += ["", f"## {name}"]
        for row in rows:
            lines += ["", f"### {row['title']}", "", *table(row, titles)]
    lines += ["", "## How each was run", "", "| server | version | run as |", "|---|---|---|"]
    lines += [
        f"| {one['title']} | {one['version'] or '-'} | {one['note']} |"
        for one in results["contestants"]
    ]
    return "\n".join(lines) + "\n"


def summary(results: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """Goals, who is ahead, and the reasons."""
    goals = [(row, goal) for row in results["rows"] for goal in row["goals"]]
    behind = [row for row in results["rows"] if row["ahead"]]
    kept = sum(goal["kept"] for _, goal in goals)
    lines = [
        f"{kept} of {len(goals)} goals are kept; a peer is ahead in {len(behind)} of "
        f"{len(results['rows'])} rows.",
    ]
    if goals:
        lines += ["", "| row | goal | reached | |", "|---|---|---:|---|"]
        lines += [
            f"| {row['title']} | {goal['goal']} | {goal['times']:.2f} "
            f"| {'kept' if goal['kept'] else '**missed**'} |"
            for row, goal in goals
        ]
    if behind:
        lines += ["", "| row | ahead of Guava |", "|---|---|"]
        lines += [
            f"| {row['title']} | {', '.join(titles[key] for key in row['ahead'])} |"
            for row in behind
        ]
    owing = [row for row in results["rows"] if missed(row)]
    if owing:
        lines += ["", "| row | why |", "|---|---|"]
        lines += [f"| {row['title']} | {row.get('reason', '-')} |" for row in owing]
    return lines


def table(row: dict[str, Any], titles: dict[str, str]) -> list[str]:
    base = titles.get(row["base"], row["base"])
    last, value = "p99, ms", lambda one: f"{one['p99_us'] / 1000:.1f}"
    if row["idle"]:
        last = "p99, ms | bytes a connection"
        value = lambda one: f"{one['p99_us'] / 1000:.2f} | {one['memory']:,.0f}"  # noqa: E731
    elif row["size"]:
        last, value = "MiB/s", lambda one: f"{one['rate'] * row['size'] / 2**20:,.0f}"
    lines = [
        f"| server | CPU µs/request | times {base}'s | requests/s | times | {last} |",
        f"|---|---:|---:|---:|---:|---:|{'---:|' if row['idle'] else ''}",
    ]
    found = sorted(
        row["contestants"].items(), key=lambda pair: pair[1].get("cpu_us", float("inf"))
    )
    for key, one in found:
        title = f"**{titles[key]}**" if key.startswith("guava") else titles[key]
        if "failed" in one:
            lines.append(f"| {title} | {one['failed'].replace('|', '/')} | | | | |")
            continue
        lines.append(
            f"| {title} | {one['cpu_us']:,.2f} | {ratio(one, 'cpu_ratio')} "
            f"| {one['rate']:,.0f} | {ratio(one, 'rate_ratio')} | {value(one)} |"
        )
    return lines


def ratio(one: dict[str, Any], name: str) -> str:
    return f"{one[name]:.2f}" if name in one else "-"


def save(results: dict[str, Any], folder: Path) -> None:
    common.save("http", results, folder, markdown(results), picture(results))
