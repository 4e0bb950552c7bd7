"""guava: MVC controllers, found by the path: PORT."""

import sys

import guava

server = guava.server.Server(ip="127.0.0.1", port=int(sys.argv[1]))
server.add_router(guava.router.MVCRouter(mount_point="/", package="controllers"))
server.serve()
