"""Server-sent events: what one looks like, and streams of them on all four kinds of streams."""

import asyncio
import gc
import json
import weakref

import pytest
from guava_http import EventStream, ServerSentEvent

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def event(client):
    """The next event or comment as its lines; chunks are of no meaning."""
    if not hasattr(client, "text"):
        client.text = b""
    while b"\n\n" not in client.text:
        size = int(await client.line(), 16)
        assert size > 0, "the stream has ended"
        client.text += await client.exactly(size)
        assert await client.line() == ""
    found, _, client.text = client.text.partition(b"\n\n")
    return found.decode().split("\n")


# ---- one event ----


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (ServerSentEvent("a"), "data: a\n\n"),
        (ServerSentEvent(""), "data: \n\n"),
        (ServerSentEvent("a\nb\r\nc\rd"), "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (ServerSentEvent("a\n"), "data: a\ndata: \n\n"),
        (ServerSentEvent("a\x0b\x0c\x85\u2028b"), "data: a\x0b\x0c\x85\u2028b\n\n"),
        (ServerSentEvent(b"caf\xc3\xa9"), "data: caf\u00e9\n\n"),
        (ServerSentEvent("x", event="e", id="7"), "id: 7\nevent: e\ndata: x\n\n"),
        (ServerSentEvent(id=""), "id: \n\n"),
        (ServerSentEvent(retry=0), "retry: 0\n\n"),
        (ServerSentEvent(comment="a\nb"), ": a\n: b\n\n"),
    ],
)
def test_event(made, text):
    assert made.encode().decode() == text


@pytest.mark.parametrize("data", [{"a": [1, "x\ny"]}, [1, None], 5, True, {}])
def test_other_data_is_json(data):
    text = ServerSentEvent(data).encode().decode()
    assert text.count("\n") == 2
    assert json.loads(text.removeprefix("data: ")) == data


@pytest.mark.parametrize("name", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\n", "a\r\ndata: forged"])
def test_no_line_breaks(name, value):
    with pytest.raises(ValueError, match="line breaks"):
        ServerSentEvent("x", **{name: value})


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ValueError, {}),
        (ValueError, {"id": "a\0b"}),
        (ValueError, {"retry": -1}),
        (ValueError, {"data": b"\xff"}),
        (TypeError, {"retry": 1.5}),
        (TypeError, {"retry": True}),
        (TypeError, {"id": 5}),
        (TypeError, {"event": b"e"}),
        (TypeError, {"data": {1, 2}.__iter__()}),
    ],
)
def test_what_is_no_event(kind, arguments):
    with pytest.raises(kind):
        ServerSentEvent(**arguments)


@pytest.mark.parametrize("source", [None, 5, "text", b"bytes", {"a": 1}])
def test_what_is_no_source(source):
    with pytest.raises(TypeError):
        EventStream(source)


@pytest.mark.parametrize("name", ["ping", "retry"])
def test_what_is_no_number(name):
    for value in ("15", b"15", True, [15]):
        with pytest.raises(TypeError, match=f"^{name} must be an? "):
            EventStream([], **{name: value})


@pytest.mark.parametrize("arguments", [{"ping": 0}, {"ping": -1}, {"ping": 1e9}, {"retry": -1}])
def test_numbers_out_of_range(arguments):
    with pytest.raises(ValueError):
        EventStream(iter([]), **arguments)


# ---- streams ----


async def few():
    yield "one"
    await asyncio.sleep(0)
    yield {"n": 2}
    yield ServerSentEvent("three", id="3")


KINDS = [
    lambda request: EventStream(few(), retry=500),
    lambda request: EventStream(
        iter(["one", {"n": 2}, ServerSentEvent("three", id="3")]), retry=500
    ),
]
TEXT = b'retry: 500\n\ndata: one\n\ndata: {"n":2}\n\nid: 3\ndata: three\n\n'


@pytest.mark.parametrize("handler", KINDS)
def test_a_stream_that_ends(wire, handler):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert answer["Content-Type"] == "text/event-stream"
            assert answer["Cache-Control"] == "no-store"
            assert answer["X-Accel-Buffering"] == "no"
            assert answer.body == TEXT
        await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer("HEAD"))["Content-Type"] == "text/event-stream"
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert "Transfer-Encoding" not in await client.head()
        assert await client.end() == TEXT

    wire.run(handler, scenario)


def test_fields_of_ones_own():
    stream = EventStream(few(), headers={"cache-control": "no-cache", "X-A": "b"}, status=201)
    assert stream.status == 201
    assert stream.headers["Cache-Control"] == "no-cache"
    assert stream.headers["X-A"] == "b"
    assert stream.content_type == "text/event-stream"


