"""Proves that each package stands alone.

For every package: build its sdist, build its wheel from that sdist, install the wheel into an
empty environment, look that no sibling came along which it does not need, import it, and run the
tests that its sdist carries, in a folder of their own.

    python tests/alone.py [PACKAGE...]
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

# What each package brings with it, itself included.
NEEDS = {
    "guava-loop": {"guava-loop"},
    "guava-http": {"guava-loop", "guava-http"},
    "guava-router": {"guava-router"},
    "guava-session": {"guava-session"},
    "guava": {"guava", "guava-loop", "guava-http", "guava-router", "guava-session"},
}

LOOK = """
import importlib, importlib.metadata, sys
package, expected = sys.argv[1], set(sys.argv[2:])
importlib.import_module(package.replace("-", "_"))
found = {d.metadata["Name"] for d in importlib.metadata.distributions()}
found = {name for name in found if name.startswith("guava")}
assert found == expected, f"installed {sorted(found)}, expected {sorted(expected)}"
loaded = {name.partition(".")[0] for name in sys.modules} & {
    "guava", "guava_loop", "guava_http", "guava_router", "guava_session"}
assert loaded <= {name.replace("-", "_") for name in expected}, loaded
"""


def run(*command: object, cwd: Path = ROOT) -> None:
    subprocess.run([str(word) for word in command], cwd=cwd, check=True)


def build(uv: str, out: Path) -> None:
    # uv builds the sdist, and the wheel from it: what is not in the sdist is not in the wheel.
    run(uv, "build", "--quiet", "--all-packages", "--python", sys.executable, "--out-dir", out)
    for package in NEEDS:
        name = package.replace("-", "_")
        for kind in (f"{name}-[0-9]*.tar.gz", f"{name}-[0-9]*.whl"):
            assert len(list(out.glob(kind))) == 1, f"{kind}: {sorted(out.iterdir())}"


def prove(uv: str, package: str, out: Path, work: Path) -> None:
    print(f"---- {package} alone ----", flush=True)
    environment = work / f"env-{package}"
    python = environment / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, environment)
    install = (uv, "pip", "install", "--quiet", "--python", python)
    run(*install, "--find-links", out, f"{package}>=1.0")
    run(python, "-c", LOOK, package, *NEEDS[package], cwd=work)
    run(*install, "pytest>=8", "pytest-xdist>=3.6")
    (sdist,) = out.glob(f"{package.replace('-', '_')}-[0-9]*.tar.gz")
    folder = work / f"sdist-{package}"
    with tarfile.open(sdist) as archive:
        # The filter came with 3.11.4; the archive is our own.
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safely)
    (tree,) = folder.iterdir()
    # Only the tests and what they read: the sources would shadow the installed package.
    shutil.rmtree(tree / "src")
    options = ("-q", "--import-mode=importlib", "-n", "3", "--dist", "worksteal")
    run(python, ROOT / "tests" / "twice.py", *options, cwd=tree)


def main(packages: list[str]) -> None:
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("alone: uv is not on PATH; run it as ./run test -e alone")
    unknown = [package for package in packages if package not in NEEDS]
    if unknown:
        known = ", ".join(NEEDS)
        raise SystemExit(f"alone: no such package: {', '.join(unknown)}; there are {known}")
    with tempfile.TemporaryDirectory(prefix="guava-alone-") as name:
        work = Path(name)
        out = work / "dist"
        build(uv, out)
        for package in packages or NEEDS:
            prove(uv, package, out, work)


if __name__ == "__main__":
    main(sys.argv[1:])
