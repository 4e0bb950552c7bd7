"""CPython's own asyncio tests, module by module, on our loop."""

import importlib.util
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
try:
    import exclusions
    import floors
finally:
    sys.path.remove(str(HERE))

# Debian packs the tests of its Python's standard library apart (libpython3.11-testsuite, say).
try:
    found = importlib.util.find_spec("test.test_asyncio")
except ModuleNotFoundError:
    found = None
pytestmark = pytest.mark.skipif(
    found is None, reason="this Python was installed without test.test_asyncio"
)
FOLDERS = [] if found is None else list(found.submodule_search_locations or [])

MODULES = sorted(
    module.name for module in pkgutil.iter_modules(FOLDERS) if module.name.startswith("test_")
)


# Debug mode goes ways of its own wherever there are loops; the rest has nothing to show in it.
IN_DEBUG_MODE = [
    "test_base_events",
    "test_buffered_proto",
    "test_events",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_ssl",
    "test_sslproto",
    "test_streams",
    "test_subprocess",
    "test_taskgroups",
    "test_timeouts",
    "test_unix_events",
]


def run(module: str, **environment: str) -> None:
    command = [sys.executable, HERE / "on_guava.py", module]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=os.environ | environment
    )
    assert done.stdout, f"{module} ended with {done.returncode}:\n{done.stderr[-4000:]}"
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["bad"] == {}, "\n\n".join(
        f"{name}\n{text}" for name, text in result["bad"].items()
    )
    tests, loops = floors.floor(module, ".".join(map(str, sys.version_info[:2])))
    assert result["run"] >= max(tests, 1)
    assert result["loops"] >= loops


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str) -> None:
    if module in exclusions.MODULES:
        pytest.skip(exclusions.MODULES[module])
    run(module)


@pytest.mark.parametrize("module", IN_DEBUG_MODE)
def test_module_in_debug_mode(module: str) -> None:
    assert module in MODULES
    run(module, PYTHONASYNCIODEBUG="1")


def test_every_exclusion_names_a_test() -> None:
    """A reason that outlives its test would hide the next one of that name."""
    for name in exclusions.MODULES:
        assert name in MODULES
    for group, methods in exclusions.TESTS.items():
        module, _, class_name = group.partition(".")
        tests = importlib.import_module(f"test.test_asyncio.{module}")
        for method in methods:
            # Not every Python has every test.
            if sys.version_info >= (3, 12):
                assert hasattr(getattr(tests, class_name), method)
