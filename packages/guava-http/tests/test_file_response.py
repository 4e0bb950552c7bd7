"""FileResponse on the wire: what of a file goes out, by what the request asks and knows."""

import asyncio
import contextlib
import email.utils
import os
import time

import pytest
from guava_http import (
    CONTENT_TYPES,
    FileBody,
    FileMissing,
    FileResponse,
    RequestError,
    Response,
    content_disposition,
    http_date,
    make_etag,
)

SMALL = b"0123456789" * 100
LARGE = bytes(range(256)) * 4096  # a megabyte, beyond every buffer
THEN = 1_700_000_000


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.txt"
    path.write_bytes(SMALL)
    os.utime(path, (THEN, THEN))
    return path


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(LARGE)
    os.utime(path, (THEN, THEN))
    return path


def ask(wire, handler, *requests, **options):
    """Sends requests (method, fields) on one connection; gives the answers."""

    async def scenario(server, connect):
        client = await connect()
        answers = []
        for method, fields in requests:
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
            await client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
            answers.append(await client.answer(method))
        return answers

    return wire.run(handler, scenario, **options)


def get(*fields):
    return ("GET", fields)


def test_whole(wire, small):
    (answer, head) = ask(wire, lambda r: FileResponse(small), get(), ("HEAD", []))
    assert (answer.status, answer.body) == (200, SMALL)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["ETag"] == make_etag(os.stat(small))
    assert answer["Last-Modified"] == http_date(THEN)
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "Vary" not in answer
    assert (head.status, head.body) == (200, b"")
    assert [f for f in head.fields if f[0] != "Date"] == [
        f for f in answer.fields if f[0] != "Date"
    ]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_large(wire, large, kind):
    async def waits(request):
        await asyncio.sleep(0)
        return FileResponse(large)

    handler = waits if kind == "async def" else lambda r: FileResponse(large)
    answers = ask(wire, handler, get(), get(("Range", "bytes=5-300004")), get())
    assert [a.status for a in answers] == [200, 206, 200]
    assert answers[0].body == answers[2].body == LARGE
    assert answers[1].body == LARGE[5:300005]


# RFC 9110, 14.1.2, 14.4 and 15.3.7.1
@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 1000),
        ("bytes=-500", 500, 1000),
        ("bytes=950-", 950, 1000),
        ("bytes=0-0", 0, 1),
        ("bytes=999-5000", 999, 1000),
        ("bytes=0-99,50-149", 0, 150),
        ("bytes=0-", 0, 1000),
    ],
)
def test_one_range(wire, small, value, start, stop):
    answer, head, after = ask(
        wire,
        lambda r: FileResponse(small),
        get(("Range", value)),
        ("HEAD", [("Range", value)]),
        get(),
    )
    assert (answer.status, answer.body) == (206, SMALL[start:stop])
    assert answer["Content-Range"] == f"bytes {start}-{stop - 1}/1000"
    assert answer["ETag"] == make_etag(os.stat(small))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert (head.status, head["Content-Length"]) == (200, "1000")
    assert (after.status, after.body) == (200, SMALL)


