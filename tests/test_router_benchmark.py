"""benchmarks/router runs, and knows which rows owe a reason."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
ROUTER = ROOT / "benchmarks" / "router"


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity")
    or len(os.sched_getaffinity(0)) < 2
    or shutil.which("taskset") is None,
    reason="the benchmark needs Linux, two cores and taskset",
)
def test_a_tiny_run_is_written_down(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.router", "--tables", "10,github"),
            *("--only", "guava", "--rounds", "2", "--seconds", "0.001", "--save", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "router.json").read_text())
    keys = ["static-10", "one-10", "deep-10", "miss-10", "github"]
    assert [row["key"] for row in found["rows"]] == keys
    for row in found["rows"]:
        assert row["contestants"]["guava"]["ns"] > 0
        assert len(row["contestants"]["guava"]["rounds"]) == 2
    github = found["tables"][1]["contestants"]["guava"]
    assert github["seconds"] > 0 and github["memory"] > 0
    assert "GitHub's REST API" in (tmp_path / "router.md").read_text()
    ElementTree.parse(tmp_path / "router.svg")


def test_wrong_answers_strike_a_router_out() -> None:
    """A router that has forgotten its last route, and one that finds too much."""
    script = """
import json, tempfile
from benchmarks.router import inside, peers
from benchmarks.router.tables import made_up
table = made_up(10)
class Forgetful(peers.Guava):
    def __init__(self, routes, handlers):
        super().__init__(routes[:-1] or routes, handlers[:-1] or handlers)
class Finder(peers.Guava):
    def found(self, request):
        return super().found(request) or (None, {})
with tempfile.NamedTemporaryFile("w") as file:
    json.dump({"routes": table.routes, "requests": table.requests}, file)
    file.flush()
    for peer in peers.Guava, Forgetful, Finder:
        peers.PEERS["some"] = peer
        asked = inside.Asked("some", file.name)
        asked.build()
        print(json.dumps(asked.check()["wrong"]))
"""
    right, forgetful, finder = map(json.loads, run(script).splitlines())
    assert right is None
    assert forgetful.startswith("answers nothing for GET /")
    assert finder.startswith("answers {} for GET /")


def test_a_row_that_misses_its_goal_owes_a_reason() -> None:
    """Times that nobody measured: at 10 routes the goal is met, at 1 000 it is not."""
    script = """
import json
import benchmarks.router.results as results
from benchmarks.common.results import unexplained
from benchmarks.router.contestants import CONTESTANTS
from benchmarks.router.tables import made_up
some = [one for one in CONTESTANTS if one.key in ("guava", "falcon", "find-my-way")]
found = results.Results(some, 1, 0.1)
found.tables = [made_up(10), made_up(1000)]
for table, ours, falcon in zip(found.tables, (100.0, 160.0), (500.0, 780.0)):
    for kind in table.requests:
        for key, ns in ("guava", ours), ("falcon", falcon), ("find-my-way", 10.0):
            found.samples[key, table.key, kind] = [ns, ns * 1.1]
results.reasons = lambda: {"static-1000": "it is as it is"}
told = found.as_dict()
print(json.dumps(unexplained(told["rows"], results.below)))
print(json.dumps(unexplained(told["flat"], results.steep)))
"""
    rows, flat = map(json.loads, run(script).splitlines())
    assert rows == ["one-1000", "deep-1000", "miss-1000"]
    assert flat == ["flat-static", "flat-one", "flat-deep", "flat-miss"]


def test_reasons_are_of_rows_that_there_are() -> None:
    script = """
from benchmarks.router.results import name
from benchmarks.router.tables import KINDS, SIZES
for kind in KINDS:
    print(f"flat-{kind}", *(name(kind, str(size)) for size in SIZES))
"""
    known = run(script).split()
    reasons = tomllib.loads((ROUTER / "reasons.toml").read_text())
    assert not set(reasons) - set(known)
    assert all(text.strip() for text in reasons.values())


def test_the_harness_needs_no_peer_to_be_imported() -> None:
    script = """
import sys
for name in ("werkzeug", "starlette", "falcon", "sanic", "litestar", "aiohttp"):
    sys.modules[name] = None
import benchmarks.router.__main__, benchmarks.router.inside
"""
    run(script)


def test_tables_are_the_same_each_time_and_hold_each_kind() -> None:
    script = """
import json
from benchmarks.router.tables import ASKED, made_up
for table in made_up(1000), made_up(1000):
    assert len(set(table.routes)) == 1000
    for kind, requests in table.requests.items():
        assert len(requests) == ASKED
        assert all((number is None) == (kind == "miss") for _, _, number, _ in requests)
    print(json.dumps([table.routes, table.requests]))
"""
    one, two = run(script).splitlines()
    assert one == two
