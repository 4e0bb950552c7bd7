"""What the compared sites share: the pages' texts, TLS in front, and a slow step in each write."""

import asyncio
import html
import io
import threading
import urllib.parse

URL = "https://site.test/"

DESCRIPTION = {
    "url": URL,
    "login": "/login",
    "username": "anna",
    "password": "secret",
    "whoami": "/me",
    "proof": "Signed in as anna",
    "logout": "/logout",
    "logout_form": "/logout",
    "write": "/add",
    "write_body": "key={key}&value={value}",
    "write_form": "/add",
    "read": "/items",
    "error": "/error",
    "plain_http": "http://site.test/",
}

#: Pages that depend on who asks are the application's to keep out of caches; all sites do.
NO_STORE = ("Cache-Control", "no-store")


class Slowness:
    """What an application does between reading its session and writing it. Eight parallel writes
    wait for each other there, and seven for the logout that comes with them, so that what is lost
    or comes back does not depend on luck."""

    def __init__(self):
        self._all_read = threading.Barrier(8)
        self._read = threading.Semaphore(0)
        self._left = threading.Event()

    def step(self, key, known):
        """Called by a write, with the keys that the session has."""
        if key[:5] == "audit" and key != "audit" and "audit0" in known:
            self._all_read.wait(60)
        if key[:4] == "late" and key != "late" and "late" in known:
            left = self._left
            self._read.release()
            left.wait(60)

    def leave(self, known):
        """Called by a logout, with the keys that the session has; what it returns is called when
        the session has ended."""
        if "late" not in known:
            return lambda: None
        for _ in range(7):
            self._read.acquire(timeout=60)
        left, self._left = self._left, threading.Event()
        return left.set


def form(fields, token=""):
    return f"<form method=post>{token}{fields}<button>Go</button></form>"


LOGIN = "<input name=username><input type=password name=password>"


def listed(items):
    return "".join(f"<p>{html.escape(k)}: {html.escape(str(v))}" for k, v in items)


def read_form(environ):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    return dict(urllib.parse.parse_qsl(environ["wsgi.input"].read(size).decode()))


def front(application):
    """What stands in front of every site: TLS only, and the word to browsers to stay with it."""

    def inner(environ, start_response):
        if environ["wsgi.url_scheme"] == "http":
            start_response("301 Moved Permanently", [("Location", URL)])
            return [b""]

        def start(status, headers, exc_info=None):
            headers = [*headers, ("Strict-Transport-Security", "max-age=31536000")]
            return start_response(status, headers, exc_info)

        return application(environ, start)

    return inner


def from_asgi(application):
    """A WSGI application of an ASGI one, as far as the audit needs it."""

    def inner(environ, start_response):
        size = int(environ.get("CONTENT_LENGTH") or 0)
        scope = {
            "type": "http",
            "scheme": environ["wsgi.url_scheme"],
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "query_string": environ["QUERY_STRING"].encode(),
            "headers": [
                (k[5:].replace("_", "-").lower().encode(), v.encode("latin-1"))
                for k, v in environ.items()
                if k.startswith("HTTP_")
            ],
        }
        sent = []

        async def receive():
            return {"type": "http.request", "body": environ["wsgi.input"].read(size)}

        async def send(message):
            sent.append(message)

        asyncio.run(application(scope, receive, send))
        headers = [(k.decode(), v.decode()) for k, v in sent[0]["headers"]]
        start_response(f"{sent[0]['status']} Done", headers)
        return [message.get("body", b"") for message in sent[1:]]

    return inner


def to_asgi(page):
    """An ASGI application around ``page(environ, session)``, which gives status, fields, text."""

    async def inner(scope, receive, send):
        message = await receive()
        environ = {"REQUEST_METHOD": scope["method"], "PATH_INFO": scope["path"]}
        environ["CONTENT_LENGTH"] = str(len(message["body"]))
        environ["wsgi.input"] = io.BytesIO(message["body"])
        status, fields, text = page(environ, scope["session"])
        headers = [(k.encode(), v.encode()) for k, v in fields]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    return inner
