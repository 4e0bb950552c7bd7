"""CPython's own asyncio tests, module by module, on our loop."""

import importlib.util
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
try:
    import exclusions
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


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str) -> None:
    if module in exclusions.MODULES:
        pytest.skip(exclusions.MODULES[module])
    command = [sys.executable, HERE / "on_guava.py", module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.stdout, f"{module} ended with {done.returncode}:\n{done.stderr[-4000:]}"
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["bad"] == {}, "\n\n".join(
        f"{name}\n{text}" for name, text in result["bad"].items()
    )
    # A module that no longer loads would pass with nothing run.
    assert result["run"] > 0


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
