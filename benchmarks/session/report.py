"""The table and the picture of a run."""

from typing import Any

from benchmarks.common import results as common
from benchmarks.common.svg import document, words

WIDTH, LEFT, BAR = 760, 330, 18
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #24292f; }
.small { fill: #57606a; font-size: 10px; }
.title { font-size: 16px; font-weight: 600; }
.row { font-weight: 600; }
.ours { fill: #2e8b57; }
.peer { fill: #8096ad; }
.limit { fill: #b08c5a; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .ours { fill: #3fb27f; }
}
"""


def shown(row: dict[str, Any], value: float) -> str:
    if row["unit"] == "bytes":
        return f"{value:,.0f} bytes"
    return f"{value / 1000:,.2f} µs"


def markdown(found: dict[str, Any]) -> str:
    lines = [
        "# Sessions",
        "",
        common.machine_line(found),
        "",
        f"Best of {found['rounds']} rounds of {found['seconds']} s each, in turns. Times: what it "
        "takes over what ours takes; above 1 ours is ahead.",
        "",
        "| row | who | | times |",
        "|---|---|---:|---:|",
    ]
    for row in found["rows"]:
        for key, one in row["contestants"].items():
            if "failed" in one:
                lines.append(f"| {row['key']} | {key} | {one['failed']} | |")
            else:
                value = shown(row, one["best"])
                lines.append(f"| {row['key']} | {key} | {value} | {one['times']:.2f} |")
    reasons = [row for row in found["rows"] if "reason" in row]
    if reasons:
        lines += ["", "Where a peer is ahead:", ""]
        lines += [f"- {row['key']}: {row['reason']}" for row in reasons]
    lines += ["", *(f"- {text}" for text in found["notes"]), ""]
    return "\n".join(lines)


def picture(found: dict[str, Any]) -> str:
    parts = [words(16, 26, "Sessions: what it takes, over what ours takes", "title")]
    y = 52.0
    for row in found["rows"]:
        measured = {key: one for key, one in row["contestants"].items() if "times" in one}
        if not measured:
            continue
        parts.append(words(16, y, row["title"], "row"))
        most = max(one["times"] for one in measured.values())
        for key, one in measured.items():
            y += BAR
            style = "ours" if key == row["ours"] else "limit" if one["limit"] else "peer"
            length = max(1.0, (WIDTH - LEFT - 150) * one["times"] / most)
            parts.append(words(LEFT - 8, y, key, "small", "end"))
            parts.append(
                f'<rect class="{style}" x="{LEFT}" y="{y - 10:.0f}" width="{length:.1f}" '
                'height="12" rx="2"/>'
            )
            text = f"{one['times']:.2f} times, {shown(row, one['best'])}"
            parts.append(words(LEFT + length + 6, y, text, "small"))
        y += BAR + 12
    return document("Sessions", STYLE, WIDTH, y, parts)
