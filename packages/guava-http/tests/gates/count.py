"""Counts what a request costs: system calls with strace, instructions and mallocs with callgrind.

Seconds lie on a shared machine; counts do not. A server script runs under the tool and prints, as
one line of JSON, its process id, the port and path of a *mark*, and its *rows*: name, port, path,
requests per write, kind of headers. A request to the mark calls getppid(2) and does nothing else
of note: callgrind cuts its counts there (--dump-before), and strace's log shows the call. For each
row, the difference between many requests and few, over the difference of their numbers, is what
one request costs; what a mark costs, what a connection costs and what start-up costs fall out.

    python count.py syscalls SERVER            prints the counts of each row as JSON
    python count.py instructions SERVER        the same, with the key of this build
    python count.py record SERVER FILE         writes the instructions into FILE under that key
    python count.py profile SERVER ROW         the functions in which ROW's instructions are spent

The tests run it in a process of its own, and so can a person. It needs strace or valgrind.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FEW, MANY = 1024, 3072
"""Requests of a short and of a long count: multiples of every depth."""
FEW_TRACED, MANY_TRACED = 208, 1232
"""The same under strace, which stops the server twice for each system call."""
WARM = 256
TIMEOUT = 60.0  # seconds for any one answer

PLAIN = "Host: 127.0.0.1\r\n"
# What a browser sends to a site that has set a cookie; 703 bytes with "GET / HTTP/1.1".
BROWSER = (
    "Host: 127.0.0.1:8000\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"\r\n'
    "sec-ch-ua-mobile: ?0\r\n"
    'sec-ch-ua-platform: "Linux"\r\n'
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    "\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    f"Cookie: theme=dark; sid={'0123456789abcdef' * 5}\r\n"
)
FIELDS = {"plain": PLAIN, "browser": BROWSER}
ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}

Numbers = dict[str, Any]


class Client:
    """One keep-alive connection that sends requests in turn and knows when an answer is whole."""

    def __init__(self, port: int, path: str = "/", depth: int = 1, fields: str = "plain") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.depth = depth
        self.batch = (f"GET {path} HTTP/1.1\r\n{FIELDS[fields]}\r\n").encode() * depth
        self.length = self.first()

    def first(self) -> int:
        """The length of one whole answer; all of a row have the same."""
        self.socket.sendall(self.batch)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self.part()
        head = received[:end].decode("latin-1")
        if not head.startswith("HTTP/1.1 200 "):
            raise SystemExit(f"the server answers {head.splitlines()[0]!r}")
        found = re.search(r"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        if found is None:
            raise SystemExit("the server's answer has no Content-Length")
        length = end + 4 + int(found[1])
        while len(received) < length * self.depth:
            received += self.part()
        return length

    def part(self) -> bytes:
        part = self.socket.recv(1 << 16)
        if not part:
            raise SystemExit("the server closed the connection")
        return part

    def send(self, requests: int) -> None:
        for _ in range(requests // self.depth):
            self.socket.sendall(self.batch)
            missing = self.length * self.depth
            while missing > 0:
                missing -= len(self.part())

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def running(tool: list[str], server: Path) -> Iterator[Numbers]:
    """Runs a server script under a tool; gives what it printed. Ends both whatever happens."""
    # Else the C library picks its memcpy by the processor, and the counts with it.
    without = "AVX AVX2 AVX2_Usable AVX512F AVX512VL AVX_Fast_Unaligned_Load ERMS FSRM"
    tunables = "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in without.split())
    # What is counted is the interpreter as it comes, not its development mode.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") or name in ("PYTHONPATH", "PYTHONHOME")
    }
    process = subprocess.Popen(
        [*tool, sys.executable, str(server)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"PYTHONHASHSEED": "0", "GLIBC_TUNABLES": tunables},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{server.name} did not start: {process.stderr.read().decode()}")
        about = json.loads(line)
        yield about
        # The server ends, then the tool, which writes what it has.
        os.kill(about["pid"], signal.SIGTERM)
        process.communicate(timeout=TIMEOUT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def drive(about: Numbers, rows: list[str], few: int, many: int) -> None:
    """Marks, few requests, marks, many requests, marks: for each row in turn."""
    mark = Client(about["mark"]["port"], about["mark"]["path"])
    for name in rows:
        client = Client(**about["rows"][name])
        client.send(WARM)
        for requests in (few, many):
            mark.send(1)
            client.send(requests)
        mark.send(1)
        client.close()
    mark.close()


# A wait that was to last, and in which nothing happened.
TICK = re.compile(r"(?:\d+ +)?epoll_p?wait\(.*, [1-9]\d*(?:, NULL, \d+)?\) += 0$")


def traced(log: str) -> list[Counter[str]]:
    """The system calls between one mark and the next, by name."""
    parts: list[Counter[str]] = [Counter()]
    for line in log.splitlines():
        found = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if found is None:
            continue
        name = found[1]
        if name == "getppid":
            parts.append(Counter())
        elif TICK.match(line):
            # The loop's clock, not the request: so many a second, however many requests come.
            parts[-1]["(tick)"] += 1
        else:
            parts[-1][name] += 1
    return parts


def syscalls(server: Path) -> Numbers:
    """System calls per request of each row: in all, and by name."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with running(["strace", "-f", "-qq", "-o", str(log)], server) as about:
            rows = list(about["rows"])
            drive(about, rows, FEW_TRACED, MANY_TRACED)
        parts = traced(log.read_text(errors="replace"))
    found: Numbers = {}
    for row, few, many in differences(rows, parts):
        per = {
            name: (many[name] - few[name]) / (MANY_TRACED - FEW_TRACED)
            for name in sorted(many.keys() | few.keys())
            if name != "(tick)" and many[name] != few[name]
        }
        found[row] = {"total": sum(per.values()), "by_name": per}
    return found


