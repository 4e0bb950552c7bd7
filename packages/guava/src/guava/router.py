"""The routers, with Guava's `Controller` as the base of what they find.

All four come from the package guava-router, whose documentation has their rules in full.
"""

from guava_router import MVCRouter as _MVCRouter
from guava_router import RESTRouter as _RESTRouter
from guava_router import Router, StaticRouter, collection, member
from guava_session import SessionManager, SessionStore

from ._sessions import check_store
from .controller import Controller

__all__ = ["MVCRouter", "RESTRouter", "Router", "StaticRouter", "collection", "member"]


class MVCRouter(_MVCRouter):
    """``/post/view/10`` is ``PostController.view("10")`` in the module ``post`` of a package.

    An argument with an annotation is converted: with ``view(self, number: int)`` it is 10, and
    ``/post/view/ten`` is not found.

    Args:
        mount_point: the path at which it lies.
        package: the dotted name of the package of controllers; ".", the program's own folder.
        session_store: gives the controllers their `SESSION`; a `SessionManager` where the cookie
            or the time-outs are to be others.

    Raises:
        TypeError: session_store is neither.
        ValueError: (a RouteError of guava-router) for a bad mount point, a package or module that
            does not import, or two actions with one address; with file and line.
    """

    def __init__(
        self,
        mount_point: str = "/",
        package: str = ".",
        session_store: SessionStore | SessionManager | None = None,
    ) -> None:
        check_store(session_store)
        super().__init__(mount_point, package, session_store, base=Controller)


class RESTRouter(_RESTRouter):
    """``GET /users/10`` is ``UsersController.get_one("10")`` in the module ``users`` of a package.

    Arguments are converted as those of `MVCRouter`. `collection` and `member` mark further actions
    of a resource, ``singular = True`` a resource without ids.

    Args:
        mount_point: the path at which it lies.
        package: the dotted name of the package of resources; ".", the program's own folder.
        session_store: gives the controllers their `SESSION`; a `SessionManager` where the cookie
            or the time-outs are to be others.

    Raises:
        TypeError, ValueError: as `MVCRouter`.
    """

    def __init__(
        self,
        mount_point: str = "/",
        package: str = ".",
        session_store: SessionStore | SessionManager | None = None,
    ) -> None:
        check_store(session_store)
        super().__init__(mount_point, package, session_store, base=Controller)
