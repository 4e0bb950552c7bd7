"""Sending the file that a router has found."""

from guava_http import FileBody, FileResponse, Request, Response
from guava_router import StaticHandler

from .response import HTTPError

_METHODS = ("GET", "HEAD")


def send(req: Request, handler: StaticHandler) -> Response:
    """The file, as the request asks for it: whole, in ranges, or 304 if the client has it already
    (RFC 9110, sections 13.2.2 and 14.2).

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
        # The length is what the tag was made of: a file that grows meanwhile is cut there.
        tag, size, modified = file.etag, file.size, int(file.mtime)
        body = FileBody(file.detach(), 0, size, own=True)
    return FileResponse(body, content_type=file.content_type, etag=tag, last_modified=modified)
