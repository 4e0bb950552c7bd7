"""What all runs tell of themselves, the reasons that rows owe, and how a run is saved."""

import json
import platform
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def machine(cores: str) -> dict[str, Any]:
    """Where a run was; `cores` says what they were used for."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()}, {platform.python_compiler()}",
    }


def machine_line(results: dict[str, Any]) -> str:
    machine = results["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']}. {machine['system']}, Python {machine['python']}."
    )


def disturbance(figures: Iterable[dict[str, Any]]) -> str:
    """The least and the most that others took."""
    foreign = [one["foreign"] for one in figures if "foreign" in one]
    return f"{min(foreign):.0%} to {max(foreign):.0%}" if foreign else "an unknown part"


def reasons(folder: Path) -> dict[str, str]:
    """Why rows are not where they should be, as people have found out and written down."""
    found = tomllib.loads((folder / "reasons.toml").read_text())
    return {key: " ".join(str(text).split()) for key, text in found.items()}


def explain(
    rows: Iterable[dict[str, Any]], owes: Callable[[Any], bool], why: dict[str, str]
) -> None:
    """Gives the rows that owe a reason theirs."""
    for row in rows:
        if owes(row) and row["key"] in why:
            row["reason"] = why[row["key"]]


def unexplained(rows: Iterable[dict[str, Any]], owes: Callable[[Any], bool]) -> list[str]:
    """The rows that owe a reason, and have none."""
    return [row["key"] for row in rows if owes(row) and "reason" not in row]


def save(name: str, results: dict[str, Any], folder: Path, markdown: str, picture: str) -> None:
    """Writes NAME.json, NAME.md and NAME.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    for suffix, content in (("json", text), ("md", markdown), ("svg", picture)):
        (folder / f"{name}.{suffix}").write_text(content)
