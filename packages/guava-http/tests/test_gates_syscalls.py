"""A request costs three system calls: the wait, the read, the write. Counted by strace."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GATES = Path(__file__).parent / "gates"

# Sixteen pipelined requests share the three. One that suspends waits no more often: the loop runs
# the callback that carries it on before it polls again.
EXPECTED = {
    "def": 3.0,
    "def, browser's headers": 3.0,
    "def, 16 pipelined": 3 / 16,
    "async def": 3.0,
    "async def, 16 pipelined": 3 / 16,
    "async def, one suspension": 3.0,
    "JSON": 3.0,
}


@pytest.fixture(scope="module")
def counted():
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if os.environ.get("GUAVA_SANITIZED"):
        pytest.skip("AddressSanitizer makes system calls of its own")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode:
        pytest.skip("strace may not trace here (no ptrace)")
    done = subprocess.run(
        [sys.executable, GATES / "count.py", "syscalls", GATES / "server.py"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_row_is_counted(counted):
    assert counted.keys() == EXPECTED.keys()


@pytest.mark.parametrize("row", EXPECTED)
def test_system_calls_per_request(counted, row):
    # The clock's turns are not counted; half a hundredth is room for one that looked like a wait.
    assert counted[row]["total"] == pytest.approx(EXPECTED[row], abs=0.005), counted[row]
