"""What Python joins to core/ under random inputs, for a moment; fuzz/glue.py does the same for as
long as it is told to. GUAVA_FUZZ_SEED: another seed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz"
sys.path[:0] = [str(FUZZ), str(FUZZ.parent)]
import reference  # noqa: E402
import run  # noqa: E402
from corpus.corpus import SECOND, read_corpus  # noqa: E402

SEED = os.environ.get("GUAVA_FUZZ_SEED", "1")
RUNS = {"accept": 8000, "authorization": 8000, "multipart": 300, "parser": 1000}
CASES = [case for case in read_corpus() if case.label != "free"]


@pytest.mark.parametrize("target", run.GLUE)
def test_nothing_is_found(target, tmp_path):
    runs = RUNS.get(target, 1000)
    command = [sys.executable, str(FUZZ / "glue.py"), target, "--seed", SEED, "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.match(rf"{runs} runs, ", done.stdout)


def test_a_finding_is_told(tmp_path):
    """An input that no target takes well: the file that `--again` gets is where the failure is."""
    path = tmp_path / "input"
    path.write_bytes(b"multipart/form-data; boundary=b\n--b--")
    command = [sys.executable, "-c", PLANTED, str(FUZZ), "url", "--again", str(path)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0
    command = [sys.executable, "-c", PLANTED, str(FUZZ), "url", "--runs", "50", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode != 0 and "planted" in done.stderr
    assert b"://" in (tmp_path / "fuzz-url-1").read_bytes()


PLANTED = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import glue, targets

def url(data):
    assert b"://" not in data and b"--b--" not in data, "planted"

targets.TARGETS["url"] = url
sys.exit(glue.main())
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_reference_knows_the_corpus(case):
    """Who judges RequestParser is judged by what people wrote down."""
    found, end = reference.read(case.data + SECOND)
    if case.label == "reject":
        assert (len(found), end) in ((case.before, "refused"), (case.before, "more"))
    else:
        assert len(found) >= max(1, case.before)
        assert "body" not in case.sees or found[0][3] == case.sees["body"]
