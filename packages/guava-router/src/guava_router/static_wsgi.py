"""Files over WSGI (PEP 3333): carries out what StaticHandler.decide() says."""

from __future__ import annotations

import http
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .decision import FileDecision

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The request fields that a decision depends on, as a server names them.
_FIELDS = (
    ("HTTP_ACCEPT_ENCODING", "accept-encoding"),
    ("HTTP_IF_MATCH", "if-match"),
    ("HTTP_IF_MODIFIED_SINCE", "if-modified-since"),
    ("HTTP_IF_NONE_MATCH", "if-none-match"),
    ("HTTP_IF_RANGE", "if-range"),
    ("HTTP_IF_UNMODIFIED_SINCE", "if-unmodified-since"),
    ("HTTP_RANGE", "range"),
)
_BLOCK = 65536


def fields(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """What StaticHandler.decide() wants to know of a request."""
    return [(name, environ[key]) for key, name in _FIELDS if key in environ]


def send(
    decision: FileDecision, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Carries out a decision; the server closes what it gets."""
    try:
        phrase = http.HTTPStatus(decision.status).phrase
        start_response(f"{decision.status} {phrase}", list(decision.headers))
        if not decision.ranges:
            decision.close()
            return [decision.body] if decision.body else []
        wrapper = environ.get("wsgi.file_wrapper")
        # Only for whole files: some servers send one from its first byte, wherever it stands.
        if wrapper is not None and decision.is_whole:
            wrapped: Iterable[bytes] = wrapper(_Window(decision), _BLOCK)
            return wrapped
        return _Chunks(decision)
    except BaseException:
        decision.close()
        raise


class _Chunks:
    """The body of a decision; the server closes it, also if the client leaves."""

    def __init__(self, decision: FileDecision) -> None:
        self._decision = decision

    def __iter__(self) -> Iterator[bytes]:
        return self._decision.chunks(_BLOCK)

    def close(self) -> None:
        self._decision.close()


class _Window:
    """The whole file of a decision for wsgi.file_wrapper. It ends where its length says, also if
    the file grows meanwhile."""

    def __init__(self, decision: FileDecision) -> None:
        self._decision = decision
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """EOFError if the file has become shorter: the server then breaks off, as it must."""
        file = self._decision.file
        data = file.read_at(self._at, file.size if size is None or size < 0 else size)
        self._at += len(data)
        return data

    def fileno(self) -> int:
        return self._decision.file.fd

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._at, self._decision.file.size)[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._decision.close()
