"""Compression of answers: what is compressed and what is not, and that nothing stalls by it."""

import asyncio
import gzip
import importlib.util
import zlib

import pytest
from guava_http import Compression, EventStream, FileBody, Response
from guava_http.compression import _installed

TEXT = "".join(f"line {i} of a text that repeats itself\n" for i in range(400))
LARGE = TEXT * 30
GZIP = "Accept-Encoding: gzip\r\n"


def decoded(coding, data):
    if coding == "br":
        import brotli

        return brotli.decompress(data)
    if coding == "zstd":
        name = "compression.zstd"
        if importlib.util.find_spec("backports") is not None:
            name = "backports.zstd"
        return importlib.import_module(name).ZstdDecompressor().decompress(data)
    return gzip.decompress(data)


def pieces():
    yield TEXT[:5000]
    yield ""
    yield TEXT[5000:].encode()


async def later():
    for piece in pieces():
        await asyncio.sleep(0)
        yield piece


async def coroutine():
    await asyncio.sleep(0)
    return TEXT


GIVEN = {
    "str": lambda request: TEXT,
    "bytes": lambda request: TEXT.encode(),
    "response": lambda request: Response(TEXT),
    "tuple": lambda request: (TEXT, 200),
    "coroutine": lambda request: coroutine(),
    "iterator": lambda request: pieces(),
    "async": lambda request: later(),
    "length": lambda request: Response(pieces(), headers={"Content-Length": str(len(TEXT))}),
}


@pytest.mark.parametrize("handler", GIVEN.values(), ids=list(GIVEN))
def test_what_a_handler_gives(wire, handler):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get("/", GZIP)
            assert (answer["Content-Encoding"], answer["Vary"]) == ("gzip", "Accept-Encoding")
            assert answer["Content-Type"] == "text/html; charset=utf-8"
            assert gzip.decompress(answer.body).decode() == TEXT
            assert len(answer.body) < len(TEXT) / 3
            answer = await client.get()
            assert "Content-Encoding" not in answer
            assert (answer["Vary"], answer.body.decode()) == ("Accept-Encoding", TEXT)

    wire.run(handler, scenario, compress=True)


@pytest.mark.parametrize("coding", _installed())
@pytest.mark.parametrize("kind", ["str", "async"])
def test_codings(whole, coding, kind):
    async def scenario(server, connect):
        answer = await (await connect()).get("/", f"Accept-Encoding: {coding}\r\n")
        assert answer["Content-Encoding"] == coding
        assert decoded(coding, answer.body).decode() == TEXT

    whole.run(GIVEN[kind], scenario, compress=True)


