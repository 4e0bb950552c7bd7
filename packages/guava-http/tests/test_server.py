"""What a server does with one request and its answer."""

import asyncio
import contextvars
import os
import re
import socket

import guava_loop
import pytest
from guava_http import FileBody, Limits, Response, Server

HTML = "text/html; charset=utf-8"


def hello(request):
    return "hello"


def test_a_request_and_its_answer(wire):
    async def scenario(server, connect):
        answer = await (await connect()).get()
        assert (answer.version, answer.status, answer.reason) == ("HTTP/1.1", 200, "OK")
        assert answer["Content-Type"] == HTML
        assert answer["Content-Length"] == "5"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer["Date"])
        assert "Connection" not in answer
        assert answer.body == b"hello"

    wire.run(hello, scenario)


def test_what_the_handler_sees(wire):
    seen = []

    def handler(request):
        seen.append(
            (
                request.method,
                request.url,
                request.path,
                dict(request.GET),
                request.host,
                request.HEADERS["X-Name"],
                request.body,
                dict(request.POST),
                request.scheme,
            )
        )
        return ""

    async def scenario(server, connect):
        client = await connect()
        body = b"a=1&b=2"
        await client.send(
            b"POST /x/y?q=1 HTTP/1.1\r\nHost: example.org\r\nX-Name: value\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\n" + body
        )
        assert (await client.answer()).status == 200

    wire.run(handler, scenario)
    form = {"a": "1", "b": "2"}
    assert seen == [
        ("POST", "/x/y?q=1", "/x/y", {"q": "1"}, "example.org", "value", b"a=1&b=2", form, "http")
    ]


async def later(value):
    await asyncio.sleep(0.001)
    return value


class Awaitable:
    def __await__(self):
        return later("from __await__").__await__()


@pytest.mark.parametrize(
    ("result", "type", "body"),
    [
        (lambda: "text \u00e4", HTML, "text \u00e4".encode()),
        (lambda: "", HTML, b""),
        (lambda: b"bytes", HTML, b"bytes"),
        (lambda: {"a": [1, None, "\u00e4"]}, "application/json", '{"a":[1,null,"ä"]}'.encode()),
        (lambda: [1, 2], "application/json", b"[1,2]"),
        (lambda: Response("x", content_type="text/plain"), "text/plain", b"x"),
        (lambda: later("later"), HTML, b"later"),
        (lambda: later({"a": 1}), "application/json", b'{"a":1}'),
        (lambda: later(Response(b"y")), None, b"y"),
        (lambda: Awaitable(), HTML, b"from __await__"),
        (lambda: asyncio.ensure_future(later(b"task")), HTML, b"task"),
        (lambda: iter(["a", b"b"]), HTML, b"ab"),
        (lambda: later(iter(["c", b"d"])), HTML, b"cd"),
        (lambda: "x" * 100_000, HTML, b"x" * 100_000),
        (lambda: b"y" * 9_000, HTML, b"y" * 9_000),
    ],
)
def test_what_a_handler_may_give(whole, result, type, body):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert (answer.status, answer.body) == (200, body)
            if type is not None:
                assert answer["Content-Type"] == type

    whole.run(lambda request: result(), scenario)


def test_an_async_handler(wire):
    async def handler(request):
        before = asyncio.current_task()
        assert before is not None
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
        assert asyncio.current_task() is before
        return request.path

    async def scenario(server, connect):
        client = await connect()
        for path in ("/a", "/b"):
            assert (await client.get(path)).body == path.encode()

    wire.run(handler, scenario)


def test_a_callable_object_and_a_method(native):
    class App:
        def __call__(self, request):
            return "called"

        def method(self, request):
            return "method"

    async def scenario(server, connect):
        return (await (await connect()).get()).body

    assert native.run(App(), scenario) == b"called"
    assert native.run(App().method, scenario) == b"method"


