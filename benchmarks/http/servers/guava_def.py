"""guava-http, plain functions. A handler for each app: PORT APP FILES."""

import sys

import guava_http

from benchmarks.http.rows import MIB, OBJECT, PIECE, PIECES

PORT, APP, FILES = sys.argv[1:]
TEN, MANY = b"x" * 10 * 1024, b"x" * MIB


def hello(request):
    return "Hello, world!"


def answer_json(request):
    return OBJECT


def form(request):
    return request.POST["name"]


def multipart(request):
    picture = request.files["picture"]
    return f"{request.POST['name']} {len(picture.read())}"


def body_10k(request):
    return TEN


def body_1m(request):
    return MANY


def upload(request):
    return str(len(request.body))


def stream(request):
    for _ in range(PIECES):
        yield PIECE


def static(request):
    return guava_http.FileResponse(FILES + request.path)


def handlers():
    found = {name.replace("_", "-"): value for name, value in globals().items()}
    found["json"] = answer_json
    if APP == "sink":
        # A plain function that reads a body runs on a thread.
        @guava_http.stream_body(limit=None)
        def sink(request):
            return str(sum(len(chunk) for chunk in request.stream()))

        found["sink"] = sink
    return found


# The row "idle" opens more connections than Guava admits by itself.
guava_http.serve(
    handlers()[APP],
    host="127.0.0.1",
    port=int(PORT),
    limits=guava_http.Limits(connections=16_000),
)
