"""Handlers that fail: what the client is told, what the log is told, and that life goes on."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import warnings

import guava_loop
import pytest
from guava_http import FileBody, RequestError, Response, Server


class Special(BaseException):
    """Not an Exception."""


async def raise_later(error):
    await asyncio.sleep(0.001)
    raise error


async def raise_at_once(error):
    raise error


def raise_now(error):
    raise error


ERRORS = [
    ValueError("secret"),
    asyncio.CancelledError("secret"),
    StopIteration("secret"),
    GeneratorExit("secret"),
    Special("secret"),
    TimeoutError("secret"),
]


@pytest.mark.parametrize("kind", [raise_now, raise_at_once, raise_later])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_handler_that_raises(whole, kind, error, caplog):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            answer = await client.get("/path")
            assert (answer.status, answer.reason) == (500, "Internal Server Error")
            assert answer["Content-Type"] == "text/plain; charset=utf-8"
            assert answer.body == b"500 Internal Server Error\n"
            assert "Connection" not in answer

    whole.run(lambda request: kind(error), scenario)
    assert [record.name for record in caplog.records] == ["guava_http"] * 2
    assert all(record.levelno == logging.ERROR for record in caplog.records)
    assert all(record.getMessage() == "GET /path failed" for record in caplog.records)
    # With its traceback; Python itself makes a RuntimeError of a coroutine's StopIteration.
    assert caplog.text.count("Traceback") >= 2
    assert caplog.text.count(f"{type(error).__name__}: secret") == 2


@pytest.mark.parametrize("result", [None, 1, 1.5, object(), {1}, (), [object()], {1: {2}}])
def test_a_result_of_a_wrong_kind(wire, result, caplog):
    async def later(request):
        await asyncio.sleep(0)
        return result

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            assert (await client.get()).status == 500

    for handler in (lambda request: result, later):
        wire.run(handler, scenario)
    assert len(caplog.records) == 4
    for record in caplog.records:
        assert record.exc_info[0] is TypeError
        if not isinstance(result, (list, dict)):
            message = str(record.exc_info[1])
            assert type(result).__name__ in message
            for accepted in ("str", "bytes", "dict", "Response", "iterator", "FileBody"):
                assert accepted in message


@pytest.mark.parametrize("kind", ["coroutine", "Future"])
def test_what_a_coroutine_gives_is_awaited_by_itself(wire, caplog, kind):
    async def later(request):
        future = asyncio.get_running_loop().create_future()
        future.set_result("text")
        if kind == "Future":
            return future
        return asyncio.wait_for(future, 10)

    async def scenario(server, connect):
        client = await connect()
        assert (await client.get()).status == 500

    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        wire.run(later, scenario)
    (record,) = caplog.records
    assert f"a handler's coroutine gave {kind}: await it" in str(record.exc_info[1]).replace(
        "_asyncio.", ""
    )


def test_text_that_cannot_be_encoded(wire, caplog):
    async def scenario(server, connect):
        client = await connect()
        assert (await client.get("/a")).status == 500
        assert (await client.get("/b")).status == 500

    wire.run(lambda r: "\ud800" if r.path == "/a" else Response("\ud800"), scenario)
    assert {record.exc_info[0] for record in caplog.records} == {UnicodeEncodeError}


def test_an_awaited_awaitable_is_not_awaited_again(wire, caplog):
    async def inner():
        return "never"

    async def handler(request):
        made.append(inner())
        return made[-1]

    made = []

    async def scenario(server, connect):
        assert (await (await connect()).get()).status == 500

    wire.run(handler, scenario)
    for coroutine in made:
        coroutine.close()
    assert "coroutine" in caplog.text


@pytest.mark.parametrize(
    "response",
    [
        lambda: Response("abc", headers={"Content-Length": "5"}),
        lambda: Response(b"abc", headers={"Content-Length": "2"}),
        lambda: Response(headers={"Content-Length": "2"}),
        lambda: Response("", status=101),
    ],
)
def test_responses_that_would_break_the_framing(wire, response, caplog):
    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            assert (await client.get()).status == 500

    wire.run(lambda request: response(), scenario)
    assert {record.exc_info[0] for record in caplog.records} == {ValueError}


def test_a_head_answer_may_declare_a_length(wire):
    async def scenario(server, connect):
        client = await connect()
        await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer("HEAD"))["Content-Length"] == "12345"
        assert await client.send(b"") is None

    wire.run(lambda request: Response(headers={"Content-Length": "12345"}), scenario)


def test_what_is_the_clients_fault_is_not_logged(wire, caplog):
    def handler(request):
        if request.path == "/json":
            return request.json()
        raise RequestError("too bad")

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n{")
        assert (await client.answer()).status == 400
        assert (await client.get("/other")).status == 400

    wire.run(handler, scenario)
    assert caplog.records == []


def test_a_log_that_fails_does_not_stop_the_server(native, monkeypatch, capsys):
    class Broken(logging.Handler):
        def handle(self, record):
            raise OSError("the log is full")

    broken = Broken()
    logger = logging.getLogger("guava_http")
    logger.addHandler(broken)
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: unraisable.append(args.exc_value))

    async def scenario(server, connect):
        client = await connect()
        for _ in range(2):
            assert (await client.get()).status == 500

    try:
        native.run(lambda request: 1 / 0, scenario)
    finally:
        logger.removeHandler(broken)
    assert [type(error) for error in unraisable] == [OSError, OSError]


def test_a_failure_after_the_client_left_is_logged(whole, caplog):
    started = asyncio.Event()

    async def handler(request):
        started.set()
        while not request.disconnected:
            await asyncio.sleep(0.001)
        raise ValueError("too late")

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await started.wait()
        client.reset()
        await whole.until(lambda: server._core.tasks == 0)

    whole.run(handler, scenario)
    assert [str(record.exc_info[1]) for record in caplog.records] == ["too late"]


def test_a_file_that_is_shorter_than_announced(whole, tmp_path, caplog):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1_000_000)
    small = tmp_path / "small"
    small.write_bytes(b"x" * 100)

    def handler(request):
        body = FileBody(path if request.path == "/large" else small)
        os.truncate(path, 300_000)
        os.truncate(small, 50)
        return body

    async def scenario(server, connect):
        for name in ("/small", "/large"):
            path.write_bytes(b"x" * 1_000_000)
            client = await connect()
            await client.send(f"GET {name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert len(await client.end()) < 400_000

    whole.run(handler, scenario)
    assert [record.exc_info[0] for record in caplog.records] == [OSError, OSError]


def test_a_file_that_has_been_closed(whole, tmp_path, caplog):
    path = tmp_path / "file"
    path.write_bytes(b"x")

    def handler(request):
        body = FileBody(path)
        body.close()
        return body

    async def scenario(server, connect):
        assert (await (await connect()).get()).status == 500

    whole.run(handler, scenario)
    assert caplog.records[0].exc_info[0] is ValueError


def test_a_handler_whose_task_is_cancelled(whole, caplog):
    tasks = []

    async def handler(request):
        tasks.append(asyncio.current_task())
        await asyncio.sleep(3600)

    async def scenario(server, connect):
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await whole.until(lambda: tasks)
        tasks[0].cancel()
        assert (await client.answer()).status == 500

    whole.run(handler, scenario)
    assert caplog.records[0].exc_info[0] is asyncio.CancelledError


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("later", [False, True])
def test_what_stops_the_program_stops_the_loop(mode, error, later):
    program = f"""
