"""Bodies that handlers read while they come in: sized and chunked, refused, unread."""

import asyncio
import gc
import hashlib
import random
import threading
import time

import pytest
from guava_http import (
    BodyPolicy,
    Limits,
    RequestError,
    Response,
    body_limit,
    stream_body,
)

HEAD = b"POST /up HTTP/1.1\r\nHost: test\r\n"
BODY = bytes(range(256)) * 3


def sized(body=BODY, fields=b""):
    return HEAD + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(body=BODY, size=100, fields=b""):
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return (
        HEAD
        + fields
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        + b"0\r\n\r\n"
    )


FRAMINGS = pytest.mark.parametrize("framed", [sized, chunked])


@stream_body
async def collects(request):
    return b"".join([chunk async for chunk in request.stream()])


@stream_body
async def reads(request):
    body = await request.read()
    assert request.body == body
    return body


@stream_body
def blocks(request):
    assert threading.current_thread() is not threading.main_thread()
    return b"".join(request.stream())


@stream_body
async def echoes(request):
    return Response(request.stream())


@stream_body
def echoes_on_a_thread(request):
    yield from request.stream()


@FRAMINGS
@pytest.mark.parametrize(
    "handler", [collects, reads, blocks, echoes, echoes_on_a_thread], ids=lambda f: f.__name__
)
def test_a_body_is_read(wire, handler, framed):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            await client.send(framed())
            assert (await client.answer()).body == BODY

    wire.run(handler, scenario)


@FRAMINGS
def test_requests_behind_it_wait(wire, framed):
    async def scenario(server, connect):
        client = await connect()
        await client.send(framed() + framed(b"second") + b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert (await client.answer()).body == BODY
        assert (await client.answer()).body == b"second"
        assert (await client.answer()).body == b""

    wire.run(collects, scenario)


@FRAMINGS
def test_the_handler_runs_before_the_body_is_there(wire, framed):
    seen = []

    @stream_body
    async def handler(request):
        seen.append(request.path)
        return await request.read()

    async def scenario(server, connect):
        client = await connect()
        data = framed()
        cut = data.index(b"\r\n\r\n") + 4
        await client.send(data[:cut])
        await wire.until(lambda: seen == ["/up"])
        await client.send(data[cut:])
        assert (await client.answer()).body == BODY

    wire.run(handler, scenario)


@FRAMINGS
def test_a_handler_that_does_not_read(wire, framed):
    @stream_body
    async def handler(request):
        return request.path

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            await client.send(framed())
            assert (await client.answer()).body == b"/up"
        # Answered in the middle of it; the rest is thrown away.
        data = framed()
        await client.send(data[:150])
        assert (await client.answer()).body == b"/up"
        await client.send(data[150:])
        assert (await client.get("/next")).body == b"/next"

    wire.run(handler, scenario)


def test_a_long_body_that_nobody_reads_ends_the_connection(whole):
    @stream_body
    async def handler(request):
        return "no"

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        answer = await client.answer()
        assert answer.body == b"no" and answer["Connection"] == "close"
        assert await client.end() == b""
        client = await connect()
        await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        assert (await client.answer()).body == b"no"
        await client.send(b"10000\r\n" + b"x" * 65536)
        assert await client.end() == b""

    whole.run(handler, scenario)


def test_a_handler_that_never_reads_holds_its_client_up(whole):
    """What is unread is bounded: the rest stays with the client."""
    go = []

    @stream_body
    async def handler(request):
        while not go:
            await asyncio.sleep(0.01)
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            assert len(chunk) <= 256 * 1024
        return str(size)

    async def scenario(server, connect):
        client = await connect()
        size = 40_000_000
        await client.send(HEAD + b"Content-Length: %d\r\n\r\n" % size)
        sending = asyncio.create_task(client.loop.sock_sendall(client.sock, b"x" * size))
        await asyncio.sleep(0.1)
        assert not sending.done()
        go.append(1)
        assert (await client.answer()).body == b"40000000"
        await sending

    whole.run(handler, scenario)


LONG = random.Random(5).randbytes(3_000_000)


@stream_body
async def dawdles(request):
    """Bytes come in all the ways: while it waits, in a row while it does not, and too many."""
    digest = hashlib.sha256()
    n = 0
    async for chunk in request.stream():
        digest.update(chunk)
        n += 1
        for _ in range(n % 7):
            await asyncio.sleep(0)
    return digest.hexdigest()


@stream_body
def dawdles_on_a_thread(request):
    digest = hashlib.sha256()
    for n, chunk in enumerate(request.stream()):
        digest.update(chunk)
        if n % 5 == 0:
            time.sleep(0.001)
    return digest.hexdigest()


@FRAMINGS
@pytest.mark.parametrize("handler", [dawdles, dawdles_on_a_thread], ids=lambda f: f.__name__)
def test_a_long_body_comes_whole_and_in_order(whole, handler, framed):
    sizes = random.Random(6)

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):  # the second through what the first has left
            rest = framed(LONG) if framed is sized else framed(LONG, 5000)
            while rest:
                size = sizes.choice([1, 500, 4095, 4096, 70_000, 400_000])
                await client.send(rest[:size])
                rest = rest[size:]
            assert (await client.answer()).body.decode() == hashlib.sha256(LONG).hexdigest()

    whole.run(handler, scenario)


