"""Who takes part: how each server is built, started and named.

Each runs as its users would run it on one core, with its logs off. A contestant that cannot run
here stays in the table with the reason, so that nobody drops out in silence.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common.programs import (
    compiled,
    compiled_go,
    distribution,
    libuv_version,
    limit_flags,
    program,
)

HERE = Path(__file__).parent
SERVERS = HERE / "servers"
BUILD = HERE / "build"

LIMIT = "limit"


@dataclass(frozen=True)
class Contestant:
    key: str
    """The name on the command line."""
    title: str
    """The name in the table."""
    note: str
    """How it is run, in a few words."""
    command: Callable[[int], list[str]]
    """The command that serves on a port of 127.0.0.1."""
    version: Callable[[], str]
    """Its version; raises CannotRun when it is not installed."""
    build: Callable[[], None] = lambda: None
    """What must be compiled first; raises CannotRun."""
    environment: dict[str, str] = field(default_factory=dict)
    same_answer: bool = False
    """Its answer must equal the limit's byte for byte, but for the date."""


def python(script: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, str(SERVERS / script), str(port)]


def module(*arguments: str) -> Callable[[int], list[str]]:
    """`python -m ...`, with PORT for the port."""
    return lambda port: [
        sys.executable,
        "-m",
        *(part.replace("PORT", str(port)) for part in arguments),
    ]


def build_limit() -> None:
    compiled(BUILD / "limit", [HERE / "limit.c"], *limit_flags())


def build_go() -> None:
    compiled_go(BUILD / "go", SERVERS / "main.go")


CONTESTANTS = [
    Contestant(
        key=LIMIT,
        title="the limit: C",
        note="libuv and http-parser, a fixed answer, no Python",
        command=lambda port: [str(BUILD / "limit"), str(port)],
        version=libuv_version,
        build=build_limit,
        same_answer=True,
    ),
    Contestant(
        key="guava-def",
        title="guava-http, `def`",
        note="a handler that returns a str",
        command=python("guava_def.py"),
        version=distribution("guava-http"),
        same_answer=True,
    ),
    Contestant(
        key="guava-async",
        title="guava-http, `async def`",
        note="a coroutine that returns a str",
        command=python("guava_async.py"),
        version=distribution("guava-http"),
        same_answer=True,
    ),
    Contestant(
        key="guava-mvc",
        title="guava, MVC controller",
        note="MVCRouter, IndexController.index with self.write()",
        command=python("guava_mvc.py"),
        version=distribution("guava"),
        same_answer=True,
    ),
    Contestant(
        key="socketify",
        title="socketify",
        note="its own interface",
        command=python("socketify_app.py"),
        version=distribution("socketify"),
    ),
    Contestant(
        key="freastal",
        title="freastal",
        note="WSGI",
        command=python("freastal_app.py"),
        version=distribution("freastal"),
    ),
    Contestant(
        key="bjoern",
        title="bjoern",
        note="WSGI",
        command=python("bjoern_app.py"),
        version=distribution("bjoern"),
    ),
    Contestant(
        key="granian",
        title="Granian",
        note="RSGI, one worker, one runtime thread",
        command=module(
            *("granian", "--interface", "rsgi", "--host", "127.0.0.1", "--port", "PORT"),
            *("--workers", "1", "--runtime-threads", "1", "--no-ws", "--log-level", "warning"),
            *("--working-dir", str(SERVERS), "granian_app:app"),
        ),
        version=distribution("granian"),
    ),
    Contestant(
        key="go",
        title="Go net/http",
        note="GOMAXPROCS=1",
        command=lambda port: [str(BUILD / "go"), str(port)],
        version=program("go", "version"),
        build=build_go,
        environment={"GOMAXPROCS": "1"},
    ),
    Contestant(
        key="node",
        title="Node http",
        note="one process",
        command=lambda port: ["node", str(SERVERS / "node.js"), str(port)],
        version=program("node", "--version"),
        environment={"NODE_ENV": "production"},
    ),
    Contestant(
        key="uvicorn",
        title="uvicorn",
        note="uvloop, httptools, plain ASGI",
        command=python("uvicorn_app.py"),
        version=distribution("uvicorn", "uvloop", "httptools"),
    ),
    Contestant(
        key="tornado",
        title="Tornado",
        note="RequestHandler",
        command=python("tornado_app.py"),
        version=distribution("tornado"),
    ),
    Contestant(
        key="cherrypy",
        title="CherryPy",
        note="its own server, ten threads",
        command=python("cherrypy_app.py"),
        version=distribution("cherrypy"),
    ),
    Contestant(
        key="flask-gunicorn",
        title="Flask, gunicorn",
        note="one gthread worker, four threads",
        command=module(
            *("gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "1", "--log-level", "error"),
            *("--worker-class", "gthread", "--threads", "4", "--worker-connections", "1000"),
            *("--chdir", str(SERVERS), "flask_app:app"),
        ),
        version=distribution("flask", "gunicorn"),
    ),
    Contestant(
        key="flask",
        title="Flask, `flask run`",
        note="the built-in server, as in 2014",
        command=module(
            *("flask", "--app", str(SERVERS / "flask_app.py"), "run", "--host", "127.0.0.1"),
            *("--port", "PORT", "--no-debug"),
        ),
        version=distribution("flask", "werkzeug"),
    ),
]
