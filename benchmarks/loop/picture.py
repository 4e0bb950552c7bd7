"""The picture: a bar for each row, as many times uvloop's speed, on a logarithmic scale."""

import math
from itertools import groupby
from typing import Any

from benchmarks.common.svg import document, words
from benchmarks.loop.loops import ASYNCIO, UVLOOP
from benchmarks.loop.results import below

WIDTH, LEFT, RIGHT = 980, 330, 90
ROW, GROUP, TOP, BOTTOM = 19, 30, 74, 30
LEAST, MOST = 1 / 8, 8.0
TICKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.small { font-size: 10.5px; fill: #57606a; }
.group { font-weight: 600; }
.title { font-size: 15px; font-weight: 600; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.uvloop { stroke: #57606a; stroke-width: 1.5; }
.goal { stroke: #bc4c00; stroke-width: 1; stroke-dasharray: 4 3; }
.ours { fill: #2e8b57; }
.missed { fill: #bf8700; }
.asyncio { fill: #9aa7b5; }
.cpu { fill: none; stroke: #24292f; stroke-width: 1.2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .grid { stroke: #30363d; }
  .uvloop { stroke: #9198a1; }
  .goal { stroke: #f0883e; }
  .ours { fill: #3fb27f; }
  .missed { fill: #d29922; }
  .asyncio { fill: #5b6673; }
  .cpu { stroke: #e6edf3; }
}
"""


def place(ratio: float) -> float:
    """Where a ratio is, from the left."""
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def bar(ratio: float, y: float, height: float, style: str) -> str:
    """From uvloop's line to a ratio."""
    start, end = sorted((place(1.0), place(ratio)))
    return (
        f'<rect class="{style}" x="{start:.1f}" y="{y:.1f}" '
        f'width="{max(end - start, 1):.1f}" height="{height}"/>'
    )


def line(ratio: float, top: float, bottom: float, style: str) -> str:
    x = place(ratio)
    return f'<line class="{style}" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'


def drawn(row: dict[str, Any], y: float) -> list[str]:
    parts = [words(LEFT - 12, y + 13, row["title"], anchor="end")]
    ours = row.get(f"times_{UVLOOP.key}")
    if ours is None:
        why = next(
            (f"{key}: {one['failed']}" for key, one in row["loops"].items() if "failed" in one),
            "not compared",
        )
        return [*parts, words(place(1.0) + 8, y + 13, why, "small")]
    parts.append(bar(ours, y + 2.5, 9, "missed" if below(row) else "ours"))
    asyncio = row.get(f"times_{ASYNCIO.key}")
    if asyncio:
        parts.append(bar(ours / asyncio, y + 12, 4, "asyncio"))
    cpu = row.get(f"cpu_times_{UVLOOP.key}")
    if cpu:
        parts.append(f'<circle class="cpu" cx="{place(cpu):.1f}" cy="{y + 7:.1f}" r="3"/>')
    parts.append(words(WIDTH - RIGHT + 12, y + 13, f"{ours:.2f}x"))
    return parts


def picture(results: dict[str, Any]) -> str:
    groups = [
        (group, list(rows)) for group, rows in groupby(results["rows"], lambda row: row["group"])
    ]
    bottom = TOP + sum(GROUP + ROW * len(rows) for _, rows in groups)
    height = bottom + BOTTOM
    parts = [
        words(20, 26, "Speed, as many times uvloop's", "title"),
        *legend(results["goal"]),
    ]
    for tick in TICKS:
        parts.append(line(tick, TOP, bottom, "uvloop" if tick == 1.0 else "grid"))
        for edge in (TOP - 5, bottom + 16):
            parts.append(words(place(tick), edge, f"{tick:g}x", "small", "middle"))
    parts.append(line(results["goal"], TOP, bottom, "goal"))
    y: float = TOP
    for group, rows in groups:
        parts.append(words(20, y + 21, group, "group"))
        y += GROUP
        for row in rows:
            parts += drawn(row, y)
            y += ROW
    return document("guava-loop beside uvloop and asyncio", STYLE, WIDTH, height, parts)


def legend(goal: float) -> list[str]:
    y = 38.0
    parts = []
    x = 20.0
    for style, text in (
        ("ours", f"guava-loop, {goal:g}x and more"),
        ("missed", "guava-loop, less"),
        ("asyncio", "asyncio"),
    ):
        parts.append(f'<rect class="{style}" x="{x}" y="{y + 2}" width="14" height="9"/>')
        parts.append(words(x + 20, y + 11, text, "small"))
        x += 40 + 6.2 * len(text)
    parts.append(f'<circle class="cpu" cx="{x + 6}" cy="{y + 7}" r="3"/>')
    parts.append(words(x + 16, y + 11, "guava-loop, CPU time a message", "small"))
    x += 230
    parts.append(f'<line class="goal" x1="{x}" y1="{y + 7}" x2="{x + 16}" y2="{y + 7}"/>')
    parts.append(words(x + 22, y + 11, f"the goal, {goal:g}x", "small"))
    return parts
