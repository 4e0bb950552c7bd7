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

__all__ = [
    "Cookie",
    "FileBody",
    "Headers",
    "QueryDict",
    "Request",
    "RequestError",
    "RequestHeaders",
    "Response",
    "http_date",
    "status_phrase",
    "unquote",
]
