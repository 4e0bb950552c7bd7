"""HTTP/1.1 in C: request, response, cookies and a built-in web server."""

from ._core import (
    ClientDisconnected,
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
from .body import BodyPolicy, BodyStream, body_limit, stream_body
from .content_type import ContentType, format_content_type, parse_content_type
from .events import EventStream, ServerSentEvent
from .filename import secure_filename
from .forms import FileDict, Form, UploadedFile
from .limits import Limits, Timeouts
from .multipart import Part, Parts
from .parser import Data, EndOfMessage, Event
from .server import Handler, Result, Server
from .stats import ServerStats
from .url import URL

__all__ = [
    "URL",
    "Authorization",
    "BodyPolicy",
    "BodyStream",
    "ClientDisconnected",
    "ContentType",
    "Cookie",
    "Data",
    "EndOfMessage",
    "Event",
    "EventStream",
    "FileBody",
    "FileDict",
    "Form",
    "Handler",
    "Headers",
    "Limits",
    "Part",
    "Parts",
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
    "UploadedFile",
    "best_encoding",
    "best_language",
    "best_match",
    "body_limit",
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
    "stream_body",
    "unquote",
]
