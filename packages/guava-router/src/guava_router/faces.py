"""What every router has beside matching: it can be looked at, and be a WSGI or ASGI application.

A Router and Mounts have the same methods for it; so have routers of other people that match as
ours do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from ._core import Match
from .answers import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from .asgi import ASGIRouter
    from .explain import Explanation
    from .lifespan import ASGIApplication
    from .outline import Outline
    from .router import Route
    from .wsgi import WSGIRouter


class Matcher(Protocol):
    """What has faces: Router, Mounts."""

    def match(
        self, method: str, path: str, host: str | None = None, query: str = ""
    ) -> Match | Answer: ...
    def routes(self) -> Iterable[Route]: ...


class Faces:
    """The methods that Router and Mounts share."""

    __slots__ = ()

    def explain(self, method: str, path: str, host: str | None = None) -> Explanation:
        """Why match() answers a request as it does: what was tried, in its order, and what failed.

        method: in capital letters. path: decoded, with the mount point, without a query. host: as
        for match(). print() shows the explanation in lines, to_dict() has it for JSON.

        It looks at every route, so it is for people and tests, not for requests.
        """
        from .explain import explain

        return explain(self, method, path, host)

    def tree(self: Matcher) -> Outline:
        """The routes as a tree; print() draws it, to_dict() has it for JSON."""
        from .outline import Outline

        return Outline(self.routes())

    def as_wsgi(
        self: Matcher,
        *,
        application: Callable[[Match], WSGIApplication] | None = None,
        otherwise: WSGIApplication | None = None,
    ) -> WSGIRouter:
        """The router as a WSGI application.

        Answers and StaticHandlers are sent; every other target is a WSGI application.

        application: makes the WSGI application of a match, for targets that are none: handlers of
        a convention, say.
        otherwise: is asked when no route is for the path, instead of answering 404.

        A target finds its parameters in environ["wsgiorg.routing_args"][1] and the Match in
        environ["guava_router.match"]. SCRIPT_NAME and PATH_INFO stay as they are, except under a
        pattern whose last segment is a {name:path}: there the path before it moves to SCRIPT_NAME.
        What the target sends to HEAD loses its body.

        A target that is not callable is a TypeError when it is asked for.
        """
        from .wsgi import WSGIRouter

        return WSGIRouter(self, application, otherwise)

    def as_asgi(
        self: Matcher,
        *,
        application: Callable[[Match], ASGIApplication] | None = None,
        otherwise: ASGIApplication | None = None,
    ) -> ASGIRouter:
        """The router as an ASGI application, for http, websocket and lifespan.

        Answers and StaticHandlers are sent; every other target is an ASGI application.

        application: makes the ASGI application of a match, for targets that are none; these have
        no lifespan. otherwise: is asked when no route is for the path, instead of answering 404.

        A target finds its parameters in scope["path_params"] and the Match in
        scope["guava_router.match"]. Under a pattern whose last segment is a {name:path}, the path
        before it is added to scope["root_path"]; such a target is a whole application, which also
        gets the server's lifespan. A websocket is matched as a GET and refused if nothing matches.

        A target that is not callable is a TypeError when it is asked for.
        """
        from .asgi import ASGIRouter

        return ASGIRouter(self, application, otherwise)
