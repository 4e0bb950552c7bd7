"""Builds the fuzz targets of core/ and runs them.

    python packages/guava-http/tests/fuzz/run.py [--seconds N] [--seed N] [--engine E] [TARGET...]

The seconds (3600 unless told) are shared by the targets. The engine is libFuzzer where clang and
its runtime are installed (Debian: clang, libclang-rt-dev), else mutate.c, which needs gcc
alone. An input that was not taken well lies in fuzz-TARGET-SEED in the working directory, and the
exit code is 1; give its path to `--again` together with the target to see the failure once more.

What is found and mended becomes a file in corpus/TARGET. What a run adds to the corpus otherwise
is thrown away with it: the corpus here is small enough to be read.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CORE = HERE.parent.parent / "native" / "core"
DICTIONARY = HERE / "http.dict"
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c"))
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
FLAGS = [
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-I",
    str(CORE.parent),
]


def compiler() -> list[str]:
    """The compiler that builds extensions."""
    return shlex.split(sysconfig.get_config_var("CC") or "cc")


def compiles(command: list[str], folder: Path) -> bool:
    """Whether a program can be made with these flags, and its libraries found."""
    source = folder / "probe.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdint.h>\n"
        "int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { return d == 0 && n > 0; }\n"
        "#ifndef NO_MAIN\nint main(void) { return 0; }\n#endif\n"
    )
    command = [*command, str(source), "-o", str(folder / "probe")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def has_libfuzzer(folder: Path) -> bool:
    flags = ["-DNO_MAIN", "-fsanitize=fuzzer,address,undefined"]
    return shutil.which("clang") is not None and compiles(["clang", *flags], folder)


def build(target: str, folder: Path, engine: str) -> Path:
    """Compiles a target; gives the program's path."""
    sources = [*sorted(CORE.glob("*.c")), HERE / f"fuzz_{target}.c"]
    program = folder / target
    if engine == "libfuzzer":
        flags = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
        command = ["clang", *FLAGS, *flags, *map(str, sources)]
    else:
        cc = compiler()
        sanitized = SANITIZED if compiles([*cc, *SANITIZED], folder) else []
        traced = ["-fsanitize-coverage=trace-pc"]
        traced = traced if compiles([*cc, "-c", *traced], folder) else []
        mutator = folder / "mutate.o"
        if not mutator.exists():
            own = [*cc, *FLAGS, "-c", str(HERE / "mutate.c"), "-o", str(mutator)]
            subprocess.run(own, check=True)
        command = [*cc, *FLAGS, *sanitized, *traced, *map(str, sources), str(mutator)]
    subprocess.run([*command, "-lhttp_parser", "-o", str(program)], check=True)
    return program


def command_of(
    target: str, program: Path, engine: str, *, seed: int, seconds: float, runs: int, current: Path
) -> list[str]:
    corpus = str(HERE / "corpus" / target)
    if engine == "libfuzzer":
        # What it finds goes to the first folder.
        grown = program.with_suffix(".corpus")
        grown.mkdir(exist_ok=True)
        options = [f"-seed={seed + 1}", f"-max_total_time={max(1, round(seconds))}"]
        options += [f"-dict={DICTIONARY}", f"-exact_artifact_path={current}", "-max_len=9000"]
        options += ["-print_final_stats=1", "-verbosity=0", "-timeout=20", "-rss_limit_mb=2048"]
        if runs:
            options.append(f"-runs={runs}")
        return [str(program), *options, str(grown), corpus]
    most = str(runs or 2**62)
    return [str(program), str(seed), str(seconds), most, str(current), str(DICTIONARY), corpus]


def environment() -> dict[str, str]:
    """Leaks are findings: a target frees what it takes."""
    kept = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    return kept | {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all unless told")
    parser.add_argument("--seconds", type=float, default=3600, help="for all of them")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--runs", type=int, default=0, help="at most, of each; 0: no bound")
    parser.add_argument("--engine", choices=["libfuzzer", "mutate"])
    parser.add_argument("--again", type=Path, help="run this one input instead")
    options = parser.parse_args()
    targets = options.targets or TARGETS
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = options.engine or ("libfuzzer" if has_libfuzzer(folder) else "mutate")
        for target in targets:
            program = build(target, folder, engine)
            current = Path.cwd() / f"fuzz-{target}-{options.seed}"
            if options.again:
                once = folder / "once"
                once.mkdir(exist_ok=True)
                shutil.copy(options.again, once / "input")
                command = [str(program), "0", "60", "1", str(folder / "current")]
                command += [str(DICTIONARY), str(once)]
                if engine == "libfuzzer":
                    command = [str(program), str(once / "input")]
            else:
                command = command_of(
                    *(target, program, engine),
                    seed=options.seed,
                    seconds=options.seconds / len(targets),
                    runs=options.runs,
                    current=current,
                )
            print(f"{target} ({engine}, seed {options.seed})", flush=True)
            if subprocess.run(command, env=environment(), check=False).returncode != 0:
                failed.append(str(current))
            elif current.exists():
                current.unlink()
    if failed:
        print("not taken well:", *failed, file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