# ---- Expect: 100-continue ----------------------------------------------------------------------


@FRAMINGS
def test_continue_when_it_begins_to_read(wire, framed):
    begin = asyncio.Event()

    @stream_body
    async def handler(request):
        await begin.wait()
        return await request.read()

    async def scenario(server, connect):
        client = await connect()
        data = framed(fields=b"Expect: 100-continue\r\n")
        cut = data.index(b"\r\n\r\n") + 4
        await client.send(data[:cut])
        await wire.turns(20)
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.sock.recv(1)
        begin.set()
        assert (await client.head()).status == 100
        await client.send(data[cut:])
        assert (await client.answer()).body == BODY
        assert (await client.get()).status == 200

    wire.run(handler, scenario)


def test_no_continue_when_it_does_not_read(wire):
    @stream_body
    async def handler(request):
        return Response("no", status=403)

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        answer = await client.answer()
        assert answer.status == 403 and answer["Connection"] == "close"
        assert await client.end() == b""

    wire.run(handler, scenario)


# ---- limits ------------------------------------------------------------------------------------


def test_limits(wire):
    calls = []

    @stream_body(limit=1000)
    async def handler(request):
        calls.append(request.path)
        return await request.read(2000)

    async def scenario(server, connect):
        client = await connect()
        await client.send(sized(b"x" * 1000))
        assert (await client.answer()).status == 200
        client = await connect()
        await client.send(HEAD + b"Content-Length: 1001\r\n\r\n")
        assert (await client.answer()).status == 413
        assert await client.end() == b""
        assert len(calls) == 1
        client = await connect()
        await client.send(chunked(b"x" * 1001))
        assert (await client.answer()).status == 413
        assert await client.end() == b""

    wire.run(handler, scenario, limits=Limits(body=10))


@FRAMINGS
def test_read_is_bounded_by_the_servers_limit(whole, framed):
    async def scenario(server, connect):
        client = await connect()
        await client.send(framed(b"x" * 101))
        assert (await client.answer()).status == 413
        client = await connect()
        await client.send(framed(b"x" * 100))
        assert (await client.answer()).body == b"x" * 100

    whole.run(reads, scenario, limits=Limits(body=100))


@FRAMINGS
def test_body_limit(wire, framed):
    @body_limit(200)
    def more(request):
        return request.body

    @body_limit(20)
    async def less(request):
        return request.body

    async def scenario(server, connect):
        for size, status in ((len(BODY), 413), (201, 413), (200, 200)):
            client = await connect()
            await client.send(framed(b"x" * size))
            assert (await client.answer()).status == status

    async def scenario_less(server, connect):
        for size, status in ((21, 413), (20, 200)):
            client = await connect()
            await client.send(framed(b"x" * size))
            assert (await client.answer()).status == status

    wire.run(more, scenario, limits=Limits(body=100))
    wire.run(less, scenario_less, limits=Limits(body=100))


def test_a_policy_for_each_request(wire):
    class App:
        asked = []

        def __guava_body__(self, request):
            self.asked.append(request.path)
            if request.path == "/stream":
                return BodyPolicy(stream=True)
            if request.path == "/thread":
                return BodyPolicy(stream=True, thread=True)
            if request.path == "/small":
                return BodyPolicy(limit=3)
            if request.path == "/fails":
                raise RequestError("no")
            return None

        def __call__(self, request):
            if request.path == "/stream":
                return self.streams(request)
            if request.path == "/thread":
                return b"".join(request.stream())
            return request.body

        async def streams(self, request):
            return b"".join([chunk async for chunk in request.stream()])

    async def scenario(server, connect):
        client = await connect()
        for path in ("/stream", "/thread", "/plain"):
            await client.send(sized(b"12345").replace(b"/up", path.encode()))
            assert (await client.answer()).body == b"12345"
        assert (await client.get("/nothing")).body == b""
        assert App.asked == ["/stream", "/thread", "/plain"]
        await client.send(sized(b"12345").replace(b"/up", b"/small"))
        assert (await client.answer()).status == 413
        client = await connect()
        await client.send(sized(b"12345").replace(b"/up", b"/fails"))
        assert (await client.answer()).status == 400

    App.asked.clear()
    wire.run(App(), scenario)


