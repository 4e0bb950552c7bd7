"""Requests read a second time, in regular expressions straight out of RFC 9110 and 9112, to see
whether RequestParser takes what is a request and nothing else. It is slow, needs all bytes at
once, and does not say what is wrong."""

from __future__ import annotations

import ipaddress
import re

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
HEX = rb"[0-9A-Fa-f]"
NAME = rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%" + HEX + HEX + rb")"
LITERAL = rb"\[(?:[0-9A-Fa-f:.]+|[vV]" + HEX + rb"+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]"
TEXT = rb"(?:[\x21-\x22\x24\x26-\x7e]|%" + HEX + HEX + rb")*"

REQUEST = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*(" + VALUE + rb"?)[ \t]*")
ORIGIN = re.compile(rb"/" + TEXT)
ABSOLUTE = re.compile(
    rb"(?i:https?)://(?:" + LITERAL + rb"|" + NAME + rb"+)(?::[0-9]{0,5})?(?:[/?]" + TEXT + rb")?"
)
HOST = re.compile(rb"(?:" + LITERAL + rb"|" + NAME + rb"*)(?::[0-9]{0,5})?")
CHUNK = re.compile(rb"(" + HEX + rb"{1,16})([ \t]*;" + VALUE + rb")?")
METHODS = set(
    b"DELETE GET HEAD POST PUT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH "
    b"UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE "
    b"UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE".split()
)
FRAMING = {b"content-length", b"transfer-encoding", b"host", b"connection"}
EXPECTATIONS = {b"", b"100-continue"}
MOST_BODY = 1 << 20

Found = tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]


class Refused(Exception):
    pass


class More(Exception):
    pass


def _must(condition: object) -> None:
    if not condition:
        raise Refused


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    found = []
    for line in lines:
        field = FIELD.fullmatch(line)
        _must(field)
        assert field is not None
        found.append((field[1], field[2]))
    return found


def _tokens(values: list[bytes]) -> list[bytes]:
    return [token.strip(b" \t").lower() for value in values for token in value.split(b",")]


def _check_target(method: bytes, target: bytes) -> None:
    _must(len(target) <= 8190)
    if target.startswith(b"/"):
        _must(ORIGIN.fullmatch(target))
    elif target == b"*":
        _must(method == b"OPTIONS")
    else:
        _must(ABSOLUTE.fullmatch(target))
        _check_host(re.split(rb"[/?]", target)[2])


def _check_host(host: bytes) -> None:
    _must(HOST.fullmatch(host))
    inside = re.match(rb"\[([^vV][^\]]*)\]", host)
    try:
        _must(not inside or ipaddress.IPv6Address(inside[1].decode()))
    except ipaddress.AddressValueError:
        raise Refused from None


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\r\n", at)
    if end < 0:
        raise More
    line = data[at:end]
    _must(b"\n" not in line and b"\r" not in line)
    return line, end + 2


def _chunks(data: bytes, at: int) -> tuple[bytes, int]:
    body = b""
    extensions = 0
    begin = at
    while True:
        line, at = _line(data, at)
        chunk = CHUNK.fullmatch(line)
        _must(chunk)
        assert chunk is not None
        size = int(chunk[1], 16)
        extensions += len(chunk[2] or b"")
        _must(len(body) + size <= MOST_BODY and extensions <= 4096)
        if size == 0:
            break
        end = data[at + size : at + size + 2]
        _must(b"\r\n".startswith(end))
        if len(end) < 2:
            raise More
        body += data[at : at + size]
        at += size + 2
        _must(at - begin - len(body) <= len(body) + 16384)
    trailers = at
    while True:
        line, at = _line(data, at)
        _must(at - trailers - 2 <= 8192)
        if not line:
            return body, at
        _must(_fields([line])[0][0].lower() not in FRAMING)


def _request(data: bytes, at: int) -> tuple[Found, int, bool]:
    start = at + 2 if data.startswith(b"\r\n", at) else at
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        raise More
    first, *lines = data[start:end].split(b"\r\n")
    _must(not any(b"\r" in line or b"\n" in line for line in (first, *lines)))
    request = REQUEST.fullmatch(first)
    _must(request)
    assert request is not None
    method, target, minor = request.groups()
    _must(method in METHODS)
    _check_target(method, target)
    fields = _fields(lines)
    _must(len(fields) <= 100 and end + 4 - at <= 32768)

    def values(name: bytes) -> list[bytes]:
        return [value for key, value in fields if key.lower() == name]

    hosts, lengths = values(b"host"), values(b"content-length")
    codings = values(b"transfer-encoding")
    _must(len(hosts) == 1 or (minor == b"0" and not hosts))
    for host in hosts:
        _check_host(host)
    _must(len(lengths) + len(codings) <= 1)
    _must(all(re.fullmatch(rb"[0-9]+", length) for length in lengths))
    _must(all(coding.lower() == b"chunked" for coding in codings))
    _must(minor == b"1" or not codings)
    _must(minor == b"0" or set(map(bytes.lower, values(b"expect"))) <= EXPECTATIONS)
    length = int(lengths[0]) if lengths else 0
    _must(length <= MOST_BODY)
    _must(method != b"TRACE" or (length == 0 and not codings))
    options = _tokens(values(b"connection"))
    again = b"close" not in options and (minor == b"1" or b"keep-alive" in options)
    at = end + 4
    if codings:
        body, at = _chunks(data, at)
    else:
        body = data[at : at + length]
        at += length
        if len(body) < length:
            raise More
    return (method, target, fields, body), at, again


def read(data: bytes) -> tuple[list[Found], str]:
    """The requests that are complete, and how it ends: "more", "refused" or "stopped"."""
    found: list[Found] = []
    at = 0
    try:
        while True:
            request, at, again = _request(data, at)
            found.append(request)
            if not again:
                return found, "stopped"
    except More:
        return found, "more"
    except Refused:
        return found, "refused"
