"""The process of a router for Python: builds a table, is asked, answers; a line each way.

    build            {"seconds": 0.12}
    check            {"wrong": null}, or what is wrong
    KIND SECONDS     {"ns": 812.5, "matches": 24000}
    count KIND 9 99  {}: asks for so many, and makes a system call around each; see counts.py

The programs in other languages, in programs/, do the same.
"""

import ctypes
import gc
import json
import os
import sys
import time
from typing import Any

from benchmarks.router.peers import PEERS, Peer, handlers


class Asked:
    def __init__(self, key: str, file: str) -> None:
        with open(file) as text:
            table = json.load(text)
        self.key = key
        self.routes = [(method, path) for method, path in table["routes"]]
        self.requests = table["requests"]
        self.handlers = handlers(len(self.routes))
        self.prepared: dict[str, list[Any]] = {}
        # What it imports, and what it makes only once, is not the table's.
        PEERS[key]([("GET", "/once/{a}")], handlers(1))

    def build(self) -> dict[str, float]:
        started = time.process_time()
        self.peer: Peer = PEERS[self.key](self.routes, self.handlers)
        seconds = time.process_time() - started
        settle()
        return {"seconds": seconds}

    def check(self) -> dict[str, str | None]:
        for kind, requests in self.requests.items():
            # Servers have one str for each method, not one for each request.
            self.prepared[kind] = [
                self.peer.request(sys.intern(method), path) for method, path, _, _ in requests
            ]
            # The slow ones would take minutes for all.
            for (method, path, number, values), request in list(
                zip(requests, self.prepared[kind], strict=True)
            )[: max(64, 2_000_000 // len(self.routes))]:
                found = self.peer.found(request)
                wanted = None if number is None else (self.handlers[number], values)
                if found != wanted:
                    said = "nothing" if found is None else f"{found[1]}"
                    return {"wrong": f"answers {said} for {method} {path}"}
        gc.collect()
        gc.disable()
        return {"wrong": None}

    def measure(self, kind: str, seconds: float) -> dict[str, float]:
        requests, hits = self.prepared[kind], kind != "miss"
        few = requests[:8]
        taken = self.timed(few, 1, hits) / len(few)
        count = max(len(few), int(seconds / max(taken, 1e-9)))
        some, times = requests[:count], max(1, count // len(requests))
        matches = len(some) * times
        return {"ns": self.timed(some, times, hits) / matches * 1e9, "matches": matches}

    def count(self, kind: str, few: int, many: int) -> dict[str, str]:
        requests, hits = self.prepared[kind], kind != "miss"
        for number in few, few, many:  # the first ones warm up, and are before the first mark
            self.peer.loop(requests[:number], hits)
            os.getppid()
        return {}

    def timed(self, requests: list[Any], times: int, hits: bool) -> float:
        """Seconds of CPU time."""
        loop = self.peer.loop
        started = time.process_time_ns()
        for _ in range(times):
            loop(requests, hits)
        return (time.process_time_ns() - started) / 1e9


def settle() -> None:
    """What was needed for building only is given back, before memory is looked at."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def main() -> None:
    sys.setrecursionlimit(20_000)  # some build by recursion
    asked = Asked(sys.argv[1], sys.argv[2])
    settle()
    print("{}", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "build":
            answer: Any = asked.build()
        elif words[0] == "check":
            answer = asked.check()
        elif words[0] == "count":
            answer = asked.count(words[1], int(words[2]), int(words[3]))
        else:
            answer = asked.measure(words[0], float(words[1]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