import asyncio, socket, sys
import guava_loop, guava_http

async def main():
    async def coroutine(request):
        if {later}:
            await asyncio.sleep(0)
        raise {error.__name__}(7)
    def plain(request):
        raise {error.__name__}(7)
    server = guava_http.Server(coroutine if {later} else plain, port=0, **options)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    await asyncio.sleep(3600)

mode = {mode!r}
options = dict(transport="asyncio") if mode == "adapter" else dict()
if mode == "uvloop":
    import uvloop
    factory = uvloop.new_event_loop
elif mode == "asyncio":
    factory = asyncio.new_event_loop
else:
    factory = guava_loop.new_event_loop
try:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
except {error.__name__} as caught:
    print("stopped by", type(caught).__name__, caught.args)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert f"stopped by {error.__name__} (7,)" in done.stdout, done.stderr


def test_ctrl_c_ends_a_handler_that_never_returns():
    program = """
import guava_http
def handler(request):
    print("stuck", flush=True)
    while True:
        pass
guava_http.serve(handler, port=0, started=lambda server: print(server.port, flush=True))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert process.stdout.readline() == "stuck\n"
            while process.poll() is None:  # signals that come at once count as one
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(0.05)
                except subprocess.TimeoutExpired:
                    pass
        assert "KeyboardInterrupt" in process.stderr.read()


def test_a_loop_that_is_closed_under_a_server(whole):
    """Nothing may touch the loop then, and nothing may be freed twice."""
    servers = []

    async def main():
        server = whole.server(lambda request: "x")
        await server.start()
        servers.append(server)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readline()
        writer.write(b"GET / HTTP/1.1\r\nHo")
        return server

    with asyncio.Runner(loop_factory=whole.loop_factory) as runner:
        server = runner.run(main())
    servers.clear()
    with pytest.warns(ResourceWarning):
        del server


def test_errors_of_a_server_on_a_loop_with_an_exception_handler(native):
    """They are the handler's, not the loop's."""
    seen = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: seen.append(context)
        )
        async with Server(lambda request: 1 / 0, port=0) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 500")
            writer.close()

    guava_loop.run(main())
    assert seen == []
