"""Sanic in one process, logs off: PORT APP."""

import sys

import orjson
from sanic import Sanic, response

from benchmarks.http.rows import OBJECT

PORT, APP = sys.argv[1:3]
TEN = b"x" * 10 * 1024


async def hello(request):
    return response.html("Hello, world!")


async def answer_json(request):
    return response.json(OBJECT, dumps=orjson.dumps)


async def form(request):
    return response.text(request.form["name"][0])


async def body_10k(request):
    return response.raw(TEN)


APPS = {"hello": hello, "json": answer_json, "form": form, "body-10k": body_10k}

if __name__ == "__main__":
    app = Sanic("benchmark", configure_logging=False)
    app.add_route(APPS[APP], "/" if APP == "hello" else f"/{APP}", methods=["GET", "POST"])
    app.run(host="127.0.0.1", port=int(PORT), access_log=False, motd=False, single_process=True)