def test_the_head_does_not_wait_and_each_event_goes_out_at_once(whole):
    events = asyncio.Queue()

    async def source():
        while True:
            yield await events.get()

    async def scenario(server, connect):
        client = await connect()
        await client.send(GET)
        assert (await client.head()).status == 200
        assert await event(client) == [":"]
        for i in range(3):
            events.put_nowait({"n": i})
            assert await event(client) == [f'data: {{"n":{i}}}']
        client.reset()
        await whole.until(lambda: server.connections == 0)

    whole.run(lambda request: EventStream(source()), scenario)


def test_the_client_says_where_it_was(whole):
    def handler(request):
        last = int(request.headers.get("Last-Event-ID", "0"))
        return EventStream(iter([ServerSentEvent("x", id=str(last + 1))]))

    async def scenario(server, connect):
        client = await connect()
        assert b"id: 1\n" in (await client.get()).body
        assert b"id: 42\n" in (await client.get("/", "Last-Event-ID: 41\r\n")).body

    whole.run(handler, scenario)


def test_comments_while_the_source_is_silent(whole):
    async def source():
        await asyncio.Event().wait()
        yield "never"

    async def scenario(server, connect):
        client = await connect()
        await client.send(GET)
        await client.head()
        assert await event(client) == [":"]
        for _ in range(3):
            assert await event(client) == [": ping"]
        client.reset()
        await whole.until(lambda: server.connections == 0)

    whole.run(lambda request: EventStream(source(), ping=0.01), scenario)


def test_the_source_ends_when_the_client_leaves(whole, caplog):
    ended = []

    async def source(path):
        try:
            async with asyncio.timeout(1000):
                while True:
                    yield "x" * 1000
                    if path == "/silent":
                        await asyncio.Event().wait()
                    await asyncio.sleep(0)
        finally:
            ended.append(path)

    async def scenario(server, connect):
        for path in ("/silent", "/busy"):
            client = await connect()
            await client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            await client.exactly(500)
            client.reset()
            await whole.until(lambda path=path: path in ended)
        await whole.until(lambda: server.connections == 0)
        await whole.until(lambda: len(asyncio.all_tasks()) == 1)

    whole.run(lambda request: EventStream(source(request.path)), scenario)
    assert caplog.records == []


def test_a_client_that_does_not_read_makes_the_source_wait(whole):
    made = 0

    async def source():
        nonlocal made
        while True:
            made += 1
            yield "x" * 10_000

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(GET)
        before = -1
        while made != before:  # for ever, if it does not wait
            before = made
            await asyncio.sleep(0.1)
        assert made > 0
        await client.exactly(10_000_000)
        assert made > before
        client.reset()

    whole.run(lambda request: EventStream(source()), scenario)


def test_a_source_that_fails_cuts_the_stream(wire, caplog):
    async def source():
        yield "first"
        raise RuntimeError("second")

    async def scenario(server, connect):
        client = await connect()
        await client.send(GET)
        assert not (await client.end()).endswith(b"0\r\n\r\n")

    wire.run(lambda request: EventStream(source()), scenario)
    assert [str(record.exc_info[1]) for record in caplog.records] == ["second"]


def test_what_is_no_event_cuts_the_stream(whole, caplog):
    async def scenario(server, connect):
        client = await connect()
        await client.send(GET)
        assert not (await client.end()).endswith(b"0\r\n\r\n")

    whole.run(lambda request: EventStream(iter([5])), scenario)
    assert "not int" in str(caplog.records[0].exc_info[1])


def test_a_server_that_closes_ends_its_streams(whole):
    ended = asyncio.Event()

    async def source():
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def scenario(server, connect):
        client = await connect()
        await client.send(GET)
        await client.head()
        while await event(client) != ["data: first"]:
            pass
        # Were the stream not ended, this would take as long as the whole test may.
        await asyncio.gather(server.close(None), ended.wait())
        assert await client.end() == b"0\r\n\r\n"

    whole.run(lambda request: EventStream(source()), scenario)


def test_streams_leave_nothing_behind(whole):
    references = []

    class Source:
        def __aiter__(self):
            return self

        async def __anext__(self):
            await asyncio.sleep(0)
            raise StopAsyncIteration

    def handler(request):
        source = Source()
        references.append(weakref.ref(source))
        return EventStream(source)

    async def scenario(server, connect):
        client = await connect()
        for _ in range(3):
            await client.get()

    whole.run(handler, scenario)
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
