"""Whole requests with a session, called in this process without sockets: so that it is the session
that is measured. Contestants of one group have the same framework around them."""

import asyncio
import io
import os
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from guava_session import (
    ASGISessions,
    AsyncRedisStore,
    CookieStore,
    FileStore,
    MemoryStore,
    RedisStore,
    SessionManager,
    SessionStore,
    WSGISessions,
    generate_id,
)

from benchmarks.session.record import copied, record

Driver = Callable[[str, int], None]
"""Asks for a path so often: /fill, /read or /write."""


def act(session: Any, path: str) -> str:
    """What the application does."""
    if path == "/fill":
        for key, value in record().items():
            session[key] = value
    elif path == "/write":
        session["visits"] = session["visits"] + 1
    return str(session["user_id"])


class Jar:
    """A visitor's one cookie."""

    def __init__(self) -> None:
        self.header = ""

    def take(self, headers: list[tuple[str, str]]) -> None:
        for name, value in headers:
            if name.lower() == "set-cookie":
                for morsel in SimpleCookie(value).values():
                    self.header = f"{morsel.key}={morsel.coded_value}"


def wsgi(application: Any) -> Driver:
    jar = Jar()
    base = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        statuses.append(status)
        jar.take(headers)

    def drive(path: str, times: int) -> None:
        for _ in range(times):
            environ = {**base, "PATH_INFO": path, "wsgi.input": io.BytesIO()}
            if jar.header:
                environ["HTTP_COOKIE"] = jar.header
            body = application(environ, start)
            text = b"".join(body)
            if hasattr(body, "close"):
                body.close()
            if not statuses.pop().startswith("200") or text != b"4711":
                raise RuntimeError(f"{path} was answered with {text[:80]!r}")

    return drive


def asgi(application: Any, loop: asyncio.AbstractEventLoop) -> Driver:
    jar = Jar()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            if message["status"] != 200:
                raise RuntimeError(f"answered with {message['status']}")
            jar.take([(name.decode(), value.decode()) for name, value in message["headers"]])

    async def ask(path: str, times: int) -> None:
        for _ in range(times):
            headers = [(b"host", b"localhost")]
            if jar.header:
                headers.append((b"cookie", jar.header.encode()))
            scope = {
                "type": "http",
                "method": "GET",
                "scheme": "http",
                "path": path,
                "query_string": b"",
                "headers": headers,
            }
            await application(scope, receive, send)

    return lambda path, times: loop.run_until_complete(ask(path, times))


# What is around the session.


def _bare(find: Callable[[Any], Any]) -> Any:
    def application(environ: Any, start: Any) -> Any:
        text = act(find(environ), environ["PATH_INFO"])
        start("200 OK", [("Content-Type", "text/plain")])
        return [text.encode()]

    return application


def _dict_application() -> Any:
    kept: dict[str, Any] = {}

    def application(environ: Any, start: Any) -> Any:
        path = environ["PATH_INFO"]
        sid = environ.get("HTTP_COOKIE", "")[4:] or generate_id()
        session = copied(kept.get(sid, {}))
        text = act(session, path)
        headers = [("Content-Type", "text/plain"), ("Vary", "Cookie")]
        if path != "/read":
            kept[sid] = copied(session)
        if path == "/fill":
            headers.append(("Set-Cookie", f"sid={sid}; HttpOnly; Path=/"))
        start("200 OK", headers)
        return [text.encode()]

    return application


def _flask(set_up: Callable[[Any], None]) -> Any:
    import flask

    app = flask.Flask("benchmark")
    app.config["SECRET_KEY"] = "k" * 32

    @app.get("/<what>")
    def answer(what: str) -> str:
        return act(flask.session, f"/{what}")

    set_up(app)
    return app.wsgi_app


def _ours_in_flask(store: SessionStore) -> Any:
    def set_up(app: Any) -> None:
        from guava_session.flask import GuavaSessions

        app.session_interface = GuavaSessions(store)

    return _flask(set_up)


def _flask_session(**config: Any) -> Any:
    def set_up(app: Any) -> None:
        import flask_session

        app.config.update(config)
        flask_session.Session(app)

    return _flask(set_up)


def _django(engine: str, **settings: Any) -> Any:
    from django.conf import settings as django_settings

    if not django_settings.configured:
        import django

        django_settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="k" * 32)
        django.setup()
    for name, value in {"SESSION_ENGINE": engine, **settings}.items():
        setattr(django_settings, name, value)
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse

    def view(request: Any) -> HttpResponse:
        return HttpResponse(act(request.session, request.path))

    middleware = SessionMiddleware(view)

    def application(environ: Any, start: Any) -> Any:
        # What an engine reads when it is made, not when it is loaded.
        for name, value in settings.items():
            if getattr(django_settings, name, None) is not value:
                setattr(django_settings, name, value)
        response = middleware(WSGIRequest(environ))
        headers = [*response.items()]
        headers += [("Set-Cookie", one.OutputString()) for one in response.cookies.values()]
        start(f"{response.status_code} {response.reason_phrase}", headers)
        return [response.content]

    return application


