"""FileResponse's variants: files that are compressed in advance, beside the one asked for."""

import os
import shutil

import pytest
from guava_http import FileResponse, make_etag


def get(*fields):
    return ("GET", fields)


@pytest.fixture
def variants(small):
    for extension in ("br", "zst", "gz"):
        path = small.with_name(f"small.txt.{extension}")
        path.write_bytes(extension.encode() * 50)
        shutil.copystat(small, path)
    return small


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip;q=0.5, zstd;q=0.5", "zstd"),
        ("br;q=0, *", "zstd"),
        ("*", "br"),
        ("*;q=0", None),
        ("br;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=1, *;q=0.5", None),
        ("*;q=0.5, br", "br"),
        ("gzip;q=0.3, *;q=0.5", "br"),
        ("deflate", None),
    ],
)
def test_variants(whole, variants, accept, coding):
    fields = [] if accept is None else [("Accept-Encoding", accept)]
    answer, head = whole.ask(
        lambda r: FileResponse(variants, precompressed=True),
        get(*fields),
        ("HEAD", fields),
    )
    extension = {None: None, "gzip": "gz", "zstd": "zst", "br": "br"}[coding]
    path = variants if coding is None else variants.with_name(f"small.txt.{extension}")
    assert answer.body == path.read_bytes()
    assert answer["Vary"] == "Accept-Encoding"
    assert answer["ETag"] == make_etag(os.stat(path))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert ("Content-Encoding" in answer) is (coding is not None)
    if coding is not None:
        assert answer["Content-Encoding"] == head["Content-Encoding"] == coding


def test_a_variant_has_conditions_and_ranges_of_its_own(wire, variants):
    path = variants.with_name("small.txt.gz")
    tag = make_etag(os.stat(path))
    plain = make_etag(os.stat(variants))
    encoding = ("Accept-Encoding", "gzip")
    same, other, ranged, none = wire.ask(
        lambda r: FileResponse(variants, precompressed=["gz"]),
        get(encoding, ("If-None-Match", tag)),
        get(encoding, ("If-None-Match", plain)),
        get(encoding, ("Range", "bytes=1-2")),
        get(encoding, ("Range", "bytes=100-")),
    )
    assert [a.status for a in (same, other, ranged, none)] == [304, 200, 206, 416]
    assert same["Vary"] == "Accept-Encoding"
    assert ranged.body == path.read_bytes()[1:3]
    assert none["Content-Range"] == "bytes */100"


def test_variants_that_do_not_count(whole, variants):
    made = os.stat(variants).st_mtime
    os.utime(variants.with_name("small.txt.br"), (made - 1, made - 1))
    variants.with_name("small.txt.zst").unlink()
    variants.with_name("small.txt.gz").unlink()
    os.mkfifo(variants.with_name("small.txt.gz"))
    (answer,) = whole.ask(
        lambda r: FileResponse(variants, precompressed=True),
        get(("Accept-Encoding", "br, zstd, gzip")),
    )
    assert answer.body == variants.read_bytes()
    assert "Content-Encoding" not in answer


def test_no_variants_unless_asked_for(whole, variants):
    (answer,) = whole.ask(lambda r: FileResponse(variants), get(("Accept-Encoding", "br")))
    assert answer.body == variants.read_bytes() and "Vary" not in answer


def test_a_tag_of_ones_own_differs_by_variant(whole, variants):
    (answer,) = whole.ask(
        lambda r: FileResponse(variants, precompressed=True, etag='"v1"'),
        get(("Accept-Encoding", "zstd")),
    )
    assert answer["ETag"] == '"v1-zstd"'


def test_what_claims_to_be_an_extension(whole, variants):
    class Equal:
        def __eq__(self, other):
            return other == "gz"

        __hash__ = None

    (answer,) = whole.ask(
        lambda r: FileResponse(variants, precompressed=[Equal()]),
        get(("Accept-Encoding", "br, gzip")),
    )
    assert answer["Content-Encoding"] == "gzip"
