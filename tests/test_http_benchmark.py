"""benchmarks/http runs: rows under load, and the row of idle connections."""

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
HTTP = ROOT / "benchmarks" / "http"

measures = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity")
    or len(os.sched_getaffinity(0)) < 2
    or any(shutil.which(name) is None for name in ("taskset", "cc", "pkg-config")),
    reason="the benchmark needs Linux, two cores, taskset, a C compiler and pkg-config",
)


def run(*command: str, **options: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=options.get("timeout", 120),
    )


@measures
@pytest.mark.skipif(shutil.which("wrk") is None, reason="rows under load need wrk")
def test_a_tiny_run_is_written_down(tmp_path: Path) -> None:
    done = run(
        *("-m", "benchmarks.http", "--rows", "hello-pipelined", "--only", "limit,guava-def"),
        *("--rounds", "1", "--seconds", "1", "--patience", "0", "--save", str(tmp_path)),
    )
    found = json.loads((tmp_path / "http.json").read_text())
    (row,) = found["rows"]
    assert row["key"] == "hello-pipelined", done.stderr
    assert set(row["contestants"]) == {"limit", "guava-def"}
    for figures in row["contestants"].values():
        assert figures["rate"] > 0, done.stderr
        assert figures["cpu_us"] > 0
        assert figures["cpu_ratio"] > 0
    assert "guava-def" in row["goals"][0]["goal"]
    assert "| **guava-http, `def`** |" in (tmp_path / "http.md").read_text()
    ElementTree.parse(tmp_path / "http.svg")


SMALL = """
import dataclasses, sys
import benchmarks.http.__main__ as main
main.ROWS[:] = [dataclasses.replace(row, idle=50) for row in main.ROWS if row.idle]
sys.exit(main.main())
"""


@measures
def test_idle_connections_are_held_and_others_served(tmp_path: Path) -> None:
    done = run(
        *("-c", SMALL, "--only", "guava-def", "--rounds", "1", "--patience", "0"),
        *("--save", str(tmp_path)),
    )
    (row,) = json.loads((tmp_path / "http.json").read_text())["rows"]
    figures = row["contestants"]["guava-def"]
    assert figures.get("rate", 0) > 0, done.stderr
    assert "memory" in figures
    assert done.returncode == 0, done.stderr


def test_a_missed_goal_or_a_peer_ahead_owes_a_reason() -> None:
    """Results made up, so that nothing is measured."""
    script = """
import benchmarks.http.results as results
from benchmarks.http.contestants import CONTESTANTS
from benchmarks.http.measure import Sample
from benchmarks.http.rows import ROWS
by_key = {one.key: one for one in CONTESTANTS}
rows = [row for row in ROWS if row.key in ("hello", "json", "form")]
found = results.Results(rows, CONTESTANTS, 1)
for row, cpu in zip(rows, (20.0, 10.0, 10.0)):
    found.add(by_key["limit"], row, Sample(100.0, 10.0, 1.0, 0.0, 1.0))
    found.add(by_key["guava-def"], row, Sample(100.0, cpu, 1.0, 0.0, 1.0))
found.add(by_key["go"], rows[1], Sample(104.0, 99.0, 1.0, 0.0, 1.0))
found.add(by_key["go"], rows[2], Sample(102.0, 9.8, 1.0, 0.0, 1.0))
results.reasons = lambda: {}
print(*(row["key"] for row in found.as_dict()["rows"] if results.missed(row)))
"""
    done = run("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["hello", "json"]


def test_reasons_are_of_rows_that_there_are() -> None:
    known = run("-m", "benchmarks.http", "--list").stdout.split()
    assert len(known) == len(set(known)) > 15
    assert all(re.fullmatch(r"[a-z0-9-]+", key) for key in known)
    reasons = tomllib.loads((HTTP / "reasons.toml").read_text())
    assert not set(reasons) - set(known)
    assert all(text.strip() for text in reasons.values())


def test_requests_are_whole() -> None:
    """The length that each request declares is that of its body, and 703 bytes are 703."""
    script = """
from benchmarks.http.rows import ROWS
for row in ROWS:
    head, _, body = row.request().partition(b"\\r\\n\\r\\n")
    assert (f"Content-Length: {len(body)}".encode() in head) == (row.body is not None), row.key
    assert row.right(row.answer) and not row.right(b"other"), row.key
print(len(next(row for row in ROWS if row.key == "browser").request()))
"""
    done = run("-c", script)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 703
