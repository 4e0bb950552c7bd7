"""benchmarks/soak_loop.py for a few seconds; by itself it goes on for minutes."""

import re
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parent.parent / "benchmarks/soak_loop.py"


def test_nothing_breaks_in_a_few_seconds():
    command = [sys.executable, "-X", "faulthandler", SOAK, "--seconds", "4", "--rounds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"(\w[\w -]*) (\d+)", done.stdout.splitlines()[-2]))
    assert int(counts["bytes"]) > 100_000
    for kind in ("tcp", "unix", "datagrams", "pipes", "sockets"):
        assert int(counts[kind]) > 0, done.stdout
