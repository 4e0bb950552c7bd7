"""bjoern, WSGI. Without a Content-Length it would fall back to chunks and close."""

import sys

import bjoern

BODY = b"Hello, world!"
HEADERS = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(BODY)))]


def app(environ, start_response):
    start_response("200 OK", HEADERS)
    return [BODY]


bjoern.run(app, "127.0.0.1", int(sys.argv[1]))
