"""Router: a table from paths to what answers them, and the base of all other routers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import quote

from . import patterns, urls
from ._core import Handler, Match, Paths, RouterBase
from .answers import Answer, NotFound, RedirectHandler, not_allowed, options
from .converters import Converter
from .converters import check as check_converters
from .errors import RouteError
from .faces import Faces
from .registry import Registered, Registry
from .resolve import resolve


class RequestLike(Protocol):
    """All that a router reads: the method in capital letters, and the percent-decoded path."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...


class Route(NamedTuple):
    """One route, and one line of a listing."""

    method: str | None  # None: any, or the ones of `methods`
    pattern: str  # with the mount point; {name} is a parameter, {name?} may be left out
    handler: object
    where: str  # file:line, or ""
    name: str | None = None
    host: str | None = None  # a pattern; None: any
    methods: tuple[str, ...] | None = None  # as registered; None: any, or the one of `method`

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

    @property
    def _columns(self) -> tuple[str, str, str, str]:
        methods = ",".join(self.methods) if self.methods else self.method or "*"
        return methods, (self.host or "") + self.pattern, self.target, self.where

    def __str__(self) -> str:
        return " ".join(self._columns).rstrip()


class RouteList(list[Route]):
    """Routes; as text, a table with a line each."""

    def __str__(self) -> str:
        rows = [route._columns for route in self]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        lines = ["  ".join([*map(str.ljust, row[:3], widths), row[3]]).rstrip() for row in rows]
        return "\n".join(lines)


