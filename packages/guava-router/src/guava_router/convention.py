"""ConventionRouter: what MVCRouter and RESTRouter share, routes that follow from a package."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import quote

from . import modules, patterns, urls
from ._core import Endpoint, Handler, Match, RouterBase, Table
from .actions import Arity, Function, describe
from .answers import Answer, NotFound
from .converters import Converter
from .errors import RouteConflict, RouteError
from .planned import Action, Planned, action_of
from .router import Asked, Route, RouteList, Router, as_match

logger = logging.getLogger("guava_router")


class Part(NamedTuple):
    """A module of the package; a package in it has parts of its own."""

    package: str  # the dotted name of the package around, or "."
    name: str
    controller: type | None
    parts: tuple[Part, ...]

    @property
    def full_name(self) -> str:
        return self.name if self.package == "." else f"{self.package}.{self.name}"


def _controller_of(module: ModuleType, name: str, base: type) -> type | None:
    """The module's class by the convention, if it is the module's own and derives from base."""
    cls = vars(module).get(modules.controller_name(name))
    if not isinstance(cls, type) or cls.__module__ != module.__name__ or cls is base:
        return None
    if not issubclass(cls, base):
        logger.warning(
            "%s (%s) is not routed to: it does not derive from %s.%s",
            f"{cls.__module__}.{cls.__qualname__}",
            module.__file__,
            base.__module__,
            base.__qualname__,
        )
        return None
    return cls


def _parts_of(package: ModuleType, base: type) -> tuple[Part, ...]:
    parts = []
    for name, module in modules.public_modules(package):
        inner = _parts_of(module, base) if hasattr(module, "__path__") else ()
        parts.append(Part(package.__name__, name, _controller_of(module, name, base), inner))
    return tuple(parts)


def _parts_of_program(base: type) -> tuple[Part, ...]:
    for folder in modules.program_folders():
        parts = tuple(
            Part(".", name, _controller_of(modules.load_file(name, file), name, base), ())
            for name, file in modules.controller_files(folder)
        )
        if any(part.controller is not None for part in parts):
            return parts
    return ()


class ConventionRouter(Router):
    """Routes that follow from the modules, classes and methods of a package.

    The package is imported and the table is built when the router is made. A dash in a URL stands
    for an underscore in a name, and one slash at the end of a path does not count.
    """

    _slash = "loose"
    _names: dict[str, list[Planned]]
    _named_of: dict[Endpoint, list[Planned]]

    def __init__(
        self,
        mount_point: str = "/",
        package: str = ".",
        session_store: Any = None,
        base: type = object,
    ) -> None:
        super().__init__(None, mount_point, session_store, slash="loose")
        if not isinstance(package, str):
            raise TypeError(f"package must be a str, not {package!r}")
        if not isinstance(base, type):
            raise TypeError(f"base must be a class, not {base!r}")
        self._package = package
        self._base = base
        if package == ".":
            self._set_parts(_parts_of_program(base))
            if not self._plan:
                self._fallback = self._late
        else:
            self._set_parts(_parts_of(modules.load_package(package), base))

    @property
    def package(self) -> str:
        """The dotted name of the package, or "." for the program's own folder."""
        return self._package

    @property
    def base(self) -> type:
        """The class that controllers derive from."""
        return self._base

    def routes(self) -> RouteList:
        """What the router knows, to be read or printed: method, pattern, action, file and line."""
        listed = RouteList(
            self._route(planned) for planned in self._plan.values() if planned.name is not None
        )
        listed.extend(super().routes())
        return listed

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
        """Adds a route beside those of the convention; see Router.register().

        Raises RouteConflict also for a path or name that the convention has.
        """
        taken = self._names.get(name) if name is not None else None
        if taken is not None:
            raise RouteConflict(f"the name {name!r} is taken by {_named(taken[0])}")
        return super().register(
            pattern, target, methods=methods, name=name, host=host, converters=converters
        )

    def url_for(self, name: str, /, query: Any = None, **params: Any) -> str:
        """The path of an action, percent-encoded, with the mount point; see Router.url_for().

        name: "post.view", in a package of the package "admin.post.view"; of REST "users.get_one",
        "users.friends.get_one"; or the name of what was registered. params: the action's arguments
        by their names (those of *args as one iterable); what has a default may be left out.
        """
        known = self._names.get(name)
        if known is None:
            if name in self._registered().names:
                return super().url_for(name, query, **params)
            raise urls.unknown(name, self._route_names())
        texts = known[0].action.texts(name, params)
        route = next(planned for planned in known if planned.takes(len(texts)))
        mount = "" if self._mount == "/" else quote(self._mount, safe=urls.SEGMENT + "/")
        return urls.with_query(urls.check_path(name, mount + route.url(texts)), query)

    def exclude(self, package: str) -> None:
        """Leaves out a package inside of this router's: it has a router of its own."""
        self._set_parts(_without(self._parts, package))

    # ---- for subclasses -------------------------------------------------------------------------

    def _planned(self, parts: tuple[Part, ...]) -> Iterator[Planned]:
        raise NotImplementedError

    def _by_name(self, method: str, segments: list[str]) -> Handler | None:
        raise NotImplementedError

    def _action(self, part: Part, name: str, function: Function) -> Action:
        cls = part.controller
        assert cls is not None
        endpoint = Endpoint(part.package, part.name, cls.__name__, name)
        return action_of(endpoint, cls, function, describe(cls, name, function))

    def _route_names(self) -> list[str]:
        return [*self._names, *super()._route_names()]

    def _route(self, planned: Planned) -> Route:
        methods = None if planned.method is None else (planned.method,)
        pattern = patterns.join(self._mount, planned.path)
        return Route(
            planned.method, pattern, planned.answer, planned.where, planned.name, None, methods
        )

    def _match_other(
        self, method: str, path: str, host: str | None, answer: Match | Answer | None
    ) -> Match | Answer:
        found = RouterBase.route(self, Asked(method, path, host))
        if not isinstance(found, Handler):
            return answer or NotFound() if found is None else as_match(found, path)
        for planned in self._named_of.get(found.endpoint, ()):
            if planned.takes(len(found.args)):
                route = self._route(planned)
                params = planned.action.named(found.args)
                return Match(found, params, planned.name, route.pattern, route)
        # A registered handler with parameters; or what _late() names and what there is not.
        return answer if isinstance(answer, Match) else NotFound()

    # ---- the plan -------------------------------------------------------------------------------

    def _set_parts(self, parts: tuple[Part, ...]) -> None:
        plan: dict[tuple[patterns.Segments, str | None], Planned] = {}
        for planned in self._planned(parts):
            key = (planned.segments, planned.method)
            taken = plan.get(key)
            if taken is not None:
                path = "/" + "/".join(segment or "{}" for segment in planned.segments)
                raise RouteConflict(
                    f"two actions for {patterns.join(self._mount, path)}: "
                    f"{_named(taken)} and {_named(planned)}"
                )
            plan[key] = planned
        self._parts = parts
        self._plan = plan
        self._names, self._named_of = {}, {}
        for planned in plan.values():
            if planned.name is not None:
                self._names.setdefault(planned.name, []).append(planned)
                self._named_of.setdefault(planned.action.endpoint, []).append(planned)
        self._table = self._paths = None
        for registered in self._registered().routes:
            self._check_free(registered.pattern.text, registered.route.where)

    def _check_free(self, path: str, where: str) -> None:
        segments = patterns.pattern_segments(path.replace("-", "_"), True)
        for (taken, _), planned in self._plan.items() if hasattr(self, "_plan") else ():
            if taken == segments:
                raise RouteConflict(
                    f"{path!r} is taken by {_named(planned)}; it is registered at {where}"
                )

    def _compile(self) -> None:
        if self._registered().routes:
            super()._compile()
        self._table = Table([p[:6] for p in self._plan.values()], fold=True, loose_slash=True)

    # ---- before there is any controller ---------------------------------------------------------

    def _late(self, method: str, path: str) -> object:
        """Asked while the program's folder has no controller that could make a table.

        If the module that a URL names is there by now, the table is made. If not, the convention
        still names a handler; resolve() finds nothing for it.
        """
        segments = path[1:].removesuffix("/").split("/") if path != "/" else []
        handler = None if "" in segments else self._by_name(method, segments)
        if handler is None:
            return None
        if any(
            (folder / f"{handler.module}.py").is_file() for folder in modules.program_folders()
        ):
            self._set_parts(_parts_of_program(self._base))
            if self._plan:
                self._fallback = None
            self._compile()
            assert self._table is not None
            return self._table.match(method, path)
        return handler


def _named(planned: Planned) -> str:
    if isinstance(planned.answer, Handler):
        h = planned.answer
        return f"{h.package}/{h.module}: {h.controller}.{h.action} ({planned.where})"
    return planned.where


def _without(parts: tuple[Part, ...], package: str) -> tuple[Part, ...]:
    return tuple(
        part._replace(parts=_without(part.parts, package))
        for part in parts
        if part.full_name != package
    )


def check_arity(found: Arity, n: int, what: str, more: bool = False) -> None:
    """Raises RouteError if an action does not take as many arguments as its URL has, or as it has
    at least."""
    if (n < found.low and not more) or (found.high >= 0 and n > found.high):
        takes = str(found.low) if found.low == found.high else f"at least {found.low}"
        raise RouteError(f"{what} must take {n} arguments after self, but takes {takes}")
