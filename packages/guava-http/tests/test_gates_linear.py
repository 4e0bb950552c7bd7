"""What a client's text costs grows with its length and with nothing else: counted in instructions
by callgrind, as seconds lie."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "gates" / "linear.py"


def total(dump):
    found = re.search(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)
    return int(found[1])


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """Of each reader its instructions at one, two and three lengths."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    if os.environ.get("GUAVA_SANITIZED"):
        pytest.skip("valgrind and AddressSanitizer exclude each other")
    if hasattr(sys, "gettotalrefcount"):
        pytest.skip("a debug build of Python fills and checks each block of memory")
    out = tmp_path_factory.mktemp("linear") / "out"
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    tool += ["--dump-before=getppid"]
    done = subprocess.run(
        [*tool, sys.executable, SCRIPT], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    names = done.stdout.splitlines()
    # The first dump is of what came before the first mark.
    counts = [total(Path(f"{out}.{number + 2}")) for number in range(3 * len(names))]
    return {name: counts[3 * at : 3 * at + 3] for at, name in enumerate(names)}


def test_twice_the_length_costs_twice_as_much(counted):
    assert len(counted) > 20
    grown = {}
    for name, (one, two, three) in counted.items():
        first, second = two - one, three - two
        # A square's second step would cost five thirds of the first one. What is refused at once
        # does not grow at all.
        if second > 1.5 * first + 20_000:
            grown[name] = (one, two, three)
    assert not grown
