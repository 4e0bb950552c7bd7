"""Sending the file that a router has found."""

from guava_http import FileBody, Request, Response
from guava_router import StaticHandler

from .response import HTTPError

_METHODS = ("GET", "HEAD")


def send(req: Request, handler: StaticHandler) -> Response:
    """The file, or 304 if the client has it already (RFC 9110, section 13.2.2).

    Raises:
        HTTPError: 405 for a method that does not read, 404 if the file has gone.
        OSError: it cannot be opened for another reason.
    """
    if req.method not in _METHODS:
        raise HTTPError(405, headers={"Allow": ", ".join(_METHODS)})
    try:
        file = handler.open()
    except (FileNotFoundError, NotADirectoryError):
        raise HTTPError(404) from None
    with file:
        fields = req.HEADERS
        if file.not_modified(fields.get("If-None-Match"), fields.get("If-Modified-Since")):
            return Response(None, status=304, headers=file.not_modified_headers)
        # The length is what the headers were made of: a file that grows meanwhile is cut there.
        body = FileBody(file.detach(), 0, file.size, own=True)
        return Response(body, headers=file.not_modified_headers, content_type=file.content_type)
