"""HTTP/1.1 in C: request, response, cookies and a built-in web server."""

from ._core import (
    Cookie,
    FileBody,
    Headers,
    QueryDict,
    Request,
    RequestError,
    RequestHeaders,
    RequestParser,
    Response,
    best_encoding,
    best_language,
    best_match,
    http_date,
    parse_accept,
    parse_date,
    parse_options_header,
    quote,
    status_phrase,
    unquote,
)
from .authorization import Authorization, parse_authorization
from .blocking import serve
from .content_type import ContentType, format_content_type, parse_content_type
from .events import EventStream, ServerSentEvent
from .filename import secure_filename
from .limits import Limits, Timeouts
from .parser import Data, EndOfMessage, Event
from .server import Handler, Result, Server
from .stats import ServerStats
from .url import URL

__all__ = [
    "URL",
    "Authorization",
    "ContentType",
    "Cookie",
    "Data",
    "EndOfMessage",
    "Event",
    "EventStream",
    "FileBody",
    "Handler",
    "Headers",
    "Limits",
    "QueryDict",
    "Request",
    "RequestError",
    "RequestHeaders",
    "RequestParser",
    "Response",
    "Result",
    "Server",
    "ServerSentEvent",
    "ServerStats",
    "Timeouts",
    "best_encoding",
    "best_language",
    "best_match",
    "format_content_type",
    "http_date",
    "parse_accept",
    "parse_authorization",
    "parse_content_type",
    "parse_date",
    "parse_options_header",
    "quote",
    "secure_filename",
    "serve",
    "status_phrase",
    "unquote",
]
