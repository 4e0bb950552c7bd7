"""Bodies made piece by piece: framing, pace, failures, and clients that leave."""

import asyncio
import gc
import weakref

import pytest
from guava_http import Response


def plain(request):
    for i in range(4):
        yield f"piece {i}\n"


async def waiting(request):
    async def pieces():
        for i in range(4):
            await asyncio.sleep(0)
            yield f"piece {i}\n".encode()

    return pieces()


def at_once(request):
    async def pieces():
        for i in range(4):
            yield f"piece {i}\n"

    return pieces()


def response(request):
    return Response((f"piece {i}\n" for i in range(4)), content_type="text/plain")


def kinds_of_bytes(request):
    return Response(iter(["piece 0\n", b"piece 1\n", bytearray(PIECES[2]), memoryview(PIECES[3])]))


PIECES = [f"piece {i}\n".encode() for i in range(4)]
KINDS = [plain, waiting, at_once, response, kinds_of_bytes]


class Pieces:
    """An async iterator by hand, which tells whether it was closed."""

    def __init__(self, *pieces, error=None):
        self.pieces = list(pieces)
        self.error = error
        self.closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        if self.pieces:
            return self.pieces.pop(0)
        if self.error is not None:
            raise self.error
        raise StopAsyncIteration

    async def aclose(self):
        self.closed = True


@pytest.mark.parametrize("handler", KINDS)
def test_pieces_are_chunks(wire, handler):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert answer["Transfer-Encoding"] == "chunked"
            assert answer.chunks == PIECES

    wire.run(handler, scenario)


@pytest.mark.parametrize("handler", KINDS)
def test_1_0_gets_them_until_the_connection_closes(wire, handler):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = await client.head()
        assert "Transfer-Encoding" not in answer
        assert "Connection" not in answer or answer["Connection"] == "close"
        assert await client.end() == b"".join(PIECES)

    wire.run(handler, scenario)


@pytest.mark.parametrize("handler", KINDS)
def test_head_makes_no_pieces(wire, handler):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await client.answer("HEAD")).status == 200
        assert (await client.get()).body == b"".join(PIECES)

    wire.run(handler, scenario)


def test_empty_pieces_do_not_end_the_body(wire):
    async def scenario(server, connect):
        answer = await (await connect()).get()
        assert answer.chunks == [b"a", b"b"]

    wire.run(lambda request: iter(["", "a", b"", "b", ""]), scenario)


@pytest.mark.parametrize("body", [lambda: iter([]), lambda: iter([""]), Pieces])
def test_no_pieces_at_all(wire, body):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert (answer.status, answer["Content-Length"], answer.body) == (200, "0", b"")

    wire.run(lambda request: body(), scenario)


def test_a_length_that_is_declared_is_kept(wire, caplog):
    def handler(request):
        pieces = {"/right": ["ab", "cd"], "/short": ["ab"], "/long": ["ab", "cde"]}[request.path]
        return Response(iter(pieces), headers={"Content-Length": "4"})

    async def scenario(server, connect):
        client = await connect()
        answer = await client.get("/right")
        assert "Transfer-Encoding" not in answer
        assert (answer["Content-Length"], answer.body) == ("4", b"abcd")
        for path in ("/short", "/long"):
            client = await connect()
            await client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            # What was made comes, and nothing behind it.
            assert (await client.end()).rpartition(b"\r\n\r\n")[2] == b"ab"

    wire.run(handler, scenario)
    assert [str(r.exc_info[1]) for r in caplog.records] == [
        "the body ended 2 bytes before its Content-Length",
        "the body is longer than its Content-Length",
    ]


def test_each_piece_goes_out_when_it_is_made(whole):
    go_on = asyncio.Event()

    async def pieces():
        yield "first"
        await go_on.wait()
        yield "second"

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.head()).status == 200
        assert await client.exactly(10) == b"5\r\nfirst\r\n"
        go_on.set()
        assert await client.exactly(16) == b"6\r\nsecond\r\n0\r\n\r\n"

    whole.run(lambda request: pieces(), scenario)


@pytest.mark.parametrize("size", [1, 5000, 200_000])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_large_bodies(whole, size, kind):
    n = 20_000_000 // size if size > 1 else 5000
    piece = b"x" * size

    def plain():
        for _ in range(n):
            yield piece

    async def waiting():
        for _ in range(n):
            yield piece

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert len(answer.body) == n * size
            assert answer.chunks == [piece] * n

    whole.run(lambda request: plain() if kind == "plain" else waiting(), scenario)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_nothing_is_made_that_the_client_does_not_take(whole, kind):
    made = 0

    def plain():
        nonlocal made
        while True:
            made += 1
            yield b"x" * 10_000

    async def waiting():
        nonlocal made
        while True:
            made += 1
            yield b"x" * 10_000

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.2)
        before = made
        assert 0 < before < 2000  # 20 MB; the kernel's buffers take some
        await asyncio.sleep(0.05)
        assert made == before
        await client.exactly(10_000_000)
        assert made > before
        client.reset()

    whole.run(lambda request: plain() if kind == "plain" else waiting(), scenario)


