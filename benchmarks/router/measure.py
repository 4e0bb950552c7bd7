"""A router's process: started, told what to do, and ended whatever happens."""

import contextlib
import json
import select
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.errors import Failed
from benchmarks.common.processes import SERVER_CORE, pinned
from benchmarks.router.contestants import HERE, Contestant

ROOT = HERE.parent.parent
READ_LIMIT = 120.0  # seconds to read a table, before it is built
CHECK_LIMIT = 300.0  # seconds to check the answers


@dataclass(frozen=True)
class Built:
    seconds: float
    """Of CPU time, to build the table."""
    memory: int
    """Bytes that the process grew by."""


class Router:
    """The process of one contestant with one table."""

    def __init__(self, process: "subprocess.Popen[str]", log: Any) -> None:
        self.process, self.log = process, log
        self.without: dict[str, str] = {}
        """Kinds of requests that it cannot answer, and why."""

    def told(self, limit: float) -> dict[str, Any]:
        """The next line that it says; Failed when it ends or takes too long."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        if not ready:
            raise Failed(f"not done within {limit:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait(10)
            self.log.seek(0)
            lines = self.log.read().strip().splitlines() or [f"status {status}, no message"]
            raise Failed(f"ended: {lines[-1]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, text: str, limit: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # why is in its log
        return self.told(limit)

    def build(self, bound: float) -> Built:
        before = anonymous(self.process.pid)
        try:
            seconds = self.ask("build", bound)["seconds"]
        except Failed as error:
            if "not done" in str(error):
                raise Failed(f"not built within {bound:.0f} s") from None
            raise
        return Built(seconds, anonymous(self.process.pid) - before)

    def check(self, limit: float = CHECK_LIMIT) -> None:
        answer = self.ask("check", limit)
        if answer["wrong"]:
            raise Failed(answer["wrong"])
        self.without = answer.get("without", {})

    def measure(self, kind: str, seconds: float) -> float:
        """Nanoseconds of CPU time that it takes to answer a request."""
        return float(self.ask(f"{kind} {seconds}", CHECK_LIMIT)["ns"])


@contextlib.contextmanager
def running(
    contestant: Contestant, file: Path, *tool: str, limit: float = READ_LIMIT
) -> Iterator[Router]:
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*pinned(SERVER_CORE), *tool, *contestant.started(file)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            router = Router(process, log)
            router.told(limit)
            yield router
        finally:
            process.kill()
            process.communicate()


def anonymous(pid: int) -> int:
    """Bytes of memory that a process has written to, but for those of files."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
