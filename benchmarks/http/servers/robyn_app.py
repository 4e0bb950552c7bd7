"""Robyn in one process, logs off: PORT APP."""

import sys
from urllib.parse import parse_qs

import orjson
from robyn import Headers, Response, Robyn

from benchmarks.http.rows import OBJECT

PORT, APP = sys.argv[1:3]
sys.argv = sys.argv[:1]  # it has options of its own
app = Robyn(__file__)
HTML = Headers({"content-type": "text/html; charset=utf-8"})
BYTES = Headers({"content-type": "application/octet-stream"})


def hello(request):
    return Response(200, HTML, "Hello, world!")


def answer_json(request):
    return Response(
        200, Headers({"content-type": "application/json"}), orjson.dumps(OBJECT).decode()
    )


def form(request):
    return Response(200, HTML, parse_qs(request.body)["name"][0])


def body_10k(request):
    return Response(200, BYTES, b"x" * 10 * 1024)


HANDLERS = {"hello": hello, "json": answer_json, "form": form, "body-10k": body_10k}
add = app.post if APP == "form" else app.get
add("/" if APP == "hello" else f"/{APP}")(HANDLERS[APP])
app.start(host="127.0.0.1", port=int(PORT))
