"""The README's examples, run in their order in one program."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import guava_router
import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[str]:
    return BLOCK.findall(README.read_text())


@pytest.fixture
def readme(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the README's examples have made. A block that begins with a file's name is
    that file."""
    folder = program(
        {
            "static/app.css": "a {}",
            "secret.txt": "secret",
            "controllers/__init__.py": "",
            "controllers/index.py": "class IndexController:\n    def index(self): return 'home'\n",
            "api/__init__.py": "",
        }
    )
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    ran = 0
    for block in blocks():
        file = re.match(r"# (\S+\.py)\n", block)
        if file is not None:
            program({file[1]: block})
        else:
            exec(compile(block, str(README), "exec"), names)
            ran += 1
    assert ran >= 8
    return names


def test_the_examples_run(readme: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    print(readme["mounts"].routes())
    assert "/api/users/{user_id}/friends" in capsys.readouterr().out


CASES = [
    ("GET", "/", 200, b"home"),
    ("GET", "/post/view/10", 200, b"post 10"),
    ("GET", "/post/move/1/2", 200, b"from 1 to 2"),
    ("GET", "/static/app.css", 200, b"a {}"),
    ("GET", "/static", 301, b"301 Moved Permanently\n"),
    ("PATCH", "/api/users/10", 405, b"405 Method Not Allowed\n"),
    ("GET", "/nothing", 404, b"404 Not Found\n"),
    ("GET", "/static/../secret.txt", 404, b"404 Not Found\n"),
]


@pytest.mark.parametrize(("method", "path", "status", "body"), CASES)
def test_the_wsgi_application(readme, method, path, status, body) -> None:
    started: list[Any] = []
    environ = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    setup_testing_defaults(environ)
    application = validator(readme["wsgi_app"])
    answer = application(environ, lambda *given: started.extend(given) or (lambda data: None))
    assert b"".join(answer) == body
    answer.close()
    assert started[0].startswith(str(status))


@pytest.mark.parametrize(("method", "path", "status", "body"), CASES)
def test_the_asgi_application(readme, method, path, status, body) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path}
    asyncio.run(readme["asgi_app"](scope, None, send))
    assert (sent[0]["status"], sent[1]["body"]) == (status, body)


def test_the_applications_of_one_router(readme: dict[str, Any]) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/users/6"}
    asyncio.run(readme["asgi_application"](scope, None, send))
    assert sent[1]["body"] == b"user 7"
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/users/6"}
    setup_testing_defaults(environ)
    assert readme["application"](environ, lambda *given: None) == [b"user 7"]


def test_the_explanation_is_the_one_that_is_printed(readme: dict[str, Any]) -> None:
    assert f"```\n{readme['explanation']}\n```" in README.read_text()


def test_every_public_name_is_documented() -> None:
    for name in guava_router.__all__:
        assert getattr(guava_router, name).__doc__ or name == "__version__", name
