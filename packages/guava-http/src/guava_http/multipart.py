"""multipart/form-data (RFC 7578): a form's parts as they come in.

The bytes are parsed by the `multipart` library; here are the limits, the rules that a server needs
and a face that fits `Request`.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import multipart  # type: ignore[import-untyped]

from . import _core
from .body import BodyStream, blocking, refusal
from .forms import LONGEST_LINE
from .limits import Limits

if TYPE_CHECKING:
    from .forms import Form

__all__ = ["Part", "Parts"]

_USUAL = Limits()

# RFC 2046, section 5.1.1.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")

# What browsers send, and what forms are found to be in besides; never a codec that is no charset.
_CHARSETS = {
    "utf-8",
    "ascii",
    "iso8859-1",
    "iso8859-15",
    "cp1252",
    "utf-16",
    "shift_jis",
    "gb18030",
}

_MOST_FIELDS = 32  # header fields of one part

_END: Any = object()


class PartHead:
    """What the head of a part says."""

    __slots__ = ("charset", "content_type", "filename", "headers", "name")

    def __init__(self, segment: multipart.MultipartSegment) -> None:
        self.headers = _headers(segment)
        self.name: str = segment.name
        self.filename: str | None = segment.filename
        self.content_type: str | None = segment.content_type
        self.charset = _charset(segment.charset)
        disposition = self.headers.getlist("Content-Disposition")
        if len(disposition) != 1:
            raise refusal(400, "a part with more than one Content-Disposition")
        if "*" in disposition[0]:
            # RFC 7578 forbids filename*, and clients send it (RFC 8187).
            parameters = _core.parse_options_header(disposition[0])[1]
            self.filename = parameters.get("filename", self.filename)
        if not self.name:
            raise refusal(400, "a part without a name")
        if (self.content_type or "").startswith("multipart/"):
            raise refusal(400, "a multipart inside of a multipart (RFC 7578, 4.3)")
        coding = self.headers.get("Content-Transfer-Encoding", "binary").lower()
        if coding not in ("7bit", "8bit", "binary"):
            raise refusal(400, "a part in a transfer encoding (RFC 7578, 4.7)")

    def decode(self, value: bytes) -> str:
        return value.decode(self.charset, "replace")


def _headers(segment: multipart.MultipartSegment) -> _core.Headers:
    headers = _core.Headers()
    try:
        for name, value in segment.headerlist:
            # As everywhere in Headers: bytes as characters.
            headers.add(name, value.encode().decode("latin-1"))
    except ValueError as error:
        raise refusal(400, "a malformed header field in a part") from error
    return headers


def _charset(name: str | None) -> str:
    try:
        charset = codecs.lookup(name or "utf-8").name
    except (LookupError, ValueError):
        charset = ""
    if charset not in _CHARSETS:
        raise refusal(400, "a part in an unknown charset")
    return charset


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart/form-data type.

    Raises:
        RequestError: 415, it is another type; 400, it has no proper boundary.
    """
    kind, parameters = _core.parse_options_header(content_type)
    if kind.lower() != "multipart/form-data":
        raise refusal(415, "the body is not multipart/form-data")
    boundary = parameters.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise refusal(400, "multipart/form-data without a valid boundary (RFC 2046, 5.1.1)")
    return boundary


class Parser:
    """Pieces of a body in; a PartHead, its bytes and None for its end out, for each part."""

    def __init__(self, content_type: str, limits: Limits) -> None:
        self._left = limits.part_head
        self._most = limits.part_head
        boundary = boundary_of(content_type)
        self._delimiter = b"\r\n--" + boundary.encode()
        self._tail = b""  # of what was fed
        self._mark = self._delimiter[2:]  # what ends that which is being read: first the preamble
        self._in_head = False
        self._behind = b""  # the two bytes behind the last delimiter
        try:
            self._parser = multipart.PushMultipartParser(
                boundary,
                max_header_size=min(limits.part_head, LONGEST_LINE),
                max_header_count=_MOST_FIELDS,
                max_segment_count=limits.form_parts,
            )
        except multipart.MultipartError as error:  # no parts at all are allowed
            raise _refused(error) from None

    def feed(self, data: bytes) -> Iterator[PartHead | bytes | None]:
        """Raises RequestError: 400, malformed; 413, too many parts, or too much of their heads."""
        at = len(self._tail)
        data = self._tail + data
        self._tail = self._look_at_delimiters(data)
        while at < len(data):
            end = self._end_of_piece(data, at)
            try:
                for event in self._parser.parse(data[at:end]):
                    if isinstance(event, multipart.MultipartSegment):
                        self._in_head = False
                        self._left -= sum(len(n) + len(v) + 4 for n, v in event.headerlist)
                        if self._left < 0:
                            raise refusal(413, f"heads of parts of more than {self._most} bytes")
                        yield PartHead(event)
                    else:
                        yield None if event is None else bytes(event)
            except multipart.MultipartError as error:
                raise _refused(error) from None
            at = end

    def _end_of_piece(self, data: bytes, at: int) -> int:
        """Where to cut: heads are parsed line by line, because the parser takes a lone line feed
        in a line whose end it sees, and refuses it where it does not."""
        if self._in_head:
            end = data.find(b"\n", at) + 1 or len(data)
            self._behind += data[at : min(end, at + 2 - len(self._behind))]
            if self._behind == b"--":  # the last one: nothing that follows matters
                return len(data)
            return end
        # It may have begun in what was fed before.
        found = data.find(self._mark, max(0, at - len(self._mark) + 1))
        if found < 0:
            return len(data)
        end = found + len(self._mark)
        self._mark = self._delimiter
        self._in_head = True
        self._behind = b""
        return end

    def _look_at_delimiters(self, data: bytes) -> bytes:
        """Refuses a boundary that goes on in its line: no part may have one in it (RFC 2046,
        section 5.1.1), and the parser's answer would depend on how the bytes are cut."""
        size = len(self._delimiter)
        at = -size
        while (at := data.find(self._delimiter, at + size)) >= 0:
            end = data[at + size : at + size + 2]
            if not b"\r\n".startswith(end) and not b"--".startswith(end):
                raise refusal(400, "multipart/form-data: a boundary inside of a part")
        return data[-size - 1 :]

    def finish(self) -> None:
        """The body has ended. RequestError (400): in the middle of a part."""
        try:
            self._parser.close()
        except multipart.MultipartError as error:
            raise _refused(error) from None


