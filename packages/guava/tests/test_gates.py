"""What a request to an MVC controller costs: system calls, instructions, memory.

As guava-http's gates, with the same tool: gates/ is its folder. The counts on record are those of
instructions.json, for each build that somebody recorded.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GATES = HERE / "gates"
SERVER = HERE / "mvc" / "server.py"
RECORDED = HERE / "instructions.json"
ROWS = {
    "MVC": 3.0,
    "MVC, returned": 3.0,
    "MVC, async": 3.0,
    "MVC, an argument": 3.0,
    "MVC, browser's headers": 3.0,
    "MVC, 16 pipelined": 3 / 16,
}
ROOM = 256 * 1024  # bytes


def run(script, *arguments):
    command = [sys.executable, GATES / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def needs(tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    if os.environ.get("GUAVA_SANITIZED"):
        pytest.skip("AddressSanitizer is in the way: it makes calls and keeps memory of its own")


@pytest.fixture(scope="module")
def syscalls():
    needs("strace")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode:
        pytest.skip("strace may not trace here (no ptrace)")
    return run("count.py", "syscalls", SERVER)


@pytest.fixture(scope="module")
def instructions():
    needs("valgrind")
    if hasattr(sys, "gettotalrefcount"):
        pytest.skip("a debug build of Python spends most of its instructions on its own checks")
    return run("count.py", "instructions", SERVER)


@pytest.mark.parametrize("row", ROWS)
def test_system_calls_per_request(syscalls, row):
    assert syscalls.keys() == ROWS.keys()
    assert syscalls[row]["total"] == pytest.approx(ROWS[row], abs=0.005), syscalls[row]


@pytest.mark.parametrize("row", ROWS)
def test_instructions_per_request(instructions, row):
    recorded = json.loads(RECORDED.read_text()).get(instructions["key"])
    command = shlex.join(["python", str(GATES / "count.py"), "record", str(SERVER), str(RECORDED)])
    if recorded is None:
        pytest.skip(f"no count on record for {instructions['key']!r}; to record: {command}")
    found = instructions["rows"][row]["instructions"]
    assert found == pytest.approx(recorded[row], rel=0.02), f"if it is meant: {command}"


def test_memory_is_flat():
    if os.environ.get("GUAVA_SANITIZED"):
        pytest.skip("AddressSanitizer keeps freed memory in quarantine")
    if not Path("/proc/self/status").exists():
        pytest.skip("resident memory is read from /proc")
    grown = run("memory.py", SERVER, "--requests", "50000", "--connections", "2000")
    assert grown.keys() == ROWS.keys() | {"connections"}
    assert {row: by for row, by in grown.items() if by > ROOM} == {}