@pytest.mark.parametrize(
    ("field", "coding"),
    [
        ("gzip;q=0", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("*", "gzip"),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("GZIP", "gzip"),
        ("deflate, compress", None),
        ("gzip;q=banana", None),
    ],
)
def test_what_the_client_wants(native, field, coding):
    async def scenario(server, connect):
        answer = await (await connect()).get("/", f"Accept-Encoding: {field}\r\n")
        if coding is None:
            assert "Content-Encoding" not in answer
            assert answer.body.decode() == TEXT
        else:
            assert answer["Content-Encoding"] == coding
        assert answer["Vary"] == "Accept-Encoding"

    native.run(lambda request: TEXT, scenario, compress=Compression(codings=("gzip",)))


LEFT_ALONE = {
    "short": lambda: "short",
    "none": lambda: Response(None),
    "image": lambda: Response(TEXT.encode(), content_type="image/png"),
    "no type": lambda: Response(TEXT.encode(), content_type="application/octet-stream"),
    "encoded": lambda: Response(TEXT, headers={"Content-Encoding": "x"}),
    "range": lambda: Response(TEXT, 206, {"Content-Range": "bytes 0-9/10"}),
    "206": lambda: Response(TEXT, 206),
    "no-transform": lambda: Response(TEXT, headers={"Cache-Control": "public, No-Transform"}),
    "digest": lambda: Response(TEXT, headers={"Content-Digest": "sha-256=:AA==:"}),
}


@pytest.mark.parametrize("made", LEFT_ALONE.values(), ids=list(LEFT_ALONE))
def test_what_is_left_alone(whole, made):
    async def scenario(server, connect):
        client = await connect()
        plain = await client.get()
        answer = await client.get("/", GZIP)
        strip = [field for field in answer.fields if field[0] != "Date"]
        assert strip == [field for field in plain.fields if field[0] != "Date"]
        assert answer.body == plain.body

    whole.run(lambda request: made(), scenario, compress=True)


def test_files_are_left_alone(whole, tmp_path):
    (tmp_path / "file.html").write_text(TEXT)

    def handler(request):
        return Response(FileBody(tmp_path / "file.html"), content_type="text/html")

    async def scenario(server, connect):
        answer = await (await connect()).get("/", GZIP)
        assert "Content-Encoding" not in answer
        assert answer.body.decode() == TEXT

    whole.run(handler, scenario, compress=True)


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(wire, status):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get("/", GZIP)
            assert answer.status == status
            assert "Content-Encoding" not in answer

    wire.run(lambda request: Response(TEXT, status), scenario, compress=True)


@pytest.mark.parametrize("kind", ["str", "iterator", "async"])
def test_head_has_the_fields_of_get(wire, kind):
    async def scenario(server, connect):
        client = await connect()
        answer = await client.get("/", GZIP)
        await client.send(f"HEAD / HTTP/1.1\r\nHost: a\r\n{GZIP}\r\n".encode())
        head = await client.answer("HEAD")
        assert [f for f in head.fields if f[0] != "Date"] == [
            f for f in answer.fields if f[0] != "Date"
        ]
        assert (await client.get("/", GZIP)).status == 200

    wire.run(GIVEN[kind], scenario, compress=True)


@pytest.mark.parametrize("kind", ["str", "iterator", "async"])
def test_a_client_of_1_0(wire, kind):
    async def scenario(server, connect):
        client = await connect()
        await client.send(f"GET / HTTP/1.0\r\n{GZIP}\r\n".encode())
        head = await client.head()
        assert "Transfer-Encoding" not in head
        assert gzip.decompress(await client.end()).decode() == TEXT

    wire.run(GIVEN[kind], scenario, compress=True)


@pytest.mark.parametrize(
    ("given", "sent"), [('"abc"', 'W/"abc"'), ('W/"abc"', 'W/"abc"')], ids=["strong", "weak"]
)
def test_the_entity_tag_is_weak(native, given, sent):
    async def scenario(server, connect):
        client = await connect()
        assert (await client.get("/", GZIP))["ETag"] == sent
        assert (await client.get())["ETag"] == given

    native.run(lambda request: Response(TEXT, headers={"ETag": given}), scenario, compress=True)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("Cookie", ["Cookie", "Accept-Encoding"]),
        ("accept-ENCODING", ["accept-ENCODING"]),
        ("*", ["*"]),
    ],
)
def test_vary(native, given, names):
    async def scenario(server, connect):
        answer = await (await connect()).get("/", GZIP)
        assert [value for name, value in answer.fields if name == "Vary"] == names

    native.run(lambda request: Response(TEXT, headers={"Vary": given}), scenario, compress=True)


def test_a_response_that_is_given_again_is_not_changed(whole):
    response = Response(TEXT, 203, {"ETag": '"a"'}, reason="Mine")

    async def scenario(server, connect):
        client = await connect()
        for _ in range(3):
            answer = await client.get("/", GZIP)
            assert gzip.decompress(answer.body).decode() == TEXT
            assert (answer.status, answer.reason) == (203, "Mine")
        assert (await client.get()).body.decode() == TEXT

    whole.run(lambda request: response, scenario, compress=True)
    assert response.body == TEXT
    assert response.headers.multi_items() == [("ETag", '"a"')]


@pytest.mark.parametrize("kind", ["str", "async def", "async pieces", "pieces"])
def test_large_bodies_are_compressed_on_a_thread(whole, kind):
    async def given():
        return LARGE

    async def large_pieces():
        yield LARGE

    def handler(request):
        return {
            "str": LARGE,
            "async def": given(),
            "async pieces": large_pieces(),
            "pieces": iter([LARGE]),
        }[kind]

    def only(request):
        # What is not used is closed, so that nothing is left to warn of.
        made = {"str": lambda: LARGE, "async def": given, "async pieces": large_pieces}
        return made.get(kind, lambda: iter([LARGE]))()

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get("/", GZIP)
            assert gzip.decompress(answer.body).decode() == LARGE
        await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{GZIP}\r\n".encode())
        client.reset()
        await whole.until(lambda: server.connections == 0)
        assert (await (await connect()).get()).body.decode() == LARGE

    del handler
    whole.run(only, scenario, compress=True)


