"""The framework that is made from the parts alone."""

import ast
import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

OWN = Path(__file__).parent.parent / "examples" / "own_framework.py"


@pytest.fixture
def port() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, OWN, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    found = re.search(r":(\d+)/", process.stdout.readline())
    if found is None:
        process.kill()
        pytest.fail(process.communicate()[1])
    yield int(found[1])
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def ask(port: int, method: str, path: str, body: str | None = None, cookie: str = ""):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {"Cookie": cookie} if cookie else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response, text


def test_it_is_small_and_needs_the_parts_only() -> None:
    source = OWN.read_text()
    assert len(source.splitlines()) < 150
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    parts = {name for name in imported if name and name.startswith("guava")}
    assert parts == {"guava_loop", "guava_http", "guava_router", "guava_session"}


def test_routes_json_and_errors(port: int) -> None:
    _, text = ask(port, "GET", "/todo")
    assert json.loads(text) == {"1": "eat a guava"}
    response, text = ask(port, "POST", "/todo", json.dumps("plant a seed"))
    assert (response.status, json.loads(text)) == (201, {"number": 2})
    _, text = ask(port, "GET", "/todo")
    assert json.loads(text) == {"1": "eat a guava", "2": "plant a seed"}
    for method, path, body, status in [
        ("GET", "/nowhere", None, 404),
        ("DELETE", "/todo", None, 405),
        ("POST", "/todo", "5", 422),
        ("POST", "/todo", "not json", 500),
    ]:
        response, text = ask(port, method, path, body)
        assert response.status == status
        assert "error" in json.loads(text)
        assert (response.getheader("Allow") == "GET, POST") == (status == 405)


def test_sessions(port: int) -> None:
    response, text = ask(port, "GET", "/")
    assert "your visit 1" in text
    line = response.getheader("Set-Cookie")
    assert line is not None
    _, text = ask(port, "GET", "/", cookie=line.partition(";")[0])
    assert "your visit 2" in text
    response, _ = ask(port, "GET", "/todo")
    assert response.getheader("Set-Cookie") is None
