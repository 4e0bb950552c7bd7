"""aiohttp's server on uvloop, access log off: PORT APP FILES."""

import sys

import orjson
import uvloop
from aiohttp import web

from benchmarks.http.rows import MIB, OBJECT, PIECE, PIECES

PORT, APP, FILES = sys.argv[1:]
TEN, MANY = b"x" * 10 * 1024, b"x" * MIB


async def hello(request):
    return web.Response(text="Hello, world!", content_type="text/html")


async def answer_json(request):
    return web.Response(body=orjson.dumps(OBJECT), content_type="application/json")


async def form(request):
    return web.Response(text=(await request.post())["name"])


async def multipart(request):
    fields = await request.post()
    return web.Response(text=f"{fields['name']} {len(fields['picture'].file.read())}")


async def body_10k(request):
    return web.Response(body=TEN)


async def body_1m(request):
    return web.Response(body=MANY)


async def upload(request):
    return web.Response(text=str(len(await request.read())))


async def sink(request):
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    return web.Response(text=str(size))


async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(PIECES):
        await response.write(PIECE)
    await response.write_eof()
    return response


HANDLERS = {
    **{"hello": hello, "json": answer_json, "form": form, "multipart": multipart, "sink": sink},
    **{"body-10k": body_10k, "body-1m": body_1m, "upload": upload, "stream": stream},
}
app = web.Application(client_max_size=4 * MIB)
if APP == "static":
    app.router.add_static("/", FILES)
else:
    app.router.add_route("*", "/{rest:.*}", HANDLERS[APP])
uvloop.install()
web.run_app(app, host="127.0.0.1", port=int(PORT), access_log=None, print=None)
