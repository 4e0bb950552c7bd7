"""A million requests, and resident memory before and after them.

    python benchmarks/soak.py [--requests N] [--connections N] [--exchanges N]

Runs the servers of the gates (guava-http's handlers, and guava's MVC controller) without any tool
around them, each row with N requests, sixteen in a write, then opens and closes N connections.
Then N exchanges of each of the other kinds (soak_clients.py): bodies and answers that stream,
forms, events, files, compression, slow clients, resets. Fails when the memory of a server grew by
more than a quarter of a MiB over any of the first, or two MiB over any of the others, whose
buffers are large, and when an answer is wrong. The tests do the same with less.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).parent.parent / "packages"
CLIENTS = Path(__file__).parent / "soak_clients.py"
MEMORY = PACKAGES / "guava-http/tests/gates/memory.py"
SERVERS = {
    "guava-http": PACKAGES / "guava-http/tests/gates/server.py",
    "guava": PACKAGES / "guava/tests/mvc/server.py",
}
ROOM = 256 * 1024  # bytes
ROOM_OF_CLIENTS = 2 * 1024 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000, help="of each row")
    parser.add_argument("--connections", type=int, default=50_000)
    parser.add_argument("--exchanges", type=int, default=20_000, help="of each other kind")
    options = parser.parse_args()
    leaking = False

    def tell(name: str, row: str, by: int, room: int) -> None:
        nonlocal leaking
        leaking |= by > room
        print(f"{name:12} {row:28} {by / 1024:+8.0f} KiB{'   grows' if by > room else ''}")

    for name, server in SERVERS.items() if options.requests else ():
        command = [sys.executable, str(MEMORY), str(server), "--requests", str(options.requests)]
        command += ["--connections", str(options.connections)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for row, by in json.loads(done.stdout).items():
            tell(name, row, by, ROOM)
    if options.exchanges:
        command = [sys.executable, str(CLIENTS), "--exchanges", str(options.exchanges)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for row, by in json.loads(done.stdout).items():
            tell("clients", row, by, ROOM_OF_CLIENTS)
    return int(leaking)


if __name__ == "__main__":
    sys.exit(main())
