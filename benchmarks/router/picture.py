"""The picture: a panel for each kind of request, with a line for each router: nanoseconds a match
over the number of routes, both on logarithmic scales; bars for the one table of a real API."""

import math
from typing import Any

from benchmarks.common.svg import document, words
from benchmarks.router.contestants import OURS
from benchmarks.router.tables import KINDS

COLUMNS, WIDTH, HEIGHT, GAP = 2, 470, 300, 24
TOP, HEAD, LEFT, RIGHT, FOOT = 70, 30, 56, 128, 24
BAR = 20
LEAST_APART = 11.0
"""Pixels between two names at the ends of lines."""

STYLE = """
text { font: 11px system-ui, sans-serif; fill: #24292f; }
.small { fill: #57606a; font-size: 10px; }
.panel { font-size: 12px; font-weight: 600; }
.title { font-size: 16px; font-weight: 600; }
.name-ours { font-weight: 600; }
.grid { stroke: #d0d7de; stroke-width: 1; }
polyline { fill: none; stroke-width: 1.5; }
polyline.ours { stroke: #2e8b57; stroke-width: 3; }
polyline.peer { stroke: #8096ad; }
polyline.other { stroke: #b08c5a; stroke-dasharray: 4 3; }
.bar-ours { fill: #2e8b57; }
.bar-peer { fill: #8096ad; }
.bar-other { fill: #b08c5a; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .grid { stroke: #30363d; }
  polyline.ours { stroke: #3fb27f; }
  .bar-ours { fill: #3fb27f; }
}
"""


def style(one: dict[str, Any]) -> str:
    if one["key"] == OURS:
        return "ours"
    return "peer" if one["python"] else "other"


def duration(ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


class Scale:
    """From numbers to pixels, by their logarithms."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        self.least = math.floor(math.log10(min(values)))
        self.most = max(math.ceil(math.log10(max(values))), self.least + 1)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.least) / (self.most - self.least)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.least, self.most + 1)]


def lines(
    rows: list[dict[str, Any]], contestants: list[dict[str, Any]], x: float, y: float
) -> list[str]:
    measured = {
        one["key"]: [
            (row["routes"], row["contestants"][one["key"]]["ns"])
            for row in rows
            if "ns" in row["contestants"][one["key"]]
        ]
        for one in contestants
    }
    times = [ns for points in measured.values() for _, ns in points]
    parts = [words(x, y + 16, KINDS[rows[0]["kind"]], "panel")]
    if not times:
        return [*parts, words(x, y + HEAD + 16, "not measured", "small")]
    left, right, bottom = x + LEFT, x + WIDTH - RIGHT, y + HEIGHT - FOOT
    across = Scale([float(row["routes"]) for row in rows], left, right)
    up = Scale(times, bottom, y + HEAD)
    for ns in up.ticks():
        parts.append(
            f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" '
            f'y1="{up(ns):.1f}" y2="{up(ns):.1f}"/>'
        )
        parts.append(words(left - 6, up(ns) + 4, duration(ns), "small", "end"))
    for row in rows:
        parts.append(
            words(across(row["routes"]), bottom + 16, f"{row['routes']:,}", "small", "middle")
        )
    names = []
    for one in contestants:
        points = measured[one["key"]]
        if not points:
            continue
        place = " ".join(f"{across(routes):.1f},{up(ns):.1f}" for routes, ns in points)
        parts.append(f'<polyline class="{style(one)}" points="{place}"/>')
        routes, ns = points[-1]
        names.append((up(ns), across(routes), one, ns))
    return parts + named(names, right)


def named(names: list[tuple[float, float, dict[str, Any], float]], right: float) -> list[str]:
    """The names at the ends of the lines, moved apart."""
    parts: list[str] = []
    last = -math.inf
    for y, x, one, ns in sorted(names, key=lambda name: name[0]):
        last = max(y + 4, last + LEAST_APART)
        ended = x < right - 1  # it was struck out from there on
        text = f"{one['title'].partition(' (')[0]} {'✕ ' if ended else ''}{duration(ns)}"
        parts.append(words(right + 6, last, text, f"name-{style(one)}"))
    return parts


def bars(row: dict[str, Any], contestants: list[dict[str, Any]], x: float, y: float) -> list[str]:
    parts = [words(x, y + 16, f"{KINDS['github']} ({row['routes']:,}), logarithmic", "panel")]
    measured = [
        (row["contestants"][one["key"]]["ns"], one)
        for one in contestants
        if "ns" in row["contestants"][one["key"]]
    ]
    if not measured:
        return [*parts, words(x, y + HEAD + 16, "not measured", "small")]
    left, right = x + 120, x + WIDTH - 80
    across = Scale([ns for ns, _ in measured], left, right)
    for ns, one in sorted(measured, key=lambda pair: pair[0]):
        y += BAR
        parts.append(words(left - 6, y + HEAD, one["title"].partition(" (")[0], anchor="end"))
        parts.append(
            f'<rect class="bar-{style(one)}" x="{left:.1f}" y="{y + HEAD - 10:.1f}" '
            f'width="{max(across(ns) - left, 1):.1f}" height="{BAR - 7}"/>'
        )
        parts.append(words(across(ns) + 6, y + HEAD, duration(ns), "small"))
    return parts


def picture(results: dict[str, Any]) -> str:
    contestants = results["contestants"]
    body: list[str] = []
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in results["rows"])]
    for number, kind in enumerate(kinds):
        x = 20 + number % COLUMNS * (WIDTH + GAP)
        y = TOP + number // COLUMNS * (HEIGHT + GAP)
        rows = [row for row in results["rows"] if row["kind"] == kind]
        if kind == "github":
            body += bars(rows[0], contestants, x, y)
        else:
            body += lines(rows, contestants, x, y)
    return document(
        "guava-router beside others",
        STYLE,
        20 + COLUMNS * (WIDTH + GAP),
        TOP + math.ceil(len(kinds) / COLUMNS) * (HEIGHT + GAP),
        [
            words(20, 28, "To find a route, with its parameters as a dict", "title"),
            words(
                20,
                48,
                "time a match, over the number of routes, both on logarithmic scales; broken "
                "lines are other languages; ✕: it could not have more routes",
                "small",
            ),
            *body,
        ],
    )