# ---- refused in the middle ---------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["stream", "read", "thread"])
def test_refused_in_the_middle(wire, reader):
    """What is seen to be malformed before the handler is called is refused without it."""
    errors = []
    begun = []

    @stream_body
    async def handler(request):
        begun.append(1)
        try:
            if reader == "stream":
                return b"".join([chunk async for chunk in request.stream()])
            return await request.read()
        except RequestError as error:
            errors.append(error.status)
            raise

    @stream_body
    def thread(request):
        begun.append(1)
        try:
            return b"".join(request.stream())
        except RequestError as error:
            errors.append(error.status)
            raise

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        await client.send(b"5\r\nhello\r\n")
        await wire.until(lambda: begun)
        await client.send(b"zz\r\nhello\r\n" + b"x" * 100)
        answer = await client.answer()
        assert answer.status == 400 and answer["Connection"] == "close"
        assert await client.end() == b""
        assert errors == [400]

    wire.run(thread if reader == "thread" else handler, scenario)


def test_refused_after_the_answer_began(wire, caplog):
    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        assert (await client.head()).status == 200
        assert await client.exactly(10) == b"5\r\nhello\r\n"
        await client.send(b"zz\r\n")
        assert not (await client.end()).endswith(b"0\r\n\r\n")

    # One piece, so that the echo is one chunk.
    wire.step = None
    wire.run(echoes, scenario)


# ---- misuse ------------------------------------------------------------------------------------


def test_what_needs_the_whole_body_says_so(native):
    said = []

    @stream_body
    async def handler(request):
        for read in (
            lambda: request.body,
            lambda: request.json(),
            lambda: request.POST,
            lambda: request.form(),
            lambda: request.files,
        ):
            with pytest.raises(RuntimeError, match="streamed"):
                read()
            said.append(1)
        with pytest.raises(RuntimeError, match="async for"):
            next(iter(request.stream()))
        await request.read()
        assert request.json() == {"a": 1}
        assert b"".join([chunk async for chunk in request.stream()]) == b'{"a": 1}'
        return "done"

    async def scenario(server, connect):
        client = await connect()
        await client.send(sized(b'{"a": 1}'))
        assert (await client.answer()).body == b"done"
        assert len(said) == 5

    native.run(handler, scenario)


def test_a_stream_ends_with_its_answer(native):
    later = []

    @stream_body
    async def handler(request):
        later.append(request.stream())
        return "done"

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 10\r\n\r\n")
        assert (await client.answer()).body == b"done"
        with pytest.raises(RuntimeError, match="answered"):
            await anext(later[0])
        await client.send(b"1234567890")
        assert (await client.get()).status == 200

    native.run(handler, scenario)


def test_two_readers(native):
    waiting = asyncio.Event()

    @stream_body
    async def handler(request):
        both = asyncio.gather(request.read(), anext(request.stream()), return_exceptions=True)
        await native.turns()
        waiting.set()
        results = await both
        return [type(result).__name__ for result in results]

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 2\r\n\r\n")
        await waiting.wait()
        await client.send(b"12")
        assert (await client.answer()).body == b'["bytes","RuntimeError"]'

    native.run(handler, scenario)


def test_a_wait_that_is_cancelled_may_be_repeated(wire):
    cancelled = asyncio.Event()

    @stream_body
    async def handler(request):
        stream = request.stream()
        try:
            async with asyncio.timeout(0.01):
                await anext(stream)
        except TimeoutError:
            cancelled.set()
        return await request.read()

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 2\r\n\r\n")
        await cancelled.wait()
        await client.send(b"12")
        assert (await client.answer()).body == b"12"

    wire.run(handler, scenario)


def test_a_buffered_body_can_be_streamed_too(wire):
    async def handler(request):
        first = b"".join([chunk async for chunk in request.stream()])
        assert first == b"".join(request.stream()) == await request.read() == request.body
        return first

    async def scenario(server, connect):
        client = await connect()
        await client.send(sized())
        assert (await client.answer()).body == BODY

    wire.run(handler, scenario)


@pytest.mark.parametrize("limit", [-1, "1", 1.0, True])
def test_limits_are_checked(limit):
    with pytest.raises((TypeError, ValueError), match="limit"):
        stream_body(limit=limit)
    with pytest.raises((TypeError, ValueError), match="limit"):
        body_limit(limit)


def test_what_is_marked_is_a_handler():
    with pytest.raises(TypeError, match=r"int is not; .*: @stream_body\(limit=n\)"):
        stream_body(1024)
    with pytest.raises(TypeError, match="NoneType is not"):
        body_limit(1024)(None)


def test_marks_add_up():
    @body_limit(5)
    @stream_body
    def both(request): ...

    assert both.__guava_body__ == BodyPolicy(stream=True, limit=5, thread=True)


def test_nothing_is_left_over(native):
    async def scenario(server, connect):
        async def once():
            client = await connect()
            await client.send(sized() + chunked())
            await client.answer()
            await client.answer()
            client.close()

        await once()
        await native.until(lambda: server.connections == 0)
        gc.collect()
        before = sum(type(o).__name__ == "BodyReader" for o in gc.get_objects())
        for _ in range(20):
            await once()
        await native.until(lambda: server.connections == 0)
        assert sum(type(o).__name__ == "BodyReader" for o in gc.get_objects()) <= before

    native.run(collects, scenario)
