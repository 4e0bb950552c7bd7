"""uvicorn on uvloop and httptools, plain ASGI with no framework, access log off: PORT APP."""

import sys

import uvicorn

from benchmarks.http.servers.asgi_apps import APPS

uvicorn.run(
    APPS[sys.argv[2]],
    host="127.0.0.1",
    port=int(sys.argv[1]),
    loop="uvloop",
    http="httptools",
    lifespan="off",
    access_log=False,
    log_level="warning",
)
