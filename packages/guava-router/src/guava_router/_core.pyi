"""The native part of guava-router."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, final, type_check_only

from typing_extensions import disjoint_base

from .answers import Answer

@type_check_only
class _Request(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...

@final
class Endpoint:
    """The action that a handler names: one object, shared by the handlers of all requests."""

    def __new__(cls, package: str, module: str, controller: str, action: str) -> Endpoint: ...
    @property
    def package(self) -> str: ...
    @property
    def module(self) -> str: ...
    @property
    def controller(self) -> str: ...
    @property
    def cls(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def target(self) -> type | None: ...
    @property
    def function(self) -> Callable[..., Any] | None: ...
    @property
    def file(self) -> str | None: ...
    @property
    def line(self) -> int: ...
    @property
    def min_args(self) -> int: ...
    @property
    def max_args(self) -> int | None: ...
    state: Any
    converters: tuple[Callable[[str], Any] | None, ...] | None
    def handler(self, args: Iterable[Any] = (), /) -> Handler: ...
    def _bind(
        self,
        target: type,
        function: Callable[..., Any],
        file: str | None,
        line: int,
        min_args: int,
        max_args: int,
        /,
    ) -> None: ...

@final
class Handler:
    """Names the action that answers a request, and has its arguments."""

    # Not "cls", which is the second spelling of controller.
    def __new__(
        type_,
        package: str = ".",
        module: str = ...,
        controller: str | type = ...,
        action: str = "index",
        args: Iterable[Any] = (),
        cls: str | type = ...,
    ) -> Handler: ...
    @property
    def package(self) -> str: ...
    @property
    def module(self) -> str: ...
    @property
    def controller(self) -> str: ...
    @property
    def cls(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def endpoint(self) -> Endpoint: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Table:
    """Routes, as an immutable tree."""

    def __new__(
        cls,
        routes: Iterable[tuple[Any, ...]],
        *,
        fold: bool = False,
        loose_slash: bool = False,
    ) -> Table: ...
    def match(self, method: str, path: str, /) -> Any: ...

@final
class Match:
    """What a router found: the target of a route, and the values of its parameters."""

    def __new__(
        cls,
        target: object,
        params: dict[str, Any] = ...,
        name: str | None = None,
        pattern: str = "",
        route: Any = None,
    ) -> Match: ...
    @property
    def target(self) -> Any: ...
    @property
    def name(self) -> str | None: ...
    @property
    def pattern(self) -> str: ...
    @property
    def route(self) -> Any: ...
    @property
    def params(self) -> dict[str, Any]: ...
    @property
    def args(self) -> tuple[Any, ...]: ...

@final
class Paths:
    """Patterns, as an immutable radix tree."""

    def __new__(
        cls,
        groups: list[Any],
        converters: tuple[Callable[[str], Any], ...],
        answers: tuple[Any, Any, Any, Any],
        slash: str,
    ) -> Paths: ...
    def __sizeof__(self) -> int: ...

@disjoint_base
class RouterBase:
    """A mount point, the patterns registered there, and a convention's table; see Router."""

    _mount: str
    _paths: Paths | None
    _table: Table | None
    _fallback: Callable[[str, str], Any] | None
    def __new__(cls, *args: Any, **kwargs: Any) -> RouterBase: ...
    def route(self, req: _Request, /) -> Any: ...
    def match(
        self, method: str, path: str, host: str | None = None, query: str = ""
    ) -> Match | Answer: ...
    def relative(self, path: str, /) -> str | None: ...

@disjoint_base
class MountsBase:
    """The tree of mounted routers; see Mounts."""

    def __new__(cls, *args: Any, **kwargs: Any) -> MountsBase: ...
    def route(self, req: _Request, /) -> tuple[Any, Any] | None: ...
    def _plan(
        self,
        customs: tuple[RouterBase, ...],
        mounted: tuple[tuple[tuple[str, ...], tuple[RouterBase, ...]], ...],
        soft: tuple[type, ...],
        /,
    ) -> None: ...

@final
class Dispatch:
    """A whole application as one function of a request."""

    def __new__(
        cls,
        mounts: MountsBase,
        otherwise: Callable[[Any, Any, Any], Any],
        failed: Callable[[Any, Exception], Any],
    ) -> Dispatch: ...
    def find(self, req: Any, /) -> tuple[Any, Any] | None: ...
    def __call__(self, req: Any, /) -> Any: ...

@final
class Invoker:
    """A function of a request and arguments that calls a method on an instance made for it."""

    def __new__(
        cls,
        controller: type,
        function: Callable[..., Any],
        owner: type,
        request: str,
        fresh: dict[str, Any],
        written: str,
        finish: Callable[[Any, Any], Any],
    ) -> Invoker: ...
    def __call__(self, req: Any, /, *args: Any) -> Any: ...

def open_beneath(root_fd: int, path: str, follow_symlinks: bool = False, /) -> int: ...
def _open_walking(root_fd: int, path: str, follow_symlinks: bool = False, /) -> int: ...