def _caller() -> str:
    """file:line of the code that called into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Asked:
    """A request for routers that have a route() of their own."""

    __slots__ = ("host", "method", "path")

    def __init__(self, method: str, path: str, host: str | None) -> None:
        self.method = method
        self.path = path
        self.host = host


class Router(Faces, RouterBase):
    """Patterns of paths, and what answers them.

    routes: {pattern: target}, registered in their order. mount_point: the path that this router
    lies at: "/shop" has "/shop" and "/shop/cart", not "/shopping". session_store: kept for the
    framework around.

    slash: what becomes of a path that would match with a slash more or less at its end:
    "redirect" (RedirectHandler to where it does), "strict" (it is another path) or "loose" (it
    matches). redirect_status: 301, 302, 307 or 308. converters: {name: Converter}, own ones for
    the patterns of this router. host: a pattern of a host, for all routes that have none of their
    own.

    A pattern is a path under the mount point in decoded form, with parameters: {name} takes a
    segment or a part of one, {name:int} only what the converter int takes. Where several patterns
    fit a path, text goes before parameters, from left to right, whatever the order in which they
    were registered.

    A subclass may have its own route(req); it sees the whole path, and relative(req.path) is the
    part behind the mount point. A subclass need not call this __init__.

    Raises RouteError for a bad mount point, pattern, policy or converter, RouteConflict for two
    routes for one path, TypeError for a value of the wrong type.
    """

    session_store: Any = None
    _slash = "redirect"
    _redirect_status = 308
    _host: str | None = None
    _registry: Registry | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("mount_point"), str):
            raise TypeError(f"{cls.__name__}: mount_point belongs to a router, not to its class")
        if "route" in cls.__dict__ and "match" not in cls.__dict__:
            type.__setattr__(cls, "match", Router._match_by_route)

    def __init__(
        self,
        routes: Mapping[str, object] | None = None,
        mount_point: str = "/",
        session_store: Any = None,
        *,
        slash: Literal["redirect", "strict", "loose"] = "redirect",
        redirect_status: int = 308,
        converters: Mapping[str, Converter] | None = None,
        host: str | None = None,
    ) -> None:
        if slash not in ("redirect", "strict", "loose"):
            raise RouteError(f"slash must be 'redirect', 'strict' or 'loose', not {slash!r}")
        if redirect_status not in (301, 302, 307, 308):
            raise RouteError(
                f"redirect_status must be 301, 302, 307 or 308, not {redirect_status!r}"
            )
        self.mount_point = mount_point
        self.session_store = session_store
        self._slash = slash
        self._redirect_status = redirect_status
        self._host = host
        registry = self._registered()
        registry.converters.add(converters)
        if host is not None:
            patterns.host(host, registry.converters, None)
        for path, target in (routes or {}).items():
            self.register(path, target)

    @property
    def mount_point(self) -> str:
        """Where the router lies: "/", or a path without a slash at its end.

        To be set before the router is mounted.
        """
        return self._mount

    @mount_point.setter
    def mount_point(self, path: str) -> None:
        self._mount = patterns.mount_point(path)
        self._table = self._paths = None

    def register(
        self,
        pattern: str,
        target: object,
        *,
        methods: Iterable[str] | None = None,
        name: str | None = None,
        host: str | None = None,
        converters: Mapping[str, Converter] | None = None,
    ) -> Route:
        """Adds one route, and returns it.

        pattern: "/about", "/users/{id:int}", "/files/{rest:path}". target: any object but None,
        which means "not found". methods: those that it answers; None: any. name: for url_for().
        host: a pattern such as "{tenant}.example.com", in place of the router's. converters: own
        ones for this pattern alone.

        Raises RouteError for a bad pattern, host, method or converter, RouteConflict (which names
        both places) for a path or name that is taken, TypeError for a value of the wrong type.
        """
        if target is None:
            raise TypeError(
                f"the target of {pattern!r} must not be None: route() says None for not found"
            )
        if name is not None and not isinstance(name, str):
            raise TypeError(f"the name of {pattern!r} must be a str, not {name!r}")
        registry = self._registered()
        own = check_converters(converters) if converters else None
        parsed = patterns.pattern(pattern, registry.converters, own)
        parsed_host = None
        if host is not None or self._host is not None:
            written = self._host if host is None else host
            parsed_host = patterns.host(written, registry.converters, own)
        allowed = patterns.methods(methods)
        where = _caller()
        self._check_free(parsed.text, where)
        route = Route(
            allowed[0] if allowed is not None and len(allowed) == 1 else None,
            patterns.join(self._mount, parsed.text),
            target,
            where,
            name,
            None if parsed_host is None else parsed_host.text,
            allowed,
        )
        registry.add(Registered(route, parsed, parsed_host), self._slash == "loose")
        self._table = self._paths = None
        return route

    def routes(self) -> RouteList:
        """What the router knows, to be read or printed."""
        return RouteList(self._placed())

    def url_for(self, name: str, /, query: Any = None, **params: Any) -> str:
        """The path of a named route, percent-encoded, with the mount point.

        params: the values of its parameters; each is made text by its converter's format().
        query: a mapping or pairs for behind the "?" (a list as a value counts once for each item).
        A route with a pattern of a host gives "//host/path" (RFC 3986, section 4.2).

        Raises UnknownRoute (a LookupError) for a name that there is not, TypeError for a
        parameter that is missing, not the route's, or of the wrong type, ValueError for a value
        that cannot stand in a path.
        """
        registry = self._registered()
        found = registry.names.get(name)
        if found is None:
            raise urls.unknown(name, registry.names)
        urls.check_names(name, found.names, params)
        path = urls.fill(name, found.pattern.pieces, params)
        path = quote("" if self._mount == "/" else self._mount, safe=urls.SEGMENT + "/") + path
        path = urls.check_path(name, path)
        if found.host is not None:
            path = f"//{urls.fill_host(name, found.host.pieces, params)}{path}"
        return urls.with_query(path, query)

    def check(self) -> None:
        """Imports what the registered handlers name, so that a mistake shows now.

        Raises HandlerNotFound with the place where the handler was registered, or
        ControllerImportError.
        """
        for registered in self._registered().routes:
            route = registered.route
            if isinstance(route.handler, Handler):
                try:
                    # Each parameter of the pattern is an argument behind the handler's own.
                    args = (*route.handler.args, *registered.names)
                    resolve(route.handler.endpoint.handler(args))
                except Exception as error:
                    error.add_note(f"registered at {route.where}")
                    raise

    # ---- for subclasses -------------------------------------------------------------------------

    def _registered(self) -> Registry:
        if self._registry is None:
            self._registry = Registry()
        return self._registry

    def _route_names(self) -> list[str]:
        """What url_for() knows."""
        return list(self._registered().names)

    def _placed(self) -> Iterator[Route]:
        """The registered routes, with the mount point as it is now."""
        for route, pattern, _ in self._registered().routes:
            whole = patterns.join(self._mount, pattern.text)
            yield route if route.pattern == whole else route._replace(pattern=whole)

    def _check_free(self, path: str, where: str) -> None:
        """Raises RouteConflict if something that is not registered has this path."""

    def _compile(self) -> None:
        """Called by the native part when there is no table yet."""
        registry = self._registered()
        self._paths = Paths(
            registry.groups(self._placed()),
            registry.converters.callables(),
            (NotFound(), not_allowed, options, self._redirect),
            self._slash,
        )

    def _redirect(self, path: str, query: str) -> RedirectHandler | None:
        """To a path behind the mount point; not to what a client would take for a host."""
        location = quote(patterns.join(self._mount, path), safe=urls.SEGMENT + "/")
        if location.startswith("//"):
            return None
        if query:
            location += "?" + quote(query, safe=urls.SEGMENT + "/?%")
        return RedirectHandler(location, self._redirect_status)

    def _match_by_route(
        self, method: str, path: str, host: str | None = None, query: str = ""
    ) -> Match | Answer:
        """match() of a class that has a route() of its own; what was registered counts after."""
        found = self.route(Asked(method, path, host))
        if found is None:
            return RouterBase.match(self, method, path, host, query)
        return as_match(found, path)

    def _match_other(
        self, method: str, path: str, host: str | None, answer: Match | Answer | None
    ) -> Match | Answer:
        """Called by the native match() for a path that no registered text is.

        answer: what the patterns say: a Match with parameters, or why there is none.
        """
        found = RouterBase.route(self, Asked(method, path, host))
        return answer or NotFound() if found is None else as_match(found, path)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.mount_point}>"


def as_match(found: object, path: str) -> Match | Answer:
    """What a route() gave, as match() gives it."""
    return found if isinstance(found, (Match, Answer)) else Match(found, pattern=path)
