"""What glue.py feeds, and what must hold. A target is a function of bytes; a RequestError and the
ValueErrors that are documented are answers, everything else is a finding."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import guava_http
import reference
from grammar import MULTIPART, SEEDS, request_of
from guava_http import (
    URL,
    Cookie,
    Data,
    EndOfMessage,
    Headers,
    Limits,
    Request,
    RequestError,
    RequestParser,
    secure_filename,
)
from guava_http.forms import Builder
from guava_http.multipart import Parser, PartHead


def cuts(data: bytes) -> list[list[bytes]]:
    """The same bytes whole, byte by byte (if they are few), and in a few pieces."""
    rng = random.Random(data)
    at = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 6)))
    some = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    ways = [[data], some]
    if len(data) < 600:
        ways.append([data[i : i + 1] for i in range(len(data))])
    return ways


# ---- multipart ----------------------------------------------------------------------------------
# The first line is the Content-Type, the rest the body.

FEW = Limits(form_parts=4, part_head=200, part_memory=64, body=3000)


def parts_of(content_type: str, pieces: list[bytes], limits: Limits) -> Any:
    """(name, filename, type, body) of each part, or the status that refuses the form."""
    parts: list[Any] = []
    builder = Builder(limits)
    try:
        parser = Parser(content_type, limits)
        for piece in pieces:
            for event in parser.feed(piece):
                builder.add(event)
                if isinstance(event, PartHead):
                    head = (event.name, event.filename, event.content_type)
                    assert isinstance(event.name, str) and event.name
                    parts.append([head, b"", False])
                elif event is None:
                    parts[-1][2] = True
                else:
                    assert event and not parts[-1][2]
                    parts[-1][1] += event
        parser.finish()
    except RequestError as error:
        assert 400 <= error.status < 500
        return error.status
    assert all(ended for _, _, ended in parts)
    check_form(builder, parts)
    return [(*head, body) for head, body, _ in parts]


def check_form(builder: Builder, parts: list[Any]) -> None:
    form = builder.form()
    fields = [head[0] for head, _, _ in parts if head[1] is None]
    assert [name for name, _ in form.fields.multi_items()] == fields
    files = [(head[0], body) for head, body, _ in parts if head[1] or (head[1] == "" and body)]
    assert [(name, file.read()) for name, file in form.files.multi_items()] == files
    for _, file in form.files.multi_items():
        assert "/" not in file.safe_filename and file.safe_filename
        file.close()


def bodies_of(boundary: str, data: bytes) -> list[tuple[bytes, bytes]]:
    """Heads and bodies, found by somebody who looks for nothing but delimiters."""
    _, *pieces = (b"\r\n" + data).split(b"\r\n--" + boundary.encode())
    found = []
    for piece in pieces:
        if piece.startswith(b"--"):
            return found
        assert piece.startswith(b"\r\n")
        head, empty, body = piece.partition(b"\r\n\r\n")
        assert empty
        found.append((head, body))
    raise AssertionError("a form without an end was taken")


def multipart(data: bytes) -> None:
    first, _, body = data.partition(b"\n")
    content_type = first.decode("latin-1")
    for limits in (Limits(), FEW):
        whole, *others = [parts_of(content_type, way, limits) for way in cuts(body)]
        for other in others:
            # Of two reasons the one that is seen first.
            both_refused = isinstance(other, int) and isinstance(whole, int)
            assert other == whole or both_refused, (other, whole)
        if isinstance(whole, int):
            continue
        assert len(whole) <= limits.form_parts
        wanted = bodies_of(guava_http.multipart.boundary_of(content_type), body)
        assert [part[3] for part in whole] == [found for _, found in wanted]


# ---- URL ----------------------------------------------------------------------------------------
# Lines are a URL, a reference, and what the methods get.


NAMES = ["scheme", "user", "password", "host", "port", "path", "query", "fragment", "parts"]


def make_url(text: str) -> URL | None:
    try:
        return URL(text)
    except ValueError:
        return None


def check_url(url: URL) -> None:
    text = str(url)
    assert text.isascii() and not set(text) & set(' "<>\\^`{|}\x7f'), text
    again = URL(text)
    assert str(again) == text and again == url and hash(again) == hash(url)
    # Dots in front keep what is a path from being read as a host or a scheme.
    dotted = text.startswith((f"{url.scheme}:/.//" if url.scheme else "/.//", "./"))
    for name in () if dotted else NAMES:
        assert getattr(again, name) == getattr(url, name), name
    assert (url.path == "" or url.path[0] == "/") or not url.host
    repr(url)
    human = url.human()
    assert url.password is not None or URL(human) == url, human
    # Whoever else reads it must find the same host: where two readers differ, checks are passed.
    other = urlsplit(text)
    assert (other.scheme, other.hostname or "") == (url.scheme, url.host), other
    assert other.port == url.explicit_port and other.query == url.raw_query
    assert other.fragment == url.raw_fragment
    assert dotted or other.path == url.raw_path


def url(data: bytes) -> None:
    text, *rest = [*data.decode("utf-8", "surrogateescape").split("\n"), "", ""][:3]
    made = make_url(text)
    if made is None:
        return
    check_url(made)
    changes: list[Callable[[], URL]] = [
        lambda: made.join(rest[0]),
        lambda: made / rest[0],
        lambda: made.with_path(rest[0]),
        lambda: made.with_query(rest[0]),
        lambda: made.with_query({rest[0]: rest[1]}),
        lambda: made.update_query({rest[0]: rest[1]}),
        lambda: made.without_query(rest[0]),
        lambda: made.with_fragment(rest[0]),
        lambda: made.with_host(rest[0]),
        lambda: made.with_scheme(rest[0]),
        lambda: made.with_user(rest[0], rest[1]),
        lambda: made.parent,
    ]
    for change in changes:
        with contextlib.suppress(ValueError):
            check_url(change())
    with contextlib.suppress(ValueError):
        moved = made.with_query({rest[0]: rest[1]})
        assert moved.query.multi_items() == [(rest[0], rest[1])] or not (rest[0] or rest[1])


# ---- RequestParser ------------------------------------------------------------------------------


class Reading:
    """Feeds a parser and keeps what comes, checking what it says of itself."""

    def __init__(self, limits: Limits | None) -> None:
        self.parser = RequestParser(limits)
        self.found: list[tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]] = []
        self.body = b""
        self.status = 0

    def feed(self, pieces: list[bytes]) -> str:
        parser = self.parser
        try:
            for piece in pieces:
                self.take(parser.feed(piece))
                while parser.state == "complete" and parser.request.keep_alive:
                    self.take(parser.next_request())
        except RequestError as error:
            assert parser.state == "refused" and parser.error.status == error.status
            assert str(parser.error) == str(error) and parser.pending == 0
            self.status = error.status
            return "refused"
        assert len(parser.unused) == parser.pending
        return "stopped" if parser.state == "complete" else "more"

    def take(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Request):
                assert self.body == b""
            elif isinstance(event, Data):
                assert event.data
                self.body += event.data
            else:
                assert isinstance(event, EndOfMessage) and event.body_size == len(self.body)
                request = self.parser.request
                method, target = request.method.encode(), request.url.encode("latin-1")
                self.found.append((method, target, request.HEADERS.raw, self.body))
                self.body = b""


NARROW = Limits(head=300, fields=6, target=40, body=30, chunk_extensions=10, trailers=20)


def parser(data: bytes) -> None:
    for limits in (None, NARROW):
        readings = []
        for way in cuts(data):
            reading = Reading(limits)
            readings.append((reading.feed(way), reading))
        end, whole = readings[0]
        for other_end, other in readings[1:]:
            assert (other_end, other.status) == (end, whole.status)
            assert other.found == whole.found and other.parser.unused == whole.parser.unused
        if limits is None:
            found, wanted = reference.read(data)
            assert whole.found == found, (whole.found, found)
            # What is refused early has not come to its end, so the reference still waits.
            assert end == wanted or (end, wanted) == ("refused", "more"), (end, wanted)
        check_end(readings[0][1], end)


def check_end(reading: Reading, end: str) -> None:
    parser = reading.parser
    if end == "refused":
        return
    at_rest = parser.state == "complete" or parser.unused in (b"", b"\r\n")
    between = parser.state == "head" and at_rest
    try:
        parser.feed_eof()
    except RequestError:
        assert not between and parser.state == "refused"
    else:
        assert between or end == "stopped", parser.unused
    if end == "stopped":
        rest = parser.unused
        assert parser.take_over() == rest and parser.state == "taken over"


# ---- Authorization, Accept ----------------------------------------------------------------------


def authorization(data: bytes) -> None:
    text = data.decode("latin-1")
    found = guava_http.parse_authorization(text)
    if found is None:
        return
    assert found.scheme == found.scheme.lower() and re.fullmatch(
        r"[^\s(),/:;<=>?@]+", found.scheme
    )
    assert found.username is None or (":" not in found.username and found.scheme == "basic")
    assert (found.username is None) == (found.password is None)
    assert sum([found.username is not None, found.token is not None, bool(found.params)]) <= 1
    secret = found.password or found.token
    assert secret is None or len(secret) < 12 or secret not in repr(found)
    assert all(name == name.lower() for name in found.params)


def accept(data: bytes) -> None:
    field, _, offer = data.decode("latin-1").partition("\n")
    ranges = guava_http.parse_accept(field)
    assert all(0 <= weight <= 1 for _, _, weight in ranges)
    weights = [weight for _, _, weight in ranges]
    assert weights == sorted(weights, reverse=True)
    offers = ["text/html", "application/json", "image/png", offer]
    with contextlib.suppress(ValueError):
        best = guava_http.best_match(field, offers)
        assert best is None or best in offers
        assert best is not None or guava_http.best_match(field, [offers[0]]) is None
    for choose in (guava_http.best_language, guava_http.best_encoding):
        with contextlib.suppress(ValueError):
            chosen = choose(field, ["en", "gzip", "br", offer])
            assert chosen is None or chosen in ("en", "gzip", "br", offer, "identity")
    assert guava_http.best_match(None, offers[:3]) == "text/html"


# ---- texts: everything else that reads one ------------------------------------------------------


def texts(data: bytes) -> None:
    text = data.decode("latin-1")
    check_content_type(text)
    check_filename(data.decode("utf-8", "surrogateescape"))
    check_cookies(text)
    check_ranges(text)
    with contextlib.suppress(ValueError):
        assert guava_http.parse_date(guava_http.http_date(guava_http.parse_date(text)))
    with contextlib.suppress(ValueError):
        assert Headers({"a": text})["A"] == text.strip(" \t")
        assert not set(text) & set("\r\n\0")
    query = guava_http.QueryDict.parse(data[:2000])
    assert len(query.multi_items()) <= 1000


def check_content_type(text: str) -> None:
    kind, params = guava_http.parse_options_header(text)
    assert kind == kind.lower() and all(name == name.lower() for name in params)
    found = guava_http.parse_content_type(text)
    if not found.type:
        return
    with contextlib.suppress(ValueError):  # what RFC 8187 encodes may have any characters
        again = guava_http.parse_content_type(str(found))
        assert again == found, (again, found)


def check_filename(text: str) -> None:
    for unicode in (False, True):
        name = secure_filename(text, unicode=unicode)
        assert name and not set(name) & set('/\\\0:*?<>|"\r\n') and name[0] != "."
        assert name[-1] not in " ." and len(name.encode()) <= 255
        assert secure_filename(name, unicode=unicode) == name, name


def check_cookies(text: str) -> None:
    for name, value in Cookie.parse(text).items():
        assert name and isinstance(value, str)
    try:
        cookie = Cookie.from_header(text)
    except ValueError:
        return
    assert not set(cookie.render()) & set("\r\n\0")
    assert Cookie.from_header(cookie.render()) == cookie, cookie


def check_ranges(text: str) -> None:
    for size in (0, 1, 1000):
        try:
            found = guava_http.parse_range(text, size)
        except RequestError as error:
            assert error.status == 416
            continue
        assert found is None or len(found) <= 16
        for start, stop in found or ():
            assert 0 <= start < stop <= size


TARGETS: dict[str, Callable[[bytes], None]] = {
    "accept": accept,
    "authorization": authorization,
    "multipart": multipart,
    "parser": parser,
    "texts": texts,
    "url": url,
}


def more_inputs(target: str) -> list[bytes]:
    """Beside those of the corpus."""
    if target == "parser":
        rng = random.Random(1)
        return [*SEEDS, *(request_of(rng, ["a", "b/c"]) for _ in range(100))]
    if target == "multipart":
        return [b"multipart/form-data; boundary=b\n" + MULTIPART]
    return []
