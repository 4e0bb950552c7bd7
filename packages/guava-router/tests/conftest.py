"""Programs on disk: a test writes the modules that it routes to."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes {path: source} into sys.path[0]; what is imported from there is forgotten later."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(files: dict[str, str]) -> Path:
        for name, source in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(source))
        return tmp_path

    yield write
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        origin = [file, *map(str, getattr(sys.modules[name], "__path__", ()))]
        if any(str(tmp_path) in place for place in origin):
            del sys.modules[name]


@pytest.fixture
def request_to() -> Callable[..., SimpleNamespace]:
    """A request as any framework has one: request_to("/a"), request_to("/a", "POST")."""
    return lambda path, method="GET", **more: SimpleNamespace(path=path, method=method, **more)