@pytest.mark.parametrize("coding", _installed())
def test_each_piece_can_be_read_when_it_is_made(whole, coding):
    """What has come must be enough to read the piece: a coder that gathers would stall here."""
    go_on = asyncio.Event()

    async def source():
        yield "first"
        await go_on.wait()
        yield "second"

    def inflater():
        if coding == "gzip":
            return zlib.decompressobj(31).decompress
        if coding == "br":
            import brotli

            return brotli.Decompressor().process
        name = "compression.zstd"
        if importlib.util.find_spec("backports") is not None:
            name = "backports.zstd"
        return importlib.import_module(name).ZstdDecompressor().decompress

    async def scenario(server, connect):
        inflate = inflater()
        client = await connect()
        await client.send(
            f"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n".encode()
        )
        assert (await client.head())["Content-Encoding"] == coding
        text = b""
        while text != b"first":
            text += inflate(await client.exactly(int(await client.line(), 16)))
            await client.line()
        go_on.set()
        while size := int(await client.line(), 16):
            text += inflate(await client.exactly(size))
            await client.line()
        assert text == b"firstsecond"

    whole.run(lambda request: source(), scenario, compress=True)


def test_events_are_compressed_one_by_one_and_end_with_the_server(whole):
    async def source():
        yield "one"
        await asyncio.Event().wait()

    async def scenario(server, connect):
        inflate = zlib.decompressobj(31).decompress
        client = await connect()
        await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{GZIP}\r\n".encode())
        assert (await client.head())["Content-Type"] == "text/event-stream"
        text = b""
        while b"data: one\n\n" not in text:
            text += inflate(await client.exactly(int(await client.line(), 16)))
            await client.line()
        closing = asyncio.create_task(server.close(None))
        while size := int(await client.line(), 16):
            text += inflate(await client.exactly(size))
            await client.line()
        await closing

    whole.run(lambda request: EventStream(source()), scenario, compress=True)


def test_a_source_is_closed_when_its_client_leaves(whole, caplog):
    ended = []

    async def source(path):
        try:
            while True:
                yield "x" * 10_000
                if path == "/waits":
                    await asyncio.Event().wait()
                await asyncio.sleep(0)
        finally:
            ended.append(path)

    async def scenario(server, connect):
        for path in ("/waits", "/goes-on"):
            client = await connect()
            await client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n{GZIP}\r\n".encode())
            await client.exactly(100)
            client.reset()
            await whole.until(lambda path=path: path in ended)

    whole.run(lambda request: source(request.path), scenario, compress=True)
    assert caplog.records == []


def test_a_response_has_a_say(native):
    def handler(request):
        response = Response(TEXT)
        response.compression = {"/on": True, "/off": False, "/": None}[request.path]
        return response

    async def without(server, connect):
        client = await connect()
        assert "Content-Encoding" in await client.get("/on", GZIP)
        assert "Content-Encoding" not in await client.get("/off", GZIP)
        assert "Content-Encoding" not in await client.get("/", GZIP)

    async def with_(server, connect):
        client = await connect()
        assert "Content-Encoding" in await client.get("/on", GZIP)
        assert "Content-Encoding" not in await client.get("/off", GZIP)
        assert "Content-Encoding" in await client.get("/", GZIP)

    native.run(handler, without)
    native.run(handler, with_, compress=True)
    for wrong in (1, "gzip", Compression()):
        with pytest.raises(TypeError):
            Response().compression = wrong


def test_what_no_handler_may_give_is_still_told(native, caplog):
    async def scenario(server, connect):
        assert (await (await connect()).get("/", GZIP)).status == 500

    native.run(lambda request: 5, scenario, compress=True)
    assert "a handler gave int" in str(caplog.records[0].exc_info[1])


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ValueError, {"codings": ("deflate",)}),
        (ValueError, {"minimum": -1}),
        (ValueError, {"gzip_level": 0}),
        (ValueError, {"gzip_level": 10}),
        (ValueError, {"brotli_level": 12}),
        (ValueError, {"zstd_level": 23}),
        (TypeError, {"minimum": 1.5}),
        (TypeError, {"gzip_level": True}),
    ],
)
def test_options_out_of_range(kind, arguments):
    with pytest.raises(kind):
        Compression(**arguments)


def test_types_and_minimum_of_ones_own(native):
    def handler(request):
        return Response(TEXT, content_type=request.path[1:].replace("_", "+"))

    async def scenario(server, connect):
        client = await connect()
        for path, yes in [("/a/b_cbor", 1), ("/a/b", 1), ("/c/d", 0), ("/text/html", 0)]:
            assert ("Content-Encoding" in await client.get(path, GZIP)) == bool(yes)

    native.run(handler, scenario, compress=Compression(types=("+cbor", "A/"), minimum=0))
