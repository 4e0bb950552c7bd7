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
    http_date,
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
    "http_date",
    "serve",
    "status_phrase",
    "unquote",
]
