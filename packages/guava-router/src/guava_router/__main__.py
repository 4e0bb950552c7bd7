"""python -m guava_router module:router: lists the routes of a program, and explains a request.

Exit status: 0 if it could be done; 1 if --explain found nothing that answers the request; 2 for a
mistake on the command line or in the program that it names.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from .mounts import Mounts
from .outline import route_dict
from .router import Router

_USAGE = """\
examples:
  python -m guava_router app:router
  python -m guava_router app:create_router() --tree
  python -m guava_router app:router --explain GET /users/10
  python -m guava_router app:server --json | jq '.[].pattern'
"""


class NotLoaded(Exception):
    """What the command line names cannot be had; the message says what to do."""


def _failure(error: BaseException) -> str:
    """An error of the program's own code: what it is, and the place in its file."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(("<frozen", importlib.__file__))]
    own = [f for f in own if f.filename != __file__]
    at = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{at}"


def _routers_in(module: Any) -> Iterator[str]:
    for name, value in vars(module).items():
        if not name.startswith("_") and not isinstance(value, type) and _is_router(value):
            yield name


def _is_router(value: object) -> bool:
    return isinstance(value, (Router, Mounts)) or _routers_of(value) is not None


def _routers_of(value: object) -> tuple[Router, ...] | None:
    """The routers of a server: what has them in a public `routers`."""
    try:
        routers = tuple(getattr(value, "routers", None) or ())
    except TypeError:
        return None
    return routers if routers and all(isinstance(r, Router) for r in routers) else None


def _import(name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            hint = ""
            if name.endswith(".py"):
                hint = f"; did you mean {name[:-3].replace('/', '.')}?"
            raise NotLoaded(f"there is no module {error.name!r} in {here}{hint}") from None
        raise NotLoaded(f"{name} failed to import: {_failure(error)}") from None
    except Exception as error:
        raise NotLoaded(f"{name} failed to import: {_failure(error)}") from None


def load(text: str) -> Router | Mounts:
    """The router that "module:name", "module:object.name" or "module:factory()" names.

    Raises NotLoaded.
    """
    name, colon, path = text.partition(":")
    call = path.endswith("()")
    path = path.removesuffix("()")
    if (
        not name
        or name.startswith(".")
        or (colon and not all(part.isidentifier() for part in path.split(".")))
    ):
        raise NotLoaded(f"{text!r} is not of the form module:router or module:factory()")
    value = module = _import(name)
    if not colon:
        found = list(_routers_in(module))
        hint = " or ".join(f"{name}:{router}" for router in found[:5])
        raise NotLoaded(
            f"{text!r} names a module: "
            + (f"did you mean {hint}?" if found else f"give {text}:router, the router in it")
        )
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            found = list(_routers_in(module))
            hint = f"; it has {', '.join(found[:5])}" if found else ""
            raise NotLoaded(f"{name} has no {path}{hint}") from None
    if call:
        try:
            value = value()
        except Exception as error:
            raise NotLoaded(f"{text} failed: {_failure(error)}") from None
    return _as_router(value, text, call)


def _as_router(value: object, text: str, called: bool) -> Router | Mounts:
    if isinstance(value, (Router, Mounts)):
        return value
    inner = getattr(value, "router", None)  # of what as_wsgi() or as_asgi() made
    if isinstance(inner, (Router, Mounts)):
        return inner
    routers = _routers_of(value)
    if routers is not None:
        return Mounts(*routers)
    hint = ""
    if callable(value) and not called:
        hint = f"; if it makes one, give {text}()"
    raise NotLoaded(f"{text} is {value!r}, not a Router, Mounts or a server with routers{hint}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m guava_router",
        description="Lists the routes of a program, or explains how a request is routed.",
        epilog=_USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "router", metavar="module:router", help="a Router, Mounts, a server, or factory()"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--tree", action="store_true", help="draw the routes as a tree")
    what.add_argument(
        "--explain", nargs=2, metavar=("METHOD", "PATH"), help="tell what answers a request"
    )
    parser.add_argument("--host", help="the request's host, for --explain")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status; prints to stdout and stderr."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.host is not None and given.explain is None:
        parser.error("--host belongs to --explain")
    try:
        router = load(given.router)
    except NotLoaded as error:
        print(f"guava_router: {error}", file=sys.stderr)
        return 2
    status = 0
    data: Any
    if given.explain is not None:
        method, path = given.explain
        path = path.partition("?")[0]
        if not path.startswith("/"):
            parser.error(f"a path starts with a slash: {'/' + path}")
        explanation = router.explain(method.upper(), path, given.host)
        text, data = str(explanation), explanation.to_dict()
        status = 0 if explanation.found else 1
    elif given.tree:
        outline = router.tree()
        text, data = str(outline), outline.to_dict()
    else:
        routes = router.routes()
        text, data = str(routes), [route_dict(route) for route in routes]
    print(json.dumps(data, indent=2, default=str) if given.json else text)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever read has seen enough. What is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
