"""Reading what callgrind and strace have written.

Time lies on a busy machine; counts do not. Whoever counts takes the difference between many
operations and few over the difference in number, so that start-up and the tool fall out.
"""

import re
import shutil
from collections import Counter

from benchmarks.common.errors import CannotRun, Failed

CALLGRIND = ("valgrind", "--tool=callgrind", "--compress-strings=no")
STRACE = ("strace", "-f", "-qq")


def tools() -> list[str]:
    """Which of the two are installed; CannotRun if none is."""
    found = [name for name in ("strace", "valgrind") if shutil.which(name)]
    if not found:
        raise CannotRun("neither strace nor valgrind is installed")
    return found


def total(dump: str) -> int:
    """The instructions in a dump of callgrind."""
    found = re.search(r"^totals: (\d+)", dump, re.MULTILINE)
    if found is None:
        raise Failed("callgrind's dump has no total")
    return int(found[1])


def functions(dump: str) -> "Counter[str]":
    """The instructions of each function alone, in a dump of callgrind."""
    alone: Counter[str] = Counter()
    function, library, calling = "", "", False
    for line in dump.splitlines():
        name, _, value = line.partition("=")
        if name == "ob":
            library = value.rpartition("/")[2]
        elif name == "fn":
            function = f"{value} [{library}]"
        elif name == "calls":
            calling = True  # the next line is what the callee spent
        elif line[:1] and line[0] in "0123456789+-*":
            if not calling:
                alone[function] += int(line.split()[1])
            calling = False
    return alone


def listed(per: dict[str, float], least: float) -> str:
    """The system calls that are made more often than `least`, as words."""
    return ", ".join(f"{n:.2f} {name}" for name, n in per.items() if n > least)
