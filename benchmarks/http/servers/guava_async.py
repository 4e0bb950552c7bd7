"""guava-http, coroutines. A handler for each app: PORT APP FILES."""

import sys

import guava_http

from benchmarks.http.rows import MIB, OBJECT, PIECE, PIECES

PORT, APP, FILES = sys.argv[1:]
TEN, MANY = b"x" * 10 * 1024, b"x" * MIB


async def hello(request):
    return "Hello, world!"


async def answer_json(request):
    return OBJECT


async def form(request):
    return request.POST["name"]


async def multipart(request):
    picture = request.files["picture"]
    return f"{request.POST['name']} {len(picture.read())}"


async def body_10k(request):
    return TEN


async def body_1m(request):
    return MANY


async def upload(request):
    return str(len(request.body))


async def stream(request):
    for _ in range(PIECES):
        yield PIECE


async def static(request):
    return guava_http.FileResponse(FILES + request.path)


def handlers():
    found = {name.replace("_", "-"): value for name, value in globals().items()}
    found["json"] = answer_json
    if APP == "sink":

        @guava_http.stream_body(limit=None)
        async def sink(request):
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
            return str(size)

        found["sink"] = sink
    return found


# The row "idle" opens more connections than Guava admits by itself.
guava_http.serve(
    handlers()[APP],
    host="127.0.0.1",
    port=int(PORT),
    limits=guava_http.Limits(connections=16_000),
)
