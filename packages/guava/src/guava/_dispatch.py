"""From a request to its answer: ask the routers, and carry out what they say."""

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import guava_router
from guava_http import Request, RequestError, Response
from guava_router import Handler, HandlerNotFound, Mounts, Router, StaticHandler

from . import _pages, _static
from ._actions import Run, compile_action, guarded, waits
from ._sessions import Binding
from .controller import Controller
from .response import HTTPError

log = logging.getLogger("guava")

#: A convention without methods leaves it to the action what to make of them. (A RESTRouter answers
#: OPTIONS itself.)
ANY_METHOD = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

#: What an endpoint remembers: the router that it was prepared for, and the function that runs it.
Prepared: TypeAlias = tuple[Router, Run]


class ErrorPage(Protocol):
    def __call__(
        self, req: Request, status: int, text: str | None, error: Exception | None
    ) -> Response: ...


class Dispatcher:
    """The routers of one server, and `handle`, the function that answers its requests.

    Args:
        error_page: makes the page for an error.
    """

    def __init__(self, error_page: ErrorPage) -> None:
        self._error_page = error_page
        self._mounts = Mounts()
        # Handlers that a route() makes anew for every request lead here to what is known of them.
        self._prepared: dict[tuple[Router, str, str, str, str], Prepared] = {}
        self.handle = self._make_handle()

    @property
    def routers(self) -> tuple[Router, ...]:
        return self._mounts.routers

    def add(self, *routers: Router) -> None:
        self._mounts.add(*routers)

    def route(self, req: Request) -> Any:
        found = self._mounts.route(req)
        return None if found is None else found[1]

    def check(self) -> None:
        """Finds the actions of all registered handlers.

        Raises:
            LookupError: one of them leads nowhere; says where it was registered.
        """
        self._mounts.check()

    def _make_handle(self) -> Callable[[Request], Any]:
        # A closure: on the path of every request a name of its own is cheaper than an attribute.
        find, failed = self._mounts.find, self.failed
        prepare, carry_out = self._prepare, self._carry_out

        def handle(req: Request) -> Any:
            try:
                found = find(req)
                if found is None:
                    return failed(req, HTTPError(404))
                router, handler, prepared, args = found
                # An endpoint may be reached through several routers, each with its own sessions.
                if prepared is None or prepared[0] is not router:
                    if type(handler) is not Handler:
                        return carry_out(req, handler)
                    prepared = prepare(router, handler)
                if req.method == "OPTIONS":
                    return Response(None, status=204, headers={"Allow": ANY_METHOD})
                return prepared[1](req, args, failed)
            except Exception as error:
                return failed(req, error)

        return handle

    # ---- actions -----------------------------------------------------------------------------

    def _prepare(self, router: Router, handler: Handler) -> Prepared:
        endpoint = handler.endpoint
        key = (router, endpoint.package, endpoint.module, endpoint.controller, endpoint.action)
        prepared = self._prepared.get(key)
        resolved = guava_router.resolve(handler)
        if prepared is None:
            cls = resolved.target
            if not (isinstance(cls, type) and issubclass(cls, Controller)):
                raise TypeError(f"{handler!r}: {cls!r} does not derive from guava's Controller")
            if hasattr(Controller, handler.action):
                raise TypeError(f"{handler!r}: {handler.action} is no action but a helper")
            where = f"{endpoint.controller} behind {router!r}"
            run = compile_action(cls, handler.action, Binding(router.session_store, where))
            prepared = self._prepared[key] = router, run
        endpoint.state = prepared
        return prepared

    # ---- everything else ---------------------------------------------------------------------

    def _carry_out(self, req: Request, handler: Any) -> Any:
        if isinstance(handler, StaticHandler):
            return _static.send(req, handler)
        if isinstance(handler, guava_router.Answer):
            return self._send(req, handler)
        result = handler(req)
        return guarded(result, req, self.failed) if waits(result) else result

    def _send(self, req: Request, answer: guava_router.Answer) -> Response:
        """A whole answer of the router; an error gets the server's page for its own text."""
        headers = dict(answer.headers)
        if answer.status < 400:
            return Response(answer.body, status=answer.status, headers=headers)
        del headers["Content-Type"]
        return self.failed(req, HTTPError(answer.status, headers=headers))

    def failed(self, req: Request, error: Exception) -> Response:
        """The answer from an exception: an `HTTPError` has its own, all others are logged."""
        if isinstance(error, HTTPError):
            status, text, headers, shown = error.status, error.text, error.headers, None
        elif isinstance(error, RequestError):
            status, text, headers, shown = error.status, str(error), {}, None
        elif isinstance(error, HandlerNotFound):
            log.warning("%s %r: %s", req.method, req.path, error)
            status, text, headers, shown = 404, None, {}, None
        else:
            log.error("%s %r failed", req.method, req.path, exc_info=error)
            status, text, headers, shown = 500, None, {}, error
        try:
            page = self._error_page(req, status, text, shown)
        except Exception:
            log.exception("the error page for %s %r failed", req.method, req.path)
            page = _pages.error_page(req, status, text)
        for name, value in headers.items():
            page.headers[name] = value
        return page
