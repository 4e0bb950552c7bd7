"""Fifty thousand requests of each kind leave resident memory flat.

`python benchmarks/soak.py` makes a million.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GATES = Path(__file__).parent / "gates"
REQUESTS, CONNECTIONS = 50_000, 5_000
# A page or two may be touched for the first time. What is kept of every request is far more: five
# bytes of each are over it.
ROOM = 256 * 1024  # bytes


@pytest.fixture(scope="module")
def grown():
    if os.environ.get("GUAVA_SANITIZED"):
        pytest.skip("AddressSanitizer keeps freed memory in quarantine")
    if not Path("/proc/self/status").exists():
        pytest.skip("resident memory is read from /proc")
    command = [sys.executable, GATES / "memory.py", GATES / "server.py"]
    command += ["--requests", str(REQUESTS), "--connections", str(CONNECTIONS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_memory_is_flat(grown):
    assert len(grown) > 5
    assert {row: by for row, by in grown.items() if by > ROOM} == {}
