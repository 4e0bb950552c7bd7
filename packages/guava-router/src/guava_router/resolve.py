"""From the names in a Handler to the class and the method, and the names' rules."""

from __future__ import annotations

import inspect

from ._core import Endpoint, Handler
from .actions import bind, is_method
from .errors import HandlerNotFound
from .modules import load


def resolve(handler: Handler) -> Endpoint:
    """The endpoint of a handler, with `target` and `function` set; imported at the first call.

    A package of "." means the program's own folder (`sys.path[0]`) or the current directory.

    Raises HandlerNotFound if there is no such module, class or public method, or if the method
    cannot be called with the handler's arguments; ControllerImportError if the module is there but
    fails; RouteError if the method cannot be an action at all.
    """
    endpoint = handler.endpoint
    if endpoint.function is None:
        _bind(endpoint)
    n = len(handler.args)
    if n < endpoint.min_args or (endpoint.max_args is not None and n > endpoint.max_args):
        raise HandlerNotFound(f"{handler!r}: the action does not take {n} arguments")
    return endpoint


def _bind(endpoint: Endpoint) -> None:
    cls = endpoint.target
    if cls is None:
        module = load(endpoint.package, endpoint.module)
        cls = getattr(module, endpoint.controller, None)
        if not isinstance(cls, type):
            raise HandlerNotFound(
                f"{module.__name__} ({module.__file__}) has no class {endpoint.controller}"
            )
    function = inspect.getattr_static(cls, endpoint.action, None)
    if endpoint.action.startswith("_") or not is_method(function):
        raise HandlerNotFound(f"{cls!r} has no public method {endpoint.action}")
    bind(endpoint, cls, function)
