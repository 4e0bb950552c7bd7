"""CherryPy on its own server (cheroot), ten threads as it comes, logs off: PORT APP."""

import sys

import cherrypy
import orjson

from benchmarks.http.rows import OBJECT


class Root:
    def hello(self):
        return "Hello, world!"

    def json(self):
        cherrypy.response.headers["Content-Type"] = "application/json"
        return orjson.dumps(OBJECT)

    def form(self, name, **rest):
        return name

    def ten(self):
        return b"x" * 10 * 1024


APP = sys.argv[2]
method = getattr(Root, {"body-10k": "ten"}.get(APP, APP))
method.exposed = True
setattr(Root, "index" if APP == "hello" else APP.replace("-", "_"), method)
cherrypy.config.update(
    {
        "environment": "production",
        "log.screen": False,
        "server.socket_host": "127.0.0.1",
        "server.socket_port": int(sys.argv[1]),
    }
)
cherrypy.quickstart(Root())
