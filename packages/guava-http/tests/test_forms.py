"""Forms: urlencoded and multipart ones, in one piece and as they come."""

import asyncio
import gc
import os
import random
import tempfile
import threading
import weakref

import pytest
from guava_http import Limits, Request, RequestError, UploadedFile, stream_body

TYPE = "multipart/form-data; boundary=xYz"


def part(head, body=b"value"):
    lines = "\r\n".join(head) if isinstance(head, list) else head
    return b"--xYz\r\n" + lines.encode() + b"\r\n\r\n" + body + b"\r\n"


def field(name, body=b"value"):
    return part(f'Content-Disposition: form-data; name="{name}"', body)


def file(name, filename, body=b"content", kind="text/plain"):
    return part(
        [
            f'Content-Disposition: form-data; name="{name}"; filename="{filename}"',
            f"Content-Type: {kind}",
        ],
        body,
    )


END = b"--xYz--\r\n"
BOTH = (
    field("a", b"1")
    + file("up", "h\u00e9.txt", b"first\r\n--xY not the end\r\n")
    + field("b", "\u00fc".encode())
    + field("a", b"2")
    + file("up", "two.bin", bytes(range(256)), "application/octet-stream; x=y")
    + END
)


def request(body, kind=TYPE):
    return Request("POST", "/", body=body, HEADERS={"Content-Type": kind})


