"""FileResponse on the wire: what of a file goes out, by what the request asks and knows."""

import asyncio
import contextlib
import email.utils
import os
import time

import pytest
from guava_http import (
    FileBody,
    FileResponse,
    Response,
    content_disposition,
    http_date,
    make_etag,
)

SMALL = b"0123456789" * 100
LARGE = bytes(range(256)) * 4096  # a megabyte, beyond every buffer
THEN = 1_700_000_000


def get(*fields):
    return ("GET", fields)


def test_whole(wire, small):
    (answer, head) = wire.ask(lambda r: FileResponse(small), get(), ("HEAD", []))
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
    answers = wire.ask(handler, get(), get(("Range", "bytes=5-300004")), get())
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
    answer, head, after = wire.ask(
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
    answer, after = wire.ask(
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
    answers = native.ask(lambda r: FileResponse(small), *[get(("Range", "bytes=0-0,-1"))] * 2)
    assert answers[0]["Content-Type"] != answers[1]["Content-Type"]


@pytest.mark.parametrize("value", ["bytes=5-4", "lines=1-2", "bytes=a-", "bytes=" + "0-0," * 17])
def test_ranges_that_are_ignored(wire, small, value):
    (answer,) = wire.ask(lambda r: FileResponse(small), get(("Range", value)))
    assert (answer.status, answer.body) == (200, SMALL)


def test_ranges_that_are_not_there(wire, small):
    answers = wire.ask(
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
    answers = wire.ask(
        handler, get(), get(("Range", "bytes=-1")), get(("Range", "bytes=0-")), get()
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
    answer, head, after = whole.ask(
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
    (answer,) = native.ask(
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
    answers = wire.ask(handler, ("GET", fields), ("POST", [*fields, ("Content-Length", "0")]))
    assert [(a.status, a.body) for a in answers] == [(404, SMALL), (200, SMALL)]
    assert "Accept-Ranges" not in answers[0]


def test_own_validators(wire, small):
    def handler(request):
        return FileResponse(small, etag='W/"v1"', last_modified=THEN - 500)

    answer, same, ranged, without = wire.ask(
        handler,
        get(),
        get(("If-None-Match", '"v1"')),
        get(("If-Range", 'W/"v1"'), ("Range", "bytes=0-1")),
        get(("If-Modified-Since", http_date(THEN - 500))),
    )
    assert (answer["ETag"], answer["Last-Modified"]) == ('W/"v1"', http_date(THEN - 500))
    assert [same.status, ranged.status, without.status] == [304, 200, 304]


def test_no_validators(wire, small):
    answer, again = wire.ask(
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

    answer, same = wire.ask(handler, get(), get(("If-None-Match", '"mine"')))
    assert answer["ETag"] == '"mine"' and answer["Last-Modified"] == BEFORE
    assert answer["Accept-Ranges"] == "none" and answer["X-Content-Type-Options"] == "no"
    assert "Set-Cookie" in answer
    assert same.status == 304


def test_many_fields(wire, small):
    fields = {f"X-{i}": "v" * 50 for i in range(60)}
    answer, ranged = wire.ask(
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

    (answer,) = wire.ask(handler, get(("Range", "bytes=0-1")))
    assert (answer.status, answer.body) == (200, b"other")


# ---- the constructor ---------------------------------------------------------------------------


def test_files_that_are_open(wire, small):
    fd = os.open(small, os.O_RDONLY)
    with small.open("rb") as file:
        sources = iter([fd, file, FileBody(small), FileBody(small, 10, 20)])
        answers = wire.ask(
            lambda r: FileResponse(next(sources)), *[get(("Range", "bytes=2-4"))] * 4
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

    (answer,) = wire.ask(lambda r: Mine(small), get(("Range", "bytes=1-1")))
    assert (answer.status, answer.body) == (206, b"1")


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
