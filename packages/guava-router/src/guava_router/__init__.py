"""URL routers for any Python web framework: tables, static files, MVC, REST."""

from ._core import Dispatch, Endpoint, Handler, Invoker, Match, open_beneath
from .answers import (
    AllowedMethods,
    Answer,
    MethodNotAllowed,
    NotFound,
    RedirectHandler,
    SlashRedirect,
)
from .conditional import is_not_modified
from .content_types import content_type
from .convention import ConventionRouter
from .converters import Converter
from .dates import http_date
from .decision import FileDecision
from .errors import (
    ControllerImportError,
    HandlerNotFound,
    RouteConflict,
    RouteError,
    UnknownRoute,
)
from .explain import Explanation
from .files import StaticFile, StaticHandler
from .listing import Listing
from .mounts import Mounts
from .mvc import MVCRouter
from .outline import Outline
from .resolve import resolve
from .resources import collection, member
from .rest import RESTRouter
from .router import RequestLike, Route, RouteList, Router
from .static import StaticRouter
from .suggest import Suggester, Suggestion
from .walk import Step

__version__ = "1.0.0"

__all__ = [
    "AllowedMethods",
    "Answer",
    "ControllerImportError",
    "ConventionRouter",
    "Converter",
    "Dispatch",
    "Endpoint",
    "Explanation",
    "FileDecision",
    "Handler",
    "HandlerNotFound",
    "Invoker",
    "Listing",
    "MVCRouter",
    "Match",
    "MethodNotAllowed",
    "Mounts",
    "NotFound",
    "Outline",
    "RESTRouter",
    "RedirectHandler",
    "RequestLike",
    "Route",
    "RouteConflict",
    "RouteError",
    "RouteList",
    "Router",
    "SlashRedirect",
    "StaticFile",
    "StaticHandler",
    "StaticRouter",
    "Step",
    "Suggester",
    "Suggestion",
    "UnknownRoute",
    "__version__",
    "collection",
    "content_type",
    "http_date",
    "is_not_modified",
    "member",
    "open_beneath",
    "resolve",
]
