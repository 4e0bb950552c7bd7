"""StaticHandler and StaticFile: a file as an answer, opened once, described by what was opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from types import TracebackType
from typing import Self

from . import decision
from .conditional import is_not_modified
from .content_types import content_type
from .dates import http_date

_CHUNK = 65536


class StaticFile:
    """An open regular file and what its answer says. It owns the descriptor until detach() or
    close().

    fd: the descriptor, -1 when it is closed. size: bytes. mtime: seconds since 1970, a float;
    mtime_ns: the same in nanoseconds, an int. etag: a strong entity tag (RFC 9110, section 8.8.3).
    last_modified: an HTTP date. content_type: the media type. path: where it lay when it was
    opened, or None. headers: all of these as (name, value) pairs, with the length.
    """

    __slots__ = (
        "content_type",
        "etag",
        "fd",
        "last_modified",
        "mtime",
        "mtime_ns",
        "path",
        "size",
    )

    fd: int
    size: int
    mtime: float
    mtime_ns: int
    content_type: str
    etag: str
    last_modified: str
    path: str | None

    def __init__(
        self,
        fd: int,
        content_type: str,
        status: os.stat_result | None = None,
        path: str | None = None,
    ) -> None:
        """Takes over the descriptor, also if it fails; status: its os.fstat(), if it is known.

        Raises OSError if it is no regular file.
        """
        self.fd = fd
        if status is None:
            status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError("not a regular file")
        self.path = path
        self.size = status.st_size
        self.mtime = status.st_mtime
        self.mtime_ns = status.st_mtime_ns
        self.content_type = content_type
        self.etag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
        self.last_modified = http_date(status.st_mtime)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a 200. A 304 takes those of not_modified_headers."""
        return (
            ("Content-Type", self.content_type),
            ("Content-Length", str(self.size)),
            *self.not_modified_headers,
        )

    @property
    def not_modified_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a 304 (RFC 9110, section 15.4.5)."""
        return (
            ("ETag", self.etag),
            ("Last-Modified", self.last_modified),
            ("X-Content-Type-Options", "nosniff"),
        )

    def not_modified(
        self, if_none_match: str | None = None, if_modified_since: str | None = None
    ) -> bool:
        """Whether a GET or HEAD with these request headers (None: absent) is answered with 304."""
        return is_not_modified(self.etag, self.mtime, if_none_match, if_modified_since)

    def read(self) -> bytes:
        """The whole file, at most `size` bytes. EOFError if it has become shorter."""
        parts = []
        at = 0
        while at < self.size:
            data = self.read_at(at, _CHUNK)
            parts.append(data)
            at += len(data)
        return b"".join(parts)

    def read_at(self, at: int, most: int) -> bytes:
        """Up to `most` bytes from a place on; b"" behind the last. EOFError if the file has become
        shorter than `size`."""
        most = min(most, self.size - at)
        if most <= 0:
            return b""
        data = os.pread(self.fd, most, at)
        if not data:
            raise EOFError(f"the file ended after {at} of {self.size} bytes")
        return data

    def detach(self) -> int:
        """Gives the descriptor away: who takes it closes it."""
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        """Closes the file; nothing if it is closed."""
        fd = self.detach()
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A request that ends between routing and sending closes nothing itself.
        self.close()

    def __repr__(self) -> str:
        return f"<StaticFile fd={self.fd} size={self.size} {self.content_type}>"


class StaticHandler:
    """Sends a file.

    A StaticRouter returns it with the file open already. Made by hand, it takes a file that the
    program chose, never one that a client named: StaticHandler("reports/2024.pdf").

    filename: the path. content_type: the media type, by default from the name. cache: the value of
    Cache-Control, or None.
    """

    __slots__ = ("_again", "_file", "_offered", "cache", "content_type", "filename")

    filename: str
    content_type: str
    cache: str | None

    def __init__(self, filename: str | os.PathLike[str], content_type: str | None = None) -> None:
        self.filename = os.fspath(filename)
        self.content_type = content_type or _type_of(self.filename)
        self.cache = None
        self._offered: tuple[str, ...] = ()
        self._file: StaticFile | None = None
        self._again: Callable[[str], int] = self._open_by_name

    @classmethod
    def opened(
        cls,
        filename: str,
        fd: int,
        status: os.stat_result,
        again: Callable[[str], int],
        offered: tuple[str, ...] = (),
        cache: str | None = None,
    ) -> StaticHandler:
        """A handler of a file that is open, with its os.fstat(). Takes over the descriptor.

        again: opens the file another time ("") or the one beside it with a further suffix
        (".br"). offered: the suffixes of compressed variants that may be sent instead.
        """
        self = cls.__new__(cls)
        self.filename = filename
        self.content_type = _type_of(filename)
        self.cache = cache
        self._offered = offered
        self._again = again
        self._file = StaticFile(fd, self.content_type, status, filename)
        return self

    def open(self) -> StaticFile:
        """The file; the caller closes it. Each call gives one of its own.

        Raises OSError (FileNotFoundError, PermissionError...) if it cannot be opened now.
        """
        file, self._file = self._file, None
        return file if file is not None else self._open("")

    def decide(self, method: str, headers: decision.Headers = ()) -> decision.FileDecision:
        """What a request for this file is answered with; the caller closes it.

        method: "GET" or "HEAD". headers: the fields of the request, a mapping or (name, value)
        pairs, each str or bytes; a field that came in several lines may be several pairs.

        Raises ValueError for another method, OSError if the file cannot be opened now.
        """
        if method not in ("GET", "HEAD"):
            raise ValueError(f"a file is for GET and HEAD, not {method!r}")
        fields = decision.read_fields(headers)
        accepted = fields.pop("accept-encoding", None)
        file, coding = self.open(), None
        if self._offered:
            file, coding = decision.choose(file, accepted, self._offered, self._beside)
        return decision.decide(
            method,
            fields,
            file,
            coding=coding,
            negotiated=bool(self._offered),
            cache=self.cache,
        )

    def _open(self, suffix: str) -> StaticFile:
        return StaticFile(self._again(suffix), self.content_type, None, self.filename + suffix)

    def _beside(self, suffix: str) -> StaticFile | None:
        """A variant; whatever is wrong with it, the file itself will do."""
        try:
            return self._open(suffix)
        except OSError:
            return None

    def _open_by_name(self, suffix: str) -> int:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        return os.open(self.filename + suffix, flags)

    def __repr__(self) -> str:
        return f"StaticHandler({self.filename!r})"


def _type_of(filename: str) -> str:
    return content_type(filename[filename.rfind(os.sep) + 1 :])
