"""A WSGI application of a router and plain WSGI functions, for any WSGI server.

python wsgi_app.py [PORT]
gunicorn wsgi_app:application
waitress-serve wsgi_app:application
python -m guava_router wsgi_app:router --explain GET /books/1/chapters
"""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import make_server

from guava_router import RedirectHandler, Router

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

BOOKS = {1: "Walden", 2: "Emma"}


def answer(start_response: "StartResponse", status: str, value: Any) -> list[bytes]:
    body = json.dumps(value).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def books(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    urls = {title: router.url_for("book", id=number) for number, title in BOOKS.items()}
    return answer(start_response, "200 OK", urls)


def book(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    _, params = environ["wsgiorg.routing_args"]
    title = BOOKS.get(params["id"])  # an int: the pattern says so
    if title is None:
        return answer(start_response, "404 Not Found", "no such book")
    return answer(start_response, "200 OK", {"title": title})


def notes(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """An application of its own below /notes/: it sees the path behind that."""
    where = {"mounted at": environ["SCRIPT_NAME"], "path": environ["PATH_INFO"]}
    return answer(start_response, "200 OK", where)


router = Router({"/": RedirectHandler("/books")})
router.register("/books", books, methods=["GET"])
router.register("/books/{id:int}", book, methods=["GET"], name="book")
router.register("/notes/{rest:path}", notes)

application = router.as_wsgi()

if __name__ == "__main__":
    port = int(sys.argv[1]) if sys.argv[1:] else 8000
    with make_server("127.0.0.1", port, application) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()
