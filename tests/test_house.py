"""What holds for every package of the workspace, and is easily forgotten in one."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path for path in (ROOT / "packages").glob("guava*") if path.is_dir())
NATIVE = [path for path in PACKAGES if (path / "CMakeLists.txt").is_file()]

COMMENTS_AND_STRINGS = re.compile(r'/\*.*?\*/|//[^\n]*|"(\\.|[^"\\\n])*"', re.DOTALL)
# They write without a bound, parse without an error, or end the process.
UNSAFE = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|strtol|strtoul|exit|abort|PyErr_Print)\s*\("
)

MUTABLE = re.compile(r"\s*static\s+PyObject\s*\*\s*\w+\s*(=|;)")


def project(package: Path) -> dict:
    return tomllib.loads((package / "pyproject.toml").read_text())["project"]


def test_there_are_five() -> None:
    assert [path.name for path in PACKAGES] == [
        "guava",
        "guava-http",
        "guava-loop",
        "guava-router",
        "guava-session",
    ]
    assert len(NATIVE) == 4


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_the_papers_of_a_package(package: Path) -> None:
    source = package / "src" / package.name.replace("-", "_")
    assert (source / "py.typed").is_file()
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert len((package / "README.md").read_text().split()) > 200
    version = project(package)["version"]
    assert f"## {version}" in (package / "CHANGELOG.md").read_text()
    if package in NATIVE:
        assert (source / "_core.pyi").is_file()


def test_the_versions_go_together() -> None:
    assert len({project(package)["version"].partition(".")[0] for package in PACKAGES}) == 1


@pytest.mark.parametrize("package", NATIVE, ids=lambda path: path.name)
def test_no_unsafe_function_is_called(package: Path) -> None:
    for path in (package / "native").rglob("*.[ch]"):
        for line in COMMENTS_AND_STRINGS.sub("", path.read_text()).splitlines():
            found = UNSAFE.search(line)
            # A member of a table is not the C library's function.
            if found and line[: found.start()].rstrip()[-1:] not in (".", ">"):
                pytest.fail(f"{path.relative_to(ROOT)}: {line.strip()}")


@pytest.mark.parametrize("package", NATIVE, ids=lambda path: path.name)
def test_no_mutable_static_object(package: Path) -> None:
    """State lives in modules and objects: static PyObject pointers break sub-interpreters."""
    for path in (package / "native").rglob("*.[ch]"):
        for line in path.read_text().splitlines():
            assert not MUTABLE.match(line), f"{path}: {line}"
