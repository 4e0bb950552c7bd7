"""HTTP/1.1 in C: request, response, cookies and a built-in web server."""

from ._core import (
    ClientDisconnected,
    Cookie,
    FileBody,
    FileMissing,
    FileResponse,
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
    is_not_modified,
    parse_accept,
    parse_date,
    parse_options_header,
    parse_range,
    quote,
    status_phrase,
    unquote,
)
from .authorization import Authorization, parse_authorization
from .blocking import serve
from .body import BodyPolicy, BodyStream, body_limit, stream_body
from .compression import Compression
from .content_type import ContentType, format_content_type, parse_content_type
from .entity_tag import ETag, make_etag, parse_etags
from .events import EventStream, ServerSentEvent
from .filename import secure_filename
from .files import CONTENT_TYPES, content_disposition
from .forms import FileDict, Form, UploadedFile
from .limits import Limits, Timeouts
from .multipart import Part, Parts
from .parser import Data, EndOfMessage, Event
from .proxies import Origin, TrustedProxies
from .redirect import is_safe_redirect
from .server import Handler, Result, Server
from .stats import ServerStats
from .upgrade import Upgrade
from .url import URL

__all__ = [
    "CONTENT_TYPES",
    "URL",
    "Authorization",
    "BodyPolicy",
    "BodyStream",
    "ClientDisconnected",
    "Compression",
    "ContentType",
    "Cookie",
    "Data",
    "ETag",
    "EndOfMessage",
    "Event",
    "EventStream",
    "FileBody",
    "FileDict",
    "FileMissing",
    "FileResponse",
    "Form",
    "Handler",
    "Headers",
    "Limits",
    "Origin",
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
    "TrustedProxies",
    "Upgrade",
    "UploadedFile",
    "best_encoding",
    "best_language",
    "best_match",
    "body_limit",
    "content_disposition",
    "format_content_type",
    "http_date",
    "is_not_modified",
    "is_safe_redirect",
    "make_etag",
    "parse_accept",
    "parse_authorization",
    "parse_content_type",
    "parse_date",
    "parse_etags",
    "parse_options_header",
    "parse_range",
    "quote",
    "secure_filename",
    "serve",
    "status_phrase",
    "stream_body",
    "unquote",
]
