"""Plain ASGI applications, one for each app, for uvicorn."""

from urllib.parse import parse_qs

import orjson

from benchmarks.http.rows import MIB, OBJECT, PIECE, PIECES

TEN, MANY = b"x" * 10 * 1024, b"x" * MIB
BYTES = b"application/octet-stream"


async def answer(send, body, kind=b"text/html; charset=utf-8"):
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    await answer(send, b"Hello, world!")


async def answer_json(scope, receive, send):
    await answer(send, orjson.dumps(OBJECT), b"application/json")


async def pieces(receive):
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def received(receive):
    return b"".join([piece async for piece in pieces(receive)])


async def form(scope, receive, send):
    fields = parse_qs((await received(receive)).decode())
    await answer(send, fields["name"][0].encode())


async def multipart(scope, receive, send):
    from io import BytesIO

    from multipart import MultipartParser, parse_options_header

    _, options = parse_options_header(dict(scope["headers"])[b"content-type"].decode())
    parser = MultipartParser(BytesIO(await received(receive)), options["boundary"])
    parts = {part.name: part for part in parser.parts()}
    size = len(parts["picture"].file.read())
    await answer(send, f"{parts['name'].value} {size}".encode())


async def body_10k(scope, receive, send):
    await answer(send, TEN, BYTES)


async def body_1m(scope, receive, send):
    await answer(send, MANY, BYTES)


async def upload(scope, receive, send):
    await answer(send, str(len(await received(receive))).encode())


async def sink(scope, receive, send):
    size = 0
    async for piece in pieces(receive):
        size += len(piece)
    await answer(send, str(size).encode())


async def stream(scope, receive, send):
    headers = [(b"content-type", BYTES)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


APPS = {
    **{"hello": hello, "json": answer_json, "form": form, "multipart": multipart, "sink": sink},
    **{"body-10k": body_10k, "body-1m": body_1m, "upload": upload, "stream": stream},
}
