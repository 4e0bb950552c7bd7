"""Servers of their own for the stores that speak to one, in a temporary folder, ended for sure.

They need Debian's packages and the dependency group "programs", so they are collected only when
they are asked for by name, as in pytest packages/guava-session/tests/servers.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# A sanitizer that is loaded into our process is nothing for these.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    if any(path == HERE or HERE in path.parents for path in asked):
        return None
    return True


class RedisServer:
    """A Redis server on 127.0.0.1; it keeps its data through a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Debian's redis-tools holds the server under the name of its file checker; it asks its own
        # name what it is.
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        assert program, "Redis is missing: apt install redis-tools, or ./run test"
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        words += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        log = self.folder / "log"
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                words,
                executable=program,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdout=file,
                stderr=file,
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            gone = self.process.poll() is not None
            assert not gone and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.02)

    def answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 5) as sock,
        ):
            sock.sendall(b"PING\r\n")
            return sock.recv(100) == b"+PONG\r\n"  # not -LOADING
        return False

    def stop(self, sent: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(sent)
            self.process.wait(60)
            self.process = None


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="guava-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()
