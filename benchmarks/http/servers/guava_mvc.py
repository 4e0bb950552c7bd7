"""guava: MVC controllers, found by the path: PORT."""

import sys

import guava
import guava_http

# The row "idle" opens more connections than Guava admits by itself.
server = guava.server.Server(
    ip="127.0.0.1", port=int(sys.argv[1]), limits=guava_http.Limits(connections=16_000)
)
server.add_router(guava.router.MVCRouter(mount_point="/", package="controllers"))
server.serve()
