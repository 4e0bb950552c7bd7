"""The standard library's tests for any event loop, on ours: the short form of conformance/."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parent / "conformance" / "on_guava.py"

# Each of these classes is one of test.test_asyncio's mixins with a loop, which will be ours.
CLASSES = [
    "test_events.SelectEventLoopTests",
    "test_sock_lowlevel.SelectEventLoopTests",
    "test_sendfile.SelectEventLoopTests",
    "test_buffered_proto.BufferedProtocolSelectorTests",
]


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_asyncio") is None,
    # Debian ships the tests of its Python apart, in libpython3-testsuite.
    reason="this Python was installed without test.test_asyncio",
)
@pytest.mark.parametrize("name", CLASSES)
def test_mixin(name: str) -> None:
    command = [sys.executable, RUNNER, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout, f"{name} ended with {done.returncode}:\n{done.stderr[-4000:]}"
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["bad"] == {}, "\n\n".join(result["bad"].values())
    assert 0 < result["run"] <= result["loops"]  # each made its own, of ours
