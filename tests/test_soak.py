"""benchmarks/soak_loop.py for a few seconds, and soak.py with a few clients of each kind; by
themselves they go on for minutes."""

import json
import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_nothing_breaks_in_a_few_seconds():
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        BENCHMARKS / "soak_loop.py",
        "--seconds",
        "4",
        "--rounds",
        "2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"(\w[\w -]*) (\d+)", done.stdout.splitlines()[-2]))
    assert int(counts["bytes"]) > 100_000
    for kind in ("tcp", "unix", "datagrams", "pipes", "sockets"):
        assert int(counts[kind]) > 0, done.stdout


def test_clients_of_every_kind():
    # What memory does in so few exchanges says nothing; that the answers are right does.
    command = [sys.executable, BENCHMARKS / "soak_clients.py", "--exchanges", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(json.loads(done.stdout)) > 10
    assert done.stderr == ""
