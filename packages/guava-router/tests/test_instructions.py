"""What a match costs next to a look-up in a dict, in instructions counted in the same run.

The dict has the paths as its keys: the least that a program could do for static ones. Both
are asked with new strings, from the same loop. Time would tell more about the machine.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "gates" / "matches.py"
ROWS = ("dict", "static", "one")
FEW, MANY = 100, 500  # of the script
# Counted: 1.16 and 2.11 on Python 3.11, 1.20 and 2.40 on 3.13; the room is for other compilers.
STATIC, ONE = 1.5, 2.7
PARTS = 6  # dumps of each row, every other one of them with its work


def instructions(folder):
    """Instructions of each row, for one of what it does many times."""
    out = folder / "out"
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    tool += ["--dump-before=getppid", sys.executable, SCRIPT]
    # Else the hashes of strings, and with them the counts, are others each time.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(tool, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    found = {}
    for number, row in enumerate(ROWS):
        # Dump 1 ends before the first row's work, dump 2 behind it, and so on.
        few, many = (total(out, PARTS * number + part) for part in (4, 6))
        found[row] = (many - few) / (MANY - FEW)
    return found


def total(out, number):
    text = Path(f"{out}.{number}").read_text(errors="replace")
    return int(re.search(r"^totals: (\d+)", text, re.MULTILINE)[1])


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.skipif(
    "GUAVA_SANITIZED" in os.environ, reason="AddressSanitizer does not run under valgrind"
)
@pytest.mark.skipif(
    hasattr(sys, "gettotalrefcount"), reason="a debug build of Python counts its own checks"
)
def test_a_match_costs_as_a_few_look_ups_in_a_dict(tmp_path):
    found = instructions(tmp_path)
    assert 0 < found["static"] < STATIC * found["dict"], found
    assert 0 < found["one"] < ONE * found["dict"], found
