"""auto_reload: a changed source starts the program anew, on the same socket."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guava import _reload

APP = """
import logging
import guava
import words

logging.basicConfig(level=logging.INFO, format="%(message)s")
server = guava.server.Server(port=0, auto_reload=True)
server.add_router(guava.router.Router({"/": lambda req: words.TEXT}))
server.serve(ready=lambda url: print(url, flush=True))
"""


class Reloading:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("one")
        (folder / "app.py").write_text(APP)
        # Without compiled files no source of the same second and size is taken for unchanged.
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.port = self.started()

    def write(self, text: str, source: str = "TEXT = {!r}\n") -> None:
        fresh = self.folder / "words.new"
        fresh.write_text(source.format(text))
        fresh.rename(self.folder / "words.py")

    def started(self) -> int:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("http://"), self.log.read_text()
        return int(line.rpartition(":")[2].strip().strip("/"))

    def ask(self) -> str:
        with socket.create_connection(("127.0.0.1", self.port), 20) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: sock.recv(4096), b"")).decode().rpartition("\r\n")[2]

    def await_log(self, text: str) -> None:
        for _ in range(400):
            if text in self.log.read_text():
                return
            time.sleep(0.05)
        pytest.fail(f"{text!r} is not in the log: {self.log.read_text()}")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Reloading]:
    app = Reloading(tmp_path)
    yield app
    app.process.terminate()
    try:
        app.process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        app.process.kill()
        app.process.communicate()
        raise


def test_a_change_is_served(app: Reloading) -> None:
    assert app.ask() == "one"
    port = app.port
    app.write("two")
    assert app.started() == port
    assert app.ask() == "two"
    app.write("three")
    assert app.started() == port
    assert app.ask() == "three"


def test_a_source_that_does_not_compile_is_not_loaded(app: Reloading) -> None:
    app.write("broken", "TEXT = {!r}\n)\n")
    app.await_log("not reloading")
    assert app.ask() == "one"
    app.write("two")
    app.started()
    assert app.ask() == "two"


def test_a_source_that_fails_waits_for_its_repair(app: Reloading) -> None:
    app.write("failing", "TEXT = {!r}\n1 / 0\n")
    app.await_log("waiting for a change")
    app.write("two")
    app.started()
    assert app.ask() == "two"


def test_no_connection_is_refused_meanwhile(app: Reloading) -> None:
    app.write("two")
    answers = set()
    for _ in range(2000):
        try:
            answers.add(app.ask())
        except ConnectionResetError:
            # It was accepted just before the end, and had not asked yet: the next attempt counts.
            continue
        if "two" in answers:
            break
        time.sleep(0.005)
    assert answers == {"one", "two"}


def test_it_ends_with_its_keeper(app: Reloading) -> None:
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(20) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", app.port), 5)


def test_a_killed_keeper_leaves_no_child(app: Reloading) -> None:
    app.process.kill()
    app.process.wait(20)
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", app.port), 5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("the child goes on without its keeper")


def test_libraries_are_not_watched() -> None:
    folders = _reload.watched_folders()
    assert os.path.dirname(os.__file__) not in folders
    assert os.path.dirname(pytest.__file__) not in folders


def test_snapshots(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.txt").write_text("")
    folders = {str(tmp_path), str(tmp_path / "gone")}
    before = _reload.snapshot(folders)
    assert list(before) == [str(tmp_path / "a.py")]
    (tmp_path / "c.py").write_text("")
    assert _reload.snapshot(folders).items() - before.items()


@pytest.mark.parametrize("variant", ["polled", "notified"])
def test_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    if variant == "notified":
        pytest.importorskip("watchfiles", reason="the extra guava[reload] is not installed")
    watch: Callable = getattr(_reload, f"_{variant}")
    monkeypatch.setattr(_reload, "watched_folders", lambda: {str(tmp_path)})
    (tmp_path / "a.py").write_text("")
    stop = _reload.Stop()
    changes = watch(stop, time.time_ns())
    assert not next(changes)
    (tmp_path / "b.py").write_text("x = 1")
    found: set[str] = set()
    for _ in range(20):
        found |= next(changes)
        if found:
            break
    assert {os.path.basename(path) for path in found} == {"b.py"}
    stop.set()
    list(changes)
