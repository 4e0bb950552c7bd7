"""The examples of the README and of Getting started, typed as they stand and run.

A Python block whose first line is a comment that names a file is that file. The port is the only
thing that is changed: 8000 may be in use.
"""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def type_in(document: str, folder: Path, port: int) -> None:
    blocks = BLOCK.findall((ROOT / document).read_text())
    assert blocks, document
    for name, text in blocks:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if path.parent != folder:
            (path.parent / "__init__.py").touch()
        path.write_text(text.replace("8000", str(port)))


@contextmanager
def running(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *command], cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(process: subprocess.Popen[bytes], port: int, path: str) -> str:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                body: bytes = answer.read()
                return body.decode()
        except ConnectionError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        assert process.poll() is None, "the example ended"
        time.sleep(0.05)
    pytest.fail("the example does not answer")


def test_the_readme(tmp_path: Path) -> None:
    port = free_port()
    type_in("README.md", tmp_path, port)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "hello.txt").write_text("hello")
    with running(tmp_path, "app.py") as process:
        assert ask(process, port, "/post") == "<h1>Posts</h1>"
        assert ask(process, port, "/post/view/10?type=draft") == '{"id":"10","draft":true}'
        assert ask(process, port, "/static/hello.txt") == "hello"
        assert "hello.txt" in ask(process, port, "/static/")


def test_getting_started(tmp_path: Path) -> None:
    port = free_port()
    type_in("docs/getting-started.md", tmp_path, port)
    with running(tmp_path, "hello.py") as process:
        assert ask(process, port, "/") == "Hello, world!"
    with running(tmp_path, "app.py") as process:
        assert ask(process, port, "/post") == "All posts"
        assert ask(process, port, "/post/view/10") == "Post 10"
        assert ask(process, port, "/slow") == "done"
