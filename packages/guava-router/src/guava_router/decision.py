"""FileDecision: what a request for a file is answered with, as a value that any server carries
out. Nothing is read and nothing is sent here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import conditional
from .codings import SUFFIXES, preferred
from .dates import http_date
from .ranges import parse_ranges

if TYPE_CHECKING:
    from .files import StaticFile

Headers = Mapping[Any, Any] | Iterable[tuple[Any, Any]]

_READ = frozenset(
    {
        "accept-encoding",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
    }
)
_CHUNK = 65536
_REASONS = {412: b"412 Precondition Failed\n", 416: b"416 Range Not Satisfiable\n"}


def read_fields(headers: Headers) -> dict[str, list[str]]:
    """The fields that a decision depends on, from a mapping or from pairs, of str or bytes."""
    fields: dict[str, list[str]] = {}
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        if not isinstance(name, str):
            name = bytes(name).decode("latin-1")
        name = name.lower()
        if name in _READ:
            if not isinstance(value, str):
                value = bytes(value).decode("latin-1")
            fields.setdefault(name, []).append(value.strip(" \t"))
    return fields


class FileDecision:
    """The answer to a GET or HEAD of a file. Immutable; made by StaticRouter.decide() and
    StaticHandler.decide().

    status: 200, 206, 304, 412 or 416. headers: (name, value) pairs, all of the answer's but Date,
    with Content-Length (a 304 has none). file: the StaticFile whose bytes are sent, open and owned
    by the decision: close() it, or use the decision in a with statement. ranges: the (start, stop)
    pairs of the file that are sent, in this order; () for HEAD and where no file is sent.
    boundary: of the parts, or None if there are not several. heads: bytes before each of `ranges`,
    and behind the last; () without parts. body: bytes that are sent where no file is.

    The body is `body`, or the ranges, or with parts: heads[0], range 0, heads[1], ... and the last
    of heads at the end. pieces() and chunks() have it in this order.
    """

    __slots__ = ("body", "boundary", "file", "headers", "heads", "ranges", "status")

    status: int
    headers: tuple[tuple[str, str], ...]
    file: StaticFile
    ranges: tuple[tuple[int, int], ...]
    boundary: str | None
    heads: tuple[bytes, ...]
    body: bytes

    def __init__(
        self,
        status: int,
        headers: tuple[tuple[str, str], ...],
        file: StaticFile,
        ranges: tuple[tuple[int, int], ...] = (),
        boundary: str | None = None,
        heads: tuple[bytes, ...] = (),
        body: bytes = b"",
    ) -> None:
        put = super().__setattr__
        put("status", status)
        put("headers", headers)
        put("file", file)
        put("ranges", ranges)
        put("boundary", boundary)
        put("heads", heads)
        put("body", body)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a FileDecision cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a FileDecision cannot be changed: {name}")

    def header(self, name: str) -> str | None:
        """The value of the first header of this name, in any case; None if there is none."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def length(self) -> int:
        """How many bytes the body has; 0 for HEAD."""
        return (
            len(self.body)
            + sum(map(len, self.heads))
            + sum(stop - start for start, stop in self.ranges)
        )

    @property
    def is_whole(self) -> bool:
        """Whether the body is the file from its first byte to its last."""
        return self.status == 200 and self.ranges != ()

    def pieces(self) -> Iterator[bytes | tuple[int, int]]:
        """The body in its order: bytes, and (start, stop) of the file."""
        if self.body:
            yield self.body
        for i, (start, stop) in enumerate(self.ranges):
            if self.heads:
                yield self.heads[i]
            yield start, stop
        if self.heads:
            yield self.heads[-1]

    def chunks(self, size: int = _CHUNK) -> Iterator[bytes]:
        """The body, at most `size` bytes at a time. EOFError if the file has become shorter."""
        for piece in self.pieces():
            if isinstance(piece, bytes):
                yield piece
                continue
            at, stop = piece
            while at < stop:
                data = self.file.read_at(at, min(size, stop - at))
                at += len(data)
                yield data

    def close(self) -> None:
        """Closes the file."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FileDecision {self.status} {self.file!r} ranges={self.ranges!r}>"


def choose(
    file: StaticFile,
    accept_encoding: list[str] | None,
    offered: tuple[str, ...],
    beside: Callable[[str], StaticFile | None],
) -> tuple[StaticFile, str | None]:
    """The file or a compressed variant of it, and the variant's content coding.

    beside: opens the file with a further suffix, or gives None. What is left from an older file is
    not taken.
    """
    if accept_encoding is None or not offered:
        return file, None
    for suffix in preferred(", ".join(accept_encoding), offered):
        variant = beside("." + suffix)
        if variant is None:
            continue
        if variant.mtime_ns >= file.mtime_ns:
            file.close()
            return variant, SUFFIXES[suffix]
        variant.close()
    return file, None


def decide(
    method: str,
    fields: Mapping[str, list[str]],
    file: StaticFile,
    *,
    coding: str | None = None,
    negotiated: bool = False,
    cache: str | None = None,
    boundary: Callable[[], str] | None = None,
) -> FileDecision:
    """What a GET or HEAD with these fields (see read_fields()) is answered with.

    coding: the content coding of the file. negotiated: there might be another variant. cache:
    Cache-Control. boundary: makes one, by default a random one.
    """
    size, modified, now = file.size, int(file.mtime), time.time()
    validators = [("ETag", file.etag), ("Last-Modified", http_date(min(modified, now)))]
    if negotiated:
        validators.append(("Vary", "Accept-Encoding"))
    if cache is not None:
        validators.append(("Cache-Control", cache))
    ranges: tuple[tuple[int, int], ...] | None = None
    if fields:
        status = conditional.precondition(fields, file.etag, modified)
        if status == 304:
            return FileDecision(304, tuple(validators), file)
        if status == 412:
            return _refused(412, method, file)
        asked = fields.get("range") if method == "GET" else None
        if asked and conditional.range_counts(fields, file.etag, modified, now):
            ranges = parse_ranges(asked[0], size)
            if ranges == ():
                return _refused(416, method, file, ("Content-Range", f"bytes */{size}"))
    headers = [*validators, ("Accept-Ranges", "bytes"), ("X-Content-Type-Options", "nosniff")]
    if coding is not None:
        headers.append(("Content-Encoding", coding))
    kind = ("Content-Type", file.content_type)
    if ranges is None:
        headers += (kind, ("Content-Length", str(size)))
        whole = ((0, size),) if method == "GET" else ()
        return FileDecision(200, tuple(headers), file, whole)
    if len(ranges) == 1:
        ((start, stop),) = ranges
        headers += (kind, _content_range(start, stop, size), ("Content-Length", str(stop - start)))
        return FileDecision(206, tuple(headers), file, ranges)
    mark = secrets.token_hex(12) if boundary is None else boundary()
    heads = _heads(mark, file.content_type, ranges, size)
    length = sum(map(len, heads)) + sum(stop - start for start, stop in ranges)
    headers += (
        ("Content-Type", f"multipart/byteranges; boundary={mark}"),
        ("Content-Length", str(length)),
    )
    return FileDecision(206, tuple(headers), file, ranges, mark, heads)


def _content_range(start: int, stop: int, size: int) -> tuple[str, str]:
    return "Content-Range", f"bytes {start}-{stop - 1}/{size}"


def _heads(
    mark: str, content_type: str, ranges: tuple[tuple[int, int], ...], size: int
) -> tuple[bytes, ...]:
    """What stands before each part, and behind the last (RFC 9110, section 14.6)."""
    heads = []
    for start, stop in ranges:
        name, value = _content_range(start, stop, size)
        heads.append(
            f"\r\n--{mark}\r\nContent-Type: {content_type}\r\n{name}: {value}\r\n\r\n".encode()
        )
    return (*heads, f"\r\n--{mark}--\r\n".encode())


def _refused(status: int, method: str, file: StaticFile, *more: tuple[str, str]) -> FileDecision:
    body = _REASONS[status]
    headers = (
        *more,
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
    )
    return FileDecision(status, headers, file, body=body if method == "GET" else b"")
