"""A whole server under random clients, for a moment; fuzz/server.py does the same for as long as
it is told to. GUAVA_FUZZ_SEED: another seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "fuzz" / "server.py"
SEED = os.environ.get("GUAVA_FUZZ_SEED", "1")
ROUNDS = {"native": 300, "adapter": 150, "asyncio": 150}


@pytest.mark.parametrize("transport", ROUNDS)
def test_random_clients(transport):
    command = [sys.executable, "-X", "faulthandler", SCRIPT, "--seed", SEED]
    command += ["--rounds", str(ROUNDS[transport]), "--transport", transport]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    counts = dict(pair.split("=") for pair in done.stdout.split())
    assert int(counts["rounds"]) == ROUNDS[transport]
    # Of the requests many are fit to be answered.
    assert int(counts["calls"]) > ROUNDS[transport]
