"""A million requests, and resident memory before and after them.

    python benchmarks/soak.py [--requests N] [--connections N]

Runs the servers of the gates (guava-http's handlers, and guava's MVC controller) without any tool
around them, each row with N requests, sixteen in a write, then opens and closes N connections.
Fails when the memory of a server grew by more than a quarter of a MiB over any of it. The tests do
the same with 50 000.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).parent.parent / "packages"
MEMORY = PACKAGES / "guava-http/tests/gates/memory.py"
SERVERS = {
    "guava-http": PACKAGES / "guava-http/tests/gates/server.py",
    "guava": PACKAGES / "guava/tests/mvc/server.py",
}
ROOM = 256 * 1024  # bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000, help="of each row")
    parser.add_argument("--connections", type=int, default=50_000)
    options = parser.parse_args()
    leaking = False
    for name, server in SERVERS.items():
        command = [sys.executable, str(MEMORY), str(server), "--requests", str(options.requests)]
        command += ["--connections", str(options.connections)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for row, by in json.loads(done.stdout).items():
            leaking |= by > ROOM
            print(f"{name:12} {row:28} {by / 1024:+8.0f} KiB{'   grows' if by > ROOM else ''}")
    return int(leaking)


if __name__ == "__main__":
    sys.exit(main())
