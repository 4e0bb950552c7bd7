"""Granian, RSGI: its own interface and the fastest of the three. The app by the environment."""

import os
from io import BytesIO
from urllib.parse import parse_qs

import orjson

from benchmarks.http.rows import MIB, OBJECT, PIECE, PIECES

TEN, MANY = b"x" * 10 * 1024, b"x" * MIB
HTML = [("content-type", "text/html; charset=utf-8")]
JSON = [("content-type", "application/json")]
BYTES = [("content-type", "application/octet-stream")]


async def hello(scope, protocol):
    protocol.response_str(200, HTML, "Hello, world!")


async def answer_json(scope, protocol):
    protocol.response_bytes(200, JSON, orjson.dumps(OBJECT))


async def form(scope, protocol):
    fields = parse_qs((await protocol()).decode())
    protocol.response_str(200, HTML, fields["name"][0])


async def multipart(scope, protocol):
    from multipart import MultipartParser, parse_options_header

    _, options = parse_options_header(scope.headers["content-type"])
    parser = MultipartParser(BytesIO(await protocol()), options["boundary"])
    parts = {part.name: part for part in parser.parts()}
    size = len(parts["picture"].file.read())
    protocol.response_str(200, HTML, f"{parts['name'].value} {size}")


async def body_10k(scope, protocol):
    protocol.response_bytes(200, BYTES, TEN)


async def body_1m(scope, protocol):
    protocol.response_bytes(200, BYTES, MANY)


async def upload(scope, protocol):
    protocol.response_str(200, HTML, str(len(await protocol())))


async def sink(scope, protocol):
    size = 0
    async for piece in protocol:
        size += len(piece)
    protocol.response_str(200, HTML, str(size))


async def stream(scope, protocol):
    transport = protocol.response_stream(200, BYTES)
    for _ in range(PIECES):
        await transport.send_bytes(PIECE)


async def static(scope, protocol):
    protocol.response_file(200, BYTES, os.environ["BENCHMARK_FILES"] + scope.path)


app = {
    **{"hello": hello, "json": answer_json, "form": form, "multipart": multipart, "sink": sink},
    **{"body-10k": body_10k, "body-1m": body_1m, "upload": upload, "stream": stream},
    "static": static,
}[os.environ["BENCHMARK_APP"]]