def _refused(error: multipart.MultipartError) -> _core.RequestError:
    status = 413 if isinstance(error, multipart.ParserLimitReached) else 400
    return refusal(status, f"multipart/form-data: {error}")


class Part:
    """One part of a form, while it comes in. It is to be read before the next one is asked for.

    Attributes:
        name: str, the form field's name.
        filename: str as the client sent it, or None for a field that is no file. Never use it as
            a path: `secure_filename` makes a name of it.
        content_type: str such as "image/png", in small letters and without parameters, or None.
        charset: str, that of a text; "utf-8" unless the part says another.
        headers: Headers of the part.
    """

    __slots__ = ("_done", "_parts", "charset", "content_type", "filename", "headers", "name")

    def __init__(self, head: PartHead, parts: Parts) -> None:
        self.name = head.name
        self.filename = head.filename
        self.content_type = head.content_type
        self.charset = head.charset
        self.headers = head.headers
        self._parts = parts
        self._done = False

    def __repr__(self) -> str:
        return f"<Part {self.name!r}{'' if self.filename is None else f' {self.filename!r}'}>"

    def __aiter__(self) -> Part:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._next()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def __iter__(self) -> Part:
        return self

    def __next__(self) -> bytes:
        chunk: bytes = self._parts._block(self._next)
        if not chunk:
            raise StopIteration
        return chunk

    async def _next(self) -> bytes:
        if self._done:
            return b""
        event = await self._parts._event()
        if event is None:
            self._done = True
            return b""
        assert isinstance(event, bytes)
        return event

    async def read(self, limit: int | None = None) -> bytes:
        """The rest of it.

        Args:
            limit: bytes; None is `Limits.body`.

        Raises:
            RequestError: 413, there are more; or as `Request.parts`.
            ClientDisconnected: the client left.
        """
        most = self._parts._limits.body if limit is None else limit
        pieces = []
        size = 0
        async for chunk in self:
            size += len(chunk)
            if size > most:
                raise refusal(413, f"the part {self.name!r} has more than {most} bytes")
            pieces.append(chunk)
        return b"".join(pieces)

    async def text(self, limit: int | None = None) -> str:
        """The rest of it in its charset; bytes that are not of that become U+FFFD."""
        return (await self.read(limit)).decode(self.charset, "replace")


class Parts:
    """The parts of a form in their order; `Request.parts()` makes it.

    `async for` waits for the client; `for` blocks, for functions that run on a thread. What is not
    read of a part is skipped when the next one is asked for.
    """

    __slots__ = ("_current", "_events", "_limits", "_loop", "_parser", "_stream")

    def __init__(self, request: _core.Request) -> None:
        reader = request._reader
        self._limits: Limits = request._limits or _USUAL
        self._parser = Parser(request.HEADERS.get("Content-Type") or "", self._limits)
        self._loop = None if reader is None else reader.loop
        self._stream = BodyStream(request)
        self._events: deque[PartHead | bytes | None] = deque()
        self._current: Part | None = None

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> Part:
        part = await self._next()
        if part is None:
            raise StopAsyncIteration
        return part

    def __iter__(self) -> Parts:
        return self

    def __next__(self) -> Part:
        part: Part | None = self._block(self._next)
        if part is None:
            raise StopIteration
        return part

    def _block(self, function: Any) -> Any:
        if self._loop is not None:
            return blocking(function, self._loop)
        # The body is there: nothing waits.
        try:
            function().send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("a body that is there was waited for")

    async def _event(self) -> Any:
        while not self._events:
            chunk = await self._stream._next()
            if not chunk:
                self._parser.finish()
                return _END
            self._events.extend(self._parser.feed(chunk))
        return self._events.popleft()

    async def _next(self) -> Part | None:
        if self._current is not None:
            async for _ in self._current:
                pass
            self._current = None
        event = await self._event()
        if event is _END:
            return None
        self._current = Part(event, self)
        return self._current

    async def form(self) -> Form:
        """All that is left: the fields in memory, files of more than `Limits.part_memory` bytes on
        disk. Use it where forms are larger than what `Request.files` may hold."""
        from .forms import Builder

        builder = Builder(self._limits)
        while (event := await self._event()) is not _END:
            await builder.add_on_loop(event)
        return builder.form()


def open_parts(request: _core.Request) -> Parts:
    return Parts(request)
