"""core/ under random inputs, each target for a moment: fuzz/run.py does the same for an hour.

GUAVA_FUZZ_SECONDS   seconds for each target; 2 unless it is set
GUAVA_FUZZ_SEED      another seed
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz"
sys.path.insert(0, str(FUZZ))
import run  # noqa: E402

if shutil.which(run.compiler()[0]) is None:
    pytest.skip("these tests need the C compiler that builds extensions", allow_module_level=True)

SECONDS = float(os.environ.get("GUAVA_FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("GUAVA_FUZZ_SEED", "1"))
# What counts: in so many runs nothing is found. A fast machine ends before its time is over.
RUNS = 30_000 if "GUAVA_FUZZ_SECONDS" not in os.environ else 0
FORBIDDEN = ["strcpy", "strncpy", "strcat", "strncat", "sprintf", "vsprintf", "gets", "scanf"]
FORBIDDEN += ["sscanf", "atoi", "atol", "atoll", "atof", "strtol", "strtoul", "strtoll", "strtod"]
FORBIDDEN += ["strtoull", "strtok", "alloca"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("target", run.TARGETS)
def test_nothing_is_found(target, folder):
    program = run.build(target, folder, "mutate")
    current = folder / f"{target}.input"
    command = run.command_of(
        *(target, program, "mutate"), seed=SEED, seconds=SECONDS, runs=RUNS, current=current
    )
    done = subprocess.run(
        command, env=run.environment(), capture_output=True, text=True, timeout=SECONDS + 120
    )
    found = f"seed {SEED}, input {current.read_bytes()!r}\n{done.stderr}"
    assert done.returncode == 0, found
    runs = re.match(r"(\d+) runs, (\d+) places", done.stdout)
    assert runs is not None, done.stdout
    # The whole corpus at least has been through.
    assert int(runs[1]) >= len(list((FUZZ / "corpus" / target).iterdir()))


def test_a_finding_is_told(folder):
    """The mutator itself: a target that aborts on three bytes in a row is caught at it."""
    source = folder / "planted.c"
    source.write_text(
        "#include <stdint.h>\n#include <stddef.h>\n#include <stdlib.h>\n"
        "int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)\n"
        "{ for (size_t i = 0; i + 2 < n; i++)\n"
        "    if (d[i] == ';' && d[i + 1] == 'x' && d[i + 2] == '=') abort();\n"
        "  return 0; }\n"
    )
    program = folder / "planted"
    main = [*run.FLAGS, str(FUZZ / "mutate.c"), str(source), "-o", str(program)]
    subprocess.run([*run.compiler(), *main], check=True, timeout=120)
    current = folder / "planted.input"
    corpus = folder / "planted.corpus"
    corpus.mkdir()
    (corpus / "1").write_bytes(b"0\r\n\r\n")
    command = [program, "1", "60", "1000000", current, run.DICTIONARY, corpus]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode != 0
    assert b";x=" in current.read_bytes()


@pytest.mark.parametrize(
    "path",
    sorted(run.CORE.parent.rglob("*.[ch]")),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_no_function_that_does_not_know_its_bounds(path):
    called = set(re.findall(r"\b(\w+)\s*\(", path.read_text()))
    assert called.isdisjoint(FORBIDDEN)
