"""Sending the file that a router has found."""

from guava_http import FileBody, FileResponse, Request, Response
from guava_router import FileDecision, StaticHandler

from .response import HTTPError

_METHODS = ("GET", "HEAD")
# What the server says itself, of the body that it is given.
_BODY_FIELDS = frozenset({"Content-Type", "Content-Length"})
# What a FileResponse cannot know.
_KEPT = frozenset({"Vary", "Cache-Control", "Content-Encoding"})


def send(req: Request, handler: StaticHandler) -> Response:
    """The file, as the request asks for it: whole, in ranges, compressed, or 304 if the client has
    it already (RFC 9110, sections 13.2.2 and 14.2).

    Raises:
        HTTPError: 405 for a method that does not read, 404 if the file has gone.
        OSError: it cannot be opened for another reason.
    """
    method = req.method
    if method not in _METHODS:
        raise HTTPError(405, headers={"Allow": ", ".join(_METHODS)})
    try:
        decision = handler.decide(method, req.headers.multi_items())
    except (FileNotFoundError, NotADirectoryError):
        raise HTTPError(404) from None
    with decision:
        return _several(decision) if decision.boundary is not None else _one(decision)


def _one(decision: FileDecision) -> Response:
    """The file or a range of it, by sendfile(2); or what is sent instead."""
    headers = [pair for pair in decision.headers if pair[0] not in _BODY_FIELDS]
    status, file = decision.status, decision.file
    if status not in (200, 206):
        # To HEAD the server says the length of a body, and sends nothing of it.
        body = decision.body or bytes(int(decision.header("Content-Length") or 0)) or None
        return Response(body, status, headers, content_type=decision.header("Content-Type"))
    start, stop = decision.ranges[0] if decision.ranges else (0, file.size)
    # The length is what the tag was made of: a file that grows meanwhile is cut there.
    sent = FileBody(file.detach(), start, stop - start, own=True)
    return Response(sent, status, headers, content_type=file.content_type)


def _several(decision: FileDecision) -> Response:
    """Several ranges of the file: the server makes the parts again, and sends them without copying
    (it decides as the router does)."""
    file = decision.file
    kept = [pair for pair in decision.headers if pair[0] in _KEPT]
    tag, size, modified = file.etag, file.size, int(file.mtime)
    body = FileBody(file.detach(), 0, size, own=True)
    return FileResponse(
        body,
        content_type=file.content_type,
        etag=tag,
        last_modified=modified,
        headers=kept,
    )
