"""benchmarks/loop runs: a row inside a process, and a row under load."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
LOOP = ROOT / "benchmarks" / "loop"


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity")
    or len(os.sched_getaffinity(0)) < 2
    or shutil.which("taskset") is None
    or shutil.which("cc") is None,
    reason="the benchmark needs Linux, two cores, taskset and a C compiler",
)
def test_a_tiny_run_is_written_down(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.loop", "--rows", "call-soon,protocol-1k-x1"),
            *("--loops", "guava-loop", "--rounds", "1", "--seconds", "0.02"),
            *("--patience", "0", "--save", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "loop.json").read_text())
    assert [row["key"] for row in found["rows"]] == ["call-soon", "protocol-1k-x1"]
    for row in found["rows"]:
        assert row["loops"]["guava-loop"]["rate"] > 0
        assert row["loops"]["guava-loop"]["cpu_us"] > 0
        assert row["loops"]["uvloop"] == {"failed": "not measured"}
    assert "| 1 KiB, 1 connection |" in (tmp_path / "loop.md").read_text()
    ElementTree.parse(tmp_path / "loop.svg")


def test_a_row_below_the_goal_owes_a_reason() -> None:
    """A run in which every loop is as fast as the others, without measuring."""
    script = """
import benchmarks.loop.results as results
from benchmarks.loop.__main__ import owed
from benchmarks.loop.loops import CONTENDERS
from benchmarks.loop.measure import Sample
from benchmarks.loop.rows import ROWS
found = results.Results(ROWS[:2], 1, 1.0)
for row in ROWS[:2]:
    for contender in CONTENDERS:
        found.add(contender, row, Sample(rate=100.0, cpu_us=1.0, foreign=0.0))
results.reasons = lambda: {ROWS[0].key: "it is as it is"}
print(*owed(found))
print(ROWS[1].key)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    owed, row = done.stdout.split()
    assert owed == row


def test_reasons_are_of_rows_that_there_are() -> None:
    known = subprocess.run(
        [sys.executable, "-m", "benchmarks.loop", "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.split()
    assert len(known) == len(set(known)) > 50
    assert all(re.fullmatch(r"[a-z0-9-]+", key) for key in known)
    reasons = tomllib.loads((LOOP / "reasons.toml").read_text())
    assert not set(reasons) - set(known)
    assert all(text.strip() for text in reasons.values())


def test_the_harness_needs_no_uvloop_to_be_imported() -> None:
    if importlib.util.find_spec("uvloop") is None:
        pytest.skip("without uvloop, the other tests show it")
    script = """
import sys
sys.modules["uvloop"] = None
import benchmarks.loop.__main__, benchmarks.loop.serve, benchmarks.loop.inside
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)
