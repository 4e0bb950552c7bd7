"""MVCRouter: /module/action/argument/argument."""

from __future__ import annotations

from collections.abc import Iterator

from . import modules
from ._core import Handler
from .actions import own_actions
from .convention import ConventionRouter, Part
from .planned import Planned, planned

INDEX = "index"


class MVCRouter(ConventionRouter):
    """A URL names a module, a method of its class, and the method's arguments.

    ======================  ========  =====================  =======  ============
    URL                     module    controller             action   args
    ======================  ========  =====================  =======  ============
    /                       index     IndexController        index    ()
    /post                   post      PostController         index    ()
    /post/new               post      PostController         new      ()
    /post/move/10/20        post      PostController         move     ('10', '20')
    /blog-post              blog_post BlogPostController     index    ()
    /admin/post/view/10     post (in the package's package admin)
    ======================  ========  =====================  =======  ============

    mount_point: where the router lies. package: the package's dotted name; "." means modules in
    the program's own folder (`sys.path[0]`) or, if that has no controller, in the current
    directory. session_store: kept for the framework around. base: the class that controllers
    derive from.

    Only public methods that the class itself defines are actions, and only if a URL can call them;
    a URL with too few or too many arguments is not found. Any method (GET, POST...) is accepted.

    Raises RouteError, RouteConflict or ControllerImportError when it is made.
    """

    def _planned(self, parts: tuple[Part, ...]) -> Iterator[Planned]:
        yield from self._of_parts(parts, ())

    def _of_parts(self, parts: tuple[Part, ...], prefix: tuple[str, ...]) -> Iterator[Planned]:
        for part in parts:
            yield from self._of_controller(part, prefix)
            yield from self._of_parts(part.parts, (*prefix, part.name))

    def _of_controller(self, part: Part, prefix: tuple[str, ...]) -> Iterator[Planned]:
        if part.controller is None:
            return
        here = (*prefix, part.name)
        for name, function in own_actions(part.controller, self.base):
            action = self._action(part, name, function)
            low, high = action.arity.low, action.arity.high
            called = ".".join((*here, name))
            # An index is also where its module (and the index of an index its folder) is.
            short = []
            if name == INDEX and low == 0:
                short = [prefix, here] if part.name == INDEX else [here]
            for i, segments in enumerate(short):
                yield planned(action, segments, None, 0, 0, called if i == 0 else None)
            full = called if not short or high != 0 else None
            yield planned(action, (*here, name), None, low, high, full)

    def _by_name(self, method: str, segments: list[str]) -> Handler | None:
        names = [segment.replace("-", "_") for segment in segments[:2]]
        module, action, *_ = [*names, INDEX, INDEX] if names else [INDEX, INDEX]
        if not modules.is_public(module) or not modules.is_public(action):
            return None
        controller = modules.controller_name(module)
        return Handler(self.package, module, controller, action, tuple(segments[2:]))
