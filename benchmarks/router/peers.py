"""The routers for Python: how each is given its routes, and how it is asked.

Each is asked as its framework asks it for a request, by the nearest to that which it has as a
function, with the request as it wants it made beforehand; the values of the parameters are taken
as a dict. `loop` asks for many, so that nothing of ours stands between two requests.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

Found = tuple[Any, dict[str, Any]] | None
"""A handler and the values, or None."""
Routes = list[tuple[str, str]]
Handlers = list[Callable[..., Any]]


class Peer(Protocol):
    def __init__(self, routes: Routes, handlers: Handlers) -> None: ...
    def request(self, method: str, path: str) -> Any:
        """What it wants to be asked with."""

    def found(self, request: Any) -> Found:
        """Asks, and gives everything that it says; to be checked, not to be measured."""

    def loop(self, requests: Iterable[Any], hits: bool) -> None:
        """Asks for all. Nobody but some care whether they know that it is a hit."""


def handlers(count: int) -> Handlers:
    """As many functions; all different, since frameworks tell them apart."""

    def another() -> Callable[..., Any]:
        async def handler(request: Any = None) -> None:
            pass

        return handler

    return [another() for _ in range(count)]


class Guava:
    def __init__(self, routes: Routes, handlers: Handlers) -> None:
        from guava_router import Match, Router

        self.router, self.type = Router(), Match
        for (method, path), handler in zip(routes, handlers, strict=True):
            self.router.register(path, handler, methods=[method])
        self.router.match("GET", "/")

    def request(self, method: str, path: str) -> tuple[str, str]:
        return method, path

    def found(self, request: tuple[str, str]) -> Found:
        answer = self.router.match(*request)
        return (answer.target, answer.params) if isinstance(answer, self.type) else None

    def loop(self, requests: Iterable[tuple[str, str]], hits: bool) -> None:
        match = self.router.match
        if hits:
            for method, path in requests:
                match(method, path).params  # type: ignore[union-attr]  # noqa: B018
        else:
            for method, path in requests:
                match(method, path)


class Werkzeug:
    """Flask makes an adapter for each request; here there is one for all."""

    def __init__(self, routes: Routes, handlers: Handlers) -> None:
        from werkzeug.exceptions import HTTPException
        from werkzeug.routing import Map, Rule

        self.error = HTTPException
        rules = [
            Rule(path.replace("{", "<").replace("}", ">"), endpoint=handler, methods=[method])
            for (method, path), handler in zip(routes, handlers, strict=True)
        ]
        self.adapter = Map(rules).bind("localhost")
        self.adapter.map.update()

    def request(self, method: str, path: str) -> tuple[str, str]:
        return path, method

    def found(self, request: tuple[str, str]) -> Found:
        try:
            handler, values = self.adapter.match(*request)
        except self.error:
            return None
        return handler, dict(values)

    def loop(self, requests: Iterable[tuple[str, str]], hits: bool) -> None:
        match, error = self.adapter.match, self.error
        for path, method in requests:
            try:
                match(path, method)
            except error:
                pass


class Starlette:
    """Its Router goes through the routes and asks each, which is written out here."""

    def __init__(self, routes: Routes, handlers: Handlers) -> None:
        from starlette.routing import Match, Route, Router

        self.full = Match.FULL
        self.router = Router(
            [
                Route(path, handler, methods=[method])
                for (method, path), handler in zip(routes, handlers, strict=True)
            ]
        )

    def request(self, method: str, path: str) -> dict[str, Any]:
        return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}

    def found(self, request: dict[str, Any]) -> Found:
        for route in self.router.routes:
            match, child = route.matches(request)
            if match is self.full:
                return child["endpoint"], child["path_params"]
        return None

    def loop(self, requests: Iterable[dict[str, Any]], hits: bool) -> None:
        routes, full = self.router.routes, self.full
        for scope in requests:
            for route in routes:
                match, child = route.matches(scope)
                if match is full:
                    child["path_params"]
                    break


class Falcon:
    def __init__(self, routes: Routes, handlers: Handlers) -> None:
        from falcon.routing import CompiledRouter

        self.router: Any = CompiledRouter()
        paths: dict[str, dict[str, Any]] = {}
        for (method, path), handler in zip(routes, handlers, strict=True):
            paths.setdefault(path, {})[f"on_{method.lower()}"] = staticmethod(
                lambda req, resp, handler=handler: handler
            )
        for path, responders in paths.items():
            self.router.add_route(path, type("Resource", (), responders)())
        self.router.find("/")  # it is compiled when it is asked first

    def request(self, method: str, path: str) -> tuple[str, str]:
        return path, method

    def found(self, request: tuple[str, str]) -> Found:
        path, method = request
        answer = self.router.find(path)
        if answer is None:
            return None
        _, responders, values, _ = answer
        return responders[method](None, None), values

    def loop(self, requests: Iterable[tuple[str, str]], hits: bool) -> None:
        find = self.router.find
        if hits:
            for path, method in requests:
                _, responders, _, _ = find(path)
                responders[method]
        else:
            for path, _ in requests:
                find(path)


class Sanic:
    def __init__(self, routes: Routes, handlers: Handlers) -> None:
        from sanic import Sanic
        from sanic.exceptions import SanicException

        self.error = SanicException
        app = Sanic(f"benchmark-{len(routes)}", configure_logging=False)
        for number, ((method, path), handler) in enumerate(zip(routes, handlers, strict=True)):
            app.add_route(
                handler,
                path.replace("{", "<").replace("}", ">"),
                methods=[method],
                name=f"r{number}",
            )
        app.router.finalize()
        self.router = app.router

    def request(self, method: str, path: str) -> tuple[str, str, None]:
        return path, method, None

    def found(self, request: tuple[str, str, None]) -> Found:
        try:
            _, handler, values = self.router.get(*request)
        except self.error:
            return None
        return handler, values

    def loop(self, requests: Iterable[tuple[str, str, None]], hits: bool) -> None:
        get, error = self.router.get, self.error
        for path, method, host in requests:
            try:
                get(path, method, host)
            except error:
                pass


class Litestar:
    """It wants the type of each parameter said. It keeps the last answers, as it comes."""

    def __init__(self, routes: Routes, handlers: Handlers) -> None:
        from litestar import Litestar
        from litestar.exceptions import HTTPException
        from litestar.handlers import HTTPRouteHandler

        make: Any = HTTPRouteHandler

        self.error = HTTPException
        for handler in handlers:
            handler.__annotations__ = {"return": None}
            handler.__defaults__, handler.__code__ = None, bare.__code__
        app = Litestar(
            [
                make(path.replace("}", ":str}"), http_method=method, status_code=200)(handler)
                for (method, path), handler in zip(routes, handlers, strict=True)
            ],
            openapi_config=None,
        )
        self.ask = app.asgi_router.handle_routing

    def request(self, method: str, path: str) -> tuple[str, str]:
        return path, method

    def found(self, request: tuple[str, str]) -> Found:
        try:
            _, handler, _, values, _ = self.ask(*request)
        except self.error:
            return None
        return handler.fn, values

    def loop(self, requests: Iterable[tuple[str, str]], hits: bool) -> None:
        ask, error = self.ask, self.error
        for path, method in requests:
            try:
                ask(path=path, method=method)
            except error:
                pass


async def bare() -> None:
    """What Litestar takes for a handler that wants nothing of the request."""


class Aiohttp:
    """Its dispatcher is a coroutine that never waits, and is driven by hand."""

    def __init__(self, routes: Routes, handlers: Handlers) -> None:
        from aiohttp.web_urldispatcher import UrlDispatcher

        self.router = UrlDispatcher()
        for (method, path), handler in zip(routes, handlers, strict=True):
            self.router.add_route(method, path, handler)
        self.loop_of_requests = asyncio.new_event_loop()

    def request(self, method: str, path: str) -> Any:
        from aiohttp.test_utils import make_mocked_request

        return make_mocked_request(method, path, loop=self.loop_of_requests)

    def found(self, request: Any) -> Found:
        try:
            self.router.resolve(request).send(None)
        except StopIteration as done:
            info = done.value
            return None if info.http_exception else (info.handler, dict(info))
        raise RuntimeError("aiohttp's dispatcher waits")

    def loop(self, requests: Iterable[Any], hits: bool) -> None:
        resolve = self.router.resolve
        for request in requests:
            try:
                resolve(request).send(None)
            except StopIteration as done:
                done.value  # a dict itself  # noqa: B018


PEERS: dict[str, type[Peer]] = {
    "guava": Guava,
    "werkzeug": Werkzeug,
    "starlette": Starlette,
    "falcon": Falcon,
    "sanic": Sanic,
    "litestar": Litestar,
    "aiohttp": Aiohttp,
}
