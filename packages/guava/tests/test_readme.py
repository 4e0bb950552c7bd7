"""Runs the README: its files are written, its programs started, its requests made and compared."""

import http.client
import json
import re
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Scene:
    """Some files, and a transcript of what happens when the last of them is run."""

    title: str
    files: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, str]] = field(default_factory=list)


def scenes() -> list[Scene]:
    found = []
    title = ""
    scene = Scene("")
    position = 0
    text = README.read_text()
    for match in BLOCK.finditer(text):
        for heading in re.findall(r"^#+ (.+)$", text[position : match.start()], re.MULTILINE):
            title = heading
            scene = Scene(title)
        position = match.end()
        language, body = match.groups()
        name = re.match(r"# (\S+\.py)\n", body)
        if language == "python" and name:
            scene.files[name[1]] = body
        elif language == "console" and "$ curl" in body:
            for step in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = step.partition("\n")
                scene.steps.append((command, output))
            found.append(scene)
            scene = Scene(title)
    return found


def snippets() -> list[str]:
    blocks = (body for language, body in BLOCK.findall(README.read_text()) if language == "python")
    return [body for body in blocks if not re.match(r"# \S+\.py\n", body)]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Curl:
    """As much of curl as the README uses: -i -L -X -H -d -b -c --json."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.jar: dict[str, str] = {}

    def __call__(self, command: str) -> str:
        words = iter(shlex.split(command, posix="'" in command or '-H "' in command)[1:])
        method, url, body, headers = "", "", None, {}
        flags = set()
        for word in words:
            if word in ("-i", "-L"):
                flags.add(word)
            elif word in ("-b", "-c"):
                flags.add(word)
                next(words)
            elif word == "-X":
                method = next(words)
            elif word == "-H":
                name, _, value = next(words).partition(":")
                headers[name] = value.strip()
            elif word == "-d":
                body = next(words)
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            elif word == "--json":
                body = next(words)
                headers["Content-Type"] = "application/json"
            else:
                assert word.startswith("http://127.0.0.1:8000/"), word
                url = word
        if "-b" in flags and self.jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return self.ask(method or ("POST" if body else "GET"), url, body, headers, flags)

    def ask(
        self, method: str, url: str, body: str | None, headers: dict[str, str], flags: set[str]
    ) -> str:
        target = urlsplit(url)._replace(scheme="", netloc="").geturl()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.jar[name] = value
        if "-L" in flags and answer.status in (302, 303):
            return self.ask("GET", answer.headers["Location"], None, {}, flags)
        if "-i" not in flags:
            return text
        head = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        return "\n".join(head) + "\n\n" + text


def compare(shown: str, given: str) -> None:
    if not shown.startswith("HTTP/"):
        try:
            assert json.loads(given) == json.loads(shown)
        except ValueError:
            assert given.rstrip("\n") == shown.rstrip("\n")
        return
    # Of the head the README shows what matters; of the body all or nothing.
    head, _, body = shown.partition("\n\n")
    given_head, _, given_body = given.partition("\n\n")
    for line in head.splitlines():
        assert line in given_head.splitlines()
    if body:
        assert given_body.rstrip("\n") == body.rstrip("\n")


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene.title.replace(" ", "-"))
def test_scene(scene: Scene, tmp_path: Path) -> None:
    port = free_port()
    assert scene.files and scene.steps
    for name, text in scene.files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("port=8000", f"port={port}"))
    program = next(words[7:] for words, _ in scene.steps if words.startswith("python "))
    process = subprocess.Popen([sys.executable, program], cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        await_port(process, port)
        curl = Curl(port)
        for command, shown in scene.steps:
            if command.startswith("curl "):
                compare(shown, curl(command))
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert errors == b""
    assert process.returncode == 0


def await_port(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(400):
        if process.poll() is not None:
            assert process.stderr is not None
            pytest.fail(process.stderr.read().decode())
        try:
            socket.create_connection(("127.0.0.1", port), 0.05).close()
            return
        except OSError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail("the program of the README did not begin to listen")


@pytest.mark.parametrize("number", range(len(snippets())))
def test_snippet(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(compile(snippets()[number], f"README.md, snippet {number}", "exec"), {})


def test_the_redis_store_keeps_sessions() -> None:
    class FakeRedis(dict):
        def setex(self, key, seconds, value):
            assert seconds > 0 and isinstance(value, bytes)
            self[key] = value

        def delete(self, key):
            self.pop(key, None)

        def flushdb(self):
            self.clear()

    source = next(text for text in snippets() if "RedisSessionStore" in text)
    namespace: dict = {}
    exec(source, namespace)
    store = namespace["RedisSessionStore"](FakeRedis(), lifetime=60)
    sid = store.generate_id()
    assert store.get(sid) is None
    store.set(sid, {"user": "rosa"})
    assert store.get(sid) == {"user": "rosa"}
    store.clear(sid)
    assert store.get(sid) == {}
    store.delete(sid)
    assert store.get(sid) is None
    store.set(sid, {"user": "rosa"})
    store.clear()
    assert store.get(sid) is None


def test_all_scenes_were_found() -> None:
    assert [scene.title for scene in scenes()] == [
        "Hello",
        "Controllers",
        "Arguments and addresses",
        "Before and after",
        "Sessions",
        "REST resources",
        "Routers of your own",
    ]
    assert len(snippets()) == 2