def differences(rows: list[str], parts: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Each row with its short and its long count: after start-up, three parts for each row."""
    for number, row in enumerate(rows):
        yield row, parts[3 * number + 2], parts[3 * number + 3]


@contextlib.contextmanager
def callgrind(server: Path, row: str | None = None) -> Iterator[tuple[list[str], list[Path]]]:
    """Drives one row or all of them under callgrind; gives them and the dumps, in order."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        tool += ["--dump-before=getppid", "--compress-strings=no"]
        with running(tool, server) as about:
            rows = list(about["rows"]) if row is None else [row]
            drive(about, rows, FEW, MANY)
        yield rows, [Path(f"{out}.{number + 1}") for number in range(3 * len(rows) + 1)]


def instructions(server: Path) -> Numbers:
    """Instructions and mallocs per request of each row, with the key of the build."""
    found: Numbers = {}
    with callgrind(server) as (rows, dumps):
        parts = [dumped(path.read_text()) for path in dumps]
        for row, few, many in differences(rows, parts):
            requests = MANY - FEW
            found[row] = {
                "instructions": (many[0] - few[0]) / requests,
                "mallocs": (many[1] - few[1]) / requests,
            }
    return {"key": key(), "rows": found}


def dumped(text: str) -> tuple[int, int]:
    """Instructions, and calls of the C library's allocators, in one dump of callgrind."""
    total = re.search(r"^totals: (\d+)", text, re.MULTILINE)
    assert total is not None, "callgrind's dump has no total"
    calls = re.findall(r"^cfn=(\w+).*\ncalls=(\d+)", text, re.MULTILINE)
    return int(total[1]), sum(int(count) for name, count in calls if name in ALLOCATORS)


def key() -> str:
    """What the number of instructions depends on, readable. Builds of one key count alike."""
    import platform
    import sysconfig

    import guava_http
    import guava_loop

    del guava_http, guava_loop  # they are imported for the libraries that come with them
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    options = [
        name
        for name in ("enable-optimizations", "with-lto", "with-pydebug", "enable-shared")
        if name in arguments
    ]
    interpreter = [
        platform.python_implementation(),
        platform.python_version(),
        *platform.python_compiler().split()[:2],
        *re.findall(r"-O\w", sysconfig.get_config_var("PY_CFLAGS") or "")[-1:],
        *options,
    ]
    native = {
        match.decode()
        for name in ("guava_loop._core", "guava_http._core")
        for match in re.findall(
            rb"GCC: \([^)]*\) ([\d.]+)", Path(sys.modules[name].__file__ or "").read_bytes()
        )
    }
    parts = [
        " ".join(interpreter),
        f"compiler {'/'.join(sorted(native)) or 'unknown'}",
        " ".join(platform.libc_ver()),
        *libraries(),
        platform.machine(),
    ]
    return "; ".join(parts)


def libraries() -> list[str]:
    """The versions of libuv and http-parser that are loaded in this process."""
    import ctypes

    found = []
    paths = set(re.findall(r"/\S*\.so\S*", Path("/proc/self/maps").read_text()))
    for path in sorted(paths):
        if "libuv" in path:
            library = ctypes.CDLL(path)
            library.uv_version_string.restype = ctypes.c_char_p
            found.append(f"libuv {library.uv_version_string().decode()}")
        elif "libhttp_parser" in path:
            library = ctypes.CDLL(path)
            library.http_parser_version.restype = ctypes.c_ulong
            number = library.http_parser_version()
            found.append(f"http-parser {number >> 16}.{number >> 8 & 255}.{number & 255}")
    return found


def record(server: Path, file: Path) -> None:
    """Writes this build's instructions into a file of recorded counts."""
    counted = instructions(server)
    known = json.loads(file.read_text()) if file.exists() else {}
    known[counted["key"]] = {
        row: round(numbers["instructions"]) for row, numbers in counted["rows"].items()
    }
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def profile(server: Path, row: str, most: int = 50) -> str:
    """Where a row's instructions go, per request: each function alone, and with what it calls."""
    with callgrind(server, row) as (_, dumps):
        lines = dumps[3].read_text().splitlines()
    alone: Counter[str] = Counter()
    below: Counter[str] = Counter()
    function, library, callee, callee_library, calling = "", "", "", "", False
    for line in lines:
        name, _, value = line.partition("=")
        if name == "ob":
            library = callee_library = value.rpartition("/")[2]
        elif name == "fn":
            function = f"{value} [{library}]"
        elif name == "cob":
            callee_library = value.rpartition("/")[2]
        elif name == "cfn":
            callee = f"{value} [{callee_library}]"
        elif name == "calls":
            calling = True  # the next line tells what the callee spent
        elif line[:1] and line[0] in "0123456789+-*":
            spent = int(line.split()[1])
            if not calling:
                alone[function] += spent
            elif callee != function:
                below[callee] += spent
            calling, callee_library = False, library
    text = f"{sum(alone.values()) / MANY:10.1f}  in all\n"
    for title, counts in ("alone", alone), ("with what it calls", below):
        text += f"\n{title}\n"
        text += "".join(f"{n / MANY:10.1f}  {name}\n" for name, n in counts.most_common(most))
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["syscalls", "instructions", "record", "profile"])
    parser.add_argument("server", type=Path, help="the server script")
    parser.add_argument("target", nargs="?", help="record: the file; profile: the row")
    options = parser.parse_args()
    if (options.target is None) != (options.what in ("syscalls", "instructions")):
        parser.error("record needs a file, profile a row, the others neither")
    tool = "strace" if options.what == "syscalls" else "valgrind"
    if shutil.which(tool) is None:
        parser.error(f"{tool} is not installed")
    if options.what == "syscalls":
        print(json.dumps(syscalls(options.server), indent=2))
    elif options.what == "instructions":
        print(json.dumps(instructions(options.server), indent=2))
    elif options.what == "record":
        record(options.server, Path(options.target))
    else:
        print(profile(options.server, options.target), end="")


if __name__ == "__main__":
    main()
