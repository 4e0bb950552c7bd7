"""Who takes part: how each one's process is built and started.

One that cannot run here stays in the tables with the reason.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.programs import compiled_go, distribution, output, program

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
BUILD = HERE / "build"
FIND_MY_WAY = "9.10.1"

OURS = "guava"


@dataclass(frozen=True)
class Contestant:
    key: str
    """The name on the command line; of its class in peers.py, if it is for Python."""
    title: str
    """The name in the tables."""
    note: str
    """What is asked, in a few words."""
    version: Callable[[], str]
    """Its version; raises CannotRun when it is not installed."""
    command: Callable[[Path], list[str]] | None = None
    """What is started for a table in a file, if it is not for Python."""
    build: Callable[[], None] = lambda: None
    """What must be compiled first; raises CannotRun."""

    @property
    def python(self) -> bool:
        return self.command is None

    def started(self, file: Path) -> list[str]:
        if self.command is not None:
            return self.command(file)
        return [sys.executable, "-m", "benchmarks.router.inside", self.key, str(file)]


def go(name: str) -> Callable[[], None]:
    """Makes build/NAME of what all Go programs share and of NAME*.go."""

    def build() -> None:
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            for source in (PROGRAMS / "asked.go", *PROGRAMS.glob(f"{name}*.go")):
                shutil.copy(source, folder)
            # Where Debian has Go's libraries.
            paths = [os.environ.get("GOPATH", ""), "/usr/share/gocode"]
            compiled_go(BUILD / name, Path(folder), GOPATH=":".join(filter(None, paths)))

    return build


def chi_version() -> str:
    package = output(["dpkg-query", "-W", "-f", "${Version}", "golang-github-go-chi-chi-dev"])
    return f"chi {package}, {program('go', 'version')().removeprefix('go version ')}"


def install_find_my_way() -> None:
    BUILD.mkdir(exist_ok=True)
    installed = BUILD / "node_modules/find-my-way/package.json"
    if installed.exists() and f'"version": "{FIND_MY_WAY}"' in installed.read_text():
        return
    output(
        [
            *("npm", "install", "--prefix", str(BUILD), "--no-save", "--no-audit", "--no-fund"),
            *("--loglevel", "error", f"find-my-way@{FIND_MY_WAY}"),
        ]
    )


CONTESTANTS = [
    Contestant(
        OURS,
        "guava-router",
        "Router.match(method, path), then params",
        distribution("guava-router"),
    ),
    Contestant(
        "falcon",
        "Falcon",
        "CompiledRouter.find(path), then the responder of the method",
        distribution("falcon"),
    ),
    Contestant(
        "sanic",
        "Sanic",
        "Router.get(path, method, host), with its cache of 1024 answers",
        distribution("sanic", "sanic-routing"),
    ),
    Contestant(
        "litestar",
        "Litestar",
        "ASGIRouter.handle_routing(path, method), with its cache of answers",
        distribution("litestar"),
    ),
    Contestant(
        "aiohttp",
        "aiohttp",
        "UrlDispatcher.resolve(request), driven by hand",
        distribution("aiohttp"),
    ),
    Contestant(
        "werkzeug",
        "Werkzeug",
        "MapAdapter.match(path, method), one adapter for all",
        distribution("werkzeug"),
    ),
    Contestant(
        "starlette",
        "Starlette",
        "Route.matches(scope) of one route after the other, as its Router does",
        distribution("starlette"),
    ),
    Contestant(
        "find-my-way",
        "find-my-way (Node)",
        "find(method, path)",
        lambda: f"find-my-way {FIND_MY_WAY}, node {program('node', '--version')()}",
        lambda file: [
            *("env", f"NODE_PATH={BUILD / 'node_modules'}", "node", "--expose-gc"),
            *(str(PROGRAMS / "find_my_way.js"), str(file)),
        ],
        install_find_my_way,
    ),
    Contestant(
        "go-mux",
        "Go's ServeMux",
        "Handler(request) of net/http before Go 1.22, ServeHTTP with PathValue since",
        program("go", "version"),
        lambda file: ["env", "GOMAXPROCS=1", str(BUILD / "mux"), str(file)],
        go("mux"),
    ),
    Contestant(
        "go-chi",
        "Go, chi",
        "Match(context, method, path): it tells a pattern, and no handler",
        chi_version,
        lambda file: ["env", "GOMAXPROCS=1", str(BUILD / "chi"), str(file)],
        go("chi"),
    ),
]
