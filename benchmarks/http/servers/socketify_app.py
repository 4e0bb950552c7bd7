"""socketify, its own interface: PORT APP."""

import sys
from io import BytesIO
from urllib.parse import parse_qs

import orjson
from socketify import App

from benchmarks.http.rows import MIB, OBJECT, PIECE, PIECES

TEN, MANY = b"x" * 10 * 1024, b"x" * MIB
HTML = "text/html; charset=utf-8"
BYTES = "application/octet-stream"


def answer(response, body, kind=HTML):
    response.write_header("Content-Type", kind)
    response.end(body)


def hello(response, request):
    answer(response, "Hello, world!")


def answer_json(response, request):
    answer(response, orjson.dumps(OBJECT), "application/json")


async def received(response):
    return (await response.get_data()).getvalue()


async def form(response, request):
    answer(response, parse_qs((await received(response)).decode())["name"][0])


async def multipart(response, request):
    from multipart import MultipartParser, parse_options_header

    _, options = parse_options_header(request.get_header("content-type"))
    parser = MultipartParser(BytesIO(await received(response)), options["boundary"])
    parts = {part.name: part for part in parser.parts()}
    size = len(parts["picture"].file.read())
    answer(response, f"{parts['name'].value} {size}")


def body_10k(response, request):
    answer(response, TEN, BYTES)


def body_1m(response, request):
    answer(response, MANY, BYTES)


async def upload(response, request):
    answer(response, str(len(await received(response))))


def sink(response, request):
    size = 0

    def on_data(response, chunk, last):
        nonlocal size
        size += len(chunk or b"")
        if last:
            answer(response, str(size))

    response.on_aborted(lambda response: None)
    response.on_data(on_data)


def stream(response, request):
    response.write_header("Content-Type", BYTES)
    for _ in range(PIECES):
        response.write(PIECE)
    response.end_without_body()


APPS = {
    **{"hello": hello, "json": answer_json, "form": form, "multipart": multipart, "sink": sink},
    **{"body-10k": body_10k, "body-1m": body_1m, "upload": upload, "stream": stream},
}
app = App()
app.any("/*", APPS[sys.argv[2]])
app.listen(int(sys.argv[1]))
app.run()
