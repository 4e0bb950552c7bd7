"""The README's server in C, as a reader would build and run it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    section = README.read_text().partition("\n## The C API\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")
def test_the_server_in_c(tmp_path: Path) -> None:
    [source], [build], [use] = blocks("c"), blocks("sh"), blocks("python")
    (tmp_path / "shout.c").write_text(source)
    (tmp_path / "use.py").write_text(use)
    folder = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": folder + os.pathsep + os.environ["PATH"]}
    if sys.platform == "darwin":
        build = build.replace("-shared", "-bundle -undefined dynamic_lookup")
    subprocess.run(["sh", "-c", build], cwd=tmp_path, env=env, check=True)
    done = subprocess.run(
        [sys.executable, "use.py"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [promised] = re.findall(r"^print\(.*\)  # (.*)$", use, re.MULTILINE)
    assert done.stdout.strip() == promised
