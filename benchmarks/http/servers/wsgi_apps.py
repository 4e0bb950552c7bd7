"""WSGI applications, one for each app, for bjoern, freastal, fastwsgi and gunicorn."""

from urllib.parse import parse_qs

import orjson

from benchmarks.http.rows import MIB, OBJECT, PIECE, PIECES

TEN, MANY = b"x" * 10 * 1024, b"x" * MIB
BYTES = "application/octet-stream"


def answer(start_response, body, kind="text/html; charset=utf-8"):
    # Without a Content-Length bjoern would fall back to chunks and close.
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def hello(environ, start_response):
    return answer(start_response, b"Hello, world!")


def answer_json(environ, start_response):
    return answer(start_response, orjson.dumps(OBJECT), "application/json")


def received(environ):
    return environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))


def form(environ, start_response):
    fields = parse_qs(received(environ).decode())
    return answer(start_response, fields["name"][0].encode())


def multipart(environ, start_response):
    from multipart import parse_form_data

    fields, files = parse_form_data(environ)
    size = len(files["picture"].file.read())
    return answer(start_response, f"{fields['name']} {size}".encode())


def body_10k(environ, start_response):
    return answer(start_response, TEN, BYTES)


def body_1m(environ, start_response):
    return answer(start_response, MANY, BYTES)


def upload(environ, start_response):
    return answer(start_response, str(len(received(environ))).encode())


def sink(environ, start_response):
    size, body, left = 0, environ["wsgi.input"], int(environ["CONTENT_LENGTH"])
    while left and (part := body.read(min(65536, left))):
        size, left = size + len(part), left - len(part)
    return answer(start_response, str(size).encode())


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", BYTES)])
    return (PIECE for _ in range(PIECES))


APPS = {
    **{"hello": hello, "json": answer_json, "form": form, "multipart": multipart, "sink": sink},
    **{"body-10k": body_10k, "body-1m": body_1m, "upload": upload, "stream": stream},
}
