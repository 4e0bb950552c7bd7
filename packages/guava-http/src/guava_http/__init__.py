"""HTTP/1.1 in C: request, response, cookies and a built-in web server."""

from ._core import (
    Cookie,
    FileBody,
    Headers,
    QueryDict,
    Request,
    RequestError,
    RequestHeaders,
    Response,
    best_encoding,
    best_language,
    best_match,
    http_date,
    parse_accept,
    parse_options_header,
    status_phrase,
    unquote,
)
from .blocking import serve
from .server import Handler, Limits, Result, Server, Timeouts

__all__ = [
    "Cookie",
    "FileBody",
    "Handler",
    "Headers",
    "Limits",
    "QueryDict",
    "Request",
    "RequestError",
    "RequestHeaders",
    "Response",
    "Result",
    "Server",
    "Timeouts",
    "best_encoding",
    "best_language",
    "best_match",
    "http_date",
    "parse_accept",
    "parse_options_header",
    "serve",
    "status_phrase",
    "unquote",
]
