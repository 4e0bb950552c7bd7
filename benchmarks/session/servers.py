"""Redis and memcached of our own, on ports that nobody has, ended with the run."""

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.common.errors import CannotRun


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(stack: contextlib.ExitStack, port: int, words: list[str]) -> int:
    program = shutil.which(words[0])
    if program is None:
        raise CannotRun(f"{words[0]} is not installed")
    process = subprocess.Popen(
        [program, *words[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            time.sleep(0.02)
        else:
            return port
    raise CannotRun(f"{words[0]} does not start")


_redis: dict[Path, int] = {}


def redis(stack: contextlib.ExitStack, folder: Path) -> int:
    """The port of a Redis that keeps nothing on disk; one for the whole run."""
    if folder not in _redis:
        port = _port()
        words = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
        _redis[folder] = _start(stack, port, [*words, "--bind", "127.0.0.1"])
    return _redis[folder]


def memcached(stack: contextlib.ExitStack) -> int:
    port = _port()
    words = ["memcached", "-p", str(port), "-l", "127.0.0.1", "-U", "0", "-u", "nobody"]
    return _start(stack, port, words)
