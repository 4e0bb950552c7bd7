"""FileDecision: what a request for a file is answered with (RFC 9110, sections 13 to 15)."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from guava_router import (
    AllowedMethods,
    FileDecision,
    Listing,
    MethodNotAllowed,
    NotFound,
    RedirectHandler,
    StaticHandler,
    StaticRouter,
    http_date,
)

CONTENT = bytes(range(250)) * 4
THEN = 1_700_000_000


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    (root / "data.bin").write_bytes(CONTENT)
    (root / "empty.txt").write_bytes(b"")
    for file in root.iterdir():
        os.utime(file, (THEN, THEN))
    return root


@pytest.fixture
def router(site: Path) -> StaticRouter:
    return StaticRouter("/static", site)


def ask(router: StaticRouter, name: str = "data.bin", method: str = "GET", **fields: str) -> Any:
    """Fields as if_none_match="..."; gives the decision with its body as `.sent`."""
    pairs = [(key.replace("_", "-").title(), value) for key, value in fields.items()]
    return carried_out(router.decide(method, f"/static/{name}", pairs))


class Sent:
    def __init__(self, decision: FileDecision) -> None:
        self.status = decision.status
        self.headers = dict(decision.headers)
        assert len(self.headers) == len(decision.headers), "no header stands twice"
        self.ranges = decision.ranges
        self.boundary = decision.boundary
        self.body = b"".join(decision.chunks(7))
        assert len(self.body) == decision.length
        assert self.body == b"".join(decision.chunks())


def carried_out(decision: Any) -> Sent:
    assert isinstance(decision, FileDecision), decision
    with decision:
        sent = Sent(decision)
    assert decision.file.fd == -1
    return sent


def test_a_whole_file(router: StaticRouter) -> None:
    found = ask(router)
    tag = found.headers["ETag"]
    assert (found.status, found.body, found.ranges) == (200, CONTENT, ((0, 1000),))
    assert found.headers == {
        "Content-Type": "application/octet-stream",
        "Content-Length": "1000",
        "ETag": tag,
        "Last-Modified": http_date(THEN),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    head = ask(router, method="HEAD")
    assert (head.status, head.body, head.ranges) == (200, b"", ())
    assert head.headers == found.headers
    assert ask(router, "empty.txt").headers["Content-Length"] == "0"


def test_it_cannot_be_changed(router: StaticRouter) -> None:
    with router.decide("GET", "/static/data.bin") as decision:  # type: ignore[union-attr]
        for name in ("status", "headers", "other"):
            with pytest.raises(AttributeError, match="cannot be changed"):
                setattr(decision, name, 1)
        with pytest.raises(AttributeError, match="cannot be changed"):
            del decision.status
        assert decision.header("CONTENT-LENGTH") == "1000"
        assert decision.header("Vary") is None
        assert decision.is_whole
        assert repr(decision).startswith("<FileDecision 200 <StaticFile")


def test_headers_come_in_every_form(router: StaticRouter) -> None:
    for headers in (
        {"Range": "bytes=0-1"},
        {"range": " bytes=0-1 "},
        {b"RANGE": b"bytes=0-1"},
        [("Range", "bytes=0-1"), ("Other", "x")],
        iter([(b"range", b"bytes=0-1")]),
        [(bytearray(b"range"), memoryview(b"bytes=0-1"))],
    ):
        assert carried_out(router.decide("GET", "/static/data.bin", headers)).status == 206


def test_what_is_no_file(router: StaticRouter, site: Path) -> None:
    assert isinstance(router.decide("GET", "/static/none"), NotFound)
    assert isinstance(router.decide("GET", "/elsewhere"), NotFound)
    assert isinstance(router.decide("GET", "/static/../secret"), NotFound)
    assert isinstance(router.decide("GET", "/static/sub"), RedirectHandler)
    assert isinstance(router.decide("GET", "/static/sub/"), NotFound)
    assert isinstance(StaticRouter("/", site, True).decide("GET", "/sub/"), Listing)
    refused = router.decide("POST", "/static/data.bin")
    assert isinstance(refused, MethodNotAllowed)
    assert refused.allowed == ("GET", "HEAD", "OPTIONS")
    assert isinstance(router.decide("OPTIONS", "/static/data.bin"), AllowedMethods)


def test_a_handler_decides_too(site: Path) -> None:
    handler = StaticHandler(site / "data.bin")
    assert carried_out(handler.decide("GET", {"Range": "bytes=-1"})).body == CONTENT[-1:]
    with pytest.raises(ValueError, match="GET and HEAD"):
        handler.decide("POST")
    (site / "data.bin").unlink()
    with pytest.raises(FileNotFoundError):
        handler.decide("GET")


# ---- ranges (RFC 9110, section 14) --------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "start", "stop"),
    [
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 1000),
        ("bytes=-500", 500, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=950-", 950, 1000),
        ("bytes=0-0", 0, 1),
        ("bytes=999-5000", 999, 1000),
        ("bytes=0-" + "9" * 5000, 0, 1000),
        ("bytes=-" + "9" * 5000, 0, 1000),
        ("bytes=" + "0" * 5000 + "7-7", 7, 8),
        ("Bytes=1-2", 1, 3),
        ("bytes= 1-2 , ", 1, 3),
        ("bytes=,1-2", 1, 3),
        ("bytes=0-99,50-149", 0, 150),
        ("bytes=0-99,180-199", 0, 200),
        ("bytes=200-299,100-199", 100, 300),
        ("bytes=0-9,5000-", 0, 10),
    ],
)
def test_one_range(router: StaticRouter, field: str, start: int, stop: int) -> None:
    found = ask(router, range=field)
    assert (found.status, found.body, found.ranges) == (206, CONTENT[start:stop], ((start, stop),))
    assert found.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000"
    assert found.headers["Content-Length"] == str(stop - start)
    assert found.boundary is None
    head = ask(router, method="HEAD", range=field)
    assert (head.status, head.headers["Content-Length"]) == (200, "1000")


def parts(found: Sent) -> list[tuple[str, bytes]]:
    assert found.headers["Content-Type"] == f"multipart/byteranges; boundary={found.boundary}"
    mark = f"\r\n--{found.boundary}".encode()
    first, *pieces, last = found.body.split(mark)
    assert (first, last) == (b"", b"--\r\n")
    result = []
    for piece in pieces:
        head, _, body = piece.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        assert lines.pop("Content-Type") == "application/octet-stream"
        result.append((lines.pop("Content-Range"), body))
        assert not lines
    return result


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=0-9,500-509", [(0, 10), (500, 510)]),
        ("bytes=500-509,0-9", [(500, 510), (0, 10)]),
        ("bytes=0-0,-1", [(0, 1), (999, 1000)]),
        ("bytes=0-9,200-209,5-14,9000-", [(0, 15), (200, 210)]),
        (
            "bytes=" + ",".join(f"{i * 100}-{i * 100}" for i in range(9)),
            [(i, i + 1) for i in range(0, 900, 100)],
        ),
    ],
)
def test_several_ranges(router: StaticRouter, field: str, expected: list[Any]) -> None:
    found = ask(router, range=field)
    assert (found.status, list(found.ranges)) == (206, expected)
    assert parts(found) == [
        (f"bytes {start}-{stop - 1}/1000", CONTENT[start:stop]) for start, stop in expected
    ]
    assert found.headers["Content-Length"] == str(len(found.body))
    assert "Content-Range" not in found.headers
    assert ask(router, range=field).boundary != found.boundary


@pytest.mark.parametrize(
    "field",
    [
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=2-1",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1-2;3-4",
        "bytes=\u0661-\u0662",
        "bytes =0-1",
        "lines=0-1",
        "0-1",
        "",
        "bytes=" + ",".join(["0-0"] * 17),
        "bytes=" + "," * 10_000 + "0-1",
    ],
)
def test_ranges_that_count_as_not_sent(router: StaticRouter, field: str) -> None:
    found = ask(router, range=field)
    assert (found.status, found.body) == (200, CONTENT)


@pytest.mark.parametrize("field", ["bytes=1000-", "bytes=-0", "bytes=9999-99999,1000-1001"])
def test_ranges_outside(router: StaticRouter, field: str) -> None:
    found = ask(router, range=field)
    assert (found.status, found.headers["Content-Range"]) == (416, "bytes */1000")
    assert found.body == b"416 Range Not Satisfiable\n"
    assert found.headers["Content-Length"] == str(len(found.body))
    assert "ETag" not in found.headers


@pytest.mark.parametrize(
    ("field", "status"), [("bytes=0-", 416), ("bytes=-0", 416), ("bytes=-1", 200)]
)
def test_ranges_of_nothing(router: StaticRouter, field: str, status: int) -> None:
    assert ask(router, "empty.txt", range=field).status == status


def test_ranges_are_never_more_than_the_file(router: StaticRouter) -> None:
    """What overlaps is sent once, however often it is asked for (CVE-2011-3192)."""
    for field in ("bytes=0-,0-,0-,0-", "bytes=" + ",".join(f"{i}-" for i in range(16))):
        found = ask(router, range=field)
        assert found.ranges == ((0, 1000),)


# ---- conditions (RFC 9110, section 13) ----------------------------------------------------------

SAME, BEFORE, AFTER = http_date(THEN), http_date(THEN - 1), http_date(THEN + 1)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"if_none_match": "TAG"}, 304),
        ({"if_none_match": "W/TAG"}, 304),
        ({"if_none_match": '"x", TAG'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"x"'}, 200),
        ({"if_none_match": '"x"', "if_modified_since": SAME}, 200),
        ({"if_none_match": '"x"TAG'}, 200),
        ({"if_modified_since": SAME}, 304),
        ({"if_modified_since": AFTER}, 304),
        ({"if_modified_since": BEFORE}, 200),
        ({"if_modified_since": "soon"}, 200),
        ({"if_match": "TAG"}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": '"x", TAG'}, 200),
        ({"if_match": "W/TAG"}, 412),
        ({"if_match": '"x"'}, 412),
        ({"if_match": ""}, 412),
        ({"if_match": "TAG", "if_unmodified_since": BEFORE}, 200),
        ({"if_match": "TAG", "if_none_match": "TAG"}, 304),
        ({"if_match": '"x"', "if_none_match": "TAG"}, 412),
        ({"if_unmodified_since": BEFORE}, 412),
        ({"if_unmodified_since": SAME}, 200),
        ({"if_unmodified_since": "never"}, 200),
        ({"if_match": '"x"', "range": "bytes=0-1"}, 412),
        ({"if_none_match": "TAG", "range": "bytes=0-1"}, 304),
        ({"if_none_match": "TAG", "range": "bytes=5000-"}, 304),
        ({"range": "bytes=0-1", "if_range": "TAG"}, 206),
        ({"range": "bytes=0-1", "if_range": "W/TAG"}, 200),
        ({"range": "bytes=0-1", "if_range": '"x"'}, 200),
        ({"range": "bytes=0-1", "if_range": "*"}, 200),
        ({"range": "bytes=0-1", "if_range": SAME}, 206),
        ({"range": "bytes=0-1", "if_range": AFTER}, 200),
        ({"range": "bytes=0-1", "if_range": BEFORE}, 200),
        ({"range": "bytes=5000-", "if_range": '"x"'}, 200),
        ({"if_range": "TAG"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(
    router: StaticRouter, method: str, fields: dict[str, str], status: int
) -> None:
    tag = ask(router).headers["ETag"]
    asked = {name: value.replace("TAG", tag) for name, value in fields.items()}
    found = ask(router, method=method, **asked)
    if method == "HEAD" and status == 206:
        status = 200
    assert found.status == status
    if status == 304:
        assert found.headers == {"ETag": tag, "Last-Modified": SAME}
    if status == 412:
        assert found.headers["Content-Length"] == "24"
    if status in (304, 412) or method == "HEAD":
        assert found.ranges == ()
        says = status == 412 and method == "GET"
        assert found.body == (b"412 Precondition Failed\n" if says else b"")


def test_fields_in_several_lines(router: StaticRouter) -> None:
    tag = ask(router).headers["ETag"]
    for name, value, status in (("If-None-Match", tag, 304), ("If-Modified-Since", SAME, 200)):
        pairs = [(name, '"x"'), (name, value)]
        assert carried_out(router.decide("GET", "/static/data.bin", pairs)).status == status
    pairs = [("Range", "bytes=0-1"), ("If-Range", tag), ("If-Range", tag)]
    assert carried_out(router.decide("GET", "/static/data.bin", pairs)).status == 200


def test_a_date_of_this_second_proves_nothing(router: StaticRouter, site: Path) -> None:
    """A file that changes twice within a second has one date (RFC 9110, section 8.8.2.2)."""
    ahead = int(time.time()) + 1000
    os.utime(site / "data.bin", (ahead, ahead))
    found = ask(router, range="bytes=0-1", if_range=http_date(ahead))
    assert found.status == 200
    assert found.headers["Last-Modified"] != http_date(ahead), "a time to come is not told"


# ---- variants -----------------------------------------------------------------------------------


@pytest.fixture
def packed(site: Path) -> Path:
    for suffix in ("", ".br", ".zst", ".gz"):
        (site / f"app.js{suffix}").write_text("plain" + suffix)
        os.utime(site / f"app.js{suffix}", (THEN, THEN))
    return site


@pytest.mark.parametrize(
    ("field", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("zstd;q=0.9, gzip;q=1.0, br;q=0.1", "gzip"),
        ("gzip ; q=0.5 , zstd;Q=0.5", "zstd"),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "zstd"),
        ("identity, *;q=0.1", None),
        ("identity;q=0.5, gzip;q=0.4", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        ("br;q=0", None),
        ("br;q=0.0000, gzip;q=2, zstd;q=x", None),
        ("br;q=\u0661", None),
        ("deflate", None),
        ("", None),
        ("gzip;q", None),
        ("br," * 400, None),
    ],
)
def test_variants(packed: Path, field: str, coding: str | None) -> None:
    router = StaticRouter("/static", packed, precompressed=True)
    found = ask(router, "app.js", accept_encoding=field)
    suffix = {"br": ".br", "zstd": ".zst", "gzip": ".gz", None: ""}[coding]
    assert found.body == b"plain" + suffix.encode()
    assert found.headers.get("Content-Encoding") == coding
    assert found.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert found.headers["Vary"] == "Accept-Encoding"
    assert found.headers["Content-Length"] == str(len(found.body))


def test_a_variant_is_a_representation_of_its_own(packed: Path) -> None:
    router = StaticRouter("/static", packed, precompressed=["gz"])
    plain = ask(router, "app.js")
    assert plain.headers["Vary"] == "Accept-Encoding"
    gzip = ask(router, "app.js", accept_encoding="br, gzip")
    assert gzip.headers["Content-Encoding"] == "gzip", "br is not offered"
    tag = gzip.headers["ETag"]
    assert tag != plain.headers["ETag"]
    again = ask(router, "app.js", accept_encoding="gzip", if_none_match=tag)
    assert again.status == 304
    assert again.headers["Vary"] == "Accept-Encoding"
    assert ask(router, "app.js", if_none_match=tag).status == 200
    part = ask(router, "app.js", accept_encoding="gzip", range="bytes=5-", if_range=tag)
    assert (part.status, part.body) == (206, b".gz")
    assert part.headers["Content-Encoding"] == "gzip"
    assert "Vary" not in ask(StaticRouter("/static", packed), "app.js").headers


def test_variants_that_are_not_sent(packed: Path, tmp_path: Path) -> None:
    router = StaticRouter("/static", packed, precompressed=True)
    os.utime(packed / "app.js.br", (THEN - 1, THEN - 1))
    assert ask(router, "app.js", accept_encoding="br").body == b"plain", "it is older"
    (packed / "app.js.zst").unlink()
    (packed / "app.js.zst").mkdir()
    (tmp_path / "outside").write_text("secret")
    (packed / "app.js.gz").unlink()
    (packed / "app.js.gz").symlink_to("../outside")
    os.utime(tmp_path / "outside", (THEN + 1, THEN + 1))
    assert ask(router, "app.js", accept_encoding="gzip, zstd").body == b"plain"
    assert ask(router, "data.bin", accept_encoding="gzip").body == CONTENT
    before = len(os.listdir("/dev/fd"))
    ask(router, "app.js", accept_encoding="br, gzip, zstd")
    assert len(os.listdir("/dev/fd")) == before


def test_arguments_that_are_refused(site: Path) -> None:
    with pytest.raises(ValueError, match='"br", "zst" and "gz", found \'lz4\''):
        StaticRouter("/", site, precompressed=["br", "lz4"])
    with pytest.raises(TypeError, match="several suffixes"):
        StaticRouter("/", site, precompressed="br")
    with pytest.raises(ValueError, match="printable ASCII"):
        StaticRouter("/", site, cache="no-cache\r\nSet-Cookie: a=b")
    with pytest.raises(TypeError, match="cache is a str, a function"):
        StaticRouter("/", site, cache=60)  # type: ignore[arg-type]


# ---- caching ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app.3f2a9c1b.js", True),
        ("app-3f2a9c1b.js", True),
        ("app.min.3f2a9c1b.js", True),
        ("app.3f2a9c1b.js.map", True),
        ("app.55e7cbb9ba48.css", True),
        ("font." + "0a" * 32 + ".woff2", True),
        ("app.js", False),
        ("app.3f2a9c1.js", False),
        ("app.3F2A9C1B.js", False),
        ("report-20240131.pdf", False),
        ("the.facades.feedbeef.txt", False),
        ("3f2a9c1b.js", False),
        ("app.3f2a9c1b", False),
        ("app.3f2a9c1b.js.map.gz", False),
        ("app." + "0a" * 33 + ".js", False),
        ("photo-550e8400-e29b-41d4-a716-44665544000a.jpg", False),
        ("550e8400-e29b-41d4-a716-44665544000a.jpg", False),
    ],
)
def test_names_with_a_digest_are_kept_for_a_year(site: Path, name: str, expected: bool) -> None:
    (site / name).write_text("x")
    found = ask(StaticRouter("/static", site), name)
    cache = "public, max-age=31536000, immutable"
    assert found.headers.get("Cache-Control") == (cache if expected else None)
    same = ask(StaticRouter("/static", site), name, if_none_match="*")
    assert same.headers.get("Cache-Control") == (cache if expected else None), "304 says it, too"


def test_a_rule_of_ones_own(site: Path) -> None:
    asked = []

    def rule(path: str) -> str | None:
        asked.append(path)
        return "no-cache" if path.endswith(".html") else None

    (site / "sub" / "index.html").write_text("x")
    (site / "a.3f2a9c1b.js").write_text("x")
    router = StaticRouter("/static", site, cache=rule)
    assert ask(router, "sub/").headers["Cache-Control"] == "no-cache"
    assert "Cache-Control" not in ask(router).headers
    assert asked == ["/sub/index.html", "/data.bin"]
    for cache, expected in (("no-store", "no-store"), (None, None)):
        found = ask(StaticRouter("/static", site, cache=cache), "a.3f2a9c1b.js")
        assert found.headers.get("Cache-Control") == expected


def test_a_rule_that_fails_leaves_no_file_open(site: Path) -> None:
    router = StaticRouter("/", site, cache=lambda path: str(1 // 0))
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(ZeroDivisionError):
        router.decide("GET", "/data.bin")
    assert len(os.listdir("/dev/fd")) == before


# ---- carrying it out ----------------------------------------------------------------------------


def test_a_file_that_becomes_shorter(router: StaticRouter, site: Path) -> None:
    with router.decide("GET", "/static/data.bin") as decision:  # type: ignore[union-attr]
        os.truncate(site / "data.bin", 10)
        with pytest.raises(EOFError, match="after 10 of 1000"):
            list(decision.chunks())


def test_a_file_that_grows_is_cut_at_its_length(router: StaticRouter, site: Path) -> None:
    with router.decide("GET", "/static/data.bin") as decision:  # type: ignore[union-attr]
        with open(site / "data.bin", "ab") as file:
            file.write(b"more")
        assert b"".join(decision.chunks()) == CONTENT


def test_pieces(router: StaticRouter) -> None:
    fields = {"Range": "bytes=0-0,500-"}
    with router.decide("GET", "/static/data.bin", fields) as decision:  # type: ignore[union-attr]
        head, first, second_head, second, tail = decision.pieces()
        assert (first, second) == ((0, 1), (500, 1000))
        assert (head, second_head, tail) == decision.heads
        assert not decision.is_whole
