"""examples/static: guava-router sends the files of Flask, Django and FastAPI, under the servers
that people run them with."""

import contextlib
import gzip
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples" / "static"
SCRIPT = "app.3f2a9c1b.js"
BIG = 20_000_000

WAITRESS = """
import importlib, socket, sys, waitress
module, name = sys.argv[2].split(":")
application = getattr(importlib.import_module(module), name)
waitress.serve(application, sockets=[socket.socket(fileno=int(sys.argv[1]))], _quiet=True)
"""
COMMANDS = {
    "gunicorn": ("-m", "gunicorn", "--bind", "fd://FD", "--log-level", "critical"),
    "waitress": ("-c", WAITRESS, "FD"),
    "uvicorn": ("-m", "uvicorn", "--fd", "FD", "--log-level", "critical"),
}
SETUPS = [
    ("gunicorn", "files_in_flask:app", "Flask"),
    ("waitress", "files_in_flask:app", "Flask"),
    ("gunicorn", "files_in_django:application", "Django"),
    ("uvicorn", "files_in_fastapi:app", "FastAPI"),
]


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


class Site:
    def __init__(self, port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.port, self.folder, self.process = port, folder, process

    def ask(self, path: str, method: str = "GET", **fields: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            return Answer(connection.getresponse())


@pytest.fixture(params=SETUPS, ids=lambda setup: f"{setup[2]}-{setup[0]}")
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    server, application, framework = request.param
    pytest.importorskip(server, reason=f"{server} is a guest")
    pytest.importorskip(framework.lower(), reason=f"{framework} is a guest")
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    files = folder / "files"
    with open(files / "big.bin", "wb") as file:
        file.write(os.urandom(1000))
        file.truncate(BIG)
    (files / f"{SCRIPT}.gz").write_bytes(gzip.compress((files / SCRIPT).read_bytes()))
    (tmp_path / "secret.txt").write_text("secret")
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        fd, port = str(listener.fileno()), listener.getsockname()[1]
        command = [fd if word == "FD" else word.replace("FD", fd) for word in COMMANDS[server]]
        process = subprocess.Popen(
            [sys.executable, *command, application],
            cwd=folder,
            pass_fds=[int(fd)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield Site(port, files, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def holders(process: subprocess.Popen[bytes], file: Path) -> int | None:
    """How many descriptors of a server and its workers lead to a file; None without /proc."""
    if not os.path.isdir("/proc/self/fd"):
        return None
    count = 0
    for pid in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if process.pid in (int(pid), parent):
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        count += os.readlink(f"/proc/{pid}/fd/{fd}") == str(file)
    return count


def test_files(site: Site) -> None:
    """All in one test: what takes time is the start of a server."""
    script = (site.folder / SCRIPT).read_bytes()
    whole = site.ask(f"/static/{SCRIPT}")
    assert (whole.status, whole.body) == (200, script)
    assert whole.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert whole.headers.get_all("Content-Length") == [str(len(script))]
    assert b"home page" in site.ask("/").body
    assert site.ask("/static/").body == (site.folder / "index.html").read_bytes()

    head = site.ask(f"/static/{SCRIPT}", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(script))
    same = site.ask(f"/static/{SCRIPT}", If_None_Match=whole.headers["ETag"])
    assert (same.status, same.body) == (304, b"")
    assert site.ask(f"/static/{SCRIPT}", If_Match='"x"').status == 412
    packed = site.ask(f"/static/{SCRIPT}", Accept_Encoding="gzip, br")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.body) == script

    big = (site.folder / "big.bin").read_bytes()
    assert site.ask("/static/big.bin").body == big
    part = site.ask("/static/big.bin", Range="bytes=5-3000004")
    assert (part.status, part.body) == (206, big[5:3_000_005])
    assert part.headers["Content-Range"] == f"bytes 5-3000004/{BIG}"
    several = site.ask("/static/big.bin", Range="bytes=0-0,500-999")
    assert several.headers["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert big[500:1000] in several.body
    assert site.ask("/static/big.bin", Range=f"bytes={BIG}-").status == 416

    for path in ("none", "..%2fsecret.txt", "%2e%2e/%2e%2e/secret.txt", "..%5csecret.txt", "a%00"):
        found = site.ask(f"/static/{path}")
        assert found.status in (400, 404), path
        assert b"secret" not in found.body.replace(b"secret.txt", b"")
    refused = site.ask(f"/static/{SCRIPT}", "POST")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")

    for _ in range(5):  # clients that leave
        with socket.create_connection(("127.0.0.1", site.port), timeout=120) as client:
            client.sendall(b"GET /static/big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(100)
    assert site.ask(f"/static/{SCRIPT}").body == script
    deadline = time.monotonic() + 120
    while holders(site.process, site.folder / "big.bin"):
        assert time.monotonic() < deadline, "the files of clients that left stay open"
        time.sleep(0.05)
