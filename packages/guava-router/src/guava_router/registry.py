"""Registry: the routes that were registered with one router, and the conflicts between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

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
            _check_methods(taken, new)
        self._by_key.setdefault(key, []).append(new)
        self.routes.append(new)
        if route.name is not None:
            self.names[route.name] = new

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


def _check_methods(taken: Registered, new: Registered) -> None:
    old, now = taken.route.methods, new.route.methods
    if (old is None) != (now is None):
        return  # the one with a method goes first, the other has the rest
    if old is None or now is None or set(old) & set(now):
        raise RouteConflict(f"a path is registered twice: {both(taken, new)}")
