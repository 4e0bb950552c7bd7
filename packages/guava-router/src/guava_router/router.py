"""Router: a table from paths to what answers them, and the base of all other routers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from . import patterns
from ._core import Handler, RouterBase, Table
from .answers import Answer
from .errors import RouteConflict
from .files import StaticHandler
from .resolve import resolve


class RequestLike(Protocol):
    """All that a router reads: the method in capital letters, and the percent-decoded path."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...


class Route(NamedTuple):
    """One line of a listing."""

    method: str | None  # None: any
    pattern: str  # with the mount point; {name} is an argument, {name?} may be left out
    handler: object
    where: str  # file:line, or ""

    @property
    def target(self) -> str:
        """What the route leads to, in words."""
        handler = self.handler
        if isinstance(handler, Handler):
            package = "" if handler.package == "." else handler.package + "."
            return f"{package}{handler.module}.{handler.controller}.{handler.action}"
        if isinstance(handler, type) or not callable(handler):
            return repr(handler)
        return getattr(handler, "__qualname__", None) or repr(handler)

    def __str__(self) -> str:
        return f"{self.method or '*'} {self.pattern} {self.target} {self.where}".rstrip()


class RouteList(list[Route]):
    """Routes; as text, a table with a line each."""

    def __str__(self) -> str:
        rows = [(r.method or "*", r.pattern, r.target, r.where) for r in self]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        lines = ["  ".join([*map(str.ljust, row[:3], widths), row[3]]).rstrip() for row in rows]
        return "\n".join(lines)


class Registered(NamedTuple):
    handler: object
    where: str


def _caller() -> str:
    """file:line of the code that called into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _check_handler(path: str, handler: object) -> None:
    if isinstance(handler, (Handler, StaticHandler, Answer)) or callable(handler):
        return
    raise TypeError(
        f"the handler of {path!r} must be a Handler, a StaticHandler, an answer such as "
        f"RedirectHandler, or callable, not {handler!r}"
    )


class Router(RouterBase):
    """Plain paths to handlers.

    routes: {pattern: handler}. A pattern is a path under the mount point, in decoded form, and
    matches exactly that path: "/about" and "/about/" are two. A handler is a Handler, a
    StaticHandler, an answer (RedirectHandler...) or anything callable; route() returns it as it
    is. mount_point: the path that this router lies at: "/shop" has "/shop" and "/shop/cart", not
    "/shopping".
    session_store: kept for the framework around.

    A subclass may have its own route(req); it sees the whole path, and relative(req.path) is the
    part behind the mount point. A subclass need not call this __init__.

    Raises RouteError for a bad mount point or pattern, TypeError for a bad handler.
    """

    session_store: Any = None
    _patterns: dict[str, Registered] | None = None
    _loose_slash = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("mount_point"), str):
            raise TypeError(f"{cls.__name__}: mount_point belongs to a router, not to its class")

    def __init__(
        self,
        routes: Mapping[str, object] | None = None,
        mount_point: str = "/",
        session_store: Any = None,
    ) -> None:
        self.mount_point = mount_point
        self.session_store = session_store
        for path, handler in (routes or {}).items():
            self.register(path, handler)

    @property
    def mount_point(self) -> str:
        """Where the router lies: "/", or a path without a slash at its end.

        To be set before the router is mounted.
        """
        return self._mount

    @mount_point.setter
    def mount_point(self, path: str) -> None:
        self._mount = patterns.mount_point(path)

    def register(self, pattern: str, handler: object) -> None:
        """Adds one route.

        Raises RouteError for a bad pattern, RouteConflict for one that is taken, TypeError for
        what cannot be a handler.
        """
        path = patterns.pattern(pattern)
        _check_handler(path, handler)
        if self._patterns is None:
            self._patterns = {}
        self._check_free(path)
        self._patterns[path] = Registered(handler, _caller())
        self._table = None

    def routes(self) -> RouteList:
        """What the router knows, to be read or printed."""
        return RouteList(
            Route(None, patterns.join(self._mount, path), handler, where)
            for path, (handler, where) in (self._patterns or {}).items()
        )

    def check(self) -> None:
        """Imports what the registered handlers name, so that a mistake shows now.

        Raises HandlerNotFound with the place where the handler was registered, or
        ControllerImportError.
        """
        for handler, where in (self._patterns or {}).values():
            if isinstance(handler, Handler):
                try:
                    resolve(handler)
                except Exception as error:
                    error.add_note(f"registered at {where}")
                    raise

    def _check_free(self, path: str) -> None:
        taken = (self._patterns or {}).get(path)
        if taken is not None:
            raise RouteConflict(
                f"{path!r} is registered twice: at {taken.where} and at {_caller()}"
            )

    def _table_routes(self) -> list[tuple[patterns.Segments, str | None, object, int, int]]:
        return [
            (patterns.pattern_segments(path, self._loose_slash), None, handler, 0, 0)
            for path, (handler, _) in (self._patterns or {}).items()
        ]

    def _compile(self) -> None:
        """Called by the native part when there is no table yet."""
        self._table = Table(
            self._table_routes(), fold=self._loose_slash, loose_slash=self._loose_slash
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.mount_point}>"
