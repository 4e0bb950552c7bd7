"""From a request to its answer: ask the routers, and carry out what they say."""

import inspect
import logging
import re
from collections.abc import Mapping
from types import FunctionType, MethodType
from typing import Any, Protocol

import guava_router
from guava_http import BodyPolicy, ClientDisconnected, Request, RequestError, Response
from guava_router import (
    Answer,
    Dispatch,
    Handler,
    HandlerNotFound,
    Match,
    Mounts,
    Router,
    SlashRedirect,
    StaticHandler,
)
from guava_session import CSRFError, StoreError

from . import _pages, _static
from ._actions import Run, compile_action, guarded, waits
from ._sessions import Binding
from .controller import Controller
from .response import HTTPError

log = logging.getLogger("guava")

#: A convention without methods leaves it to the action what to make of them. (A RESTRouter answers
#: OPTIONS itself.)
ANY_METHOD = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


class ErrorPage(Protocol):
    def __call__(
        self, req: Request, status: int, text: str | None, error: Exception | None
    ) -> Response: ...


def _check_names(route: guava_router.Route) -> None:
    """A function gets the request as its first argument, and the parameters by their names."""
    if not isinstance(route.handler, (FunctionType, MethodType)):
        return
    first = next(iter(inspect.signature(route.handler).parameters.values()), None)
    if first is None or first.kind is not first.POSITIONAL_OR_KEYWORD:
        return
    if re.search(rf"{{{first.name}[:}}.?]", route.pattern):
        raise TypeError(
            f"{route.pattern} at {route.where}: its parameter {first.name!r} is called as the "
            f"argument of {route.handler.__qualname__}() that the request is; rename one of them"
        )


class Dispatcher:
    """The routers of one server, and `handle`, the function that answers its requests.

    Args:
        error_page: makes the page for an error.
    """

    def __init__(self, error_page: ErrorPage) -> None:
        self._error_page = error_page
        self._mounts = Mounts()
        # Handlers that a route() makes anew for every request lead here to what is known of them.
        self._prepared: dict[tuple[Router, str, str, str, str], Run] = {}
        # Native: it finds the action and calls it, and comes back here for everything else.
        self.handle = Dispatch(self._mounts, self._otherwise, self.failed)

    @property
    def routers(self) -> tuple[Router, ...]:
        return self._mounts.routers

    def add(self, *routers: Router) -> None:
        self._mounts.add(*routers)

    def route(self, req: Request) -> Any:
        found = self._mounts.route(req)
        return None if found is None else found[1]

    def url_for(self, name: str, query: Any, params: dict[str, Any]) -> str:
        return self._mounts.url_for(name, query, **params)

    def body_policy(self, req: Request) -> BodyPolicy | None:
        """What the action in charge of a request says of its body: see `guava.request`."""
        try:
            found = self.handle.find(req)
            answer = None if found is None else found[1]
            if type(answer) is Match:
                answer = answer.target
            if type(answer) is Handler:
                answer = guava_router.resolve(answer).function
        except Exception:
            return None  # it happens again when the request is answered, and is reported then
        policy = getattr(answer, "__guava_body__", None)
        return policy if isinstance(policy, BodyPolicy) else None

    def check(self) -> None:
        """Finds the actions of all registered handlers.

        Raises:
            LookupError: one of them leads nowhere; says where it was registered.
            TypeError: a pattern's parameter has the name of the argument that the request is.
        """
        self._mounts.check()
        for router in self._mounts.routers:
            for route in router.routes():
                _check_names(route)

    def _otherwise(self, req: Request, router: Router | None, answer: Any) -> Any:
        """Answers what is not a call of a prepared action."""
        if router is None:
            raise HTTPError(404)
        if type(answer) is not Handler:
            return self._carry_out(req, answer)
        run = self._prepare(router, answer)
        if req.method == "OPTIONS":
            return Response(None, status=204, headers={"Allow": ANY_METHOD})
        return run(req, *answer.args)

    # ---- actions -----------------------------------------------------------------------------

    def _prepare(self, router: Router, handler: Handler) -> Run:
        endpoint = handler.endpoint
        resolved = guava_router.resolve(handler)
        key = (router, endpoint.package, endpoint.module, endpoint.controller, endpoint.action)
        run = self._prepared.get(key)
        if run is None:
            cls = resolved.target
            if not (isinstance(cls, type) and issubclass(cls, Controller)):
                raise TypeError(f"{handler!r}: {cls!r} does not derive from guava's Controller")
            if hasattr(Controller, handler.action):
                raise TypeError(f"{handler!r}: {handler.action} is no action but a helper")
            binding = Binding(router, self._mounts, endpoint.controller)
            run = compile_action(cls, handler.action, binding, self.failed)
            self._prepared[key] = run
        # An endpoint may be reached through several routers, each with its own sessions.
        endpoint.state = self.handle, router, run
        return run

    # ---- everything else ---------------------------------------------------------------------

    def _carry_out(self, req: Request, handler: Any) -> Any:
        if isinstance(handler, StaticHandler):
            return _static.send(req, handler)
        if isinstance(handler, Answer):
            return self._send(req, handler)
        if isinstance(handler, Match):
            target = handler.target
            if not callable(target) or isinstance(target, Answer):
                # The pattern has parameters that such a target has no use for.
                return self._carry_out(req, target)
            result = target(req, **handler.params)
        elif callable(handler):
            result = handler(req)
        else:
            raise TypeError(f"{handler!r} is registered for {req.path!r}, and cannot be called")
        return guarded(result, req, self.failed) if waits(result) else result

    def _send(self, req: Request, answer: guava_router.Answer) -> Response:
        """A whole answer of the router; an error gets the server's page for its own text."""
        if isinstance(answer, SlashRedirect):
            answer = answer.with_query(req.query_string)
        headers = dict(answer.headers)
        if answer.status < 400:
            return Response(answer.body, status=answer.status, headers=headers)
        del headers["Content-Type"]
        return self.failed(req, HTTPError(answer.status, headers=headers))

    def failed(self, req: Request, error: Exception) -> Response:
        """The answer from an exception: an `HTTPError` has its own, all others are logged."""
        status, text = 500, None
        headers: Mapping[str, str] = {}
        shown: Exception | None = None
        if isinstance(error, HTTPError):
            status, text, headers = error.status, error.text, error.headers
        elif isinstance(error, RequestError):
            status, text = error.status, str(error)
        elif isinstance(error, CSRFError):
            status, text = 403, "The form did not come from a page of this session; reload it."
        elif isinstance(error, StoreError):
            # Nobody is taken for a stranger because the store is down; it may be up in a moment.
            log.error("%s %r has no session: %s", req.method, req.path, error)
            status, headers, shown = 503, {"Retry-After": "5"}, error
        elif isinstance(error, ClientDisconnected):
            status = 400
        elif isinstance(error, HandlerNotFound):
            log.warning("%s %r: %s", req.method, req.path, error)
            status = 404
        else:
            log.error("%s %r failed", req.method, req.path, exc_info=error)
            shown = error
        try:
            page = self._error_page(req, status, text, shown)
        except Exception:
            log.exception("the error page for %s %r failed", req.method, req.path)
            page = _pages.error_page(req, status, text)
        for name, value in headers.items():
            page.headers[name] = value
        return page
