"""The MVC application whose requests are counted: see gates/count.py."""

import asyncio
import json
import os
import signal

import guava
import guava_loop


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = guava.server.Server(port=0)
    server.add_router(guava.router.MVCRouter(mount_point="/", package="controllers"))
    await server.start()
    paths = {
        "MVC": "/",
        "MVC, returned": "/index/returned",
        "MVC, async": "/index/coroutine",
        "MVC, an argument": "/post/view/10",
    }
    rows = {name: {"port": server.port, "path": path} for name, path in paths.items()}
    rows["MVC, browser's headers"] = rows["MVC"] | {"fields": "browser"}
    rows["MVC, 16 pipelined"] = rows["MVC"] | {"depth": 16}
    mark = {"port": server.port, "path": "/index/mark"}
    print(json.dumps({"pid": os.getpid(), "mark": mark, "rows": rows}), flush=True)
    await stop.wait()
    await server.close(grace=0)


guava_loop.run(main())
