"""RESTRouter: a resource is a module, a method of HTTP is a method of its class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import modules
from ._core import Handler
from .actions import Function, describe, own_actions
from .answers import AllowedMethods, MethodNotAllowed
from .convention import ConventionRouter, Part, check_arity
from .errors import RouteConflict, RouteError
from .patterns import Segments
from .planned import Planned, planned
from .resources import mark_of

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

    Further actions are marked with @collection (/users/search) and @member (/users/10/avatar). A
    controller with `singular = True` is a resource without ids: GET /profile is get_one().

    A resource of a resource lies in the package of that name: /users/10/friends/3 is
    FriendsController.get_one("10", "3") in users/friends.py, and UsersController is then in
    users/__init__.py. A package without a controller only adds its name to the path.

    HEAD goes to the action of GET, OPTIONS is answered with AllowedMethods, and a method that the
    resource lacks with MethodNotAllowed. The arguments are those of MVCRouter.

    Raises RouteError, RouteConflict or ControllerImportError when it is made, also for an action
    that does not take as many arguments as its URL has.
    """

    def _planned(self, parts: tuple[Part, ...]) -> Iterator[Planned]:
        yield from self._of_parts(parts, Place((), (), 0))

    def _of_parts(self, parts: tuple[Part, ...], around: Place) -> Iterator[Planned]:
        for part in parts:
            here = around.below(part.name)
            actions = self._actions_of(part)
            if not actions:
                yield from self._of_parts(part.parts, here)
                continue
            assert part.controller is not None
            single = _is_singular(part.controller)
            inside = here if single else here.member()
            for node in _nodes(part.controller, actions, here, inside, single):
                yield from self._of_node(part, node)
            yield from self._of_parts(part.parts, inside)

    def _actions_of(self, part: Part) -> dict[str, Function]:
        if part.controller is None:
            return {}
        return {
            name: function
            for name, function in own_actions(part.controller, self.base)
            if name in ACTIONS or mark_of(function) is not None
        }

    def _of_node(self, part: Part, node: Node) -> Iterator[Planned]:
        """The routes of one place: its methods, HEAD, OPTIONS, and 405 for all others."""
        place, actions = node.place, {}
        for name, function in dict(node.methods.values()).items():
            action = self._action(part, name, function)
            check_arity(action.arity, place.depth, action.what, node.more)
            actions[name] = action
        found: dict[str, Planned] = {}
        for method, (name, _) in node.methods.items():
            low, high = 0, 0
            if node.more:
                low, high = actions[name].arity.low, actions[name].arity.high
                low, high = max(0, low - place.depth), high - place.depth if high >= 0 else -1
            called = ".".join((*place.names, name))
            found[method] = planned(actions[name], place.segments, method, low, high, called)
        first = next(iter(found.values()))
        for other in found.values():
            if (other.low, other.high) != (first.low, first.high):
                raise RouteError(
                    f"{other.action.what} has the address of {first.action.what}, so it must take "
                    f"as many arguments"
                )
        allowed = [*found]
        if "GET" in found and "HEAD" not in found:
            allowed.insert(allowed.index("GET") + 1, "HEAD")
            found["HEAD"] = found["GET"]._replace(method="HEAD", name=None)
        yield from found.values()
        kinds = {(a.kinds, a.rest and a.rest.kind) for a in actions.values()}
        more = first._replace(guard=first.action.endpoint if len(kinds) == 1 else None, name=None)
        if "OPTIONS" not in allowed:
            allowed.append("OPTIONS")
            yield more._replace(method="OPTIONS", answer=AllowedMethods(allowed))
        yield more._replace(method=None, answer=MethodNotAllowed(allowed))

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


class Place(NamedTuple):
    """A place in the tree of resources."""

    segments: Segments
    names: tuple[str, ...]  # of the resources that lead there
    depth: int  # the ids on the way

    def below(self, name: str) -> Place:
        return Place((*self.segments, name), (*self.names, name), self.depth)

    def member(self) -> Place:
        return Place((*self.segments, None), self.names, self.depth + 1)

    def action(self, name: str) -> Place:
        return Place((*self.segments, name.replace("-", "_")), self.names, self.depth)


class Node(NamedTuple):
    """The actions of one place, by method."""

    place: Place
    methods: dict[str, tuple[str, Function]]
    more: bool  # further arguments are further segments


def _is_singular(cls: type) -> bool:
    """Whether there is only one of it: /profile, without an id."""
    singular = getattr(cls, "singular", False)
    return singular is True


def _nodes(
    cls: type, actions: dict[str, Function], here: Place, inside: Place, single: bool
) -> Iterator[Node]:
    tables = {**MEMBER, "POST": "create_one"} if single else COLLECTION
    yield from _of_table(tables, actions, here)
    if not single:
        yield from _of_table(MEMBER, actions, inside)
    extra: dict[Segments, Node] = {}
    for name, function in actions.items():
        mark, what = mark_of(function), describe(cls, name, function)
        if single and (name == "get_all" or (mark is not None and mark.kind == "collection")):
            raise RouteError(
                f"{what}: {cls.__qualname__} is singular, so it has no collection; "
                + ("rename it get_one" if name == "get_all" else "mark the action with @member")
            )
        if mark is None:
            continue
        if name in ACTIONS:
            raise RouteError(f"{what} has its address by its name: take off @{mark.kind}")
        place = (here if mark.kind == "collection" else inside).action(mark.name or name)
        node = extra.setdefault(place.segments, Node(place, {}, True))
        for method in mark.methods:
            if method in node.methods:
                raise RouteConflict(
                    f"two actions for {method} of one address: "
                    f"{describe(cls, *node.methods[method])} and {what}"
                )
            node.methods[method] = name, function
    yield from extra.values()


def _of_table(table: dict[str, str], actions: dict[str, Function], place: Place) -> Iterator[Node]:
    methods = {
        method: (action, actions[action]) for method, action in table.items() if action in actions
    }
    if methods:
        yield Node(place, methods, False)
