"""Explanation: what a router does with a request, and why, in the order in which it does it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from . import shapes
from ._core import Match, RouterBase
from .answers import (
    AllowedMethods,
    Answer,
    MethodNotAllowed,
    NotFound,
    RedirectHandler,
    not_allowed,
    options,
    phrase,
)
from .convention import ConventionRouter
from .converters import BUILT_IN, RANKS, Converter
from .mounts import _GIVING_WAY, Mounts
from .patterns import Parameter, Pattern, Pieces, join
from .registry import Registered
from .router import Asked, Route, Router, as_match
from .static import StaticRouter
from .suggest import Suggester, Suggestion
from .urls import SEGMENT
from .walk import Step, Walk, Way, encoded, some

_LONGEST_HOST = 253
# What tells a class with a route() or match() of its own from ours.
_ROUTES = (RouterBase.route, StaticRouter.route)
_MATCHES = (RouterBase.match, StaticRouter.match)


class Explanation:
    """How a request is routed: the steps in their order, the answer, and what may have been meant.

    method, path, host: the request. answer: what match() returns. steps: what was tried.
    found: whether anything but 404 and 405 answers. suggestions: for a path that leads nowhere,
    near ones that lead somewhere. str() tells it all in lines, to_dict() for JSON.
    """

    __slots__ = ("_suggest", "_suggested", "answer", "host", "method", "path", "steps")

    method: str
    path: str
    host: str | None
    steps: tuple[Step, ...]
    answer: Match | Answer

    def __init__(
        self,
        method: str,
        path: str,
        host: str | None,
        steps: Iterable[Step],
        answer: Match | Answer,
        suggest: Callable[[], tuple[Suggestion, ...]] = tuple,
    ) -> None:
        self.method = method
        self.path = path
        self.host = host
        self.steps = tuple(steps)
        self.answer = answer
        self._suggest = suggest
        self._suggested: tuple[Suggestion, ...] | None = None

    @property
    def found(self) -> bool:
        """Whether something answers the request; 404 and 405 do not count."""
        return not isinstance(self.answer, (NotFound, MethodNotAllowed))

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """Near paths that lead somewhere, the nearest first; () if the path is found."""
        if self._suggested is None:
            nothing = isinstance(self.answer, NotFound)
            self._suggested = self._suggest() if nothing else ()
        return self._suggested

    def _outcome(self) -> str:
        answer = self.answer
        if isinstance(answer, RedirectHandler):
            return f"{answer.status}, redirected to {answer.location}"
        if isinstance(answer, (MethodNotAllowed, AllowedMethods)):
            allowed = ", ".join(answer.allowed)
            return f"{answer.status} {phrase(answer.status)}, allowed: {allowed}"
        if isinstance(answer, Answer):
            return f"{answer.status} {phrase(answer.status)}"
        parts = [_target(answer), answer.pattern]
        parts.extend(f"{name}={value!r}" for name, value in answer.params.items())
        where = getattr(answer.route, "where", "")
        return "  ".join([*parts, where] if where else parts)

    def __str__(self) -> str:
        head = f"{self.method} {self.path}" + (f"  (host {self.host})" if self.host else "")
        rows = [("  " * (step.depth + 1) + step.pattern, _told(step)) for step in self.steps]
        lines = [head, *_aligned(rows), f"-> {self._outcome()}"]
        if self.suggestions:
            near = [("  " + s.path, s.reason) for s in self.suggestions]
            lines += ["did you mean", *_aligned(near)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Explanation of {self.method} {self.path}: {self._outcome()}>"

    def to_dict(self) -> dict[str, Any]:
        """The explanation as what JSON can hold; values of parameters as their repr()."""
        answer = self.answer
        found: dict[str, Any]
        if isinstance(answer, Answer):
            found = {"status": answer.status}
            if isinstance(answer, RedirectHandler):
                found["location"] = answer.location
            if isinstance(answer, (MethodNotAllowed, AllowedMethods)):
                found["allowed"] = list(answer.allowed)
        else:
            found = {
                "pattern": answer.pattern,
                "name": answer.name,
                "target": _target(answer),
                "where": getattr(answer.route, "where", "") or None,
                "params": {name: repr(value) for name, value in answer.params.items()},
            }
        return {
            "method": self.method,
            "path": self.path,
            "host": self.host,
            "found": self.found,
            "answer": found,
            "steps": [step._asdict() for step in self.steps],
            "suggestions": [near._asdict() for near in self.suggestions],
        }


def _target(match: Match) -> str:
    route = match.route
    return (route if isinstance(route, Route) else Route(None, "", match.target, "")).target


def _told(step: Step) -> str:
    return step.detail if step.outcome == "refuses" else f"{step.outcome}: {step.detail}"


def _aligned(rows: list[tuple[str, str]]) -> Iterator[str]:
    width = min(max((len(left) for left, _ in rows), default=0), 48)
    return (f"{left:<{width}}  {right}".rstrip() for left, right in rows)


# ---- the table of registered patterns ---------------------------------------------------------


def _tokens(pieces: Pieces) -> Pieces:
    if all(piece.isascii() for piece in pieces if isinstance(piece, str)):
        return pieces
    return tuple(encoded(piece) if isinstance(piece, str) else piece for piece in pieces)


def _way(pattern: Pattern, route: Any) -> Way:
    return Way(_tokens(pattern.pieces), route)


def _with_text_at_end(ways: list[Way]) -> list[Way]:
    return [way for way in ways if isinstance(way.tokens[-1], str)]


def host_name(host: str | None) -> str:
    """The name in a Host field, in small letters, without its port and a dot at its end; "" if
    no pattern can fit it."""
    if host is None or not host.isascii():
        return ""
    if not host.startswith("["):
        host = host.partition(":")[0]
    host = host.removesuffix(".").lower()
    return host if len(host) <= _LONGEST_HOST else ""


class TableSearch:
    """One request, looked up in the registered patterns of a router."""

    def __init__(self, router: Router, method: str, host: str | None, steps: list[Step]) -> None:
        self._method = method
        self._host = host_name(host)
        self.steps = steps
        self._plain: list[Way] = []
        hosts: dict[bytes, tuple[Pattern, list[Way]]] = {}
        routes = router._registered().routes
        for item, route in zip(routes, router._placed(), strict=True):
            ways = self._plain
            if item.host is not None:
                ways = hosts.setdefault(item.host.key, (item.host, []))[1]
            ways.append(
                _way(item.pattern, item if item.route is route else item._replace(route=route))
            )
        self._hosts = [_way(pattern, ways) for pattern, ways in hosts.values()]
        self._found: list[Registered] = []
        self._allowed: list[str] = []

    def find(self, path: str) -> Match | tuple[str, ...] | None:
        """The match of a path under the mount point; or the methods of the routes that fit the
        path, but not the method; or None."""
        try:
            text = encoded(path)
        except UnicodeEncodeError:
            return None
        self._found, self._allowed = [], []
        spans: list[tuple[str, Any]] = []
        self._search(text, spans)
        if not self._found:
            return tuple(self._allowed) if self._allowed else None
        return self._match(self._found[0], [value for _, value in spans])

    def ends_with_text(self, path: str) -> bool:
        """Whether a route fits the path, for any method, that has the end of it as text."""
        search = copy.copy(self)
        search.steps, search._found, search._allowed = [], [], []
        search._plain = _with_text_at_end(self._plain)
        search._hosts = [way._replace(route=_with_text_at_end(way.route)) for way in self._hosts]
        search._search(encoded(path), [])
        return bool(search._found or search._allowed)

    def _search(self, text: str, spans: list[tuple[str, Any]]) -> bool:
        budget = [4096 + 16 * len(text)]

        def inside(groups: list[Way]) -> bool:
            walk = Walk(text, "/", self._leaf, budget, spans, self.steps)
            return walk.find(groups[0].route)

        if self._hosts and self._host:
            steps = self.steps
            if Walk(self._host, ".", inside, budget, spans, steps).find(self._hosts):
                return True
            spans.clear()
        return Walk(text, "/", self._leaf, budget, spans, self.steps).find(self._plain)

    def _leaf(self, ways: list[Way]) -> bool:
        listed: list[Registered] = [way.route for way in ways]
        wanted = [self._method, "GET"] if self._method == "HEAD" else [self._method]
        for method in (*wanted, None):
            for item in listed:
                if (
                    item.route.methods is None
                    if method is None
                    else method in (item.route.methods or ())
                ):
                    self._found.append(item)
                    return True
        here = [method for item in listed for method in item.route.methods or ()]
        self._allowed += here
        detail = f"for {', '.join(here)}, not {self._method}"
        self.steps.append(Step(0, listed[0].route.pattern, "method", detail))
        return False

    def _match(self, found: Registered, values: list[Any]) -> Match:
        route = found.route
        params = dict(zip(found.names, values, strict=True))
        return Match(route.handler, params, route.name, route.pattern, route)


def explain_table(
    router: Router, method: str, path: str, host: str | None, steps: list[Step]
) -> Match | Answer:
    """What match() says of the registered patterns; path: what is behind the mount point."""
    search = TableSearch(router, method, host, steps)
    found = search.find(path)
    other = path[:-1] if path.endswith("/") else path + "/"
    redirected = False
    if found is None and router._slash != "strict" and len(other) > 1:
        tried: list[Step] = []
        search.steps = tried
        found = search.find(other)
        if found is not None and len(other) > len(path) and not search.ends_with_text(other):
            found = None  # a {name:path} has the slash, and nothing else: that is no other path
        if found is not None:
            detail = "with one slash less" if len(other) < len(path) else "with a slash at its end"
            steps += [Step(0, join(router.mount_point, other), "slash", detail), *tried]
            redirected = router._slash == "redirect"
    if found is None:
        return NotFound()
    if isinstance(found, tuple):
        return options(found) if method == "OPTIONS" else not_allowed(found)
    if redirected:
        location = join(router.mount_point, other)
        if location.startswith("//"):
            steps.append(
                Step(0, location, "slash", "no redirect: clients would take it for a host")
            )
            return NotFound()
        return RedirectHandler(quote(location, safe=SEGMENT + "/"), router._redirect_status)
    steps.append(Step(0, found.pattern, "match", _target(found)))
    return found


# ---- routers ----------------------------------------------------------------------------------


def explain(router: Any, method: str, path: str, host: str | None) -> Explanation:
    """What explain() of a Router or of Mounts returns."""
    steps: list[Step] = []
    if isinstance(router, Router):
        answer = explain_router(router, method, path, host, steps)
        return Explanation(method, path, host, steps, answer, lambda: near(path, router))
    answer = explain_mounts(router, method, path, host, steps)
    return Explanation(method, path, host, steps, answer, lambda: near(path, *router.routers))


def explain_mounts(
    mounts: Mounts, method: str, path: str, host: str | None, steps: list[Step]
) -> Match | Answer:
    """What the routers at a path say, in the order in which they are asked."""
    aside: Answer | None = None
    for router, custom in mounts.order(path):
        steps.append(Step(0, router.mount_point, "router", repr(router)))
        if custom:
            said = router.route(Asked(method, path, host))
            steps.append(Step(1, router.mount_point, "router", f"its route() says {said!r}"))
            if said is not None:
                return as_match(said, path)
            relative = router.relative(path)
            assert relative is not None
            # What it registered counts, too.
            answer = explain_table(router, method, relative, host, steps)
        else:
            answer = explain_router(router, method, path, host, steps)
        if isinstance(answer, _GIVING_WAY):
            aside = aside or answer
            steps.append(
                Step(0, router.mount_point, "router", f"{answer!r}, unless another has it")
            )
        elif not isinstance(answer, NotFound):
            return answer
    if not steps:
        points = some(router.mount_point for router in mounts.routers)
        steps.append(Step(0, "/", "dead end", f"no router lies above this path, but at {points}"))
    return aside or NotFound()


def near(path: str, *routers: Router) -> tuple[Suggestion, ...]:
    """Paths near to this one that lead somewhere."""
    converters: dict[str, Converter] = dict(BUILT_IN)
    for router in routers:
        for registered in router._registered().routes:
            for piece in registered.pattern.pieces:
                if isinstance(piece, Parameter):
                    converters.setdefault(piece.converter_name, piece.converter)

    def refusal(parameter: shapes.Parameter, text: str) -> str | None:
        cut = text.removeprefix(parameter.before).removesuffix(parameter.behind)
        if len(cut) != len(text) - len(parameter.before) - len(parameter.behind):
            return f"{text!r} is not of the form {parameter}"
        converter = converters.get(parameter.converter)
        if converter is not None and not parameter.rest:
            try:
                converter.convert(cut)
            except ValueError:
                return f"{cut!r} is no {parameter.converter}"
        return None

    patterns = (route.pattern for router in routers for route in router.routes())
    return Suggester(patterns, refusal).near(path)


def explain_router(
    router: Router, method: str, path: str, host: str | None, steps: list[Step]
) -> Match | Answer:
    """What one router says of a whole path."""
    relative = router.relative(path)
    if not path.startswith("/") or relative is None:
        why = (
            "the path does not lie below this" if path[:1] == "/" else "a path starts with a slash"
        )
        steps.append(Step(0, router.mount_point, "router", why))
        return NotFound()
    if _decides(router):
        answer = router.match(method, path, host)
        name = type(router).__qualname__
        said = "NotFound()" if isinstance(answer, NotFound) else _said(answer)
        steps.append(Step(0, router.mount_point, "router", f"{name} decides by itself: {said}"))
        return answer
    answer = explain_table(router, method, relative, host, steps)
    if isinstance(answer, Match) or not isinstance(router, (ConventionRouter, StaticRouter)):
        return answer
    # A convention, or files: the router knows best what it answers.
    final = router.match(method, path, host)
    if isinstance(router, StaticRouter):
        said = "no file that may be served" if isinstance(final, NotFound) else _said(final)
        steps.append(Step(0, join(router.mount_point, "/{path...}"), "answer", said))
    else:
        _conventional(router, path, final, steps)
    return final


def _decides(router: Router) -> bool:
    """Whether the router's class has a route() or match() of its own."""
    kind = type(router)
    return kind.route not in _ROUTES or kind.match not in _MATCHES


