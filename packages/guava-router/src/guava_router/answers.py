"""Answers that are complete in themselves: any server can send them without knowing what they are.

A router returns one of these, a :class:`Handler` (call this action), a :class:`StaticHandler`
(send this file), or None (not mine).
"""

from __future__ import annotations

import http
from collections.abc import Iterable
from urllib.parse import quote

# RFC 3986: reserved and unreserved characters, and "%" so that what is encoded stays so.
_URI = "!#$%&'()*+,/:;=?@[]~-._"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Answer:
    """A whole response.

    status: the status code. headers: (name, value) pairs, without Content-Length.
    body: bytes; to be left out of the answer to HEAD.
    """

    __slots__ = ("body", "headers", "status")

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __init__(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        self.status = status
        self.headers = tuple(headers)
        self.body = body

    def header(self, name: str) -> str | None:
        """The value of the first header of this name, in any case; None if there is none."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status})"


def phrase(status: int) -> str:
    """What stands behind a status code; "Unknown" for one that nobody has registered."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _text(
    status: int, extra: Iterable[tuple[str, str]] = ()
) -> tuple[list[tuple[str, str]], bytes]:
    body = f"{status} {http.HTTPStatus(status).phrase}\n".encode()
    return [("Content-Type", "text/plain; charset=utf-8"), *extra], body


class RedirectHandler(Answer):
    """Sends the client to another address (RFC 9110, section 15.4).

    location: an absolute URL or a path; what is not ASCII or not allowed in a URL is encoded.
    status: 301, 302 (the default), 303, 307 or 308.
    Raises ValueError for another status, an empty location, or control characters in it.
    """

    __slots__ = ("location",)

    location: str

    def __init__(self, location: str, status: int = 302) -> None:
        if status not in _REDIRECTS:
            raise ValueError(f"a redirect's status is 301, 302, 303, 307 or 308, not {status!r}")
        if not location or any(ord(c) < 32 or ord(c) == 127 for c in location):
            raise ValueError(
                f"a redirect's location must be text without control characters: {location!r}"
            )
        self.location = quote(location, safe=_URI)
        headers, body = _text(status, [("Location", self.location)])
        super().__init__(status, headers, body)

    def __repr__(self) -> str:
        return f"RedirectHandler({self.location!r}, {self.status})"


class SlashRedirect(RedirectHandler):
    """301 from a directory of files to its address with a slash; the query goes along.

    StaticRouter makes it without one, for it is asked for a path; whoever sends it adds the
    request's.
    """

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(quote(path) + "/", 301)

    def with_query(self, query: str | bytes) -> RedirectHandler:
        """The answer to a request with this query, as it came; what no URL may hold is encoded."""
        if not query:
            return self
        return RedirectHandler(f"{self.location}?{quote(query, safe=_URI)}", self.status)


class MethodNotAllowed(Answer):
    """405: the resource is there, but not for this method (RFC 9110, section 15.5.6).

    allowed: the methods that it has; they become the Allow header.
    """

    __slots__ = ("allowed",)

    allowed: tuple[str, ...]

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        headers, body = _text(405, [("Allow", ", ".join(self.allowed))])
        super().__init__(405, headers, body)

    def __repr__(self) -> str:
        return f"MethodNotAllowed({self.allowed!r})"


class AllowedMethods(Answer):
    """204 with the Allow header: the answer to OPTIONS (RFC 9110, section 9.3.7)."""

    __slots__ = ("allowed",)

    allowed: tuple[str, ...]

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(204, [("Allow", ", ".join(self.allowed))])

    def __repr__(self) -> str:
        return f"AllowedMethods({self.allowed!r})"


class NotFound(Answer):
    """404. From route(), it ends the search; None lets the server go on and answer."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(404, *_text(404))

    def __repr__(self) -> str:
        return "NotFound()"


_ORDER = {"GET": 0, "HEAD": 1, "POST": 2, "PUT": 3, "PATCH": 4, "DELETE": 5, "OPTIONS": 9}


def _rank(method: str) -> tuple[int, str]:
    return _ORDER.get(method, 6), method


def allowed_methods(methods: Iterable[str]) -> tuple[str, ...]:
    """What Allow says of routes for these methods: HEAD with GET, and OPTIONS at the end."""
    all_of_them = {*methods, "OPTIONS"}
    if "GET" in all_of_them:
        all_of_them.add("HEAD")
    return tuple(sorted(all_of_them, key=_rank))


def not_allowed(methods: Iterable[str]) -> MethodNotAllowed:
    return MethodNotAllowed(allowed_methods(methods))


def options(methods: Iterable[str]) -> AllowedMethods:
    return AllowedMethods(allowed_methods(methods))