def _beaker(folder: Path, kind: str) -> Any:
    from beaker.middleware import SessionMiddleware

    application = _bare(lambda environ: environ["beaker.session"])
    config = {
        "session.type": kind,
        "session.data_dir": str(folder / "beaker"),
        "session.auto": True,
        "session.data_serializer": "json",
    }
    return SessionMiddleware(application, config)


def _answer(load: Callable[[Any], Awaitable[None]] | None = None) -> Any:
    from starlette.requests import Request

    async def application(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        if load is not None:
            await load(request)
        text = act(request.session, scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return application


def _starsessions(store: Any) -> Any:
    from starsessions import SessionMiddleware, load_session

    return SessionMiddleware(_answer(load_session), store=store, cookie_https_only=False)


def _starsessions_memory() -> Any:
    from starsessions import InMemoryStore

    return _starsessions(InMemoryStore())


def _starsessions_redis(port: int) -> Any:
    from redis.asyncio import Redis
    from starsessions.stores.redis import RedisStore as Peer

    return _starsessions(Peer(connection=Redis(port=port)))


def _starlette_cookie() -> Any:
    from starlette.middleware.sessions import SessionMiddleware

    return SessionMiddleware(_answer(), secret_key="k" * 32)


def _flask_session_files(folder: Path) -> Any:
    from cachelib.file import FileSystemCache

    cache = FileSystemCache(str(folder / "cachelib"))
    return _flask_session(SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)


def _flask_session_redis(port: int) -> Any:
    from redis import Redis

    return _flask_session(SESSION_TYPE="redis", SESSION_REDIS=Redis(port=port))


def _ours_in_django(store: SessionStore) -> Any:
    return _django("guava_session.django", GUAVA_SESSION_STORE=store)


def _django_files(folder: Path) -> Any:
    path = folder / "django"
    os.makedirs(path, exist_ok=True)
    engine = "django.contrib.sessions.backends.file"
    return _django(engine, SESSION_FILE_PATH=str(path))


def groups(
    folder: Path, port: int | None, loop: asyncio.AbstractEventLoop
) -> dict[str, dict[str, Callable[[], Driver]]]:
    """By its name, a group: what makes the driver of each contestant; ours is "guava"."""

    def ours(store: SessionStore) -> Any:
        return WSGISessions(_bare(lambda environ: environ["guava.session"]), SessionManager(store))

    def ours_asgi(store: Any) -> Any:
        return ASGISessions(_answer(), SessionManager(store))

    def key() -> bytes:
        return b"k" * 32

    found: dict[str, dict[str, Callable[[], Driver]]] = {
        "wsgi-memory": {
            "guava": lambda: wsgi(ours(MemoryStore())),
            "Beaker": lambda: wsgi(_beaker(folder, "memory")),
            "a dict": lambda: wsgi(_dict_application()),
        },
        "wsgi-file": {
            "guava": lambda: wsgi(ours(FileStore(folder / "wsgi"))),
            "Beaker": lambda: wsgi(_beaker(folder, "file")),
        },
        "flask-cookie": {
            "guava": lambda: wsgi(_ours_in_flask(CookieStore(key()))),
            "Flask": lambda: wsgi(_flask(lambda app: None)),
        },
        "flask-file": {
            "guava": lambda: wsgi(_ours_in_flask(FileStore(folder / "flask"))),
            "Flask-Session": lambda: wsgi(_flask_session_files(folder)),
        },
        "django-memory": {
            "guava": lambda: wsgi(_ours_in_django(MemoryStore())),
            "Django, locmem": lambda: wsgi(_django("django.contrib.sessions.backends.cache")),
        },
        "django-file": {
            "guava": lambda: wsgi(_ours_in_django(FileStore(folder / "django-ours"))),
            "Django, files": lambda: wsgi(_django_files(folder)),
        },
        "asgi-memory": {
            "guava": lambda: asgi(ours_asgi(MemoryStore()), loop),
            "starsessions": lambda: asgi(_starsessions_memory(), loop),
        },
        "asgi-cookie": {
            "guava": lambda: asgi(ours_asgi(CookieStore(key())), loop),
            "Starlette": lambda: asgi(_starlette_cookie(), loop),
        },
    }
    if port is not None:
        url = f"redis://127.0.0.1:{port}/0"
        found["flask-redis"] = {
            "guava": lambda: wsgi(_ours_in_flask(RedisStore(url))),
            "Flask-Session": lambda: wsgi(_flask_session_redis(port)),
        }
        found["asgi-redis"] = {
            "guava": lambda: asgi(ours_asgi(AsyncRedisStore(url)), loop),
            "starsessions": lambda: asgi(_starsessions_redis(port), loop),
        }
    return found