def test_two_endless_streams_share_the_loop(native):
    def endless():
        while True:
            yield b"x" * 100

    async def scenario(server, connect):
        clients = [await connect() for _ in range(2)]
        for client in clients:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(20):
            for client in clients:
                await client.exactly(100_000)

    native.run(lambda request: endless(), scenario)


# ---- failures ----


def failing(first):
    if not first:
        raise RuntimeError("before the first piece")
    yield "first"
    raise RuntimeError("after the first piece")


async def failing_later(first):
    for piece in failing(first):
        await asyncio.sleep(0)
        yield piece


@pytest.mark.parametrize("body", [failing, failing_later])
def test_an_iterator_that_fails_before_its_first_piece(wire, body, caplog):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            assert (await client.get()).status == 500

    wire.run(lambda request: body(False), scenario)
    assert [str(r.exc_info[1]) for r in caplog.records] == ["before the first piece"] * 2


@pytest.mark.parametrize("body", [failing, failing_later])
def test_an_iterator_that_fails_later_ends_the_connection(wire, body, caplog):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        # Without the last chunk the client knows that it is not all.
        assert not (await client.end()).endswith(b"0\r\n\r\n")
        await wire.until(lambda: server.connections == 0)

    wire.run(lambda request: body(True), scenario)
    assert [str(r.exc_info[1]) for r in caplog.records] == ["after the first piece"]
    assert "GET /" in caplog.records[0].getMessage()


@pytest.mark.parametrize("body", [failing, failing_later])
def test_1_0_is_told_by_a_reset(whole, body, caplog):
    """There the connection's end is the body's, and this one is not whole."""

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while await client.loop.sock_recv(client.sock, 4096):
                pass

    whole.run(lambda request: body(True), scenario)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("piece", [None, 1, ["x"], "\ud800"])
def test_pieces_of_a_wrong_kind(wire, piece, caplog):
    async def scenario(server, connect):
        client = await connect()
        assert (await client.get()).status == 500

    wire.run(lambda request: iter([piece]), scenario)
    assert caplog.records[0].exc_info[0] in (TypeError, UnicodeEncodeError)


def test_an_async_iterator_is_closed_at_its_end(wire):
    made = []

    def handler(request):
        made.append(Pieces("a", "b", error=RuntimeError() if request.path == "/bad" else None))
        return made[-1]

    async def scenario(server, connect):
        assert (await (await connect()).get()).body == b"ab"
        client = await connect()
        await client.send(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.end()

    wire.run(handler, scenario)
    assert [pieces.closed for pieces in made] == [True, True]


# ---- clients that leave ----


def test_a_stream_ends_when_its_client_leaves(whole, caplog):
    ended = []

    async def pieces(path):
        try:
            while True:
                yield "x" * 10_000
                if path == "/waits":
                    await asyncio.Event().wait()
                await asyncio.sleep(0)
        finally:
            ended.append(path)

    def plain():
        try:
            while True:
                yield "x" * 10_000
        finally:
            ended.append("/plain")

    def handler(request):
        return plain() if request.path == "/plain" else pieces(request.path)

    async def scenario(server, connect):
        for path in ("/plain", "/waits", "/goes-on"):
            client = await connect()
            await client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            await client.exactly(1000)
            client.reset()
            await whole.until(lambda path=path: path in ended)
        await whole.until(lambda: server.connections == 0)

    whole.run(handler, scenario)
    assert ended == ["/plain", "/waits", "/goes-on"]
    assert caplog.records == []


def test_streams_leave_nothing_behind(whole):
    references = []

    class Body:
        def __iter__(self):
            return iter(["a", "b"])

    def handler(request):
        body = Body()
        references.append(weakref.ref(body))
        return Response(body)

    async def scenario(server, connect):
        client = await connect()
        for _ in range(3):
            await client.get()

    whole.run(handler, scenario)
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_close_waits_for_a_stream(whole):
    go_on = asyncio.Event()

    async def pieces():
        yield "first"
        await go_on.wait()
        yield "second"

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        await client.exactly(10)
        closing = asyncio.create_task(server.close(20))
        await whole.turns()
        assert not closing.done()
        go_on.set()
        assert await client.end() == b"6\r\nsecond\r\n0\r\n\r\n"
        await closing

    whole.run(lambda request: pieces(), scenario)
