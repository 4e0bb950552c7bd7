"""Resident memory before and after many requests: what is kept of a request shows here.

    python memory.py SERVER [--requests N] [--connections N]

SERVER is a server script as count.py has them, without a tool around it. Of each of its rows N
requests are made, sixteen in a write; then N connections are opened and closed, a request on each.
Printed, as JSON, is by how many bytes the server's anonymous memory grew over each.
"""

import argparse
import json
from pathlib import Path

from count import Client, running

WARM = 4096


def anonymous(pid: int) -> int:
    """The bytes of a process's memory that no file stands behind."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "RssAnon":
            return int(value.split()[0]) * 1024
    raise SystemExit("this kernel does not tell RssAnon")


def grown(server: Path, requests: int, connections: int) -> dict[str, int]:
    found = {}
    with running([], server) as about:
        pid = about["pid"]
        for name, row in about["rows"].items():
            client = Client(**(row | {"depth": 16}))
            client.send(WARM)
            before = anonymous(pid)
            client.send(requests)
            found[name] = anonymous(pid) - before
            client.close()
        row = next(iter(about["rows"].values()))
        churn(row, WARM // 4)
        before = anonymous(pid)
        churn(row, connections)
        found["connections"] = anonymous(pid) - before
    return found


def churn(row: dict[str, int], connections: int) -> None:
    for _ in range(connections):
        Client(row["port"]).close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", type=Path, help="the server script")
    parser.add_argument("--requests", type=int, default=50_000, help="of each row")
    parser.add_argument("--connections", type=int, default=5_000)
    options = parser.parse_args()
    print(json.dumps(grown(options.server, options.requests, options.connections), indent=2))


if __name__ == "__main__":
    main()