def parts(answer):
    """The parts of a multipart/byteranges."""
    kind, _, boundary = answer["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    first, *pieces, last = answer.body.split(b"\r\n--" + boundary.encode())
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for piece in pieces:
        head, _, body = piece.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        found.append((lines.get("Content-Type"), lines["Content-Range"], body))
    return found


@pytest.mark.parametrize("fields", [None, {"Content-Type": "a/b", "X-A": "1"}])
def test_several_ranges(wire, large, fields):
    size = len(LARGE)
    answer, after = ask(
        wire,
        lambda r: FileResponse(large, headers=fields),
        get(("Range", "bytes=-7, 0-9, 300000-700000")),
        get(("Range", "bytes=0-0")),
    )
    kind = "a/b" if fields else "application/octet-stream"
    assert answer.status == 206
    assert "Content-Range" not in answer
    assert ("X-A" in answer) is bool(fields)
    assert parts(answer) == [
        (kind, f"bytes {size - 7}-{size - 1}/{size}", LARGE[-7:]),
        (kind, f"bytes 0-9/{size}", LARGE[:10]),
        (kind, f"bytes 300000-700000/{size}", LARGE[300000:700001]),
    ]
    assert after.body == LARGE[:1]


def test_boundaries_differ(native, small):
    answers = ask(native, lambda r: FileResponse(small), *[get(("Range", "bytes=0-0,-1"))] * 2)
    assert answers[0]["Content-Type"] != answers[1]["Content-Type"]


@pytest.mark.parametrize("value", ["bytes=5-4", "lines=1-2", "bytes=a-", "bytes=" + "0-0," * 17])
def test_ranges_that_are_ignored(wire, small, value):
    (answer,) = ask(wire, lambda r: FileResponse(small), get(("Range", value)))
    assert (answer.status, answer.body) == (200, SMALL)


def test_ranges_that_are_not_there(wire, small):
    answers = ask(
        wire,
        lambda r: FileResponse(small, cache_control="max-age=60"),
        get(("Range", "bytes=1000-")),
        get(("Range", "bytes=-0")),
        get(),
    )
    for answer in answers[:2]:
        assert answer.status == 416
        assert answer["Content-Range"] == "bytes */1000"
        assert "Cache-Control" not in answer and "ETag" not in answer
    assert answers[2].body == SMALL


def test_an_empty_file(wire, tmp_path):
    (tmp_path / "empty").touch()
    handler = lambda r: FileResponse(tmp_path / "empty")  # noqa: E731
    answers = ask(
        wire, handler, get(), get(("Range", "bytes=-1")), get(("Range", "bytes=0-")), get()
    )
    assert [a.status for a in answers] == [200, 200, 416, 200]
    assert answers[2]["Content-Range"] == "bytes */0"


OTHER = '"other"'
BEFORE, AT, AFTER = http_date(THEN - 1), http_date(THEN), http_date(THEN + 1)


# RFC 9110, 13.1 and 13.2.2; "same" stands for the file's own tag.
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("If-None-Match", "same")], 304),
        ([("If-None-Match", "W/same")], 304),
        ([("If-None-Match", "*")], 304),
        ([("If-None-Match", f"{OTHER}, same")], 304),
        ([("If-None-Match", OTHER), ("If-None-Match", "same")], 304),
        ([("If-None-Match", OTHER)], 200),
        ([("If-None-Match", OTHER), ("If-Modified-Since", AFTER)], 200),
        ([("If-Modified-Since", AT)], 304),
        ([("If-Modified-Since", AFTER)], 304),
        ([("If-Modified-Since", BEFORE)], 200),
        ([("If-Modified-Since", "never")], 200),
        ([("If-Match", "same")], 200),
        ([("If-Match", "*")], 200),
        ([("If-Match", "W/same")], 412),
        ([("If-Match", OTHER)], 412),
        ([("If-Match", OTHER), ("If-None-Match", "same")], 412),
        ([("If-Match", "same"), ("If-Unmodified-Since", BEFORE)], 200),
        ([("If-Unmodified-Since", AT)], 200),
        ([("If-Unmodified-Since", BEFORE)], 412),
        # 304 and 412 come before ranges (step 5).
        ([("If-None-Match", "same"), ("Range", "bytes=0-1")], 304),
        ([("If-Match", OTHER), ("Range", "bytes=0-1")], 412),
        ([("If-Match", "same"), ("Range", "bytes=0-1")], 206),
        # 13.1.5
        ([("If-Range", "same"), ("Range", "bytes=0-1")], 206),
        ([("If-Range", "W/same"), ("Range", "bytes=0-1")], 200),
        ([("If-Range", OTHER), ("Range", "bytes=0-1")], 200),
        ([("If-Range", AT), ("Range", "bytes=0-1")], 206),
        ([("If-Range", BEFORE), ("Range", "bytes=0-1")], 200),
        ([("If-Range", AFTER), ("Range", "bytes=0-1")], 200),
        ([("If-Range", "same, same"), ("Range", "bytes=0-1")], 200),
        ([("If-Range", "same"), ("If-Range", "same"), ("Range", "bytes=0-1")], 200),
        ([("If-Range", "nonsense"), ("Range", "bytes=0-1")], 200),
        ([("If-Range", "same")], 200),
        ([("If-Range", OTHER), ("Range", "bytes=5000-")], 200),
        ([("If-Range", "same"), ("Range", "bytes=5000-")], 416),
    ],
)
def test_conditions(whole, small, fields, status):
    same = make_etag(os.stat(small))
    fields = [(name, value.replace("same", same)) for name, value in fields]
    answer, head, after = ask(
        whole,
        lambda r: FileResponse(small, headers={"X-A": "1"}),
        get(*fields),
        ("HEAD", fields),
        get(),
    )
    assert answer.status == status
    assert head.status == (200 if status in (206, 416) else status)
    assert after.body == SMALL
    if status == 304:
        assert answer["ETag"] == same and answer["X-A"] == "1"
        assert "Content-Type" not in answer and "Content-Length" not in answer
    if status == 412:
        assert "ETag" not in answer


