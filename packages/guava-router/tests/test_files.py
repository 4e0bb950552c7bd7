"""StaticHandler, StaticFile, content types, conditional requests, complete answers."""

import calendar
import os
import time
from pathlib import Path

import pytest
from guava_router import (
    Answer,
    NotFound,
    RedirectHandler,
    StaticHandler,
    content_type,
    http_date,
    is_not_modified,
)
from guava_router.dates import parse_http_date


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7")
    os.utime(file, ns=(0, 784_111_777_500_000_000))
    return file


def test_a_file_by_name(report: Path) -> None:
    handler = StaticHandler(report)
    assert (handler.filename, handler.content_type) == (str(report), "application/pdf")
    for _ in range(2):
        with handler.open() as file:
            assert file.read() == file.read() == b"%PDF-1.7"
            assert (file.size, file.mtime) == (8, 784_111_777.5)
            assert file.last_modified == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert file.fd == -1
    assert StaticHandler(str(report), "text/x-report").open().content_type == "text/x-report"


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StaticHandler(tmp_path / "missing").open()
    with pytest.raises(OSError, match="not a regular file"):
        StaticHandler(tmp_path).open()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        StaticHandler(tmp_path / "fifo").open()


def test_a_file_that_becomes_shorter(report: Path) -> None:
    with StaticHandler(report).open() as file:
        os.truncate(report, 3)
        with pytest.raises(EOFError, match="after 3 of 8"):
            file.read()


def test_the_etag_changes_with_the_file(report: Path) -> None:
    def etag() -> str:
        with StaticHandler(report).open() as file:
            return file.etag

    first = etag()
    assert first == etag()
    assert first[0] == first[-1] == '"'
    os.utime(report, ns=(0, 784_111_777_500_000_001))
    second = etag()
    report.write_bytes(b"longer than before")
    os.utime(report, ns=(0, 784_111_777_500_000_001))
    assert len({first, second, etag()}) == 3


@pytest.mark.parametrize(
    ("none_match", "since", "expected"),
    [
        (None, None, False),
        ('"abc"', None, True),
        ('W/"abc"', None, True),
        ('"x", "abc"', None, True),
        ('"x" ,, W/"y","abc" ', None, True),
        ("*", None, True),
        (" * ", None, True),
        ('"x"', None, False),
        ("abc", None, False),
        ("", None, False),
        ('"ab', None, False),
        ('"abc', None, False),
        ('x, "abc"', None, False),
        ('"a"bc"', None, False),
        ('"x"', "Sun, 06 Nov 1994 08:49:37 GMT", False),
        (None, "Sun, 06 Nov 1994 08:49:37 GMT", True),
        (None, "Sun, 06 Nov 1994 08:49:38 GMT", True),
        (None, "Sun, 06 Nov 1994 08:49:36 GMT", False),
        (None, "Sunday, 06-Nov-94 08:49:37 GMT", True),
        (None, "Sun Nov  6 08:49:37 1994", True),
        (None, "Sun, 06 Nov 1994 09:49:37 +0100", False),
        (None, "Tue, 29 Feb 2000 00:00:60 GMT", True),
        (None, "Mon, 29 Feb 1999 00:00:00 GMT", False),
        (None, "Sun, 06 Nov 1994 24:49:37 GMT", False),
        (None, "Sun, 06 Nov 0000 08:49:37 GMT", False),
        (None, "Sun, 06 Foo 1994 08:49:37 GMT", False),
        (None, "Sun, 06 Nov 1994 08:49:37 GMT\n", False),
        (None, "Sun, \u06606 Nov 1994 08:49:37 GMT", False),
        (None, "yesterday", False),
        (None, "", False),
        (None, "Sun, 99 Nov 1994 08:49:37 GMT", False),
        (None, "784111777", False),
    ],
)
def test_not_modified(none_match: str | None, since: str | None, expected: bool) -> None:
    assert is_not_modified('"abc"', 784_111_777.9, none_match, since) is expected
    assert is_not_modified('W/"abc"', 784_111_777.9, none_match, since) is expected


def test_a_file_knows_whether_it_is_modified(report: Path) -> None:
    with StaticHandler(report).open() as file:
        assert file.not_modified(file.etag)
        assert file.not_modified(None, file.last_modified)
        assert not file.not_modified('"other"', file.last_modified)
        assert not file.not_modified()
        assert ("ETag", file.etag) in file.not_modified_headers
        assert "Content-Length" not in dict(file.not_modified_headers)


def test_a_long_list_of_tags_is_read_once() -> None:
    """Ten times the list costs ten times the steps, not a hundred times."""
    import sys

    def steps(n: int) -> int:
        count = 0

        def trace(frame, event, arg):
            nonlocal count
            count += 1
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            is_not_modified('"none"', 0, ", ".join([f'"{i}"' for i in range(n)]), None)
        finally:
            sys.settrace(before)
        return count

    assert steps(2000) < 11 * steps(200)


def test_dates() -> None:
    assert http_date(784_111_777.999) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    for seconds in range(0, 2**32, 77_777_777):
        assert parse_http_date(http_date(seconds)) == seconds


def test_two_digits_of_a_year() -> None:
    """Not more than 50 years ahead (RFC 9110, section 5.6.7)."""
    now = time.gmtime().tm_year
    for year in (now - 49, now, now + 50):
        text = f"Monday, 01-Jan-{year % 100:02} 00:00:00 GMT"
        assert parse_http_date(text) == calendar.timegm((year, 1, 1, 0, 0, 0)), text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTM", "text/html; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("app.js.map", "application/json"),
        ("logo.svg", "image/svg+xml"),
        ("photo.jpeg", "image/jpeg"),
        ("font.woff2", "font/woff2"),
        ("code.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.tgz", "application/gzip"),
        ("a.tar.bz2", "application/x-bzip2"),
        ("a.unknown-suffix", "application/octet-stream"),
        ("noext", "application/octet-stream"),
        (".html", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_content_types(name: str, expected: str) -> None:
    assert content_type(name) == expected


def test_redirects() -> None:
    answer = RedirectHandler("/login?next=/a b&x=ä", 303)
    assert answer.status == 303
    assert answer.location == "/login?next=/a%20b&x=%C3%A4"
    assert answer.header("LOCATION") == answer.location
    assert answer.body == b"303 See Other\n"
    assert RedirectHandler("https://example.org/%20x#y").location == "https://example.org/%20x#y"
    assert RedirectHandler("/x").status == 302


@pytest.mark.parametrize("location", ["", "/a\r\nSet-Cookie: x=y", "/\0", "/\x7f"])
def test_locations_that_would_break_the_answer(location: str) -> None:
    with pytest.raises(ValueError, match="without control characters"):
        RedirectHandler(location)


@pytest.mark.parametrize("status", [200, 300, 304, 404, "302"])
def test_statuses_that_are_no_redirect(status: int) -> None:
    with pytest.raises(ValueError, match="a redirect's status"):
        RedirectHandler("/x", status)


def test_answers_are_plain_values() -> None:
    answer = Answer(418, [("X-Tea", "yes")], b"short and stout")
    assert (answer.status, answer.headers, answer.body) == (
        418,
        (("X-Tea", "yes"),),
        b"short and stout",
    )
    assert answer.header("x-tea") == "yes"
    assert answer.header("y") is None
    assert (NotFound().status, NotFound().body) == (404, b"404 Not Found\n")
    assert [repr(NotFound()), repr(answer)] == ["NotFound()", "Answer(418)"]
