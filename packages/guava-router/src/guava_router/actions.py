"""Actions: which methods of a class a URL may reach, and how many arguments they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeGuard

from ._core import Endpoint
from .errors import RouteError

Function = Callable[..., Any]
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arity(NamedTuple):
    low: int
    high: int  # -1: any number
    positional: tuple[inspect.Parameter, ...]  # without *args
    rest: inspect.Parameter | None  # *args

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arguments that have one each."""
        return tuple(p.name for p in self.positional)


def place(function: Function) -> tuple[str | None, int]:
    """Where a function is written: file and line; (None, 0) if it has no source."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code is not None else (None, 0)


def arity(function: Function, what: str) -> Arity:
    """What a method takes after self.

    Raises RouteError if a URL could never call it; `what` names it in the message.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return Arity(0, -1, (), None)
    if not parameters or parameters[0].kind not in (
        *_POSITIONAL,
        inspect.Parameter.VAR_POSITIONAL,
    ):
        raise RouteError(f"{what} takes no self, so it cannot be an action")
    if parameters[0].kind in _POSITIONAL:
        parameters = parameters[1:]
    named = [p for p in parameters if p.kind in _POSITIONAL]
    for p in parameters:
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is p.empty:
            raise RouteError(f"{what} needs the keyword argument {p.name}, which no URL can give")
    rest = next((p for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), None)
    low = sum(p.default is p.empty for p in named)
    return Arity(low, len(named) if rest is None else -1, tuple(named), rest)


def own_actions(cls: type, base: type) -> Iterator[tuple[str, Function]]:
    """The public methods that a class itself defines, in order.

    Not what it inherits, not what `base` has under the same name (its hooks and helpers stay out
    of reach when they are overridden), no names with a leading underscore, no properties, class
    methods, static methods or inner classes.
    """
    for name, value in vars(cls).items():
        if not name.startswith("_") and not hasattr(base, name) and is_method(value):
            yield name, value


def is_method(value: object) -> TypeGuard[Function]:
    """Whether what lies in a class's namespace becomes a method: functions, decorated ones too."""
    if isinstance(value, (type, staticmethod, classmethod, property)):
        return False
    return callable(value) and hasattr(value, "__get__")


def bind(endpoint: Endpoint, cls: type, function: Function) -> Arity:
    """Fills an endpoint with what its names stand for."""
    file, line = place(function)
    found = arity(function, describe(cls, endpoint.action, function))
    endpoint._bind(cls, function, file, line, found.low, found.high)
    return found


def describe(cls: type, action: str, function: Function) -> str:
    """file:line: module.Class.action"""
    file, line = place(function)
    prefix = f"{file}:{line}: " if file else ""
    return f"{prefix}{cls.__module__}.{cls.__qualname__}.{action}"