def test_a_date_is_strong_only_in_the_past(native, small):
    now = int(time.time()) + 1000  # a time to come
    os.utime(small, (now, now))
    (answer,) = ask(
        native,
        lambda r: FileResponse(small),
        get(("If-Range", http_date(now)), ("Range", "bytes=0-1")),
    )
    assert answer.status == 200
    told = email.utils.parsedate_to_datetime(answer["Last-Modified"]).timestamp()
    assert told < now


def test_other_methods_and_statuses_are_unconditional(wire, small):
    def handler(request):
        response = FileResponse(small)
        if request.method == "GET":
            response.status = 404
        return response

    fields = [("If-None-Match", "*"), ("Range", "bytes=0-1")]
    answers = ask(wire, handler, ("GET", fields), ("POST", [*fields, ("Content-Length", "0")]))
    assert [(a.status, a.body) for a in answers] == [(404, SMALL), (200, SMALL)]
    assert "Accept-Ranges" not in answers[0]


def test_own_validators(wire, small):
    def handler(request):
        return FileResponse(small, etag='W/"v1"', last_modified=THEN - 500)

    answer, same, ranged, without = ask(
        wire,
        handler,
        get(),
        get(("If-None-Match", '"v1"')),
        get(("If-Range", 'W/"v1"'), ("Range", "bytes=0-1")),
        get(("If-Modified-Since", http_date(THEN - 500))),
    )
    assert (answer["ETag"], answer["Last-Modified"]) == ('W/"v1"', http_date(THEN - 500))
    assert [same.status, ranged.status, without.status] == [304, 200, 304]


def test_no_validators(wire, small):
    answer, again = ask(
        wire,
        lambda r: FileResponse(small, etag=False, last_modified=False),
        get(),
        get(("If-Modified-Since", AFTER), ("If-None-Match", '"a"')),
    )
    assert "ETag" not in answer and "Last-Modified" not in answer
    assert again.status == 200


def test_fields_of_the_user_come_first(wire, small):
    def handler(request):
        response = FileResponse(small, headers={"ETag": '"mine"', "Accept-Ranges": "none"})
        response.headers["X-Content-Type-Options"] = "no"
        response.headers["Last-Modified"] = BEFORE
        response.set_cookie("a", "b")
        return response

    answer, same = ask(wire, handler, get(), get(("If-None-Match", '"mine"')))
    assert answer["ETag"] == '"mine"' and answer["Last-Modified"] == BEFORE
    assert answer["Accept-Ranges"] == "none" and answer["X-Content-Type-Options"] == "no"
    assert "Set-Cookie" in answer
    assert same.status == 304


def test_many_fields(wire, small):
    fields = {f"X-{i}": "v" * 50 for i in range(60)}
    answer, ranged = ask(
        wire,
        lambda r: FileResponse(small, headers=fields),
        get(),
        get(("Range", "bytes=0-0,-1")),
    )
    assert answer.body == SMALL
    for each in answer, ranged:
        assert fields.items() <= dict(each.fields).items()


def test_what_was_given_another_body(wire, small):
    def handler(request):
        response = FileResponse(small)
        response.body = "other"
        return response

    (answer,) = ask(wire, handler, get(("Range", "bytes=0-1")))
    assert (answer.status, answer.body) == (200, b"other")


# ---- variants ----------------------------------------------------------------------------------


