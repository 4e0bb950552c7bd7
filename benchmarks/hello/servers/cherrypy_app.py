"""CherryPy on its own server (cheroot), ten threads as it comes, logs off."""

import sys

import cherrypy


class Hello:
    @cherrypy.expose
    def index(self):
        return "Hello, world!"


cherrypy.config.update(
    {
        "environment": "production",
        "log.screen": False,
        "server.socket_host": "127.0.0.1",
        "server.socket_port": int(sys.argv[1]),
    }
)
cherrypy.quickstart(Hello())
