"""The picture: a panel for each row, with a bar for each server: requests that it answers in a
second of its CPU time, as a share of the best."""

from typing import Any

from benchmarks.common.svg import document, words

COLUMNS, PANEL, GAP = 3, 390, 22
TOP, HEAD, BAR, LEFT, RIGHT = 70, 30, 16, 138, 80

STYLE = """
text { font: 11px system-ui, sans-serif; fill: #24292f; }
.small { fill: #57606a; }
.panel { font-size: 12px; font-weight: 600; }
.title { font-size: 16px; font-weight: 600; }
.ours { fill: #2e8b57; }
.peer { fill: #b8c7d9; }
.base { fill: #9aa0a6; }
.none { fill: #8c959f; font-style: italic; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .ours { fill: #3fb27f; }
  .peer { fill: #4a5d73; }
  .base { fill: #6e7681; }
}
"""


def style(key: str) -> str:
    if key.startswith("guava"):
        return "ours"
    return "base" if key == "limit" else "peer"


def microseconds(value: float) -> str:
    return f"{value:,.0f} µs" if value >= 100 else f"{value:.2f} µs"


def panel(row: dict[str, Any], titles: dict[str, str], x: float, y: float) -> list[str]:
    measured = {key: one for key, one in row["contestants"].items() if "cpu_us" in one}
    parts = [words(x, y + 16, row["title"], "panel")]
    y += HEAD
    if not measured:
        return [*parts, words(x, y + 11, "not measured", "none")]
    least = min(one["cpu_us"] for one in measured.values())
    for key, one in sorted(measured.items(), key=lambda pair: pair[1]["cpu_us"]):
        width = (PANEL - LEFT - RIGHT) * least / one["cpu_us"]
        parts.append(words(x + LEFT - 6, y + 11, titles[key].replace("`", ""), anchor="end"))
        parts.append(
            f'<rect class="{style(key)}" x="{x + LEFT:.1f}" y="{y + 2:.1f}" '
            f'width="{max(width, 1):.1f}" height="{BAR - 5}"/>'
        )
        text = microseconds(one["cpu_us"])
        parts.append(words(x + LEFT + max(width, 1) + 5, y + 11, text, "small"))
        y += BAR
    return parts


def height(row: dict[str, Any]) -> float:
    bars = sum("cpu_us" in one for one in row["contestants"].values())
    return HEAD + BAR * max(bars, 1) + GAP


def picture(results: dict[str, Any]) -> str:
    titles = {one["key"]: one["title"] for one in results["contestants"]}
    body: list[str] = []
    y: float = TOP
    rows = results["rows"]
    for start in range(0, len(rows), COLUMNS):
        line = rows[start : start + COLUMNS]
        for column, row in enumerate(line):
            body += panel(row, titles, 20 + column * (PANEL + GAP), y)
        y += max(height(row) for row in line)
    width = 20 + COLUMNS * (PANEL + GAP)
    return document(
        "guava-http beside its peers",
        STYLE,
        width,
        y,
        [
            words(20, 28, "Requests answered in a second of the server's CPU time", "title"),
            words(
                20,
                48,
                "the longer the better; the figures are microseconds of CPU a request; grey: the "
                "limit, a C server without Python that gives a fixed answer",
                "small",
            ),
            *body,
        ],
    )
