"""What a file is by its name: the type that it is sent as, the name that it is saved under."""

import os

import pytest
from guava_http import CONTENT_TYPES, FileResponse, content_disposition


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.JPG", "image/jpeg"),
        ("a.tar.gz", "application/gzip"),
        ("a", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        (".css", "text/css; charset=utf-8"),
        ("a.unknown", "application/octet-stream"),
        ("a." + "x" * 100, "application/octet-stream"),
        ("html", "application/octet-stream"),
    ],
)
def test_types(tmp_path, name, kind):
    path = tmp_path / name
    path.touch()
    for given in (path, str(path), os.fsencode(path)):
        assert FileResponse(given).content_type == kind
    assert FileResponse(path, content_type="a/b").content_type == "a/b"
    assert FileResponse(path, headers={"Content-Type": "a/b"}).content_type == "a/b"


def test_types_can_be_added(tmp_path):
    (tmp_path / "a.guava").touch()
    CONTENT_TYPES[".guava"] = "application/x-guava"
    try:
        assert FileResponse(tmp_path / "a.guava").content_type == "application/x-guava"
    finally:
        del CONTENT_TYPES[".guava"]


# RFC 6266, section 5, and names that are meant to harm.
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("example.html",), 'attachment; filename="example.html"'),
        (("an example.html", True), 'inline; filename="an example.html"'),
        (("€ rates",), "attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"),
        (("a\"b.txt",), "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        (("100%.txt",), "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
        (("../../etc/passwd",), 'attachment; filename="passwd"'),
        (("C:\\boot.ini",), 'attachment; filename="boot.ini"'),
        ((None,), "attachment"),
        ((None, True), "inline"),
        (("a'b(1)*.txt",), 'attachment; filename="a\'b(1)*.txt"'),
        (("é'*.txt",), "attachment; filename=\"_'*.txt\"; filename*=UTF-8''%C3%A9%27%2A.txt"),
        (("\ud800.txt",), "attachment; filename=\"_.txt\"; filename*=UTF-8''%3F.txt"),
    ],
)  # fmt: skip
def test_disposition(arguments, expected):
    assert content_disposition(*arguments) == expected


@pytest.mark.parametrize("name", ["a\nb", "a\r", "\0", "\x7f", "\x85"])
def test_disposition_of_control_characters(name):
    with pytest.raises(ValueError, match="control"):
        content_disposition(name)
