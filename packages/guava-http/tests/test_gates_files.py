"""A file costs what nginx's does without its cache: the three system calls of every request, and
opening, looking at, sending and closing the file. And not much of ours on top."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GATES = Path(__file__).parent / "gates"

CALLS = {
    "no file": {"epoll_wait", "recvfrom", "sendto"},
    # Small: read behind its head, so that both leave in one write.
    "1 KiB": {"epoll_wait", "recvfrom", "openat", "newfstatat", "pread64", "close", "sendto"},
    # Large: by the kernel, all of it in the same turn of the loop.
    "100 KiB": {"epoll_wait", "recvfrom", "openat", "newfstatat", "sendto", "sendfile", "close"},
}
# Of other C libraries and machines, for the same call.
SAME = {"fstat": "newfstatat", "epoll_pwait": "epoll_wait", "read": "recvfrom", "write": "sendto"}
# Instructions beyond those of an answer without a file: 5 300 and 6 300 where this was written.
MOST = {"1 KiB": 8000, "100 KiB": 9000}


def counted(what, tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    if os.environ.get("GUAVA_SANITIZED"):
        pytest.skip("AddressSanitizer makes calls of its own")
    done = subprocess.run(
        [sys.executable, GATES / "count.py", what, GATES / "files.py"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_system_calls():
    if shutil.which("strace") is not None:
        tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
        if tried.returncode:
            pytest.skip("strace may not trace here (no ptrace)")
    found = counted("syscalls", "strace")
    assert found.keys() == CALLS.keys()
    for row, names in CALLS.items():
        per = found[row]["by_name"]
        # Half a hundredth is room for a turn of the clock that looked like a wait.
        often = {SAME.get(name, name) for name, n in per.items() if n > 0.005}
        assert often == names, row
        assert found[row]["total"] == pytest.approx(len(names), abs=0.005), per


def test_instructions():
    if hasattr(sys, "gettotalrefcount"):
        pytest.skip("a debug build counts otherwise")
    rows = counted("instructions", "valgrind")["rows"]
    for row, most in MOST.items():
        assert rows[row]["instructions"] - rows["no file"]["instructions"] < most, rows