@pytest.fixture
def variants(small):
    for extension in ("br", "zst", "gz"):
        path = small.with_name(f"small.txt.{extension}")
        path.write_bytes(extension.encode() * 50)
        os.utime(path, (THEN, THEN))
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
    answer, head = ask(
        whole,
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
    same, other, ranged, none = ask(
        wire,
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
    os.utime(variants.with_name("small.txt.br"), (THEN - 1, THEN - 1))
    variants.with_name("small.txt.zst").unlink()
    variants.with_name("small.txt.gz").unlink()
    os.mkfifo(variants.with_name("small.txt.gz"))
    (answer,) = ask(
        whole,
        lambda r: FileResponse(variants, precompressed=True),
        get(("Accept-Encoding", "br, zstd, gzip")),
    )
    assert answer.body == SMALL
    assert "Content-Encoding" not in answer


def test_no_variants_unless_asked_for(whole, variants):
    (answer,) = ask(whole, lambda r: FileResponse(variants), get(("Accept-Encoding", "br")))
    assert answer.body == SMALL and "Vary" not in answer


def test_a_tag_of_ones_own_differs_by_variant(whole, variants):
    (answer,) = ask(
        whole,
        lambda r: FileResponse(variants, precompressed=True, etag='"v1"'),
        get(("Accept-Encoding", "zstd")),
    )
    assert answer["ETag"] == '"v1-zstd"'


# ---- files that change -------------------------------------------------------------------------


def test_a_file_that_is_not_there(wire, tmp_path, caplog):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    names = iter(["none", "folder", "fifo", "none/none"])
    answers = ask(wire, lambda r: FileResponse(tmp_path / next(names)), *[get()] * 4)
    assert [a.status for a in answers] == [404] * 4
    assert not caplog.records


def test_the_exception(tmp_path):
    with pytest.raises(FileMissing) as caught:
        FileResponse(tmp_path / "none")
    error = caught.value
    assert isinstance(error, FileNotFoundError) and isinstance(error, RequestError)
    assert (error.status, error.errno) == (404, 2)
    assert error.filename == tmp_path / "none"


def test_a_file_that_grows_is_cut_where_it_was(wire, large):
    def handler(request):
        response = FileResponse(large)
        with large.open("ab") as file:
            file.write(b"more")
        return response

    answer, *_ = ask(wire, handler, get())
    assert answer.body == LARGE


@pytest.mark.parametrize("left", [0, 5, 300_000])
@pytest.mark.parametrize("value", [None, "bytes=0-99,400000-600000"])
def test_a_file_that_shrinks_ends_the_connection(wire, large, left, value, caplog):
    def handler(request):
        response = FileResponse(large)
        os.truncate(large, left)
        return response

    async def scenario(server, connect):
        client = await connect()
        fields = "" if value is None else f"Range: {value}\r\n"
        await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        received = await client.end()
        head, _, body = received.partition(b"\r\n\r\n")
        # It may be that not even the head came out; what came is never padded.
        assert len(body) <= left + 1000
        assert b"Content-Length" in head or received == b""

    wire.run(handler, scenario)


def test_a_file_that_is_replaced_is_sent_as_it_was_opened(wire, large):
    def handler(request):
        response = FileResponse(large)
        large.unlink()
        large.write_bytes(b"new")
        return response

    (answer,) = ask(wire, handler, get())
    assert answer.body == LARGE


def test_clients_that_leave(whole, large):
    async def scenario(server, connect):
        before = len(os.listdir("/dev/fd"))
        for fields in ("", "Range: bytes=0-99,200-1000000\r\n"):
            for _ in range(5):
                client = await connect(4096)
                await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
                await client.receive()
                client.reset()
        await whole.until(lambda: server.connections == 0)
        await whole.until(lambda: len(os.listdir("/dev/fd")) <= before)

    whole.run(lambda r: FileResponse(large), scenario)


def test_a_client_that_stalls_is_cut_off(whole, tmp_path):
    from guava_http import Timeouts

    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 28)

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.receive()
        await whole.until(lambda: server.connections == 0)

    whole.run(lambda r: FileResponse(path), scenario, timeouts=Timeouts(write=0.3))


def test_descriptors_are_closed(native, small, large):
    paths = [small, large]
    fields = [
        (),
        (("Range", "bytes=0-0,-1"),),
        (("Range", "bytes=9999999-"),),
        (("If-None-Match", "*"),),
    ]

    async def scenario(server, connect):
        client = await connect()
        counts = []
        for _ in range(3):
            for _ in range(10):
                for each in fields:
                    await client.get("/", "".join(f"{n}: {v}\r\n" for n, v in each))
            counts.append(len(os.listdir("/dev/fd")))
        assert counts[0] == counts[1] == counts[2]

    for path in paths:
        native.run(lambda r, path=path: FileResponse(path), scenario)


# ---- the constructor ---------------------------------------------------------------------------


def test_files_that_are_open(wire, small):
    fd = os.open(small, os.O_RDONLY)
    with small.open("rb") as file:
        sources = iter([fd, file, FileBody(small), FileBody(small, 10, 20)])
        answers = ask(
            wire, lambda r: FileResponse(next(sources)), *[get(("Range", "bytes=2-4"))] * 4
        )
    os.close(fd)
    assert [a.body for a in answers] == [b"234"] * 4
    assert [a["Content-Range"] for a in answers] == ["bytes 2-4/1000"] * 3 + ["bytes 2-4/20"]
    assert ["ETag" in a for a in answers] == [True, True, True, False]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"etag": "abc"}, ValueError),
        ({"etag": 1}, TypeError),
        ({"cache_control": "a\nb"}, ValueError),
        ({"content_type": "a\r\nb"}, ValueError),
        ({"filename": "a\r\nb"}, ValueError),
        ({"last_modified": "now"}, TypeError),
        ({"precompressed": "br"}, TypeError),
        ({"precompressed": 1}, TypeError),
        ({"precompressed": ["br", "lz4"]}, ValueError),
        ({"headers": {"A\n": "b"}}, ValueError),
        ({"status": 200}, TypeError),
    ],
)
def test_bad_arguments(small, arguments, error):
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(error):
        FileResponse(small, **arguments)
    with pytest.raises(TypeError):
        FileResponse()
    with pytest.raises(TypeError):
        FileResponse(None)
    assert len(os.listdir("/dev/fd")) == before


