"""A router as a WSGI application (PEP 3333): its targets are WSGI applications.

The match of a request is in its environ: "wsgiorg.routing_args" has the parameters, as frameworks
and middleware know them, and "guava_router.match" the whole Match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import static_wsgi
from ._core import Match
from .answers import Answer, NotFound, SlashRedirect, phrase
from .files import StaticHandler
from .mounting import described, mounted_rest, refusal, under

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .faces import Matcher

_ROUTING_ARGS = "wsgiorg.routing_args"


def _path_of(environ: WSGIEnvironment) -> str:
    """PATH_INFO as text. PEP 3333 hands bytes over as Latin-1; what is no UTF-8 matches none."""
    path: str = environ.get("PATH_INFO", "")
    if not path.isascii():
        path = path.encode("latin-1").decode("utf-8", "surrogateescape")
    return path or "/"


def _host_of(environ: WSGIEnvironment) -> str:
    host = environ.get("HTTP_HOST")
    if host is None:  # HTTP/1.0
        host = f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '80')}"
    return str(host)


def _script_of(environ: WSGIEnvironment) -> str:
    """SCRIPT_NAME as a URL has it."""
    return quote(environ.get("SCRIPT_NAME", "").encode("latin-1"), safe="/!$&'()*+,;=:@~")


def _ignore(data: bytes) -> None:
    pass


def _without_body(
    application: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Asks an application and keeps its headers only."""
    started: list[bool] = []

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[..., object]:
        started.append(True)
        start_response(status, headers, *more)
        return _ignore

    body = application(environ, start)
    try:
        if not started:  # a generator calls start_response() when it is asked for its first bytes
            for _ in body:
                if started:
                    break
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    # Not a list: servers would take its length for that of the body and say so to the client.
    return iter((b"",))


def _send(
    answer: Answer, environ: WSGIEnvironment, start_response: StartResponse, prefix: str = ""
) -> Iterable[bytes]:
    """An answer, complete with its length. prefix: what goes before a redirect's path."""
    headers = [
        (name, under(prefix, value) if name == "Location" else value)
        for name, value in answer.headers
    ]
    if answer.status >= 200 and answer.status not in (204, 304):
        headers.append(("Content-Length", str(len(answer.body))))
    start_response(f"{answer.status} {phrase(answer.status)}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]


def _send_file(
    handler: StaticHandler, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    answer = refusal(environ["REQUEST_METHOD"])
    if answer is None:
        try:
            decision = handler.decide(environ["REQUEST_METHOD"], static_wsgi.fields(environ))
        except (FileNotFoundError, NotADirectoryError):
            answer = NotFound()
        else:
            return static_wsgi.send(decision, environ, start_response)
    return _send(answer, environ, start_response)


class WSGIRouter:
    """What Router.as_wsgi() makes; see there."""

    __slots__ = ("_application", "_match", "_otherwise", "router")

    def __init__(
        self,
        router: Matcher,
        application: Callable[[Match], WSGIApplication] | None = None,
        otherwise: WSGIApplication | None = None,
    ) -> None:
        self.router = router
        self._match = router.match
        self._application = application
        self._otherwise = otherwise

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        path = _path_of(environ)
        found = self._match(method, path, _host_of(environ), environ.get("QUERY_STRING", ""))
        if isinstance(found, Answer):
            if self._otherwise is not None and isinstance(found, NotFound):
                return self._otherwise(environ, start_response)
            if isinstance(found, SlashRedirect):
                found = found.with_query(environ.get("QUERY_STRING", "").encode("latin-1"))
            # What a router redirects to lies beside it, wherever it is mounted.
            return _send(found, environ, start_response, _script_of(environ))
        target = found.target
        if isinstance(target, Answer):
            return _send(target, environ, start_response)
        if isinstance(target, StaticHandler):
            return _send_file(target, environ, start_response)
        if self._application is not None:
            target = self._application(found)
        if not callable(target):
            raise TypeError(described("a WSGI application", "as_wsgi", found, method, path))
        self._enter(environ, found, path)
        if method == "HEAD":
            return _without_body(target, environ, start_response)
        result: Iterable[bytes] = target(environ, start_response)
        return result

    def _enter(self, environ: WSGIEnvironment, found: Match, path: str) -> None:
        """Puts the match into the environ, which PEP 3333 lets an application change."""
        params = found.params
        positional, named = environ.get(_ROUTING_ARGS, ((), {}))
        environ[_ROUTING_ARGS] = (positional, {**named, **params})
        environ["guava_router.match"] = found
        rest = mounted_rest(found.pattern, params, path)
        if rest is not None:
            info = environ["PATH_INFO"]
            n = len(info) - len(rest.encode("utf-8", "surrogateescape")) - 1
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + info[:n]
            environ["PATH_INFO"] = info[n:]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.router!r}>"
