"""benchmarks/session runs, and knows which rows owe a reason."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
SESSION = ROOT / "benchmarks" / "session"


def test_a_tiny_run_is_written_down(tmp_path: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.session", "--only", "get,memory,wsgi-memory-*"),
            *("--rounds", "2", "--seconds", "0.001", "--sessions", "500"),
            *("--save", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    found = json.loads((tmp_path / "session.json").read_text())
    rows = {row["key"]: row for row in found["rows"]}
    assert set(rows) == {
        "get",
        "memory",
        "collection",
        "wsgi-memory-read",
        "wsgi-memory-write",
    }
    for row in rows.values():
        assert row["contestants"][row["ours"]]["times"] == 1
        assert any(one.get("limit") for one in row["contestants"].values())
    assert "| get | guava: memory |" in (tmp_path / "session.md").read_text()
    ElementTree.parse(tmp_path / "session.svg")


def test_who_owes_a_reason() -> None:
    script = """
from benchmarks.session.__main__ import behind
from benchmarks.session.stores import KEYS

def row(key, times, limit=False, name="peer"):
    return {"key": key, "contestants": {name: {"times": times, "limit": limit}}}

assert behind(row("flask-file-read", 0.9)) and not behind(row("flask-file-read", 1.1))
assert not behind(row("wsgi-memory-read", 0.1, limit=True))
dicts = KEYS["dict-copied"]
assert behind(row("get", 0.4, True, dicts)) and not behind(row("get", 0.6, True, dicts))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_every_reason_is_of_a_row() -> None:
    reasons = tomllib.loads((SESSION / "reasons.toml").read_text())
    script = """
import asyncio, pathlib
from benchmarks.session.requests import groups
for group in groups(pathlib.Path("."), 1, None):
    print(f"{group}-read", f"{group}-write")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert set(reasons) <= {"get", "set", *done.stdout.split()}, done.stderr
