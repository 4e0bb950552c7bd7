"""What a convention plans: each action with what its URL gives it, and each route to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote

from . import conversions, patterns, urls
from ._core import Endpoint
from .actions import Arity, Function, bind
from .conversions import Conversion


class Action(NamedTuple):
    """A method that URLs reach."""

    endpoint: Endpoint
    arity: Arity
    conversions: tuple[Conversion, ...]  # of the arguments that have a name each
    rest: Conversion | None  # of *args
    what: str  # file:line: module.Class.action
    where: str  # file:line

    def named(self, args: tuple[Any, ...]) -> dict[str, Any]:
        """The arguments of a request by their names; *args under its own, as a tuple."""
        names = self.arity.names
        params = dict(zip(names, args, strict=False))
        if self.rest is not None:
            params[self.rest_name] = args[len(names) :]
        return params

    @property
    def kinds(self) -> tuple[Any, ...]:
        return tuple(conversion.kind for conversion in self.conversions)

    @property
    def rest_name(self) -> str:
        return "args" if self.arity.rest is None else self.arity.rest.name

    def shown(self, i: int) -> str:
        """The i-th argument as a pattern has it: {id:int}, {page?}."""
        conversion = self.conversions[i]
        kind = "" if conversion.convert is None else f":{conversion.name}"
        optional = "?" if i >= self.arity.low else ""
        return "{" + self.arity.names[i] + kind + optional + "}"

    def shown_rest(self) -> str:
        assert self.rest is not None
        kind = "" if self.rest.convert is None else f":{self.rest.name}"
        return "{" + self.rest_name + kind + "...}"

    def texts(self, name: str, params: dict[str, Any]) -> list[str]:
        """The segments that stand for these arguments; name: of the route, for errors.

        Raises TypeError for one that is missing, superfluous or of the wrong type, ValueError for
        a value that no URL has.
        """
        names, rest = self.arity.names, tuple[Any, ...]()
        if self.rest is not None and self.rest_name in params:
            params = dict(params)
            given = params.pop(self.rest_name)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise TypeError(
                    f"url_for({name!r}): {self.rest_name!r}: a list was expected, not {given!r}"
                )
            rest = tuple(given)
        # Only what is at the end may be left out.
        last = max((i + 1 for i, one in enumerate(names) if one in params), default=0)
        wanted = names[: len(names) if rest else max(self.arity.low, last)]
        urls.check_names(name, wanted, params)
        texts = [
            urls.segment(name, parameter, conversion.format, params[parameter])
            for parameter, conversion in zip(wanted, self.conversions, strict=False)
        ]
        for value in rest:
            assert self.rest is not None
            texts.append(urls.segment(name, self.rest_name, self.rest.format, value))
        return texts


def action_of(endpoint: Endpoint, cls: type, function: Function, what: str) -> Action:
    """Joins an endpoint with its function and with what the annotations ask for."""
    arity = bind(endpoint, cls, function)
    named = tuple(
        conversions.of_parameter(parameter, function, cls, what) for parameter in arity.positional
    )
    rest = None
    if arity.high < 0:
        rest = conversions.TEXT
        if arity.rest is not None:
            rest = conversions.of_parameter(arity.rest, function, cls, what)
    converts = tuple(c.convert for c in (*named, *([rest] if rest is not None else [])))
    if any(convert is not None for convert in converts):
        endpoint.converters = converts
    where = f"{endpoint.file}:{endpoint.line}" if endpoint.file else what
    return Action(endpoint, arity, named, rest, what, where)


class Planned(NamedTuple):
    """A route before it is put into the table."""

    segments: patterns.Segments
    method: str | None
    answer: object
    low: int  # how many arguments may follow the segments
    high: int
    guard: Endpoint | None
    where: str
    action: Action
    name: str | None  # for url_for(); None: not listed either

    @property
    def path(self) -> str:
        """As a Route's pattern, without the mount point."""
        action, texts, n = self.action, [], 0
        for segment in self.segments:
            if segment is None:
                texts.append(action.shown(n) if n < len(action.conversions) else "{}")
                n += 1
            else:
                texts.append(segment.replace("_", "-"))
        if self.high != 0:
            texts += [action.shown(i) for i in range(n, len(action.conversions))]
            if action.rest is not None:
                texts.append(action.shown_rest())
        return "/" + "/".join(texts)

    def url(self, texts: list[str]) -> str:
        """The path with these arguments, percent-encoded (RFC 3986, section 3.3)."""
        parts, n = [], 0
        for segment in self.segments:
            if segment is None:
                parts.append(texts[n])
                n += 1
            else:
                parts.append(segment.replace("_", "-"))
        return "/" + "/".join(quote(part, safe=urls.SEGMENT) for part in [*parts, *texts[n:]])

    def takes(self, n: int) -> bool:
        """Whether the route has n arguments in all."""
        more = n - self.segments.count(None)
        return more >= self.low and (self.high < 0 or more <= self.high)


def planned(
    action: Action,
    segments: patterns.Segments,
    method: str | None,
    low: int,
    high: int,
    name: str | None,
) -> Planned:
    """A route to an action."""
    handler = action.endpoint.handler()
    return Planned(segments, method, handler, low, high, None, action.where, action, name)