def test_head_has_the_fields_and_no_body(wire):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await client.answer("HEAD")
            assert answer["Content-Length"] == "5"
        assert (await client.get()).body == b"hello"

    wire.run(hello, scenario)


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_where_none_may_be(wire, status):
    async def scenario(server, connect):
        client = await connect()
        answer = await client.get()
        assert (answer.status, answer.body) == (status, b"")
        assert "Transfer-Encoding" not in answer
        if status == 204:
            assert "Content-Length" not in answer
        # What followed it is an answer again, not a body.
        assert (await client.get()).status == status

    wire.run(lambda request: Response("no", status=status), scenario)


def test_a_head_larger_than_all_buffers(whole):
    value = "x" * 100_000

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get()
            assert (answer["X-Large"], answer.body) == (value, b"body")

    whole.run(lambda request: Response("body", headers={"X-Large": value}), scenario)


def test_1_0_closes_unless_asked_not_to(wire):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = await client.answer()
        assert (answer.body, "Connection" in answer) == (b"hello", False)
        assert await client.end() == b""

        client = await connect()
        for _ in range(2):
            await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = await client.answer()
            assert (answer["Connection"], answer.body) == ("keep-alive", b"hello")

    wire.run(hello, scenario)


def test_connection_close_is_heeded_and_said(wire):
    async def scenario(server, connect):
        client = await connect()
        answer = await client.get(fields="Connection: close\r\n")
        assert answer["Connection"] == "close"
        assert await client.end() == b""

    wire.run(hello, scenario)


def test_a_response_can_close_the_connection(wire):
    async def scenario(server, connect):
        client = await connect()
        answer = await client.get()
        assert answer["Connection"] == "close"
        assert await client.end() == b""

    wire.run(lambda request: Response("", headers={"Connection": "close"}), scenario)


def test_expect_continue_is_answered_when_the_body_is_wanted(whole):
    async def scenario(server, connect):
        client = await connect()
        for fields, body in (
            (b"Content-Length: 5", b"hello"),
            (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        ):
            await client.send(
                b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + fields + b"\r\n\r\n"
            )
            assert (await client.answer()).status == 100
            await client.send(body)
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"hello")

    whole.run(lambda request: request.body, scenario)


def test_expect_continue_is_left_out_when_the_body_is_there(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
        )
        assert (await client.answer()).status == 200

    whole.run(lambda request: request.body, scenario)


def test_expect_continue_is_not_for_bodies_beyond_the_limit(whole):
    async def scenario(server, connect):
        client = await connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n"
        )
        assert (await client.answer()).status == 413

    whole.run(hello, scenario, limits=Limits(body=5))


@pytest.mark.parametrize("size", [1, 4096, 100_000, 3_000_000])
def test_bodies_come_back(whole, size):
    body = os.urandom(size)

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
            sending = asyncio.create_task(client.send(head + body))
            assert (await client.answer()).body == body
            await sending
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(part), part)
            for part in (body[i : i + 9999] for i in range(0, size, 9999))
        )
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        sending = asyncio.create_task(client.send(head + chunks + b"0\r\n\r\n"))
        assert (await client.answer()).body == body
        await sending

    whole.run(lambda request: request.body, scenario, limits=Limits(body=size))


def test_small_bodies_byte_by_byte(wire):
    async def scenario(server, connect):
        client = await connect()
        head = b"POST / HTTP/1.1\r\nHost: a\r\n"
        for _ in range(2):
            await client.send(head + b"Content-Length: 5\r\n\r\nhello")
            assert (await client.answer()).body == b"hello"
            await client.send(
                head + b"Transfer-Encoding: chunked\r\n\r\n"
                b"2;x\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n"
            )
            assert (await client.answer()).body == b"hello"
        await client.send(head + b"Content-Length: 0\r\n\r\n")
        assert (await client.answer()).body == b""

    wire.run(lambda request: request.body, scenario)