def test_attributes(small):
    response = FileResponse(small, filename="résumé.pdf", cache_control="no-cache")
    assert isinstance(response, Response) and isinstance(response.body, FileBody)
    assert response.etag == make_etag(os.stat(small))
    assert response.last_modified == THEN
    assert response.content_type == "application/pdf"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Content-Disposition"] == content_disposition("résumé.pdf")
    assert (
        FileResponse(small, filename="a", inline=True)
        .headers["Content-Disposition"]
        .startswith("inline;")
    )
    assert FileResponse(small, etag=None, last_modified=None).etag is None


def test_what_claims_to_be_an_extension(whole, variants):
    class Equal:
        def __eq__(self, other):
            return other == "gz"

        __hash__ = None

    (answer,) = ask(
        whole,
        lambda r: FileResponse(variants, precompressed=[Equal()]),
        get(("Accept-Encoding", "br, gzip")),
    )
    assert answer["Content-Encoding"] == "gzip"


def test_one_response_for_many(wire, small, large):
    """The file stays open as long as the response: what it was made with is what it sends."""
    responses = {"/small": FileResponse(small), "/large": FileResponse(large)}
    small.unlink()
    large.unlink()

    async def scenario(server, connect):
        clients = [await connect() for _ in range(3)]
        for path, content in (("/large", LARGE), ("/small", SMALL)):
            for client in clients:
                await client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            for client in clients:
                assert (await client.answer()).body == content

    wire.run(lambda r: responses[r.path], scenario)


def test_a_derived_class(wire, small):
    class Mine(FileResponse):
        def __init__(self, path, **options):
            super().__init__(path, **options)
            self.status = 200
            self.note = "mine"

    (answer,) = ask(wire, lambda r: Mine(small), get(("Range", "bytes=1-1")))
    assert (answer.status, answer.body) == (206, b"1")


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


def test_pipelined(wire, small, large):
    """A file's answers keep their order, whatever is asked meanwhile."""
    order = []

    def handler(request):
        order.append(request.path)
        return FileResponse(large if request.path == "/large" else small)

    async def scenario(server, connect):
        client = await connect()
        one = "GET /{} HTTP/1.1\r\nHost: a\r\n{}\r\n".format
        await client.send(
            (one("small", "") + one("large", "") + one("large", "Range: bytes=0-0,-1\r\n")
             + one("small", "")).encode()
        )  # fmt: skip
        answers = [await client.answer() for _ in range(4)]
        assert [len(a.body) for a in answers[:2]] == [len(SMALL), len(LARGE)]
        assert len(parts(answers[2])) == 2
        assert answers[3].body == SMALL

    wire.run(handler, scenario)
    assert order == ["/small", "/large", "/large", "/small"]


def test_nothing_is_left(small):
    import gc
    import sys

    def once():
        FileResponse(small, filename="é", cache_control="a", precompressed=True, etag='"a"')
        FileResponse(small)
        with contextlib.suppress(OSError):
            FileResponse(small.with_name("none"))
        with contextlib.suppress(ValueError):
            FileResponse(small, etag="a")

    counts = []
    for _ in range(4):
        for _ in range(300):
            once()
        gc.collect()
        counts.append(sys.getallocatedblocks())
    # One block that stays would be six hundred; a few are what the interpreter keeps by itself.
    assert counts[3] - counts[1] < 100, counts
