"""The README's Python is run as it stands, and its shell where what it names is installed."""

import importlib.util
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

# The C API has a chapter and a test of its own.
TEXT = (Path(__file__).parent.parent / "README.md").read_text().partition("\n## The C API")[0]
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)

PRINTED = [
    r"done\n",
    r"one\ntwo\n",
    r"Loop\n",
    r"b'hello guava\\n'\n",
    r"100 timers fired, 0 sockets are open\n99 % of turns took less than \d+ ms\n",
    r"the culprit was at slow\n",
]


def test_there_is_something_to_run():
    assert len(PROGRAMS) == len(PRINTED)


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=False)))
def test_program(program: str, printed: str) -> None:
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert re.fullmatch(printed, done.stdout), done.stderr
    assert done.returncode == 0


APPLICATION = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "http":
        body = type(asyncio.get_running_loop()).__qualname__.encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.skipif(
    importlib.util.find_spec("uvicorn") is None, reason="uvicorn is not installed here"
)
def test_uvicorn(tmp_path: Path) -> None:
    (line,) = re.findall(r"^uvicorn (.*)$", TEXT, re.MULTILINE)
    (tmp_path / "app.py").write_text(APPLICATION)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        command = [sys.executable, "-m", "uvicorn", *line.split()]
        server = subprocess.Popen(
            [*command, "--fd", str(listening.fileno())],
            cwd=tmp_path,
            pass_fds=[listening.fileno()],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            host, port = listening.getsockname()
            with urllib.request.urlopen(f"http://{host}:{port}/", timeout=30) as answer:
                assert answer.read() == b"Loop"
        finally:
            server.terminate()
            server.wait(30)
