"""Mounts: the routers of an application, as a tree of mount points."""

from __future__ import annotations

from typing import Any

from . import patterns, urls
from ._core import Match, MountsBase, RouterBase
from .answers import AllowedMethods, Answer, MethodNotAllowed, NotFound, RedirectHandler
from .convention import ConventionRouter
from .errors import RouteConflict, RouteError, UnknownRoute
from .faces import Faces
from .router import Asked, RouteList, Router, as_match
from .static import StaticRouter

# What one router says gives way to what another at the same place has.
_GIVING_WAY = (RedirectHandler, MethodNotAllowed, AllowedMethods)
_BUILT_IN = (RouterBase.route, StaticRouter.route)


def _is_custom(router: Router) -> bool:
    """Whether the router's class has a route() of its own."""
    return type(router).route not in _BUILT_IN


def _rank(router: RouterBase) -> bool:
    """Tables that somebody wrote go before conventions, to override single routes of them."""
    return isinstance(router, (ConventionRouter, StaticRouter))


class Mounts(Faces, MountsBase):
    """Asks the right router.

    route(req) returns (router, answer), or None if nobody answers:

    1. Custom routers (subclasses with a route() of their own) whose mount point lies above the
       path are asked first, in the order in which they were added. What such a router registered
       counts as well, after its route().
    2. Then the longest mount point above the path decides; shorter ones are not asked. A mount
       point ends at a slash: "/static" has "/static" and "/static/a.css", not "/staticfoo".
    3. Of several routers at that point, plain Routers go before the others, each kind in the order
       of adding; the first that has a route for the path answers. A redirect to another slash, a
       405 or an answer to OPTIONS gives way to the route of a later one; if there is none, the
       first of these is the answer.

    A package that has a router of its own is no longer part of the package around: with
    MVCRouter(package="controllers") and RESTRouter("/api", "controllers.api"), the first does not
    reach into controllers.api.

    Raises TypeError for what is no Router, RouteError for one that is added twice, RouteConflict
    if two conventions at one mount point have a URL in common.
    """

    def __init__(self, *routers: Router) -> None:
        self._routers: list[Router] = []
        self.add(*routers)

    @property
    def routers(self) -> tuple[Router, ...]:
        """The routers in the order in which they were added."""
        return tuple(self._routers)

    def add(self, *routers: Router) -> None:
        """Mounts more routers. If one of them cannot be, none is."""
        together = list(self._routers)
        for router in routers:
            if not isinstance(router, Router):
                raise TypeError(f"a Router was expected, not {router!r}")
            if any(router is other for other in together):
                raise RouteError(f"{router!r} is mounted already")
            together.append(router)
        conventions = [r for r in together if isinstance(r, ConventionRouter)]
        for router in conventions:
            for other in conventions:
                if other.package.startswith(router.package + "."):
                    router.exclude(other.package)
        _check_conflicts([r for r in conventions if not _is_custom(r)])
        self._set(together)
        self._routers = together

    def routes(self) -> RouteList:
        """The routes of all routers, in the order in which they were added."""
        return RouteList(route for router in self._routers for route in router.routes())

    def url_for(self, name: str, /, query: Any = None, **params: Any) -> str:
        """The path of a named route of any of the routers; see Router.url_for().

        Raises UnknownRoute also for a name that several routers have: ask one of them.
        """
        known = [router for router in self._routers if name in router._route_names()]
        if not known:
            raise urls.unknown(
                name, [n for router in self._routers for n in router._route_names()]
            )
        if len(known) > 1:
            raise UnknownRoute(
                f"the name {name!r} is one of {' and of '.join(map(repr, known))}: call url_for() "
                f"of the router that you mean"
            )
        return known[0].url_for(name, query, **params)

    def check(self) -> None:
        """Resolves every registered handler; see Router.check()."""
        for router in self._routers:
            router.check()

    def match(
        self, method: str, path: str, host: str | None = None, query: str = ""
    ) -> Match | Answer:
        """What the router that is asked says; see Router.match() for the arguments.

        Asks by the rules of route(), so it never returns None: NotFound if nobody answers.
        """
        aside: Answer | None = None
        for router, custom in self.order(path):
            if custom:
                answer = router.route(Asked(method, path, host))
                if answer is not None:
                    return as_match(answer, path)
                found = RouterBase.match(router, method, path, host, query)
            else:
                found = router.match(method, path, host, query)
            if isinstance(found, _GIVING_WAY):
                aside = aside or found
            elif not isinstance(found, NotFound):
                return found
        return aside or NotFound()

    def order(self, path: str) -> list[tuple[Router, bool]]:
        """The routers that are asked for a path, in their order, and whether each is a custom one
        (with a route() of its own)."""
        there = [router for router in self._routers if router.relative(path) is not None]
        customs = [router for router in there if _is_custom(router)]
        mounted = [router for router in there if not _is_custom(router)]
        longest = max((len(router.mount_point) for router in mounted), default=0)
        mounted = [router for router in mounted if len(router.mount_point) == longest]
        return [
            *((router, True) for router in customs),
            *((router, False) for router in sorted(mounted, key=_rank)),
        ]

    def _set(self, routers: list[Router]) -> None:
        points: dict[str, list[Router]] = {}
        for router in routers:
            if not _is_custom(router):
                points.setdefault(router.mount_point, []).append(router)
        self._plan(
            tuple(router for router in routers if _is_custom(router)),
            tuple(
                (patterns.mount_segments(point), tuple(sorted(there, key=_rank)))
                for point, there in points.items()
            ),
            _GIVING_WAY,
        )


def _check_conflicts(routers: list[ConventionRouter]) -> None:
    taken: dict[tuple[str, patterns.Segments, str | None], str] = {}
    for router in routers:
        for (segments, method), planned in router._plan.items():
            key = (router.mount_point, segments, method)
            if key in taken:
                path = "/" + "/".join(segment or "{}" for segment in segments)
                raise RouteConflict(
                    f"two routers for {patterns.join(router.mount_point, path)}: "
                    f"{taken[key]} and {planned.where}"
                )
            taken[key] = planned.where
