"""Builds the fuzz targets and runs them.

    python packages/guava-http/tests/fuzz/run.py [--seconds N] [--seed N] [--engine E] [TARGET...]

- chunks, head, query, cookies, fields, date, target, ranges, conditions: core/, in C. The engine
  is libFuzzer where clang and its runtime are installed (Debian: clang, libclang-rt-dev), else
  mutate.c, which needs gcc alone.
- accept, authorization, multipart, parser, texts, url: what Python joins to it (glue.py).
- server-native, server-adapter, server-asyncio: a whole server over socket pairs (server.py).

The seconds (3600 unless told) are shared by the targets, the server's transports take half of
them. The C targets are built with sanitizers; the others take the packages as installed, which
`./run test -e fuzz` builds with sanitizers too (GUAVA_SANITIZED=1 loads their libraries).

An input that was not taken well lies in fuzz-TARGET-SEED in the working directory, and the exit
code is 1; give its path to `--again` together with the target to see the failure once more. The
server's failures name a round instead.

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
GLUE = ["accept", "authorization", "multipart", "parser", "texts", "url"]
SERVERS = ["server-adapter", "server-asyncio", "server-native"]
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


def command_to_compile(folder: Path, engine: str) -> list[str]:
    if engine == "libfuzzer":
        return ["clang", *FLAGS, "-fsanitize=fuzzer,address,undefined", SANITIZED[1]]
    cc = compiler()
    sanitized = SANITIZED if compiles([*cc, *SANITIZED], folder) else []
    traced = ["-fsanitize-coverage=trace-pc"]
    traced = traced if compiles([*cc, "-c", *traced], folder) else []
    return [*cc, *FLAGS, *sanitized, *traced]


def objects(folder: Path, engine: str) -> list[str]:
    """core/ and what drives it, compiled once for all targets of this folder."""
    made = folder / f"objects-{engine}"
    if not made.exists():
        made.mkdir()
        command = command_to_compile(folder, engine)
        for source in sorted(CORE.glob("*.c")):
            out = ["-c", str(source), "-o", str(made / f"{source.stem}.o")]
            subprocess.run([*command, *out], check=True)
        if engine == "mutate":
            # Not traced: its own code is no news.
            out = ["-c", str(HERE / "mutate.c"), "-o", str(made / "mutate.o")]
            subprocess.run([*compiler(), *FLAGS, *out], check=True)
    return sorted(map(str, made.glob("*.o")))


def build(target: str, folder: Path, engine: str) -> Path:
    """Compiles a target; gives the program's path."""
    program = folder / target
    command = command_to_compile(folder, engine)
    command += [str(HERE / f"fuzz_{target}.c"), *objects(folder, engine)]
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
    """Of the C targets. Leaks are findings: a target frees what it takes."""
    kept = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    return kept | {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }


def environment_of_python() -> dict[str, str]:
    """Of those that run the installed packages: sanitizers must be there before Python is."""
    made = dict(os.environ)
    if made.get("GUAVA_SANITIZED") and "LD_PRELOAD" not in made:
        found = []
        for name in ("libasan.so", "libubsan.so"):
            command = [*compiler(), f"-print-file-name={name}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(done.stdout.strip())
        made["LD_PRELOAD"] = " ".join(found)
    return made


def python_command(target: str, options: argparse.Namespace, seconds: float) -> list[str]:
    command = [sys.executable, "-X", "faulthandler"]
    if target in GLUE:
        command += [str(HERE / "glue.py"), target]
        if options.again:
            return [*command, "--again", str(options.again)]
    else:
        if options.again:
            raise SystemExit("a round of the server's is seen again with server.py itself")
        command += [str(HERE / "server.py"), "--transport", target.removeprefix("server-")]
    command += ["--seed", str(options.seed), "--seconds", str(seconds)]
    most = "--runs" if target in GLUE else "--rounds"
    return [*command, most, str(options.runs)] if options.runs else command


def run_core(
    target: str, options: argparse.Namespace, folder: Path, engine: str, seconds: float
) -> bool:
    """Whether nothing was found."""
    program = build(target, folder, engine)
    current = Path.cwd() / f"fuzz-{target}-{options.seed}"
    if options.again:
        once = folder / "once"
        once.mkdir(exist_ok=True)
        shutil.copy(options.again, once / "input")
        command = [str(program), str(once / "input")]
        if engine != "libfuzzer":
            command = [str(program), "0", "60", "1", str(folder / "current")]
            command += [str(DICTIONARY), str(once)]
    else:
        command = command_of(
            *(target, program, engine),
            seed=options.seed,
            seconds=seconds,
            runs=options.runs,
            current=current,
        )
    print(f"{target} ({engine}, seed {options.seed})", flush=True)
    if subprocess.run(command, env=environment(), check=False).returncode != 0:
        return False
    current.unlink(missing_ok=True)
    return True


def shares(targets: list[str], seconds: float) -> dict[str, float]:
    """The seconds of each target: half of all for the servers, where there is all."""
    servers = [target for target in targets if target in SERVERS]
    others = len(targets) - len(servers)
    half = seconds / 2 if servers and others else seconds
    return {target: half / (len(servers) if target in SERVERS else others) for target in targets}


def main() -> int:
    every = [*TARGETS, *GLUE, *SERVERS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(every)}; all unless told")
    parser.add_argument("--seconds", type=float, default=3600, help="for all of them")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--runs", type=int, default=0, help="at most, of each; 0: no bound")
    parser.add_argument("--engine", choices=["libfuzzer", "mutate"])
    parser.add_argument("--again", type=Path, help="run this one input instead")
    options = parser.parse_args()
    targets = options.targets or every
    unknown = set(targets).difference(every)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = options.engine or ("libfuzzer" if has_libfuzzer(folder) else "mutate")
        for target, seconds in shares(targets, options.seconds).items():
            if target in TARGETS:
                done = run_core(target, options, folder, engine, seconds)
            else:
                print(f"{target} (seed {options.seed})", flush=True)
                command = python_command(target, options, seconds)
                made = subprocess.run(command, env=environment_of_python(), check=False)
                done = made.returncode == 0
            if not done:
                failed.append(target)
    if failed:
        print(f"not taken well, seed {options.seed}:", *failed, file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
