"""The servers whose requests are counted: one loop, a port for each way of answering."""

import asyncio
import json
import os
import signal
import sys

# JSON by the standard library, whatever else is installed: the counts are those of one build.
sys.modules["orjson"] = sys.modules["msgspec"] = None

import guava_http  # noqa: E402
import guava_loop  # noqa: E402

ITEMS = {"message": "Hello, world!", "items": [1, 2, 3]}


def hello(request):
    return "Hello, world!"


async def hello_async(request):
    return "Hello, world!"


async def hello_suspended(request):
    await asyncio.sleep(0)
    return "Hello, world!"


def hello_json(request):
    return ITEMS


def mark(request):
    os.getppid()
    return ""


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ports = {}
    servers = []
    for handler in (hello, hello_async, hello_suspended, hello_json, mark):
        server = guava_http.Server(handler, host="127.0.0.1", port=0)
        await server.start()
        servers.append(server)
        ports[handler] = server.port
    rows = {
        "def": {"port": ports[hello]},
        "def, browser's headers": {"port": ports[hello], "fields": "browser"},
        "def, 16 pipelined": {"port": ports[hello], "depth": 16},
        "async def": {"port": ports[hello_async]},
        "async def, 16 pipelined": {"port": ports[hello_async], "depth": 16},
        "async def, one suspension": {"port": ports[hello_suspended]},
        "JSON": {"port": ports[hello_json]},
    }
    about = {"pid": os.getpid(), "mark": {"port": ports[mark], "path": "/"}, "rows": rows}
    print(json.dumps(about), flush=True)
    await stop.wait()
    for server in servers:
        await server.close(grace=0)


guava_loop.run(main())