def _said(answer: Match | Answer) -> str:
    return repr(answer) if isinstance(answer, Answer) else _target(answer)


def _conventional(router: Router, path: str, final: Match | Answer, steps: list[Step]) -> None:
    """The steps among the routes that follow from a package, as they are listed.

    They are for people: the answer is the router's own.
    """
    ways = []
    for route in router.routes():
        ways += [Way(_tokens(pieces), route) for pieces in _pieces_of(route.pattern)]
    try:
        text = encoded(path if path == "/" else path.removesuffix("/"))
    except UnicodeEncodeError:
        return
    ended: list[Way] = []

    def leaf(found: list[Way]) -> bool:
        ended.extend(found)
        return not isinstance(final, NotFound)

    Walk(text, "/", leaf, [4096 + 16 * len(text)], [], steps, folded=True).find(ways)
    pattern = ended[-1].route.pattern if ended else router.mount_point
    if isinstance(final, Match):
        steps.append(Step(0, pattern, "match", _target(final)))
    elif not isinstance(final, NotFound):
        steps.append(Step(0, pattern, "answer", repr(final)))
    elif ended:
        steps.append(Step(0, pattern, "refuses", "the action does not take these arguments"))


class _Text:
    """A converter that takes what the convention will look at itself."""

    def convert(self, text: str) -> str:
        return text

    def format(self, value: Any) -> str:
        return str(value)


def _pieces_of(pattern: str) -> Iterator[Pieces]:
    """The pieces of a listed pattern: once for each number of arguments that may be left out."""
    pieces: list[str | Parameter] = []
    text = ""
    for part in shapes.shape_of(pattern):
        if isinstance(part, str):
            text += "/" + part
            continue
        if part.optional:
            yield (*pieces, text) if text else tuple(pieces)
        pieces.append(f"{text}/{part.before}")
        rank = RANKS["path" if part.rest else "str"]
        kind = "path" if part.rest else part.converter
        pieces.append(Parameter(part.name, kind, BUILT_IN.get(kind, _Text()), rank))
        text = part.behind
    yield (*pieces, text) if text else tuple(pieces)
