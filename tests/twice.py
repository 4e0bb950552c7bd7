"""pytest, and what failed in company once more, alone.

The tests run several at a time, on a machine that may have other work, too. What waits for a
process, a thread or the kernel has deadlines that are far away, but not endless. So when a few
tests fail they are run again, one after the other, and these results count; both runs are in the
output. It is no second chance for a crash, nor for many failures.

    python tests/twice.py [PYTEST ARGUMENT...]
"""

import subprocess
import sys
from typing import Any

import pytest

MANY = 10
"""With more failures than this something is broken."""


class Watch:
    """Knows of the tests that failed, and whether a process of theirs ended unasked."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.crashed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.crashed = self.crashed or report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        self.crashed = self.crashed or error is not None


def main(arguments: list[str]) -> int:
    watch = Watch()
    code = pytest.main(arguments, plugins=[watch])
    if code != pytest.ExitCode.TESTS_FAILED or watch.crashed or len(watch.failed) > MANY:
        return int(code)
    print("\n---- once more, alone:", *sorted(watch.failed), sep="\n", flush=True)
    again = ["-n", "0", "--last-failed", "--last-failed-no-failures=none"]
    # A process of its own: what the first run imported, started and left is not to count.
    return subprocess.run([sys.executable, "-m", "pytest", *arguments, *again]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
