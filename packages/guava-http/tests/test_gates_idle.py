"""An idle keep-alive connection costs at most a kilobyte of the process.

The clients live in another process. What malloc and pymalloc have given out is counted, not
resident pages: it is exact. What the kernel keeps of a socket is not ours and is not in it.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "idle_clients.py"
MOST = 1024  # bytes of each connection
# Its own server and loop, and nothing of pytest in the process.
PROGRAM = """
import asyncio, ctypes, gc, subprocess, sys
import guava_loop
from guava_http import Limits, Server

clients, n, transport = sys.argv[1], int(sys.argv[2]), sys.argv[3]

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info

def taken():
    # With PYTHONMALLOC=malloc Python's objects are in there, too.
    gc.collect()
    info = mallinfo2()
    return info.uordblks + info.hblkhd

async def main():
    async with Server(lambda request: "idle", port=0, transport=transport,
                      limits=Limits(connections=2 * n)) as server:
        child = await asyncio.create_subprocess_exec(
            sys.executable, clients, str(server.port), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

        async def have(count):
            child.stdin.write(b"%d\\n" % count)
            async with asyncio.timeout(60):
                assert await child.stdout.readline() == b"%d\\n" % count
                while server.connections != count:
                    await asyncio.sleep(0.01)

        # Above nine tenths of the limit idle connections are closed: it is far away.
        # Tables that grow by doubling are as large as they will be.
        await have(n)
        await have(n // 10)
        before = taken()
        await have(n)
        used = (taken() - before) / (n - n // 10)
        await have(0)
        child.stdin.close()
        await child.wait()
        print(used)

guava_loop.run(main())
"""


@pytest.mark.skipif("GUAVA_SANITIZED" in os.environ, reason="the sanitizer adds to each block")
@pytest.mark.skipif(hasattr(sys, "gettotalrefcount"), reason="a debug build adds to each object")
@pytest.mark.skipif(sys.platform != "linux", reason="mallinfo2() is of the GNU C library")
def test_memory_of_an_idle_connection():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = 10_000 if hard == resource.RLIM_INFINITY or hard >= 10_500 else hard - 500
    if soft < n + 500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n + 500, hard))
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, CLIENTS, str(n), "native"],
            env={**os.environ, "PYTHONMALLOC": "malloc"},
            capture_output=True,
            text=True,
            timeout=600,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert done.returncode == 0, done.stderr
    used = float(done.stdout)
    assert 0 < used <= MOST
