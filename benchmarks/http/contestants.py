"""Who takes part: how each server is built, started and named.

Each runs as its users would run it on one core, with its logs off, and serves one app at a time:
no server pays for finding out which. One that cannot run stays in the tables with the reason.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common.errors import CannotRun
from benchmarks.common.programs import (
    compiled,
    compiled_go,
    distribution,
    libuv_version,
    limit_flags,
    program,
)
from benchmarks.http.rows import KIB, MIB, Row

HERE = Path(__file__).parent
SERVERS = HERE / "servers"
BUILD = HERE / "build"
FILES = BUILD / "files"
"""What the rows "static-*" serve."""

Command = Callable[[int, Row], list[str]]
"""The command that serves a row's app on a port of 127.0.0.1."""


@dataclass(frozen=True)
class Contestant:
    key: str
    """The name on the command line."""
    title: str
    """The name in the tables."""
    note: str
    """How it is run, in a few words."""
    command: Command
    version: Callable[[], str]
    """Its version; raises CannotRun when it is not installed."""
    build: Callable[[], None] = lambda: None
    """What must be compiled first; raises CannotRun."""
    environment: dict[str, str] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    """Apps that it does not serve, and why."""
    slow: bool = False
    """So far behind that the first round says it all."""
    warm: bool = False
    """It compiles what runs often: each app is loaded once without being measured."""


def python(script: str) -> Command:
    return lambda port, row: [
        sys.executable,
        str(SERVERS / script),
        str(port),
        row.app,
        str(FILES),
    ]


def module(*arguments: str) -> Command:
    """`python -m ...`, with PORT for the port."""
    return lambda port, row: [
        sys.executable,
        "-m",
        *(part.replace("PORT", str(port)) for part in arguments),
    ]


def limit(port: int, row: Row) -> list[str]:
    answer = BUILD / f"answer-{row.key}"
    answer.write_bytes(row.answer)
    kind = "application/json" if row.app == "json" else "text/html; charset=utf-8"
    return [str(BUILD / "limit"), str(port), kind, str(answer)]


def build_limit() -> None:
    compiled(BUILD / "limit", [HERE / "limit.c"], *limit_flags())


def build_load() -> None:
    """What every row needs: the load of idle connections, and files to serve."""
    compiled(BUILD / "idle", [HERE / "idle.c"])
    FILES.mkdir(exist_ok=True)
    for name, size in (("1k", KIB), ("100k", 100 * KIB), ("100m", 100 * MIB)):
        file = FILES / f"{name}.bin"
        if not file.exists() or file.stat().st_size != size:
            fresh = file.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(b"f" * size)
            fresh.replace(file)


def build_go() -> None:
    compiled_go(BUILD / "go", SERVERS / "main.go")


def nginx_version() -> str:
    found = nginx_program()
    done = subprocess.run([found, "-v"], capture_output=True, text=True, timeout=10)
    return done.stderr.strip().rpartition(": ")[2]


def nginx_program() -> str:
    # Debian keeps it where only the administrator's PATH leads.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise CannotRun("nginx is not installed")
    return found


def nginx(name: str, cache: str) -> Command:
    def command(port: int, row: Row) -> list[str]:
        folder = BUILD / name
        folder.mkdir(exist_ok=True)
        text = (SERVERS / "nginx.conf").read_text()
        for word, value in (
            *(("PORT", str(port)), ("FILES", str(FILES)), ("FOLDER", str(folder))),
            ("CACHE", cache),
        ):
            text = text.replace(word, value)
        if os.geteuid() == 0:
            text = f"user root;\n{text}"  # or its worker could not read the files
        (folder / "nginx.conf").write_text(text)
        return [
            nginx_program(),
            "-p",
            str(folder),
            "-c",
            str(folder / "nginx.conf"),
            "-e",
            "stderr",
        ]

    return command


MVC_ONLY = dict.fromkeys(
    ("multipart", "body-10k", "body-1m", "upload", "sink", "stream", "static"),
    "costs what guava-http's do, and finding the controller, which the other rows show",
)

