"""Clients that leave, or are slow, while a handler reads their body."""

import asyncio
import threading

import pytest
from guava_http import (
    ClientDisconnected,
    RequestError,
    Timeouts,
    stream_body,
)

HEAD = b"POST /up HTTP/1.1\r\nHost: test\r\n"


# ---- clients that leave ------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["close", "reset", "half"])
@pytest.mark.parametrize("phase", ["before", "waiting", "between"])
def test_a_client_that_leaves(whole, phase, way, caplog):
    began, read, errors = asyncio.Event(), asyncio.Event(), []

    @stream_body
    async def handler(request):
        began.set()
        if phase == "before":
            await read.wait()
        chunks = []
        try:
            async for chunk in request.stream():
                chunks.append(chunk)
                if phase == "between":
                    await read.wait()
        except ClientDisconnected as error:
            assert isinstance(error, ConnectionError)
            assert request.disconnected
            errors.append(b"".join(chunks))
            raise
        return "all"

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 10\r\n\r\n12345")
        await began.wait()
        await whole.turns()
        if way == "close":
            client.close()
        elif way == "reset":
            client.reset()
        else:
            client.sock.shutdown(1)
        await whole.turns(10)
        read.set()
        await whole.until(lambda: errors)
        # A reset may take with it what had not been read.
        assert errors == [b"12345"]
        if way == "half":
            answer = await client.answer()
            assert answer.status == 400 and answer["Connection"] == "close"
        await whole.until(lambda: server.connections == 0)

    whole.run(handler, scenario)
    assert not caplog.records


def test_a_client_that_leaves_a_thread(whole, caplog):
    errors = []

    @stream_body
    def handler(request):
        try:
            for _ in request.stream():
                pass
        except ClientDisconnected as error:
            errors.append(error)
            raise

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 10\r\n\r\n12345")
        await asyncio.sleep(0.05)
        client.close()
        await whole.until(lambda: errors)

    whole.run(handler, scenario)
    assert not caplog.records


def test_a_stop_ends_those_who_wait(whole, caplog):
    began, ended = threading.Event(), threading.Event()

    @stream_body
    def handler(request):
        began.set()
        try:
            for _ in request.stream():
                pass
        finally:
            ended.set()

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 10\r\n\r\n12345")
        await whole.until(began.is_set)
        await server.close(0.1)
        await asyncio.to_thread(ended.wait, 20)
        assert ended.is_set()

    whole.run(handler, scenario)


# ---- clients that are slow ---------------------------------------------------------------------


def test_a_client_that_stalls(whole):
    errors = []

    @stream_body
    async def handler(request):
        try:
            return await request.read()
        except RequestError as error:
            errors.append(error.status)
            raise

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 10\r\n\r\n12345")
        answer = await client.answer()
        assert answer.status == 408
        assert await client.end() == b""
        assert errors == [408]

    whole.run(handler, scenario, timeouts=Timeouts(body=0.3))


def test_a_handler_that_is_slow_is_not_the_clients_fault(whole):
    go = asyncio.Event()

    @stream_body
    async def handler(request):
        await go.wait()
        return await request.read()

    async def scenario(server, connect):
        client = await connect()
        await client.send(HEAD + b"Content-Length: 10\r\n\r\n12345")
        await asyncio.sleep(1)
        await client.send(b"67890")
        await whole.turns(10)
        go.set()
        assert (await client.answer()).body == b"1234567890"

    whole.run(handler, scenario, timeouts=Timeouts(body=0.3))
