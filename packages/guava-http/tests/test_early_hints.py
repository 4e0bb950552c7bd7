"""103 before the answer."""

import asyncio
import threading

import pytest
from guava_http import Request, Response

LINK = [("Link", "</style.css>; rel=preload; as=style")]


def plain(request):
    assert request.early_hints(LINK)
    return "page"


async def waiting(request):
    assert request.early_hints(LINK)
    await asyncio.sleep(0)
    assert request.early_hints({"Link": ["</a.js>", "</b.js>"]})
    return "page"


def pieces(request):
    def make():
        assert request.early_hints(LINK)
        yield "page"

    return make()


@pytest.mark.parametrize("handler", [plain, waiting, pieces])
def test_hints_come_first(wire, handler):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            hints = await client.answer()
            assert (hints.status, hints.reason) == (103, "Early Hints")
            assert hints.fields == LINK
            if handler is waiting:
                assert (await client.answer()).fields == [("Link", "</a.js>"), ("Link", "</b.js>")]
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"page")
            assert "Link" not in answer

    wire.run(handler, scenario)


def test_they_do_not_wait_for_the_answer(whole):
    go_on = asyncio.Event()

    async def handler(request):
        request.early_hints(LINK)
        await go_on.wait()
        return "page"

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer()).status == 103
        go_on.set()
        assert (await client.answer()).body == b"page"

    whole.run(handler, scenario)


def test_pipelined_answers_keep_their_order(wire):
    def handler(request):
        request.early_hints({"X-Path": request.path})
        return request.path

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(3)))
        for i in range(3):
            assert (await client.answer())["X-Path"] == f"/{i}"
            assert (await client.answer()).body == f"/{i}".encode()

    wire.run(handler, scenario)


def test_nobody_to_send_to(wire):
    sent = []
    go_on = asyncio.Event()
    kept = []

    async def handler(request):
        kept.append(request)
        if request.path == "/leaves":
            await go_on.wait()
        sent.append(request.early_hints(LINK))
        return "x"

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.answer()).status == 200
        client = await connect()
        await client.send(b"GET /leaves HTTP/1.1\r\nHost: a\r\n\r\n")
        await wire.until(lambda: len(kept) == 2)
        client.reset()
        await wire.until(lambda: server.connections == 0)
        go_on.set()
        await wire.until(lambda: len(sent) == 2)
        client = await connect()
        await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer()).status == 103
        assert (await client.answer("HEAD")).status == 200
        sent.append(kept[-1].early_hints(LINK))

    wire.run(handler, scenario)
    assert sent == [False, False, True, False]
    assert Request().early_hints(LINK) is False


def test_too_late(native, caplog):
    def handler(request):
        def make():
            yield "page"
            request.early_hints(LINK)

        return make()

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.end()

    native.run(handler, scenario)
    assert "too late" in str(caplog.records[0].exc_info[1])


def test_not_from_another_thread(native):
    found = []

    def handler(request):
        def work():
            with pytest.raises(RuntimeError, match="thread") as info:
                request.early_hints(LINK)
            found.append(info)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return Response("page")

    async def scenario(server, connect):
        assert (await (await connect()).get()).body == b"page"

    native.run(handler, scenario)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (ValueError, {"Link": "a\r\nX: b"}),
        (ValueError, {"Li nk": "a"}),
        (ValueError, {"Link": "\0"}),
        (ValueError, {"Content-Length": "5"}),
        (ValueError, {"transfer-encoding": "chunked"}),
        (ValueError, {"Connection": "close"}),
        (TypeError, 5),
        (TypeError, {"Link": 5}),
    ],
)
def test_what_is_no_hint(kind, headers):
    with pytest.raises(kind):
        Request().early_hints(headers)


def test_too_many(native, caplog):
    async def scenario(server, connect):
        assert (await (await connect()).get()).status == 500

    native.run(lambda request: request.early_hints({"A": "x" * 9000}), scenario)
    assert "at most" in str(caplog.records[0].exc_info[1])


def test_the_message_names_the_field():
    with pytest.raises(ValueError, match=r"^early hints have no Content-Length$"):
        Request().early_hints({"Link": "</a>", "Content-Length": "5"})
