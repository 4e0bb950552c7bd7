"""The servers whose files are counted: a port for each size, and one that sends no file."""

import asyncio
import json
import os
import signal
import tempfile
from pathlib import Path

import guava_http
import guava_loop

SIZES = {"1 KiB": 1 << 10, "100 KiB": 100 << 10}


def mark(request):
    os.getppid()
    return ""


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    handlers = {"no file": lambda request: "Hello, world!", "mark": mark}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            path = str(Path(folder, f"{size}.bin"))
            Path(path).write_bytes(b"f" * size)
            handlers[name] = lambda request, path=path: guava_http.FileResponse(path)
        servers = {}
        for name, handler in handlers.items():
            servers[name] = guava_http.Server(handler, host="127.0.0.1", port=0)
            await servers[name].start()
        rows = {name: {"port": server.port} for name, server in servers.items() if name != "mark"}
        about = {"pid": os.getpid(), "mark": {"port": servers["mark"].port, "path": "/"}}
        print(json.dumps(about | {"rows": rows}), flush=True)
        await stop.wait()
        for server in servers.values():
            await server.close(grace=0)


guava_loop.run(main())
