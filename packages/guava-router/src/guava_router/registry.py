"""Registry: the routes that were registered with one router, and the conflicts between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import overlap
from .converters import Converters
from .errors import RouteConflict, RouteError
from .patterns import MOST_PARAMETERS, Pattern

if TYPE_CHECKING:
    from .router import Route

Facts = tuple[object, str | None, str, "Route", tuple[str, ...]]
Group = tuple[bytes | None, list[tuple[bytes, tuple[tuple[str | None, Facts], ...]]]]


class Registered(NamedTuple):
    """A route with its patterns."""

    route: Route
    pattern: Pattern
    host: Pattern | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters: those of the host first."""
        return self.pattern.names if self.host is None else self.host.names + self.pattern.names


class Registry:
    """Routes in the order in which they were registered, by key and by name."""

    def __init__(self) -> None:
        self.routes: list[Registered] = []
        self.names: dict[str, Registered] = {}
        self.converters = Converters()
        self._by_key: dict[tuple[bytes | None, bytes], list[Registered]] = {}
        self._places: dict[tuple[bytes | None, bytes], list[Registered]] | None = None

    def add(self, new: Registered, loose: bool) -> None:
        """Raises RouteConflict, and adds nothing, if the route cannot stand beside the others.

        loose: a slash at the end of a path does not count.
        """
        route, pattern, host = new
        if host is not None:
            double = set(host.names) & set(pattern.names)
            if double:
                raise RouteError(
                    f"the host and the path of {route.pattern!r} both have {double.pop()!r}"
                )
            if len(host.names) + len(pattern.names) > MOST_PARAMETERS:
                raise RouteError(
                    f"host and path have at most {MOST_PARAMETERS} parameters: {route.pattern!r}"
                )
        named = self.names.get(route.name) if route.name is not None else None
        if named is not None:
            raise RouteConflict(f"two routes are named {route.name!r}: {both(named, new)}")
        key = (None if host is None else host.key, pattern.key)
        if loose and pattern.key != b"/":
            key = (key[0], pattern.key.removesuffix(b"/"))
        for taken in self._by_key.get(key, ()):
            if _share_methods(taken, new):
                raise RouteConflict(f"a path is registered twice: {both(taken, new)}")
        self._check_places(key[0], new)
        self._by_key.setdefault(key, []).append(new)
        self.routes.append(new)
        if route.name is not None:
            self.names[route.name] = new

    def _check_places(self, host: bytes | None, new: Registered) -> None:
        """Raises RouteConflict if the new route and another are of equal precedence.

        That needs own converters: without one, no place is noted.
        """
        if not self.converters.has_own:
            return
        if self._places is None:
            self._places = {}
            for old in self.routes:
                self._note_places(old)
        for place in overlap.places(new.pattern):
            for taken in self._places.get((host, place), ()):
                if overlap.ambiguous(taken.pattern, new.pattern) and _share_methods(taken, new):
                    raise RouteConflict(
                        "two routes may fit one path, and neither converter goes before the "
                        f"other: {both(taken, new)}; put text before one of the parameters"
                    )
        self._note_places(new)

    def _note_places(self, registered: Registered) -> None:
        assert self._places is not None
        host = None if registered.host is None else registered.host.key
        for place in overlap.places(registered.pattern):
            self._places.setdefault((host, place), []).append(registered)

    def groups(self, placed: Iterable[Route]) -> list[Group]:
        """What Paths takes. placed: the routes as they are listed now, in the same order."""
        hosts: dict[bytes | None, dict[bytes, list[tuple[str | None, Facts]]]] = {None: {}}
        for registered, route in zip(self.routes, placed, strict=True):
            _, pattern, host = registered
            facts: Facts = (route.handler, route.name, route.pattern, route, registered.names)
            entries = hosts.setdefault(None if host is None else host.key, {})
            at = entries.setdefault(pattern.key, [])
            at.extend((method, facts) for method in route.methods or (None,))
        groups: list[Group] = []
        for key in sorted(hosts, key=lambda key: key or b""):
            paths = hosts[key]
            groups.append((key, [(path, tuple(paths[path])) for path in sorted(paths)]))
        return groups


def _describe(registered: Registered) -> str:
    route: Any = registered.route
    methods = ",".join(route.methods) if route.methods else "any method"
    return f"{(route.host or '') + route.pattern!r} ({methods}) at {route.where}"


def both(one: Registered, other: Registered) -> str:
    return f"{_describe(one)} and {_describe(other)}"


def _share_methods(one: Registered, other: Registered) -> bool:
    old, now = one.route.methods, other.route.methods
    if old is None or now is None:
        return old is now  # a route for any method has what the one with a method leaves
    return not set(old).isdisjoint(now)
