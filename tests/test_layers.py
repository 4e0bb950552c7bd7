"""The arrow loop -> http -> guava: no include and no import points against it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"

# What each package may import of its siblings.
MAY_IMPORT = {
    "guava_loop": set[str](),
    "guava_http": {"guava_loop"},
    "guava_router": set[str](),
    "guava_session": set[str](),
    "guava": {"guava_loop", "guava_http", "guava_router", "guava_session"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder(package: str) -> Path:
    return PACKAGES / package.replace("_", "-")


def native_files() -> list[Path]:
    files = [
        path
        for package in MAY_IMPORT
        for part in ("native", "src")
        for path in (folder(package) / part).rglob("*.[ch]")
    ]
    assert len(files) > 20, "the check found no C files to check"
    return files


def includes(path: Path) -> list[str]:
    return [name for _, name in INCLUDE.findall(path.read_text())]


def reached(path: Path, roots: list[Path]) -> Iterator[str]:
    """Every header that a file includes, through the project's own headers too."""
    seen: set[Path] = set()
    stack = [path]
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        for name in includes(current):
            yield name
            for root in (current.parent, *roots):
                if (root / name).is_file():
                    stack.append((root / name).resolve())
                    break


def test_only_guava_loop_includes_uv() -> None:
    users = [path for path in native_files() if "uv.h" in includes(path)]
    assert users
    assert {path.relative_to(PACKAGES).parts[0] for path in users} == {"guava-loop"}


def test_the_published_header_shows_no_uv() -> None:
    header = PACKAGES / "guava-loop/src/guava_loop/include/guava_loop.h"
    assert "uv.h" not in includes(header)
    assert "uv_" not in header.read_text()


def test_one_file_includes_http_parser() -> None:
    users = [path for path in native_files() if "http_parser.h" in includes(path)]
    assert [path.parent.name for path in users] == ["core"]


def test_core_of_guava_http_needs_neither_python_nor_uv() -> None:
    native = PACKAGES / "guava-http/native"
    files = sorted((native / "core").glob("*.[ch]"))
    assert files
    for path in files:
        found = set(reached(path, [native, native / "core"]))
        assert not found & {"Python.h", "uv.h", "guava_loop.h"}, path.name


def test_types_of_guava_http_do_not_know_the_loop() -> None:
    native = PACKAGES / "guava-http/native"
    files = sorted((native / "types").glob("*.[ch]"))
    assert files
    for path in files:
        found = set(reached(path, [native, native / "types", native / ".." / "include"]))
        assert "guava_loop.h" not in found, path.name


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_native_code_names_a_sibling_it_must_not_know(package: str) -> None:
    strangers = MAY_IMPORT.keys() - MAY_IMPORT[package] - {package, "guava"}
    for path in (folder(package) / "native").rglob("*.[ch]"):
        for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', path.read_text()):
            for stranger in strangers:
                assert not literal.startswith(stranger), f"{path}: {literal}"


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_follow_the_arrow(package: str) -> None:
    files = sorted((folder(package) / "src").rglob("*.py*"))
    files = [path for path in files if path.suffix in (".py", ".pyi")]
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                allowed = {package} | MAY_IMPORT[package]
                where = f"{path}:{node.lineno}"
                assert top not in MAY_IMPORT or top in allowed, f"{where} imports {name}"
