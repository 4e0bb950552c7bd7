"""What a client should have received: an answer for each request in the bytes that it sent, as
RequestParser reads them, with what its handler gave, in their order, and the connection's end."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

import guava_http
from answers import Answer, Incomplete, Malformed, Reader
from application import FILE, STREAM_LIMIT, STREAMS, Call, name_of

LIMITS = {"head": 600, "fields": 20, "target": 100, "chunk_extensions": 64, "trailers": 64}
BODY = 2000  # bytes
_ANY_BODY = guava_http.Limits(**LIMITS, body=1 << 62)
_OF_BODY = {n: guava_http.Limits(**LIMITS, body=n) for n in (BODY, STREAM_LIMIT)}
_BAD = {"bad-pieces", "bad-later-pieces"}
_RANGE = re.compile(rb"bytes (\d+)-(\d+)/(\d+)")


@dataclass
class Expected:
    """A request whose handler is to be called."""

    method: str
    target: str
    name: str
    http10: bool
    keep_alive: bool
    expects: bool  # 100 Continue
    end: int  # where the next one begins
    body: bytes | None  # None: it is not complete, and its handler reads it
    refused: int | None = None  # what is wrong with it then

    @property
    def streams(self) -> bool:
        return self.name in STREAMS


@dataclass
class Script:
    requests: list[Expected]
    refused: int | None  # the status of what follows them
    method: str = "GET"  # of that
    http10: bool = False
    expects: bool = False


def read(data: bytes, limits: guava_http.Limits) -> tuple[Any, bytes, int | None]:
    """The parser, the body as far as it is there, and what it was refused with."""
    parser = guava_http.RequestParser(limits)
    try:
        events = parser.feed(data)
    except guava_http.RequestError as error:
        return parser, b"", error.status
    return parser, b"".join(e.data for e in events if isinstance(e, guava_http.Data)), None


def replay(data: bytes) -> Script:
    found: list[Expected] = []
    at = 0
    while True:
        rest = data[at:]
        parser, _, status = read(rest, _ANY_BODY)
        request = parser.request
        method = "HEAD" if rest.removeprefix(b"\r\n").startswith(b"HEAD ") else "GET"
        if request is None:
            return Script(found, status, method)
        if request.method == "TRACE":
            return Script(found, 405)
        name = name_of(request.path)
        http10 = request.http_version == "1.0"
        limit = STREAM_LIMIT if name in STREAMS else BODY
        if (request.content_length or 0) > limit:
            return Script(found, 413, method, http10)
        parser, body, status = read(rest, _OF_BODY[limit])
        complete = parser.state == "complete"
        if not complete and name not in STREAMS:
            return Script(found, status, method, http10, "Expect" in request.HEADERS)
        end = len(data) - parser.pending
        expected = Expected(
            *(request.method, request.url, name, http10, request.keep_alive),
            expects="Expect" in request.HEADERS,
            end=end,
            body=body if complete else None,
            refused=status,
        )
        found.append(expected)
        if not complete or not request.keep_alive:
            return Script(found, None)
        at = end


class Judge:
    """Of all that one client has sent and received.

    broken: the client broke off. closing: the server did.
    """

    def __init__(
        self, sent: bytes, received: bytes, calls: list[Call], broken: bool, closing: bool
    ) -> None:
        self.sent = sent
        self.calls = calls
        self.reader = Reader(received)
        self.script = replay(sent)
        self.excused = broken or closing
        self.closing = closing
        self.refusals = 0
        self.cut = False  # by the server, and rightly
        self.used = 0  # bytes of `sent` that belong to what was answered

    def judge(self) -> None:
        requests = self.script.requests
        if len(self.calls) > len(requests):
            raise Malformed(f"{len(requests)} requests, {len(self.calls)} calls")
        for i, request in enumerate(requests):
            if i == len(self.calls):
                self.not_called(request)
                return
            call = self.calls[i]
            self.check_call(call, request)
            if not self.answered(call, request):
                if i + 1 < len(self.calls) and not (self.excused or self.cut):
                    raise Malformed(f"{self.calls[i + 1]} was called behind the last request")
                return
        self.refused(self.script.refused)

    # ---- the connection's end ------------------------------------------------------------------

    def end(self) -> None:
        rest = self.reader.data[self.reader.at :]
        if rest and not (self.script.expects and rest == b"HTTP/1.1 100 Continue\r\n\r\n"):
            raise Malformed(f"behind the last answer: {rest[:200]!r}")

    def not_called(self, request: Expected) -> None:
        if request.refused is not None:
            # All that is wrong with its body came together with its head.
            self.script.method, self.script.http10 = request.method, request.http10
            self.refused(request.refused)
            return
        if not self.excused:
            raise Malformed(f"nobody was called for {request}")
        self.end()

    def refused(self, status: int | None) -> None:
        if status is None:
            self.end()
            return
        start = self.reader.at
        try:
            answer = self.reader.next(self.script.method)
        except Incomplete:
            if not self.excused:
                raise Malformed(f"no refusal with {status}") from None
            return
        if answer.status != status or answer.interim not in ([], [100]):
            raise Malformed(f"refused with {answer.status} after {answer.interim}, not {status}")
        if answer.one(b"connection") != (None if self.script.http10 else b"close"):
            raise Malformed("a refusal that keeps the connection")
        if self.script.method != "HEAD" and not answer.body.startswith(b"%d " % status):
            raise Malformed(f"a refusal with {answer.body!r}")
        self.refusals += 1
        self.end()
        assert start < self.reader.at

    # ---- one request ---------------------------------------------------------------------------

    @staticmethod
    def check_call(call: Call, request: Expected) -> None:
        if (call.method, call.target, call.name) != (request.method, request.target, request.name):
            raise Malformed(f"{call} was called for {request}")
        if call.received != (None if request.streams else request.body):
            raise Malformed(f"{call} has the body {call.received!r}, not {request.body!r}")

    def answered(self, call: Call, request: Expected) -> bool:
        """Whether another answer may follow."""
        troubled = request.body is None
        try:
            answer = self.reader.next(call.method)
        except Incomplete:
            self.broken_off(call, troubled)
            return False
        self.used = request.end
        self.check_interim(answer, call, request)
        if answer.status == 101:
            self.check_echo(call, request)
            return False
        self.check_answer(answer, call, troubled)
        again = answer.one(b"connection") == (b"keep-alive" if call.http10 else None)
        if answer.one(b"connection") not in (None, b"keep-alive" if call.http10 else b"close"):
            raise Malformed(f"Connection: {answer.one(b'connection')!r}")
        if again and (not request.keep_alive or answer.to_the_end):
            raise Malformed("a connection that goes on after its last request")
        if not again:
            self.check_reason(answer, call, request, troubled)
            self.end()
        elif troubled and self.reader.at == len(self.reader.data):
            return False  # what is wrong with the rest of the body is nobody's news any more
        return again

    def broken_off(self, call: Call, troubled: bool) -> None:
        part = self.reader.answer
        if part is not None and call.status is not None and part.status == call.status == 200:
            self.check_beginning(part, call)
        # A reset, which tells a client of HTTP/1.0 that its answer broke off, takes others along.
        reset = any(c.http10 and (c.name in _BAD or c.name == "stream-echo") for c in self.calls)
        if call.name in _BAD or (call.name == "stream-echo" and troubled) or reset:
            self.cut = True
        elif not self.excused and not troubled:
            raise Malformed(f"the answer of {call} is cut")

    def check_beginning(self, part: Answer, call: Call) -> None:
        # Events have comments between them, and files are not looked into.
        plain = part.one(b"content-encoding") is None and call.name not in ("events", "ranges")
        if plain and not b"".join(call.sent).startswith(part.body):
            raise Malformed(f"{call} began with {part.body[:200]!r}")

    def check_reason(self, answer: Answer, call: Call, request: Expected, troubled: bool) -> None:
        """Why the connection is closed after this answer."""
        if self.closing or not request.keep_alive or answer.to_the_end or troubled:
            return
        # A client that was not told to go on may send its body or not, and of one that is still
        # coming nobody knows whether it will be whole.
        if call.streams and (request.expects or call.status != 200 or call.name != "stream-all"):
            return
        raise Malformed(f"{call} closes the connection")

    @staticmethod
    def check_interim(answer: Answer, call: Call, request: Expected) -> None:
        if answer.interim.count(103) != call.hints:
            raise Malformed(f"{call} has {answer.interim}, {call.hints} hints were given")
        if answer.interim.count(100) > request.expects:
            raise Malformed(f"{call} has {answer.interim}")

    def check_echo(self, call: Call, request: Expected) -> None:
        rest = self.reader.data[self.reader.at :]
        sent = self.sent[request.end :]
        if call.name != "upgrade" or not sent.startswith(rest):
            raise Malformed(f"{call} changed the protocol: {rest[:200]!r}")
        if rest != sent and not self.excused:
            raise Malformed(f"of {len(sent)} bytes of the other protocol came {len(rest)} back")

    # ---- the answer's contents -----------------------------------------------------------------

    def check_answer(self, answer: Answer, call: Call, troubled: bool) -> None:
        if call.name in _BAD and answer.status == 200 and call.method != "HEAD":
            if not answer.to_the_end:
                raise Malformed(f"{call} was cut, its answer is whole")
            self.cut = True
        elif call.name == "ranges":
            self.check_file(answer, call)
        elif call.name == "redirect":
            if answer.status != 302 or answer.one(b"location") != b"/%d" % call.number:
                raise Malformed(f"{call} redirects to {answer.one(b'location')!r}")
        elif call.name == "upgrade":
            if answer.status != 400:
                raise Malformed(f"{call} has {answer.status}")
        else:
            self.check_status(answer, call, troubled)
            self.check_body(answer, call, troubled)

    @staticmethod
    def check_status(answer: Answer, call: Call, troubled: bool) -> None:
        status = 200 if call.status is None else call.status
        if answer.status != status and not (troubled and 400 <= answer.status < 500):
            raise Malformed(f"{call} has {answer.status}, not {status}")
        if call.name in ("response", "pair") and answer.one(b"x-call") != b"%d" % call.number:
            raise Malformed(f"{call} has {answer.fields}")
        if answer.trailers != {} and (
            call.name != "trailers" or answer.trailers != {b"x-sum": [b"%d" % call.number]}
        ):
            raise Malformed(f"{call} has {answer.trailers}")

    def check_body(self, answer: Answer, call: Call, troubled: bool) -> None:
        wanted = b"".join(call.sent)
        if answer.status != call.status:
            wanted = b""
        body = answer.body
        if answer.one(b"content-encoding") == b"gzip":
            body = zlib.decompress(body, 31) if body else b""
        elif answer.one(b"content-encoding") is not None:
            return
        if call.name == "events":
            body = body.replace(b":\n\n", b"")  # comments that keep the connection in use
            if self.closing and wanted.startswith(body):
                return  # the server ends such streams when it closes
        if answer.to_the_end and (self.excused or troubled) and wanted.startswith(body):
            return  # nobody can tell whether it is whole
        if answer.status >= 400 and not wanted:
            if body and not body.startswith(b"%d " % answer.status):
                raise Malformed(f"{call} has the body {body[:200]!r}")
        elif call.method == "HEAD" or answer.status in (204, 304):
            length = answer.one(b"content-length")
            encoded = answer.one(b"content-encoding") is not None
            known = call.whole and not encoded and answer.status == 200
            if known and length is not None and int(length) != len(wanted):
                raise Malformed(f"{call} has Content-Length {length!r}, not {len(wanted)}")
        elif body != wanted or not call.whole:
            raise Malformed(f"{call} has the body {body[:200]!r}, not {wanted[:200]!r}")

    @staticmethod
    def check_file(answer: Answer, call: Call) -> None:
        if answer.status not in (200, 206, 304, 412, 416):
            raise Malformed(f"{call} has {answer.status}")
        if answer.status in (200, 206, 304) and answer.one(b"etag") is None:
            raise Malformed(f"{call} has no ETag")
        if call.method == "HEAD":
            return
        kind = answer.one(b"content-type") or b""
        if answer.status == 200 and answer.body != FILE:
            raise Malformed(f"{call} is not the file: {len(answer.body)} bytes")
        if answer.status == 206 and kind.startswith(b"multipart/byteranges"):
            delimiter = b"\r\n--" + kind.partition(b"boundary=")[2]
            first, *parts, last = answer.body.split(delimiter)
            if first or last not in (b"--", b"--\r\n") or not parts:
                raise Malformed(f"{call} ends with {last[:200]!r}")
            for part in parts:
                head, _, body = part.partition(b"\r\n\r\n")
                Judge.check_range(head, body, call)
        elif answer.status == 206:
            Judge.check_range(answer.one(b"content-range") or b"", answer.body, call)
        elif answer.status == 416 and answer.one(b"content-range") != b"bytes */20000":
            raise Malformed(f"{call} has {answer.fields}")

    @staticmethod
    def check_range(text: bytes, body: bytes, call: Call) -> None:
        found = _RANGE.search(text)
        if found is None or int(found[3]) != len(FILE):
            raise Malformed(f"{call} has a part {text!r}")
        if FILE[int(found[1]) : int(found[2]) + 1] != body:
            raise Malformed(f"{call} has other bytes in {text!r}")
