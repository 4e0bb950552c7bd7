"""python -m benchmarks.session.memory KEY COUNT: what so many sessions take in a fresh process.

It prints bytes a session, and the milliseconds of a full collection with all of them there."""

import gc
import json
import os
import sys
import time
from typing import Any

from guava_session import JSONSerializer, MemoryStore, generate_id

from benchmarks.session.record import record

KEYS = {
    "memory": "guava: memory",
    "dict": "a dict of dicts",
    "memory-json": "guava: memory, with JSON",
}


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(key: str, count: int) -> None:
    limits: dict[str, Any] = {"max_entries": count + 1, "max_bytes": 1 << 50}
    if key == "memory-json":
        limits["serializer"] = JSONSerializer()
    store, kept = MemoryStore(**limits), dict[str, Any]()
    gc.collect()
    gc.disable()  # a dict's collections while it grows are another matter
    before = resident()
    for number in range(count):
        sid = generate_id()
        if key == "dict":
            kept[sid] = record(number)
        else:
            store.set(sid, record(number))
    used = resident() - before
    began = time.perf_counter()
    gc.collect()
    pause = time.perf_counter() - began
    print(json.dumps({"bytes": used / count, "pause_ms": pause * 1000}))
    sys.stdout.flush()
    os._exit(0)  # to free a million of them takes long


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
