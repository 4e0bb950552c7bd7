"""freastal, WSGI: the faster of its two interfaces."""

import sys

import freastal

BODY = b"Hello, world!"
HEADERS = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(BODY)))]


def app(environ, start_response):
    start_response("200 OK", HEADERS)
    return [BODY]


freastal.serve(app, host="127.0.0.1", port=int(sys.argv[1]), workers=1)