def message(body, kind=TYPE, path="/"):
    return (
        f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def test_fields_and_files():
    req = request(BOTH)
    assert req.POST == {"a": "2", "b": "\u00fc"} and req.POST.getlist("a") == ["1", "2"]
    assert req.form() is req.POST
    assert [name for name, _ in req.files.multi_items()] == ["up", "up"]
    first, second = req.files.getlist("up")
    assert req.files["up"] is second and req.files.getlist("none") == []
    assert (first.filename, first.content_type, first.size) == ("h\u00e9.txt", "text/plain", 25)
    assert first.read() == b"first\r\n--xY not the end\r\n"
    assert first.read() == b""
    assert second.content_type == "application/octet-stream"
    assert second.headers["content-type"] == "application/octet-stream; x=y"
    assert second.read(3) == b"\0\1\2" and len(second.read()) == 253


@pytest.mark.parametrize("asynchronous", [False, True])
def test_through_a_server(wire, asynchronous):
    def handler(req):
        return {
            "fields": req.form().multi_items(),
            "files": [[f.filename, len(f.read())] for _, f in req.files.multi_items()],
            "post": req.POST,
        }

    async def waits(req):
        await asyncio.sleep(0)
        return handler(req)

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            await client.send(message(BOTH))
            answer = await client.answer()
            assert answer.status == 200
            assert b'["a","1"],["a","2"],["b","' in answer.body
            assert b'two.bin",256]' in answer.body
            await client.send(message(b"a=1&a=2", "application/x-www-form-urlencoded"))
            assert b'"fields":[["a","1"],["a","2"]],"files":[]' in (await client.answer()).body

    wire.run(waits if asynchronous else handler, scenario)


def test_parts_as_they_come(wire):
    seen = []

    @stream_body
    async def handler(req):
        seen.clear()
        async for each in req.parts():
            if each.filename is None:
                seen.append((each.name, await each.text()))
            elif each.filename == "two.bin":
                chunks = [chunk async for chunk in each]
                seen.append((each.name, b"".join(chunks)))
            # The other file is skipped.
        return "done"

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            await client.send(message(BOTH))
            assert (await client.answer()).body == b"done"
            assert seen == [("a", "1"), ("b", "\u00fc"), ("a", "2"), ("up", bytes(range(256)))]

    wire.run(handler, scenario)


def test_parts_on_a_thread(wire):
    @stream_body
    def handler(req):
        return [[each.name, sum(map(len, each))] for each in req.parts()]

    async def scenario(server, connect):
        client = await connect()
        await client.send(message(BOTH))
        assert (await client.answer()).body == b'[["a",1],["up",25],["b",2],["a",1],["up",256]]'

    wire.run(handler, scenario)


def test_a_streamed_form(wire):
    @stream_body
    async def handler(req):
        form = await req.parts().form()
        return {"fields": form.fields, "sizes": [f.size for _, f in form.files.multi_items()]}

    async def scenario(server, connect):
        client = await connect()
        await client.send(message(BOTH))
        assert (await client.answer()).body.endswith(b'"sizes":[25,256]}')

    wire.run(handler, scenario, limits=Limits(body=500))


def test_long_files_of_a_streamed_form_are_written_on_threads(whole, monkeypatch):
    """The disk may be slow: the loop goes on meanwhile, and the bytes keep their order."""
    threads = set()
    loops = set()

    class Recorded(tempfile.SpooledTemporaryFile):
        def rollover(self):
            threads.add(threading.get_ident())
            super().rollover()

        def writelines(self, pieces):
            threads.add(threading.get_ident())
            super().writelines(pieces)

        def write(self, data):
            assert not self._rolled
            return super().write(data)

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", Recorded)
    first, second = (random.Random(i).randbytes(1_000_003 - i) for i in range(2))

    @stream_body
    async def handler(req):
        loops.add(threading.get_ident())
        form = await req.parts().form()
        files = form.files.getlist("up")
        assert [f.size for f in files] == [len(first), len(second), 5, 70_000]
        assert [f.read() for f in files] == [first, second, b"small", b"x" * 70_000]
        return "same"

    async def scenario(server, connect):
        client = await connect()
        body = file("up", "1", first) + file("up", "2", second) + field("a")
        body += file("up", "3", b"small") + file("up", "4", b"x" * 70_000) + END
        await client.send(message(body))
        assert (await client.answer()).body == b"same"

    whole.run(handler, scenario)
    assert threads and not threads & loops


# ---- files -------------------------------------------------------------------------------------


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_long_files_go_to_the_disk(native):
    seen = []

    def handler(req):
        seen.append(open_files())
        small, large = req.files.getlist("up")
        seen.append(open_files())
        assert (small.size, large.size) == (100, 101)
        assert small.read() == b"s" * 100 and large.read() == b"l" * 101
        return "done"

    async def scenario(server, connect):
        client = await connect()
        body = file("up", "s", b"s" * 100) + file("up", "l", b"l" * 101) + END
        await client.send(message(body))
        assert (await client.answer()).body == b"done"
        before, between = seen
        assert (between - before, open_files() - before) == (1, 0)

    native.run(handler, scenario, limits=Limits(part_memory=100))


def test_files_go_with_their_request():
    req = request(BOTH)
    uploaded = req.files["up"]
    kept = weakref.ref(req.files.getlist("up")[0])
    spooled = uploaded.file
    del req
    gc.collect()
    assert kept() is None
    assert uploaded.read(1) == b"\0"
    del uploaded
    assert spooled.closed


def test_save(tmp_path):
    with request(BOTH).files["up"] as uploaded:
        uploaded.read(100)
        uploaded.save(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == bytes(range(256))
    assert uploaded.file.closed


def test_names_of_files():
    def name(disposition):
        head = [f"Content-Disposition: form-data; name=f; {disposition}"]
        [(_, uploaded)] = request(part(head) + END).files.multi_items()
        assert isinstance(uploaded, UploadedFile)
        return uploaded

    assert name('filename="a b.txt"').filename == "a b.txt"
    assert name('filename="a%22b.txt"').filename == 'a"b.txt'
    assert name("filename*=UTF-8''%e2%82%ac.txt").filename == "\u20ac.txt"
    assert name("filename=\"x\"; filename*=UTF-8''%e2%82%ac.txt").filename == "\u20ac.txt"
    hostile = name('filename="../../etc/passwd"')
    assert hostile.filename.endswith("passwd") and "/" not in hostile.safe_filename


def test_no_file_was_chosen():
    req = request(file("up", "", b"", "application/octet-stream") + END)
    assert req.files == {} and req.POST == {}


# ---- what is refused ---------------------------------------------------------------------------

REFUSED = {
    "no end": field("a"),
    "cut": BOTH[:-20],
    "empty": b"",
    "another boundary": BOTH.replace(b"xYz", b"xYx"),
    "no name": part("Content-Disposition: form-data") + END,
    "empty name": field("") + END,
    "no disposition": part("Content-Type: text/plain") + END,
    "two dispositions": part(["Content-Disposition: form-data; name=a"] * 2) + END,
    "attachment": part("Content-Disposition: attachment; name=a") + END,
    "nested": part(
        ["Content-Disposition: form-data; name=a", "Content-Type: multipart/mixed; boundary=q"]
    )
    + END,
    "encoded": part(
        ["Content-Disposition: form-data; name=a", "Content-Transfer-Encoding: base64"]
    )
    + END,
    "charset": part(
        ["Content-Disposition: form-data; name=a", "Content-Type: text/plain; charset=rot13"]
    )
    + END,
    "no colon": part(["Content-Disposition: form-data; name=a", "what"]) + END,
    "bare line feed": b"--xYz\nContent-Disposition: form-data; name=a\n\nvalue\r\n" + END,
    "bytes in names": part("Content-Disposition: form-data; name=a").replace(b"a\r", b"\xff\r")
    + END,
    "a boundary in a value": field("a", b"v\r\n--xYzz more") + field("b") + END,
    "a boundary in a file": file("a", "f", b"v\r\n--xYz-\r\n--xYz") + END,
    "a NUL": part(["Content-Disposition: form-data; name=a", "X: a\0b"]) + END,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_malformed(body):
    for read in (lambda r: r.POST, lambda r: r.files, lambda r: r.form()):
        with pytest.raises(RequestError) as error:
            read(request(body))
        assert error.value.status == 400


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_malformed_as_it_comes(native, body):
    @stream_body
    async def handler(req):
        return [each.name async for each in req.parts()]

    async def scenario(server, connect):
        for step in (None, 1):
            client = await connect()
            client.step = step
            await client.send(message(body))
            assert (await client.answer()).status == 400

    native.run(handler, scenario)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a "',
        "multipart/form-data; boundary=" + "x" * 71,
        'multipart/form-data; boundary="a\u00e9"',
    ],
)
def test_boundaries(kind):
    with pytest.raises(RequestError, match="boundary") as error:
        _ = request(BOTH, kind).POST
    assert error.value.status == 400


def test_parts_of_something_else():
    with pytest.raises(RequestError) as error:
        request(b"{}", "application/json").parts()
    assert error.value.status == 415


def test_preamble_and_epilogue():
    assert request(b"Hello\r\n" + field("a") + END + b"more\r\n").POST == {"a": "value"}
    assert request(END).POST == {}


def test_charsets():
    def value(charset, body):
        head = [
            "Content-Disposition: form-data; name=a",
            f"Content-Type: text/plain; charset={charset}",
        ]
        return request(part(head, body) + END).POST["a"]

    assert value("ISO-8859-1", b"\xfc") == "\u00fc"
    assert value("utf-8", b"\xfc") == "\ufffd"
    assert value("windows-1252", b"\x80") == "\u20ac"


def test_limits(native):
    def handler(req):
        return str(len(req.form()) + len(req.files))

    async def scenario(server, connect):
        client = await connect()

        async def status(body, kind=TYPE):
            await client.send(message(body, kind))
            return (await client.answer()).status

        urlencoded = "application/x-www-form-urlencoded"
        assert await status(b"&".join(b"%d=1" % i for i in range(5)), urlencoded) == 200
        assert await status(b"&".join(b"%d=1" % i for i in range(6)), urlencoded) == 413
        assert await status(b"".join(field(i) for i in range(4)) + END) == 200
        assert await status(b"".join(field(i) for i in range(5)) + END) == 413
        assert await status(field("a" * 500) + END) == 413
        assert await status(b"".join(field("a" * 80) for i in range(4)) + END) == 413

    native.run(handler, scenario, limits=Limits(form_fields=5, form_parts=4, part_head=400))


def test_a_part_is_read_up_to_a_limit(native):
    @stream_body
    async def handler(req):
        async for each in req.parts():
            await each.read(4)
        return "never"

    async def scenario(server, connect):
        client = await connect()
        await client.send(message(field("a", b"1234") + field("b", b"12345") + END))
        assert (await client.answer()).status == 413

    native.run(handler, scenario)
