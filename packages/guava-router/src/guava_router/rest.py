"""RESTRouter: a resource is a module, a method of HTTP is a method of its class."""

from __future__ import annotations

from collections.abc import Iterator

from . import modules
from ._core import Handler
from .actions import Function, describe, own_actions
from .answers import AllowedMethods, MethodNotAllowed
from .convention import ConventionRouter, Part, Planned, check_arity
from .patterns import Segments

# What a collection (/users) and a member of it (/users/10) answer to, in the order of Allow.
COLLECTION = {"GET": "get_all", "POST": "create_one"}
MEMBER = {"GET": "get_one", "PUT": "update_one", "PATCH": "patch_one", "DELETE": "delete_one"}
ACTIONS = frozenset({*COLLECTION.values(), *MEMBER.values()})


class RESTRouter(ConventionRouter):
    """A URL names a resource, the request's method what to do with it.

    ==========  =================  ===============  ============
    method      URL                controller       action
    ==========  =================  ===============  ============
    GET         /users, /users/    UsersController  get_all
    POST        /users, /users/    UsersController  create_one
    GET         /users/10          UsersController  get_one
    PUT         /users/10          UsersController  update_one
    PATCH       /users/10          UsersController  patch_one
    DELETE      /users/10          UsersController  delete_one
    ==========  =================  ===============  ============

    A resource of a resource lies in the package of that name: /users/10/friends/3 is
    FriendsController.get_one("10", "3") in users/friends.py, and UsersController is then in
    users/__init__.py. A package without a controller only adds its name to the path.

    HEAD goes to the action of GET, OPTIONS is answered with AllowedMethods, and a method that the
    resource lacks with MethodNotAllowed. The arguments are those of MVCRouter.

    Raises RouteError, RouteConflict or ControllerImportError when it is made, also for an action
    that does not take as many arguments as its URL has.
    """

    def _planned(self, parts: tuple[Part, ...]) -> Iterator[Planned]:
        yield from self._of_parts(parts, (), "", 0)

    def _of_parts(
        self, parts: tuple[Part, ...], prefix: Segments, shown: str, depth: int
    ) -> Iterator[Planned]:
        """prefix, shown: the path so far, as segments and for people; depth: its parameters."""
        for part in parts:
            own = {}
            if part.controller is not None:
                found = own_actions(part.controller, self.base)
                own = {name: function for name, function in found if name in ACTIONS}
            here, text = (*prefix, part.name), f"{shown}/{part.name.replace('_', '-')}"
            if not own:
                yield from self._of_parts(part.parts, here, text, depth)
                continue
            yield from self._of_resource(part, own, COLLECTION, here, text, depth)
            member = (*here, None)
            text = f"{text}/{{{_singular(part.name)}_id}}"
            yield from self._of_resource(part, own, MEMBER, member, text, depth + 1)
            yield from self._of_parts(part.parts, member, text, depth + 1)

    def _of_resource(
        self,
        part: Part,
        own: dict[str, Function],
        table: dict[str, str],
        segments: Segments,
        text: str,
        depth: int,
    ) -> Iterator[Planned]:
        assert part.controller is not None
        methods: dict[str, Planned] = {}
        for method, action in table.items():
            if action not in own:
                continue
            function = own[action]
            endpoint, arity = self._endpoint(part, action, function)
            what = describe(part.controller, action, function)
            check_arity(arity, depth, what)
            where = f"{endpoint.file}:{endpoint.line}" if endpoint.file else what
            methods[method] = Planned(segments, method, endpoint.handler(), 0, 0, text, where)
        if not methods:
            return
        yield from methods.values()
        allowed = [*methods, "OPTIONS"]
        where = next(iter(methods.values())).where
        if "GET" in methods:
            allowed.insert(1, "HEAD")
            yield methods["GET"]._replace(method="HEAD", pattern=None)
        yield Planned(segments, "OPTIONS", AllowedMethods(allowed), 0, 0, None, where)
        yield Planned(segments, None, MethodNotAllowed(allowed), 0, 0, None, where)

    def _by_name(self, method: str, segments: list[str]) -> Handler | None:
        if not segments or len(segments) > 2:
            return None
        table = COLLECTION if len(segments) == 1 else MEMBER
        action = table.get("GET" if method == "HEAD" else method)
        module = segments[0].replace("-", "_")
        if action is None or not modules.is_public(module):
            return None
        controller = modules.controller_name(module)
        return Handler(self.package, module, controller, action, tuple(segments[1:]))


def _singular(name: str) -> str:
    """users -> user: only for people, in listings."""
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
