"""Instructions per request are those on record, within 2 %. Counted by callgrind.

They are on record for each build that somebody recorded: another compiler or Python counts
otherwise, and is skipped with the command to record it. A change for the better must be recorded
too, else the next change for the worse would pass.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GATES = Path(__file__).parent / "gates"
RECORDED = Path(__file__).parent / "instructions.json"
ROWS = [
    "def",
    "def, browser's headers",
    "def, 16 pipelined",
    "async def",
    "async def, 16 pipelined",
    "async def, one suspension",
    "JSON",
]


@pytest.fixture(scope="module")
def counted():
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    if os.environ.get("GUAVA_SANITIZED"):
        pytest.skip("valgrind and AddressSanitizer exclude each other")
    if hasattr(sys, "gettotalrefcount"):
        pytest.skip("a debug build of Python spends most of its instructions on its own checks")
    done = subprocess.run(
        [sys.executable, GATES / "count.py", "instructions", GATES / "server.py"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_row_is_counted(counted):
    assert counted["rows"].keys() == set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_instructions_per_request(counted, row):
    recorded = json.loads(RECORDED.read_text()).get(counted["key"])
    command = shlex.join(
        ["python", str(GATES / "count.py"), "record", str(GATES / "server.py"), str(RECORDED)]
    )
    if recorded is None:
        pytest.skip(f"no count on record for {counted['key']!r}; to record: {command}")
    found = counted["rows"][row]["instructions"]
    assert found == pytest.approx(recorded[row], rel=0.02), f"if it is meant: {command}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.startswith("def")])
def test_no_malloc_per_request(counted, row):
    """Nothing is asked of the C library's allocator for a request with a `def` handler."""
    assert counted["rows"][row]["mallocs"] == pytest.approx(0, abs=0.005)
