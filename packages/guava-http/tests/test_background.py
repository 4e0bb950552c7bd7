"""Work after the answer."""

import asyncio
import contextvars
import functools
import gc
import threading
import weakref

import pytest
from guava_http import Response

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
current = contextvars.ContextVar("current", default=None)


async def later():
    yield "a"
    await asyncio.sleep(0)
    yield "b"


BODIES = {
    "str": lambda: "ab",
    "none": lambda: None,
    "iterator": lambda: iter(["a", "b"]),
    "async": later,
}


@pytest.mark.parametrize("kind", list(BODIES))
def test_it_follows_the_answer(wire, kind):
    done = []
    go_on = threading.Event()

    async def second(word, *, end):
        await asyncio.sleep(0)
        done.append((word + end, current.get()))

    def first(word):
        go_on.wait(30)
        done.append((word, threading.current_thread() is threading.main_thread(), current.get()))

    async def handler(request):
        current.set(request.path)
        response = Response(BODIES[kind]())
        response.background(first, "one")
        response.background(second, "tw", end="o")
        response.background(functools.partial(second, end="e"), "thre")
        return response

    async def scenario(server, connect):
        client = await connect()
        for i in range(3):
            go_on.clear()
            # It waits for us, and still the answer is here.
            answer = await client.get(f"/{i}")
            assert answer.body == (b"" if kind == "none" else b"ab")
            assert len(done) == i * 3
            go_on.set()
            await wire.until(lambda i=i: len(done) == i * 3 + 3)

    try:
        wire.run(handler, scenario)
    finally:
        go_on.set()
    expected = []
    for i in range(3):
        path = f"/{i}"
        expected += [("one", False, path), ("two", path), ("three", path)]
    assert done == expected


def test_what_fails_is_logged_and_the_next_one_runs(whole, caplog):
    done = []

    async def bad():
        raise RuntimeError("async")

    def worse():
        raise RuntimeError("plain")

    def handler(request):
        response = Response("x")
        for function in (bad, worse, lambda: done.append(1)):
            response.background(function)
        return response

    async def scenario(server, connect):
        assert (await (await connect()).get()).body == b"x"
        await whole.until(lambda: done)

    whole.run(handler, scenario)
    assert [str(record.exc_info[1]) for record in caplog.records] == ["async", "plain"]
    assert "bad" in caplog.records[0].getMessage()


def test_a_server_that_closes_waits(whole):
    go_on = asyncio.Event()
    done = []

    async def work():
        await go_on.wait()
        done.append(1)

    def handler(request):
        response = Response("x")
        response.background(work)
        return response

    async def scenario(server, connect):
        client = await connect()
        await client.get()
        closing = asyncio.create_task(server.close(None))
        assert await client.end() == b""
        await whole.turns()
        assert not closing.done()
        go_on.set()
        await closing
        assert done == [1]

    whole.run(handler, scenario)


def test_but_not_longer_than_its_grace(whole):
    async def work():
        await asyncio.Event().wait()

    def handler(request):
        response = Response("x")
        response.background(work)
        return response

    async def scenario(server, connect):
        await (await connect()).get()
        await server.close(0.05)

    whole.run(handler, scenario)


@pytest.mark.parametrize("how", ["leaves", "fails", "bad length"])
def test_it_runs_however_the_answer_ends(whole, how, caplog):
    done = []

    async def pieces():
        yield "x"
        if how == "fails":
            raise RuntimeError
        await asyncio.Event().wait()

    def handler(request):
        response = Response(pieces())
        if how == "bad length":
            response = Response("ab", headers={"Content-Length": "3"})
        response.background(done.append, 1)
        return response

    async def scenario(server, connect):
        client = await connect()
        await client.send(GET)
        if how == "leaves":
            await client.exactly(10)
            client.reset()
        await whole.until(lambda: done)

    whole.run(handler, scenario)
    assert done == [1]


def test_a_response_that_is_given_again(whole):
    done = []
    response = Response("x")
    response.background(done.append, 1)

    async def scenario(server, connect):
        client = await connect()
        for _ in range(3):
            await client.get()
        await whole.until(lambda: len(done) == 3)

    whole.run(lambda request: response, scenario)


@pytest.mark.parametrize("compress", [False, True])
def test_with_a_body_that_is_compressed_on_a_thread(whole, compress):
    done = []

    def handler(request):
        response = Response("x" * 100_000)
        response.background(done.append, 1)
        return response

    async def scenario(server, connect):
        await (await connect()).get("/", "Accept-Encoding: gzip\r\n")
        await whole.until(lambda: done)

    whole.run(handler, scenario, compress=compress)
    assert done == [1]


def test_what_cannot_be_called():
    for arguments in ((), (5,), ("f", 1)):
        with pytest.raises(TypeError):
            Response().background(*arguments)


def test_it_leaves_nothing_behind(whole):
    references = []

    class Work:
        def __call__(self, *_):
            pass

    def handler(request):
        work = Work()
        references.append(weakref.ref(work))
        response = Response("x")
        response.background(work, request, response)
        return response

    async def scenario(server, connect):
        client = await connect()
        for _ in range(3):
            await client.get()

    whole.run(handler, scenario)
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
