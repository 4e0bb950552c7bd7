"""`@collection` and `@member`: further actions of a REST resource, beside those of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, TypeVar, overload

from .errors import RouteError

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__guava_resource_action__"


class Mark(NamedTuple):
    """What a decorator has said of an action."""

    kind: Literal["collection", "member"]
    methods: tuple[str, ...]
    name: str | None  # of the segment; None: the function's


def _methods(methods: object) -> tuple[str, ...]:
    if isinstance(methods, str) or not isinstance(methods, Iterable):
        raise TypeError(f"methods must be some names of methods, ['GET', 'POST'], not {methods!r}")
    given = tuple(methods)
    for method in given:
        if not isinstance(method, str):
            raise TypeError(f"a method must be a str, not {method!r}")
        if not (method.isascii() and method.replace("-", "").isalpha() and method.isupper()):
            raise RouteError(
                f"a method is a name in capital letters such as 'GET', not {method!r}"
            )
    if not given or len(set(given)) != len(given):
        raise RouteError(f"methods must be at least one, each of them once, not {methods!r}")
    return given


def _name(name: object) -> str | None:
    if name is None or (isinstance(name, str) and name not in ("", ".", "..")):
        if name is None or (name.isprintable() and not set(name) & set("/?#{}")):
            return name
        raise RouteError(f"an action's name is one segment of a path, not {name!r}")
    if isinstance(name, str):
        raise RouteError(f"an action's name is one segment of a path, not {name!r}")
    raise TypeError(f"an action's name must be a str, not {name!r}")


def _decorator(
    kind: Literal["collection", "member"], function: _F | None, methods: object, name: object
) -> _F | Callable[[_F], _F]:
    mark = Mark(kind, _methods(methods), _name(name))

    def decorate(function: _F) -> _F:
        if not callable(function):
            raise TypeError(f"@{kind} is for methods of a controller, not for {function!r}")
        if getattr(function, _MARK, None) is not None:
            raise RouteError(f"{function!r} is a collection's or a member's action already")
        setattr(function, _MARK, mark)
        return function

    return decorate if function is None else decorate(function)


@overload
def collection(function: _F, /) -> _F: ...
@overload
def collection(
    *, methods: Iterable[str] = ("GET",), name: str | None = None
) -> Callable[[_F], _F]: ...
def collection(
    function: _F | None = None, /, *, methods: Iterable[str] = ("GET",), name: str | None = None
) -> _F | Callable[[_F], _F]:
    """Marks a method of a RESTRouter's controller as an action of the whole collection.

    `@collection def search(self)` in UsersController is GET /users/search; it goes before a user
    with the id "search". Arguments beyond those of the resources around are further segments.

    methods: the methods of HTTP that it answers; HEAD comes with GET, OPTIONS by itself. name: its
    segment, instead of the function's name.

    Raises RouteError for a bad method or name, TypeError for what is none at all.
    """
    return _decorator("collection", function, methods, name)


@overload
def member(function: _F, /) -> _F: ...
@overload
def member(
    *, methods: Iterable[str] = ("GET",), name: str | None = None
) -> Callable[[_F], _F]: ...
def member(
    function: _F | None = None, /, *, methods: Iterable[str] = ("GET",), name: str | None = None
) -> _F | Callable[[_F], _F]:
    """Marks a method of a RESTRouter's controller as an action of one member.

    `@member def avatar(self, user_id)` in UsersController is GET /users/10/avatar. Arguments and
    errors of the decorator are those of `collection`.
    """
    return _decorator("member", function, methods, name)


def mark_of(function: object) -> Mark | None:
    """What a decorator has said of a function."""
    mark = getattr(function, _MARK, None)
    return mark if isinstance(mark, Mark) else None
