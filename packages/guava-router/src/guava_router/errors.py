"""What can be wrong with routes: found when the program starts, and told with file and line."""


class RouteError(ValueError):
    """A mount point, a pattern, a package or an action that cannot be routed to."""


class RouteConflict(RouteError):
    """Two routes for one URL; the message names both."""


class ControllerImportError(RouteError):
    """A package or module of controllers that cannot be imported; the cause is chained."""


class HandlerNotFound(LookupError):
    """A handler that names nothing: no such module, class or action. A server answers 404."""


class UnknownRoute(LookupError):
    """url_for(): no route has this name; the message has the nearest one."""
