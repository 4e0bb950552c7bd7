"""Guava: a super lightweight, high-performance web framework.

import guava

server = guava.server.Server(ip="127.0.0.1", port=8000)
server.add_router(guava.router.MVCRouter(mount_point="/", package="controllers"))
server.serve()
"""

from importlib.metadata import version as _version

from . import controller, cookie, handler, request, response, router, server, session

__all__ = [
    "controller",
    "cookie",
    "handler",
    "request",
    "response",
    "router",
    "server",
    "session",
]

__version__ = _version("guava")