CONTESTANTS = [
    Contestant(
        key="limit",
        title="the limit: C",
        note="libuv and http-parser, a fixed answer, no Python",
        command=limit,
        version=libuv_version,
        build=build_limit,
    ),
    Contestant(
        key="guava-def",
        title="guava-http, `def`",
        note="plain functions",
        command=python("guava_def.py"),
        version=distribution("guava-http"),
    ),
    Contestant(
        key="guava-async",
        title="guava-http, `async def`",
        note="coroutines",
        command=python("guava_async.py"),
        version=distribution("guava-http"),
    ),
    Contestant(
        key="guava-mvc",
        title="guava, MVC controller",
        note="MVCRouter, an action of a controller",
        command=python("guava_mvc.py"),
        version=distribution("guava"),
        without=MVC_ONLY,
    ),
    Contestant(
        key="nginx",
        title="nginx",
        note="one worker, sendfile, as Debian configures it",
        command=nginx("nginx", ""),
        version=nginx_version,
    ),
    Contestant(
        key="nginx-cache",
        title="nginx, open_file_cache",
        note="the same, with its cache of open files",
        command=nginx("nginx-cache", "open_file_cache max=1000 inactive=60s;"),
        version=nginx_version,
    ),
    Contestant(
        key="bjoern",
        title="bjoern",
        note="WSGI",
        command=python("bjoern_app.py"),
        version=distribution("bjoern"),
    ),
    Contestant(
        key="freastal",
        title="freastal",
        note="WSGI",
        command=python("freastal_app.py"),
        version=distribution("freastal"),
    ),
    Contestant(
        key="fastwsgi",
        title="fastwsgi",
        note="WSGI",
        command=python("fastwsgi_app.py"),
        version=distribution("fastwsgi"),
    ),
    Contestant(
        key="socketify",
        title="socketify",
        note="its own interface",
        command=python("socketify_app.py"),
        version=distribution("socketify"),
    ),
    Contestant(
        key="granian",
        title="Granian",
        note="RSGI, one worker, one runtime thread",
        command=module(
            *("granian", "--interface", "rsgi", "--host", "127.0.0.1", "--port", "PORT"),
            *("--workers", "1", "--runtime-threads", "1", "--no-ws", "--log-level", "warning"),
            # Connections beyond the backlog would wait until others end.
            *("--backlog", "16384", "--working-dir", str(SERVERS), "granian_app:app"),
        ),
        version=distribution("granian"),
    ),
    Contestant(
        key="uvicorn",
        title="uvicorn",
        note="uvloop, httptools, plain ASGI",
        command=python("uvicorn_app.py"),
        version=distribution("uvicorn", "uvloop", "httptools"),
    ),
    Contestant(
        key="aiohttp",
        title="aiohttp",
        note="its server, on uvloop",
        command=python("aiohttp_app.py"),
        version=distribution("aiohttp", "uvloop"),
    ),
    Contestant(
        key="node",
        title="Node http",
        note="one process",
        command=lambda port, row: [
            *("node", str(SERVERS / "node.js"), str(port), row.app, str(FILES)),
        ],
        version=program("node", "--version"),
        environment={"NODE_ENV": "production"},
        without={"multipart": "has no parser of multipart forms"},
        warm=True,
    ),
    Contestant(
        key="go",
        title="Go net/http",
        note="GOMAXPROCS=1",
        command=lambda port, row: [str(BUILD / "go"), str(port), row.app, str(FILES)],
        version=program("go", "version"),
        build=build_go,
        environment={"GOMAXPROCS": "1"},
    ),
    Contestant(
        key="tornado",
        title="Tornado",
        note="RequestHandler",
        command=python("tornado_app.py"),
        version=distribution("tornado"),
        slow=True,
    ),
    Contestant(
        key="sanic",
        title="Sanic",
        note="one process",
        command=python("sanic_app.py"),
        version=distribution("sanic"),
        slow=True,
    ),
    Contestant(
        key="robyn",
        title="Robyn",
        note="one process",
        command=python("robyn_app.py"),
        version=distribution("robyn"),
        slow=True,
    ),
    Contestant(
        key="gunicorn",
        title="gunicorn",
        note="one gthread worker, four threads, plain WSGI",
        command=module(
            *("gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "1", "--log-level", "error"),
            *("--worker-class", "gthread", "--threads", "4", "--worker-connections", "1000"),
            *("--chdir", str(SERVERS), "gunicorn_app:app"),
        ),
        version=distribution("gunicorn"),
        slow=True,
    ),
    Contestant(
        key="cherrypy",
        title="CherryPy",
        note="its own server (cheroot), ten threads",
        command=python("cherrypy_app.py"),
        version=distribution("cherrypy"),
        slow=True,
    ),
]
"""nginx takes part in the rows with files only: it answers from those."""


def takes_part(contestant: Contestant, row: Row) -> bool:
    if row.only:
        return contestant.key in row.only
    return not contestant.key.startswith("nginx")