def test_a_file(whole, tmp_path):
    contents = os.urandom(1_500_000)
    path = tmp_path / "file"
    path.write_bytes(contents)
    ranges = [(0, None), (1000, 500), (5, 0), (100, 700_000)]

    async def scenario(server, connect):
        client = await connect()
        for i, (offset, length) in enumerate(ranges):
            expected = contents[offset : None if length is None else offset + length]
            answer = await client.get(f"/{i}")
            assert answer["Content-Length"] == str(len(expected))
            assert answer.body == expected
            await client.send(f"HEAD /{i} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert (await client.answer("HEAD"))["Content-Length"] == str(len(expected))

    def handler(request):
        offset, length = ranges[int(request.path[1:])]
        if length is None:
            return FileBody(path)
        return Response(FileBody(path, offset=offset, length=length))

    whole.run(handler, scenario)


def test_the_peer_is_the_clients_address(whole):
    async def scenario(server, connect):
        client = await connect()
        host, port = client.sock.getsockname()
        for _ in range(2):
            assert (await client.get()).body == f"('{host}', {port})".encode()

    whole.run(lambda request: repr(request.peer), scenario)


def test_each_request_has_a_context_of_its_own(whole):
    var = contextvars.ContextVar("var", default="none")

    def plain(request):
        before = var.get()
        var.set(request.path)
        return before

    async def waiting(request):
        before = var.get()
        token = var.set(request.path)
        await asyncio.sleep(0.001)
        assert var.get() == request.path
        var.reset(token)
        return before

    def pieces(request):
        yield var.get()
        var.set(request.path)
        yield var.get()

    async def scenario(server, connect):
        client = await connect()
        return [(await client.get(path)).body for path in ("/a", "/b")]

    for handler in (plain, waiting):
        assert whole.run(handler, scenario) == [b"none", b"none"]
    assert whole.run(pieces, scenario) == [b"none/a", b"none/b"]


def test_handlers_see_the_context_of_start(native):
    var = contextvars.ContextVar("var", default="none")

    async def main():
        var.set("set")
        server = Server(lambda request: var.get(), port=0)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
        return answer.rpartition(b"\r\n")[2]

    assert guava_loop.run(main()) == b"set"


def test_a_request_that_is_kept_stays_as_it_was(wire):
    kept = []

    def handler(request):
        kept.append(request)
        return request.path

    async def scenario(server, connect):
        client = await connect()
        for i in range(5):
            await client.get(f"/{i}?n={i}", f"X-Number: {i}\r\n")

    wire.run(handler, scenario)
    assert [(r.path, r.GET["n"], r.HEADERS["X-Number"]) for r in kept] == [
        (f"/{i}", str(i), str(i)) for i in range(5)
    ]
    assert not any(request.disconnected for request in kept)


def test_a_part_of_a_request_that_is_kept(wire):
    kept = []

    def handler(request):
        kept.append((request.HEADERS, request.GET, request.body))
        return ""

    async def scenario(server, connect):
        client = await connect()
        for i in range(5):
            await client.send(
                f"POST /?n={i} HTTP/1.1\r\nHost: a\r\nX-Number: {i}\r\n"
                f"Content-Length: 1\r\n\r\n{i}".encode()
            )
            await client.answer()

    wire.run(handler, scenario)
    assert [(h["x-number"], get["n"], body) for h, get, body in kept] == [
        (str(i), str(i), str(i).encode()) for i in range(5)
    ]


def test_a_client_that_leaves_does_not_stop_the_handler(whole):
    seen = []

    async def handler(request):
        seen.append(request.disconnected)
        while not request.disconnected:
            await asyncio.sleep(0.001)
        seen.append((request.path, request.disconnected))
        return "to nobody"

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET /left HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: seen)
        client.reset()
        await whole.until(lambda: len(seen) == 2)
        assert (await (await connect()).send(b"")) is None

    whole.run(handler, scenario)
    assert seen == [False, ("/left", True)]


def test_a_client_that_only_sends_no_more_still_gets_its_answer(whole):
    async def handler(request):
        await asyncio.sleep(0.01)
        return "answer"

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        client.sock.shutdown(socket.SHUT_WR)
        assert (await client.answer()).body == b"answer"
        assert (await client.answer()).body == b"answer"
        assert await client.end() == b""

    whole.run(handler, scenario)


def test_counters(native):
    async def scenario(server, connect):
        clients = [await connect() for _ in range(3)]
        for client in clients:
            await client.get()
            await client.get()
        assert (server.connections, server.accepted, server.answered) == (3, 3, 6)
        clients[0].close()
        await native.until(lambda: server.connections == 2)

    native.run(hello, scenario)
