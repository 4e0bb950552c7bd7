"""Answers in bytes, read with no mercy (RFC 9112), for checks of what a server sends."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_DATE = re.compile(rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_NUMBER = re.compile(rb"0|[1-9][0-9]*")
_CHUNK = re.compile(rb"[0-9a-f]{1,16}")
_ONCE = (b"content-length", b"transfer-encoding", b"date", b"connection", b"content-type")


class Malformed(Exception):
    """What a client must never see."""


class Incomplete(Exception):
    """The bytes end before the answer does; what there was of it is `answer`."""


@dataclass
class Answer:
    status: int
    fields: dict[bytes, list[bytes]]
    interim: list[int] = field(default_factory=list)
    body: bytes = b""
    trailers: dict[bytes, list[bytes]] = field(default_factory=dict)
    to_the_end: bool = False  # its body is all that came

    def one(self, name: bytes) -> bytes | None:
        return self.fields.get(name, [None])[0]


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.answer: Answer | None = None  # the one in work

    def line(self) -> bytes:
        end = self.data.find(b"\r\n", self.at)
        line = self.data[self.at : len(self.data) if end < 0 else end]
        if b"\n" in line or b"\0" in line or b"\r" in line[: len(line) - (end < 0)]:
            raise Malformed(f"in a line: {line[:200]!r}")
        if end < 0:
            if len(line) > 5000:
                raise Malformed("a line without an end")
            raise Incomplete
        self.at = end + 2
        return line

    def take(self, n: int) -> bytes:
        taken = self.data[self.at : self.at + n]
        self.at += len(taken)
        if len(taken) < n and self.answer:
            self.answer.body += taken
            raise Incomplete
        return taken

    def fields(self) -> dict[bytes, list[bytes]]:
        fields: dict[bytes, list[bytes]] = {}
        while line := self.line():
            found = _FIELD.fullmatch(line)
            if found is None:
                raise Malformed(f"field: {line!r}")
            fields.setdefault(found[1].lower(), []).append(found[2])
        for name in _ONCE:
            if len(fields.get(name, [])) > 1:
                raise Malformed(f"{name!r} more than once")
        return fields

    def head(self) -> Answer:
        line = self.line()
        found = _STATUS.fullmatch(line)
        if found is None:
            raise Malformed(f"status line: {line!r}")
        answer = Answer(int(found[1]), self.fields())
        length, coding = answer.one(b"content-length"), answer.one(b"transfer-encoding")
        if (answer.status < 200 or answer.status == 204) and (length or coding):
            raise Malformed(f"{answer.status} with a body")
        if length is not None and (coding is not None or not _NUMBER.fullmatch(length)):
            raise Malformed(f"Content-Length {length!r}, Transfer-Encoding {coding!r}")
        if coding not in (None, b"chunked"):
            raise Malformed(f"Transfer-Encoding {coding!r}")
        if answer.status >= 200 and not _DATE.fullmatch(answer.one(b"date") or b""):
            raise Malformed(f"Date {answer.one(b'date')!r}")
        return answer

    def next(self, method: str) -> Answer:
        """The next final answer, to a request of this method.

        Raises:
            Incomplete: it breaks off.
            Malformed: nobody may send that.
        """
        self.answer = None
        interim = []
        answer = self.head()
        while answer.status in (100, 103):
            interim.append(answer.status)
            answer = self.head()
        answer.interim = interim
        self.answer = answer
        length, coding = answer.one(b"content-length"), answer.one(b"transfer-encoding")
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            pass
        elif coding is not None:
            self.chunks(answer)
        elif length is not None:
            answer.body = self.take(int(length))
        else:
            answer.body = self.take(len(self.data) - self.at)
            answer.to_the_end = True
        return answer

    def chunks(self, answer: Answer) -> None:
        while True:
            line = self.line()
            if not _CHUNK.fullmatch(line):
                raise Malformed(f"a chunk's size: {line!r}")
            size = int(line, 16)
            if not size:
                break
            answer.body += self.take(size)
            end = self.data[self.at : self.at + 2]
            if not b"\r\n".startswith(end):
                raise Malformed(f"a chunk's end: {end!r}")
            if len(end) < 2:
                raise Incomplete
            self.at += 2
        answer.trailers = self.fields()
